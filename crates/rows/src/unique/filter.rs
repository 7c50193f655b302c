//! A blocked Bloom filter: says for sure that a key is not in a run, at the price of one cache line.

use super::table::{KEY_BITS, Key};

/// Bits of filter per key; about one key in 150 that is not in the run passes nevertheless.
const BITS_PER_KEY: usize = 12;
const LINE_BITS: usize = 512;
const PROBES: u32 = 6;

/// One cache line of the filter; a key sets and reads bits of one line only.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Line([u64; LINE_BITS / 64]);

#[derive(Debug)]
pub(super) struct Filter {
    lines: Vec<Line>,
}

impl Filter {
    /// A filter for `keys` keys.
    pub(super) fn new(keys: usize) -> Self {
        Self { lines: vec![Line::default(); Self::lines(keys)] }
    }

    /// Bytes of a filter for `keys` keys.
    pub(super) fn bytes(keys: usize) -> usize {
        Self::lines(keys).saturating_mul(size_of::<Line>())
    }

    fn lines(keys: usize) -> usize {
        keys.saturating_mul(BITS_PER_KEY).div_ceil(LINE_BITS).max(1)
    }

    /// The line of a key grows with the key: filling the filter in key order walks through memory.
    #[inline]
    fn line(&self, key: Key) -> usize {
        let top = (key >> (KEY_BITS - 64)) as u64;
        ((u128::from(top) * self.lines.len() as u128) >> 64) as usize
    }

    pub(super) fn insert(&mut self, key: Key) {
        let line = self.line(key);
        let Line(words) = &mut self.lines[line];
        // The low 54 bits: the line was chosen by the top ones.
        let mut bits = key as u64;
        for _ in 0..PROBES {
            words[(bits >> 6) as usize % 8] |= 1 << (bits % 64);
            bits >>= 9;
        }
    }

    /// False: the key was not inserted. True: it probably was.
    #[inline]
    pub(super) fn may_contain(&self, key: Key) -> bool {
        let Line(words) = &self.lines[self.line(key)];
        let mut bits = key as u64;
        let mut all = 1;
        for _ in 0..PROBES {
            all &= words[(bits >> 6) as usize % 8] >> (bits % 64);
            bits >>= 9;
        }
        all & 1 == 1
    }

    /// Reads the line of every key, so that the cache misses overlap.
    pub(super) fn touch(&self, keys: impl Iterator<Item = Key>) {
        let mut sum = 0u64;
        for key in keys {
            sum ^= self.lines[self.line(key)].0[0];
        }
        std::hint::black_box(sum);
    }
}
