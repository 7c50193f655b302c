//! One block of bytes packed by itself: for data at rest that is read from any place, and as a zip with one file.

use std::io::{self, Write};

/// How hard to try: what is packed here is read rarely and lies for long.
const LEVEL: i32 = 9;

/// Packs a block with zstd.
pub fn pack(plain: &[u8]) -> io::Result<Vec<u8>> {
    zstd::bulk::compress(plain, LEVEL)
}

/// Unpacks a block that [`pack`] made into the memory of its plain length; an error if it has another length.
pub fn unpack(packed: &[u8], into: &mut [u8]) -> io::Result<()> {
    let length = zstd::bulk::decompress_to_buffer(packed, &mut *into)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    if length == into.len() {
        return Ok(());
    }
    let what = format!("the block unpacks to {length} bytes instead of {}", into.len());
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// A zip with one file that may be run. It has no time and no owner in it, so it is the same each time.
pub fn zip_program(name: &str, plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain)?;
    let packed = encoder.finish()?;
    let mut sum = flate2::Crc::new();
    sum.update(plain);
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a zip holds files of less than 4 GiB");
    let sizes = [packed.len(), plain.len()].map(u32::try_from);
    let [Ok(packed_bytes), Ok(plain_bytes)] = sizes else { return Err(too_long()) };
    let name_bytes = u16::try_from(name.len()).map_err(|_| too_long())?;
    // version 2.0, no flags, deflate, the first of January 1980, which is the first day that a zip knows
    let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0];
    for number in [sum.sum(), packed_bytes, plain_bytes] {
        common.extend(number.to_le_bytes());
    }
    common.extend(name_bytes.to_le_bytes());
    common.extend([0, 0]);
    let mut zip = Vec::with_capacity(packed.len() + 256);
    zip.extend(b"PK\x03\x04");
    zip.extend(&common);
    zip.extend(name.as_bytes());
    zip.extend(&packed);
    let directory = u32::try_from(zip.len()).map_err(|_| too_long())?;
    // made on Unix, so that what stands in the attributes are rights: all may read and run it
    zip.extend(b"PK\x01\x02\x14\x03");
    zip.extend(&common);
    zip.extend([0; 6]);
    zip.extend((0o100_755_u32 << 16).to_le_bytes());
    zip.extend([0; 4]);
    zip.extend(name.as_bytes());
    let directory_bytes = u32::try_from(zip.len()).map_err(|_| too_long())? - directory;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend(directory_bytes.to_le_bytes());
    zip.extend(directory.to_le_bytes());
    zip.extend([0, 0]);
    Ok(zip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_whole_or_not_at_all() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let packed = pack(&plain).unwrap();
        assert!(packed.len() < plain.len() / 2);
        let mut back = vec![0; plain.len()];
        unpack(&packed, &mut back).unwrap();
        assert_eq!(back, plain);
        for length in [plain.len() - 1, plain.len() + 1, 0] {
            assert!(unpack(&packed, &mut vec![0; length]).is_err(), "{length}");
        }
        assert!(unpack(&packed[..packed.len() - 1], &mut back).is_err());
    }

    #[test]
    fn a_program_in_a_zip_comes_back() {
        use crate::source::Source;
        let plain: Vec<u8> = (0..100_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let zip = zip_program("bootstrap", &plain).unwrap();
        assert_eq!(zip, zip_program("bootstrap", &plain).unwrap());
        let mut parts = crate::unpack::open(Box::new(io::Cursor::new(zip)), None).unwrap();
        let mut part = parts.next().unwrap().expect("one file");
        assert_eq!(part.name.as_deref(), Some("bootstrap"));
        let mut back = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match part.bytes.read(&mut piece).unwrap() {
                0 => break,
                bytes => back.extend_from_slice(&piece[..bytes]),
            }
        }
        assert!(back == plain, "{} bytes", back.len());
    }
}
