//! The text of one value, from its bytes: what a careful sender would have put in a CSV file.

pub(super) mod decimal;

use std::fmt::Display;
use std::io::Write;

use crate::limits::FIELD_BYTES_MAX;

/// What the bytes of a value mean. Numbers are little-endian unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// Bytes or a string, as they are; one too long for a field is cut (see `push_cut`).
    Raw,
    /// One byte, 0 or 1.
    Boolean,
    Signed,
    Unsigned,
    /// A binary float of 2, 4 or 8 bytes.
    Float,
    /// An integer of up to 32 bytes, to be divided by 10 to the power of `scale`.
    Decimal {
        scale: i32,
        big_endian: bool,
    },
    /// Days since 1970.
    Days,
    /// Milliseconds since 1970, of which the date counts.
    DateMillis,
    /// Ticks since midnight.
    Time {
        per_second: i64,
    },
    /// Ticks since 1970; `utc` if they count from midnight in UTC, else in a zone that the file does not tell.
    Timestamp {
        per_second: i64,
        utc: bool,
    },
    /// Nanoseconds of the day (8 bytes), Julian day (4 bytes).
    Int96,
    /// 16 bytes.
    Uuid,
}

const NANOS: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;
const JULIAN_1970: i64 = 2_440_588;

impl Text {
    /// Appends the text of `raw`. `None` if its bytes cannot be such a value.
    pub(super) fn write(self, raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Text::Raw => push_cut(raw, out),
            Text::Boolean => out.extend_from_slice(if *raw.first()? == 0 { b"false" } else { b"true" }),
            Text::Signed => {
                let value = signed(raw)?;
                push_signed(value, out);
            }
            Text::Unsigned => push_padded(unsigned(raw)?, 1, out),
            Text::Float => push_float(raw, out)?,
            Text::Decimal { scale, big_endian } => decimal::push(raw, scale, big_endian, out)?,
            Text::Days => push_date(signed(raw)?, out),
            Text::DateMillis => push_date(signed(raw)?.div_euclid(DAY_SECONDS * 1000), out),
            Text::Time { per_second } => push_time(signed(raw)?, per_second, out),
            Text::Timestamp { per_second, utc } => {
                let ticks = signed(raw)?;
                push_timestamp(ticks.div_euclid(per_second), ticks.rem_euclid(per_second), per_second, out);
                if utc {
                    out.push(b'Z');
                }
            }
            Text::Int96 => {
                let (nanos, day) = raw.split_first_chunk::<8>()?;
                let (nanos, day) = (i64::from_le_bytes(*nanos), signed(day)? - JULIAN_1970);
                push_timestamp(day * DAY_SECONDS + nanos.div_euclid(NANOS), nanos.rem_euclid(NANOS), NANOS, out);
            }
            Text::Uuid => push_uuid(raw.first_chunk()?, out),
        }
        Some(())
    }
}

/// Appends a string. One longer than a field may be is cut behind the limit, at the end of a character: the row
/// check rejects it all the same, and a value of 64 MiB that a million rows refer to is not copied a million times.
pub(super) fn push_cut(raw: &[u8], out: &mut Vec<u8>) {
    let mut length = raw.len().min(FIELD_BYTES_MAX + 1);
    while length < raw.len().min(CUT_BYTES) && raw[length] & 0b1100_0000 == 0b1000_0000 {
        length += 1;
    }
    out.extend_from_slice(&raw[..length]);
}

/// The most that `push_cut` looks at and appends.
pub(super) const CUT_BYTES: usize = FIELD_BYTES_MAX + 4;

fn signed(raw: &[u8]) -> Option<i64> {
    Some(match *raw {
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => i64::from_le_bytes(raw.try_into().ok()?),
    })
}

pub(super) fn unsigned(raw: &[u8]) -> Option<u64> {
    Some(match *raw {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => u64::from_le_bytes(raw.try_into().ok()?),
    })
}

/// The shortest digits that read back as the same float, no exponent. A sender who put 0.1 into 32 bits meant 0.1, and
/// would have written that in a CSV file; 0.10000000149011612 is what widening makes of it. Floats of 16 bits, which
/// nothing reads back, are written exactly.
fn push_float(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match raw.len() {
        2 => push_digits(half(u16::from_le_bytes(raw.try_into().ok()?)), out),
        4 => push_digits(f32::from_le_bytes(raw.try_into().ok()?), out),
        _ => push_digits(f64::from_le_bytes(raw.try_into().ok()?), out),
    }
    Some(())
}

fn push_digits<F: Display + Into<f64> + Copy>(value: F, out: &mut Vec<u8>) {
    let wide: f64 = value.into();
    if wide.is_nan() {
        out.extend_from_slice(b"nan");
    } else if wide == 0.0 {
        out.push(b'0');
    } else {
        let written = write!(out, "{value}");
        debug_assert!(written.is_ok(), "writing to memory does not fail");
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

fn push_signed(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    push_padded(value.unsigned_abs(), 1, out);
}

/// Decimal digits, at least `width` of them.
fn push_padded(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value > 0 {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

/// `YYYY-MM-DD`, proleptic Gregorian. A year past 9999 keeps its digits, one before 0 its sign: later checks reject both.
fn push_date(days: i64, out: &mut Vec<u8>) {
    // Civil from days, with years that begin in March so that the leap day is the last one.
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    if year < 0 {
        out.push(b'-');
    }
    push_padded(year.unsigned_abs(), 4, out);
    out.push(b'-');
    push_padded(month.unsigned_abs(), 2, out);
    out.push(b'-');
    push_padded(day.unsigned_abs(), 2, out);
}

fn push_timestamp(seconds: i64, ticks: i64, per_second: i64, out: &mut Vec<u8>) {
    push_date(seconds.div_euclid(DAY_SECONDS), out);
    out.push(b'T');
    push_clock(seconds.rem_euclid(DAY_SECONDS), ticks, per_second, out);
}

/// A time outside the day is printed as it is (`-01:00:00`, `25:00:00`): later checks reject it.
fn push_time(ticks: i64, per_second: i64, out: &mut Vec<u8>) {
    if ticks < 0 {
        out.push(b'-');
    }
    let ticks = i64::try_from(ticks.unsigned_abs()).unwrap_or(i64::MAX);
    push_clock(ticks / per_second, ticks % per_second, per_second, out);
}

/// `HH:MM:SS`, and the fraction without trailing zeros if there is one.
fn push_clock(seconds: i64, ticks: i64, per_second: i64, out: &mut Vec<u8>) {
    push_padded((seconds / 3600).unsigned_abs(), 2, out);
    out.push(b':');
    push_padded((seconds / 60 % 60).unsigned_abs(), 2, out);
    out.push(b':');
    push_padded((seconds % 60).unsigned_abs(), 2, out);
    if ticks != 0 {
        out.push(b'.');
        push_padded((ticks * (NANOS / per_second)).unsigned_abs(), 9, out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

fn push_uuid(raw: &[u8; 16], out: &mut Vec<u8>) {
    for (index, byte) in raw.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        for digit in [byte >> 4, byte & 15] {
            out.push(b"0123456789abcdef"[usize::from(digit)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: Text, raw: &[u8]) -> String {
        let mut out = Vec::new();
        kind.write(raw, &mut out).expect("a value of that type");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!(text(Text::Signed, &[0x80]), "-128");
        assert_eq!(text(Text::Unsigned, &[0x80]), "128");
        assert_eq!(text(Text::Signed, &i64::MIN.to_le_bytes()), "-9223372036854775808");
        assert_eq!(text(Text::Unsigned, &u64::MAX.to_le_bytes()), "18446744073709551615");
        assert_eq!(text(Text::Signed, &0i32.to_le_bytes()), "0");
        assert_eq!(text(Text::Boolean, &[1]), "true");
        assert_eq!(Text::Signed.write(&[1, 2, 3], &mut Vec::new()), None);
    }

    #[test]
    fn floats_are_the_shortest_digits_without_an_exponent() {
        let cases = [(37.24, "37.24"), (1.0, "1"), (-0.0, "0"), (1e21, "1000000000000000000000"), (1e-7, "0.0000001")];
        for (value, expected) in cases {
            assert_eq!(text(Text::Float, &f64::to_le_bytes(value)), expected);
        }
        assert_eq!(text(Text::Float, &f64::NAN.to_le_bytes()), "nan");
        assert_eq!(text(Text::Float, &f64::NEG_INFINITY.to_le_bytes()), "-inf");
        for (value, expected) in [
            (0.1f32, "0.1"),
            (16_777_216.0, "16777216"),
            (-187.23, "-187.23"),
            (1e-7, "0.0000001"),
            (f32::MAX, "340282350000000000000000000000000000000"),
            (-0.0, "0"),
            (f32::NAN, "nan"),
            (f32::INFINITY, "inf"),
        ] {
            assert_eq!(text(Text::Float, &value.to_le_bytes()), expected);
        }
        assert_eq!(text(Text::Float, &0x3c01u16.to_le_bytes()), "1.0009765625");
        assert_eq!(text(Text::Float, &0xfbffu16.to_le_bytes()), "-65504");
        assert_eq!(text(Text::Float, &0x0001u16.to_le_bytes()), "0.00000005960464477539063");
    }

    #[test]
    fn dates_and_times() {
        for (days, expected) in
            [(0, "1970-01-01"), (-1, "1969-12-31"), (11_016, "2000-02-29"), (-719_529, "-0001-12-31")]
        {
            assert_eq!(text(Text::Days, &i32::to_le_bytes(days)), expected);
        }
        assert_eq!(text(Text::Days, &2_932_896i32.to_le_bytes()), "9999-12-31");
        assert_eq!(text(Text::DateMillis, &(-1i64).to_le_bytes()), "1969-12-31");
        let micros = Text::Timestamp { per_second: 1_000_000, utc: true };
        assert_eq!(text(micros, &1_500_000i64.to_le_bytes()), "1970-01-01T00:00:01.5Z");
        assert_eq!(text(micros, &(-1i64).to_le_bytes()), "1969-12-31T23:59:59.999999Z");
        let naive = Text::Timestamp { per_second: 1, utc: false };
        assert_eq!(text(naive, &1_700_000_000i64.to_le_bytes()), "2023-11-14T22:13:20");
        assert_eq!(text(Text::Time { per_second: NANOS }, &1i64.to_le_bytes()), "00:00:00.000000001");
        assert_eq!(text(Text::Time { per_second: 1000 }, &(-90_000_000i32).to_le_bytes()), "-25:00:00");
        for extreme in [i64::MIN, i64::MAX] {
            for per_second in [1, 1000, 1_000_000, NANOS] {
                text(Text::Timestamp { per_second, utc: true }, &extreme.to_le_bytes());
                text(Text::Time { per_second }, &extreme.to_le_bytes());
            }
            text(Text::Days, &extreme.to_le_bytes());
        }
    }

    #[test]
    fn int96_is_a_julian_day_and_nanoseconds() {
        let raw = |nanos: i64, day: i32| [&nanos.to_le_bytes()[..], &day.to_le_bytes()].concat();
        assert_eq!(text(Text::Int96, &raw(1, 2_440_589)), "1970-01-02T00:00:00.000000001");
        text(Text::Int96, &raw(i64::MIN, i32::MIN));
        text(Text::Int96, &raw(i64::MAX, i32::MAX));
    }

    #[test]
    fn a_long_string_is_cut_behind_the_limit_at_the_end_of_a_character() {
        for before in FIELD_BYTES_MAX - 5..FIELD_BYTES_MAX + 5 {
            let long = "x".repeat(before) + "😀 and more";
            let mut out = Vec::new();
            push_cut(long.as_bytes(), &mut out);
            assert!(out.len() > FIELD_BYTES_MAX && out.len() <= CUT_BYTES, "{before}: {}", out.len());
            assert!(std::str::from_utf8(&out).is_ok(), "{before}");
        }
        let exact = vec![b'x'; FIELD_BYTES_MAX];
        let mut out = Vec::new();
        push_cut(&exact, &mut out);
        assert_eq!(out, exact);
    }

    #[test]
    fn uuids_have_their_usual_form() {
        let raw: Vec<u8> = (0..16).map(|digit| digit * 17).collect();
        assert_eq!(text(Text::Uuid, &raw), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
