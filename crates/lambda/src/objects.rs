//! The port `Objects` on buckets of S3 ([0013](../../../docs/decisions/0013-ports-on-aws.md)).
//!
//! What partners send has the version that S3 gives it. What stages write has one that follows from its content: it is
//! kept under a key with that in it. A large object goes in parts under a key of its own, and what is kept under the
//! key with the content is a note that says where.

mod reading;
mod writing;

use std::sync::Arc;

use pipeline::object::{ObjectVersion, digest};
use pipeline::ports::{self, Cause, Opened, Writing};

use crate::bucket::Buckets;
use crate::limits::{READ_BYTES_MIN, S3_KEY_BYTES_MAX};
use reading::Reading;

/// What versions begin with that follow from content.
const OF_CONTENT: &str = "sha256.";

/// Objects in the buckets of one preset.
#[derive(Debug, Clone)]
pub struct Objects {
    buckets: Arc<dyn Buckets>,
    files: Option<String>,
    results: String,
}

impl Objects {
    /// Objects in these buckets: stages name their results in the bucket of files, and they are kept in that of
    /// results. A function that is not told of that of files has no other to do with.
    pub fn new(buckets: Arc<dyn Buckets>, files: Option<String>, results: String) -> Self {
        Self { buckets, files, results }
    }

    /// The bucket in which results are kept that are named in this one.
    fn results_of<'a>(&'a self, bucket: &'a str) -> &'a str {
        if self.files.as_deref().is_none_or(|files| files == bucket) { &self.results } else { bucket }
    }

    fn try_open(&self, object: &ObjectVersion) -> Result<Option<Opened>, Cause> {
        let ObjectVersion { bucket, key, version } = object;
        let Some(sha256) = version.strip_prefix(OF_CONTENT) else {
            return self.at(bucket, key, Some(version), None);
        };
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let bucket = self.results_of(bucket);
        self.at(bucket, &by_content(key, sha256), None, Some(sha256.to_owned()))
    }

    /// The object that is there, or that a note there leads to.
    fn at(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        sha256: Option<String>,
    ) -> Result<Option<Opened>, Cause> {
        let Some(first) = self.buckets.get(bucket, key, version, 0..READ_BYTES_MIN as u64)? else { return Ok(None) };
        if let Some((large, version)) = first.note.as_deref().and_then(|_| noted(&first.bytes)) {
            let Some(first) = self.buckets.get(bucket, &large, Some(&version), 0..READ_BYTES_MIN as u64)? else {
                return Ok(None);
            };
            let bytes = first.whole_bytes;
            let input = Reading::new(self.buckets.clone(), (bucket.to_owned(), large, Some(version)), first);
            return Ok(Some(Opened { input: Box::new(input), bytes, sha256 }));
        }
        let bytes = first.whole_bytes;
        let place = (bucket.to_owned(), key.to_owned(), version.map(str::to_owned));
        Ok(Some(Opened { input: Box::new(Reading::new(self.buckets.clone(), place, first)), bytes, sha256 }))
    }
}

impl ports::Objects for Objects {
    fn open(&self, object: &ObjectVersion) -> Result<Opened, ports::Error> {
        match self.try_open(object) {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => Err(ports::Error::NotFound(object.clone())),
            Err(cause) => Err(unavailable("open", &object.key, cause)),
        }
    }

    fn create(&self, bucket: &str, key: &str) -> Result<Box<dyn Writing>, ports::Error> {
        let kept = self.results_of(bucket).to_owned();
        Ok(Box::new(writing::Object::new(self.buckets.clone(), kept, bucket.to_owned(), key.to_owned())))
    }
}

fn unavailable(verb: &str, key: &str, cause: Cause) -> ports::Error {
    ports::Error::Unavailable { what: format!("{verb} object {key}"), cause }
}

/// The folder of a key, in which a function may read or write, and the rest.
fn folder(key: &str) -> (&str, &str) {
    key.split_once('/').map_or(("", key), |(folder, _)| (&key[..=folder.len()], &key[folder.len() + 1..]))
}

/// The rest of a key as it is kept: what every client takes as it is, and not too long.
fn tame(rest: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.=".contains(letter);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain);
    // two notes of content stand in front of it
    let fits = rest.len() + 200 <= S3_KEY_BYTES_MAX && rest.split('/').all(part);
    if fits {
        return rest.to_owned();
    }
    // people still see what it is
    let last = rest.rsplit('/').next().unwrap_or_default();
    let told: String = last.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).take(100).collect();
    format!("~{}/{told}", digest(&[rest]))
}

/// Where an object of this content is kept, or a note that leads to it.
fn by_content(key: &str, sha256: &str) -> String {
    let (folder, rest) = folder(key);
    format!("{}{sha256}/{}", tame_folder(folder), tame(rest))
}

/// Where large objects are kept, whatever their content.
fn of_parts(key: &str) -> String {
    let (folder, rest) = folder(key);
    format!("{}parts/{}", tame_folder(folder), tame(rest))
}

fn tame_folder(folder: &str) -> String {
    match folder.strip_suffix('/') {
        None => String::new(),
        Some(name) => format!("{}/", tame(name)),
    }
}

/// A note of where a large object is.
fn note(key: &str, version: &str) -> String {
    format!("{version}\n{key}")
}

fn noted(bytes: &[u8]) -> Option<(String, String)> {
    let (version, key) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    Some((key.to_owned(), version.to_owned()))
}
