//! A route that is shared: all callers together may ask so often, and while they want more than that, each has an even
//! share of it.
//!
//! Each caller has a bucket that holds a second's worth of their share, and is full when they come. A share is the rate of the
//! route by the number of callers who asked in this second or the one before. What the others leave over is for whoever asks
//! for more than their share; half a second's worth is kept from who goes on to. So that somebody who comes finds their share
//! though others have just taken all there was, a second's worth may be owed: the fuller a bucket is, the deeper its caller
//! may bring the route into debt, and half as deep whoever asked for more than their share of late. Those who take all they
//! can never bring it so deep that somebody finds nothing who asks for no more than their share, and not for most of it at
//! once.

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

/// The bucket of one caller.
#[derive(Debug)]
struct Own {
    tokens: f64,
    /// How many it could hold; it stays as full when that changes.
    held: f64,
    at: Instant,
    /// In which they asked last.
    second: u64,
    /// In which they last asked for more than their share, and in which they began to.
    over: Option<(u64, u64)>,
}

/// Tokens that a bucket holds, at least: one to be taken, and one by which it is seen whether it is full.
const HELD_MIN: f64 = 2.0;

impl Shares {
    /// With 0 there is no limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), inner: Mutex::default() }
    }

    /// Takes a token for a caller, or says when there is one for them, if nobody else takes it.
    pub fn take(&self, caller: &str, now: Instant) -> Result<(), Duration> {
        let rate = self.per_second;
        if rate == 0.0 {
            return Ok(());
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = inner.get_or_insert_with(|| Inner::new(rate, now));
        inner.turn(rate, now);
        let (second, share) = (inner.second, rate / inner.with(caller) as f64);
        let held = share.max(HELD_MIN);
        let fresh = || Own { tokens: held, held, at: now, second, over: None };
        let own = inner.by_caller.entry(caller.to_owned()).or_insert_with(fresh);
        let more = now.saturating_duration_since(own.at).as_secs_f64() * share;
        let tokens = (own.tokens * (held / own.held) + more).min(held);
        (own.tokens, own.held, own.at, own.second) = (tokens, held, now.max(own.at), second);
        own.over = own.over.filter(|(last, _)| last + 1 >= second);
        if tokens < 1.0 {
            own.over = Some((second, own.over.map_or(second, |(_, first)| first)));
        }
        // of what is left over, half a second's worth is kept from who goes on asking for too much
        let goes_on = own.over.is_some_and(|(_, first)| first < second);
        let kept = if goes_on && rate >= HELD_MIN { rate / 2.0 } else { 0.0 };
        // what the route may owe to somebody whose bucket is all but empty, and how much more with one that is full
        let (least, more) = if own.over.is_some() { (0.0, rate / 2.0) } else { (rate / 2.0, rate / 2.0) };
        let may_owe = least + more * (tokens - 1.0) / (held - 1.0);
        if tokens >= 1.0 && inner.left - 1.0 >= -may_owe {
            own.tokens -= 1.0;
            inner.left -= 1.0;
            return Ok(());
        }
        if inner.left - 1.0 >= kept {
            inner.left -= 1.0;
            return Ok(());
        }
        let over = (1.0 + kept - inner.left) / rate;
        // the bucket fills while the debt is paid, until it is full
        let filling = (1.0 - inner.left - may_owe) / (rate + more * share / (held - 1.0));
        let full = (1.0 - inner.left - least - more) / rate;
        let of_own = filling.max(full).max((1.0 - tokens) / share);
        Err(Duration::from_secs_f64(over.min(of_own).max(0.0)))
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
    use std::collections::VecDeque;

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
        assert!((510..=680).contains(&taken[0]), "{taken:?}");
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

    /// Some who ask three times as often as all may, from the start, so many requests at a time; and one who asks evenly, so
    /// often in a second, from then on: how often each of them is let in within so many seconds, how often the one is
    /// refused, and how often all are let in in any one second.
    fn beside(
        rate: u32,
        (loud, together, apart): (u32, u32, f64),
        (quiet, from): (f64, f64),
        seconds: f64,
    ) -> (Vec<u32>, u32, usize) {
        let (shares, start) = (Shares::new(rate), Instant::now());
        let even = |per_second: f64, from: f64, place: usize| {
            let count = ((seconds - from) * per_second) as u32;
            (0..count).map(move |n| (Duration::from_secs_f64(from + f64::from(n) / per_second), place))
        };
        let names: Vec<String> = (0..=loud).map(|place| place.to_string()).collect();
        // none of them asks at the very moment at which another does
        let times = f64::from(3 * rate) / f64::from(together);
        let together = |asked| std::iter::repeat_n(asked, together as usize);
        let mut asked: Vec<_> =
            (1..=loud).flat_map(|at| even(times, f64::from(at) * apart, at as usize).flat_map(together)).collect();
        asked.extend(even(quiet, from, 0));
        asked.sort_unstable();
        let (mut taken, mut refused, mut times) = (vec![0; names.len()], 0, VecDeque::new());
        let mut most = 0;
        for (after, place) in asked {
            if shares.take(&names[place], start + after).is_err() {
                refused += u32::from(place == 0);
                continue;
            }
            taken[place] += 1;
            times.push_back(after);
            while times.front().is_some_and(|first| after - *first >= Duration::from_secs(1)) {
                times.pop_front();
            }
            most = most.max(times.len());
        }
        (taken, refused, most)
    }

    #[test]
    fn whoever_comes_is_let_in_within_their_share_however_many_are_loud() {
        let louds = [
            (100, (1, 1, 0.0017)),
            (100, (3, 1, 0.0017)),
            (100, (19, 1, 0.0)),
            (100, (6, 30, 0.0017)),
            (100, (5, 300, 0.0017)),
            (100, (12, 200, 0.3)),
            (100, (9, 1, 0.4)),
            (1000, (2, 500, 0.01)),
        ];
        for (rate, (loud, together, apart)) in louds {
            let share = f64::from(rate) / f64::from(loud + 1);
            for quiet in [share, 1.5].map(|quiet| f64::min(quiet, share)) {
                for from in [0.003, 1.02, 4.1, 7.77] {
                    let told = format!(
                        "{rate} a second, {loud} are loud by {together} each {apart}, one asks {quiet} times from {from}"
                    );
                    let (taken, refused, most) = beside(rate, (loud, together, apart), (quiet, from), 10.0);
                    assert_eq!(refused, 0, "{told}");
                    let all: u32 = taken.iter().sum();
                    assert!((9 * rate..=12 * rate).contains(&all), "{told}: {all}");
                    assert!(most <= 3 * rate as usize, "{told}: {most} in a second");
                    // who asks for it all at once, behind others who do, has less of it
                    let least = f64::from(*taken[1..].iter().min().unwrap()) / share;
                    assert!(least >= if together == 1 && apart < 0.1 { 9.0 } else { 5.5 }, "{told}: {taken:?}");
                }
            }
        }
    }

    #[test]
    fn whoever_is_told_when_to_come_is_let_in_then() {
        for loud in [1, 4, 12] {
            let (shares, start) = (Shares::new(100), Instant::now());
            let (mut told, mut refused) = (0, HashMap::new());
            for moment in 0..30_000_u32 {
                let now = start + Duration::from_millis(1) * moment / 3;
                let place = moment % (loud + 1);
                if place == 0 {
                    // they ask as fast as they are told to
                    if refused.get(&0).is_some_and(|until| now < *until) {
                        continue;
                    }
                    match shares.take("0", now) {
                        Ok(()) => drop(refused.remove(&0)),
                        Err(wait) => {
                            assert!(!refused.contains_key(&0), "refused again after {moment} thirds of a millisecond");
                            told += 1;
                            // as the header says it, which has whole seconds
                            refused.insert(0, now + Duration::from_secs(wait.as_secs_f64().ceil() as u64));
                        }
                    }
                } else {
                    let _ = shares.take(&place.to_string(), now);
                }
            }
            assert!(told >= 3, "{loud} are loud: refused {told} times");
        }
        // the time is the least, when nobody else asks
        for (rate, others) in [(10, 0), (10, 1), (10, 3), (10, 30), (3, 7)] {
            for taken in [1, 2, 5, 40] {
                let fresh = |wait: Duration| {
                    let (shares, start) = (Shares::new(rate), Instant::now());
                    let mut at = start;
                    for other in 0..others {
                        at += Duration::from_millis(7);
                        (0..taken).for_each(|_| _ = shares.take(&format!("{other}"), at));
                    }
                    let last = (0..100).map(|_| shares.take("me", at)).find(Result::is_err);
                    (last, shares.take("me", at + wait))
                };
                let (Some(Err(wait)), _) = fresh(Duration::ZERO) else { panic!("never refused") };
                let told = format!("{rate} a second, {others} others took {taken}: {wait:?}");
                let slack = Duration::from_micros(1);
                assert_eq!(fresh(wait + slack).1, Ok(()), "{told}");
                assert!(fresh(wait.saturating_sub(slack)).1.is_err(), "{told}");
            }
        }
    }
}
