//! Why the engine could not.

use std::fmt;
use std::io;

use pipeline::preset::Preset;
use pipeline::topology::Fault;

use crate::{objects, queues, store};

/// What everything here returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the engine could not.
#[derive(Debug)]
pub enum Error {
    /// The store could not, or refuses the folder.
    Store(store::Error),
    /// The queues could not.
    Queues(queues::Error),
    /// The objects could not.
    Objects(objects::Error),
    /// A stage or a question could not.
    Stage(pipeline::handle::Error),
    /// A thread could not be started.
    Thread(io::Error),
    /// Bytes that were to be put could not be read.
    Input(io::Error),
    /// The topology of a preset would lose messages.
    Topology(Preset, Vec<Fault>),
    /// There is no such dead letter.
    NoDeadLetter(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Queues(error) => error.fmt(f),
            Self::Objects(error) => error.fmt(f),
            Self::Stage(error) => error.fmt(f),
            Self::Thread(_) => f.write_str("could not start a thread"),
            Self::Input(_) => f.write_str("could not read what was to be stored"),
            Self::Topology(preset, faults) => {
                write!(f, "the topology of {preset:?} is not fit to run")?;
                faults.iter().try_for_each(|fault| write!(f, "; {fault}"))
            }
            Self::NoDeadLetter(id) => write!(f, "there is no dead letter {id}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // said in the same words, so its own source is the next
            Self::Store(error) => std::error::Error::source(error),
            Self::Queues(error) => std::error::Error::source(error),
            Self::Objects(error) => std::error::Error::source(error),
            Self::Stage(error) => std::error::Error::source(error),
            Self::Thread(error) | Self::Input(error) => Some(error),
            Self::Topology(..) | Self::NoDeadLetter(_) => None,
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<queues::Error> for Error {
    fn from(error: queues::Error) -> Self {
        Self::Queues(error)
    }
}

impl From<objects::Error> for Error {
    fn from(error: objects::Error) -> Self {
        Self::Objects(error)
    }
}

impl From<pipeline::handle::Error> for Error {
    fn from(error: pipeline::handle::Error) -> Self {
        Self::Stage(error)
    }
}
