//! A route that is shared: all callers together may ask so often, and while they want more than that, each has an even
//! share of it.
//!
//! Who asks no more than their share is let in first; what the others leave over is for whoever asks for more. A share is
//! the rate of the route by the number of callers who asked in this second or the one before. So that somebody who has asked
//! for nothing finds their share when they come, though others have just taken all there was, a second's worth may be owed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::CALLERS_COUNTED_MAX;

/// The tokens of a route and of its callers.
#[derive(Debug)]
pub(in crate::serve) struct Shares {
    per_second: f64,
    inner: Mutex<Option<Inner>>,
}

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// The second that it is, from then on.
    second: u64,
    /// Callers who asked in it, and in the one before.
    asking: usize,
    asked: usize,
    /// Tokens of the route; less than none when a share was owed.
    left: f64,
    at: Instant,
    by_caller: HashMap<String, Own>,
}

/// The share of one caller.
#[derive(Debug)]
struct Own {
    tokens: f64,
    at: Instant,
    /// In which they asked last.
    second: u64,
}

impl Shares {
    /// With 0 there is no limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), inner: Mutex::default() }
    }

    /// Takes a token for a caller, or says how long there will be none for them.
    pub fn take(&self, caller: &str, now: Instant) -> Result<(), Duration> {
        let rate = self.per_second;
        if rate == 0.0 {
            return Ok(());
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = inner.get_or_insert_with(|| Inner::new(rate, now));
        inner.turn(rate, now);
        let (second, share) = (inner.second, rate / inner.with(caller) as f64);
        let fresh = || Own { tokens: share.max(1.0), at: now, second };
        let own = inner.by_caller.entry(caller.to_owned()).or_insert_with(fresh);
        let more = now.saturating_duration_since(own.at).as_secs_f64() * share;
        *own = Own { tokens: (own.tokens + more).min(share.max(1.0)), at: now.max(own.at), second };
        if own.tokens >= 1.0 && inner.left - 1.0 >= -rate {
            own.tokens -= 1.0;
            inner.left -= 1.0;
            return Ok(());
        }
        if inner.left >= 1.0 {
            inner.left -= 1.0;
            return Ok(());
        }
        let (own, left) = ((1.0 - own.tokens).max(0.0) / share, (1.0 - inner.left) / rate);
        Err(Duration::from_secs_f64(if own > 0.0 { own.min(left) } else { left }))
    }
}

impl Inner {
    fn new(rate: f64, now: Instant) -> Self {
        let (by_caller, left) = (HashMap::new(), rate.max(1.0));
        Self { began: now, second: 0, asking: 0, asked: 0, left, at: now, by_caller }
    }

    /// Goes on to the second that it is now.
    fn turn(&mut self, rate: f64, now: Instant) {
        let more = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        (self.left, self.at) = ((self.left + more).min(rate.max(1.0)), now.max(self.at));
        let second = now.saturating_duration_since(self.began).as_secs();
        if second > self.second {
            self.asked = if second == self.second + 1 { self.asking } else { 0 };
            (self.asking, self.second) = (0, second);
        }
    }

    /// How many there are to share, with this caller.
    fn with(&mut self, caller: &str) -> usize {
        let known = self.by_caller.get(caller).map(|own| own.second);
        if known.is_none() && self.by_caller.len() >= CALLERS_COUNTED_MAX {
            self.prune();
        }
        if known != Some(self.second) {
            self.asking += 1;
        }
        self.asking.max(self.asked)
    }

    fn prune(&mut self) {
        let last = self.second.saturating_sub(1);
        self.by_caller.retain(|_, own| own.second >= last);
        if self.by_caller.len() >= CALLERS_COUNTED_MAX {
            // so many at once are nobody's clients
            let mut keep = false;
            self.by_caller.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers ask evenly, so often in a second; how often each is let in within so many seconds.
    fn let_in(shares: &Shares, from: Instant, seconds: u32, callers: &[(&str, u32)]) -> Vec<u32> {
        let mut asked: Vec<(Duration, usize)> = Vec::new();
        for (place, (_, per_second)) in callers.iter().enumerate() {
            asked.extend((0..per_second * seconds).map(|n| (Duration::from_secs(1) * n / *per_second, place)));
        }
        asked.sort_unstable();
        let mut taken = vec![0; callers.len()];
        for (after, place) in asked {
            taken[place] += u32::from(shares.take(callers[place].0, from + after).is_ok());
        }
        taken
    }

    #[test]
    fn who_asks_for_less_than_a_share_is_always_let_in() {
        let (shares, start) = (Shares::new(100), Instant::now());
        // alone, all of it
        assert!((1000..=1100).contains(&let_in(&shares, start, 10, &[("loud", 300)])[0]));
        let taken = let_in(&shares, start + Duration::from_secs(10), 10, &[("loud", 300), ("quiet", 10), ("near", 33)]);
        assert_eq!(taken[1..], [100, 330]);
        // and what they leave is not lost
        assert!((540..=680).contains(&taken[0]), "{taken:?}");
    }

    #[test]
    fn those_who_ask_for_too_much_have_the_same() {
        let (shares, start) = (Shares::new(100), Instant::now());
        let taken = let_in(&shares, start, 20, &[("a", 100), ("b", 300)]);
        let all: u32 = taken.iter().sum();
        assert!((2000..=2200).contains(&all) && taken.iter().all(|taken| *taken >= 950), "{taken:?}");
    }

    #[test]
    fn a_crowd_cannot_take_more_than_is_there() {
        let (shares, start) = (Shares::new(10), Instant::now());
        let crowd = |at| (0..1000).filter(|n| shares.take(&format!("{at:?}{n}"), at).is_ok()).count();
        // a second's worth, and one that is owed
        assert_eq!(crowd(start), 20);
        assert_eq!(crowd(start + Duration::from_secs(1)), 10);
        for second in 2..20 {
            let at = start + Duration::from_secs(second);
            let let_in = (0..CALLERS_COUNTED_MAX).filter(|n| shares.take(&format!("{second}-{n}"), at).is_ok());
            assert_eq!(let_in.count(), 10);
        }
        assert!(shares.inner.lock().unwrap().as_ref().unwrap().by_caller.len() <= CALLERS_COUNTED_MAX);
    }

    #[test]
    fn who_is_refused_is_told_when_to_come() {
        let (shares, start) = (Shares::new(2), Instant::now());
        assert!((0..2).all(|_| shares.take("a", start).is_ok()));
        let wait = shares.take("a", start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        assert_eq!(shares.take("a", start + wait), Ok(()));
        assert!((0..100).all(|_| Shares::new(0).take("a", start).is_ok()));
    }
}
