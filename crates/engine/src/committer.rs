//! Many callers, one sync of the disk: calls are carried out one after the other by one thread, on the scheduler that
//! only it sees; what they changed is committed together by a second thread; then they are answered. A few calls with nobody
//! behind them are committed by the first thread itself: to wake another takes longer than what it would save.
//!
//! While a commit is on its way, the calls that come meanwhile are carried out on top of it and wait for the next. So
//! the scheduler may be ahead of the disk, but no answer ever is. When a commit fails, all of its calls get the error,
//! and so do those that were carried out on top of it; then the scheduler is made anew from what the store has.

mod sweep;
mod worker;
mod writer;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::limits::CALLS_WAITING_MAX;
use crate::pending::{Pending, Reply, pending};
use crate::queues::{Error, Millis, Queue, Result};
use crate::scheduler::{Batch, Scheduler};
use crate::store::Store;
use worker::Worker;
use writer::Writer;

/// A call: changes the scheduler, and says how to answer when that is durable.
type Call = Box<dyn FnOnce(&mut Turn<'_>) -> Answer + Send>;
/// Answers a call, given how the commit went.
type Answer = Box<dyn FnOnce(&Result<()>) + Send>;

/// What a call may use.
pub(crate) struct Turn<'a> {
    pub(crate) scheduler: &'a mut Scheduler,
    pub(crate) store: &'a Store,
    pub(crate) batch: &'a mut Batch,
    waiters: &'a mut Vec<(Queue, Reply<()>)>,
}

impl Turn<'_> {
    /// Has `reply` answered when the queue has something to receive.
    pub(crate) fn wait_for(&mut self, queue: Queue, reply: Reply<()>) {
        self.waiters.push((queue, reply));
    }

    /// Answers all who wait for a queue, whatever is in it.
    pub(crate) fn wake(&mut self) {
        self.waiters.drain(..).for_each(|(_, reply)| reply.send(Ok(())));
    }
}

/// The two threads, and the calls that wait for them.
#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What callers and both threads share.
struct Shared {
    state: Mutex<State>,
    /// Wakes the thread that carries out calls.
    worker: Condvar,
    /// Wakes the thread that commits.
    writer: Condvar,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    is_worker_asleep: bool,
    /// No more calls are taken.
    is_closed: bool,
    /// What the writer is to commit next.
    handed: Option<Commit>,
    /// From the moment something is handed over until it is durable or has failed.
    is_writing: bool,
    /// How many calls the last commit was for and how long it took, until the worker has seen it.
    finished: Option<(usize, Duration)>,
    /// Why the last commit failed, until the scheduler was made anew.
    failed: Option<Error>,
    /// Nothing more is handed over.
    is_done: bool,
}

/// What is committed together, and who waits for it.
struct Commit {
    batch: Arc<Batch>,
    answers: Vec<Answer>,
}

impl Commit {
    /// Makes it durable, lets `finish` know for how many calls that was, how long it took and why it failed, and then answers
    /// the calls: meanwhile the next can be on its way, and who hears of a failure and calls again is not carried out on top
    /// of it.
    fn carry_out(self, store: &Store, finish: impl FnOnce(usize, Duration, Option<&Error>)) {
        let Self { batch, answers } = self;
        let start = Instant::now();
        let committed =
            if batch.changes.is_empty() { Ok(()) } else { store.commit(&batch.changes).map_err(Error::Store) };
        drop(batch);
        finish(answers.len(), start.elapsed(), committed.as_ref().err());
        for answer in answers {
            answer(&committed);
        }
    }
}

impl Committer {
    /// Starts the threads.
    pub(crate) fn start(store: Arc<Store>, scheduler: Scheduler) -> std::io::Result<Self> {
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { state, worker: Condvar::new(), writer: Condvar::new() });
        // From here on, a thread that could not be started has the other one stopped.
        let mut committer = Self { shared: shared.clone(), threads: Vec::new() };
        let spawn =
            |name: &str, work: Box<dyn FnOnce() + Send>| std::thread::Builder::new().name(name.to_owned()).spawn(work);
        let writer = Writer::new(shared.clone(), store.clone());
        committer.threads.push(spawn("millrace-commit", Box::new(move || writer.run()))?);
        let worker = Worker::new(shared, store, scheduler);
        committer.threads.push(spawn("millrace-queues", Box::new(move || worker.run()))?);
        Ok(committer)
    }

    /// Has `work` carried out at the time `now`. It must have changed nothing when it fails.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        now: Millis,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (reply, pending) = pending();
        let call: Call = Box::new(move |turn| {
            turn.scheduler.advance(now, turn.batch);
            let result = work(turn);
            Box::new(move |committed| {
                reply.send(match committed {
                    Ok(()) => result,
                    Err(error) => Err(error.clone()),
                });
            })
        });
        let mut state = self.shared.lock();
        // A call that is dropped instead of being queued answers itself: it is closed.
        if state.is_closed {
            return pending;
        }
        if state.calls.len() >= CALLS_WAITING_MAX {
            drop(state);
            return Pending::ready(Err(Error::Busy { what: "calls waiting for the disk" }));
        }
        state.calls.push(call);
        if state.is_worker_asleep {
            self.shared.worker.notify_one();
        }
        pending
    }
}

impl Drop for Committer {
    /// Calls that wait are carried out and answered first.
    fn drop(&mut self) {
        self.shared.close();
        if self.threads.len() < 2 {
            self.shared.end();
        }
        for thread in self.threads.drain(..) {
            // A panic in a thread was told by the thread.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No more calls are taken.
    fn close(&self) {
        self.lock().is_closed = true;
        self.worker.notify_one();
    }

    /// Nothing more is handed over. Calls that still wait are told that it is closed.
    fn end(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.is_done = true;
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        self.writer.notify_one();
        drop(calls);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
