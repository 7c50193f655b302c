//! Writing an object: a small one at once, a large one in parts.

use std::io::{self, Write};
use std::sync::Arc;

use pipeline::object::ObjectVersion;
use pipeline::ports::{self, Cause, Writing};
use pipeline::sha256::Sha256;

use super::{OF_CONTENT, by_content, note, of_parts, unavailable};
use crate::bucket::Buckets;
use crate::limits::{PART_BYTES, PARTS_MAX};

/// An object on its way.
pub(super) struct Object {
    buckets: Arc<dyn Buckets>,
    /// The bucket in which it is kept, and the one in which it is named.
    kept: String,
    named: String,
    key: String,
    buffer: Vec<u8>,
    digest: Sha256,
    /// The upload and the tags of its parts, once it is a large one.
    upload: Option<(String, Vec<String>)>,
}

impl Object {
    pub fn new(buckets: Arc<dyn Buckets>, kept: String, named: String, key: String) -> Self {
        let (buffer, digest, upload) = Default::default();
        Self { buckets, kept, named, key, buffer, digest, upload }
    }

    /// Sends what is in the buffer as a part.
    fn cut(&mut self) -> Result<(), Cause> {
        let key = of_parts(&self.key);
        if self.upload.is_none() {
            self.upload = Some((self.buckets.begin(&self.kept, &key)?, Vec::new()));
        }
        let Some((upload, tags)) = &mut self.upload else { return Ok(()) };
        if tags.len() >= PARTS_MAX {
            return Err(format!("object {} has more than {PARTS_MAX} parts", self.key).into());
        }
        // what was not taken stays here, so that a part that failed is no hole
        let tag = self.buckets.part(&self.kept, &key, upload, tags.len() + 1, self.buffer.clone())?;
        tags.push(tag);
        self.buffer.clear();
        Ok(())
    }

    fn try_finish(&mut self) -> Result<String, Cause> {
        let sha256 = std::mem::take(&mut self.digest).finish();
        let place = by_content(&self.key, &sha256);
        if self.upload.is_none() {
            self.buckets.put(&self.kept, &place, std::mem::take(&mut self.buffer), None)?;
            return Ok(sha256);
        }
        if !self.buffer.is_empty() {
            self.cut()?;
        }
        let key = of_parts(&self.key);
        if let Some((upload, tags)) = &self.upload {
            let version = self.buckets.complete(&self.kept, &key, upload, tags)?;
            // parts of which an object was made cannot be forgotten any more
            self.upload = None;
            self.buckets.put(&self.kept, &place, note(&key, &version).into_bytes(), Some("parts"))?;
        }
        Ok(sha256)
    }
}

impl Write for Object {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // a part is sent when more is to come: what is as long as a part is a small object
        if self.buffer.len() >= PART_BYTES {
            self.cut().map_err(io::Error::other)?;
        }
        let count = bytes.len().min(PART_BYTES - self.buffer.len());
        self.digest.update(&bytes[..count]);
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writing for Object {
    fn finish(mut self: Box<Self>) -> Result<ObjectVersion, ports::Error> {
        let sha256 = self.try_finish().map_err(|cause| unavailable("write", &self.key, cause))?;
        let version = format!("{OF_CONTENT}{sha256}");
        let (bucket, key) = (std::mem::take(&mut self.named), std::mem::take(&mut self.key));
        Ok(ObjectVersion { bucket, key, version })
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if let Some((upload, _)) = self.upload.take() {
            // what stays behind is seen by nobody; a rule of the bucket takes it away
            drop(self.buckets.abort(&self.kept, &of_parts(&self.key), &upload));
        }
    }
}
