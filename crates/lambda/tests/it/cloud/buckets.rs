//! The buckets of the cloud in memory.

use std::collections::BTreeMap;
use std::ops::Range;

use lambda::bucket::{Buckets, Piece};
use pipeline::ports::Cause;

use super::Cloud;

impl Buckets for Cloud {
    fn get(&self, bucket: &str, key: &str, version: Option<&str>, range: Range<u64>) -> Result<Option<Piece>, Cause> {
        self.ask("object", |state| {
            let Some(versions) = state.objects.get(&(bucket.to_owned(), key.to_owned())) else { return Ok(None) };
            let found = match version {
                Some(version) => versions.iter().find(|(known, ..)| known == version),
                None => versions.last(),
            };
            let Some((_, bytes, note)) = found else { return Ok(None) };
            let [from, to] = [range.start, range.end].map(|place| (place as usize).min(bytes.len()));
            let (piece, note) = (bytes[from..to].to_vec(), note.clone());
            Ok(Some(Piece { bytes: piece, whole_bytes: bytes.len() as u64, note }))
        })
    }

    fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>, note: Option<&str>) -> Result<String, Cause> {
        self.ask("put", |state| {
            assert!(!key.is_empty() && key.len() <= 1024, "a good key: {key:?}");
            let versions = state.objects.entry((bucket.to_owned(), key.to_owned())).or_default();
            let version = format!("v{}", versions.len() + 1);
            versions.push((version.clone(), bytes, note.map(str::to_owned)));
            Ok(version)
        })
    }

    fn begin(&self, _: &str, key: &str) -> Result<String, Cause> {
        self.ask("begin", |state| {
            assert!(!key.is_empty() && key.len() <= 1024, "a good key: {key:?}");
            let id = format!("upload {}", state.calls.len());
            state.uploads.insert(id.clone(), BTreeMap::new());
            Ok(id)
        })
    }

    fn part(&self, _: &str, _: &str, upload: &str, number: usize, bytes: Vec<u8>) -> Result<String, Cause> {
        self.ask("part", |state| {
            state.uploads.get_mut(upload).ok_or("no such upload")?.insert(number, bytes);
            Ok(format!("tag {number}"))
        })
    }

    fn complete(&self, bucket: &str, key: &str, upload: &str, parts: &[String]) -> Result<String, Cause> {
        self.ask("complete", |state| {
            let there = state.uploads.remove(upload).ok_or("no such upload")?;
            assert_eq!(there.len(), parts.len(), "all parts are named");
            let last = there.len();
            assert!(there.iter().all(|(number, bytes)| *number == last || bytes.len() >= 5 << 20), "parts of 5 MiB");
            let versions = state.objects.entry((bucket.to_owned(), key.to_owned())).or_default();
            let version = format!("v{}", versions.len() + 1);
            versions.push((version.clone(), there.into_values().flatten().collect(), None));
            Ok(version)
        })
    }

    fn abort(&self, _: &str, _: &str, upload: &str) -> Result<(), Cause> {
        self.ask("abort", |state| {
            state.uploads.remove(upload);
            Ok(())
        })
    }

    fn place(&self, bucket: &str, key: &str, seconds: u64) -> Result<String, Cause> {
        Ok(format!("https://{bucket}.example/{key}?for={seconds}"))
    }
}
