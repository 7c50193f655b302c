//! The stages: what is done with a message. Each looks, decides and commits; none waits, retries or reads a clock.

pub(crate) mod aggregate;
mod claim;
mod copies;
pub(crate) mod ingest;
pub(crate) mod notify;
mod outputs;
mod parse;
pub(crate) mod points;
pub(crate) mod process;
mod standing;
mod taken;
pub(crate) mod tick;
pub(crate) mod transform;
pub(crate) mod validate;
mod versions;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rows::source::Scratch;

use crate::Millis;
use crate::draft::Draft;
use crate::feed::Declared;
use crate::handle::{Call, Error, Pipeline, decide};
use crate::message::{Message, MessageId, Work};
use crate::object::{ObjectVersion, ReceiptId};
use crate::ports::{self, Committed, Loaded, Revision};
use crate::preset::Stage;
use crate::receipt::{Account, Event, Receipt, What};
use crate::records;

/// The length of the windows of `market`.
pub(crate) fn market_window() -> rows::time::Interval {
    tick::WINDOW
}

/// What the first stage would tell of a file; nothing is written.
pub(crate) fn look(
    pipeline: &Pipeline,
    feed: &Declared,
    message: &Message,
    call: &Call<'_>,
    receipt: &Receipt,
) -> Result<Account, Error> {
    let task = Task::new(pipeline, feed, message, call);
    let work = message.work().ok_or_else(|| Error::NoReceipt(receipt.id()))?;
    parse::look(&task, work, receipt)
}

/// Below, starting a thread takes longer than what it could do.
const THREADED_BYTES_MIN: u64 = 512 * 1024;

/// A message with all that is needed to do its stage.
pub(crate) struct Task<'a> {
    pub pipeline: &'a Pipeline,
    pub feed: &'a Declared,
    pub message: &'a Message,
    pub call: &'a Call<'a>,
    /// The receipt of the file as it was seen last, for as long as nothing is known to have changed it.
    seen: Mutex<Option<Loaded>>,
}

impl<'a> Task<'a> {
    pub fn new(pipeline: &'a Pipeline, feed: &'a Declared, message: &'a Message, call: &'a Call<'a>) -> Self {
        let loaded = |value: &[u8]| Loaded { revision: Revision::of(Some(value)), value: Some(value.to_vec()) };
        Self { pipeline, feed, message, call, seen: Mutex::new(call.receipt.map(loaded)) }
    }

    pub fn now(&self) -> Millis {
        (self.call.now)()
    }

    pub fn stage(&self) -> Stage {
        self.message.stage().1
    }

    pub fn draft(&self) -> Draft<'a> {
        Draft::new(self.call.ledger)
    }

    /// Threads that are worth starting for so many bytes.
    pub fn threads_for(&self, bytes: u64) -> usize {
        if bytes < THREADED_BYTES_MIN { 1 } else { self.pipeline.budget.threads }
    }

    /// Scratch space as `rows` wants it.
    pub fn scratch(&self) -> impl FnMut() -> std::io::Result<Box<dyn Scratch>> + Send + 'a {
        let make = self.call.scratch;
        move || make()
    }

    /// Marks the message as done with nothing else; what an earlier commit under its id sent is sent.
    pub fn nothing_to_do(&self) -> Result<Committed, Error> {
        self.draft().commit(self.message.id())
    }

    /// The receipt, if the stage is still to be done.
    pub fn open_receipt(&self, work: &Work) -> Result<Option<Receipt>, Error> {
        if self.seen().is_none() {
            let loaded = self.call.ledger.load(&records::receipt(&work.receipt()))?;
            *self.seen() = Some(loaded);
        }
        let receipt = self.draft_as_seen(work).receipt(&work.receipt())?;
        Ok(Some(receipt).filter(|receipt| self.is_open(receipt, work)))
    }

    fn seen(&self) -> MutexGuard<'_, Option<Loaded>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A draft that takes the receipt of the file for what it was when this task saw it last. What is decided so is committed
    /// only if it is still that.
    fn draft_as_seen(&self, work: &Work) -> Draft<'a> {
        let seen = self.seen().clone();
        self.draft().knowing(seen.map(|loaded| (records::receipt(&work.receipt()), loaded)))
    }

    /// Decides about the file by its receipt as it was seen last, and again, for as long as others change what the decision
    /// rests on, by what is there then.
    pub fn decide<T>(&self, work: &Work, mut decided: impl FnMut(Draft<'a>) -> Result<T, Error>) -> Result<T, Error> {
        decide(|| {
            let decided = decided(self.draft_as_seen(work));
            if matches!(decided, Err(Error::Port(ports::Error::Changed(_)))) {
                *self.seen() = None;
            }
            decided
        })
    }

    /// Whether the stage is still to be done: not when it is done, the file was begun anew since, or it is at its end
    /// without this stage. What is not open does not come to be again for the same message.
    pub fn is_open(&self, receipt: &Receipt, work: &Work) -> bool {
        let is_over = receipt.is_refused() || receipt.duplicate_of().is_some();
        receipt.generation() == work.generation && !receipt.is_done(self.stage()) && !is_over
    }

    /// Says in a commit of its own that the stage was begun, for work that takes long enough to be watched.
    pub fn tell_begun(&self, work: &Work, at: Millis) -> Result<(), Error> {
        let attempt = self.call.attempt;
        let source = MessageId::of_part(&self.message.id(), "begun", &attempt.to_string());
        let begun = self.decide(work, |mut draft| {
            let mut receipt = draft.receipt(&work.receipt())?;
            if receipt.generation() == work.generation {
                receipt.apply(Event { at, what: What::Began { stage: self.stage(), attempt } });
                draft.put_receipt(&receipt)?;
            }
            draft.commit(source.clone())
        });
        // it says more now, and others may have their say while the work goes on
        *self.seen() = None;
        begun.map(drop)
    }

    /// The events of a stage that was begun at one time and is done at another.
    pub fn begun_and_ended(&self, began_at: Millis, ended_at: Millis) -> [Event; 2] {
        let stage = self.stage();
        [
            Event { at: began_at, what: What::Began { stage, attempt: self.call.attempt } },
            Event { at: ended_at, what: What::Ended(stage) },
        ]
    }
}

/// Something that the stage before wrote.
pub(crate) fn linked(receipt: &Receipt, name: &'static str) -> Result<ObjectVersion, Error> {
    receipt.link(name).cloned().ok_or_else(|| Error::Missing { what: name, receipt: receipt.id() })
}

/// Where something is written for a file: under a key that follows from its receipt.
pub(crate) fn output_key(folder: &str, receipt: &ReceiptId, generation: u32, name: &str) -> String {
    match generation {
        0 => format!("{folder}/{receipt}/{name}"),
        _ => format!("{folder}/{receipt}.{generation}/{name}"),
    }
}

/// Bytes of an object that could not be read.
pub(crate) fn unreadable(object: &ObjectVersion, cause: std::io::Error) -> Error {
    Error::Bytes { what: format!("object {}/{} version {}", object.bucket, object.key, object.version), cause }
}
