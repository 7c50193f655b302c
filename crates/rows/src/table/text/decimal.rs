//! The text of a decimal: an integer of up to 256 bits and a scale, printed exactly.

use ethnum::U256;

/// Largest scale that is printed, either way: more than any decimal of 256 bits can have.
pub(in crate::table) const SCALE_MAX: i32 = 128;

/// Digits that fit 64 bits, taken off a larger number at a time.
const CHUNK: u64 = 1_000_000_000_000_000_000;
const CHUNK_DIGITS: usize = 18;
const DIGITS_MAX: usize = 80;

/// Appends the decimal in `raw` (two's complement), with as many fractional digits as its scale says.
/// `None` if it does not fit 256 bits.
pub(super) fn push(raw: &[u8], scale: i32, big_endian: bool, out: &mut Vec<u8>) -> Option<()> {
    let (negative, magnitude) = magnitude(raw, big_endian)?;
    let mut buffer = [b'0'; DIGITS_MAX];
    let digits = match u128::try_from(magnitude) {
        Ok(small) => small_digits(small, &mut buffer),
        Err(_) => large_digits(magnitude, &mut buffer),
    };
    if negative {
        out.push(b'-');
    }
    let zeros = [b'0'; SCALE_MAX as usize];
    let scale_digits = scale.unsigned_abs().min(SCALE_MAX as u32) as usize;
    if scale <= 0 {
        out.extend_from_slice(digits);
        if magnitude != U256::ZERO {
            out.extend_from_slice(&zeros[..scale_digits]);
        }
        return Some(());
    }
    let whole = digits.len().saturating_sub(scale_digits);
    out.extend_from_slice(if whole == 0 { b"0" } else { &digits[..whole] });
    out.push(b'.');
    out.extend_from_slice(&zeros[..scale_digits.saturating_sub(digits.len())]);
    out.extend_from_slice(&digits[whole..]);
    Some(())
}

/// Sign and absolute value. Bytes above the 32nd may only repeat the sign.
fn magnitude(raw: &[u8], big_endian: bool) -> Option<(bool, U256)> {
    let from_low = |index: usize| if big_endian { raw[raw.len() - 1 - index] } else { raw[index] };
    let negative = !raw.is_empty() && from_low(raw.len() - 1) >= 0x80;
    let sign = if negative { 0xff } else { 0 };
    let mut wide = [sign; 32];
    for (index, byte) in wide.iter_mut().enumerate().take(raw.len()) {
        *byte = from_low(index);
    }
    let repeats = (32..raw.len()).all(|index| from_low(index) == sign) && (wide[31] >= 0x80) == negative;
    let value = U256::from_le_bytes(wide);
    let value = if negative { value.wrapping_neg() } else { value };
    repeats.then_some((negative, value))
}

fn small_digits(mut value: u128, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut start = buffer.len();
    while value >= u128::from(CHUNK) {
        start = chunk_digits((value % u128::from(CHUNK)) as u64, buffer, start);
        value /= u128::from(CHUNK);
    }
    first_digits(value as u64, buffer, start)
}

fn large_digits(mut value: U256, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let chunk = U256::from(CHUNK);
    let mut start = buffer.len();
    while value >= chunk {
        start = chunk_digits((value % chunk).as_u64(), buffer, start);
        value /= chunk;
    }
    first_digits(value.as_u64(), buffer, start)
}

/// Writes all 18 digits of a lower part before `end`; answers where they begin.
fn chunk_digits(mut value: u64, buffer: &mut [u8; DIGITS_MAX], end: usize) -> usize {
    for digit in buffer[end - CHUNK_DIGITS..end].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    end - CHUNK_DIGITS
}

/// Writes the highest part before `end`, without leading zeros; answers all digits.
fn first_digits(mut value: u64, buffer: &mut [u8; DIGITS_MAX], end: usize) -> &[u8] {
    let mut start = end;
    loop {
        start -= 1;
        buffer[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &buffer[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use ethnum::I256;
    use proptest::prelude::*;

    use super::*;

    fn text(raw: &[u8], scale: i32, big_endian: bool) -> String {
        let mut out = Vec::new();
        push(raw, scale, big_endian, &mut out).expect("a decimal");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_scale_places_the_point() {
        let cases =
            [(12345, 2, "123.45"), (-5, 2, "-0.05"), (0, 3, "0.000"), (100, 2, "1.00"), (7, -3, "7000"), (0, -3, "0")];
        for (value, scale, expected) in cases {
            assert_eq!(text(&i32::to_le_bytes(value), scale, false), expected);
            assert_eq!(text(&i32::to_be_bytes(value), scale, true), expected);
        }
        assert_eq!(text(&[], 0, true), "0");
    }

    #[test]
    fn any_number_of_bytes_that_fits() {
        let mut long = vec![0xff; 40];
        assert_eq!(text(&long, 0, true), "-1");
        long[0] = 0;
        assert_eq!(push(&long, 0, true, &mut Vec::new()), None);
        let mut unsigned = vec![0; 33];
        unsigned[1] = 0x80;
        assert_eq!(push(&unsigned, 0, true, &mut Vec::new()), None);
        assert_eq!(text(&I256::MIN.to_le_bytes(), 0, false), I256::MIN.to_string());
        assert_eq!(text(&I256::MAX.to_be_bytes(), 0, true), I256::MAX.to_string());
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_integer(value: i128, shift in 0u32..127) {
            let value = value >> shift;
            prop_assert_eq!(text(&value.to_le_bytes(), 0, false), value.to_string());
            let wide = I256::from(value) * I256::from(1_000_000_007u64);
            prop_assert_eq!(text(&wide.to_be_bytes(), 0, true), wide.to_string());
        }
    }
}
