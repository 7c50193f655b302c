//! Numbers and timestamps as text, by hand: `format!` would be most of the running time.

/// Microseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// Microseconds in a day.
pub(crate) const DAY: i64 = 24 * 60 * MINUTE;

/// Decimals of the scaled integers that stand for prices, volumes and amounts.
pub(crate) const SCALE: u32 = 4;

const PAIRS: &[u8; 200] = b"00010203040506070809101112131415161718192021222324252627282930313233343536373839\
4041424344454647484950515253545556575859606162636465666768697071727374757677787980818283848586878889\
90919293949596979899";

/// Appends `value` without leading zeros.
#[inline]
pub(crate) fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    while value >= 10 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        digits[at] = PAIRS[pair];
        digits[at + 1] = PAIRS[pair + 1];
    }
    if value > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    // 10..=99 leaves no single digit behind, a lone 0 would be a leading zero.
    out.extend_from_slice(&digits[at..]);
}

#[inline]
fn push_pair(out: &mut Vec<u8>, value: i64) {
    let pair = value as usize * 2;
    out.extend_from_slice(&PAIRS[pair..pair + 2]);
}

/// Appends `value / 10^SCALE` with exactly `decimals` of its decimals.
#[inline]
pub(crate) fn push_scaled(out: &mut Vec<u8>, value: i64, decimals: u32) {
    if value < 0 {
        out.push(b'-');
    }
    let value = value.unsigned_abs();
    push_number(out, value / 10_000);
    if decimals > 0 {
        let fraction = (value % 10_000) as i64;
        out.push(b'.');
        push_pair(out, fraction / 100);
        push_pair(out, fraction % 100);
        out.truncate(out.len() - (SCALE - decimals) as usize);
    }
}

/// How a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Digits behind the second: 0, 3 or 6. The moment must be a multiple of what is cut.
    pub(crate) fraction: u8,
    /// Minutes ahead of UTC; `None` writes `Z`.
    pub(crate) offset: Option<i16>,
}

/// Writes moments (microseconds since 1970) as RFC 3339, keeping the text of the last day.
#[derive(Debug)]
pub(crate) struct Clock {
    day: i64,
    text: Vec<u8>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Clock { day: i64::MIN, text: Vec::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, moment: i64, stamp: Stamp) {
        let local = moment + i64::from(stamp.offset.unwrap_or(0)) * MINUTE;
        let day = local.div_euclid(DAY);
        if day != self.day {
            self.day = day;
            self.text = day_text(day).into_bytes();
        }
        out.extend_from_slice(&self.text);
        out.push(b'T');
        let time = local.rem_euclid(DAY);
        let seconds = time / SECOND;
        push_pair(out, seconds / 3600);
        out.push(b':');
        push_pair(out, seconds / 60 % 60);
        out.push(b':');
        push_pair(out, seconds % 60);
        let micros = time % SECOND;
        if stamp.fraction > 0 {
            out.push(b'.');
            push_pair(out, micros / 10_000);
            push_pair(out, micros / 100 % 100);
            push_pair(out, micros % 100);
            out.truncate(out.len() - usize::from(6 - stamp.fraction));
        }
        match stamp.offset {
            None => out.push(b'Z'),
            Some(minutes) => {
                out.push(if minutes < 0 { b'-' } else { b'+' });
                push_pair(out, i64::from(minutes.abs() / 60));
                out.push(b':');
                push_pair(out, i64::from(minutes.abs() % 60));
            }
        }
    }
}

/// `2026-01-02` for a day counted from 1970 (Howard Hinnant's civil-from-days, years from 1970 on).
pub(crate) fn day_text(day: i64) -> String {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}")
}

/// A value as a CSV field: quoted when it has to be.
pub(crate) fn csv_field(value: &[u8]) -> Vec<u8> {
    if !value.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        return value.to_vec();
    }
    let mut field = vec![b'"'];
    for &byte in value {
        if byte == b'"' {
            field.push(b'"');
        }
        field.push(byte);
    }
    field.push(b'"');
    field
}

/// A value as a JSON string.
pub(crate) fn json_string(value: &str) -> String {
    let mut text = String::from("\"");
    for letter in value.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            letter if letter < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(value: i64, decimals: u32) -> String {
        let mut out = Vec::new();
        push_scaled(&mut out, value, decimals);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_equal_the_standard_formatting() {
        for value in [0, 1, 9, 10, 42, 99, 100, 101, 999, 1000, 10_000, 123_456_789, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
        assert_eq!(scaled(1_234_500, 2), "123.45");
        assert_eq!(scaled(-10_001, 4), "-1.0001");
        assert_eq!(scaled(500, 3), "0.050");
        assert_eq!(scaled(70_000, 0), "7");
    }

    #[test]
    fn moments_are_written() {
        let mut clock = Clock::new();
        let mut out = Vec::new();
        let moment = 1_767_364_200 * SECOND + 123_000;
        clock.push(&mut out, moment, Stamp { fraction: 6, offset: None });
        out.push(b' ');
        clock.push(&mut out, moment, Stamp { fraction: 3, offset: Some(-15 * 60 - 30) });
        out.push(b' ');
        clock.push(&mut out, moment - 123_000, Stamp { fraction: 0, offset: Some(10 * 60) });
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "2026-01-02T14:30:00.123000Z 2026-01-01T23:00:00.123-15:30 2026-01-03T00:30:00+10:00");
        assert_eq!(day_text(0), "1970-01-01");
        assert_eq!(day_text(20_512), "2026-02-28");
        assert_eq!(day_text(20_513), "2026-03-01");
    }
}
