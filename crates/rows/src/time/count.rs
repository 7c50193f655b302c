//! Times written as a count: since 1970, since midnight, since an origin.

use super::{END, FIRST, SECOND, TimeFault, in_range};
use crate::decimal::quick::{eight_digits, not_digits};

/// What a count counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl Unit {
    /// How many nanoseconds it has, as a power of ten.
    const fn places(self) -> u32 {
        match self {
            Unit::S => 9,
            Unit::Ms => 6,
            Unit::Us => 3,
            Unit::Ns => 0,
        }
    }

    const fn nanoseconds(self) -> i64 {
        10i64.pow(self.places())
    }
}

/// A count since 1970: `-?digits[.digits]`, floored to the nanosecond.
pub(super) fn epoch(text: &[u8], unit: Unit) -> Result<i64, TimeFault> {
    let (negative, size) = match text {
        [b'-', size @ ..] => (true, size),
        _ => (false, text),
    };
    let (count, more) = nanoseconds(size, unit)?;
    in_range(if negative { -count - i128::from(more) } else { count })
}

/// A count since an instant: `digits[.digits]`, floored to the nanosecond.
pub(super) fn since(text: &[u8], unit: Unit, origin: i64) -> Result<i64, TimeFault> {
    let (count, _) = nanoseconds(text, unit)?;
    in_range(count + i128::from(origin))
}

/// Whole hours since an instant.
pub(super) fn hours_since(text: &[u8], origin: i64) -> Result<i64, TimeFault> {
    if text.contains(&b'.') {
        return Err(TimeFault::Invalid);
    }
    let (count, _) = nanoseconds(text, Unit::S)?;
    in_range(count * 3600 + i128::from(origin))
}

/// The nanoseconds in `digits[.digits]`, and whether something smaller was left out. Counts far past any legal
/// instant stop growing.
fn nanoseconds(text: &[u8], unit: Unit) -> Result<(i128, bool), TimeFault> {
    const ENOUGH: i128 = 10i128.pow(24);
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &text[..0]),
    };
    let all_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    if !all_digits || whole.is_empty() || (point.is_some() && fraction.is_empty()) {
        return Err(TimeFault::Invalid);
    }
    let places = unit.places() as usize;
    let (kept, rest) = fraction.split_at(fraction.len().min(places));
    let mut count: i128 = 0;
    for &digit in whole {
        count = (count * 10 + i128::from(digit - b'0')).min(ENOUGH);
    }
    for place in 0..places {
        count = count * 10 + kept.get(place).map_or(0, |digit| i128::from(digit - b'0'));
    }
    Ok((count, rest.iter().any(|&digit| digit != b'0')))
}

/// The hot path of counts since 1970: up to 19 digits and nothing else. `None` only means that the rule must be asked.
#[inline]
pub fn quick_epoch(text: &[u8], unit: Unit) -> Option<i64> {
    let count = match text.len() {
        8..=16 => sixteen(text)?,
        17..=19 => {
            let (front, back) = text.split_at(text.len() - 16);
            few(front)?.checked_mul(10_000_000_000_000_000)?.checked_add(sixteen(back)?)?
        }
        1..=7 => few(text)?,
        _ => return None,
    };
    let nanoseconds = count.checked_mul(unit.nanoseconds())?;
    (FIRST..END).contains(&nanoseconds).then_some(nanoseconds)
}

/// 8 to 16 digits: the last eight, and those of the first eight that are not among them.
#[inline]
fn sixteen(text: &[u8]) -> Option<i64> {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
    let first = u64::from_le_bytes(*text.first_chunk::<8>()?) ^ ZEROS;
    let last = u64::from_le_bytes(*text.last_chunk::<8>()?) ^ ZEROS;
    if (not_digits(first) | not_digits(last)) != 0 {
        return None;
    }
    let shared = 8 * (16 - text.len() as u32);
    let front = first.checked_shl(shared).unwrap_or(0);
    Some((eight_digits(front) * 100_000_000 + eight_digits(last)) as i64)
}

/// Up to seven digits.
#[inline]
fn few(text: &[u8]) -> Option<i64> {
    let mut number = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(number)
}

const _: () = assert!(Unit::S.nanoseconds() == SECOND);
