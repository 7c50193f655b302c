//! A plain store of objects with one bug at a time: each is found by the check that is there for it.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use pipeline::object::ObjectVersion;
use pipeline::ports::{Error, Objects, Opened, Writing};
use testkit::contract::ObjectsHome;
use testkit::contract::objects::CHECKS;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bug {
    /// Loses what a file of 64 KiB does not hold.
    CutsLongObjects,
    TellsAnotherLength,
    TellsAnotherSha256,
    /// Gives what is newest under the key.
    OpensTheNewest,
    /// An open object is read from what is there now.
    FollowsTheKey,
    SeeksOnlyForward,
    /// Seeks behind the end stop at it.
    SeeksWithinTheEnd,
    CallsItAnOutage,
    VisibleWhenFlushed,
    VisibleWhenBegun,
    KeptWhenDropped,
    DropTakesTheOldAway,
    CountsVersions,
    CountsVersionsFromStart,
    VersionIsTheLength,
    VersionLooksAtTheStart,
    CleansKeys,
    FoldsCase,
    CutsKeys,
    HasOneBucket,
    HasOnePlaceForEachKey,
    KeepsNothing,
    /// As if the file were written and its folder never synced: the last object is lost.
    LosesTheLast,
}

type Key = (String, String, String);

#[derive(Debug, Default)]
struct Held {
    objects: BTreeMap<Key, Arc<[u8]>>,
    /// In the order they were finished.
    order: Vec<Key>,
    begun: BTreeMap<String, Vec<u8>>,
    finished: usize,
}

#[derive(Debug, Clone)]
struct Broken {
    bug: Option<Bug>,
    held: Arc<Mutex<Held>>,
}

impl Broken {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn place(&self, bucket: &str, key: &str, version: &str) -> Key {
        let bucket = if self.has(Bug::HasOneBucket) { "" } else { bucket };
        let key = match self.bug {
            Some(Bug::CleansKeys) => {
                key.split('/').filter(|part| !["", "."].contains(part)).collect::<Vec<_>>().join("/")
            }
            Some(Bug::FoldsCase) => key.to_lowercase(),
            Some(Bug::CutsKeys) => key.chars().take(255).collect(),
            _ => key.to_owned(),
        };
        (bucket.to_owned(), key, version.to_owned())
    }

    fn version(&self, bytes: &[u8]) -> String {
        let hash = |bytes: &[u8]| {
            format!(
                "{:x}",
                bytes.iter().fold(7_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
            )
        };
        match self.bug {
            Some(Bug::CountsVersions | Bug::CountsVersionsFromStart) => self.held.lock().unwrap().finished.to_string(),
            Some(Bug::VersionIsTheLength) => bytes.len().to_string(),
            Some(Bug::VersionLooksAtTheStart) => format!("{}-{}", bytes.len(), hash(&bytes[..bytes.len().min(1000)])),
            // the bug shows only where the key tells objects apart, so the version must not
            Some(Bug::CleansKeys | Bug::FoldsCase | Bug::CutsKeys | Bug::HasOneBucket) => "1".to_owned(),
            _ => hash(bytes),
        }
    }

    fn keep(&self, bucket: &str, key: &str, mut bytes: Vec<u8>) -> ObjectVersion {
        if self.has(Bug::CutsLongObjects) {
            bytes.truncate(65_536);
        }
        self.held.lock().unwrap().finished += 1;
        let version = self.version(&bytes);
        let place = self.place(bucket, key, &version);
        let mut held = self.held.lock().unwrap();
        held.objects.insert(place.clone(), bytes.into());
        held.order.push(place);
        ObjectVersion { bucket: bucket.into(), key: key.into(), version }
    }
}

impl Objects for Broken {
    fn open(&self, object: &ObjectVersion) -> Result<Opened, Error> {
        let place = self.place(&object.bucket, &object.key, &object.version);
        let held = self.held.lock().unwrap();
        let newest = held.order.iter().rev().find(|other| (&other.0, &other.1) == (&place.0, &place.1));
        let place = if self.has(Bug::OpensTheNewest) { newest.unwrap_or(&place) } else { &place };
        let Some(bytes) = held.objects.get(place).cloned() else {
            if self.has(Bug::CallsItAnOutage) {
                return Err(Error::Unavailable { what: "open it".into(), cause: "404".into() });
            }
            return Err(Error::NotFound(object.clone()));
        };
        let count = bytes.len() as u64 + u64::from(self.has(Bug::TellsAnotherLength));
        let sha256 = self.has(Bug::TellsAnotherSha256).then(|| "0".repeat(64));
        let input = Reading { bytes: Cursor::new(bytes), key: object.key.clone(), store: self.clone() };
        Ok(Opened { input: Box::new(input), bytes: count, sha256 })
    }

    fn create(&self, bucket: &str, key: &str) -> Result<Box<dyn Writing>, Error> {
        let writing =
            Begun { bucket: bucket.into(), key: key.into(), bytes: Vec::new(), is_done: false, store: self.clone() };
        if self.has(Bug::VisibleWhenBegun) {
            self.keep(bucket, key, Vec::new());
        }
        Ok(Box::new(writing))
    }
}

struct Reading {
    bytes: Cursor<Arc<[u8]>>,
    key: String,
    store: Broken,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.store.has(Bug::FollowsTheKey) {
            let held = self.store.held.lock().unwrap();
            let newest = held.order.iter().rev().find(|other| other.1 == self.key).unwrap();
            let mut now = Cursor::new(Arc::clone(&held.objects[newest]));
            now.set_position(self.bytes.position());
            self.bytes = now;
        }
        self.bytes.read(into)
    }
}

impl Seek for Reading {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let from = self.bytes.position();
        let place = self.bytes.seek(to)?;
        match self.store.bug {
            Some(Bug::SeeksOnlyForward) => self.bytes.set_position(place.max(from)),
            Some(Bug::SeeksWithinTheEnd) => self.bytes.set_position(place.min(self.bytes.get_ref().len() as u64)),
            _ => {}
        }
        Ok(self.bytes.position())
    }
}

struct Begun {
    bucket: String,
    key: String,
    bytes: Vec<u8>,
    is_done: bool,
    store: Broken,
}

impl Write for Begun {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.store.has(Bug::HasOnePlaceForEachKey) {
            let mut held = self.store.held.lock().unwrap();
            held.begun.entry(self.key.clone()).or_default().extend_from_slice(bytes);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.store.has(Bug::VisibleWhenFlushed) {
            self.store.keep(&self.bucket, &self.key, self.bytes.clone());
        }
        Ok(())
    }
}

impl Writing for Begun {
    fn finish(mut self: Box<Self>) -> Result<ObjectVersion, Error> {
        self.is_done = true;
        let begun = self.store.held.lock().unwrap().begun.remove(&self.key);
        Ok(self.store.keep(&self.bucket, &self.key, begun.unwrap_or_else(|| self.bytes.clone())))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        match self.store.bug {
            Some(Bug::KeptWhenDropped) => {
                self.store.keep(&self.bucket, &self.key, self.bytes.clone());
            }
            Some(Bug::DropTakesTheOldAway) => {
                self.store.held.lock().unwrap().objects.retain(|(_, key, _), _| *key != self.key);
            }
            _ => {}
        }
    }
}

impl ObjectsHome for Broken {
    fn objects(&self) -> &dyn Objects {
        self
    }

    fn restart(&mut self) {
        let mut held = self.held.lock().unwrap();
        match self.bug {
            Some(Bug::KeepsNothing) => held.objects.clear(),
            Some(Bug::LosesTheLast) => {
                if let Some(last) = held.order.pop() {
                    held.objects.remove(&last);
                }
            }
            Some(Bug::CountsVersionsFromStart) => held.finished = 0,
            _ => {}
        }
    }
}

const BUGS: [(Bug, &str); 26] = [
    (Bug::CutsLongObjects, "bytes_come_back"),
    (Bug::TellsAnotherLength, "bytes_come_back"),
    (Bug::TellsAnotherSha256, "bytes_come_back"),
    (Bug::OpensTheNewest, "bytes_are_the_same_each_time"),
    (Bug::FollowsTheKey, "bytes_are_the_same_each_time"),
    (Bug::SeeksOnlyForward, "reads_follow_seeks"),
    (Bug::SeeksWithinTheEnd, "reads_follow_seeks"),
    (Bug::CallsItAnOutage, "a_version_that_is_not_there_is_not_found"),
    (Bug::OpensTheNewest, "a_version_that_is_not_there_is_not_found"),
    (Bug::VisibleWhenFlushed, "nothing_is_visible_before_finish"),
    (Bug::VisibleWhenBegun, "nothing_is_visible_before_finish"),
    (Bug::KeptWhenDropped, "what_is_dropped_leaves_nothing"),
    (Bug::VisibleWhenFlushed, "what_is_dropped_leaves_nothing"),
    (Bug::DropTakesTheOldAway, "what_is_dropped_leaves_what_was_there"),
    (Bug::CountsVersions, "the_same_bytes_are_the_same_version"),
    (Bug::CountsVersionsFromStart, "the_same_bytes_are_the_same_version"),
    (Bug::VersionIsTheLength, "other_bytes_are_another_version"),
    (Bug::VersionLooksAtTheStart, "other_bytes_are_another_version"),
    (Bug::CleansKeys, "every_key_is_its_own_object"),
    (Bug::FoldsCase, "every_key_is_its_own_object"),
    (Bug::CutsKeys, "every_key_is_its_own_object"),
    (Bug::HasOneBucket, "every_bucket_is_its_own"),
    (Bug::HasOnePlaceForEachKey, "writings_of_one_key_do_not_mix"),
    (Bug::KeepsNothing, "what_is_finished_survives_a_restart"),
    (Bug::LosesTheLast, "what_is_finished_survives_a_restart"),
    (Bug::VersionIsTheLength, "threads_do_not_disturb_each_other"),
];

#[test]
fn every_check_of_objects_can_fail() {
    let make = |bug| Box::new(Broken { bug, held: Arc::default() }) as Box<dyn ObjectsHome>;
    crate::expect_caught(CHECKS, &BUGS, make);
}
