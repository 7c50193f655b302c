//! The one door: every message of every preset comes through [`Pipeline::handle`], whichever runtime has it.
//!
//! A stage looks at records and bytes, decides, and commits its step under the id of the message. When somebody else
//! changed a record that it decided by, it decides again; the work on the bytes is not done again.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rows::source::Scratch;

use crate::Millis;
use crate::feed::{Declared, Feeds};
use crate::limits::DECISIONS_MAX;
use crate::memory::Memory;
use crate::message::{Feed, Message};
use crate::object::ReceiptId;
use crate::ports::{self, Committed, Ledger, Objects};
use crate::receipt::Unaccounted;
use crate::stages;
use crate::step::RecordKey;

/// What one stage may use at a time.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Threads that parse.
    pub threads: usize,
    /// Memory; what does not fit goes to scratch space.
    pub memory: Memory,
}

/// The stages of all presets, with what the operator declared.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The feeds.
    pub feeds: Feeds,
    /// What one stage may use.
    pub budget: Budget,
}

/// What a runtime brings to a message.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// How often the message was received, this time included.
    pub attempt: u32,
    /// Tells the time, to stamp what is recorded; nothing is decided by it.
    pub now: &'a (dyn Fn() -> Millis + Sync),
    /// Bytes.
    pub objects: &'a dyn Objects,
    /// Records and messages.
    pub ledger: &'a dyn Ledger,
    /// Makes scratch space.
    pub scratch: &'a (dyn Fn() -> io::Result<Box<dyn Scratch>> + Sync),
    /// Told of a file that is read: how many bytes of how many are done.
    pub progress: &'a (dyn Fn(&ReceiptId, Arc<AtomicU64>, u64) + Sync),
    /// Whether somebody wants to hear of each batch of rows that is kept; otherwise nothing is written down for them.
    pub announces: bool,
    /// The receipt of the file, if the runtime has committed it just now: it need not be looked at. If somebody has changed
    /// it since, the commit of the stage notices that, and it is looked at after all.
    pub receipt: Option<&'a [u8]>,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// Could not decide now, deliver again (invariant 8).
#[derive(Debug)]
pub enum Error {
    /// A port gave no answer.
    Port(ports::Error),
    /// Bytes or scratch space could not be had.
    Bytes {
        /// Of what.
        what: String,
        /// Why.
        cause: io::Error,
    },
    /// A record is not what was written.
    Unreadable {
        /// Which.
        key: RecordKey,
        /// Why.
        cause: serde_json::Error,
    },
    /// The numbers of a file do not add up.
    Unaccounted(Unaccounted),
    /// A message is about a file that never arrived.
    NoReceipt(ReceiptId),
    /// A message is of a feed that is not declared any more.
    NoFeed(Feed),
    /// Something that a stage before this one should have written is not there.
    Missing {
        /// What.
        what: &'static str,
        /// Of which file.
        receipt: ReceiptId,
    },
}

impl Error {
    /// What kind of error it is, for those who count them: a stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Port(ports::Error::NotFound(_)) => "object_gone",
            Self::Port(ports::Error::Changed(_)) => "changed_meanwhile",
            Self::Port(ports::Error::Unavailable { .. }) => "unavailable",
            Self::Bytes { .. } => "bytes_unreadable",
            Self::Unreadable { .. } => "record_unreadable",
            Self::Unaccounted(_) => "does_not_add_up",
            Self::NoReceipt(_) => "no_receipt",
            Self::NoFeed(_) => "no_feed",
            Self::Missing { .. } => "output_missing",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(error) => error.fmt(f),
            Self::Bytes { what, .. } => write!(f, "{what} could not be read or written"),
            Self::Unreadable { key: RecordKey { kind, id }, .. } => {
                write!(f, "record {kind:?} {id} cannot be read; run `millrace doctor`")
            }
            Self::Unaccounted(error) => error.fmt(f),
            Self::NoReceipt(id) => write!(f, "there is no receipt {id}; send its file again"),
            Self::NoFeed(feed) => {
                write!(f, "feed `{}` is not declared any more; declare it again, then redrive", feed.as_str())
            }
            Self::Missing { what, receipt } => write!(f, "receipt {receipt} has no {what}; replay it"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Port(error) => std::error::Error::source(error),
            Self::Bytes { cause, .. } => Some(cause),
            Self::Unreadable { cause, .. } => Some(cause),
            Self::Unaccounted(_) | Self::NoReceipt(_) | Self::NoFeed(_) | Self::Missing { .. } => None,
        }
    }
}

impl From<ports::Error> for Error {
    fn from(error: ports::Error) -> Self {
        Self::Port(error)
    }
}

impl Pipeline {
    /// Does the stage that a message is for, and commits what it decides. Any number of times, at any time, in any order
    /// of messages of different groups, it ends the same (invariant 3).
    pub fn handle(&self, message: &Message, call: &Call<'_>) -> Result<Committed, Error> {
        let feed = self.feed(message.group())?;
        let task = stages::Task::new(self, feed, message, call);
        match message {
            Message::FilesValidate(work) | Message::TransactionsValidate(work) => stages::validate::run(&task, work),
            Message::FilesProcess(work) => stages::process::run(&task, work),
            Message::FilesAggregate(work) => stages::aggregate::run(&task, work),
            Message::TransactionsTransform(work) => stages::transform::run(&task, work),
            Message::TransactionsNotify(work) => stages::notify::run(&task, work),
            Message::MarketIngest(work) => stages::ingest::run(&task, work),
            Message::MarketProcess(records) => stages::points::run(&task, records),
            Message::MarketAggregate(tick) => stages::tick::run(&task, tick),
        }
    }

    fn feed(&self, name: &Feed) -> Result<&Declared, Error> {
        self.feeds.named(name.as_str()).ok_or_else(|| Error::NoFeed(name.clone()))
    }
}

/// Decides again for as long as others change what the decision rests on, within reason.
pub(crate) fn decide<T>(mut decide: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut tries = 1;
    loop {
        match decide() {
            Err(Error::Port(ports::Error::Changed(_))) if tries < DECISIONS_MAX => tries += 1,
            decided => return decided,
        }
    }
}
