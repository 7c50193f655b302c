//! Intervals of time, and the start of the one that an instant falls into.

use std::fmt;
use std::str::FromStr;

use super::{DAY, DAY_SECONDS, SECOND, Zone, calendar};

/// The length of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// One second.
    S1,
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// A quarter of an hour.
    M15,
    /// An hour of a zone.
    H1,
    /// A day of a zone.
    D1,
    /// A month of a zone.
    Month,
}

impl Interval {
    /// All of them, shortest first.
    pub const ALL: [Interval; 7] =
        [Interval::S1, Interval::M1, Interval::M5, Interval::M15, Interval::H1, Interval::D1, Interval::Month];

    /// What it is called: `1s`, `1m`, `5m`, `15m`, `1h`, `1d`, `1mo`.
    pub const fn name(self) -> &'static str {
        match self {
            Interval::S1 => "1s",
            Interval::M1 => "1m",
            Interval::M5 => "5m",
            Interval::M15 => "15m",
            Interval::H1 => "1h",
            Interval::D1 => "1d",
            Interval::Month => "1mo",
        }
    }

    /// Its usual length in seconds; none for a month.
    const fn seconds(self) -> i64 {
        match self {
            Interval::S1 => 1,
            Interval::M1 => 60,
            Interval::M5 => 300,
            Interval::M15 => 900,
            Interval::H1 => 3600,
            Interval::D1 => DAY_SECONDS,
            Interval::Month => 0,
        }
    }

    /// Where the interval around `wall` (nanoseconds on the clock of the zone) starts and ends.
    fn around(self, wall: i64) -> (i64, i64) {
        let size = self.seconds() * SECOND;
        if size > 0 {
            let start = wall.saturating_sub(wall.rem_euclid(size));
            return (start, start.saturating_add(size));
        }
        let (year, month, _) = calendar::date(wall.div_euclid(DAY));
        let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        (calendar::days(year, month, 1).saturating_mul(DAY), calendar::days(next.0, next.1, 1).saturating_mul(DAY))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Interval::ALL.into_iter().find(|interval| interval.name() == text);
        found.ok_or_else(|| format!("interval {text:?} is not known: use 1s, 1m, 5m, 15m, 1h, 1d or 1mo"))
    }
}

/// Tells the start of the interval an instant falls into; remembers the last one.
///
/// Up to a quarter of an hour intervals are cut in UTC, from the hour on in the zone: a local day may have 23 or 25
/// hours, and an hour that the clock shows twice is two hours. Where the clock jumps within an hour, the part after the
/// jump is an interval of its own.
#[derive(Debug, Clone)]
pub struct Buckets {
    interval: Interval,
    zone: Zone,
    /// The last answer holds from here to before there.
    from: i64,
    until: i64,
    start: i64,
    /// The offset in nanoseconds that was last in force, and from when to before when.
    offset: i64,
    offset_from: i64,
    offset_until: i64,
}

impl Buckets {
    /// Buckets of one length in one zone.
    pub fn new(interval: Interval, zone: Zone) -> Self {
        let zone = if interval < Interval::H1 { Zone::utc() } else { zone };
        Self { interval, zone, from: 0, until: 0, start: 0, offset: 0, offset_from: 0, offset_until: 0 }
    }

    /// The length of the buckets.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// The start of the bucket that holds `nanoseconds`; right for every instant that a `Reading` answers.
    #[inline]
    pub fn start_of(&mut self, nanoseconds: i64) -> i64 {
        if nanoseconds < self.from || nanoseconds >= self.until {
            self.turn_to(nanoseconds);
        }
        self.start
    }

    /// Where the bucket that holds `nanoseconds` ends: the first instant that is not in it.
    pub fn end_of(&mut self, nanoseconds: i64) -> i64 {
        self.start_of(nanoseconds);
        self.until
    }

    fn turn_to(&mut self, nanoseconds: i64) {
        if nanoseconds < self.offset_from || nanoseconds >= self.offset_until {
            let (seconds, from, until) = self.zone.offset_span(nanoseconds);
            (self.offset, self.offset_from, self.offset_until) = (seconds * SECOND, from, until);
        }
        let (wall_start, wall_end) = self.interval.around(nanoseconds.saturating_add(self.offset));
        let start = wall_start.saturating_sub(self.offset);
        let end = wall_end.saturating_sub(self.offset);
        self.from = start.max(self.offset_from);
        self.until = end.min(self.offset_until);
        self.start = self.from;
        // A day or a month may begin before the clock was last set, or at a midnight that it then showed again.
        let near = start < self.offset_from.saturating_add(DAY);
        if near && self.interval >= Interval::D1 && self.offset_from != i64::MIN {
            let begun = self.zone.to_instant(wall_start.div_euclid(SECOND)).and_then(|at| at.checked_mul(SECOND));
            self.start = begun.filter(|&begun| begun <= nanoseconds).unwrap_or(self.from);
        }
    }
}
