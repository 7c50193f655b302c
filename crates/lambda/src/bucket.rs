//! The seam to S3: what objects ask of buckets, as plain data. The one that talks to the cloud is [`s3`]; tests have
//! one in memory with faults.

use std::fmt;
use std::ops::Range;

use pipeline::ports::Cause;

pub mod s3;

/// A piece of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How many there are in all of the object.
    pub whole_bytes: u64,
    /// What [`Buckets::put`] was told beside the bytes.
    pub note: Option<String>,
}

/// Buckets that keep every version of an object.
pub trait Buckets: fmt::Debug + Send + Sync + 'static {
    /// A piece of a version, the newest when none is named; none if there is no such version. What of the range is
    /// behind the end is left out, an empty object has one empty piece.
    fn get(&self, bucket: &str, key: &str, version: Option<&str>, range: Range<u64>) -> Result<Option<Piece>, Cause>;

    /// Writes an object at once, with a note beside it of visible ASCII characters; its version.
    fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>, note: Option<&str>) -> Result<String, Cause>;

    /// Begins an object in parts; the id of that.
    fn begin(&self, bucket: &str, key: &str) -> Result<String, Cause>;

    /// Writes a part, counted from 1; what to name it by at the end.
    fn part(&self, bucket: &str, key: &str, upload: &str, number: usize, bytes: Vec<u8>) -> Result<String, Cause>;

    /// Makes an object of its parts; its version.
    fn complete(&self, bucket: &str, key: &str, upload: &str, parts: &[String]) -> Result<String, Cause>;

    /// Forgets parts of which no object was made.
    fn abort(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Cause>;

    /// Where somebody may put an object of this type within so many seconds.
    fn place(&self, bucket: &str, key: &str, seconds: u64) -> Result<String, Cause>;
}
