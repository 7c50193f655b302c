//! Unpacks one compressed page or buffer into memory whose size was settled beforehand.

use std::io::Read;

use super::file::Fault;

/// How a page or buffer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Plain,
    Snappy,
    Gzip,
    Zstd,
    /// One block, no header (Parquet's `LZ4_RAW`).
    Lz4Block,
    /// Frames (Arrow).
    Lz4Frame,
    /// Parquet's old `LZ4`: blocks with Hadoop's two lengths, or what some writers put in their place.
    Lz4Hadoop,
}

/// Unpacks `packed`; it must fill `into` exactly. Nothing else is allocated but the codec's own state
/// (at most 8 MiB for LZ4 frames).
pub(crate) fn unpack(codec: Codec, packed: &[u8], into: &mut [u8]) -> Result<(), Fault> {
    let done = match codec {
        Codec::Plain => plain(packed, into),
        Codec::Snappy => snappy(packed, into),
        Codec::Gzip => fills(flate2::read::MultiGzDecoder::new(packed), into),
        Codec::Zstd => zstd::bulk::decompress_to_buffer(packed, into).is_ok_and(|length| length == into.len()),
        Codec::Lz4Block => lz4_block(packed, into),
        Codec::Lz4Frame => fills(lz4_flex::frame::FrameDecoder::new(packed), into),
        Codec::Lz4Hadoop => {
            lz4_hadoop(packed, into)
                || fills(lz4_flex::frame::FrameDecoder::new(packed), into)
                || lz4_block(packed, into)
        }
    };
    if done { Ok(()) } else { Err(Fault("the compressed data is damaged, or its size is not what the header says")) }
}

fn plain(packed: &[u8], into: &mut [u8]) -> bool {
    let same = packed.len() == into.len();
    if same {
        into.copy_from_slice(packed);
    }
    same
}

fn snappy(packed: &[u8], into: &mut [u8]) -> bool {
    snap::raw::Decoder::new().decompress(packed, into).is_ok_and(|length| length == into.len())
}

fn lz4_block(packed: &[u8], into: &mut [u8]) -> bool {
    lz4_flex::block::decompress_into(packed, into).is_ok_and(|length| length == into.len())
}

/// Blocks, each after its unpacked and its packed length (big-endian).
fn lz4_hadoop(mut packed: &[u8], into: &mut [u8]) -> bool {
    let mut filled = 0;
    while let Some((header, rest)) = packed.split_first_chunk::<8>() {
        let lengths = u64::from_be_bytes(*header);
        let (unpacked, length) = ((lengths >> 32) as usize, lengths as u32 as usize);
        let target = into.get_mut(filled..).and_then(|free| free.get_mut(..unpacked));
        let (Some(block), Some(target)) = (rest.get(..length), target) else { return false };
        if !lz4_block(block, target) {
            return false;
        }
        filled += unpacked;
        packed = &rest[length..];
    }
    packed.is_empty() && filled == into.len()
}

/// Whether `from` gives exactly as many bytes as `into` holds.
fn fills(mut from: impl Read, into: &mut [u8]) -> bool {
    from.read_exact(into).is_ok() && from.read(&mut [0]).is_ok_and(|more| more == 0)
}
