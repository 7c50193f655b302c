//! Reading a contribution: the footer first, then blocks as they are asked for, forwards only, one of them at a time.

use std::io::{self, SeekFrom};
use std::ops::Range;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::Summary;
use super::write::{KINDS, MAGIC, NO_INTERVAL, TRAILER_BYTES, front};
use crate::contract::Kind;
use crate::groups::bytes::Bytes;
use crate::groups::{GroupOf, decode_key};
use crate::limits::{CONTRIBUTION_BLOCK_BYTES_MAX, CONTRIBUTION_FOOTER_BYTES_MAX};
use crate::source::Input;
use crate::time::{Interval, Zone};

/// Read from the end at once: the footer of most contributions is within.
const TAIL_BYTES: u64 = 8 * 1024;
/// Behind each block.
const CHECKSUM_BYTES: usize = 8;

/// A contribution that was opened.
pub struct Reader {
    input: Box<dyn Input>,
    summary: Summary,
    /// Of bars.
    interval: Option<Interval>,
    zone: Zone,
    blocks: Vec<Block>,
    /// The fronts of all first keys, one after the other.
    fronts: Vec<u8>,
    /// The block after the one that is read.
    next: usize,
    block: Vec<u8>,
    /// Where the next entry starts.
    at: usize,
    key: Vec<u8>,
    value: Range<usize>,
}

/// Where a block is.
#[derive(Debug)]
struct Block {
    offset: u64,
    bytes: usize,
    /// Where the front of its first key ends.
    front_end: usize,
}

/// What stands in a footer.
struct Footer {
    summary: Summary,
    interval: Option<Interval>,
    zone: Zone,
    blocks: Vec<Block>,
    fronts: Vec<u8>,
}

impl Reader {
    /// Reads the footer; blocks come later.
    pub fn open(mut input: Box<dyn Input>) -> io::Result<Reader> {
        let bytes = input.seek(SeekFrom::End(0))?;
        let tail = read_at(&mut *input, bytes.saturating_sub(TAIL_BYTES), bytes.min(TAIL_BYTES) as usize)?;
        let head = read_at(&mut *input, 0, MAGIC.len().min(tail.len()))?;
        let Some((before, trailer)) = tail.split_last_chunk::<TRAILER_BYTES>() else {
            return Err(damaged("is shorter than any"));
        };
        if head != MAGIC || !trailer.ends_with(&MAGIC) {
            return Err(damaged("does not begin and end as one of this version"));
        }
        let [footer_bytes, checksum] =
            [0, 8].map(|at| trailer[at..].first_chunk().map_or(0, |n| u64::from_le_bytes(*n)));
        let footer_at = bytes.saturating_sub(TRAILER_BYTES as u64).checked_sub(footer_bytes);
        let footer_bytes = usize::try_from(footer_bytes).ok().filter(|bytes| *bytes <= CONTRIBUTION_FOOTER_BYTES_MAX);
        let (Some(footer_at), Some(footer_bytes)) = (footer_at, footer_bytes) else {
            return Err(damaged("has a footer of impossible length"));
        };
        let footer = match before.len().checked_sub(footer_bytes) {
            Some(start) => before[start..].to_vec(),
            None => read_at(&mut *input, footer_at, footer_bytes)?,
        };
        if xxh3_64(&footer) != checksum {
            return Err(damaged("has another footer than was written"));
        }
        let Footer { summary, interval, zone, blocks, fronts } =
            Footer::read(&footer, footer_at).ok_or_else(|| damaged("has a footer that makes no sense"))?;
        let (block, key) = (Vec::new(), Vec::new());
        Ok(Reader { input, summary, interval, zone, blocks, fronts, next: 0, block, at: 0, key, value: 0..0 })
    }

    /// What is in it.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The length of its bars; None for totals.
    pub fn interval(&self) -> Option<Interval> {
        self.interval
    }

    /// Where its hours, days and months begin.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The key of the entry that was reached; empty before the first.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The same, taken apart.
    pub(super) fn group(&self) -> io::Result<GroupOf<'_>> {
        decode_key(&self.key).ok_or_else(|| damaged("has a key that makes no sense"))
    }

    /// The partial of that entry.
    pub(super) fn value(&self) -> &[u8] {
        &self.block[self.value.clone()]
    }

    /// Goes to the next entry; false at the end.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        while self.at == self.block.len() {
            if self.next == self.blocks.len() {
                return Ok(false);
            }
            self.load(self.next)?;
        }
        let first = self.at == 0;
        let read = self.entry(first);
        read.map(|()| true).ok_or_else(|| damaged("has entries that make no sense"))
    }

    /// Goes on to the first entry whose key is not less than `key`; stays if it is there. False: there is none.
    pub(super) fn seek(&mut self, key: &[u8]) -> io::Result<bool> {
        if !self.key.is_empty() && self.key.as_slice() >= key {
            return Ok(true);
        }
        // Blocks that certainly begin before `key`: the last of them may hold it, and none before.
        let cut = front(key);
        let before = self.blocks_before(|front| front < cut || (front == cut && cut.len() == key.len()));
        if let Some(block) = before.checked_sub(1).filter(|block| *block >= self.next) {
            self.load(block)?;
        }
        while self.advance()? {
            if self.key.as_slice() >= key {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn blocks_before(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.blocks.len());
        while low < high {
            let middle = low.midpoint(high);
            let start = middle.checked_sub(1).map_or(0, |previous| self.blocks[previous].front_end);
            if before(&self.fronts[start..self.blocks[middle].front_end]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn load(&mut self, number: usize) -> io::Result<()> {
        let Block { offset, bytes, .. } = self.blocks[number];
        self.block.resize(bytes + CHECKSUM_BYTES, 0);
        self.input.seek(SeekFrom::Start(offset))?;
        self.input.read_exact(&mut self.block)?;
        let (block, checksum) = self.block.split_at(bytes);
        if xxh3_64_with_seed(block, number as u64).to_le_bytes() != checksum {
            return Err(damaged(&format!("has another block {number} than was written")));
        }
        self.block.truncate(bytes);
        self.next = number + 1;
        self.at = 0;
        Ok(())
    }

    /// Takes the entry at `at`; keys ascend.
    fn entry(&mut self, first: bool) -> Option<()> {
        let mut rest = Bytes(&self.block[self.at..]);
        let shared = usize::try_from(rest.number()?).ok()?;
        let suffix_bytes = usize::try_from(rest.number()?).ok()?;
        let value_bytes = usize::try_from(rest.number()?).ok()?;
        let suffix = rest.slice(suffix_bytes)?;
        if suffix <= self.key.get(shared..)? || (first && shared > 0) {
            return None;
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(suffix);
        let start = self.block.len() - rest.0.len();
        rest.slice(value_bytes)?;
        self.value = start..start + value_bytes;
        self.at = start + value_bytes;
        Some(())
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl Footer {
    /// None when it is not what is written; `end` is where the blocks end.
    fn read(footer: &[u8], end: u64) -> Option<Footer> {
        let mut rest = Bytes(footer);
        let [kind] = rest.take()?;
        let kind = *KINDS.get(usize::from(kind))?;
        let (rows, entries) = (u64::from_le_bytes(rest.take()?), u64::from_le_bytes(rest.take()?));
        let (from, to) = (i64::from_le_bytes(rest.take()?), i64::from_le_bytes(rest.take()?));
        let interval = match (kind, rest.take()?) {
            (Kind::Transactions, [NO_INTERVAL]) => None,
            (_, [place]) => Some(*Interval::ALL.get(usize::from(place))?),
        };
        let name_bytes = usize::try_from(rest.number()?).ok()?;
        let zone = Zone::named(std::str::from_utf8(rest.slice(name_bytes)?).ok()?)?;
        let count = rest.number()?;
        let (mut blocks, mut fronts) = (Vec::new(), Vec::new());
        let mut offset = MAGIC.len() as u64;
        for _ in 0..count {
            let bytes = usize::try_from(rest.number()?).ok().filter(|bytes| *bytes <= CONTRIBUTION_BLOCK_BYTES_MAX)?;
            let front_bytes = usize::try_from(rest.number()?).ok()?;
            fronts.extend_from_slice(rest.slice(front_bytes)?);
            blocks.push(Block { offset, bytes, front_end: fronts.len() });
            offset += (bytes + CHECKSUM_BYTES) as u64;
        }
        let summary = Summary { kind, rows, entries, from, to };
        (rest.0.is_empty() && offset == end).then_some(Footer { summary, interval, zone, blocks, fronts })
    }
}

fn read_at(input: &mut dyn Input, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut into = vec![0; bytes];
    input.seek(SeekFrom::Start(offset))?;
    input.read_exact(&mut into)?;
    Ok(into)
}

/// A contribution that is not what was written.
pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a contribution {what}"))
}
