//! Why what a session has staged was not committed, by what the worker can do about it.

use std::fmt;

use pipeline::step::RecordKey;

use super::key;
use crate::queues;

/// Why a flush failed. Nothing of it happened, except that after [`FlushError::Failed`] it is open whether it did.
#[derive(Debug)]
pub enum FlushError {
    /// A record is not any more what it was when it was loaded, or another worker has committed the same source.
    /// Handle the messages of the batch again, one by one.
    Changed {
        /// Which record or source, as people read it.
        what: String,
    },
    /// A message of the batch is not this worker's any more. Drop what was done with it; the others come again.
    LeaseLost {
        /// Which message.
        id: queues::MessageId,
    },
    /// The batch does not fit into one transaction, or has what no queue takes. Handle the messages one by one.
    Refused(queues::Error),
    /// The store cannot be written now. Deliver again.
    Failed(queues::Error),
}

impl FlushError {
    pub(super) fn from_queues(error: queues::Error) -> Self {
        match error {
            queues::Error::Changed { key } => Self::Changed {
                what: match key::decode(&key) {
                    Some(RecordKey { kind, id }) => format!("record {kind:?} {id}"),
                    None => format!("source {}", key.get(1..).unwrap_or_default().escape_ascii()),
                },
            },
            queues::Error::LeaseLost { id } => Self::LeaseLost { id },
            error @ queues::Error::Invalid { .. } => Self::Refused(error),
            error => Self::Failed(error),
        }
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { what } => write!(f, "{what} was changed while the batch was handled"),
            Self::LeaseLost { id } => write!(f, "message {id} was given to another while the batch was handled"),
            Self::Refused(_) => write!(f, "the batch was refused"),
            Self::Failed(_) => write!(f, "the batch could not be committed"),
        }
    }
}

impl std::error::Error for FlushError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) | Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}
