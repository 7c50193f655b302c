//! The Gregorian calendar: days to dates and back, and instants as text.

use super::{DAY, DAY_SECONDS, SECOND};
use crate::decimal::print::two_digits;

/// Days from 1970-01-01 to a date. Years begin in March here, so that the day added by a leap year is the last one.
pub(crate) const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The year, month and day that is `days` after 1970-01-01.
pub(crate) const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Days from 1970-01-01 to a date, if there is such a date in the years 1 to 9999.
pub(crate) fn days_checked(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (day <= last).then(|| days(year, month, day))
}

/// The day of an instant in UTC, counted from 1970-01-01.
#[inline]
pub fn day_of(nanoseconds: i64) -> i32 {
    nanoseconds.div_euclid(DAY) as i32
}

/// Appends `2021-07-22`, given the day as `day_of` counts it.
pub fn write_day(day: i32, into: &mut Vec<u8>) {
    let (year, month, day) = date(i64::from(day));
    if year < 0 {
        into.push(b'-');
    }
    let year = year.unsigned_abs();
    if year > 9999 {
        write_padded(year / 10_000, 1, into);
    }
    let mut text = *b"0000-00-00";
    text[..2].copy_from_slice(&two_digits(year / 100 % 100));
    text[2..4].copy_from_slice(&two_digits(year % 100));
    text[5..7].copy_from_slice(&two_digits(month as u64));
    text[8..].copy_from_slice(&two_digits(day as u64));
    into.extend_from_slice(&text);
}

/// Appends `2021-07-22T22:31:00Z`; a fraction only if there is one, without trailing zeros.
pub fn write_rfc3339(nanoseconds: i64, into: &mut Vec<u8>) {
    let (seconds, mut fraction) = (nanoseconds.div_euclid(SECOND), nanoseconds.rem_euclid(SECOND) as u64);
    let second_of_day = seconds.rem_euclid(DAY_SECONDS) as u64;
    write_day(day_of(nanoseconds), into);
    let mut clock = *b"T00:00:00Z";
    clock[1..3].copy_from_slice(&two_digits(second_of_day / 3600));
    clock[4..6].copy_from_slice(&two_digits(second_of_day / 60 % 60));
    clock[7..9].copy_from_slice(&two_digits(second_of_day % 60));
    if fraction == 0 {
        return into.extend_from_slice(&clock);
    }
    into.extend_from_slice(&clock[..9]);
    let mut places = 9;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        places -= 1;
    }
    into.push(b'.');
    write_padded(fraction, places, into);
    into.push(b'Z');
}

/// The instant as `write_rfc3339` writes it.
pub fn rfc3339(nanoseconds: i64) -> String {
    let mut text = Vec::with_capacity(30);
    write_rfc3339(nanoseconds, &mut text);
    text.into_iter().map(char::from).collect()
}

/// Appends `value` with at least `places` digits.
fn write_padded(value: u64, places: usize, into: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = value;
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    into.extend_from_slice(&digits[at.min(digits.len() - places)..]);
}
