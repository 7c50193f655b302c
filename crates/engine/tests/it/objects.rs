//! Objects at rest: names that are no paths, versions, listings, receipts in the same transaction, what time does to
//! them.

mod attributes;
mod crash;
mod damage;
mod lifecycle;

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::objects::{Error, Found, Objects, Versions};
use engine::pipeline::object::ObjectVersion;
use engine::pipeline::sha256::Sha256;
use engine::queues::{self, Message, Millis, Queues, Settings, Transaction};

use crate::{MINUTE, T};

/// More than lies in the store.
pub(crate) const LARGE: usize = 64 * 1024 + 1;

/// A data folder.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    /// Nothing while it is closed.
    open: Option<Objects>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let mut home = Self { folder: tempfile::tempdir().unwrap(), open: None };
        home.reopen();
        home
    }

    /// Closes it, and opens it again.
    pub(crate) fn reopen(&mut self) -> Found {
        self.open = None;
        let (objects, found) = open(self.folder.path()).unwrap();
        self.open = Some(objects);
        found
    }

    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    pub(crate) fn objects(&self) -> &Objects {
        self.open.as_ref().unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Files of large objects, and what is in `tmp`.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files(&self.folder().join("objects"))
    }

    /// Uploads and commits.
    pub(crate) fn put(&self, key: &str, bytes: &[u8], now: Millis) -> ObjectVersion {
        self.put_in("b", key, bytes, now).unwrap()
    }

    pub(crate) fn put_in(&self, bucket: &str, key: &str, bytes: &[u8], now: Millis) -> Result<ObjectVersion, Error> {
        let mut upload = self.objects().upload(bucket, key)?;
        upload.write_all(bytes).map_err(|error| error.downcast::<Error>().unwrap())?;
        let stored = upload.finish(now)?;
        let transaction = Transaction { objects: vec![stored.change], ..Transaction::default() };
        self.objects().queues().transact(transaction, now).wait()?;
        Ok(stored.object)
    }

    pub(crate) fn derive(&self, key: &str, bytes: &[u8], now: Millis) -> Result<ObjectVersion, Error> {
        let mut derived = self.objects().create("b", key)?;
        derived.write_all(bytes).map_err(|error| error.downcast::<Error>().unwrap())?;
        derived.finish(now)
    }

    /// The bytes, or what was said instead.
    pub(crate) fn get(&self, object: &ObjectVersion) -> Result<Vec<u8>, String> {
        let open = self.objects().read(object).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        open.into_input().read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.objects().list("b", prefix, Versions::Newest(None), 1000).unwrap();
        listed.into_iter().map(|listed| listed.object.key).collect()
    }

    pub(crate) fn assert_sound(&self) {
        assert_eq!(self.objects().check(|_| {}).unwrap().problems, []);
    }
}

pub(crate) fn open(folder: &Path) -> Result<(Objects, Found), Error> {
    let (queues, _) = Queues::open(&folder.join("store"), &[Settings::fifo("q")])?;
    Objects::open(Arc::new(queues), &folder.join("objects"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Bytes that no compression makes much shorter.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| step()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let mut digest = Sha256::default();
    digest.update(bytes);
    digest.finish()
}

#[test]
fn any_text_is_a_key_and_never_a_path() {
    let mut home = Home::new();
    let long = "k".repeat(1024);
    let keys =
        ["../x", "/", "//", "a/../../b", ".", "é", "e\u{301}", "日本/🦀", "a\0b", "a\0", "\0", "tmp", "\n", &long];
    for bucket in ["b", "../../b", "\0"] {
        for (place, key) in keys.into_iter().enumerate() {
            for bytes in [10, LARGE] {
                home.put_in(bucket, key, &noise(place as u64, bytes), T).unwrap();
            }
        }
    }
    home.reopen();
    for bucket in ["b", "../../b", "\0"] {
        for (place, key) in keys.into_iter().enumerate() {
            let newest = home.objects().newest(bucket, key).unwrap().unwrap();
            assert_eq!(home.get(&newest.object).unwrap(), noise(place as u64, LARGE), "{key:?}");
        }
    }
    assert_eq!(home.objects().buckets().unwrap(), ["\0", "../../b", "b"]);
    for path in home.files() {
        let name = path.strip_prefix(home.folder().join("objects")).unwrap().to_str().unwrap().to_owned();
        assert!(name.len() == 19 && name.bytes().all(|byte| b"0123456789abcdef/".contains(&byte)), "{name}");
    }
    for (bucket, key) in [("", "k"), ("b", ""), ("b", &format!("{long}k")), (&"b".repeat(256), "k")] {
        assert!(matches!(home.objects().upload(bucket, key), Err(Error::Invalid { .. })), "{bucket} {key}");
    }
    home.assert_sound();
}

#[test]
fn small_and_large_objects_come_back_and_are_known_by_their_sha256() {
    let mut home = Home::new();
    let sizes = [0, 1, LARGE - 1, LARGE, 1 << 20, (1 << 20) + 1, 3_000_000];
    let versions: Vec<ObjectVersion> =
        sizes.iter().map(|bytes| home.put(&format!("{bytes}"), &noise(7, *bytes), T)).collect();
    assert_eq!(home.files().len(), 4, "the small ones are no files");
    for round in 0..2 {
        for (bytes, object) in sizes.iter().zip(&versions) {
            let expected = noise(7, *bytes);
            let head = home.objects().head(object).unwrap().unwrap();
            assert_eq!((head.bytes, head.digest, head.at), (*bytes as u64, sha256(&expected), T));
            assert!(head.stored_bytes >= head.bytes && head.stored_bytes < head.bytes + 100);
            assert_eq!(home.get(object).unwrap(), expected, "{bytes} in round {round}");
            let mut input = home.objects().read(object).unwrap().into_input();
            let from = *bytes as u64 / 2;
            input.seek(SeekFrom::Start(from)).unwrap();
            let mut rest = Vec::new();
            input.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, expected[from as usize..]);
        }
        let found = home.reopen();
        assert_eq!(found, Found { objects: sizes.len(), unfinished: 0, unnamed: 0 });
    }
}

#[test]
fn an_upload_counts_with_the_transaction_or_leaves_nothing() {
    let mut home = Home::new();
    for bytes in [10, LARGE] {
        let write = |home: &Home| {
            let mut upload = home.objects().upload("b", "k").unwrap();
            upload.write_all(&noise(1, bytes)).unwrap();
            upload
        };
        drop(write(&home));
        let stored = write(&home).finish(T).unwrap();
        assert!(matches!(home.objects().read(&stored.object), Err(Error::NotFound(_))), "nobody sees it yet");
        drop(stored);
        let stored = write(&home).finish(T).unwrap();
        let refused = Transaction {
            expects: vec![(b"receipt".to_vec(), Some(b"there".to_vec()))],
            objects: vec![stored.change],
            ..Transaction::default()
        };
        let refused = home.objects().queues().transact(refused, T).wait();
        assert!(matches!(refused, Err(queues::Error::Changed { .. })));
        assert_eq!((home.keys(""), home.files().len()), (vec![], 0), "{bytes}");

        let stored = write(&home).finish(T).unwrap();
        let queues = home.objects().queues().clone();
        let transaction = Transaction {
            records: vec![(b"receipt".to_vec(), Some(b"arrived".to_vec()))],
            sends: vec![(queues.queue("q").unwrap(), Message::of_group("g", format!("{bytes}"), "validate"))],
            objects: vec![stored.change.clone()],
            ..Transaction::default()
        };
        queues.transact(transaction, T).wait().unwrap();
        drop(queues);
        home.reopen();
        assert_eq!(home.get(&stored.object).unwrap(), noise(1, bytes));
        home.objects().delete(&stored.object, T).unwrap();
    }
    let q = home.objects().queues().queue("q").unwrap();
    assert_eq!(home.objects().queues().statistics(q, T).wait().unwrap().visible, 2);
}

#[test]
fn versions_are_new_and_in_order_whatever_the_clock_does() {
    let mut home = Home::new();
    let mut versions: Vec<ObjectVersion> = Vec::new();
    for (round, now) in [T, T, T - MINUTE, T + MINUTE, 0, T].into_iter().enumerate() {
        let object = home.put("k", &noise(round as u64, 10), now);
        assert!(versions.iter().all(|earlier| earlier.version < object.version), "{round}");
        versions.push(object.clone());
        if round % 2 == 1 {
            // not even a version that is gone comes again
            assert!(home.objects().delete(&object, now).unwrap());
            assert!(!home.objects().delete(&object, now).unwrap());
            home.reopen();
        }
    }
    let all = home.objects().list("b", "k", Versions::All(None), 10).unwrap();
    let left: Vec<&ObjectVersion> = versions.iter().step_by(2).collect();
    assert_eq!(all.iter().map(|listed| &listed.object).collect::<Vec<_>>(), left);
    assert!(all.is_sorted_by_key(|listed| listed.head.at), "times do not go back");
    let newest = home.objects().newest("b", "k").unwrap().unwrap();
    assert_eq!(newest.object, versions[4]);
    assert_eq!(home.get(&newest.object).unwrap(), noise(4, 10));
}

#[test]
fn listings_are_by_prefix_in_order_and_page_by_page() {
    let home = Home::new();
    let keys = ["a", "a/", "a/1", "a/1/x", "a/2", "a0", "b", "é"];
    for key in keys.iter().rev() {
        for version in 0..3 {
            home.put(key, &noise(version, 5), T);
        }
    }
    home.put_in("b2", "a/other bucket", b"x", T).unwrap();
    assert_eq!(home.keys(""), keys);
    assert_eq!(home.keys("a/"), ["a/", "a/1", "a/1/x", "a/2"]);
    assert_eq!(home.keys("a/1/x/"), [""; 0]);
    for page in [1, 2, 3, 7, 100] {
        let (mut newest, mut all) = (Vec::new(), Vec::new());
        loop {
            let after = newest.last().map(|listed: &engine::objects::Listed| listed.object.key.clone());
            let listed = home.objects().list("b", "a", Versions::Newest(after.as_deref()), page).unwrap();
            if listed.is_empty() {
                break;
            }
            newest.extend(listed);
        }
        assert_eq!(newest.iter().map(|listed| listed.object.key.as_str()).collect::<Vec<_>>(), keys[..6]);
        for listed in &newest {
            assert_eq!(home.get(&listed.object).unwrap(), noise(2, 5), "the newest of each");
        }
        loop {
            let last = all.last().map(|listed: &engine::objects::Listed| listed.object.clone());
            let after = last.as_ref().map(|last| (last.key.as_str(), last.version.as_str()));
            let listed = home.objects().list("b", "a", Versions::All(after), page).unwrap();
            if listed.is_empty() {
                break;
            }
            all.extend(listed);
        }
        assert_eq!(all.len(), 18);
        assert!(all.is_sorted_by_key(|listed| (listed.object.key.clone(), listed.object.version.clone())));
    }
}

#[test]
fn what_is_derived_again_is_the_same_and_is_not_stored_twice() {
    let mut home = Home::new();
    for bytes in [10, LARGE, 2_000_000] {
        let content = noise(bytes as u64, bytes);
        let first = home.derive("k", &content, T).unwrap();
        assert_eq!(first.version.len(), 32, "a hash of 128 bits");
        let files = home.files();
        for _ in 0..2 {
            assert_eq!(home.derive("k", &content, T + MINUTE).unwrap(), first);
            assert_eq!(home.files(), files);
            assert_eq!(home.objects().head(&first).unwrap().unwrap().at, T, "nothing has changed");
            home.reopen();
        }
        let other = home.derive("k", &content[1..], T).unwrap();
        assert_ne!(other, first);
        assert_eq!(home.get(&first).unwrap(), content);
        assert_eq!(home.get(&other).unwrap(), content[1..]);
    }
    home.assert_sound();
}

#[test]
fn threads_that_derive_the_same_store_it_once() {
    let home = Home::new();
    let content = noise(3, 300_000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| home.derive("k", &content, T).unwrap());
        }
    });
    assert_eq!(home.files().len(), 1);
    home.assert_sound();
}

#[test]
fn who_reads_reads_on_while_it_is_deleted_or_archived() {
    let home = Home::new();
    let content = noise(9, 3_000_000);
    let object = home.put("k", &content, T);
    let mut inputs: Vec<_> = (0..2).map(|_| home.objects().read(&object).unwrap().into_input()).collect();
    inputs[0].read_exact(&mut [0; 10]).unwrap();
    home.objects().archive("b", T + 1, T).unwrap();
    home.objects().delete(&object, T).unwrap();
    assert!(matches!(home.objects().read(&object), Err(Error::NotFound(_))));
    assert_eq!(home.files().len(), 0);
    for mut input in inputs {
        let mut bytes = Vec::new();
        input.rewind().unwrap();
        input.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, content);
    }
}
