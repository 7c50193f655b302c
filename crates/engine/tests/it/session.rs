//! Sessions: what a batch sees of itself, what others see, and how it all counts at once or not at all.

mod contract;
mod pages;

use std::io::{Read, Write as _};
use std::sync::Arc;

use engine::objects::Objects;
use engine::pipeline::message::{Feed, Message, MessageId, Work};
use engine::pipeline::object::ObjectVersion;
use engine::pipeline::ports::{Commit, Committed, Error, Ledger, Objects as ObjectsPort, Revision};
use engine::pipeline::step::{Kind, RecordKey, Step, Write};
use engine::queues::{self, Queues, Received, Settings};
use engine::session::{FlushError, Route, Session, forget_sources, record_key};
use engine::store::{Fault, Store};

use crate::{MINUTE, T};

/// Queues and objects; all messages go to `q`.
pub(crate) struct Place {
    pub(crate) objects: Objects,
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (queues, _) = Queues::open_on(Arc::new(Store::in_memory()), &[Settings::fifo("q")]).unwrap();
        let (objects, _) = Objects::open(Arc::new(queues), folder.path()).unwrap();
        Self { objects, folder }
    }

    fn batch(&self) -> Session {
        Session::batch(&self.objects, route(&self.objects), T)
    }

    fn immediate(&self) -> Session {
        Session::immediate(&self.objects, route(&self.objects), T)
    }

    fn queues(&self) -> &Queues {
        self.objects.queues()
    }

    fn receive(&self) -> Vec<Received> {
        self.queues().receive(self.queues().queue("q").unwrap(), 10, None, T).wait().unwrap()
    }

    fn value(&self, id: &str) -> Option<Vec<u8>> {
        self.queues().record(&record_key(&key(id))).unwrap()
    }

    fn large_files(&self) -> usize {
        let parts = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        parts.map(|part| std::fs::read_dir(part).unwrap().count()).sum()
    }
}

pub(crate) fn route(objects: &Objects) -> Route {
    let q = objects.queues().queue("q").unwrap();
    Arc::new(move |message: &Message| {
        let (group, id) = (message.group().as_str(), message.id());
        Ok((q, queues::Message::of_group(group, id.as_str(), message.to_json()?)))
    })
}

fn message(name: &str) -> Message {
    let object = ObjectVersion { bucket: "b".to_owned(), key: name.to_owned(), version: "1".to_owned() };
    Message::FilesProcess(Work { object, feed: Feed::try_from("feed".to_owned()).unwrap(), generation: 0 })
}

pub(crate) fn source(name: &str) -> MessageId {
    message(name).id()
}

pub(crate) fn key(id: &str) -> RecordKey {
    RecordKey { kind: Kind::Receipt, id: id.to_owned() }
}

fn write(id: &str, value: &str) -> Write {
    Write { key: key(id), value: Some(value.as_bytes().to_vec()) }
}

/// Sets a record after having loaded it, and sends a message of the name of the source.
fn set(session: &Session, from: &str, id: &str, value: &str) -> Result<Committed, Error> {
    let expects = vec![(key(id), session.load(&key(id))?.revision)];
    let step = Step { writes: vec![write(id, value)], sends: vec![message(&format!("{from} is done"))] };
    session.commit(Commit { source: source(from), expects, step })
}

fn put(session: &Session, key: &str, bytes: &[u8]) -> ObjectVersion {
    let mut writing = session.create("b", key).unwrap();
    writing.write_all(bytes).unwrap();
    writing.finish().unwrap()
}

fn get(session: &Session, object: &ObjectVersion) -> Option<Vec<u8>> {
    let mut opened = match session.open(object) {
        Ok(opened) => opened,
        Err(Error::NotFound(missing)) if missing == *object => return None,
        Err(error) => panic!("{error}"),
    };
    let mut bytes = Vec::new();
    opened.input.read_to_end(&mut bytes).unwrap();
    assert_eq!(opened.bytes, bytes.len() as u64);
    Some(bytes)
}

/// Sends so many messages to work on, and receives them.
fn work(place: &Place, messages: usize) -> Vec<Received> {
    let q = place.queues().queue("q").unwrap();
    for number in 0..messages {
        let message = queues::Message::of_group("work", format!("work {number}"), "x");
        place.queues().send(q, message, T).wait().unwrap();
    }
    place.receive()
}

#[test]
fn a_batch_sees_itself_and_counts_at_once() {
    let place = Place::new();
    let leases = work(&place, 3).iter().map(|received| received.lease).collect();
    let batch = place.batch();
    for (number, from) in ["a", "b", "c"].into_iter().enumerate() {
        let loaded = batch.load(&key("sum")).unwrap();
        assert_eq!(loaded.value.as_ref().map_or(0, Vec::len), number);
        assert_eq!(loaded.revision, Revision::of(loaded.value.as_deref()));
        assert_eq!(set(&batch, from, "sum", &"x".repeat(number + 1)).unwrap(), Committed::Now);
    }
    assert_eq!(set(&batch, "a", "sum", "again").unwrap(), Committed::Before);
    assert_eq!(batch.load(&key("sum")).unwrap().value.unwrap(), b"xxx");
    assert_eq!(place.value("sum"), None, "nobody else sees it yet");
    assert!(place.receive().is_empty());
    batch.flush(leases, T).unwrap();
    assert_eq!(place.value("sum").unwrap(), b"xxx");
    let received = place.receive();
    assert_eq!(received.len(), 3, "the messages that were worked on are gone, those that were sent are there");
    let names = received.iter().map(|received| Message::from_json(std::str::from_utf8(&received.body).unwrap()));
    let names: Vec<Message> = names.map(Result::unwrap).collect();
    assert_eq!(names, ["a is done", "b is done", "c is done"].map(message));
    assert_eq!(set(&place.batch(), "b", "sum", "again").unwrap(), Committed::Before, "also for the next batch");
}

#[test]
fn a_session_that_is_dropped_leaves_nothing() {
    let place = Place::new();
    let batch = place.batch();
    set(&batch, "a", "r", "1").unwrap();
    let object = put(&batch, "k", b"small");
    drop(batch);
    assert_eq!((place.value("r"), get(&place.batch(), &object)), (None, None));
    assert_eq!(set(&place.immediate(), "a", "r", "2").unwrap(), Committed::Now);
}

#[test]
fn a_record_that_somebody_else_changes_stops_the_batch() {
    for by_condition in [true, false] {
        let place = Place::new();
        set(&place.immediate(), "start", "r", "0").unwrap();
        let leases: Vec<_> = work(&place, 1).iter().map(|received| received.lease).collect();
        let batch = place.batch();
        set(&batch, "other", "other", "1").unwrap();
        if by_condition {
            set(&batch, "a", "r", "1").unwrap();
        } else {
            // it decides by what it has read, and writes something else
            let expects = vec![(key("r"), batch.load(&key("r")).unwrap().revision)];
            let step = Step { writes: vec![write("s", "1")], sends: Vec::new() };
            batch.commit(Commit { source: source("a"), expects, step }).unwrap();
        }
        set(&place.immediate(), "meanwhile", "r", "2").unwrap();
        let error = batch.flush(leases.clone(), T).unwrap_err();
        assert!(matches!(&error, FlushError::Changed { what } if what == "record Receipt r"), "{error:?}");
        assert_eq!((place.value("r").unwrap().as_slice(), place.value("other")), (b"2".as_slice(), None));
        let batch = place.batch();
        assert_eq!(set(&batch, "a", "r", "3").unwrap(), Committed::Now, "one by one it works");
        batch.flush(leases, T).unwrap();
        assert_eq!(place.value("r").unwrap(), b"3");
    }
}

#[test]
fn a_source_that_somebody_else_commits_stops_the_batch_and_is_done_then() {
    let place = Place::new();
    let batch = place.batch();
    set(&batch, "a", "r", "1").unwrap();
    set(&place.immediate(), "a", "other", "1").unwrap();
    let error = batch.flush(Vec::new(), T).unwrap_err();
    assert!(matches!(&error, FlushError::Changed { what } if what.starts_with("source files:process:")), "{error:?}");
    let batch = place.batch();
    assert_eq!(set(&batch, "a", "r", "1").unwrap(), Committed::Before);
    batch.flush(Vec::new(), T).unwrap();
    assert_eq!(place.value("r"), None);
}

#[test]
fn a_lease_that_is_lost_is_told_apart() {
    let place = Place::new();
    let received = work(&place, 2);
    let leases = received.iter().map(|received| received.lease).collect();
    place.queues().acknowledge(vec![received[1].lease], T).wait().unwrap();
    let batch = place.batch();
    set(&batch, "a", "r", "1").unwrap();
    let error = batch.flush(leases, T).unwrap_err();
    assert!(matches!(error, FlushError::LeaseLost { id } if id == received[1].lease.id()), "{error:?}");
    assert_eq!(place.value("r"), None);
}

#[test]
fn a_commit_that_fails_is_told_as_such_and_comes_again() {
    for kept in [true, false] {
        let place = Place::new();
        let fail = || place.queues().store().fail_next(Fault { kind: std::io::ErrorKind::StorageFull, kept });
        let batch = place.batch();
        set(&batch, "a", "r", "1").unwrap();
        fail();
        assert!(matches!(batch.flush(Vec::new(), T), Err(FlushError::Failed(_))));
        let expected = if kept { Committed::Before } else { Committed::Now };
        assert_eq!(set(&place.batch(), "a", "r", "1").unwrap(), expected);
        fail();
        assert!(matches!(set(&place.immediate(), "b", "r", "2"), Err(Error::Unavailable { .. })));
        assert_eq!(set(&place.immediate(), "b", "r", "2").unwrap(), expected);
    }
}

#[test]
fn conditions_hold_for_what_is_staged() {
    let place = Place::new();
    let batch = place.batch();
    let old = batch.load(&key("r")).unwrap().revision;
    set(&batch, "a", "r", "1").unwrap();
    let late = |revision| Commit {
        source: source("late"),
        expects: vec![(key("r"), revision)],
        step: Step { writes: vec![write("late", "1")], sends: vec![message("late")] },
    };
    assert!(matches!(batch.commit(late(old)), Err(Error::Changed(changed)) if changed == key("r")));
    assert_eq!(batch.load(&key("late")).unwrap().value, None);
    assert_eq!(batch.commit(late(Revision::of(Some(b"1")))).unwrap(), Committed::Now);
    batch.flush(Vec::new(), T).unwrap();
    assert_eq!(place.receive().len(), 2);
}

#[test]
fn small_objects_are_staged_and_large_ones_are_there_at_once() {
    let place = Place::new();
    let (small, large) = (vec![1; 64 * 1024], vec![2; 64 * 1024 + 1]);
    let batch = place.batch();
    let objects: Vec<ObjectVersion> = [&small, &large, &small].map(|bytes| put(&batch, "k", bytes)).to_vec();
    assert_eq!(objects[0], objects[2]);
    assert_eq!(get(&batch, &objects[0]).unwrap(), small);
    assert_eq!(get(&batch, &objects[1]).unwrap(), large);
    let other = place.batch();
    assert_eq!(get(&other, &objects[0]), None);
    assert_eq!(get(&other, &objects[1]).unwrap(), large);
    assert_eq!(put(&other, "k", &small), objects[0], "two batches may derive the same");
    batch.flush(Vec::new(), T).unwrap();
    other.flush(Vec::new(), T).unwrap();
    assert_eq!(get(&place.immediate(), &objects[0]).unwrap(), small);
    assert_eq!(put(&place.batch(), "k", &large), objects[1]);
    assert_eq!(place.large_files(), 1);
    let store = place.queues().store();
    assert_eq!(store.page(engine::store::Table::Contents, b"", None, 10).unwrap().len(), 1, "kept once");
    assert_eq!(place.objects.check(|_| {}).unwrap().problems, []);
}

#[test]
fn a_session_that_is_nearly_full_says_so_and_refuses_what_does_not_fit() {
    let place = Place::new();
    let batch = place.batch();
    let megabyte = "x".repeat(1024 * 1024);
    let mut staged = 0;
    while !batch.wants_flush() {
        set(&batch, &format!("{staged}"), &format!("{staged}"), &megabyte).unwrap();
        staged += 1;
    }
    assert_eq!(staged, 8);
    // what there was is committed before a step that comes then, which may be as large as a transaction
    let writes = |count: usize| (0..count).map(|number| write(&format!("more {number}"), &megabyte)).collect();
    let commit = |count| Commit {
        source: source("last"),
        expects: Vec::new(),
        step: Step { writes: writes(count), sends: Vec::new() },
    };
    let error = batch.commit(commit(16)).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(batch.load(&key("more 0")).unwrap().value, None, "nothing of it is staged");
    assert_eq!(place.value("7").unwrap().len(), megabyte.len());
    assert_eq!(batch.commit(commit(12)).unwrap(), Committed::Now);
    assert_eq!(place.value("more 11"), None, "that waits for the end");
    batch.flush(Vec::new(), T).unwrap();
    assert_eq!(place.value("more 11").unwrap().len(), megabyte.len());

    let batch = place.batch();
    let writes = (0..5000).map(|number| write(&format!("many {number}"), "x")).collect();
    batch.commit(Commit { source: source("many"), expects: vec![], step: Step { writes, sends: vec![] } }).unwrap();
    assert!(batch.wants_flush());
    batch.flush(Vec::new(), T).unwrap();
    assert_eq!(place.value("many 4999").unwrap(), b"x");
}

#[test]
fn sources_are_forgotten_after_eighteen_days_and_no_sooner() {
    let place = Place::new();
    let later = T + 18 * 24 * 60 * MINUTE;
    let old = Session::immediate(&place.objects, route(&place.objects), T);
    let young = Session::immediate(&place.objects, route(&place.objects), T + 1);
    for number in 0..1100 {
        set(&old, &format!("old {number}"), "old", "1").unwrap();
    }
    set(&young, "young", "young", "1").unwrap();
    // the engine keeps times of its own, under words that begin with any letter
    let records: Vec<_> =
        ('a'..='z').map(|letter| (format!("{letter}chedule/x").into_bytes(), Some(vec![0; 8]))).collect();
    let own = queues::Transaction { records, ..queues::Transaction::default() };
    place.queues().transact(own, T).wait().unwrap();
    assert_eq!(forget_sources(place.queues(), later).unwrap(), 0);
    assert_eq!(set(&young, "old 7", "old", "1").unwrap(), Committed::Before);
    assert_eq!(forget_sources(place.queues(), later + 1).unwrap(), 1100);
    assert_eq!(set(&young, "young", "young", "1").unwrap(), Committed::Before);
    assert_eq!(set(&young, "old 7", "old", "1").unwrap(), Committed::Now);
    assert_eq!(place.value("old").unwrap(), b"1", "records stay");
    assert!(place.queues().record(b"schedule/x").unwrap().is_some());
}

/// The first steps of a message with very many are committed before its last; if others changed what they were decided by,
/// the session says that it is overtaken, and nothing of it is there.
#[test]
fn a_session_whose_first_steps_are_overtaken_says_so() {
    let place = Place::new();
    let batch = place.batch();
    let decided = Commit {
        source: source("first"),
        expects: vec![(key("seen"), Revision::of(None))],
        step: Step { writes: (0..5000).map(|number| write(&format!("many {number}"), "x")).collect(), sends: vec![] },
    };
    assert_eq!(batch.commit(decided).unwrap(), Committed::Now);
    assert!(!batch.is_overtaken());
    set(&place.immediate(), "other", "seen", "1").unwrap();
    let last =
        Commit { source: source("last"), expects: vec![], step: Step { writes: vec![write("y", "y")], sends: vec![] } };
    assert!(matches!(batch.commit(last), Err(Error::Unavailable { .. })));
    assert!(batch.is_overtaken());
    assert_eq!(place.value("many 0"), None);
}
