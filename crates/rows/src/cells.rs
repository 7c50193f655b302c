//! The values of one row, by slot: a slot is one column (or JSON path) that the contract reads.
//!
//! Most values are spans of the input; one that had to be unescaped, decoded or printed lives in the arena.

const OWNED: u32 = 1 << 31;

/// The values of one row, reused from row to row.
#[derive(Debug, Default, Clone)]
pub struct Cells {
    spans: Vec<(u32, u32)>,
    arena: Vec<u8>,
}

impl Cells {
    /// Forgets the values, keeps the memory.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.arena.clear();
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Sets the number of values; new ones are empty.
    pub fn resize(&mut self, slots: usize) {
        self.spans.resize(slots, (0, 0));
    }

    /// The next value is `input[start..end]`.
    #[inline]
    pub fn push_span(&mut self, start: usize, end: usize) {
        self.spans.push((start as u32, end as u32));
    }

    /// The next value is a copy of `value`.
    pub fn push_owned(&mut self, value: &[u8]) {
        let span = self.keep(value);
        self.spans.push(span);
    }

    /// Slot `slot` is `input[start..end]`.
    #[inline]
    pub fn set_span(&mut self, slot: usize, start: usize, end: usize) {
        self.spans[slot] = (start as u32, end as u32);
    }

    /// Slot `slot` is a copy of `value`.
    pub fn set_owned(&mut self, slot: usize, value: &[u8]) {
        self.spans[slot] = self.keep(value);
    }

    /// Where the value of `slot` stands in the input, if it does so as it is.
    #[inline]
    pub fn span(&self, slot: usize) -> Option<(usize, usize)> {
        let (start, end) = self.spans[slot];
        (start & OWNED == 0).then_some((start as usize, end as usize))
    }

    /// The value of `slot`, given the same input that the spans were made for.
    #[inline]
    pub fn get<'a>(&'a self, slot: usize, input: &'a [u8]) -> &'a [u8] {
        let (start, end) = self.spans[slot];
        if start & OWNED == 0 {
            &input[start as usize..end as usize]
        } else {
            &self.arena[(start ^ OWNED) as usize..end as usize]
        }
    }

    fn keep(&mut self, value: &[u8]) -> (u32, u32) {
        let start = self.arena.len();
        self.arena.extend_from_slice(value);
        (start as u32 | OWNED, self.arena.len() as u32)
    }
}
