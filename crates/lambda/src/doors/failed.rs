//! What nobody tries any more is told to the receipts of its files: by the function itself when it had the last attempt, and
//! by what the cloud calls instead, when the function died of it. The dead letter is in its queue either way.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pipeline::arrive::{Arrived, arrive};
use pipeline::message::{Message, Work};
use pipeline::ports::{Commit, Ledger as _};
use pipeline::receipt;

use super::Call;
use crate::events::{Event, Failure, Received};
use crate::function::{Error, Function};
use crate::tell::Told;

impl Function {
    /// A call, or a step of the workflow, that was tried for the last time.
    pub(super) fn failed(&self, failure: Failure, told: &mut Told) -> Result<(), Error> {
        let Failure { of, error, attempts } = failure;
        let attempts = attempts.or(self.topology.workflow.map(|workflow| workflow.attempts_max)).unwrap_or(1);
        match *of {
            Event::Files(files) => {
                for arrived in files {
                    self.given_up(arrived, attempts, &error, told)?;
                }
                Ok(())
            }
            Event::Started(arrived) => self.given_up(arrived, attempts, &error, told),
            Event::Task(message) => self.step_given_up(message, attempts, &error, told),
            // of other calls there is no receipt; and if telling failed, that is not told, or it would never end
            _ => Ok(()),
        }
    }

    /// A file whose first stage is not tried any more. Perhaps it came to nothing before there was a receipt.
    fn given_up(&self, arrived: Arrived, attempts: u32, error: &str, told: &mut Told) -> Result<(), Error> {
        let Some(arriving) = arrive(&self.pipeline.feeds, arrived) else { return Ok(()) };
        let first = arriving.step.sends.first().cloned();
        let commit = Commit { source: arriving.source, expects: Vec::new(), step: arriving.step };
        self.ledger()?.commit(commit)?;
        first.map_or(Ok(()), |message| self.step_given_up(message, attempts, error, told))
    }

    /// A message that nobody tries any more. In a workflow the stage may have done it and not said so in time: then it is those
    /// behind it that are never begun.
    fn step_given_up(&self, mut message: Message, attempts: u32, error: &str, told: &mut Told) -> Result<(), Error> {
        let ledger = self.ledger()?;
        while self.topology.workflow.is_some() && self.is_done(&message)? {
            let Some(next) = ledger.kept(&message.id())?.into_iter().next() else { return Ok(()) };
            message = next;
        }
        told.message(&message);
        self.give_up(&message, attempts, error)
    }

    /// Whether a stage has done its work on a file, or the file was begun anew since: what is given up then is nobody's.
    fn is_done(&self, message: &Message) -> Result<bool, Error> {
        let Some(work) = work_of(message) else { return Ok(false) };
        let known = pipeline::find::by_id(self.ledger()?, &work.receipt())?;
        Ok(known.is_some_and(|known| known.generation() > work.generation || known.is_done(message.stage().1)))
    }

    /// Tells the receipt of a file that a stage gave it up, unless it is done by now: somebody may have redriven it.
    pub(super) fn give_up(&self, message: &Message, attempt: u32, error: &str) -> Result<(), Error> {
        let Some(id) = work_of(message).map(Work::receipt) else { return Ok(()) };
        let (ledger, stage) = (self.ledger()?, message.stage().1);
        if self.is_done(message)? {
            return Ok(());
        }
        let what = receipt::What::Failed { stage, attempt, error: error.to_owned() };
        Ok(pipeline::tell::tell(ledger, &id, receipt::Event { at: (self.now)(), what })?)
    }

    /// Does what a call is to do, and looks at the clock meanwhile. If the time of the call is nearly over and something is not
    /// done that has its last attempt in it, that is told while it can be: the function ends in the middle then, and nobody
    /// calls it again for that.
    pub(super) fn watched<T>(
        &self,
        last: &LastAttempts,
        call: &Call,
        told: &mut Told,
        work: impl FnOnce(&mut Told) -> T,
    ) -> T {
        if last.is_empty() {
            return work(told);
        }
        let (done, is_done) = channel::<()>();
        let patience = call.patience();
        let (result, late) = std::thread::scope(|scope| {
            let watch = scope.spawn(move || {
                if is_done.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
                    return Ok(());
                }
                let given_up = last.take_all().into_values().map(|attempt| {
                    let LastAttempt { message, receives, begun } = attempt;
                    let error = if begun {
                        format!("out_of_time: {} was not done when its time was nearly over", self.name())
                    } else {
                        format!("not_begun: {} did not come to it before its time was nearly over", self.name())
                    };
                    self.give_up(&message, receives, &error)
                });
                // each of them, whatever becomes of the others
                let failed = given_up.filter_map(Result::err).last();
                failed.map_or(Ok(()), Err).and(self.tell(call))
            });
            let result = work(told);
            drop(done);
            (result, watch.join())
        });
        if let Ok(Err(error)) = late {
            told.failed(&error);
        }
        result
    }
}

/// A message that is received for the last time: a dead letter, if it is not done now.
#[derive(Debug)]
pub(super) struct LastAttempt {
    pub message: Message,
    pub receives: u32,
    /// Whether the stage is at it.
    begun: bool,
}

/// Those of a batch, by their place in it, of which it is not known yet what becomes of them.
#[derive(Debug, Default)]
pub(super) struct LastAttempts(Mutex<BTreeMap<usize, LastAttempt>>);

impl LastAttempts {
    /// Those that are received so often. What cannot be read is about no file.
    pub fn of(received: &[Received], receives_max: u32) -> Self {
        let last = received.iter().enumerate().filter(|(_, received)| received.receives() >= receives_max);
        let read = |(place, received): (usize, &Received)| {
            let message = Message::from_json(&received.body).ok()?;
            Some((place, LastAttempt { message, receives: received.receives(), begun: false }))
        };
        Self(Mutex::new(last.filter_map(read).collect()))
    }

    /// The stage is at this one now.
    pub fn begin(&self, place: usize) {
        if let Some(attempt) = self.lock().get_mut(&place) {
            attempt.begun = true;
        }
    }

    /// It is known what became of this one; none if it is told by now, or has attempts left.
    pub fn end(&self, place: usize) -> Option<LastAttempt> {
        self.lock().remove(&place)
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn take_all(&self) -> BTreeMap<usize, LastAttempt> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, LastAttempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work_of(message: &Message) -> Option<&Work> {
    match message {
        Message::MarketProcess(records) => records.of.as_ref().map(|share| &share.work),
        message => message.work(),
    }
}
