//! Objects in memory, stricter than a store: reads and writes are short, and broken promises are panics.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use pipeline::object::ObjectVersion;
use pipeline::ports::{Error, Objects, Opened, Writing};
use pipeline::sha256::Sha256;

use crate::faults::{Call, Faults};
use crate::lock;

/// Bytes of a key, as in S3.
const KEY_BYTES_MAX: usize = 1024;

/// Bytes that the first read of an object gives at most, and those after it: who takes a short read for the end of
/// the file is found out with small files too.
const READ_BYTES: [usize; 2] = [1000, 64 * 1024];

/// Bytes that one write takes at most: who does not look at how many were taken loses the rest.
const WRITE_BYTES: usize = 64 * 1024;

/// Objects in memory. Clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryObjects {
    held: Arc<Mutex<Held>>,
    faults: Faults,
}

#[derive(Default)]
struct Held {
    objects: BTreeMap<ObjectVersion, Object>,
    uploads: u64,
}

#[derive(Clone)]
struct Object {
    bytes: Arc<[u8]>,
    sha256: Option<String>,
}

impl MemoryObjects {
    /// A store whose calls fail as planned.
    pub fn new(faults: &Faults) -> Self {
        Self { held: Arc::default(), faults: faults.clone() }
    }

    /// The same store, asked by somebody else: its calls fail as planned there, and are counted there.
    pub fn with(&self, faults: &Faults) -> Self {
        Self { held: Arc::clone(&self.held), faults: faults.clone() }
    }

    /// Puts an object there as a sender does, under a new version even if the bytes are the same. Later versions are
    /// greater as text. Never fails. The store knows the sha256 of every second of them.
    #[track_caller]
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> ObjectVersion {
        check_name(bucket, key);
        let mut held = lock(&self.held);
        held.uploads += 1;
        let version = format!("u{:08}", held.uploads);
        let sha256 = held.uploads.is_multiple_of(2).then(|| sha256(bytes));
        let version = ObjectVersion { bucket: bucket.to_owned(), key: key.to_owned(), version };
        held.objects.insert(version.clone(), Object { bytes: bytes.into(), sha256 });
        version
    }

    /// Deletes this version, as a lifecycle rule does. Says whether it was there.
    pub fn remove(&self, object: &ObjectVersion) -> bool {
        lock(&self.held).objects.remove(object).is_some()
    }

    /// The bytes of this version, whatever faults are planned.
    pub fn bytes(&self, object: &ObjectVersion) -> Option<Vec<u8>> {
        lock(&self.held).objects.get(object).map(|object| object.bytes.to_vec())
    }

    /// All that anybody could see.
    pub fn versions(&self) -> Vec<ObjectVersion> {
        lock(&self.held).objects.keys().cloned().collect()
    }
}

impl fmt::Debug for MemoryObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryObjects").field("versions", &lock(&self.held).objects.len()).finish_non_exhaustive()
    }
}

/// Names that some store would refuse.
#[track_caller]
fn check_name(bucket: &str, key: &str) {
    assert!(!bucket.is_empty(), "an object has a bucket: {key:?} has none");
    assert!(!key.is_empty(), "an object has a key: one in {bucket:?} has none");
    assert!(key.len() <= KEY_BYTES_MAX, "a key has at most {KEY_BYTES_MAX} bytes: {key:?} has {}", key.len());
}

fn sha256(bytes: &[u8]) -> String {
    let mut digest = Sha256::default();
    digest.update(bytes);
    digest.finish()
}

impl Objects for MemoryObjects {
    #[track_caller]
    fn open(&self, object: &ObjectVersion) -> Result<Opened, Error> {
        check_name(&object.bucket, &object.key);
        assert!(!object.version.is_empty(), "an object has a version: {object:?} has none");
        let what = || format!("open {}/{}", object.bucket, object.key);
        self.faults.run(Call::Open, None, what, || {
            let found = lock(&self.held).objects.get(object).cloned();
            let Object { bytes, sha256 } = found.ok_or_else(|| Error::NotFound(object.clone()))?;
            let count = bytes.len() as u64;
            let life = self.faults.life();
            let input = Reading { bytes: io::Cursor::new(bytes), reads: 0, faults: self.faults.clone(), life };
            Ok(Opened { input: Box::new(input), bytes: count, sha256 })
        })
    }

    #[track_caller]
    fn create(&self, bucket: &str, key: &str) -> Result<Box<dyn Writing>, Error> {
        check_name(bucket, key);
        self.faults.run(
            Call::Create,
            None,
            || format!("create {bucket}/{key}"),
            || {
                let writing = MemoryWriting {
                    bucket: bucket.to_owned(),
                    key: key.to_owned(),
                    bytes: Vec::new(),
                    has_failed: false,
                    life: self.faults.life(),
                    store: self.clone(),
                };
                Ok(Box::new(writing) as Box<dyn Writing>)
            },
        )
    }
}

struct Reading {
    bytes: io::Cursor<Arc<[u8]>>,
    reads: usize,
    faults: Faults,
    life: u64,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes_max = READ_BYTES[self.reads.min(1)].min(into.len());
        self.reads += 1;
        let read = self.faults.run(
            Call::Read,
            Some(self.life),
            || "read an object".to_owned(),
            || Ok(self.bytes.read(&mut into[..bytes_max])),
        );
        read.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Seek for Reading {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

struct MemoryWriting {
    bucket: String,
    key: String,
    bytes: Vec<u8>,
    has_failed: bool,
    life: u64,
    store: MemoryObjects,
}

impl MemoryWriting {
    fn what(&self, verb: &str) -> String {
        format!("{verb} {}/{}", self.bucket, self.key)
    }
}

impl Write for MemoryWriting {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let taken = from.len().min(WRITE_BYTES);
        let written = self.store.faults.run(Call::Write, Some(self.life), || self.what("write"), || Ok(()));
        if let Err(error) = written {
            self.has_failed = true;
            return Err(io::Error::other(error));
        }
        self.bytes.extend_from_slice(&from[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writing for MemoryWriting {
    fn finish(self: Box<Self>) -> Result<ObjectVersion, Error> {
        assert!(!self.has_failed, "an object is finished only if every write went well: {}/{}", self.bucket, self.key);
        let what = || self.what("finish");
        self.store.faults.run(Call::Finish, Some(self.life), what, || {
            let sha256 = sha256(&self.bytes);
            // content is enough: a version is looked for under its key only
            let version = format!("c{sha256}");
            let version = ObjectVersion { bucket: self.bucket.clone(), key: self.key.clone(), version };
            let object = Object { bytes: self.bytes.as_slice().into(), sha256: Some(sha256) };
            lock(&self.store.held).objects.insert(version.clone(), object);
            Ok(version)
        })
    }
}
