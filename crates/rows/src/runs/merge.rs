//! The k-way merge of sorted runs.

use std::fmt;

use xxhash_rust::xxh3::Xxh3Default;

use super::heap::sift_down;
use super::{Combine, HEAD_BYTES, Progress, Run, Runs};
use crate::Result;
use crate::source::Scratch;
use crate::spill::{Appender, BUFFER_BYTES, damaged};

/// Least bytes that are worth a read.
const READ_BYTES_MIN: usize = 16 * 1024;
/// More than this at once does not make reading faster.
const READ_BYTES_MAX: usize = 1024 * 1024;

/// All keys of all runs in ascending order, each once.
pub struct Merge {
    scratch: Box<dyn Scratch>,
    heads: Heads,
    combine: Combine,
}

impl Merge {
    pub(super) fn new(runs: Runs, budget_bytes: usize, combine: Combine) -> Result<Self> {
        let Runs { mut scratch, mut runs, mut appender } = runs;
        // The writer of a pass has a buffer as well.
        let pass_bytes = budget_bytes.saturating_sub(BUFFER_BYTES);
        let fan_in = fan_in(&runs, pass_bytes);
        while runs.len() > fan_in {
            let mut excess = runs.len() - fan_in;
            let mut left = runs.as_slice();
            let mut passed = Vec::new();
            // Neighbours become one run, from the oldest on, until few enough would be left.
            while !left.is_empty() {
                let (group, later) = left.split_at(fan_in.min(excess + 1).min(left.len()));
                excess -= group.len() - 1;
                left = later;
                passed.extend(match group {
                    [run] => Some(*run),
                    _ => merge_group(group, pass_bytes, combine, &mut appender, &mut *scratch)?,
                });
            }
            runs = passed;
        }
        let heads = Heads::new(&runs, budget_bytes, &mut *scratch)?;
        Ok(Self { scratch, heads, combine })
    }

    /// The next key and what its values combine to; false after the last one. What comes before an error is not to be
    /// relied on: damage to a run is noticed at its end at the latest.
    pub fn next(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool> {
        self.heads.next(key, value, self.combine, &mut *self.scratch)
    }
}

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge").field("runs", &self.heads.readers.len()).finish_non_exhaustive()
    }
}

/// Merges `group` into one new run.
fn merge_group(
    group: &[Run],
    budget_bytes: usize,
    combine: Combine,
    appender: &mut Appender,
    scratch: &mut dyn Scratch,
) -> Result<Option<Run>> {
    let mut heads = Heads::new(group, budget_bytes, scratch)?;
    let mut progress = Progress::default();
    let (mut key, mut value) = (Vec::new(), Vec::new());
    while heads.next(&mut key, &mut value, combine, scratch)? {
        progress.push(&key, &value, appender, scratch)?;
    }
    progress.end(appender, scratch)
}

/// How many runs `budget_bytes` can read at a time.
fn fan_in(runs: &[Run], budget_bytes: usize) -> usize {
    let entry_bytes = runs.iter().map(|run| run.entry_bytes).max().unwrap_or(0);
    (budget_bytes / entry_bytes.max(READ_BYTES_MIN)).max(2)
}

/// The next entry of each run, as a heap: the smallest key first, of equal keys the oldest run.
struct Heads {
    readers: Vec<Reader>,
    /// Indices of the readers that are not at their end.
    heap: Vec<usize>,
}

impl Heads {
    fn new(runs: &[Run], budget_bytes: usize, scratch: &mut dyn Scratch) -> Result<Self> {
        let share = budget_bytes / runs.len().max(1);
        let mut heads = Self { readers: Vec::with_capacity(runs.len()), heap: Vec::with_capacity(runs.len()) };
        for (index, run) in runs.iter().enumerate() {
            let mut reader = Reader::new(run, share);
            if reader.advance(scratch)? {
                heads.heap.push(index);
            }
            heads.readers.push(reader);
        }
        for place in (0..heads.heap.len() / 2).rev() {
            heads.sift_down(place);
        }
        Ok(heads)
    }

    fn next(
        &mut self,
        key: &mut Vec<u8>,
        value: &mut Vec<u8>,
        combine: Combine,
        scratch: &mut dyn Scratch,
    ) -> Result<bool> {
        let Some(&first) = self.heap.first() else { return Ok(false) };
        key.clear();
        key.extend_from_slice(self.readers[first].key());
        value.clear();
        value.extend_from_slice(self.readers[first].value());
        self.advance(first, scratch)?;
        while let Some(&later) = self.heap.first() {
            if self.readers[later].key() != key.as_slice() {
                break;
            }
            combine(value, self.readers[later].value())?;
            self.advance(later, scratch)?;
        }
        Ok(true)
    }

    /// Goes on in the run that stands first.
    fn advance(&mut self, first: usize, scratch: &mut dyn Scratch) -> Result<()> {
        if !self.readers[first].advance(scratch)? {
            self.heap.swap_remove(0);
        }
        self.sift_down(0);
        Ok(())
    }

    fn sift_down(&mut self, place: usize) {
        let Self { readers, heap } = self;
        sift_down(heap, place, |left, right| (readers[left].key(), left) < (readers[right].key(), right));
    }
}

/// Reads one run from front to back; the current entry lies in the buffer as a whole.
struct Reader {
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold something.
    filled: usize,
    /// Where the entry after the current one starts.
    next: usize,
    /// Where the current entry's value starts, and its key's length.
    value: usize,
    key_bytes: usize,
    offset: u64,
    left: u64,
    running: Xxh3Default,
    checksum: u64,
}

impl Reader {
    fn new(run: &Run, share: usize) -> Self {
        let whole = usize::try_from(run.bytes).unwrap_or(usize::MAX);
        let bytes = share.clamp(READ_BYTES_MIN, READ_BYTES_MAX).max(run.entry_bytes).min(whole);
        Self {
            buffer: vec![0; bytes],
            filled: 0,
            next: 0,
            value: 0,
            key_bytes: 0,
            offset: run.offset,
            left: run.bytes,
            running: Xxh3Default::new(),
            checksum: run.checksum,
        }
    }

    fn key(&self) -> &[u8] {
        &self.buffer[self.value - self.key_bytes..self.value]
    }

    fn value(&self) -> &[u8] {
        &self.buffer[self.value..self.next]
    }

    /// Goes to the next entry; false at the end, where all that was read is known to be what was written.
    fn advance(&mut self, scratch: &mut dyn Scratch) -> Result<bool> {
        if self.filled - self.next < HEAD_BYTES {
            self.fill(scratch)?;
        }
        let Some(head) = self.buffer[self.next..self.filled].first_chunk::<HEAD_BYTES>() else {
            if self.next < self.filled || self.running.digest() != self.checksum {
                return Err(damaged("scratch space does not hold the run that was written to it"));
            }
            return Ok(false);
        };
        let [a, b, c, d, e, f, g, h] = *head;
        let key_bytes = u32::from_le_bytes([a, b, c, d]) as usize;
        let entry_bytes =
            HEAD_BYTES.saturating_add(key_bytes).saturating_add(u32::from_le_bytes([e, f, g, h]) as usize);
        if self.filled - self.next < entry_bytes {
            self.fill(scratch)?;
        }
        if self.filled - self.next < entry_bytes {
            return Err(damaged("scratch space holds an entry longer than any that was written to it"));
        }
        self.key_bytes = key_bytes;
        self.value = self.next + HEAD_BYTES + key_bytes;
        self.next += entry_bytes;
        Ok(true)
    }

    /// Moves what is not read yet to the front and fills the rest of the buffer.
    fn fill(&mut self, scratch: &mut dyn Scratch) -> Result<()> {
        self.buffer.copy_within(self.next..self.filled, 0);
        self.filled -= self.next;
        self.next = 0;
        let free = self.buffer.len() - self.filled;
        let bytes = usize::try_from(self.left).map_or(free, |left| left.min(free));
        let into = &mut self.buffer[self.filled..self.filled + bytes];
        scratch.read_at(self.offset, into)?;
        self.running.update(into);
        self.filled += bytes;
        self.offset += bytes as u64;
        self.left -= bytes as u64;
        Ok(())
    }
}
