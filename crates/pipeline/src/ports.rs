//! The two ports: bytes, and the small commit that makes them count.
//!
//! `testkit` holds the suite that every implementation passes, and the strict fake that passes it first. Both are synchronous (docs/decisions/0005-ports.md). In both, an error means "could not decide now, deliver again"
//! (invariant 8): what is wrong with a file is a record and never comes this way.

use std::fmt;
use std::io::Write;

use rows::source::Input;
use xxhash_rust::xxh3::xxh3_64;

use crate::message::MessageId;
use crate::object::ObjectVersion;
use crate::step::{Kind, RecordKey, Step};

/// The cause of an outage, as the adapter knows it.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a port gave no answer.
#[derive(Debug)]
pub enum Error {
    /// There is no such object version, and waiting will not bring it: it was deleted or has expired. A stage makes a
    /// record of that.
    NotFound(ObjectVersion),
    /// Somebody else changed this record since it was loaded. Load again and decide again.
    Changed(RecordKey),
    /// The store behind the port did not answer, or not in time. Whether a commit happened is open; commit it again.
    Unavailable {
        /// What was tried, on what.
        what: String,
        /// What came instead.
        cause: Cause,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(ObjectVersion { bucket, key, version }) => {
                write!(f, "object {bucket}/{key} has no version {version}; upload it again")
            }
            Self::Changed(RecordKey { kind, id }) => {
                write!(f, "record {kind:?} {id} was changed meanwhile; load it and decide again")
            }
            Self::Unavailable { what, .. } => write!(f, "could not {what}; it will be delivered again"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable { cause, .. } => Some(cause.as_ref()),
            Self::NotFound(_) | Self::Changed(_) => None,
        }
    }
}

/// Reads and writes bytes, streaming.
pub trait Objects: fmt::Debug + Send + Sync + 'static {
    /// Opens this version: the same bytes each time, also while newer versions are written.
    ///
    /// An error while reading means "deliver again", as one of the port does. Memory does not grow with the object.
    fn open(&self, object: &ObjectVersion) -> Result<Opened, Error>;

    /// Begins an object under a key that follows from the message, so that a message that is handled again writes the
    /// same object again.
    ///
    /// Nothing is visible before [`Writing::finish`]; what is dropped instead leaves nothing that anybody can see. Its
    /// version follows from key and content: the same bytes again are the same version, and nothing is stored twice.
    fn create(&self, bucket: &str, key: &str) -> Result<Box<dyn Writing>, Error>;
}

/// An object that is read.
pub struct Opened {
    /// Its bytes.
    pub input: Box<dyn Input>,
    /// How many there are.
    pub bytes: u64,
    /// Their sha256 in hexadecimal, if the store knows it: then nobody need read them all to tell.
    pub sha256: Option<String>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("bytes", &self.bytes).field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

/// An object on its way.
pub trait Writing: Write + Send {
    /// Makes it visible at once and whole. When this answers it is durable: it survives power loss (invariant 2).
    ///
    /// After an error it is open whether the object is there; writing it again under the same key settles it.
    fn finish(self: Box<Self>) -> Result<ObjectVersion, Error>;
}

/// Which content a record had: it follows from the content and is 0 while there is none. A record that was changed and
/// changed back is the same to whoever decides by what it says, so that is no harm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a record with this content, or without one.
    pub fn of(value: Option<&[u8]>) -> Self {
        // a hash of 0 would say that there is no record
        Self(value.map_or(0, |value| xxh3_64(value).max(1)))
    }
}

/// A record as it was at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// To be given back to [`Commit::expects`].
    pub revision: Revision,
    /// The content, unless it was never written or was removed.
    pub value: Option<Vec<u8>>,
}

/// A step with everything that makes it happen once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The message it comes from.
    pub source: MessageId,
    /// What was decided upon: if one of these has another revision, nothing happens.
    pub expects: Vec<(RecordKey, Revision)>,
    /// What was decided.
    pub step: Step,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It happened now.
    Now,
    /// A commit from the same source happened before: nothing was written again.
    Before,
}

/// Keeps records and the messages that go out with them.
pub trait Ledger: fmt::Debug + Send + Sync + 'static {
    /// The record as of the last commit that was answered, or a later one.
    fn load(&self, key: &RecordKey) -> Result<Loaded, Error>;

    /// Records of one kind whose ids begin with `within`, in the order of their ids, behind the id `after`, at most
    /// `records_max`; fewer only if there are no more. Sees what [`Ledger::load`] would see, but not all of a page need be
    /// from one moment.
    fn page(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error>;

    /// Writes the records and takes over the messages, all or nothing; when this answers, both are durable.
    ///
    /// - **Once per source.** A second commit from one source succeeds, whatever its content and its `expects`, and
    ///   changes nothing; this is looked at before `expects` is. Of two at the same time, one happens.
    /// - **Outbox.** A message that was taken over is sent, in order within its group, at least once, even if this
    ///   process is gone before that. A commit that is answered with [`Committed::Before`] makes sure that what the
    ///   first took over is sent or still in the outbox.
    /// - **Conditions.** If an `expects` does not hold, [`Error::Changed`] names the first such key, nothing happened
    ///   and the source is still free.
    /// - **Outage.** After [`Error::Unavailable`] it is open whether it happened; the same commit again settles it.
    /// - How long a source is remembered is at least as long as a message may come again, dead letters included.
    fn commit(&self, commit: Commit) -> Result<Committed, Error>;
}
