//! The worker of a queue: receives a batch, does its stage on each message, and commits all of it with the
//! acknowledgements in one transaction.
//!
//! In a batch, the first failure of a group fails the rest of that group and no other. What fails is given back with a
//! note that says why; after the last receive it is a dead letter.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use pipeline::message::Message;
use pipeline::object::ReceiptId;

use super::dead::Told;
use super::{Shared, dead, now};
use crate::limits::RECEIVE_MESSAGES_MAX;
use crate::plan::Line;
use crate::queues::{self, Lease, Queue, Received};
use crate::session::{FlushError, Session};
use crate::{objects, store};

/// A batch that has taken so long is committed before the next message of it is handled, so that others see what is done.
const BATCH_MAX: Duration = Duration::from_millis(100);
/// How long a worker sleeps before it looks whether it shall stop.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a message waits before it is tried again; doubled with each attempt.
const BACKOFF_MS: u64 = 500;

/// Works until the engine stops.
pub(super) fn run(shared: &Shared, line: &Line) {
    let Ok(queue) = shared.queues.queue(&line.name) else { return };
    while !shared.is_stopping() {
        match shared.queues.receive(queue, RECEIVE_MESSAGES_MAX, None, now()).wait() {
            Ok(received) if received.is_empty() => wait(shared, queue),
            Ok(received) => Batch { shared, line, files: Vec::new() }.handle(received),
            Err(queues::Error::Closed) => return,
            // the disk is full or the like: nothing was received, so nothing counts as tried
            Err(_) => std::thread::sleep(PATIENCE),
        }
    }
}

/// Waits until the queue has something to receive, or the engine stops. A queue that stays empty is asked once.
fn wait(shared: &Shared, queue: Queue) {
    let mut ready = shared.queues.ready(queue, now());
    while !shared.is_stopping() {
        match ready.wait_for(PATIENCE) {
            None => {}
            Some(Ok(())) => return,
            Some(Err(_)) => return std::thread::sleep(PATIENCE),
        }
    }
}

struct Batch<'a> {
    shared: &'a Shared,
    line: &'a Line,
    /// Files whose messages were handled since the last commit.
    files: Vec<ReceiptId>,
}

impl Batch<'_> {
    fn handle(mut self, received: Vec<Received>) {
        let mut failed: BTreeSet<Option<String>> = BTreeSet::new();
        let (mut session, mut since) = (self.session(), Instant::now());
        let mut done: Vec<Received> = Vec::new();
        for message in received {
            if self.line.is_fifo && failed.contains(&message.group) {
                self.put_back(&message);
                continue;
            }
            if self.line.is_step_by_step {
                failed.extend(self.step_by_step(message));
                continue;
            }
            match self.one(&session, &message) {
                Ok(()) => done.push(message),
                Err(Failed::Outage) => {
                    drop(std::mem::replace(&mut session, self.session()));
                    std::thread::sleep(PATIENCE);
                    std::mem::take(&mut done).iter().for_each(|message| self.put_back(message));
                    self.put_back(&message);
                    failed.insert(message.group);
                    since = Instant::now();
                }
                Err(why @ (Failed::Told(_) | Failed::Overtaken)) => {
                    // what was staged for a message that failed must not be committed with those before it
                    let staged = std::mem::replace(&mut session, self.session());
                    drop(staged);
                    let before = std::mem::take(&mut done);
                    failed.extend(self.one_by_one(before));
                    if matches!(why, Failed::Overtaken) && self.line.is_fifo && failed.contains(&message.group) {
                        self.put_back(&message);
                    } else {
                        failed.extend(self.failed(message, why));
                    }
                    since = Instant::now();
                }
            }
            if session.wants_flush() || since.elapsed() >= BATCH_MAX {
                let staged = std::mem::replace(&mut session, self.session());
                failed.extend(self.flush(staged, std::mem::take(&mut done)));
                since = Instant::now();
            }
        }
        self.flush(session, done);
    }

    fn session(&self) -> Session {
        Session::batch(&self.shared.objects, self.shared.route.clone(), now())
    }

    /// Does the stage on one message.
    fn one(&mut self, session: &Session, received: &Received) -> Result<(), Failed> {
        let text = String::from_utf8_lossy(&received.body);
        let message = Message::from_json(&text)
            .map_err(|error| Failed::Told(Box::new(Told::unknown(self.line, received, &error))))?;
        let (file, since) = (dead::file_of(&message), Instant::now());
        if let Some(file) = &file {
            self.shared.live.begins(file, self.line.stage);
        }
        let handled = catch_unwind(AssertUnwindSafe(|| {
            self.shared.with_call(session, received.receives, |pipeline, call| pipeline.handle(&message, call))
        }));
        if let Some(file) = &file {
            self.shared.live.ends(file);
        }
        self.files.extend(file);
        if session.is_overtaken() {
            return Err(Failed::Overtaken);
        }
        if !matches!(&handled, Ok(Err(error)) if is_outage(error)) {
            let failed = !matches!(handled, Ok(Ok(_)));
            self.shared.live.tally((self.line.preset, self.line.stage), failed, since.elapsed());
        }
        match handled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_outage(&error) => Err(Failed::Outage),
            Ok(Err(error)) => Err(Failed::Told(Box::new(Told::error(self.line, received, &message, &error)))),
            Err(panic) => Err(Failed::Told(Box::new(Told::panic(self.line, received, &message, panic.as_ref())))),
        }
    }

    /// Commits what was staged with the acknowledgements; groups that failed after all are the answer.
    fn flush(&mut self, session: Session, done: Vec<Received>) -> BTreeSet<Option<String>> {
        if done.is_empty() {
            return BTreeSet::new();
        }
        let leases: Vec<Lease> = done.iter().map(|message| message.lease).collect();
        match session.flush(leases, now()) {
            Ok(()) => {
                self.shared.live.tell(self.files.drain(..));
                BTreeSet::new()
            }
            Err(FlushError::Changed { .. } | FlushError::Refused(_)) if done.len() > 1 => self.one_by_one(done),
            Err(FlushError::Changed { .. }) => self.again(done),
            // the disk does not take it: no fault of these messages
            Err(FlushError::Failed(_)) => {
                std::thread::sleep(PATIENCE);
                done.iter().for_each(|message| self.put_back(message));
                done.into_iter().map(|message| message.group).collect()
            }
            Err(error) => {
                let mut groups = BTreeSet::new();
                for message in done {
                    let told = Told::flush(self.line, &message, &error);
                    self.give_back(&message, &told);
                    groups.insert(message.group);
                }
                groups
            }
        }
    }

    /// Handles messages again, each with a commit of its own.
    fn one_by_one(&mut self, messages: Vec<Received>) -> BTreeSet<Option<String>> {
        let mut failed = BTreeSet::new();
        for message in messages {
            if self.line.is_fifo && failed.contains(&message.group) {
                self.put_back(&message);
                continue;
            }
            failed.extend(self.again(vec![message]));
        }
        failed
    }

    /// Handles one message for as long as others change what it decides by, within reason.
    fn again(&mut self, message: Vec<Received>) -> BTreeSet<Option<String>> {
        let Some(message) = message.into_iter().next() else { return BTreeSet::new() };
        for _ in 0..TRIES_MAX {
            let session = self.session();
            match self.one(&session, &message) {
                Ok(()) => {}
                Err(Failed::Outage) => break,
                Err(why) => return self.failed(message, why),
            }
            match session.flush(vec![message.lease], now()) {
                Ok(()) => {
                    self.shared.live.tell(self.files.drain(..));
                    return BTreeSet::new();
                }
                Err(FlushError::Changed { .. }) => {}
                Err(FlushError::Failed(_)) => break,
                Err(error) => {
                    let told = Told::flush(self.line, &message, &error);
                    self.give_back(&message, &told);
                    return BTreeSet::from([message.group]);
                }
            }
        }
        // the disk takes nothing, or others are at the same records all the time: no fault of this message
        std::thread::sleep(PATIENCE);
        self.put_back(&message);
        BTreeSet::from([message.group])
    }

    /// A message that was not done.
    fn failed(&mut self, message: Received, why: Failed) -> BTreeSet<Option<String>> {
        match why {
            Failed::Overtaken => return self.step_by_step(message),
            Failed::Outage => {
                std::thread::sleep(PATIENCE);
                self.put_back(&message);
            }
            Failed::Told(told) => self.give_back(&message, &told),
        }
        BTreeSet::from([message.group])
    }

    /// Handles one message with each of its steps committed by itself, so that of many steps only those are decided anew
    /// that others have changed. The acknowledgement comes last: until then, what is done is known by its sources.
    fn step_by_step(&mut self, message: Received) -> BTreeSet<Option<String>> {
        let session = Session::immediate(&self.shared.objects, self.shared.route.clone(), now());
        if let Err(why) = self.one(&session, &message) {
            return self.failed(message, why);
        }
        self.flush(self.session(), vec![message])
    }

    /// Gives a message back that was not tried, or could not be for no fault of its own.
    fn put_back(&self, message: &Received) {
        // for as long as the disk takes nothing, nobody else can have it either
        while let Err(queues::Error::Store(_)) = self.shared.queues.put_back(message.lease, now()).wait() {
            if self.shared.is_stopping() {
                return;
            }
            std::thread::sleep(PATIENCE);
        }
    }

    /// Gives a message back, to come again after a while; after its last receive it is a dead letter.
    fn give_back(&self, message: &Received, told: &Told) {
        let is_last = message.receives >= self.line.receives_max;
        let backoff_ms = if is_last { 0 } else { BACKOFF_MS << message.receives.saturating_sub(1).min(8) };
        let held = self.shared.queues.hold(message.lease, backoff_ms, Some(told.to_json()), now()).wait();
        if is_last && held.is_ok() {
            dead::tell(self.shared, self.line, message.lease.id(), told);
            dead::mark(self.shared, told);
        }
    }
}

/// Times a message is handled anew because others changed what it decided by.
const TRIES_MAX: usize = 20;

/// Why a message was not done.
enum Failed {
    /// Nothing can be written now: that says nothing about the message.
    Outage,
    /// It has very many steps, and others changed what the first of them were decided by.
    Overtaken,
    /// Its attempt failed.
    Told(Box<Told>),
}

/// Whether the disk is full or may not be written.
fn is_outage(error: &pipeline::handle::Error) -> bool {
    let causes = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    causes.into_iter().any(|cause| {
        let of_store = |error: &queues::Error| {
            matches!(error, queues::Error::Store(store::Error::Full { .. } | store::Error::ReadOnly { .. }))
        };
        let of_objects = |error: &objects::Error| match error {
            objects::Error::Full { .. } | objects::Error::ReadOnly { .. } => true,
            objects::Error::Queues(error) => of_store(error),
            _ => false,
        };
        let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::ReadOnlyFilesystem];
        cause.downcast_ref::<objects::Error>().is_some_and(of_objects)
            || cause.downcast_ref::<queues::Error>().is_some_and(of_store)
            || cause.downcast_ref::<std::io::Error>().is_some_and(|error| kinds.contains(&error.kind()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_fault_of_a_message() {
        let of = |kind: ErrorKind| pipeline::handle::Error::Bytes { what: "x".into(), cause: kind.into() };
        assert!(is_outage(&of(ErrorKind::StorageFull)));
        assert!(!is_outage(&of(ErrorKind::InvalidData)));
        let full = objects::Error::Full { tried: "write".into() };
        let port = pipeline::ports::Error::Unavailable { what: "write".into(), cause: full.into() };
        assert!(is_outage(&pipeline::handle::Error::Port(port)));
    }
}
