//! What nobody tries any more is told to the receipts of its files: by the function itself when it had the last attempt, and
//! by what the cloud calls instead, when the function died of it. The dead letter is in its queue either way.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pipeline::arrive::{Arrived, arrive};
use pipeline::message::Message;
use pipeline::object::ReceiptId;
use pipeline::ports::{Commit, Ledger as _};
use pipeline::receipt;

use super::Call;
use crate::events::{Event, Failure};
use crate::function::{Error, Function};
use crate::limits::LAST_WORD_SECONDS;
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
            Event::Task(message) => {
                told.message(&message);
                self.give_up(&message, attempts, &error)
            }
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
        let Some(message) = first else { return Ok(()) };
        told.message(&message);
        self.give_up(&message, attempts, error)
    }

    /// Tells the receipt of a file that a stage gave it up, unless it is done by now: somebody may have redriven it.
    pub(super) fn give_up(&self, message: &Message, attempt: u32, error: &str) -> Result<(), Error> {
        let Some(id) = file_of(message) else { return Ok(()) };
        let (ledger, stage) = (self.ledger()?, message.stage().1);
        let known = pipeline::find::by_id(ledger, &id)?;
        if known.is_some_and(|known| known.is_done(stage)) {
            return Ok(());
        }
        let what = receipt::What::Failed { stage, attempt, error: error.to_owned() };
        Ok(pipeline::tell::tell(ledger, &id, receipt::Event { at: (self.now)(), what })?)
    }

    /// Does the stage on a message for the last time. If the time of the call is nearly over and it is not done, that is
    /// told while it can be: the function ends in the middle then, and nobody calls it again.
    pub(super) fn last_attempt(
        &self,
        message: &Message,
        attempt: u32,
        call: &Call,
        told: &mut Told,
    ) -> Result<(), Error> {
        let (done, is_done) = channel::<()>();
        let patience = call
            .deadline
            .saturating_duration_since(Instant::now())
            .saturating_sub(Duration::from_secs(LAST_WORD_SECONDS));
        let (result, late) = std::thread::scope(|scope| {
            let watch = scope.spawn(move || {
                if is_done.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
                    return Ok(());
                }
                let error = format!("out_of_time: {} was not done when its time was nearly over", self.name());
                self.give_up(message, attempt, &error)?;
                self.tell(call)
            });
            let result = self.handle(message, attempt);
            drop(done);
            (result, watch.join())
        });
        if let Ok(Err(error)) = late {
            told.failed(&error);
        }
        let Err(error) = result else { return Ok(()) };
        if let Err(untold) = self.give_up(message, attempt, &error.to_string()) {
            // the dead letter says so too
            told.failed(&untold);
        }
        Err(error)
    }
}

fn file_of(message: &Message) -> Option<ReceiptId> {
    match message {
        Message::MarketProcess(records) => records.of.as_ref().map(|share| share.work.receipt()),
        message => message.work().map(pipeline::message::Work::receipt),
    }
}
