//! The thread that carries out calls.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::sweep::Sweep;
use super::{Answer, Call, Commit, Shared, State, Turn};
use crate::limits::COMMIT_BYTES_MAX;
use crate::pending::Reply;
use crate::queues::{Error, Queue, Result};
use crate::scheduler::{Batch, Scheduler};
use crate::store::Store;

/// On a slow disk, a commit waits for so small a part of the time that the last one took.
const LINGER_PART: u32 = 8;
/// Less is not worth waiting for: a thread sleeps for longer.
const LINGER_MIN: Duration = Duration::from_micros(100);

/// So few calls are committed by this thread itself when nobody else waits: to wake the other would take longer than
/// what could be carried out meanwhile.
const OWN_CALLS_MAX: usize = 4;

/// What the thread owns.
pub(super) struct Worker {
    shared: Arc<Shared>,
    store: Arc<Store>,
    scheduler: Scheduler,
    /// What was carried out and not handed over yet.
    batch: Batch,
    answers: Vec<Answer>,
    /// Until when to wait for how many calls before the next commit.
    linger: Option<(Instant, usize)>,
    /// Who waits for something to receive.
    waiters: Vec<(Queue, Reply<()>)>,
    sweep: Sweep,
}

/// What to do next.
enum Step {
    CarryOut(Vec<Call>),
    HandOver,
    /// Commit without the writer.
    Commit,
    /// The last commit failed.
    Settle(Error),
    Stop,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, store: Arc<Store>, scheduler: Scheduler) -> Self {
        let (batch, answers) = (Batch::default(), Vec::new());
        let (waiters, sweep) = (Vec::new(), Sweep::default());
        Self { shared, store, scheduler, batch, answers, linger: None, waiters, sweep }
    }

    pub(super) fn run(mut self) {
        // When this thread ends, however it ends, callers are told instead of waiting for ever.
        let _ending = Ending(self.shared.clone());
        loop {
            match self.next() {
                Step::CarryOut(calls) => self.carry_out(calls),
                Step::HandOver => self.hand_over(),
                Step::Commit => self.commit(),
                Step::Settle(error) => self.settle(error),
                Step::Stop => return,
            }
        }
    }

    /// Sleeps until there is something to do. What is ready is handed over as soon as the writer is free; until then,
    /// more calls come along.
    fn next(&mut self) -> Step {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        loop {
            if state.is_done {
                // Only when the writer is gone before its time: what is open is dropped, and so answered.
                return Step::Stop;
            }
            self.see_finished(&mut state);
            let is_open = !self.answers.is_empty();
            let is_full = self.batch.changes.bytes() >= COMMIT_BYTES_MAX;
            let patience = self.patience(&state);
            if !state.is_writing && (is_open || !state.calls.is_empty()) {
                if let Some(error) = &state.failed {
                    return Step::Settle(error.clone());
                }
                if is_open && (is_full || patience.is_zero()) {
                    let is_small = self.answers.len() <= OWN_CALLS_MAX && state.calls.is_empty();
                    return if is_small { Step::Commit } else { Step::HandOver };
                }
            }
            if !state.calls.is_empty() && !is_full && state.failed.is_none() {
                return Step::CarryOut(std::mem::take(&mut state.calls));
            }
            if state.is_closed && !is_open && state.calls.is_empty() && !state.is_writing {
                return Step::Stop;
            }
            state.is_worker_asleep = true;
            state = if is_open && !state.is_writing {
                shared.worker.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0
            } else {
                shared.worker.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
            state.is_worker_asleep = false;
        }
    }

    /// A commit has just answered its callers. On a slow disk it pays to wait a moment for their next calls: else they
    /// and those who are waiting now take turns for ever, with half of the callers in each commit.
    fn see_finished(&mut self, state: &mut State) {
        let Some((answered, took)) = state.finished.take() else { return };
        let linger = took / LINGER_PART;
        let expected = self.answers.len() + state.calls.len() + answered;
        self.linger = (linger >= LINGER_MIN).then(|| (Instant::now() + linger, expected));
    }

    /// For how long the next commit can still wait for more calls.
    fn patience(&self, state: &State) -> Duration {
        match self.linger {
            Some((until, expected)) if self.answers.len() < expected && !state.is_closed => {
                until.saturating_duration_since(Instant::now())
            }
            _ => Duration::ZERO,
        }
    }

    /// Carries out calls until the commit is full; those that are left go first next time.
    fn carry_out(&mut self, calls: Vec<Call>) {
        let mut calls = calls.into_iter();
        for call in calls.by_ref() {
            let Self { scheduler, store, batch, waiters, .. } = self;
            self.answers.push(call(&mut Turn { scheduler, store, batch, waiters }));
            if self.batch.changes.bytes() >= COMMIT_BYTES_MAX {
                break;
            }
        }
        if calls.len() > 0 {
            self.shared.lock().calls.splice(0..0, calls);
        }
        self.tell_waiters();
    }

    /// Tells those who wait that there is something to receive. That may not be durable yet, but neither would be the
    /// answer to a receive.
    fn tell_waiters(&mut self) {
        let told =
            self.waiters.extract_if(.., |(queue, reply)| self.scheduler.has_ready(*queue) || reply.is_abandoned());
        told.for_each(|(_, reply)| reply.send(Ok(())));
    }

    fn hand_over(&mut self) {
        let commit = self.close();
        let mut state = self.shared.lock();
        state.handed = Some(commit);
        state.is_writing = true;
        drop(state);
        self.shared.writer.notify_one();
        self.count();
    }

    /// Commits what is ready, as the writer would.
    fn commit(&mut self) {
        let commit = self.close();
        commit.carry_out(&self.store, |calls, took, failed| {
            let mut state = self.shared.lock();
            state.finished = Some((calls, took));
            state.failed = failed.cloned();
        });
        self.count();
    }

    fn close(&mut self) -> Commit {
        self.scheduler.finish(&mut self.batch);
        Commit { batch: self.batch.close(), answers: std::mem::take(&mut self.answers) }
    }

    fn count(&mut self) {
        let (gone, there) = self.scheduler.count();
        self.sweep.count(gone, there, &self.store);
    }

    /// After a failed commit: what is in the store counts, and nothing else. While that cannot be had, calls get the
    /// reason.
    fn settle(&mut self, error: Error) {
        self.refuse(&error);
        match self.restore() {
            Ok(()) => self.shared.lock().failed = None,
            Err(error) => {
                let calls = std::mem::take(&mut self.shared.lock().calls);
                self.carry_out(calls);
                self.refuse(&error);
            }
        }
    }

    fn restore(&mut self) -> Result<()> {
        self.store.reopen()?;
        let (scheduler, _) = Scheduler::restore(&self.store, self.scheduler.declared())?;
        self.scheduler = scheduler;
        Ok(())
    }

    /// Answers what was carried out in vain.
    fn refuse(&mut self, error: &Error) {
        self.batch = Batch::default();
        let refused = Err(error.clone());
        for answer in self.answers.drain(..) {
            answer(&refused);
        }
    }
}

/// Ends the writer and all waiting calls when it is dropped.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}
