//! What is worked on right now: for people who watch, and for those who wait for a file. Nothing is decided by it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pipeline::object::ReceiptId;
use pipeline::preset::Stage;

/// What is worked on right now.
#[derive(Debug, Default)]
pub struct Live {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    working: BTreeMap<ReceiptId, Working>,
    /// Files that a stage was done with since somebody asked, in the order in which that happened.
    touched: Vec<ReceiptId>,
    is_watched: bool,
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
    /// From now on files that were worked on are remembered until they are asked for.
    pub fn watch(&self) {
        self.lock().is_watched = true;
    }

    /// Files that a stage was done with since the last call; waits for so long if there are none.
    pub fn touched(&self, patience: Duration) -> Vec<ReceiptId> {
        let mut state = self.lock();
        if state.touched.is_empty() {
            state = self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut state.touched)
    }

    /// What is worked on.
    pub fn working(&self) -> BTreeMap<ReceiptId, Working> {
        self.lock().working.clone()
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
        if state.is_watched {
            state.touched.extend(ids);
            drop(state);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
