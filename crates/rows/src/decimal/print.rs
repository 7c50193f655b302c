//! Numbers as digits, eight at a time: the opposite of `quick`.

/// The first number that does not fit a block of eight digits.
pub(crate) const LEAST_OF_BLOCK: u64 = 100_000_000;

/// The eight digits of a number below `LEAST_OF_BLOCK`, zeros in front, as bytes of 0 to 9; the first and most
/// significant in the lowest byte.
#[inline(always)]
pub(crate) fn block(number: u64) -> u64 {
    // Two lanes of four digits, then four of two, then eight of one. Products by a reciprocal stand for divisions.
    let (first, second) = (number / 10_000, number % 10_000);
    let fours = first | second << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | (twos - tens * 10) << 8
}

/// How many digits of a block count, when zeros in front do not; at least one.
#[inline(always)]
pub(crate) fn digits_in(block: u64) -> usize {
    8 - (block.trailing_zeros() as usize / 8).min(7)
}

/// How many zeros a block that is not 0 ends in.
#[inline(always)]
pub(crate) fn zeros_after(block: u64) -> usize {
    block.leading_zeros() as usize / 8
}

/// Two digits as text; the number must be below 100.
#[inline(always)]
pub(crate) fn two_digits(number: u64) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_and_every_place_is_right() {
        let mut number = 0;
        while number < LEAST_OF_BLOCK {
            let digits: String = block(number).to_le_bytes().iter().map(|digit| char::from(b'0' + digit)).collect();
            assert_eq!(digits, format!("{number:08}"));
            assert_eq!(digits_in(block(number)), number.to_string().len());
            if number > 0 {
                assert_eq!(zeros_after(block(number)), digits.len() - digits.trim_end_matches('0').len());
            }
            // Steps that meet every value of each half, and all zeros in front and behind.
            number += if number < 20_000 || number % 10_000 == 0 { 1 } else { 4_999 };
        }
    }
}
