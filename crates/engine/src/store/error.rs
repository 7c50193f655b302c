//! Why the store could not be opened, read or written, by what one can do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What went wrong with the store. Cloned for every caller that waited for the same commit.
#[derive(Debug, Clone)]
pub enum Error {
    /// Another process, or another part of this one, has the folder open.
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// The folder was written by a newer version.
    Newer {
        /// The data folder.
        folder: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// What is on disk is not what was written.
    Corrupt {
        /// The data folder.
        folder: PathBuf,
        /// What is wrong with which part of it.
        what: String,
    },
    /// No space is left. Commits go on by themselves once there is.
    Full {
        /// The data folder.
        folder: PathBuf,
    },
    /// The folder cannot be written.
    ReadOnly {
        /// The data folder.
        folder: PathBuf,
    },
    /// Reading or writing failed for another reason; trying again may help.
    Failed {
        /// The data folder.
        folder: PathBuf,
        /// What was tried: `open`, `read`, `commit`.
        tried: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

/// What reading and writing the store returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error for what the system said when `tried` was tried in `folder`.
    pub fn from_io(folder: &Path, tried: &'static str, error: io::Error) -> Self {
        let folder = folder.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full { folder },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Error::ReadOnly { folder },
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Error::Corrupt { folder, what: format!("{tried} met damaged bytes: {error}") }
            }
            _ => Error::Failed { folder, tried, source: Arc::new(error) },
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Locked { .. } => "stop the other millrace on this folder, or use another folder",
            Error::Newer { .. } => "use the millrace that wrote it, or a newer one",
            Error::Corrupt { .. } => "keep a copy of the folder, then restore it from a backup",
            Error::Full { .. } => "free some space; what was not confirmed was not kept",
            Error::ReadOnly { .. } => "make the folder writable for this user, or use another folder",
            Error::Failed { .. } => "look at the disk and try again; what was not confirmed was not kept",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Locked { folder } => write!(f, "the data folder {} is in use", folder.display()),
            Error::Newer { folder, found, known } => write!(
                f,
                "the data folder {} has format {found}, and this program knows formats up to {known}",
                folder.display()
            ),
            Error::Corrupt { folder, what } => write!(f, "the data folder {} is damaged: {what}", folder.display()),
            Error::Full { folder } => write!(f, "no space is left for the data folder {}", folder.display()),
            Error::ReadOnly { folder } => write!(f, "the data folder {} cannot be written", folder.display()),
            Error::Failed { folder, tried, .. } => write!(f, "cannot {tried} the data folder {}", folder.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Failed { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
