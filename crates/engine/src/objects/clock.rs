//! Numbers that are new, follow the time and never go back, whatever the clock does.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::queues::Millis;

/// Bits for the numbers within a millisecond; when they are used up, the next millisecond is begun early.
const WITHIN_BITS: u32 = 16;

/// The last number that was given.
#[derive(Debug)]
pub(super) struct Clock(AtomicU64);

impl Clock {
    /// Goes on behind this number.
    pub(super) fn new(last: u64) -> Self {
        Self(AtomicU64::new(last))
    }

    /// The next number, of this time or later.
    pub(super) fn next(&self, now: Millis) -> u64 {
        let earliest = now.min(u64::MAX >> (WITHIN_BITS + 1)) << WITHIN_BITS;
        let after = |last: u64| last.saturating_add(1).max(earliest);
        // the numbers order nothing but themselves
        let last = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        after(last.unwrap_or_else(|last| last))
    }

    /// The last number that was given.
    pub(super) fn last(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The time of a number.
pub(super) fn time_of(number: u64) -> Millis {
    number >> WITHIN_BITS
}

/// A number as a version or a file name: the order as text is the order as numbers.
pub(super) fn to_text(number: u64) -> String {
    format!("{number:016x}")
}

/// The number of a version or a file name.
pub(super) fn from_text(text: &str) -> Option<u64> {
    let is_ours = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_ours { u64::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_also_when_the_clock_goes_back() {
        let clock = Clock::new(0);
        let mut last = 0;
        for now in [1000, 1000, 999, 0, 1001, u64::MAX, 5, u64::MAX] {
            let number = clock.next(now);
            assert!(number > last, "{now}");
            assert!(time_of(number) >= now.min(1 << 40) || now > 1 << 40, "{now}");
            assert!(to_text(number) > to_text(last));
            last = number;
        }
        assert_eq!(clock.last(), last);
        let later = Clock::new(last);
        assert!(later.next(0) > last);
        for text in ["", "+000000000000001", "000000000000000G", "00000000000000001"] {
            assert_eq!(from_text(text), None);
        }
        assert_eq!(from_text(&to_text(last)), Some(last));
    }
}
