//! A blocked Bloom filter: says for sure that a key is not in a run, at the price of one cache line.

use super::table::{KEY_BITS, Key};

/// Bits of filter per key; about one key in 150 that is not in the run passes nevertheless.
const BITS_PER_KEY: usize = 12;
const LINE_BITS: usize = 512;
const PROBES: u32 = 6;

/// One cache line of the filter; a key sets and reads bits of one line only.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Line([u64; LINE_BITS / 64]);

/// Bytes of a line.
pub(crate) const LINE_BYTES: usize = LINE_BITS / 8;

impl Line {
    pub(crate) fn insert(&mut self, key: Key) {
        let Line(words) = self;
        // The low 54 bits: the line was chosen by the top ones.
        let mut bits = key as u64;
        for _ in 0..PROBES {
            words[(bits >> 6) as usize % 8] |= 1 << (bits % 64);
            bits >>= 9;
        }
    }

    #[inline]
    pub(crate) fn may_contain(&self, key: Key) -> bool {
        let Line(words) = self;
        let mut bits = key as u64;
        let mut all = 1;
        for _ in 0..PROBES {
            all &= words[(bits >> 6) as usize % 8] >> (bits % 64);
            bits >>= 9;
        }
        all & 1 == 1
    }

    pub(crate) fn to_bytes(self) -> [u8; LINE_BYTES] {
        let mut bytes = [0; LINE_BYTES];
        for (word, into) in self.0.iter().zip(bytes.as_chunks_mut::<8>().0) {
            *into = word.to_le_bytes();
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; LINE_BYTES]) -> Self {
        let mut line = Line::default();
        for (word, from) in line.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*from);
        }
        line
    }
}

/// How many lines a filter for `keys` keys has.
pub(crate) fn lines_for(keys: usize) -> usize {
    keys.saturating_mul(BITS_PER_KEY).div_ceil(LINE_BITS).max(1)
}

/// Which of `lines` lines is that of a key. It grows with the key: filling a filter in key order walks through memory.
#[inline]
pub(crate) fn line_of(key: Key, lines: usize) -> usize {
    let top = (key >> (KEY_BITS - 64)) as u64;
    ((u128::from(top) * lines as u128) >> 64) as usize
}

#[derive(Debug)]
pub(crate) struct Filter {
    lines: Vec<Line>,
}

impl Filter {
    /// A filter for `keys` keys.
    pub(super) fn new(keys: usize) -> Self {
        Self::of(vec![Line::default(); lines_for(keys)])
    }

    /// A filter of these lines, of which there is at least one.
    pub(crate) fn of(lines: Vec<Line>) -> Self {
        Self { lines }
    }

    /// Bytes of a filter for `keys` keys.
    pub(super) fn bytes(keys: usize) -> usize {
        lines_for(keys).saturating_mul(size_of::<Line>())
    }

    pub(super) fn insert(&mut self, key: Key) {
        let line = line_of(key, self.lines.len());
        self.lines[line].insert(key);
    }

    /// False: the key was not inserted. True: it probably was.
    #[inline]
    pub(crate) fn may_contain(&self, key: Key) -> bool {
        self.lines[line_of(key, self.lines.len())].may_contain(key)
    }

    /// Reads the line of every key, so that the cache misses overlap.
    pub(crate) fn touch(&self, keys: impl Iterator<Item = Key>) {
        let mut sum = 0u64;
        for key in keys {
            sum ^= self.lines[line_of(key, self.lines.len())].0[0];
        }
        std::hint::black_box(sum);
    }
}
