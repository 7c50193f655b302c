//! Which ids were seen before, in file order, however many there are, within a memory budget.
//!
//! Ids are remembered in a hash table. When it would pass the budget, its keys go to scratch space as a sorted run, of
//! which only a filter stays in memory (12.3 bits per id); an id that passes a run's filter costs one read of 4 KiB.
//! While ids come, runs are not merged: a filter costs a few nanoseconds, and the budget ends before there are more than a
//! few dozen. They are when all ids are given in order, to be kept.
//!
//! Ids are told apart by the top 80 bits of their hash. With `n` different ids, the probability that any two of them are
//! taken for one is `n² / 2^81`: 5 in 10^10 for 34 million, 4 in 10^9 for 100 million.
//!
//! A budget of 100 MB holds some 50 million ids with scratch space (about 500 thousand per MB; 10 bytes of scratch space
//! each) and 3 million without.

mod filter;
mod left_out;
mod merge;
mod run;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::source::{MemoryScratch, Scratch};
use crate::spill::BUFFER_BYTES;
use crate::{Refusal, Result};
use left_out::LeftOut;
use merge::Merge;
use run::{BLOCK_BYTES, Run};
use table::{BITS_MIN, STRAY_BYTES, Table};

pub(crate) use filter::{Filter, LINE_BYTES, Line, line_of, lines_for};
pub(crate) use merge::PORTIONS_KEPT;
pub(crate) use table::{KEY_BYTES, Key, key_bytes, key_of};

/// Ids that are looked up together: enough to overlap cache misses, few enough that what they touch stays in the cache.
const CHUNK_IDS: usize = 256;
/// Runs that are asked for every id. More come only from made-up hashes, or from a table too small to go on with.
const RUNS_MAX: usize = 32;
/// Keys that are given at once.
const SORTED_KEYS: usize = 16 * 1024;
/// Which part of its budget the set takes again for ids that are left out, and for giving what it has in order.
const SORTING_PART: usize = 8;
/// What the set may use beyond its budget: buffers for input and output, and keys outside of the table.
pub const SLACK_BYTES: usize = BUFFER_BYTES + BLOCK_BYTES + CHUNK_IDS * (16 + STRAY_BYTES);

/// A set of ids that answers, for each id, whether it is new.
pub struct IdSet {
    budget_bytes: usize,
    scratch: Option<Box<dyn Scratch>>,
    table: Option<Table>,
    runs: Vec<Run>,
    left_out: LeftOut,
    /// Ids in the runs.
    spilled: u64,
    runs_bytes: usize,
    memory_peak: usize,
    /// For each id of a chunk, whether a run has it.
    known: Vec<bool>,
    /// Which ids of a chunk passed a run's filter.
    suspects: Vec<usize>,
    block: Vec<u8>,
}

impl IdSet {
    /// An empty set that keeps to `budget_bytes` of memory (and `SLACK_BYTES`; an eighth more for ids that are left out,
    /// and for giving them all in order), and puts aside in `scratch`, which nobody else writes to, what does not fit.
    pub fn new(budget_bytes: usize, scratch: Option<Box<dyn Scratch>>) -> Self {
        Self {
            budget_bytes,
            scratch,
            table: None,
            runs: Vec::new(),
            left_out: LeftOut::default(),
            spilled: 0,
            runs_bytes: 0,
            memory_peak: 0,
            known: Vec::new(),
            suspects: Vec::new(),
            block: Vec::new(),
        }
    }

    /// Says how many ids will come, more or less, before the first does: the table is made for so many at once, as far as
    /// the budget goes, instead of being moved into a larger one again and again.
    pub(crate) fn expect(&mut self, ids: u64) {
        if self.table.is_none() {
            let bits = self.affordable().find(|bits| Table::keys_max(*bits) as u64 >= ids);
            self.table = bits.or_else(|| self.affordable().last()).map(Table::new);
            self.memory_peak = self.memory();
        }
    }

    /// Inserts `ids`, which are hashes of all 128 bits, in order, and sets `fresh` to whether each was never inserted
    /// before, by an earlier call or earlier in `ids`. After an error the set answers nothing any more.
    ///
    /// Best called with thousands of ids at a time. If senders could make up ids to slow this down, seed the hash.
    pub fn insert_all(&mut self, ids: &[u128], fresh: &mut Vec<bool>) -> Result<()> {
        fresh.clear();
        fresh.reserve(ids.len());
        let mut rest = ids;
        while !rest.is_empty() {
            let room = self.make_room(rest.len().min(CHUNK_IDS))?;
            let (chunk, later) = rest.split_at(rest.len().min(room));
            self.insert_chunk(chunk, fresh)?;
            rest = later;
        }
        Ok(())
    }

    /// Bytes of memory in use, buffers left out.
    pub fn memory(&self) -> usize {
        self.runs_bytes + self.table.as_ref().map_or(0, |table| Table::bytes(table.bits()))
    }

    /// The most that `memory` ever was, while growing included.
    pub fn memory_peak(&self) -> usize {
        self.memory_peak
    }

    /// How many different ids were inserted.
    pub fn distinct(&self) -> u64 {
        self.spilled + self.table.as_ref().map_or(0, |table| table.len() as u64)
    }

    /// Leaves ids out of what is given in the end; each was inserted, and none comes twice.
    pub(crate) fn leave_out(&mut self, ids: impl Iterator<Item = u128>) -> Result<()> {
        for id in ids {
            self.left_out.push(key_of(id), self.budget_bytes / SORTING_PART, self.scratch.as_mut())?;
        }
        Ok(())
    }

    /// How many different ids were inserted and not left out.
    pub(crate) fn kept(&self) -> u64 {
        self.distinct() - self.left_out.count()
    }

    /// Gives all that were inserted and not left out, in order, a portion at a time; `PORTIONS_KEPT` of them may be kept.
    pub(crate) fn into_sorted(mut self, each: &mut dyn FnMut(Vec<Key>) -> Result<()>) -> Result<()> {
        let mut scratch = self.scratch.take().unwrap_or_else(|| Box::<MemoryScratch>::default());
        let memory = self.budget_bytes / SORTING_PART / 2;
        let mut left_out = std::mem::take(&mut self.left_out).ascending(memory, &mut *scratch)?;
        let table = self.table.take().filter(|table| table.len() > 0);
        if self.runs.is_empty() {
            let Some(table) = table else { return Ok(()) };
            let mut keys = Vec::with_capacity(SORTED_KEYS);
            table.sorted(|key| {
                keys.push(key);
                if keys.len() < SORTED_KEYS {
                    return Ok(());
                }
                let mut full = std::mem::replace(&mut keys, Vec::with_capacity(SORTED_KEYS));
                left_out.take_out(&mut *scratch, &mut full)?;
                each(full)
            })?;
            left_out.take_out(&mut *scratch, &mut keys)?;
            return each(keys);
        }
        if let Some(table) = table {
            self.runs.push(Run::write(&table, &mut *scratch)?);
        }
        let mut merge = Merge::new(self.runs.iter().map(Run::stretch), memory);
        drop(self.runs);
        loop {
            let mut keys = Vec::new();
            merge.next(&mut *scratch, &mut keys)?;
            if keys.is_empty() {
                return Ok(());
            }
            left_out.take_out(&mut *scratch, &mut keys)?;
            each(keys)?;
        }
    }

    fn insert_chunk(&mut self, ids: &[u128], fresh: &mut Vec<bool>) -> Result<()> {
        self.known.clear();
        self.known.resize(ids.len(), false);
        if let Some(scratch) = &mut self.scratch {
            for run in &self.runs {
                suspects(run, ids, &mut self.suspects);
                for &index in &self.suspects {
                    let known = &mut self.known[index];
                    *known = *known || run.contains(key_of(ids[index]), &mut **scratch, &mut self.block)?;
                }
            }
        }
        if let Some(table) = &mut self.table {
            table.insert_all(ids, &self.known, fresh);
        }
        Ok(())
    }

    /// Sees to it that the table takes at least one id, and if possible `wanted`; answers how many, at most `wanted`.
    fn make_room(&mut self, wanted: usize) -> Result<usize> {
        while self.room() < wanted && self.grow()? {}
        if self.room() == 0 {
            self.flush()?;
        }
        Ok(self.room().min(wanted))
    }

    fn room(&self) -> usize {
        self.table.as_ref().map_or(0, Table::room)
    }

    /// Moves to a table of the next size if the budget has room for both of them.
    fn grow(&mut self) -> Result<bool> {
        let bits = match &self.table {
            None => Some(BITS_MIN),
            Some(table) => Table::larger(table.bits()),
        };
        let Some(bits) = bits else { return Ok(false) };
        let peak = self.memory() + Table::bytes(bits);
        if peak > self.budget_bytes || (self.scratch.is_some() && !self.affords(bits)) {
            return Ok(false);
        }
        self.table = Some(match &self.table {
            None => Table::new(bits),
            Some(table) => table.grown(bits),
        });
        self.memory_peak = self.memory_peak.max(peak);
        Ok(true)
    }

    /// Whether the budget has room for a table of `2^bits` slots and, when that is full, for the filter of its keys.
    fn affords(&self, bits: u32) -> bool {
        self.runs_bytes + Table::bytes(bits) + Run::bytes(Table::keys_max(bits)) <= self.budget_bytes
    }

    /// Puts the keys of the table aside and starts a new one, as large as the budget then allows.
    fn flush(&mut self) -> Result<()> {
        let full = self.too_many_ids();
        let (Some(table), Some(scratch)) = (&mut self.table, &mut self.scratch) else { return Err(full.into()) };
        if self.runs.len() == RUNS_MAX {
            return Err(full.into());
        }
        let run = Run::write(table, &mut **scratch)?;
        self.spilled += table.len() as u64;
        self.runs_bytes += run.memory();
        self.runs.push(run);
        table.clear();
        let bits = table.bits();
        self.memory_peak = self.memory_peak.max(self.memory());

        let largest = self.affordable().last().ok_or(full)?;
        if largest != bits {
            self.table = None;
            self.table = Some(Table::new(largest));
        }
        self.memory_peak = self.memory_peak.max(self.memory());
        Ok(())
    }

    /// Tables that the budget has room for, when there is none at the moment.
    fn affordable(&self) -> impl Iterator<Item = u32> {
        let sizes = std::iter::successors(Some(BITS_MIN), |bits| Table::larger(*bits));
        sizes.take_while(|bits| self.affords(*bits))
    }

    fn too_many_ids(&self) -> Refusal {
        let (count, budget) = (self.distinct(), self.budget_bytes);
        let hint = match self.scratch {
            None => "give it scratch space or more memory, or send the file in parts",
            Some(_) => "give it more memory, or send the file in parts",
        };
        let message = format!("more than {count} different ids do not fit the memory budget of {budget} bytes");
        Refusal::new("too_many_ids", message, hint)
    }
}

/// Which of `ids` may be in `run`. Without branches, so that the processor works on several ids at once.
fn suspects(run: &Run, ids: &[u128], suspects: &mut Vec<usize>) {
    let keys = || ids.iter().map(|id| -> Key { key_of(*id) });
    let filter = run.filter();
    filter.touch(keys());
    suspects.resize(ids.len(), 0);
    let mut count = 0;
    for (index, key) in keys().enumerate() {
        suspects[count] = index;
        count += usize::from(filter.may_contain(key));
    }
    suspects.truncate(count);
}

impl fmt::Debug for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.runs.len();
        f.debug_struct("IdSet").field("distinct", &self.distinct()).field("runs", &runs).finish_non_exhaustive()
    }
}
