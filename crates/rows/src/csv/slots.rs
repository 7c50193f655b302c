//! A list of positions that can be written ahead of its end.

use crate::scan::BLOCK;

/// Like a `Vec<u32>`, but with room past its end that may be written before it is known how much of it counts: writing
/// eight positions always and keeping three is faster than writing three.
#[derive(Debug, Default, Clone)]
pub(super) struct Slots {
    slots: Vec<u32>,
    used: usize,
}

impl Slots {
    /// How many count.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Those that count.
    #[inline]
    pub(super) fn as_slice(&self) -> &[u32] {
        &self.slots[..self.used]
    }

    /// Appends one.
    pub(super) fn push(&mut self, value: u32) {
        self.room()[0] = value;
        self.used += 1;
    }

    /// Keeps the first `length`, if there are more.
    pub(super) fn truncate(&mut self, length: usize) {
        self.used = self.used.min(length);
    }

    /// The slots after the last that counts: room for what one block can hold.
    #[inline(always)]
    pub(super) fn room(&mut self) -> &mut [u32; BLOCK] {
        if self.slots.len() - self.used < BLOCK {
            self.grow();
        }
        self.slots[self.used..].first_chunk_mut().expect("just made long enough")
    }

    /// The first `count` of the room count from now on.
    #[inline(always)]
    pub(super) fn advance(&mut self, count: usize) {
        self.used += count;
    }

    /// Doubles, so that a list costs no more than what it once had to hold.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let length = (self.slots.len() * 2).max(self.used + 16 * BLOCK);
        self.slots.resize(length, 0);
    }
}
