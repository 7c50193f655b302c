//! Why a call to the queues was not carried out, by what the caller can do about it.

use std::fmt;

use crate::queues::MessageId;
use crate::store;

/// Why a call was not carried out. Nothing of it happened, except that after [`Error::Store`] a commit may have been kept.
#[derive(Debug, Clone)]
pub enum Error {
    /// There is no such queue.
    NoQueue {
        /// Its name.
        name: String,
    },
    /// The queue has no such message, or it is in flight.
    NoMessage {
        /// The message.
        id: MessageId,
    },
    /// The message was received again, became a dead letter, expired or was purged: what was done with it must not
    /// count a second time.
    LeaseLost {
        /// The message.
        id: MessageId,
    },
    /// A record is not what the transaction expected.
    Changed {
        /// The key of the record.
        key: Vec<u8>,
    },
    /// The call asks for what is not allowed; it would be refused again.
    Invalid {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Too much is waiting; try again.
    Busy {
        /// What there is too much of.
        what: &'static str,
    },
    /// The engine was shut down.
    Closed,
    /// The store cannot be written or read.
    Store(store::Error),
}

/// What calls to the queues return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn invalid(message: impl Into<String>, hint: &'static str) -> Self {
        Error::Invalid { message: message.into(), hint }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::NoQueue { .. } => "declare the queue when the engine is opened",
            Error::NoMessage { .. } => "list the queue to see what is in it",
            Error::LeaseLost { .. } => "drop what was done with it, and hold messages for longer",
            Error::Changed { .. } => "load the record again and decide again",
            Error::Invalid { hint, .. } => hint,
            Error::Busy { .. } => "wait a little and try again",
            Error::Closed => "open the engine again",
            Error::Store(error) => error.hint(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoQueue { name } => write!(f, "there is no queue `{name}`"),
            Error::NoMessage { id } => write!(f, "message {id} is not waiting there"),
            Error::LeaseLost { id } => write!(f, "message {id} is no longer held by this receiver"),
            Error::Changed { key } => write!(f, "the record `{}` has changed", key.escape_ascii()),
            Error::Invalid { message, .. } => write!(f, "{message}"),
            Error::Busy { what } => write!(f, "too many {what}"),
            Error::Closed => write!(f, "the engine is closed"),
            Error::Store(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its text is ours already: the cause behind it comes next.
            Error::Store(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Error::Store(error)
    }
}
