//! Numbers in as few bytes as they need, and bytes being taken from the front. What is taken may have been damaged:
//! nothing here panics.

/// Bytes being taken from the front.
pub(crate) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub fn slice(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(head)
    }

    /// What `put` wrote; None when it does not fit.
    #[inline]
    pub fn number(&mut self) -> Option<u64> {
        if let [byte @ 0..=127, rest @ ..] = self.0 {
            self.0 = rest;
            return Some((*byte).into());
        }
        u64::try_from(self.wide_number()?).ok()
    }

    /// What `put_wide` wrote.
    pub fn wide_number(&mut self) -> Option<u128> {
        let mut number = 0u128;
        for (index, byte) in self.0.iter().enumerate().take(WIDE_BYTES_MAX) {
            let (bits, shift) = (u128::from(byte & 0x7F), 7 * index as u32);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if *byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Some(number);
            }
        }
        None
    }

    pub fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn wide_signed(&mut self) -> Option<i128> {
        let number = self.wide_number()?;
        Some((number >> 1) as i128 ^ -((number & 1) as i128))
    }
}

/// Bytes of the longest number of 128 bits.
const WIDE_BYTES_MAX: usize = 19;

/// Appends seven bits a byte, the lowest first.
#[inline]
pub(crate) fn put(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// The same; what fits 64 bits takes the same bytes.
pub(crate) fn put_wide(mut number: u128, into: &mut Vec<u8>) {
    while number > u128::from(u64::MAX) {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    put(number as u64, into);
}

/// Numbers near 0 are short, whatever their sign.
pub(crate) fn put_signed(number: i64, into: &mut Vec<u8>) {
    put(((number << 1) ^ (number >> 63)) as u64, into);
}

/// The same for 128 bits.
pub(crate) fn put_wide_signed(number: i128, into: &mut Vec<u8>) {
    put_wide(((number << 1) ^ (number >> 127)) as u128, into);
}

/// The largest power of ten, at most 10^9, that all of `numbers` are multiples of, as its exponent.
#[inline]
pub(super) fn common_zeros<const N: usize>(numbers: [i64; N]) -> u8 {
    let mut zeros = ZEROS_MAX;
    for number in numbers {
        while number % power(zeros) != 0 {
            zeros -= 1;
        }
    }
    zeros
}

/// More than the nine decimals of 1e-9 are seldom all zero.
pub(super) const ZEROS_MAX: u8 = 9;

/// 10^`zeros`, up to 10^18.
#[inline]
pub(super) const fn power(zeros: u8) -> i64 {
    const POWERS: [i64; 19] = {
        let mut powers = [1; 19];
        let mut index = 1;
        while index < 19 {
            powers[index] = powers[index - 1] * 10;
            index += 1;
        }
        powers
    };
    POWERS[if zeros < 18 { zeros as usize } else { 18 }]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(number: i128, cut in 0u32..128, rest: [u8; 3]) {
            let number = number >> cut;
            let mut bytes = Vec::new();
            put_wide_signed(number, &mut bytes);
            put_wide(number as u128, &mut bytes);
            put_signed(number as i64, &mut bytes);
            put(number as u64, &mut bytes);
            bytes.extend_from_slice(&rest);
            let mut taken = Bytes(&bytes);
            prop_assert_eq!(taken.wide_signed(), Some(number));
            prop_assert_eq!(taken.wide_number(), Some(number as u128));
            prop_assert_eq!(taken.signed(), Some(number as i64));
            prop_assert_eq!(taken.number(), Some(number as u64));
            prop_assert_eq!(taken.slice(3), Some(&rest[..]));
            prop_assert!(taken.number().is_none() && taken.slice(1).is_none());
        }

        #[test]
        fn any_bytes_are_a_number_or_none(bytes: Vec<u8>) {
            for taken in [Bytes(&bytes).wide_number(), Bytes(&bytes).number().map(u128::from)].into_iter().flatten() {
                let mut again = Vec::new();
                put_wide(taken, &mut again);
                prop_assert_eq!(Bytes(&again).wide_number(), Some(taken));
            }
        }

        #[test]
        fn zeros_are_those_that_all_have(numbers: [i32; 3], zeros in 0u8..=9) {
            let numbers = numbers.map(|number| i64::from(number) * power(zeros));
            let common = common_zeros(numbers);
            prop_assert!(common >= zeros);
            prop_assert!(numbers.iter().all(|number| number % power(common) == 0));
            prop_assert!(common == ZEROS_MAX || numbers.iter().any(|number| number % power(common + 1) != 0));
        }
    }
}
