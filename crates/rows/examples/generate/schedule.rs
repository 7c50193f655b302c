//! Trading time: one minute after the other, 390 to a day, weekends left out.

use crate::text::{DAY, MINUTE, SECOND};

/// 2026-01-02, a Friday, in days since 1970.
pub(crate) const FIRST_DAY: i64 = 20_455;
const OPENS: i64 = (14 * 60 + 30) * MINUTE;
const DAY_MINUTES: i64 = 390;

/// Maps trading time (microseconds of open market since the first day) to moments.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Minutes of open market that the file covers.
    pub(crate) minutes: i64,
    opens: Vec<i64>,
}

impl Schedule {
    pub(crate) fn new(minutes: u64) -> Self {
        let minutes = minutes.max(1) as i64;
        let mut day = FIRST_DAY;
        let mut opens = Vec::new();
        for _ in 0..=minutes / DAY_MINUTES {
            opens.push(day * DAY + OPENS);
            // 1970-01-01 was a Thursday: remainder 1 is a Friday.
            day += if day % 7 == 1 { 3 } else { 1 };
        }
        Schedule { minutes, opens }
    }

    /// Trading time that the file covers, in microseconds.
    pub(crate) fn length(&self) -> i64 {
        self.minutes * MINUTE
    }

    /// The moment of `time`, which is within `0..length()`.
    #[inline]
    pub(crate) fn moment(&self, time: i64) -> i64 {
        let day = time / (DAY_MINUTES * MINUTE);
        self.opens[day as usize] + time % (DAY_MINUTES * MINUTE)
    }

    /// Trading time after the share `progress` of the file, with a little noise: not every tick is in order, and now
    /// and then two are at the same microsecond.
    #[inline]
    pub(crate) fn forward(&self, progress: f64, previous: i64, draw: u64) -> i64 {
        let time = (self.length() as f64 * progress) as i64;
        let time = match draw % 64 {
            0 => previous,
            1 => time - (draw >> 40) as i64 % (20 * SECOND / 1000),
            _ => time,
        };
        time.clamp(0, self.length() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_are_closed() {
        let schedule = Schedule::new(1000);
        let friday = schedule.moment(0);
        assert_eq!(friday, 1_767_364_200 * SECOND);
        assert_eq!(schedule.moment(390 * MINUTE), friday + 3 * DAY);
        assert_eq!(schedule.moment(391 * MINUTE + 5), friday + 3 * DAY + MINUTE + 5);
        assert_eq!(schedule.moment(780 * MINUTE), friday + 4 * DAY);
    }
}
