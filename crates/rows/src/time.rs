//! Time: instants are nanoseconds since 1970 in UTC, from any of the ways partners write them.
//!
//! `Reading::parse` is the rule; `IsoCache` and `quick_epoch` read the common notations in a few instructions.

mod buckets;
mod calendar;
mod count;
mod iso;
mod pattern;
#[cfg(test)]
mod tests;
mod zone;

pub use buckets::{Buckets, Interval};
pub use calendar::{day_of, rfc3339, write_day, write_rfc3339};
pub use count::{Unit, quick_epoch};
pub use iso::IsoCache;
pub use pattern::Pattern;
pub use zone::{Zone, midnight};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// Seconds in a day.
const DAY_SECONDS: i64 = 86_400;
/// Nanoseconds in a day.
const DAY: i64 = DAY_SECONDS * SECOND;
/// The first instant that is taken, the start of 1900.
const FIRST: i64 = calendar::days(1900, 1, 1) * DAY;
/// The first instant too late to be taken, the start of 2100.
const END: i64 = calendar::days(2100, 1, 1) * DAY;

/// How a time is written.
#[derive(Debug, Clone)]
pub enum Format {
    /// `2021-07-22T22:31:00.5+05:30`: seconds and fraction may be left out.
    Iso {
        /// Whether a space may stand for the `T`.
        space: bool,
        /// Whether a date alone is taken, as its midnight.
        date_only: bool,
    },
    /// A count since 1970 in UTC, which may be negative or have a fraction.
    Epoch(Unit),
    /// One of the two: what has digits and nothing else but a sign or a point is a count.
    IsoOrEpoch(Unit),
    /// As a pattern says.
    Pattern(Pattern),
    /// A count since the midnight of a day that the file does not tell.
    SinceMidnight {
        /// What is counted.
        unit: Unit,
        /// The instant of that midnight.
        midnight: i64,
    },
    /// Whole hours since an instant.
    HoursSince {
        /// That instant.
        origin: i64,
    },
}

/// How a column of times is read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// How they are written.
    pub format: Format,
    /// Where the clock hung that a time without an offset was read from. Without it such a time is a fault,
    /// but for patterns, which then mean UTC.
    pub naive_zone: Option<Zone>,
}

/// Why a text is not a time that can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeFault {
    /// The text is empty.
    Missing,
    /// It is not written as it should be, or there is no such day or time of day.
    Invalid,
    /// It does not say what zone it is in, and nothing else does.
    WithoutOffset,
    /// It is before 1900 or after 2099.
    OutOfRange,
}

impl Reading {
    /// Whether times are written as ISO 8601, so that [`IsoCache::quick`] may be asked first.
    #[inline]
    pub fn is_iso(&self) -> bool {
        matches!(self.format, Format::Iso { .. } | Format::IsoOrEpoch(_))
    }

    /// The instant that `text` stands for.
    pub fn parse(&self, text: &[u8]) -> Result<i64, TimeFault> {
        if text.is_empty() {
            return Err(TimeFault::Missing);
        }
        match &self.format {
            Format::Iso { space, date_only } => iso::parse(text, *space, *date_only, self.naive_zone.as_ref()),
            Format::Epoch(unit) => count::epoch(text, *unit),
            Format::IsoOrEpoch(unit) if text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-')) => {
                count::epoch(text, *unit)
            }
            Format::IsoOrEpoch(_) => iso::parse(text, false, false, self.naive_zone.as_ref()),
            Format::Pattern(pattern) => pattern.parse(text, self.naive_zone.as_ref()),
            Format::SinceMidnight { unit, midnight } => count::since(text, *unit, *midnight),
            Format::HoursSince { origin } => count::hours_since(text, *origin),
        }
    }
}

/// Whether an instant is within the years that are taken.
pub(crate) fn is_taken(nanoseconds: i64) -> bool {
    (FIRST..END).contains(&nanoseconds)
}

/// The instant, if it is within the years that are taken.
fn in_range(nanoseconds: i128) -> Result<i64, TimeFault> {
    if (i128::from(FIRST)..i128::from(END)).contains(&nanoseconds) {
        Ok(nanoseconds as i64)
    } else {
        Err(TimeFault::OutOfRange)
    }
}

/// The instant `seconds` after 1970 and `fraction` nanoseconds, if it is within the years that are taken.
fn instant(seconds: i64, fraction: i64) -> Result<i64, TimeFault> {
    in_range(i128::from(seconds) * i128::from(SECOND) + i128::from(fraction))
}
