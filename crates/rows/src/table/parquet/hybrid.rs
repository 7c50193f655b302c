//! Runs and bit-packed groups, mixed: how Parquet writes levels, dictionary indices and some booleans.

use crate::table::file::Fault;

/// A place in such a sequence of small numbers. The bytes are given anew with every call.
#[derive(Debug, Clone)]
pub(crate) struct Hybrid {
    width: u32,
    at: usize,
    /// Repetitions of `value` left.
    run: u64,
    value: u32,
    /// Packed values left, and the bit where the next begins.
    packed: u64,
    bit_at: u64,
}

impl Hybrid {
    /// Numbers of `width` bits, from `at`.
    pub(crate) fn new(at: usize, width: u32) -> Result<Self, Fault> {
        if width > 32 {
            return Err(Fault("numbers of more than 32 bits in a run"));
        }
        Ok(Self { width, at, run: 0, value: 0, packed: 0, bit_at: 0 })
    }

    #[inline]
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<u32, Fault> {
        loop {
            if self.run > 0 {
                self.run -= 1;
                return Ok(self.value);
            }
            if self.packed > 0 {
                let value = bits(bytes, self.bit_at, self.width).ok_or(Fault("a run of packed numbers ends early"))?;
                self.packed -= 1;
                self.bit_at += u64::from(self.width);
                return Ok(value as u32);
            }
            self.begin(bytes)?;
        }
    }

    /// Begins the next run. An empty one still takes a byte, so that the search for one with values ends.
    fn begin(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let header = varint(bytes, &mut self.at)?;
        if header & 1 == 1 {
            let groups = (header >> 1).min(u64::from(u32::MAX));
            self.packed = groups * 8;
            self.bit_at = self.at as u64 * 8;
            // The last group may be cut short by the end of the page.
            let length = usize::try_from(groups * u64::from(self.width)).unwrap_or(usize::MAX);
            self.at = self.at.saturating_add(length).min(bytes.len());
        } else {
            let width = self.width.div_ceil(8) as usize;
            let raw = bytes.get(self.at..).and_then(|rest| rest.get(..width)).ok_or(Fault("a run ends early"))?;
            let mut value = [0; 4];
            value[..width].copy_from_slice(raw);
            self.value = u32::from_le_bytes(value);
            self.run = header >> 1;
            self.at += width;
        }
        Ok(())
    }
}

/// The `width` bits (at most 64) that begin at bit `bit_at`, lowest first.
#[inline]
pub(crate) fn bits(bytes: &[u8], bit_at: u64, width: u32) -> Option<u64> {
    if width == 0 {
        return Some(0);
    }
    let first = usize::try_from(bit_at / 8).ok()?;
    let shift = (bit_at % 8) as u32;
    let rest = bytes.get(first..)?;
    let wide = match rest.first_chunk::<16>() {
        Some(wide) => u128::from_le_bytes(*wide),
        None => {
            let needed = (shift + width).div_ceil(8) as usize;
            let mut wide = [0; 16];
            wide[..needed].copy_from_slice(rest.get(..needed)?);
            u128::from_le_bytes(wide)
        }
    };
    Some((wide >> shift) as u64 & (u64::MAX >> (64 - width)))
}

/// A number of 7 bits a byte, lowest first.
pub(crate) fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Fault> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(Fault("the page ends inside a number"))?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Fault("a number of more than 64 bits"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_and_packed_groups() {
        // Five times 3, then eight numbers of 3 bits (0 to 7, from the format's description).
        let bytes = [10, 3, 3, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        let mut hybrid = Hybrid::new(0, 3).expect("a width");
        let values: Vec<u32> = (0..13).map(|_| hybrid.next(&bytes).expect("a value")).collect();
        assert_eq!(values, [3, 3, 3, 3, 3, 0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(hybrid.next(&bytes).is_err());
        assert!(Hybrid::new(0, 33).is_err());
    }

    #[test]
    fn a_packed_group_may_be_cut_short() {
        let bytes = [3, 0b1000_1000];
        let mut hybrid = Hybrid::new(0, 4).expect("a width");
        assert_eq!((hybrid.next(&bytes), hybrid.next(&bytes)), (Ok(8), Ok(8)));
        assert!(hybrid.next(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_values_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..50), width in 0u32..33) {
            let mut hybrid = Hybrid::new(0, width).expect("a width");
            for _ in 0..1000 {
                match hybrid.next(&bytes) {
                    Ok(value) => prop_assert!(u64::from(value) < 1 << (width.div_ceil(8) * 8)),
                    Err(_) => break,
                }
            }
        }

        #[test]
        fn bits_are_those_of_the_number(value: u64, shift in 0u32..8, width in 1u32..65) {
            let value = value & (u64::MAX >> (64 - width));
            let bytes = (u128::from(value) << shift).to_le_bytes();
            let needed = (shift + width).div_ceil(8) as usize;
            prop_assert_eq!(bits(&bytes, u64::from(shift), width), Some(value));
            prop_assert_eq!(bits(&bytes[..needed], u64::from(shift), width), Some(value));
            prop_assert_eq!(bits(&bytes[..needed - 1], u64::from(shift), width), None);
        }
    }
}
