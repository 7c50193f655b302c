//! What a file of ids is made of, for the one who writes and the one who reads.

use std::io;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::unique::{KEY_BYTES, LINE_BYTES};

/// At both ends; the last two bytes are the version.
pub(super) const MAGIC: [u8; 8] = *b"MRIDST01";
/// Bytes of a block with its checksum.
pub(super) const BLOCK_BYTES: usize = 4096;
/// Where the checksum of a block is.
pub(super) const CHECKSUM_AT: usize = BLOCK_BYTES - 8;
/// Keys of a block.
pub(super) const BLOCK_KEYS: usize = CHECKSUM_AT / KEY_BYTES;
/// Lines of a page of the filter.
pub(super) const PAGE_LINES: usize = CHECKSUM_AT / LINE_BYTES;
/// Bytes of the trailer: bytes and checksum of the index, magic.
pub(super) const TRAILER_BYTES: usize = 24;
/// Bytes at the front of an index: counts of ids and of lines.
pub(super) const COUNTS_BYTES: usize = 16;

/// The checksum of a block; one in another's place is noticed.
pub(super) fn checksum(block: &[u8], number: u64) -> [u8; 8] {
    xxh3_64_with_seed(&block[..CHECKSUM_AT], number).to_le_bytes()
}

/// A file of ids that is not what was written.
pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a file of ids {what}"))
}
