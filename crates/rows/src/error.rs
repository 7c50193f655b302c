//! Why a file was not read to its end: it was refused (a record of what is wrong with it), or its bytes could not be had.

use std::fmt;

/// The verdict on a file that cannot be taken as a whole. A bad file is a record, not an error:
/// a refusal ends up in the report, with what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name, `snake_case`, for programs.
    pub code: &'static str,
    /// What is wrong, naming the thing and its value; lowercase, no final period.
    pub message: String,
    /// What the sender can do about it; may be empty.
    pub hint: String,
}

impl Refusal {
    /// A refusal with a hint.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)
    }
}

/// Why reading stopped before the end.
#[derive(Debug)]
pub enum Error {
    /// The file as a whole is refused. Reading it again gives the same answer.
    Refused(Refusal),
    /// The bytes or the scratch space could not be had; nothing was decided, try again.
    Io(std::io::Error),
}

/// What everything that reads a file returns.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(refusal) => write!(f, "{refusal}"),
            Error::Io(_) => write!(f, "the bytes could not be read"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Refused(_) => None,
            Error::Io(error) => Some(error),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Io(error)
    }
}
