//! Asking a file of ids: the filter first, then one block for each id that passes it, in the order of the file.

use std::io::{self, SeekFrom};

use xxhash_rust::xxh3::xxh3_64;

use super::format::{
    BLOCK_BYTES, BLOCK_KEYS, CHECKSUM_AT, COUNTS_BYTES, MAGIC, PAGE_LINES, TRAILER_BYTES, checksum, damaged,
};
use crate::limits::IDS_MAX;
use crate::source::Input;
use crate::unique::{Filter, KEY_BYTES, Key, LINE_BYTES, Line, key_bytes, key_of, line_of, lines_for};

/// Bytes of a filter that is kept in memory: enough for ten million ids.
const FILTER_BYTES_HELD: usize = 16 * 1024 * 1024;
/// Ids that are put in order together: enough to share blocks, few enough to take little memory.
const SORTED_IDS: usize = 64 * 1024;
/// Ids whose lines of the filter are fetched together, as in `unique`.
const TOUCHED_IDS: usize = 256;
/// Bytes of the index of `IDS_MAX` ids, and what a writer may have added that was given ids twice.
const INDEX_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A file of ids that was opened.
pub struct Ids {
    input: Box<dyn Input>,
    index: Index,
    /// Once it was asked for, if it is small.
    filter: Option<Filter>,
    /// How large a filter is still kept.
    held_bytes: usize,
    keys: Block,
    page: Block,
    /// Ids that may be there, and where the answer goes.
    suspects: Vec<(Key, u32)>,
}

/// What is always in memory.
struct Index {
    count: u64,
    lines: usize,
    /// Of each page of the filter: how many blocks of keys are before it.
    pages: Vec<u32>,
    /// The first key of each block of keys.
    fences: Vec<[u8; KEY_BYTES]>,
}

/// The block that was read last.
#[derive(Default)]
struct Block {
    number: Option<u64>,
    bytes: Vec<u8>,
}

impl Ids {
    /// Reads the index.
    pub fn open(mut input: Box<dyn Input>) -> io::Result<Ids> {
        let bytes = input.seek(SeekFrom::End(0))?;
        let Some(blocks_end) = bytes.checked_sub((MAGIC.len() + TRAILER_BYTES) as u64) else {
            return Err(damaged("is shorter than any"));
        };
        let head = read_at(&mut *input, 0, MAGIC.len())?;
        let trailer = read_at(&mut *input, bytes - TRAILER_BYTES as u64, TRAILER_BYTES)?;
        if head != MAGIC || !trailer.ends_with(&MAGIC) {
            return Err(damaged("does not begin and end as one of this version"));
        }
        let number = |at: usize| trailer[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (index_bytes, checksum) = (number(0), number(8));
        let fits = index_bytes <= blocks_end && index_bytes <= INDEX_BYTES_MAX as u64;
        if !fits {
            return Err(damaged("has an index of impossible length"));
        }
        let at = bytes - TRAILER_BYTES as u64 - index_bytes;
        let index = read_at(&mut *input, at, index_bytes as usize)?;
        if xxh3_64(&index) != checksum {
            return Err(damaged("has another index than was written"));
        }
        let index = Index::read(&index, at - MAGIC.len() as u64).ok_or_else(no_sense)?;
        let (keys, page, suspects) = (Block::default(), Block::default(), Vec::new());
        Ok(Ids { input, index, filter: None, held_bytes: FILTER_BYTES_HELD, keys, page, suspects })
    }

    /// How many ids it has.
    pub fn count(&self) -> u64 {
        self.index.count
    }

    #[cfg(test)]
    pub(super) fn keep_no_filter(&mut self) {
        self.held_bytes = 0;
    }

    /// How many ids had to be looked for by the last call.
    #[cfg(test)]
    pub(super) fn suspects(&self) -> usize {
        self.suspects.len()
    }

    /// Sets `known` to true for those of `ids` that the file has, and leaves the others. Best called with many thousands,
    /// which share the blocks that must be read.
    pub fn contains_all(&mut self, ids: &[u128], known: &mut [bool]) -> io::Result<()> {
        if self.index.count == 0 {
            return Ok(());
        }
        if self.filter.is_none() && self.index.lines.saturating_mul(LINE_BYTES) <= self.held_bytes {
            self.filter = Some(self.read_filter()?);
        }
        for (ids, known) in ids.chunks(SORTED_IDS).zip(known.chunks_mut(SORTED_IDS)) {
            self.suspect(ids, known);
            self.suspects.sort_unstable();
            for place in 0..self.suspects.len() {
                let (key, index) = self.suspects[place];
                known[index as usize] = self.passes(key)? && self.has(key)?;
            }
        }
        Ok(())
    }

    /// Collects what may be there as far as can be told without reading.
    fn suspect(&mut self, ids: &[u128], known: &[bool]) {
        self.suspects.clear();
        let unknown = ids.iter().zip(known).enumerate().filter(|(_, (_, known))| !**known);
        let unknown = unknown.map(|(index, (id, _))| (key_of(*id), index as u32));
        let Some(filter) = &self.filter else {
            self.suspects.extend(unknown);
            return;
        };
        for touched in (0..ids.len()).step_by(TOUCHED_IDS) {
            let end = ids.len().min(touched + TOUCHED_IDS);
            filter.touch(ids[touched..end].iter().map(|id| key_of(*id)));
            for index in touched..end {
                let key = key_of(ids[index]);
                if filter.may_contain(key) && !known[index] {
                    self.suspects.push((key, index as u32));
                }
            }
        }
    }

    /// Whether a key passes the filter, where that is not in memory.
    fn passes(&mut self, key: Key) -> io::Result<bool> {
        if self.filter.is_some() {
            return Ok(true);
        }
        let line = line_of(key, self.index.lines);
        let at = self.index.page_at(line / PAGE_LINES);
        self.page.load(&mut *self.input, at)?;
        let start = line % PAGE_LINES * LINE_BYTES;
        Ok(self.page.bytes[start..].first_chunk().is_some_and(|line| Line::from_bytes(line).may_contain(key)))
    }

    fn has(&mut self, key: Key) -> io::Result<bool> {
        let key = key_bytes(key);
        let after = self.index.fences.partition_point(|fence| *fence <= key);
        let Some(number) = after.checked_sub(1) else { return Ok(false) };
        self.keys.load(&mut *self.input, self.index.keys_at(number))?;
        let there = (self.index.count as usize - number * BLOCK_KEYS).min(BLOCK_KEYS);
        let (keys, _) = self.keys.bytes.as_chunks::<KEY_BYTES>();
        if keys[0] != self.index.fences[number] {
            return Err(no_sense());
        }
        Ok(keys[..there].binary_search(&key).is_ok())
    }

    fn read_filter(&mut self) -> io::Result<Filter> {
        let mut lines = Vec::with_capacity(self.index.lines);
        for page in 0..self.index.pages.len() {
            self.page.load(&mut *self.input, self.index.page_at(page))?;
            let (all, _) = self.page.bytes[..PAGE_LINES * LINE_BYTES].as_chunks();
            lines.extend(all.iter().take(self.index.lines - lines.len()).map(Line::from_bytes));
        }
        self.page = Block::default();
        Ok(Filter::of(lines))
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ids").field("count", &self.index.count).finish_non_exhaustive()
    }
}

impl Index {
    /// None when it is not what is written; `blocks_bytes` is how much there is before it.
    fn read(index: &[u8], blocks_bytes: u64) -> Option<Index> {
        let (counts, rest) = index.split_at_checked(COUNTS_BYTES)?;
        let [count, lines] = [0, 8].map(|at| counts[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)));
        let lines = usize::try_from(lines).ok()?;
        if count > IDS_MAX || lines == 0 || lines > lines_for(IDS_MAX as usize) {
            return None;
        }
        let blocks = (count as usize).div_ceil(BLOCK_KEYS);
        let (pages, fences) = rest.split_at_checked(lines.div_ceil(PAGE_LINES) * 4)?;
        let pages: Vec<u32> = pages.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let (fences, left) = fences.as_chunks::<KEY_BYTES>();
        let complete = fences.len() == blocks && left.is_empty();
        let ascend = pages.is_sorted() && fences.is_sorted_by(|left, right| left < right);
        let within = pages.last().is_none_or(|before| *before as usize <= blocks);
        let whole = ((blocks + pages.len()) * BLOCK_BYTES) as u64 == blocks_bytes;
        (complete && ascend && within && whole).then_some(Index { count, lines, pages, fences: fences.to_vec() })
    }

    /// The number of a page of the filter among all blocks.
    fn page_at(&self, page: usize) -> u64 {
        u64::from(self.pages[page]) + page as u64
    }

    /// The number of a block of keys among all blocks.
    fn keys_at(&self, number: usize) -> u64 {
        (number + self.pages.partition_point(|before| *before as usize <= number)) as u64
    }
}

impl Block {
    fn load(&mut self, input: &mut dyn Input, number: u64) -> io::Result<()> {
        if self.number == Some(number) {
            return Ok(());
        }
        self.number = None;
        self.bytes.resize(BLOCK_BYTES, 0);
        input.seek(SeekFrom::Start(MAGIC.len() as u64 + number * BLOCK_BYTES as u64))?;
        input.read_exact(&mut self.bytes)?;
        if checksum(&self.bytes, number) != self.bytes[CHECKSUM_AT..] {
            return Err(damaged(&format!("has another block {number} than was written")));
        }
        self.number = Some(number);
        Ok(())
    }
}

fn no_sense() -> io::Error {
    damaged("has an index that makes no sense")
}

fn read_at(input: &mut dyn Input, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut into = vec![0; bytes];
    input.seek(SeekFrom::Start(offset))?;
    input.read_exact(&mut into)?;
    Ok(into)
}
