//! How the bytes of an object lie on disk, and how they are read: block after block, then a table of the blocks.
//!
//! An entry of the table has the length of a block as it lies there, and the checksum of its plain bytes. A block that
//! is shorter than its plain bytes is packed. The record has the checksum of the table, so every byte is under one.

use std::io::{self, Read, Seek, SeekFrom};

use pipeline::rows::pack;
use pipeline::rows::source::Input;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::digest::Digest;

use super::error::Error;

/// Plain bytes of each block but the last.
pub(super) const BLOCK_BYTES: usize = 1024 * 1024;
/// Length and checksum.
const ENTRY_BYTES: usize = 12;

/// What is known of bytes when all of them were seen.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) bytes: u64,
    pub(super) digest: String,
    pub(super) table: Table,
}

/// Sums up plain bytes as they pass.
pub(super) struct Summing {
    bytes: u64,
    digest: Digest,
    block: Xxh3,
    block_bytes: usize,
    table: Table,
}

impl std::fmt::Debug for Summing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Summing").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Summing {
    /// Nothing yet.
    pub(super) fn new(digest: Digest) -> Self {
        Self { bytes: 0, digest, block: Xxh3::new(), block_bytes: 0, table: Table::default() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.check(bytes);
    }

    /// The same with a piece that is given away. Gives an empty one back, if there is one.
    pub(super) fn give(&mut self, piece: Vec<u8>) -> Option<Vec<u8>> {
        self.check(&piece);
        self.digest.give(piece)
    }

    fn check(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block_bytes));
            self.block.update(now);
            self.block_bytes += now.len();
            if self.block_bytes == BLOCK_BYTES {
                self.end_block();
            }
            bytes = later;
        }
    }

    pub(super) fn finish(mut self) -> Summary {
        if self.block_bytes > 0 {
            self.end_block();
        }
        Summary { bytes: self.bytes, digest: self.digest.finish(), table: self.table }
    }

    fn end_block(&mut self) {
        self.table.push(self.block_bytes, self.block.digest());
        self.block.reset();
        self.block_bytes = 0;
    }
}

/// The table as it lies behind the blocks.
#[derive(Debug, Default, Clone)]
pub(super) struct Table {
    pub(super) encoded: Vec<u8>,
    blocks_bytes: u64,
}

impl Table {
    pub(super) fn push(&mut self, stored_bytes: usize, check: u64) {
        self.encoded.extend((stored_bytes as u32).to_be_bytes());
        self.encoded.extend(check.to_be_bytes());
        self.blocks_bytes += stored_bytes as u64;
    }

    /// The checksum of it, for the record.
    pub(super) fn check(&self) -> u64 {
        xxh3_64(&self.encoded)
    }

    /// Bytes of the blocks and of the table.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.blocks_bytes + self.encoded.len() as u64
    }
}

/// The checksum of the table of bytes in memory.
pub(super) fn check_of(stored: &[u8], bytes: u64) -> u64 {
    let table_bytes = bytes.div_ceil(BLOCK_BYTES as u64) as usize * ENTRY_BYTES;
    xxh3_64(stored.get(stored.len().saturating_sub(table_bytes)..).unwrap_or_default())
}

/// Packs a block, unless that would not make it shorter.
pub(super) fn packed(plain: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let packed = pack::pack(plain)?;
    if packed.len() >= plain.len() {
        return Ok(None);
    }
    // it will be the only copy
    let mut back = vec![0; plain.len()];
    pack::unpack(&packed, &mut back)?;
    if back == plain {
        Ok(Some(packed))
    } else {
        Err(io::Error::other("a packed block does not unpack to what it was"))
    }
}

#[derive(Debug, Clone, Copy)]
struct Block {
    start: u64,
    stored_bytes: usize,
    check: u64,
}

/// What a reader must be told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Names the object and the place, for errors.
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) stored_bytes: u64,
    pub(super) check: u64,
}

/// The plain bytes of an object; each block is verified before any of it is given. Keeps one block, and 24 bytes for
/// each that there is.
pub(super) struct Blocks {
    stored: Box<dyn Input>,
    told: Told,
    blocks: Vec<Block>,
    position: u64,
    /// The block that is in `plain`.
    loaded: Option<usize>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl std::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks").field("told", &self.told).field("position", &self.position).finish_non_exhaustive()
    }
}

impl Blocks {
    /// Reads the table and checks it against what the record says.
    pub(super) fn open(mut stored: Box<dyn Input>, told: Told) -> Result<Self, Error> {
        let length = stored.seek(SeekFrom::End(0)).map_err(|error| failed(&told, error))?;
        if length != told.stored_bytes {
            let what = format!("has {length} bytes instead of {}", told.stored_bytes);
            return Err(damaged(&told, &what));
        }
        let count = told.bytes.div_ceil(BLOCK_BYTES as u64);
        let table_bytes = count.saturating_mul(ENTRY_BYTES as u64);
        let Some(table_start) = length.checked_sub(table_bytes) else {
            return Err(damaged(&told, "is too short for its checksums"));
        };
        // as many bytes as the file has at most
        let mut table = vec![0; table_bytes as usize];
        stored.seek(SeekFrom::Start(table_start)).map_err(|error| failed(&told, error))?;
        stored.read_exact(&mut table).map_err(|error| failed(&told, error))?;
        if xxh3_64(&table) != told.check {
            return Err(damaged(&told, "has damaged checksums"));
        }
        let mut blocks = Vec::with_capacity(table.len() / ENTRY_BYTES);
        let mut start = 0;
        for entry in table.chunks_exact(ENTRY_BYTES) {
            let (length, check) = entry.split_at(4);
            let length = length.try_into().map_or(0, u32::from_be_bytes);
            let check = check.try_into().map_or(0, u64::from_be_bytes);
            blocks.push(Block { start, stored_bytes: length as usize, check });
            start += u64::from(length);
        }
        Ok(Self { stored, told, blocks, position: 0, loaded: None, plain: Vec::new(), packed: Vec::new() })
    }

    /// The next block as a whole; empty at the end.
    pub(super) fn next_block(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.told.bytes {
            return Ok(&[]);
        }
        self.load((self.position / BLOCK_BYTES as u64) as usize)?;
        self.position += self.plain.len() as u64;
        Ok(&self.plain)
    }

    fn load(&mut self, index: usize) -> io::Result<()> {
        if self.loaded == Some(index) {
            return Ok(());
        }
        self.loaded = None;
        let start = index as u64 * BLOCK_BYTES as u64;
        let plain_bytes = self.told.bytes.saturating_sub(start).min(BLOCK_BYTES as u64) as usize;
        let Some(block) = self.blocks.get(index).filter(|block| block.stored_bytes <= plain_bytes) else {
            return Err(damaged(&self.told, "has checksums of other blocks").into_io());
        };
        self.plain.resize(plain_bytes, 0);
        self.packed.resize(block.stored_bytes, 0);
        let is_packed = block.stored_bytes < plain_bytes;
        let into = if is_packed { &mut self.packed } else { &mut self.plain };
        let read = self.stored.seek(SeekFrom::Start(block.start)).and_then(|_| self.stored.read_exact(into));
        read.map_err(|error| failed(&self.told, error).into_io())?;
        let is_whole = !is_packed || pack::unpack(&self.packed, &mut self.plain).is_ok();
        if !is_whole || xxh3_64(&self.plain) != block.check {
            let what = format!("has damaged bytes among the {plain_bytes} from {start} on");
            return Err(damaged(&self.told, &what).into_io());
        }
        self.loaded = Some(index);
        Ok(())
    }
}

impl Read for Blocks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.told.bytes || into.is_empty() {
            return Ok(0);
        }
        self.load((self.position / BLOCK_BYTES as u64) as usize)?;
        let within = (self.position % BLOCK_BYTES as u64) as usize;
        let ready = self.plain.get(within..).unwrap_or_default();
        let length = ready.len().min(into.len());
        into[..length].copy_from_slice(&ready[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Blocks {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.told.bytes.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

fn damaged(told: &Told, what: &str) -> Error {
    Error::Damaged { what: format!("{} {what}", told.name) }
}

fn failed(told: &Told, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(told, "ends early"),
        _ => Error::from_io(format!("read {}", told.name), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    /// The bytes as they would lie on disk, and what the record would say.
    fn store(plain: &[u8], is_packed: bool) -> (Vec<u8>, Told) {
        let mut summing = Summing::new(Digest::short());
        plain.chunks(100_003).for_each(|piece| summing.update(piece));
        let Summary { bytes, table, .. } = summing.finish();
        let mut stored = Vec::new();
        let mut packed_table = Table::default();
        for (block, entry) in plain.chunks(BLOCK_BYTES).zip(table.encoded.chunks(ENTRY_BYTES)) {
            let packed = if is_packed { packed(block).unwrap() } else { None };
            let kept = packed.as_deref().unwrap_or(block);
            stored.extend(kept);
            packed_table.push(kept.len(), u64::from_be_bytes(entry[4..].try_into().unwrap()));
        }
        stored.extend(&packed_table.encoded);
        assert_eq!(stored.len() as u64, packed_table.stored_bytes());
        let (stored_bytes, check) = (packed_table.stored_bytes(), packed_table.check());
        (stored, Told { name: "object b/k".to_owned(), bytes, stored_bytes, check })
    }

    fn plain(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| (at / 5 % 251) as u8).collect()
    }

    fn read(stored: &[u8], told: &Told) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let opened = Blocks::open(Box::new(Cursor::new(stored.to_vec())), told.clone());
        opened.map_err(Error::into_io)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn every_length_comes_back() {
        for bytes in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES, 2 * BLOCK_BYTES + 7] {
            for is_packed in [false, true] {
                let (stored, told) = store(&plain(bytes), is_packed);
                assert!(read(&stored, &told).unwrap() == plain(bytes), "{bytes} {is_packed}");
            }
        }
    }

    #[test]
    fn whatever_is_flipped_or_cut_is_noticed_and_named() {
        for is_packed in [false, true] {
            let (stored, told) = store(&plain(BLOCK_BYTES + 1000), is_packed);
            let mut at = 0;
            while at < stored.len() {
                let mut flipped = stored.clone();
                flipped[at] ^= 0x10;
                let error = read(&flipped, &told).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{at}");
                assert!(error.to_string().contains("object b/k"), "{error}");
                at += if at + 40 > stored.len() { 1 } else { stored.len() / 17 };
            }
            for cut in [1, 12, 24, 500, stored.len()] {
                assert!(read(&stored[..stored.len() - cut], &told).is_err(), "{cut}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
        #[test]
        fn it_reads_like_the_plain_bytes(
            bytes in 0..3 * BLOCK_BYTES,
            is_packed in any::<bool>(),
            steps in proptest::collection::vec((0..4_u8, -3_000_000_i64..3_000_000, 0..1_200_000_usize), 1..10),
        ) {
            let plain = plain(bytes);
            let (stored, told) = store(&plain, is_packed);
            let mut blocks = Blocks::open(Box::new(Cursor::new(stored)), told).unwrap();
            let mut model = Cursor::new(plain);
            for (from, by, length) in steps {
                let to = match from {
                    0 => SeekFrom::Start(by.unsigned_abs()),
                    1 => SeekFrom::End(by),
                    _ => SeekFrom::Current(by),
                };
                prop_assert_eq!(blocks.seek(to).ok(), model.seek(to).ok());
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                (&mut blocks).take(length as u64).read_to_end(&mut ours).unwrap();
                (&mut model).take(length as u64).read_to_end(&mut theirs).unwrap();
                prop_assert!(ours == theirs);
            }
        }
    }
}
