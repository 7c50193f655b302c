//! The memory that stages share (invariant 7): one that is alone has most of it, those beside it make do with less.
//!
//! What comes of a file does not depend on it. With less memory more goes to scratch space, which takes longer.

use std::sync::{Arc, Mutex, PoisonError};

use rows::limits::MEMORY_BYTES_MIN;

/// Bytes that a stage may ask for, for each byte of its file: the file may be packed.
const WANTED_PER_BYTE: u64 = 8;

/// Memory for the stages that run at a time.
#[derive(Debug, Clone)]
pub struct Memory {
    bytes: usize,
    kept: usize,
    lent: Arc<Mutex<usize>>,
}

/// What one stage may take, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    pub bytes: usize,
    counted: usize,
    lent: Arc<Mutex<usize>>,
}

impl Memory {
    /// For one stage at a time.
    pub fn of_one(bytes: usize) -> Self {
        Self { bytes, kept: 0, lent: Arc::default() }
    }

    /// For stages beside each other: a quarter is kept for the next one.
    pub fn of_many(bytes: usize) -> Self {
        Self { kept: bytes / 4, ..Self::of_one(bytes) }
    }

    /// For a file of so many bytes. Nobody waits: when nothing is left, it is the least that a stage can work with.
    pub(crate) fn lend(&self, file_bytes: u64) -> Lent {
        let wanted = usize::try_from(file_bytes.saturating_mul(WANTED_PER_BYTE)).unwrap_or(usize::MAX);
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = self.bytes.saturating_sub(*lent + self.kept).min(wanted).max(MEMORY_BYTES_MIN);
        // A file that is so short cannot take the least there is.
        let counted = bytes.min(wanted);
        *lent += counted;
        Lent { bytes, counted, lent: self.lent.clone() }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.lent.lock().unwrap_or_else(PoisonError::into_inner) -= self.counted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: u64 = 1 << 30;

    #[test]
    fn one_alone_has_all_but_what_is_kept_for_the_next() {
        let memory = Memory::of_many(400_000_000);
        let first = memory.lend(LARGE);
        assert_eq!(first.bytes, 300_000_000);
        let others = [LARGE, 1].map(|bytes| memory.lend(bytes));
        assert_eq!(others.each_ref().map(|lent| lent.bytes), [MEMORY_BYTES_MIN; 2]);
        drop((first, others));
        assert_eq!(memory.lend(LARGE).bytes, 300_000_000, "what was given back is there again");
        assert_eq!(Memory::of_one(400_000_000).lend(LARGE).bytes, 400_000_000);
    }

    #[test]
    fn a_small_file_leaves_the_memory_to_others() {
        let memory = Memory::of_many(400_000_000);
        let small = memory.lend(10_000_000);
        assert_eq!(small.bytes, 80_000_000);
        assert_eq!(memory.lend(LARGE).bytes, 220_000_000);
        let tiny: Vec<Lent> = (0..100).map(|bytes| memory.lend(bytes)).collect();
        assert!(tiny.iter().all(|lent| lent.bytes == MEMORY_BYTES_MIN));
        assert_eq!(memory.lend(u64::MAX).bytes, 220_000_000 - 8 * (0..100).sum::<usize>());
    }
}
