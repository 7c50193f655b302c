//! The thread that commits, and answers the calls of each commit.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Commit, Shared};
use crate::queues::Error;
use crate::store::Store;

/// What the thread owns.
pub(super) struct Writer {
    shared: Arc<Shared>,
    store: Arc<Store>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, store: Arc<Store>) -> Self {
        Self { shared, store }
    }

    pub(super) fn run(self) {
        // If this thread panics, nobody waits for it for ever.
        let _leaving = Leaving(self.shared.clone());
        while let Some(commit) = self.next() {
            commit.carry_out(&self.store, |calls, took, failed| self.finish(calls, took, failed));
        }
    }

    /// Sleeps until something is handed over; nothing when there will be nothing more.
    fn next(&self) -> Option<Commit> {
        let mut state = self.shared.lock();
        loop {
            if let Some(commit) = state.handed.take() {
                return Some(commit);
            }
            if state.is_done {
                return None;
            }
            state = self.shared.writer.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, calls: usize, took: Duration, failed: Option<&Error>) {
        let mut state = self.shared.lock();
        state.is_writing = false;
        state.failed = failed.cloned();
        state.finished = Some((calls, took));
        if state.is_worker_asleep {
            self.shared.worker.notify_one();
        }
    }
}

/// Stops the worker when it is dropped.
struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.end();
        self.0.worker.notify_one();
    }
}
