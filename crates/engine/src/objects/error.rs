//! Why an object could not be had or kept, by what one can do about it.

use std::fmt;
use std::io;

use pipeline::object::ObjectVersion;

use crate::queues;

/// What went wrong with an object. What was answered before is still there.
#[derive(Debug)]
pub enum Error {
    /// There is no such object version.
    NotFound(ObjectVersion),
    /// The call asks for what is not allowed; it would be refused again.
    Invalid {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The bytes on disk are not those that were written.
    Damaged {
        /// Which object, in which file, and what is wrong with it.
        what: String,
    },
    /// No space is left.
    Full {
        /// What was tried, on which object and file.
        tried: String,
    },
    /// The folder cannot be written.
    ReadOnly {
        /// What was tried, on which object and file.
        tried: String,
    },
    /// Reading or writing failed for another reason; trying again may help.
    Failed {
        /// What was tried, on which object and file.
        tried: String,
        /// What the system said.
        source: io::Error,
    },
    /// The record of the object could not be read or committed.
    Queues(queues::Error),
}

/// What calls about objects return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(super) fn invalid(message: impl Into<String>, hint: &'static str) -> Self {
        Error::Invalid { message: message.into(), hint }
    }

    /// The error for what the system said when something was tried.
    pub(super) fn from_io(tried: String, error: io::Error) -> Self {
        match error.kind() {
            // a limit on the size of files is met in the same way as a full disk
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Error::Full { tried }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Error::ReadOnly { tried },
            _ => Error::Failed { tried, source: error },
        }
    }

    /// As readers and writers tell it.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match &self {
            Error::NotFound(_) => io::ErrorKind::NotFound,
            Error::Invalid { .. } => io::ErrorKind::InvalidInput,
            Error::Damaged { .. } => io::ErrorKind::InvalidData,
            Error::Full { .. } => io::ErrorKind::StorageFull,
            Error::ReadOnly { .. } => io::ErrorKind::ReadOnlyFilesystem,
            Error::Failed { source, .. } => source.kind(),
            Error::Queues(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::NotFound(_) => "list the bucket to see what is in it",
            Error::Invalid { hint, .. } => hint,
            Error::Damaged { .. } => "restore the file from a backup, or delete the object and upload it again",
            Error::Full { .. } => "free some space and try again; what was not confirmed was not kept",
            Error::ReadOnly { .. } => "make the folder writable for this user, or use another folder",
            Error::Failed { .. } => "look at the disk and try again; what was not confirmed was not kept",
            Error::Queues(error) => error.hint(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound(object) => write!(f, "there is no {}", name_of(object)),
            Error::Invalid { message, .. } => write!(f, "{message}"),
            Error::Damaged { what } => write!(f, "{what}"),
            Error::Full { tried } => write!(f, "no space is left to {tried}"),
            Error::ReadOnly { tried } => write!(f, "not allowed to {tried}"),
            Error::Failed { tried, .. } => write!(f, "cannot {tried}"),
            Error::Queues(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Failed { source, .. } => Some(source),
            // Its text is ours already: the cause behind it comes next.
            Error::Queues(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<queues::Error> for Error {
    fn from(error: queues::Error) -> Self {
        Error::Queues(error)
    }
}

/// An object as errors name it; a key may be any text.
pub(super) fn name_of(object: &ObjectVersion) -> String {
    let ObjectVersion { bucket, key, version } = object;
    format!("object {}/{} of version {version}", bucket.escape_debug(), key.escape_debug())
}
