//! The hot path of numbers: `-?digits[.digits]` with at most 9 decimals, eight digits at a time.
//!
//! `None` never means that a number is bad, only that `Notation::parse` must be asked.

/// Eight times the digit zero.
const ZEROS: u64 = 0x3030_3030_3030_3030;
/// What a decimal point becomes when the digit zero is taken out of it.
const POINT: u8 = b'.' ^ b'0';
/// Units of 1e-9 in 10^-index.
const NANOS: [i64; 10] = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1000, 100, 10, 1];

/// Reads a whole field; the value in units of 1e-9.
#[inline]
pub fn quick(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', size @ ..] if size.len() <= 16 => gather(size).map(|nano| -nano),
        _ if text.len() <= 16 => gather(text),
        _ => long(text),
    }
}

/// Reads `buffer[start..end]`; quicker than `quick` when 16 bytes can be read from `start` on, whatever they are.
#[inline]
pub fn quick_at(buffer: &[u8], start: usize, end: usize) -> Option<i64> {
    let from_start = buffer.get(start..)?;
    let length = end.wrapping_sub(start);
    match from_start.first_chunk::<16>() {
        Some(chunk) if chunk[0] != b'-' && length.wrapping_sub(1) < 16 && length <= from_start.len() => {
            let words = u128::from_le_bytes(*chunk);
            if length <= 8 { short(words as u64, length as u32) } else { medium(words, length as u32) }
        }
        _ => quick(from_start.get(..length)?),
    }
}

/// The same of fields that most are like: at most eight bytes, not negative, and eight can be read from `start` on.
#[inline(always)]
pub(crate) fn quick_short(buffer: &[u8], start: usize, end: usize) -> Option<i64> {
    let word = u64::from_le_bytes(*buffer.get(start..start + 8)?.first_chunk()?);
    let length = end.wrapping_sub(start);
    if length.wrapping_sub(1) < 8 { short(word, length as u32) } else { None }
}

/// Reads a field of at most 16 bytes, loading none past it.
#[inline]
fn gather(text: &[u8]) -> Option<i64> {
    let length = text.len();
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        if length == 8 {
            return short(first, 8);
        }
        return medium(u128::from(first) | u128::from(last) << (8 * (length - 8)), length as u32);
    }
    let word = match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << (8 * (length - 4))
        }
        _ => match *text {
            [a] => u64::from(a),
            [a, b] => u64::from(u16::from_le_bytes([a, b])),
            [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
            _ => return None,
        },
    };
    short(word, length as u32)
}

/// A field of 1 to 8 bytes, the first in the lowest byte; bytes past the field do not matter.
///
/// The field is moved to the high end, so that what is missing before it reads as zeros. Then the point is cut out by
/// moving what stands before it one byte up.
#[inline(always)]
fn short(word: u64, length: u32) -> Option<i64> {
    let shift = 64 - 8 * length;
    let values = (word ^ ZEROS) << shift;
    let other = not_digits(values);
    if other == 0 {
        return Some(eight_digits(values) as i64 * NANOS[0]);
    }
    // One byte that is no digit, a point, and neither the first nor the last of the field.
    let (bits, unit) = (other.trailing_zeros() & !7, other >> 7);
    if other & (other - 1) != 0 || bits == shift || bits == 56 || (values >> bits) as u8 != POINT {
        return None;
    }
    let before = values & (unit - 1);
    let after = values & (unit << 8).wrapping_neg();
    Some(eight_digits(before << 8 | after) as i64 * NANOS[7 - bits as usize / 8])
}

/// A field of 9 to 16 bytes, as `short`.
#[inline]
fn medium(words: u128, length: u32) -> Option<i64> {
    let zeros = u128::from(ZEROS) << 64 | u128::from(ZEROS);
    let shift = 128 - 8 * length;
    let values = (words ^ zeros) << shift;
    let (high, low) = (not_digits((values >> 64) as u64), not_digits(values as u64));
    let (mut digits, mut decimals) = (values, 0);
    if high | low != 0 {
        let (bits, word) = match low {
            0 => (64 + (high.trailing_zeros() & !7), values >> 64),
            _ => (low.trailing_zeros() & !7, values),
        };
        let several = (low != 0 && high != 0) || (low | high) & ((low | high) - 1) != 0;
        decimals = 15 - bits as usize / 8;
        let misplaced = bits == shift || decimals == 0 || decimals > 9;
        if several || misplaced || (word as u64 >> (bits & 63)) as u8 != POINT {
            return None;
        }
        let unit = u128::from(high) << 57 | u128::from(low >> 7);
        let before = values & (unit - 1);
        let after = values & (unit << 8).wrapping_neg();
        digits = before << 8 | after;
    }
    let number = eight_digits(digits as u64) * 100_000_000 + eight_digits((digits >> 64) as u64);
    (number as i64).checked_mul(NANOS[decimals])
}

/// The high bit of every byte that is not 0 to 9.
#[inline]
pub(crate) fn not_digits(values: u64) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    const SHORT_OF_128: u64 = 0x7676_7676_7676_7676;
    (((values & LOW) + SHORT_OF_128) | values) & !LOW
}

/// Eight bytes of 0 to 9, the first and most significant in the lowest byte, as a number.
#[inline]
pub(crate) fn eight_digits(values: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00FF_0000_00FF;
    let pairs = values * 10 + (values >> 8);
    let outer = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let inner = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    outer.wrapping_add(inner) >> 32
}

/// Any length, one digit at a time.
#[inline(never)]
fn long(text: &[u8]) -> Option<i64> {
    let (negative, size) = match text {
        [b'-', size @ ..] => (true, size),
        _ => (false, text),
    };
    let point = size.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&size[..at], &size[at + 1..]),
        None => (size, &size[..0]),
    };
    if whole.is_empty() || fraction.len() > 9 || (point.is_some() && fraction.is_empty()) {
        return None;
    }
    let mut number: u64 = 0;
    for &byte in whole.iter().chain(fraction) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    let nano = number.checked_mul(NANOS[fraction.len()] as u64)?;
    if negative { 0i64.checked_sub_unsigned(nano) } else { i64::try_from(nano).ok() }
}
