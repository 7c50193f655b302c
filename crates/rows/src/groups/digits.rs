//! Quick printing of numbers that fit 128 bits: a million bars are written at the end of a file.

const TEN_TO_18: u128 = 1_000_000_000_000_000_000;

/// Appends `units` of 10^-`scale` in plain notation without trailing zeros.
pub(super) fn write_scaled(units: u128, scale: u32, into: &mut Vec<u8>) {
    let mut text = [b'0'; 64];
    let mut at = text.len();
    let mut rest = units;
    // Eighteen digits at a time fit 64 bits, where dividing is cheap.
    while rest >= TEN_TO_18 {
        let high = by_ten_to_18(rest);
        let mut low = (rest - high * TEN_TO_18) as u64;
        rest = high;
        for _ in 0..18 {
            at -= 1;
            text[at] = b'0' + (low % 10) as u8;
            low /= 10;
        }
    }
    let mut low = rest as u64;
    while low > 0 {
        at -= 1;
        text[at] = b'0' + (low % 10) as u8;
        low /= 10;
    }
    let point = text.len() - scale as usize;
    let mut end = text.len();
    while end > point && text[end - 1] == b'0' {
        end -= 1;
    }
    into.extend_from_slice(if at >= point { b"0" } else { &text[at..point] });
    if end > point {
        into.push(b'.');
        into.extend_from_slice(&text[point..end]);
    }
}

/// 10^18 is 2^18 times a number of 42 bits, so that most dividends need 64 bits only.
#[inline]
fn by_ten_to_18(dividend: u128) -> u128 {
    const FIVE_TO_18: u64 = 3_814_697_265_625;
    match u64::try_from(dividend >> 18) {
        Ok(shifted) => (shifted / FIVE_TO_18).into(),
        Err(_) => dividend / TEN_TO_18,
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
