//! What is worked on right now: for people who watch, and for those who wait for a file. Nothing is decided by it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use pipeline::object::ReceiptId;
use pipeline::preset::{Preset, Stage};

/// What is worked on right now.
#[derive(Debug, Default)]
pub struct Live {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    working: BTreeMap<ReceiptId, Working>,
    watchers: Vec<Weak<Mutex<Vec<ReceiptId>>>>,
    tallies: BTreeMap<(Preset, Stage), Tally>,
}

/// Attempts at a stage since the engine was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts that did what they should; whether it counts is decided by the commit.
    pub done: u64,
    /// Attempts that failed, for no outage of the disk.
    pub failed: u64,
    /// Time that all of them took together.
    pub took: Duration,
}

/// Hears of files from when it was made until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    live: Arc<Live>,
    /// Files that a stage was done with since somebody asked, in the order in which that happened.
    touched: Arc<Mutex<Vec<ReceiptId>>>,
}

impl Watcher {
    /// Files that a stage was done with since the last call; waits for so long if there are none.
    pub fn touched(&self, patience: Duration) -> Vec<ReceiptId> {
        let state = self.live.lock();
        let found = std::mem::take(&mut *lock(&self.touched));
        if !found.is_empty() {
            return found;
        }
        drop(self.live.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner));
        std::mem::take(&mut *lock(&self.touched))
    }
}

/// A file that a stage is at.
#[derive(Debug, Clone)]
pub struct Working {
    /// The stage.
    pub stage: Stage,
    /// Since when.
    pub since: Instant,
    /// Bytes that were read, and of how many; while it is parsed.
    pub read: Option<(Arc<AtomicU64>, u64)>,
}

impl Working {
    /// Bytes that were read, and of how many.
    pub fn bytes(&self) -> Option<(u64, u64)> {
        self.read.as_ref().map(|(counter, total)| (counter.load(Ordering::Relaxed), *total))
    }
}

impl Live {
    /// Hears of files from now on.
    pub fn watch(self: &Arc<Self>) -> Watcher {
        let touched = Arc::default();
        self.lock().watchers.push(Arc::downgrade(&touched));
        Watcher { live: self.clone(), touched }
    }

    /// What is worked on.
    pub fn working(&self) -> BTreeMap<ReceiptId, Working> {
        self.lock().working.clone()
    }

    /// Attempts at each stage since the engine was opened.
    pub fn tallies(&self) -> BTreeMap<(Preset, Stage), Tally> {
        self.lock().tallies.clone()
    }

    pub(super) fn tally(&self, stage: (Preset, Stage), failed: bool, took: Duration) {
        let mut state = self.lock();
        let tally = state.tallies.entry(stage).or_default();
        *(if failed { &mut tally.failed } else { &mut tally.done }) += 1;
        tally.took += took;
    }

    pub(super) fn begins(&self, id: &ReceiptId, stage: Stage) {
        let working = Working { stage, since: Instant::now(), read: None };
        self.lock().working.insert(id.clone(), working);
    }

    pub(super) fn reads(&self, id: &ReceiptId, counter: Arc<AtomicU64>, total: u64) {
        if let Some(working) = self.lock().working.get_mut(id) {
            working.read = Some((counter, total));
        }
    }

    pub(super) fn ends(&self, id: &ReceiptId) {
        self.lock().working.remove(id);
    }

    /// A commit about these files is durable.
    pub(super) fn tell(&self, ids: impl IntoIterator<Item = ReceiptId>) {
        let mut state = self.lock();
        if state.watchers.is_empty() {
            return;
        }
        let ids: Vec<ReceiptId> = ids.into_iter().collect();
        state.watchers.retain(|watcher| match watcher.upgrade() {
            Some(touched) => {
                lock(&touched).extend_from_slice(&ids);
                true
            }
            None => false,
        });
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
