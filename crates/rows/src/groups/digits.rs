//! Quick printing of numbers that fit 128 bits: a million bars are written at the end of a file.

use crate::decimal::print::{LEAST_OF_BLOCK, block, digits_in, zeros_after};

/// 10^index.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut index = 1;
    while index < 20 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// Digits of the whole part and of the fraction that `write_scaled` is quick with.
const WHOLE_DIGITS: usize = 24;
const FRACTION_DIGITS: usize = 24;

/// Appends `units` of 10^-`scale` in plain notation without trailing zeros.
#[inline(always)]
pub(crate) fn write_scaled(units: u128, scale: u32, into: &mut Vec<u8>) {
    let Some(&one) = POWERS.get(scale as usize).filter(|_| scale <= 18) else { return write_long(units, scale, into) };
    match u64::try_from(units) {
        Ok(units) => write_parts(units / one, units % one, scale, into),
        Err(_) => {
            let whole = if scale == 18 { by_ten_to_18(units) } else { units / u128::from(one) };
            match u64::try_from(whole) {
                Ok(small) => write_parts(small, (units - whole * u128::from(one)) as u64, scale, into),
                Err(_) => write_long(units, scale, into),
            }
        }
    }
}

/// 10^18 is 2^18 times a number of 42 bits, so that most dividends need 64 bits only.
#[inline]
fn by_ten_to_18(dividend: u128) -> u128 {
    const FIVE_TO_18: u64 = 3_814_697_265_625;
    match u64::try_from(dividend >> 18) {
        Ok(shifted) => (shifted / FIVE_TO_18).into(),
        Err(_) => dividend / u128::from(POWERS[18]),
    }
}

/// Appends `whole`, and `fraction` of 10^`scale` behind a point if there is any. Both are made eight digits at a time,
/// the whole part up to the point, the fraction from it on.
#[inline]
fn write_parts(whole: u64, fraction: u64, scale: u32, into: &mut Vec<u8>) {
    let mut text = [b'0'; WHOLE_DIGITS + 1 + FRACTION_DIGITS];
    let (mut rest, mut start) = (whole, WHOLE_DIGITS);
    loop {
        let values = block(rest % LEAST_OF_BLOCK);
        rest /= LEAST_OF_BLOCK;
        put(&mut text, start - 8, values);
        if rest == 0 {
            start -= digits_in(values);
            break;
        }
        start -= 8;
    }
    let mut end = WHOLE_DIGITS;
    if fraction > 0 {
        text[WHOLE_DIGITS] = b'.';
        // As 24 decimals in three blocks: the first two hold 16, and what is left of 18 goes to the last.
        let (front, back) = match scale {
            0..=16 => (fraction * POWERS[16 - scale as usize], 0),
            _ => (fraction / POWERS[scale as usize - 16], fraction % POWERS[scale as usize - 16]),
        };
        let back = back * POWERS[24 - scale.max(16) as usize];
        for (place, digits) in [front / LEAST_OF_BLOCK, front % LEAST_OF_BLOCK, back].into_iter().enumerate() {
            if digits > 0 {
                let values = block(digits);
                let at = WHOLE_DIGITS + 1 + 8 * place;
                put(&mut text, at, values);
                end = at + 8 - zeros_after(values);
            }
        }
    }
    into.extend_from_slice(&text[start..end]);
}

/// Eight digits as text.
#[inline(always)]
fn put(text: &mut [u8; WHOLE_DIGITS + 1 + FRACTION_DIGITS], at: usize, values: u64) {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
    text[at..at + 8].copy_from_slice(&(values | ZEROS).to_le_bytes());
}

/// Any number at any scale, digit by digit.
#[cold]
fn write_long(units: u128, scale: u32, into: &mut Vec<u8>) {
    let text = format!("{units:0>width$}", width = scale as usize + 1);
    let (whole, fraction) = text.split_at(text.len() - scale as usize);
    let fraction = fraction.trim_end_matches('0');
    into.extend_from_slice(whole.as_bytes());
    if !fraction.is_empty() {
        into.push(b'.');
        into.extend_from_slice(fraction.as_bytes());
    }
}

/// `notional` (units of 1e-18) by `volume` (units of 1e-9) to ten significant digits, half to even, as digits and
/// their scale. `Some(None)`: there is none, the volume is 0. `None`: too wide for this.
pub(super) fn quick_ratio10(notional: u128, volume: u128) -> Option<Option<(u64, u32)>> {
    if volume == 0 {
        return Some(None);
    }
    if notional == 0 {
        return Some(Some((0, 0)));
    }
    // A quotient of ten or eleven digits; of the eleven one is too many.
    let mut shift = 10 + volume.ilog10() as i32 - notional.ilog10() as i32;
    let mut quotient = divided(notional, volume, shift)?;
    if quotient.digits >= 10_000_000_000 {
        shift -= 1;
        quotient = divided(notional, volume, shift)?;
    }
    let twice = quotient.remainder.checked_mul(2)?;
    let up = twice > quotient.divisor || (twice == quotient.divisor && quotient.digits % 2 == 1);
    let digits = u64::try_from(quotient.digits).ok()? + u64::from(up);
    Some(Some((digits, u32::try_from(shift + 9).ok()?)))
}

struct Quotient {
    digits: u128,
    remainder: u128,
    divisor: u128,
}

/// `notional` times 10^`shift` by `volume`.
#[inline]
fn divided(notional: u128, volume: u128, shift: i32) -> Option<Quotient> {
    let factor = 10u128.checked_pow(shift.unsigned_abs())?;
    let (dividend, divisor) = match shift >= 0 {
        true => (notional.checked_mul(factor)?, volume),
        false => (notional, volume.checked_mul(factor)?),
    };
    Some(Quotient { digits: dividend / divisor, remainder: dividend % divisor, divisor })
}

#[cfg(test)]
mod tests {
    use ethnum::I256;
    use proptest::prelude::*;

    use super::*;
    use crate::decimal::{Sum18, ratio10};

    const TEN_TO_18: u128 = 1_000_000_000_000_000_000;

    fn printed(units: u128, scale: u32) -> String {
        let mut text = Vec::new();
        write_scaled(units, scale, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn numbers_are_plain_and_without_trailing_zeros() {
        assert_eq!(printed(0, 9), "0");
        assert_eq!(printed(1, 9), "0.000000001");
        assert_eq!(printed(1_500_000_000, 9), "1.5");
        assert_eq!(printed(12_000_000_000, 9), "12");
        assert_eq!(printed(TEN_TO_18, 0), "1000000000000000000");
        assert_eq!(printed(TEN_TO_18 * TEN_TO_18 + 7, 18), "1000000000000000000.000000000000000007");
        assert_eq!(printed(u128::MAX, 0), u128::MAX.to_string());
    }

    proptest! {
        #[test]
        fn quick_printing_agrees_with_the_plain_way(units: u64, cut in 0u32..64, scale in 0u32..=18) {
            let units = u128::from(units >> cut);
            let mut plain = Vec::new();
            write_long(units, scale, &mut plain);
            prop_assert_eq!(printed(units, scale).into_bytes(), plain);
        }

        #[test]
        fn printing_agrees_with_the_exact_sum(units in any::<i128>().prop_map(|units| units.unsigned_abs() >> 1)) {
            let exact = Sum18::from_units(I256::from(units as i128)).to_string();
            prop_assert_eq!(printed(units, 18), exact);
        }

        #[test]
        fn the_quick_ratio_is_the_exact_one(
            notional in 0u64..u64::MAX, factor in 1u64..1_000_000_000, volume in 0u64..u64::MAX,
        ) {
            let notional = u128::from(notional) * u128::from(factor);
            let exact = ratio10(
                I256::from(notional) * I256::from(TEN_TO_18), I256::from(volume) * I256::from(1_000_000_000u64),
            );
            if let Some(quick) = quick_ratio10(notional, volume.into()) {
                prop_assert_eq!(quick.map(|(digits, scale)| printed(digits.into(), scale)), exact);
            }
        }

        #[test]
        fn ties_go_to_the_even_digit(digits in 1_000_000_000u64..9_999_999_999) {
            let (notional, volume) = ((u128::from(digits) * 2 + 1) * 1_000_000_000, 2_000_000_000u128);
            let even = digits + digits % 2;
            let quick = quick_ratio10(notional, volume).flatten().map(|(digits, scale)| printed(digits.into(), scale));
            prop_assert_eq!(quick, Some(printed(even.into(), 9)));
        }
    }
}
