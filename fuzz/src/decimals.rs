//! Numbers: the rule, the hot path and a second opinion agree on every text.

use rows::decimal::{Decimal, Notation, NumberFault, Scale, quick, quick_at};

use super::oracle::{Worth, worth};

/// The first byte chooses a notation, the rest is the text.
pub fn decimals(data: &[u8]) {
    let Some((&choice, text)) = data.split_first() else { return };
    let exponent = choice & 1 != 0;
    let plain = Notation { exponent, ..Notation::default() };
    let read = plain.parse(text);
    check_quick(text, read);
    if let Ok(number) = read {
        let shown = number.to_string();
        assert_eq!(plain.parse(shown.as_bytes()), Ok(number), "{shown}");
        assert_eq!(number.nano().map(Decimal::from_nano).unwrap_or(number), number);
    }
    // The oracle reads digits one by one and takes zeros off the front, which long texts make slow.
    if text.len() > 2000 {
        return;
    }
    match std::str::from_utf8(text) {
        Ok(text) => {
            assert_eq!(told(read), worth(text, exponent, 1, 0), "{text:?}");
            check_marks(text, choice);
            check_product(text);
            check_scaled(text, exponent);
        }
        Err(_) => assert_eq!(read, Err(NumberFault::Invalid)),
    }
}

/// The hot path knows some texts, and what it says of them is what the rule says.
fn check_quick(text: &[u8], read: Result<Decimal, NumberFault>) {
    let hot = quick(text);
    if let Some(nano) = hot {
        assert_eq!(read, Ok(Decimal::from_nano(nano)), "{text:?}");
    }
    for (before, after) in [(0, 0), (1, 16), (3, 5)] {
        let buffer = [&vec![b'7'; before], text, &vec![b'3'; after]].concat();
        let found = quick_at(&buffer, before, before + text.len());
        if let Some(nano) = found {
            assert_eq!(read, Ok(Decimal::from_nano(nano)), "{text:?} between {before} and {after} bytes");
        }
    }
    assert_eq!(quick_at(text, text.len() + 1, text.len()), None);
}

/// Marks that are dropped or replaced leave the text that the plain rule reads.
fn check_marks(text: &str, choice: u8) {
    let notation = Notation {
        exponent: choice & 1 != 0,
        plus: choice & 2 != 0,
        decimal: if choice & 4 != 0 { ',' } else { '.' },
        thousands: (choice & 8 != 0).then_some(if choice & 4 != 0 { '.' } else { ',' }),
        strip: if choice & 16 != 0 { "€$ ".into() } else { String::new() },
        scale: None,
    };
    let mut kept: String =
        text.chars().filter(|mark| Some(*mark) != notation.thousands && !notation.strip.contains(*mark)).collect();
    if notation.decimal == ',' {
        kept = kept.replace(',', ".");
    }
    if notation.plus {
        kept = kept.strip_prefix('+').map(str::to_owned).unwrap_or(kept);
    }
    assert_eq!(told(notation.parse(text.as_bytes())), worth(&kept, notation.exponent, 1, 0), "{text:?} {notation:?}");
}

/// `text` as `factor number`: the number scaled by it.
fn check_scaled(text: &str, exponent: bool) {
    let Some((scale_text, number)) = text.split_once(' ') else { return };
    let Ok(scale) = Scale::parse(scale_text) else { return };
    let (mantissa, power) = scale_text.split_once(['e', 'E']).unwrap_or((scale_text, "0"));
    let (whole, fraction) = mantissa.trim_start_matches('-').split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let digits = digits.trim_start_matches('0');
    let factor = digits.trim_end_matches('0');
    let dropped = (digits.len() - factor.len()) as i64;
    let factor: u32 = factor.parse().expect("a scale has at most nine digits");
    let power: i64 = power.trim_start_matches('+').parse().expect("a scale is a number");
    let notation = Notation { exponent, scale: Some(scale), ..Notation::default() };
    let sign = if scale_text.starts_with('-') { -1 } else { 1 };
    let expected = match worth(number, exponent, factor, power + dropped - fraction.len() as i64) {
        Worth::Units(units) => Worth::Units(units * sign),
        fault => fault,
    };
    assert_eq!(told(notation.parse(number.as_bytes())), expected, "{number:?} times {scale_text:?}");
}

/// `text` as `left*right`: the product is exact or refused.
fn check_product(text: &str) {
    let Some((left, right)) = text.split_once('*') else { return };
    let notation = Notation::default();
    let (Ok(left), Ok(right)) = (notation.parse(left.as_bytes()), notation.parse(right.as_bytes())) else { return };
    let product = left.checked_mul(right);
    assert_eq!(product, right.checked_mul(left));
    assert_eq!(product.map(Decimal::negated), left.negated().checked_mul(right));
    if let (Ok(product), Some(narrow)) = (product, left.units().checked_mul(right.units())) {
        assert_eq!(product.units() * 1_000_000_000_000_000_000, narrow, "{left} * {right}");
    }
}

fn told(read: Result<Decimal, NumberFault>) -> Worth {
    match read {
        Ok(number) => Worth::Units(number.units()),
        Err(NumberFault::Missing) => Worth::Missing,
        Err(NumberFault::Invalid) => Worth::Invalid,
        Err(NumberFault::OutOfRange) => Worth::OutOfRange,
        Err(NumberFault::TooManyDecimals) => Worth::TooManyDecimals,
    }
}
