//! ISO 8601: the rule, and a hot path that remembers the last date and the last minute.

use super::{DAY, DAY_SECONDS, SECOND, TimeFault, Zone, calendar, instant, zone};
use crate::decimal::quick::{eight_digits, not_digits};

/// `YYYY-MM-DD[(T| )HH:MM[:SS[.f{1,9}]][Z|±HH[[:]MM]]]`.
pub(super) fn parse(text: &[u8], space: bool, date_only: bool, zone: Option<&Zone>) -> Result<i64, TimeFault> {
    let mut fields = Fields { text };
    let read = fields.read().ok_or(TimeFault::Invalid)?;
    match read.separator {
        None if !date_only => return Err(TimeFault::Invalid),
        Some(b' ') if !space => return Err(TimeFault::Invalid),
        _ => {}
    }
    let [year, month, day] = read.date;
    let [hour, minute, second] = read.time;
    let days = calendar::days_checked(year, month, day).ok_or(TimeFault::Invalid)?;
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimeFault::Invalid);
    }
    let wall = days * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    let seconds = match read.offset {
        Some(offset) => wall - offset_of(offset).ok_or(TimeFault::Invalid)?,
        None => zone.ok_or(TimeFault::WithoutOffset)?.to_instant(wall).ok_or(TimeFault::OutOfRange)?,
    };
    instant(seconds, read.fraction)
}

/// The parts of a time as they are written.
struct Parts<'a> {
    date: [i64; 3],
    separator: Option<u8>,
    time: [i64; 3],
    /// Nanoseconds.
    fraction: i64,
    /// `Z`, or a sign and what follows.
    offset: Option<&'a [u8]>,
}

/// What is still to be read.
struct Fields<'a> {
    text: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Option<Parts<'a>> {
        let year = self.number(4)?;
        let month = self.take(b'-').then(|| self.number(2))??;
        let day = self.take(b'-').then(|| self.number(2))??;
        let mut parts = Parts { date: [year, month, day], separator: None, time: [0; 3], fraction: 0, offset: None };
        let Some((&separator @ (b'T' | b' '), rest)) = self.text.split_first() else {
            return self.text.is_empty().then_some(parts);
        };
        self.text = rest;
        parts.separator = Some(separator);
        parts.time[0] = self.number(2)?;
        parts.time[1] = self.take(b':').then(|| self.number(2))??;
        if self.take(b':') {
            parts.time[2] = self.number(2)?;
            if self.take(b'.') {
                parts.fraction = self.fraction()?;
            }
        }
        parts.offset = (!self.text.is_empty()).then_some(self.text);
        Some(parts)
    }

    fn take(&mut self, mark: u8) -> bool {
        match self.text.split_first() {
            Some((&first, rest)) if first == mark => {
                self.text = rest;
                true
            }
            _ => false,
        }
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (digits, rest) = self.text.split_at_checked(digits)?;
        self.text = rest;
        digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
    }

    fn fraction(&mut self) -> Option<i64> {
        let length = self.text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        Some(self.number(length)? * 10i64.pow(9 - length as u32))
    }
}

fn offset_of(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" => Some(0),
        [b'+', digits @ ..] => zone::offset_seconds(digits),
        [b'-', digits @ ..] => zone::offset_seconds(digits).map(|seconds| -seconds),
        _ => None,
    }
}

/// The hot path of `YYYY-MM-DDTHH:MM:SS[.f{1,9}][Z|±HH:MM]`: date, hour and minute are only read when they are not the
/// last ones.
#[derive(Debug, Clone)]
pub struct IsoCache {
    /// The eleven bytes up to the `T`: the first eight, and the fourth to the eleventh.
    date: (u64, u64),
    /// The start of that date in UTC.
    midnight: i64,
    /// The sixteen bytes up to the last minute, its start, and `naive` of its date.
    minute: (u64, u64),
    minute_start: i64,
    minute_naive: Option<i64>,
    /// What to add to the clock on that date where there is no offset; `None` when the rule must be asked.
    naive: Option<i64>,
    space: bool,
    naive_zone: Option<Zone>,
}

impl Default for IsoCache {
    fn default() -> Self {
        Self::new(false, None)
    }
}

impl IsoCache {
    /// A cache that has read nothing yet, for a reading with this `space` and this `naive_zone`.
    pub fn new(space: bool, naive_zone: Option<Zone>) -> Self {
        // The two words of the date overlap in five bytes but differ in them, as those of no text do. The minute has to be
        // one that is right: any text can begin with any sixteen bytes.
        let minute = (u64::from_le_bytes(*b"1970-01-"), u64::from_le_bytes(*b"01T00:00"));
        let (date, midnight, minute_start, minute_naive, naive) = ((0, u64::MAX), 0, 0, None, None);
        Self { date, midnight, minute, minute_start, minute_naive, naive, space, naive_zone }
    }

    /// The instant. `None` only means that the rule must be asked.
    #[inline(always)]
    pub fn quick(&mut self, text: &[u8]) -> Option<i64> {
        let (front, after) = text.split_first_chunk::<19>()?;
        let minute = (word(front, 0), word(front, 8));
        if minute != self.minute {
            self.turn_to_minute(front, minute)?;
        }
        let rest = match *after {
            [b'Z'] => 0,
            [] => self.minute_naive?,
            [b'.', .., b'Z'] => fraction(text)?,
            _ => self.fraction_and_offset(after)?,
        };
        Some(self.minute_start + second(word(front, 11))? * SECOND + rest)
    }

    #[inline(never)]
    fn turn_to_minute(&mut self, front: &[u8; 19], minute: (u64, u64)) -> Option<()> {
        let date = (word(front, 0), word(front, 3));
        if date != self.date {
            self.turn_to(front, date)?;
        }
        let clock = clock(word(front, 11))?;
        self.minute_start = self.midnight + (clock - clock % 60) * SECOND;
        (self.minute, self.minute_naive) = (minute, self.naive);
        Some(())
    }

    /// The nanoseconds of `[.f{1,9}][Z|±HH:MM]`, less those of the offset.
    fn fraction_and_offset(&self, after: &[u8]) -> Option<i64> {
        let mut fields = Fields { text: after };
        let fraction = if fields.take(b'.') { fields.fraction()? } else { 0 };
        if fields.text.is_empty() {
            return Some(fraction + self.minute_naive?);
        }
        Some(fraction - offset_of(fields.text)? * SECOND)
    }

    /// Reads another date. Those at the ends of the range are left to the rule, so that no offset leads out of it.
    #[cold]
    fn turn_to(&mut self, front: &[u8; 19], date: (u64, u64)) -> Option<()> {
        const FIRST: i64 = calendar::days(1900, 1, 3);
        const LAST: i64 = calendar::days(2099, 12, 29);
        let mut fields = Fields { text: front.get(..11)? };
        let year = fields.number(4)?;
        let month = fields.take(b'-').then(|| fields.number(2))??;
        let day = fields.take(b'-').then(|| fields.number(2))??;
        let days = calendar::days_checked(year, month, day)?;
        let separated = fields.text == b"T" || (self.space && fields.text == b" ");
        if !separated || !(FIRST..=LAST).contains(&days) {
            return None;
        }
        self.date = date;
        self.midnight = days * DAY;
        self.naive = self.naive_zone.as_ref().and_then(|zone| steady_offset(zone, self.midnight));
        Some(())
    }
}

/// What to add to the clock of a zone all through the day that begins at `wall` on it, if the clock is not set that day
/// nor was in the two before, so that no time is skipped or shown twice.
fn steady_offset(zone: &Zone, wall: i64) -> Option<i64> {
    let start = zone.to_instant(wall / SECOND)?.checked_mul(SECOND)?;
    let (_, from, until) = zone.offset_span(start);
    let steady = from.saturating_add(2 * DAY) <= start && start.saturating_add(DAY) <= until;
    steady.then_some(start - wall)
}

/// Eight bytes of the front.
#[inline]
fn word(front: &[u8; 19], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&front[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// The seconds of `HH:MM:SS`.
#[inline(always)]
fn second(text: u64) -> Option<i64> {
    const SHOWN: u64 = u64::from_le_bytes(*b":00\0\0\0\0\0");
    let values = (text >> 40) ^ SHOWN;
    let (tens, ones) = ((values >> 8) & 0xFF, values >> 16);
    (values & 0xFF == 0 && tens <= 5 && ones <= 9).then_some((tens * 10 + ones) as i64)
}

/// `HH:MM:SS` as seconds.
#[inline]
fn clock(text: u64) -> Option<i64> {
    const SHOWN: u64 = u64::from_le_bytes(*b"00:00:00");
    const COLONS: u64 = 0x0000_FF00_00FF_0000;
    let values = text ^ SHOWN;
    if (values & COLONS) | not_digits(values) != 0 {
        return None;
    }
    let pairs = values * 10 + (values >> 8);
    let (hour, minute, second) = (pairs & 0xFF, (pairs >> 24) & 0xFF, (pairs >> 48) & 0xFF);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((hour * 3600 + minute * 60 + second) as i64)
}

/// The nanoseconds of a whole text that ends in `.f{1,9}Z`; the point is its twentieth byte.
#[inline(always)]
fn fraction(text: &[u8]) -> Option<i64> {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
    const POWERS: [i64; 8] = [10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
    let (_, digits) = text.split_last()?;
    let length = digits.len() - 20;
    let values = u64::from_le_bytes(*digits.last_chunk::<8>()?) ^ ZEROS;
    if length == 0 || length > 9 {
        return None;
    }
    if length == 9 {
        let first = digits[20].wrapping_sub(b'0');
        let usable = first <= 9 && not_digits(values) == 0;
        return usable.then(|| i64::from(first) * 100_000_000 + eight_digits(values) as i64);
    }
    // Bytes before the fraction become leading zeros.
    let shift = 64 - 8 * length as u32;
    let values = values >> shift << shift;
    (not_digits(values) == 0).then(|| eight_digits(values) as i64 * POWERS[8 - length])
}
