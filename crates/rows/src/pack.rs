//! One block of bytes packed by itself, for data at rest that is read from any place.

use std::io;

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
}
