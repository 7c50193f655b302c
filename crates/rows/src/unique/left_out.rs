//! Keys that are left out of what a set gives: sorted in memory, and in scratch space when they do not fit.

use super::merge::{Merge, Stretch, StretchWriter};
use super::table::Key;
use crate::Result;
use crate::source::Scratch;

/// Keys that are sorted at once, however little memory there is.
const SORTED_KEYS_MIN: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct LeftOut {
    keys: Vec<Key>,
    stretches: Vec<Stretch>,
    count: u64,
}

impl LeftOut {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Takes a key that was not taken before. Without scratch space all of them stay in memory.
    pub(super) fn push(&mut self, key: Key, memory: usize, scratch: Option<&mut Box<dyn Scratch>>) -> Result<()> {
        // while a vector doubles there are two of them
        let sorted_keys = (memory / (2 * size_of::<Key>())).max(SORTED_KEYS_MIN);
        if let Some(scratch) = scratch.filter(|_| self.keys.len() >= sorted_keys) {
            self.spill(&mut **scratch)?;
        }
        self.keys.push(key);
        self.count += 1;
        Ok(())
    }

    fn spill(&mut self, scratch: &mut dyn Scratch) -> Result<()> {
        self.keys.sort_unstable();
        let mut writer = StretchWriter::new(scratch);
        self.keys.drain(..).try_for_each(|key| writer.push(key))?;
        self.stretches.push(writer.end()?);
        Ok(())
    }

    /// All of them, in order.
    pub(super) fn ascending(mut self, memory: usize, scratch: &mut dyn Scratch) -> Result<Ascending> {
        if !self.stretches.is_empty() {
            self.spill(scratch)?;
        }
        self.keys.sort_unstable();
        Ok(Ascending { portion: self.keys, at: 0, merge: Merge::new(self.stretches.iter(), memory) })
    }
}

/// Keys that are left out, in order.
pub(super) struct Ascending {
    portion: Vec<Key>,
    at: usize,
    merge: Merge,
}

impl Ascending {
    /// Takes those that are left out of keys in order, which come behind all that this was given before.
    pub(super) fn take_out(&mut self, scratch: &mut dyn Scratch, keys: &mut Vec<Key>) -> Result<()> {
        let (mut read, mut kept) = (0, 0);
        while read < keys.len() {
            let Some(next) = self.next(scratch)? else { break };
            let before = keys[read..].partition_point(|key| *key < next);
            keys.copy_within(read..read + before, kept);
            kept += before;
            read += before;
            let Some(key) = keys.get(read) else { break };
            read += usize::from(*key == next);
            self.at += 1;
        }
        keys.drain(kept..read);
        Ok(())
    }

    /// The next of them, which stays the next.
    fn next(&mut self, scratch: &mut dyn Scratch) -> Result<Option<Key>> {
        if self.at == self.portion.len() {
            self.merge.next(scratch, &mut self.portion)?;
            self.at = 0;
        }
        Ok(self.portion.get(self.at).copied())
    }
}
