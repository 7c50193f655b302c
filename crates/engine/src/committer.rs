//! The one thread that changes anything. It takes all calls that wait, carries them out one after the other, makes
//! what they changed durable with one commit, and only then answers them: many callers, one sync of the disk.
//!
//! Since nobody else sees the scheduler, nothing can be seen that is not durable. When a commit fails, all of its calls
//! get the error, and the scheduler is made anew from what the store has before the next call is looked at.

mod sweep;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::limits::{CALLS_WAITING_MAX, COMMIT_BYTES_MAX};
use crate::pending::{Pending, pending};
use crate::queues::{Error, Millis, Result};
use crate::scheduler::{Batch, Scheduler};
use crate::store::Store;
use sweep::Sweep;

/// A call: changes the scheduler, and says how to answer when that is durable.
type Call = Box<dyn FnOnce(&mut Turn<'_>) -> Answer + Send>;
/// Answers a call, given how the commit went.
type Answer = Box<dyn FnOnce(&Result<()>)>;

/// What a call may use.
pub(crate) struct Turn<'a> {
    pub(crate) scheduler: &'a mut Scheduler,
    pub(crate) store: &'a Store,
    pub(crate) batch: &'a mut Batch,
}

/// The committing thread, and the calls that wait for it.
#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

struct Waiting {
    calls: Vec<Call>,
    is_asleep: bool,
    is_closed: bool,
}

impl Committer {
    /// Starts the thread.
    pub(crate) fn start(store: Arc<Store>, scheduler: Scheduler) -> std::io::Result<Self> {
        let waiting = Mutex::new(Waiting { calls: Vec::new(), is_asleep: false, is_closed: false });
        let shared = Arc::new(Shared { waiting, wake: Condvar::new() });
        let (batch, sweep) = (Batch::default(), Sweep::default());
        let worker = Worker { shared: shared.clone(), store, scheduler, batch, is_settled: true, sweep };
        let thread = std::thread::Builder::new().name("millrace-commit".to_owned()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
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
        let mut waiting = lock(&self.shared.waiting);
        // a call that is dropped instead of being queued answers itself with `Closed`
        if waiting.is_closed {
            return pending;
        }
        if waiting.calls.len() >= CALLS_WAITING_MAX {
            drop(waiting);
            return Pending::ready(Err(Error::Busy { what: "calls waiting for the disk" }));
        }
        waiting.calls.push(call);
        if waiting.is_asleep {
            self.shared.wake.notify_one();
        }
        pending
    }
}

impl Drop for Committer {
    /// Calls that wait are carried out first.
    fn drop(&mut self) {
        lock(&self.shared.waiting).is_closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was told by the thread.
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Worker {
    shared: Arc<Shared>,
    store: Arc<Store>,
    scheduler: Scheduler,
    batch: Batch,
    /// False from a failed commit until the scheduler was made anew.
    is_settled: bool,
    sweep: Sweep,
}

impl Worker {
    fn run(mut self) {
        // When this thread ends, however it ends, callers are told instead of waiting for ever.
        let _closing = Closing(self.shared.clone());
        while let Some(calls) = self.next_calls() {
            let mut calls = calls.into_iter();
            while calls.len() > 0 {
                self.commit_some(&mut calls);
            }
        }
    }

    /// Sleeps until there is something to do; nothing when the committer is closed and all is done.
    fn next_calls(&self) -> Option<Vec<Call>> {
        let mut waiting = lock(&self.shared.waiting);
        while waiting.calls.is_empty() {
            if waiting.is_closed {
                return None;
            }
            waiting.is_asleep = true;
            waiting = self.shared.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.is_asleep = false;
        }
        Some(std::mem::take(&mut waiting.calls))
    }

    /// Carries out as many calls as fit one commit, commits, and answers them.
    fn commit_some(&mut self, calls: &mut impl Iterator<Item = Call>) {
        let settled = self.settle();
        self.batch.clear();
        let mut answers = Vec::new();
        for call in calls.by_ref() {
            let mut turn = Turn { scheduler: &mut self.scheduler, store: &self.store, batch: &mut self.batch };
            answers.push(call(&mut turn));
            if self.batch.changes.bytes() > COMMIT_BYTES_MAX {
                break;
            }
        }
        self.scheduler.finish(&mut self.batch);
        let committed = match settled {
            Ok(()) if self.batch.changes.is_empty() => Ok(()),
            Ok(()) => self.store.commit(&mut self.batch.changes).map_err(Error::Store),
            Err(error) => Err(error),
        };
        self.is_settled &= committed.is_ok();
        let (gone, there) = self.scheduler.count();
        self.sweep.count(gone, there, &self.store);
        for answer in answers {
            answer(&committed);
        }
    }

    /// After a failed commit: what is in the store counts, and nothing else.
    fn settle(&mut self) -> Result<()> {
        if !self.is_settled {
            self.store.reopen()?;
            let (scheduler, _) = Scheduler::restore(&self.store, self.scheduler.declared())?;
            self.scheduler = scheduler;
            self.is_settled = true;
        }
        Ok(())
    }
}

/// Closes the queue of calls when it is dropped.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        let mut waiting = lock(&self.0.waiting);
        waiting.is_closed = true;
        let calls = std::mem::take(&mut waiting.calls);
        drop(waiting);
        drop(calls);
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
