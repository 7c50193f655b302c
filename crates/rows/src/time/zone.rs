//! Zones: from the clock on a wall to an instant and back, by the rules that were compiled in.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::{DAY_SECONDS, SECOND, calendar};

/// Where a clock hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
    /// The offset in seconds, if it never changes.
    fixed: Option<i64>,
}

impl Zone {
    /// The zone without an offset.
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), zone: TimeZone::UTC, fixed: Some(0) }
    }

    /// A zone by its IANA name, `UTC`, `Z`, or an offset such as `+05:30`, `-0300` or `+09`.
    /// The rules are those compiled in, whatever the machine has.
    pub fn named(name: &str) -> Option<Zone> {
        if matches!(name, "UTC" | "Z") {
            return Some(Zone::utc());
        }
        if let [sign @ (b'+' | b'-'), digits @ ..] = name.as_bytes() {
            let seconds = offset_seconds(digits)?;
            let seconds = if *sign == b'-' { -seconds } else { seconds };
            let zone = TimeZone::fixed(Offset::from_seconds(seconds as i32).ok()?);
            return Some(Zone { name: name.to_owned(), zone, fixed: Some(seconds) });
        }
        let zone = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown())?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        let fixed = zone.to_fixed_offset().ok().map(|offset| i64::from(offset.seconds()));
        Some(Zone { name, zone, fixed })
    }

    /// The name it goes by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instant, in seconds since 1970 in UTC, at which the clock shows `wall` (the same count, as if the clock
    /// showed UTC). A time shown twice is the earlier one; a time skipped is counted on from before the gap.
    /// `None` outside the years -9999 to 9999.
    pub fn to_instant(&self, wall: i64) -> Option<i64> {
        if let Some(offset) = self.fixed {
            return wall.checked_sub(offset);
        }
        let day = wall.div_euclid(DAY_SECONDS);
        let second = wall.rem_euclid(DAY_SECONDS);
        let (year, month, day) = calendar::date(day.clamp(-10_000_000, 10_000_000));
        let (hour, minute, second) = ((second / 3600) as i8, (second / 60 % 60) as i8, (second % 60) as i8);
        let shown = DateTime::new(i16::try_from(year).ok()?, month as i8, day as i8, hour, minute, second, 0).ok()?;
        let instant = self.zone.to_ambiguous_timestamp(shown).compatible().ok()?;
        Some(instant.as_second())
    }

    /// The offset in seconds that holds at an instant, and from when to before when it holds, in nanoseconds.
    pub(crate) fn offset_span(&self, nanoseconds: i64) -> (i64, i64, i64) {
        if let Some(offset) = self.fixed {
            return (offset, i64::MIN, i64::MAX);
        }
        let offset_at = |nanoseconds: i64| match Timestamp::from_nanosecond(i128::from(nanoseconds)) {
            Ok(instant) => i64::from(self.zone.to_offset(instant).seconds()),
            Err(_) => 0,
        };
        let offset = offset_at(nanoseconds);
        let Ok(instant) = Timestamp::from_nanosecond(i128::from(nanoseconds)) else {
            return (offset, nanoseconds, nanoseconds);
        };
        let after = Timestamp::from_nanosecond(i128::from(nanoseconds) + 1).unwrap_or(instant);
        let changes = |change: i64| offset_at(change.saturating_sub(1)) != offset_at(change);
        let from = self.zone.preceding(after).map(|change| nanoseconds_of(change.timestamp())).find(|&at| changes(at));
        let until =
            self.zone.following(instant).map(|change| nanoseconds_of(change.timestamp())).find(|&at| changes(at));
        (offset, from.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The instant at which a day, written `2026-01-01`, begins in a zone.
pub fn midnight(date: &str, zone: &Zone) -> Option<i64> {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = date.as_bytes() else { return None };
    let number = |digits: &[u8]| {
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0, |number, &digit| number * 10 + i64::from(digit - b'0')))
    };
    let days = calendar::days_checked(number(&[a, b, c, d])?, number(&[e, f])?, number(&[g, h])?)?;
    zone.to_instant(days * DAY_SECONDS)?.checked_mul(SECOND)
}

/// `05:30`, `0530` or `05`, in seconds.
pub(crate) fn offset_seconds(digits: &[u8]) -> Option<i64> {
    let (hours, minutes) = match *digits {
        [a, b] => ([a, b], [b'0', b'0']),
        [a, b, c, d] | [a, b, b':', c, d] => ([a, b], [c, d]),
        _ => return None,
    };
    let number = |[tens, ones]: [u8; 2]| {
        let both = tens.is_ascii_digit() && ones.is_ascii_digit();
        both.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)
}

fn nanoseconds_of(instant: Timestamp) -> i64 {
    let nanoseconds = instant.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}
