//! Integers as differences, bit-packed in small blocks: Parquet's `DELTA_BINARY_PACKED`.

use super::hybrid::{bits, varint};
use crate::table::file::Fault;

/// A place in such a sequence. The bytes are given anew with every call.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    at: usize,
    blocks_minis: usize,
    mini_values: u64,
    /// Values left, the one in `last` included as long as `first`.
    left: u64,
    first: bool,
    last: i64,
    smallest: i64,
    /// Where the widths of the current block are, and which is next.
    widths_at: usize,
    mini: usize,
    /// Of the current miniblock: values left, their width, the next one's bit.
    mini_left: u64,
    width: u32,
    bit_at: u64,
}

/// Values in a block. Writers use 128.
const BLOCK_MAX: u64 = 1 << 24;

impl Delta {
    /// Reads the sequence's header at `at`.
    pub(super) fn new(bytes: &[u8], mut at: usize) -> Result<Self, Fault> {
        let block = varint(bytes, &mut at)?;
        let minis = varint(bytes, &mut at)?;
        let left = varint(bytes, &mut at)?;
        let last = zigzag(varint(bytes, &mut at)?);
        if block > BLOCK_MAX || minis == 0 || block == 0 || block % minis != 0 || (block / minis) % 8 != 0 {
            return Err(Fault("differences in blocks of an impossible size"));
        }
        Ok(Self {
            at,
            blocks_minis: minis as usize,
            mini_values: block / minis,
            left,
            first: true,
            last,
            smallest: 0,
            widths_at: 0,
            mini: minis as usize,
            mini_left: 0,
            width: 0,
            bit_at: 0,
        })
    }

    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<i64, Fault> {
        self.left = self.left.checked_sub(1).ok_or(Fault("there are fewer values than rows"))?;
        if self.first {
            self.first = false;
            return Ok(self.last);
        }
        if self.mini_left == 0 {
            self.begin(bytes)?;
        }
        let difference = bits(bytes, self.bit_at, self.width).ok_or(Fault("a block of differences ends early"))?;
        self.mini_left -= 1;
        self.bit_at += u64::from(self.width);
        self.last = self.last.wrapping_add(self.smallest).wrapping_add(difference as i64);
        Ok(self.last)
    }

    /// Where the sequence ends, by passing over its blocks.
    pub(super) fn end(mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut left = self.left.saturating_sub(1);
        while left > 0 {
            self.begin(bytes)?;
            left = left.saturating_sub(self.mini_values);
        }
        Ok(self.at)
    }

    /// Begins the next miniblock, and the next block if there is no other in this one.
    fn begin(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.mini == self.blocks_minis {
            self.smallest = zigzag(varint(bytes, &mut self.at)?);
            self.widths_at = self.at;
            self.at = self.at.saturating_add(self.blocks_minis);
            self.mini = 0;
        }
        let width = *bytes.get(self.widths_at + self.mini).ok_or(Fault("the page ends inside a block"))?;
        self.width = u32::from(width);
        if self.width > 64 {
            return Err(Fault("differences of more than 64 bits"));
        }
        let length = self.mini_values / 8 * u64::from(width);
        self.bit_at = self.at as u64 * 8;
        // The last miniblock may be cut short by the end of the page.
        self.at = self.at.saturating_add(length as usize).min(bytes.len());
        self.mini += 1;
        self.mini_left = self.mini_values;
        Ok(())
    }
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_format() {
        // 7, 5, 3, 1, 2, 3, 4, 5: first value 7, then differences -2 -2 -2 1 1 1 1, smallest -2, two bits each.
        let bytes = [0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0, 99];
        let mut delta = Delta::new(&bytes, 0).expect("a header");
        assert_eq!(delta.clone().end(&bytes), Ok(bytes.len() - 1));
        let values: Vec<i64> = (0..8).map(|_| delta.next(&bytes).expect("a value")).collect();
        assert_eq!(values, [7, 5, 3, 1, 2, 3, 4, 5]);
        assert!(delta.next(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_values_or_a_fault(mut bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            bytes.splice(0..0, [0x80, 1, 4, 0xff, 0x7f]);
            if let Ok(mut delta) = Delta::new(&bytes, 0) {
                if let Ok(end) = delta.clone().end(&bytes) {
                    prop_assert!(end >= 5);
                }
                let values = std::iter::from_fn(|| delta.next(&bytes).ok()).count();
                prop_assert!(values as u64 <= 0x3fff);
            }
        }
    }
}
