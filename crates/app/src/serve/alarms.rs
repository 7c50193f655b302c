//! Alarms: what is looked at every few seconds, and what of it is alarming.
//!
//! [`Alarms::evaluate`] is a function of what was seen; the thread that calls it is in `watch`. Changes of state are its
//! answer, so that somebody can be told of each once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::queues;
use engine::runtime::Engine;
use serde::{Deserialize, Serialize};

use super::settings::Alarms as Thresholds;
use crate::limits::KEYS_MAX;

/// Errors are looked at over so long.
const WINDOW_MS: u64 = 5 * 60 * 1000;

/// What was seen at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// Milliseconds since 1970.
    pub at: u64,
    /// Functions, with what they did and failed to do since the process began.
    pub functions: Vec<(String, u64, u64)>,
    /// Queues, with the age of their oldest message in milliseconds.
    pub oldest: Vec<(String, u64)>,
    /// Queues of dead letters, with how many there are.
    pub dead: Vec<(String, u64)>,
    /// Keys, with how much they used of how much they may in this day.
    pub quotas: Vec<(String, u64, u64)>,
}

/// One alarm, on or off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::serve) struct State {
    /// `errors/file-validator`, `dead-letters/validator-dlq`, `oldest-message/…`, `quota/…`.
    pub name: String,
    #[serde(serialize_with = "as_word", deserialize_with = "of_word", rename = "state")]
    pub is_on: bool,
    /// Since when it is so, in milliseconds since 1970.
    pub since: u64,
    /// What was seen last.
    pub value: f64,
    /// Above this it is on.
    pub threshold: f64,
    pub unit: String,
    /// For people.
    pub reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn as_word<S: serde::Serializer>(is_on: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(if *is_on { "alarm" } else { "ok" })
}

fn of_word<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(from)? == "alarm")
}

/// What names of alarms about functions begin with.
const OF_ERRORS: &str = "errors/";

/// Under which the alarms that are on are kept in the store.
const PREFIX: &str = "alarms/";

/// Alarms that are kept, at most: there is one for each queue, function and key.
const KEPT_MAX: usize = KEYS_MAX + 10_000;

impl State {
    /// What is kept of it, so that a restart neither tells it again nor forgets to tell its end: what is on, while it is.
    pub fn record(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let kept = self.is_on.then(|| serde_json::to_vec(self).unwrap_or_default());
        (format!("{PREFIX}{}", self.name).into_bytes(), kept)
    }
}

#[derive(Debug, Default)]
struct Inner {
    states: BTreeMap<String, State>,
    /// What functions had done and failed to do at moments of the last minutes, the oldest first.
    windows: BTreeMap<String, VecDeque<(u64, u64, u64)>>,
    /// Alarms that were on when the service last ran, and are about what is measured over a while.
    kept: BTreeSet<String>,
}

/// All alarms.
#[derive(Debug, Default)]
pub(in crate::serve) struct Alarms(Mutex<Inner>);

impl Alarms {
    /// With those that were on when the service last ran.
    pub fn kept(engine: &Engine) -> queues::Result<Self> {
        let alarms = Self::default();
        let records = engine.queues().records(PREFIX.as_bytes(), None, KEPT_MAX)?;
        // one that cannot be read is found out anew
        let states = records.iter().filter_map(|(_, value)| serde_json::from_slice::<State>(value).ok());
        alarms.keep(states);
        Ok(alarms)
    }

    fn keep(&self, states: impl Iterator<Item = State>) {
        let mut inner = self.lock();
        inner.states = states.map(|state| (state.name.clone(), state)).collect();
        inner.kept = inner.states.keys().filter(|name| name.starts_with(OF_ERRORS)).cloned().collect();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All alarms as they stand, by name.
    pub fn states(&self) -> Vec<State> {
        self.lock().states.values().cloned().collect()
    }

    /// Takes in what was seen. Answers what went on, and what went off again.
    pub fn evaluate(&self, sample: &Sample, thresholds: &Thresholds) -> Vec<State> {
        let mut inner = self.lock();
        let mut seen: Vec<State> = Vec::new();
        let mut see = |name: String, value: f64, threshold: u32, unit: &str, reason: String| {
            let (threshold, unit) = (f64::from(threshold), unit.to_owned());
            seen.push(State { name, is_on: value > threshold, since: sample.at, value, threshold, unit, reason });
        };
        for (function, done, failed) in &sample.functions {
            let (done, failed) = inner.within_window(function, sample.at, *done, *failed);
            let percent = if failed == 0 { 0.0 } else { 100.0 * failed as f64 / (done + failed) as f64 };
            let reason = format!("{function} failed in {failed} of {} attempts within 5 minutes", done + failed);
            see(format!("{OF_ERRORS}{function}"), percent, thresholds.errors_percent, "percent", reason);
        }
        for (queue, count) in &sample.dead {
            see(
                format!("dead-letters/{queue}"),
                *count as f64,
                0,
                "messages",
                format!("{queue} holds {count} dead letters"),
            );
        }
        for (queue, age) in &sample.oldest {
            let seconds = *age as f64 / 1000.0;
            let reason = format!("the oldest message of {queue} was sent {seconds:.0} s ago");
            see(format!("oldest-message/{queue}"), seconds, thresholds.oldest_message_seconds, "seconds", reason);
        }
        for (key, used, most) in sample.quotas.iter().filter(|(_, _, most)| *most > 0) {
            let percent = 100.0 * *used as f64 / *most as f64;
            let reason = format!("key {key} made {used} of {most} uploads of today");
            see(format!("quota/{key}"), percent, thresholds.quota_percent, "percent", reason);
        }
        inner.take(seen, sample.at)
    }
}

impl Inner {
    /// What a function did and failed to do within the window that ends now.
    fn within_window(&mut self, function: &str, at: u64, done: u64, failed: u64) -> (u64, u64) {
        let window = self.windows.entry(function.to_owned()).or_default();
        if window.is_empty() {
            // before the first look, nothing was done that could be seen
            window.push_back((at, 0, 0));
        }
        window.push_back((at, done, failed));
        while window.get(1).is_some_and(|(then, _, _)| at.saturating_sub(*then) >= WINDOW_MS) {
            window.pop_front();
        }
        let (_, done_then, failed_then) = window.front().copied().unwrap_or_default();
        (done.saturating_sub(done_then), failed.saturating_sub(failed_then))
    }

    /// Whether an alarm that is kept would end only because nothing is known of the time before the start: it goes on until
    /// it is found to be on, or a whole window was looked at.
    fn is_unmeasured(&mut self, now: &State) -> bool {
        if !self.kept.contains(&now.name) {
            return false;
        }
        let window = now.name.strip_prefix(OF_ERRORS).and_then(|function| self.windows.get(function));
        let began = window.and_then(|window| window.front()).map_or(now.since, |(at, _, _)| *at);
        let is_measured = now.is_on || now.since.saturating_sub(began) >= WINDOW_MS;
        if is_measured {
            self.kept.remove(&now.name);
        }
        !is_measured
    }

    fn take(&mut self, seen: Vec<State>, at: u64) -> Vec<State> {
        let mut changes = Vec::new();
        // what is not looked at any more, as the quota of a day that is over, is alarming no longer
        for state in self.states.values_mut() {
            if state.is_on && !seen.iter().any(|now| now.name == state.name) {
                (state.is_on, state.since, state.value) = (false, at, 0.0);
                changes.push(state.clone());
            }
        }
        self.states.retain(|name, state| state.is_on || seen.iter().any(|now| now.name == *name));
        for mut now in seen {
            if self.is_unmeasured(&now) {
                continue;
            }
            let before = self.states.get(&now.name);
            let changed = before.map_or(now.is_on, |before| before.is_on != now.is_on);
            if let Some(before) = before.filter(|_| !changed) {
                now.since = before.since;
            }
            if changed {
                changes.push(now.clone());
            }
            self.states.insert(now.name.clone(), now);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluates samples a minute apart, and answers what changed with each.
    fn drill(samples: Vec<Sample>) -> Vec<Vec<(String, bool)>> {
        drill_on(&Alarms::default(), samples)
    }

    fn drill_on(alarms: &Alarms, samples: Vec<Sample>) -> Vec<Vec<(String, bool)>> {
        let told = |(minute, sample): (usize, Sample)| {
            let sample = Sample { at: minute as u64 * 60_000, ..sample };
            let changes = alarms.evaluate(&sample, &Thresholds::default());
            changes.into_iter().map(|state| (state.name, state.is_on)).collect()
        };
        samples.into_iter().enumerate().map(told).collect()
    }

    fn change(name: &str, is_on: bool) -> Vec<(String, bool)> {
        vec![(name.to_owned(), is_on)]
    }

    #[test]
    fn errors_of_a_function_fire_above_five_percent_within_five_minutes() {
        let seen =
            |done, failed| Sample { functions: vec![("file-validator".into(), done, failed)], ..Sample::default() };
        let fired = drill(vec![
            seen(0, 0),
            seen(95, 5),
            seen(95, 6),
            seen(95, 6),
            seen(95, 6),
            seen(95, 6),
            seen(95, 6),
            seen(96, 6),
            seen(97, 6),
        ]);
        let name = "errors/file-validator";
        assert_eq!(fired[1], []);
        assert_eq!(fired[2], change(name, true));
        assert_eq!(fired[3..6], vec![vec![]; 3]);
        // what was done and failed before the window is not in it: one failure is left, and nothing done
        assert_eq!(fired[6], []);
        assert_eq!(fired[7], change(name, false));
    }

    #[test]
    fn a_start_ends_no_alarm_about_what_was_before_it() {
        let name = "errors/file-validator";
        let on = State {
            name: name.to_owned(),
            is_on: true,
            since: 0,
            value: 50.0,
            threshold: 5.0,
            unit: "percent".to_owned(),
            reason: "file-validator failed in 5 of 10 attempts within 5 minutes".to_owned(),
        };
        let seen = |done, failed| Sample {
            functions: vec![("file-validator".into(), done, failed)],
            dead: vec![("validator-dlq".into(), 0)],
            ..Sample::default()
        };
        let dead = State { name: "dead-letters/validator-dlq".to_owned(), ..on.clone() };
        let started = || {
            let alarms = Alarms::default();
            alarms.keep([on.clone(), dead.clone()].into_iter());
            alarms
        };
        // a window without failures ends it, and what can be counted at once is known at once
        let alarms = started();
        let changes = drill_on(&alarms, vec![seen(0, 0), seen(0, 0), seen(1, 0), seen(9, 0), seen(9, 0), seen(9, 0)]);
        assert_eq!(changes[0], change(&dead.name, false));
        assert_eq!(changes[1..5], vec![vec![]; 4]);
        assert_eq!(changes[5], change(name, false));
        // until then it is told as it was
        let alarms = started();
        drill_on(&alarms, vec![seen(0, 0), seen(9, 0)]);
        assert!(alarms.states().contains(&on), "{:?}", alarms.states());
        // found to be so again, it is one as any other
        let changes = drill_on(&started(), vec![seen(0, 0), seen(1, 1), seen(90, 1)]);
        assert_eq!(changes[1..], [vec![], change(name, false)]);
    }

    #[test]
    fn a_dead_letter_fires_until_it_is_gone() {
        let seen = |count| Sample { dead: vec![("validator-dlq".into(), count)], ..Sample::default() };
        let fired = drill(vec![seen(0), seen(1), seen(2), seen(0)]);
        let name = "dead-letters/validator-dlq";
        assert_eq!(fired, [vec![], change(name, true), vec![], change(name, false)]);
    }

    #[test]
    fn an_old_message_fires() {
        let seen = |age| Sample { oldest: vec![("ProcessingQueue".into(), age)], ..Sample::default() };
        let fired = drill(vec![seen(900_000), seen(900_001), seen(0)]);
        let name = "oldest-message/ProcessingQueue";
        assert_eq!(fired, [vec![], change(name, true), change(name, false)]);
    }

    #[test]
    fn a_quota_fires_above_four_fifths_and_ends_with_its_day() {
        let seen = |used| Sample { quotas: vec![("k".into(), used, 1000)], ..Sample::default() };
        let fired = drill(vec![seen(800), seen(801), Sample::default()]);
        assert_eq!(fired, [vec![], change("quota/k", true), change("quota/k", false)]);
    }

    #[test]
    fn states_say_since_when() {
        let alarms = Alarms::default();
        for at in [1, 2, 3] {
            let sample = Sample { at, dead: vec![("q".into(), at - 1)], ..Sample::default() };
            alarms.evaluate(&sample, &Thresholds::default());
        }
        let json = serde_json::to_value(alarms.states()).unwrap();
        assert_eq!((json[0]["state"].as_str(), json[0]["since"].as_u64()), (Some("alarm"), Some(2)));
        assert_eq!((json[0]["value"].as_f64(), json[0]["name"].as_str()), (Some(2.0), Some("dead-letters/q")));
    }
}
