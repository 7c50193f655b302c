//! Partial aggregates that do not fit the memory budget: written to scratch space as runs sorted by key, merged at the end.
//!
//! A key may be in many runs. The merge hands out every key once, with the values of all runs combined in the order in
//! which they were written, oldest first: that order is what makes "first" and "last" right.

pub(crate) mod heap;
mod merge;
#[cfg(test)]
mod tests;

use std::fmt;

use xxhash_rust::xxh3::Xxh3Default;

use crate::limits::RUN_ENTRY_BYTES_MAX;
use crate::source::Scratch;
use crate::spill::Appender;
use crate::{Refusal, Result};

pub use merge::Merge;

/// Adds a later value to what was combined so far. It must not matter how neighbours are grouped, `(a b) c = a (b c)`,
/// because a merge of many runs takes several passes; order is kept, so `a b = b a` is not needed.
/// Damaged scratch space may give it any bytes: it answers with an error, it does not panic.
pub type Combine = fn(&mut Vec<u8>, &[u8]) -> Result<()>;

/// Before each entry: the bytes of its key and of its value, as two little-endian numbers of 32 bits.
const HEAD_BYTES: usize = 8;

/// Sorted runs in scratch space.
pub struct Runs {
    scratch: Box<dyn Scratch>,
    runs: Vec<Run>,
    appender: Appender,
}

/// One finished run.
#[derive(Debug, Clone, Copy)]
struct Run {
    offset: u64,
    bytes: u64,
    /// Bytes of the longest entry, which a buffer must be able to hold.
    entry_bytes: usize,
    /// Checksum of all bytes.
    checksum: u64,
}

impl Runs {
    /// No runs yet. Nobody else writes to `scratch`.
    pub fn new(scratch: Box<dyn Scratch>) -> Self {
        Self { scratch, runs: Vec::new(), appender: Appender::default() }
    }

    /// Starts the next run. It counts once it was ended.
    pub fn begin(&mut self) -> Writer<'_> {
        self.appender.abandon();
        Writer { progress: Progress::default(), last: Vec::new(), runs: self }
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes of scratch space in all runs.
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).sum()
    }

    /// Merges all runs, with buffers that take `budget_bytes` together; but each run is given room for its longest entry
    /// and at least two runs are merged at a time. Where the budget is too small for all runs at once, some are merged
    /// into one beforehand, which is done here.
    pub fn merge(self, budget_bytes: usize, combine: Combine) -> Result<Merge> {
        Merge::new(self, budget_bytes, combine)
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runs").field("runs", &self.runs).finish_non_exhaustive()
    }
}

/// Writes one run. Dropped before its end, it leaves no run.
#[derive(Debug)]
pub struct Writer<'a> {
    runs: &'a mut Runs,
    progress: Progress,
    last: Vec<u8>,
}

impl Writer<'_> {
    /// Adds an entry. Keys come in ascending order of their bytes; a key that comes again is a later value of it.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        debug_assert!(self.last.as_slice() <= key, "keys of a run come in order");
        self.last.clear();
        self.last.extend_from_slice(key);
        self.progress.push(key, value, &mut self.runs.appender, &mut *self.runs.scratch)
    }

    /// Ends the run.
    pub fn end(self) -> Result<()> {
        let run = self.progress.end(&mut self.runs.appender, &mut *self.runs.scratch)?;
        self.runs.runs.extend(run);
        Ok(())
    }
}

/// What is known of a run while it is written.
#[derive(Default)]
struct Progress {
    entry_bytes: usize,
    checksum: Xxh3Default,
}

impl Progress {
    fn push(&mut self, key: &[u8], value: &[u8], appender: &mut Appender, scratch: &mut dyn Scratch) -> Result<()> {
        let bytes = key.len().saturating_add(value.len());
        if bytes > RUN_ENTRY_BYTES_MAX {
            return Err(group_too_large(bytes).into());
        }
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(&(key.len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&(value.len() as u32).to_le_bytes());
        for part in [&head, key, value] {
            self.checksum.update(part);
            appender.push(part, scratch)?;
        }
        self.entry_bytes = self.entry_bytes.max(HEAD_BYTES + bytes);
        Ok(())
    }

    /// The run, unless it is empty.
    fn end(self, appender: &mut Appender, scratch: &mut dyn Scratch) -> Result<Option<Run>> {
        let (offset, bytes) = appender.end(scratch)?;
        let run = Run { offset, bytes, entry_bytes: self.entry_bytes, checksum: self.checksum.digest() };
        Ok(Some(run).filter(|run| run.bytes > 0))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("entry_bytes", &self.entry_bytes).finish_non_exhaustive()
    }
}

fn group_too_large(bytes: usize) -> Refusal {
    let message = format!("a group with its totals takes {bytes} bytes, and {RUN_ENTRY_BYTES_MAX} are allowed");
    Refusal::new("group_too_large", message, "group by shorter values")
}
