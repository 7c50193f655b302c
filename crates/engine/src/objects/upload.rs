//! Objects on their way in: what is short stays in memory and goes with the transaction, the rest goes through a file.

use std::io::{self, Write};
use std::sync::Arc;

use pipeline::object::ObjectVersion;

use super::ahead::EVERY_BYTES;
use super::blocks::{Summary, Summing};
use super::change::{Bytes, Change};
use super::clock::{time_of, to_text};
use super::digest::Digest;
use super::error::{Error, Result};
use super::files::{Files, Unfinished};
use super::record::{Head, Place, Record};
use super::{Objects, key};
use crate::limits::{ATTRIBUTES_BYTES_MAX, OBJECT_BYTES_MAX, SMALL_OBJECT_BYTES_MAX};
use crate::queues::{Millis, Transaction};

/// Bytes that are gathered before they are written to a file; what comes in pieces as long as this is not copied.
const WRITE_BYTES: usize = 128 * 1024;
/// Bytes that one call writes. Linux takes memory for a file in pieces as long as that, and long pieces are hard to come by
/// in a machine that has been up for long: half a megabyte at once took up to ten times as long as this.
const CALL_BYTES: usize = 64 * 1024;

/// An object that somebody uploads. It leaves nothing when it is dropped.
#[derive(Debug)]
pub struct Upload(Body);

/// An object that a stage derives: the same bytes again are the same version. It leaves nothing when it is dropped.
#[derive(Debug)]
pub struct Derived(Body);

/// An object whose bytes are safe, and that nobody sees before its change is committed. What was a file is gone when
/// it is dropped instead, and at the latest when the folder is opened again.
#[derive(Debug)]
pub struct Stored {
    /// Its name from then on.
    pub object: ObjectVersion,
    /// What is known of it.
    pub head: Head,
    /// For [`Transaction::objects`], beside the records and messages about it.
    pub change: Change,
}

/// What became of an object that was derived.
#[derive(Debug)]
pub(crate) enum Ready {
    /// It is there already.
    There(ObjectVersion),
    /// It is large, and there once this is committed.
    Large(Stored),
    /// It is small: this has its bytes.
    Small(Stored, Arc<[u8]>),
}

/// The bytes so far.
#[derive(Debug)]
struct Body {
    objects: Objects,
    bucket: String,
    key: String,
    summing: Summing,
    held: Vec<u8>,
    file: Option<Writer>,
    /// After an error it is not known what the file has.
    is_broken: bool,
    attributes: Vec<u8>,
    is_marker: bool,
}

#[derive(Debug)]
struct Writer {
    unfinished: Unfinished,
    buffer: Vec<u8>,
    number: u64,
    /// Bytes that were written since the disk was last asked to take them.
    behind: u64,
}

impl Upload {
    pub(super) fn new(objects: Objects, bucket: &str, key: &str) -> Result<Self> {
        Body::new(objects, bucket, key, Digest::sha256()).map(Self)
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.summing.bytes()
    }

    /// Says something of the object that is kept beside it. Refused past `ATTRIBUTES_BYTES_MAX`.
    pub fn attributes(&mut self, attributes: Vec<u8>) -> Result<()> {
        if attributes.len() > ATTRIBUTES_BYTES_MAX {
            let message = format!("{} has {} bytes of attributes", self.0.name(), attributes.len());
            return Err(Error::invalid(message, "send fewer, or shorter ones; 16 KiB are kept"));
        }
        self.0.attributes = attributes;
        Ok(())
    }

    /// The bucket it goes to.
    pub fn bucket(&self) -> &str {
        &self.0.bucket
    }

    /// The key it gets.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Takes a piece as it is, without copying one that is long; gives an empty one back, if there is one, to be filled next.
    pub fn give(&mut self, piece: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        self.0.give(piece)
    }

    /// Whether it is so short that ending it waits for no disk.
    pub fn is_small(&self) -> bool {
        self.0.file.is_none()
    }

    /// Ends it: the bytes are safe, under a version that is new. It counts once the change is committed.
    pub fn finish(mut self, now: Millis) -> Result<Stored> {
        let summary = self.0.sum()?;
        // of when it is done, and of a clock that never goes back
        let version = self.0.objects.number(now);
        let object = self.0.object(to_text(version));
        self.0.store(object, &summary, time_of(version), false).map(|(stored, _)| stored)
    }
}

impl Derived {
    pub(super) fn new(objects: Objects, bucket: &str, key: &str) -> Result<Self> {
        Body::new(objects, bucket, key, Digest::short()).map(Self)
    }

    /// Ends it: durable and visible when this answers.
    pub fn finish(self, now: Millis) -> Result<ObjectVersion> {
        let objects = self.0.objects.clone();
        match self.ready(now)? {
            Ready::There(object) => Ok(object),
            Ready::Large(stored) | Ready::Small(stored, _) => objects.commit_stored(stored, now),
        }
    }

    /// Those that it will be among.
    pub(crate) fn objects(&self) -> &Objects {
        &self.0.objects
    }

    /// Ends it, but leaves it to the caller to commit it.
    pub(crate) fn ready(mut self, now: Millis) -> Result<Ready> {
        let summary = self.0.sum()?;
        let object = self.0.object(summary.digest.clone());
        // A file that is there already need not be placed. Small ones are settled by the commit.
        if self.0.file.is_some() && self.0.objects.head(&object)?.is_some() {
            return Ok(Ready::There(object));
        }
        let (stored, bytes) = self.0.store(object, &summary, now, true)?;
        Ok(match bytes {
            Bytes::Memory(bytes) => Ready::Small(stored, bytes),
            Bytes::File(_) => Ready::Large(stored),
        })
    }
}

impl Objects {
    /// Puts an object by itself, beside no receipt and no message.
    pub fn put_alone(&self, upload: Upload, now: Millis) -> Result<ObjectVersion> {
        self.commit_stored(upload.finish(now)?, now)
    }

    /// Says that the object of this key is gone: the newest version is a marker from now on, older ones stay.
    pub fn hide(&self, bucket: &str, key: &str, now: Millis) -> Result<ObjectVersion> {
        let mut upload = self.upload(bucket, key)?;
        upload.0.is_marker = true;
        self.put_alone(upload, now)
    }

    /// Commits an object by itself.
    pub(crate) fn commit_stored(&self, stored: Stored, now: Millis) -> Result<ObjectVersion> {
        self.commit(stored.change, now)?;
        Ok(stored.object)
    }

    /// Commits a change by itself.
    pub(super) fn commit(&self, change: Change, now: Millis) -> Result<()> {
        let transaction = Transaction { objects: vec![change], ..Transaction::default() };
        self.queues().transact(transaction, now).wait()?;
        Ok(())
    }
}

impl Body {
    fn new(objects: Objects, bucket: &str, key: &str, digest: Digest) -> Result<Self> {
        key::check(bucket, key)?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let (summing, held, attributes) = (Summing::new(digest), Vec::new(), Vec::new());
        let (file, is_broken, is_marker) = (None, false, false);
        Ok(Self { objects, bucket, key, summing, held, file, is_broken, attributes, is_marker })
    }

    /// Nothing more comes.
    fn sum(&mut self) -> Result<Summary> {
        if self.is_broken {
            let message = format!("{} was not written whole", self.name());
            return Err(Error::invalid(message, "write it again from its beginning"));
        }
        Ok(std::mem::replace(&mut self.summing, Summing::new(Digest::short())).finish())
    }

    fn object(&self, version: String) -> ObjectVersion {
        ObjectVersion { bucket: self.bucket.clone(), key: self.key.clone(), version }
    }

    /// Makes the bytes safe, and the change that records them.
    fn store(
        mut self,
        object: ObjectVersion,
        summary: &Summary,
        at: Millis,
        is_derived: bool,
    ) -> Result<(Stored, Bytes)> {
        let Summary { bytes, digest, table } = summary;
        let (bytes, digest, stored_bytes) = (*bytes, digest.clone(), table.stored_bytes());
        let (is_marker, attributes) = (self.is_marker, std::mem::take(&mut self.attributes));
        let head = Head { bytes, digest, at, stored_bytes, is_archived: false, is_marker, attributes };
        let (bytes, place) = self.settle(&table.encoded)?;
        let record = Record { head: head.clone(), place, check: table.check() };
        let change = Change::put(&object, &record, bytes.clone(), is_derived);
        Ok((Stored { object, head, change }, bytes))
    }

    fn settle(self, table: &[u8]) -> Result<(Bytes, Place)> {
        let name = self.name();
        let Some(Writer { mut unfinished, mut buffer, number, .. }) = self.file else {
            let content = [self.held.as_slice(), table].concat();
            return Ok((Bytes::Memory(content.into()), Place::Store(self.objects.number(0))));
        };
        let files = self.objects.files();
        let tried = format!("write {name} to {}", unfinished.path.display());
        buffer.extend_from_slice(table);
        let placed = files.step().and_then(|()| unfinished.file.write_all(&buffer));
        let placed = placed.and_then(|()| files.place(unfinished));
        let placed = placed.map_err(|error| Error::from_io(tried, error))?;
        Ok((Bytes::File(Arc::new(placed)), Place::File(number)))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.store_next(bytes)?;
        self.summing.update(bytes);
        Ok(())
    }

    fn give(&mut self, piece: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        self.begin_step()?;
        self.store_next(&piece).map_err(Error::into_io)?;
        self.is_broken = false;
        Ok(self.summing.give(piece))
    }

    /// What fails from here on leaves it broken.
    fn begin_step(&mut self) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other(format!("{} could not be written before", self.name())));
        }
        self.is_broken = true;
        Ok(())
    }

    fn store_next(&mut self, bytes: &[u8]) -> Result<()> {
        if self.summing.bytes().saturating_add(bytes.len() as u64) > OBJECT_BYTES_MAX {
            let message = format!("{} has more than {OBJECT_BYTES_MAX} bytes", self.name());
            return Err(Error::invalid(message, "split it into several objects"));
        }
        if self.file.is_none() && self.held.len() + bytes.len() <= SMALL_OBJECT_BYTES_MAX {
            self.held.extend_from_slice(bytes);
            return Ok(());
        }
        self.write_to_file(bytes)
    }

    fn write_to_file(&mut self, bytes: &[u8]) -> Result<()> {
        let files = self.objects.files();
        if self.file.is_none() {
            let number = self.objects.number(0);
            let tried = || format!("write {} to {}", self.name(), files.folder().display());
            let unfinished = files.create(number).map_err(|error| Error::from_io(tried(), error))?;
            self.file = Some(Writer { unfinished, buffer: std::mem::take(&mut self.held), number, behind: 0 });
        }
        let name = self.name();
        let Some(writer) = &mut self.file else { return Ok(()) };
        let written = writer.write(bytes, files);
        written.map_err(|error| Error::from_io(format!("write {name} to {}", writer.unfinished.path.display()), error))
    }

    fn name(&self) -> String {
        format!("object {}/{}", self.bucket.escape_debug(), self.key.escape_debug())
    }
}

impl Writer {
    /// Writes what is short with what comes next, and what is long as it is.
    fn write(&mut self, bytes: &[u8], files: &Files) -> io::Result<()> {
        if bytes.len() < WRITE_BYTES {
            self.buffer.extend_from_slice(bytes);
            return if self.buffer.len() < WRITE_BYTES { Ok(()) } else { self.write_buffer(files) };
        }
        self.write_buffer(files)?;
        self.write_now(bytes, files)
    }

    fn write_buffer(&mut self, files: &Files) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        self.write_now(&buffer, files)?;
        buffer.clear();
        self.buffer = buffer;
        Ok(())
    }

    fn write_now(&mut self, bytes: &[u8], files: &Files) -> io::Result<()> {
        files.step()?;
        for part in bytes.chunks(CALL_BYTES) {
            self.unfinished.file.write_all(part)?;
        }
        self.behind += bytes.len() as u64;
        if self.behind >= EVERY_BYTES {
            files.sync_ahead(&self.unfinished);
            self.behind = 0;
        }
        Ok(())
    }
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin_step()?;
        // one piece at a time, so that the buffer stays small
        let piece = &bytes[..bytes.len().min(WRITE_BYTES)];
        Body::write(self, piece).map_err(Error::into_io)?;
        self.is_broken = false;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.0, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Write for Derived {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.0, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
