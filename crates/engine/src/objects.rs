//! Objects at rest: bytes under a bucket, a key and a version, which is never changed once it is there.
//!
//! A small one lies in the store, a large one is a file under a name of ours; a key is only ever a key. The record of
//! either lies in the store and is committed with whatever else is known of it, so an object is there with its receipt
//! and its message or not at all. Every byte is under a checksum that is looked at when it is read.

mod ahead;
mod blocks;
mod change;
mod check;
mod clock;
mod digest;
mod error;
mod files;
mod key;
mod lifecycle;
mod list;
mod record;
mod upload;

use std::io::{self, Cursor};
use std::path::Path;
use std::sync::Arc;

use pipeline::object::ObjectVersion;
use pipeline::rows::source::Input;

use crate::queues::{self, Millis, Queues};
use crate::store::{self, Table};
use blocks::{Blocks, Told};
pub use change::Change;
pub use check::{Checked, Problem};
use clock::Clock;
use error::name_of;
pub use error::{Error, Result};
use files::Files;
pub(crate) use files::{make_folder, sync_folder};
pub use lifecycle::{Archived, Expired};
pub use list::{Listed, Versions};
pub use record::Head;
use record::{Place, Record};
pub(crate) use upload::Ready;
pub use upload::{Derived, Stored, Upload};

/// The bucket of parts that wait to be put together. It is nobody's to list.
pub const PARTS_BUCKET: &str = ".parts";

/// The objects of a data folder. Cheap to clone: all clones are the same.
#[derive(Debug, Clone)]
pub struct Objects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queues: Arc<Queues>,
    files: Files,
    clock: Arc<Clock>,
}

/// What was found when the folder was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Object versions.
    pub objects: usize,
    /// Files that were not written to their end; they are gone now.
    pub unfinished: usize,
    /// Files of objects that were never confirmed; they are gone now.
    pub unnamed: usize,
}

/// An object that is read.
#[derive(Debug)]
pub struct Open {
    /// What is known of it.
    pub head: Head,
    input: Blocks,
}

impl Open {
    /// Its bytes; each block is verified before any of it is given.
    pub fn into_input(self) -> Box<dyn Input> {
        Box::new(self.input)
    }
}

impl Objects {
    /// Opens the folder of the large objects, or makes one, beside queues that are open. It must be the folder that
    /// these queues always had: files that no record names are taken away.
    pub fn open(queues: Arc<Queues>, folder: &Path) -> Result<(Self, Found)> {
        let tried = || format!("open the folder {}", folder.display());
        let files = Files::open(folder).map_err(|error| Error::from_io(tried(), error))?;
        let (objects, named, last) = check::survey(&queues)?;
        let swept = files.sweep(|number| named.contains(&number)).map_err(|error| Error::from_io(tried(), error))?;
        let inner = Inner { queues, files, clock: Arc::new(Clock::new(last)) };
        let found = Found { objects, unfinished: swept.unfinished, unnamed: swept.unnamed };
        Ok((Self(Arc::new(inner)), found))
    }

    /// Begins an upload: its version will be new.
    pub fn upload(&self, bucket: &str, key: &str) -> Result<Upload> {
        Upload::new(self.clone(), bucket, key)
    }

    /// Begins an object that is derived: its version follows from its content.
    pub fn create(&self, bucket: &str, key: &str) -> Result<Derived> {
        Derived::new(self.clone(), bucket, key)
    }

    /// What is known of a version.
    pub fn head(&self, object: &ObjectVersion) -> Result<Option<Head>> {
        Ok(self.record(object)?.map(|record| record.head))
    }

    /// Opens a version for reading.
    pub fn read(&self, object: &ObjectVersion) -> Result<Open> {
        let mut seen = None;
        loop {
            let Some(record) = self.record(object)? else { return Err(Error::NotFound(object.clone())) };
            match self.open_at(object, &record) {
                // archived or deleted since the record was read
                Err(Error::NotFound(_)) if seen.as_ref() != Some(&record) => seen = Some(record),
                Err(Error::NotFound(_)) => {
                    let what = format!("{} is gone", self.place_of(object, &record));
                    return Err(Error::Damaged { what });
                }
                opened => return opened.map(|input| Open { head: record.head, input }),
            }
        }
    }

    /// Opens a small object that is not committed yet.
    pub(crate) fn read_staged(&self, object: &ObjectVersion, head: Head, stored: &[u8]) -> Result<Open> {
        let (bytes, stored_bytes) = (head.bytes, head.stored_bytes);
        let check = blocks::check_of(stored, bytes);
        let told = Told { name: name_of(object), bytes, stored_bytes, check };
        Ok(Open { head, input: Blocks::open(Box::new(Cursor::new(stored.to_vec())), told)? })
    }

    /// Deletes a version; false when it is not there. Who reads it, reads on.
    pub fn delete(&self, object: &ObjectVersion, now: Millis) -> Result<bool> {
        let key = key_of(object);
        loop {
            let Some(record) = self.record(object)? else { return Ok(false) };
            match self.commit(Change::delete(key.clone(), &record, self.0.clock.clone()), now) {
                // archived since the record was read
                Err(Error::Queues(queues::Error::Changed { .. })) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.remove_file(&record);
                    return Ok(true);
                }
            }
        }
    }

    /// The change by which a version goes, to be committed with others; none when it is not there. Only for what is
    /// small: the file of a large one would stay until the folder is opened again.
    pub fn removal(&self, object: &ObjectVersion) -> Result<Option<Change>> {
        let record = self.record(object)?;
        Ok(record.map(|record| Change::delete(key_of(object), &record, self.0.clock.clone())))
    }

    /// Lets a step of writing or opening files fail, for tests: the one that comes after so many.
    pub fn fail_after(&self, steps: usize, kind: io::ErrorKind) {
        self.0.files.fail_after(steps, kind);
    }

    /// Whether a fault of [`Objects::fail_after`] is still to come.
    pub fn fault_waits(&self) -> bool {
        self.0.files.fault_waits()
    }

    /// The queues beside it.
    pub fn queues(&self) -> &Arc<Queues> {
        &self.0.queues
    }

    fn files(&self) -> &Files {
        &self.0.files
    }

    fn number(&self, now: Millis) -> u64 {
        self.0.clock.next(now)
    }

    fn remove_file(&self, record: &Record) {
        if let Place::File(number) = record.place {
            self.0.files.remove(number);
        }
    }

    fn record(&self, object: &ObjectVersion) -> Result<Option<Record>> {
        let key = key_of(object);
        let value = self.0.queues.store().get(Table::Objects, &key).map_err(queues::Error::Store)?;
        value.map(|value| decode(&self.0.queues, &key, &value)).transpose()
    }

    /// The bytes of a version where its record says they are; not found when there is nothing.
    fn open_at(&self, object: &ObjectVersion, record: &Record) -> Result<Blocks> {
        let name = self.place_of(object, record);
        let stored: Box<dyn Input> = match record.place {
            Place::Store(number) => {
                let key = number.to_be_bytes();
                let content = self.0.queues.store().get(Table::Contents, &key).map_err(queues::Error::Store)?;
                Box::new(Cursor::new(content.ok_or_else(|| Error::NotFound(object.clone()))?))
            }
            Place::File(number) => match self.0.files.read(number) {
                Ok(file) => Box::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::NotFound(object.clone())),
                Err(error) => return Err(Error::from_io(format!("open {name}"), error)),
            },
        };
        Blocks::open(stored, told(name, record))
    }

    /// An object and where it is, as errors name it.
    fn place_of(&self, object: &ObjectVersion, record: &Record) -> String {
        match record.place {
            Place::Store(_) => format!("{} in the store", name_of(object)),
            Place::File(number) => format!("{} in file {}", name_of(object), self.0.files.path(number).display()),
        }
    }
}

fn told(name: String, record: &Record) -> Told {
    let Head { bytes, stored_bytes, .. } = record.head;
    Told { name, bytes, stored_bytes, check: record.check }
}

fn key_of(object: &ObjectVersion) -> Vec<u8> {
    key::of_version(&object.bucket, &object.key, &object.version)
}

fn decode(queues: &Queues, key: &[u8], value: &[u8]) -> Result<Record> {
    Record::decode(value).ok_or_else(|| corrupt(queues, key))
}

fn corrupt(queues: &Queues, key: &[u8]) -> Error {
    let what = format!("the record of the object {} cannot be read", key.escape_ascii());
    let folder = queues.store().folder().to_path_buf();
    Error::Queues(queues::Error::Store(store::Error::Corrupt { folder, what }))
}
