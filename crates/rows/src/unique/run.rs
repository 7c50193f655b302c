//! A sorted run of keys in scratch space, with what it takes in memory to ask it rarely and read one block when asked.

use super::filter::Filter;
use super::merge::{Stretch, StretchWriter};
use super::table::{KEY_BYTES, Key, Table, key_from};
use crate::Result;
use crate::source::Scratch;
use crate::spill::damaged;

/// Keys that are read at once: as many as fit 4 KiB.
const BLOCK_KEYS: usize = 4096 / KEY_BYTES;
/// Bytes of such a block.
pub(super) const BLOCK_BYTES: usize = BLOCK_KEYS * KEY_BYTES;

#[derive(Debug)]
pub(super) struct Run {
    stretch: Stretch,
    /// The first key of each block.
    fences: Vec<Key>,
    filter: Filter,
}

impl Run {
    /// Writes all keys of `table`, which is not empty.
    pub(super) fn write(table: &Table, scratch: &mut dyn Scratch) -> Result<Self> {
        let mut writer = StretchWriter::new(scratch);
        let mut filter = Filter::new(table.len());
        let mut fences = Vec::with_capacity(table.len().div_ceil(BLOCK_KEYS));
        let mut keys = 0;
        table.sorted(|key| {
            if keys % BLOCK_KEYS == 0 {
                fences.push(key);
            }
            keys += 1;
            filter.insert(key);
            writer.push(key)
        })?;
        Ok(Self { stretch: writer.end()?, fences, filter })
    }

    /// Bytes in memory of a run of `keys` keys.
    pub(super) fn bytes(keys: usize) -> usize {
        Filter::bytes(keys).saturating_add(keys.div_ceil(BLOCK_KEYS) * size_of::<Key>())
    }

    /// Bytes in memory of this run.
    pub(super) fn memory(&self) -> usize {
        Self::bytes(self.stretch.keys as usize)
    }

    /// Where its keys are, all of them in order.
    pub(super) fn stretch(&self) -> &Stretch {
        &self.stretch
    }

    /// What tells most keys apart from those of the run.
    pub(super) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether the run has `key`, by reading one block. `block` is room for it.
    pub(super) fn contains(&self, key: Key, scratch: &mut dyn Scratch, block: &mut Vec<u8>) -> Result<bool> {
        let after = self.fences.partition_point(|fence| *fence <= key);
        let Some(index) = after.checked_sub(1) else { return Ok(false) };
        let keys = BLOCK_KEYS.min(self.stretch.keys as usize - index * BLOCK_KEYS);
        block.resize(keys * KEY_BYTES, 0);
        scratch.read_at(self.stretch.offset + (index * BLOCK_BYTES) as u64, block)?;
        if key_in(block, 0) != self.fences[index] {
            return Err(damaged("scratch space does not hold the ids that were written to it"));
        }
        let (mut low, mut high) = (0, keys);
        while low < high {
            let middle = low.midpoint(high);
            match key_in(block, middle).cmp(&key) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }
}

fn key_in(block: &[u8], index: usize) -> Key {
    let (keys, _) = block.as_chunks::<KEY_BYTES>();
    key_from(&keys[index])
}
