//! Callers that break a promise are stopped, and told which.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pipeline::message::{Feed, Message, MessageId, Records, Tick, Work};
use pipeline::object::ObjectVersion;
use pipeline::ports::{Commit, Ledger, Objects, Revision};
use pipeline::step::{self, Kind, RecordKey, Step};
use testkit::{Fault, Faults, MemoryLedger, MemoryObjects};

fn feed() -> Feed {
    Feed::try_from("f".to_owned()).unwrap()
}

fn source() -> MessageId {
    Message::MarketAggregate(Tick { feed: feed(), due_seconds: 0 }).id()
}

fn records(part: u64, record: &str) -> Message {
    Message::MarketProcess(Records { feed: feed(), origin: "o".into(), part, of: None, records: vec![record.into()] })
}

fn key(id: &str) -> RecordKey {
    RecordKey { kind: Kind::Row, id: id.into() }
}

fn write(id: &str, bytes: usize) -> step::Write {
    step::Write { key: key(id), value: Some(vec![0; bytes]) }
}

fn commit(writes: Vec<step::Write>, sends: Vec<Message>) -> Commit {
    Commit { source: source(), expects: Vec::new(), step: Step { writes, sends } }
}

/// What stops this, in words.
#[track_caller]
fn stopped(act: impl FnOnce()) -> String {
    let answer = crate::quietly(|| catch_unwind(AssertUnwindSafe(act)));
    let panic = answer.expect_err("a broken promise stops the caller");
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).expect("it says which").to_owned()
}

#[test]
fn promises_about_records_are_kept() {
    let cases: [(&str, Commit); 10] = [
        ("no record is written twice", commit(vec![write("a", 1), write("a", 2)], vec![])),
        ("a record has an id", commit(vec![write("", 1)], vec![])),
        ("has at most 2048 bytes", commit(vec![write(&"k".repeat(2049), 1)], vec![])),
        ("at most 10000 parts", commit((0..10_000).map(|index| write(&format!("{index}"), 1)).collect(), vec![])),
        ("at most 16777216 bytes", commit(vec![write("a", 16 * 1024 * 1024)], vec![])),
        ("every message fits a queue", commit(vec![], vec![records(0, &"1".repeat(256 * 1024))])),
        ("no message is sent twice", commit(vec![], vec![records(0, "1"), records(0, "2")])),
        (
            "no record is expected twice",
            Commit { expects: vec![(key("a"), Revision(0)), (key("a"), Revision(1))], ..commit(vec![], vec![]) },
        ),
        ("a record has an id", Commit { expects: vec![(key(""), Revision(0))], ..commit(vec![], vec![]) }),
        ("a commit has a source", Commit { source: serde_json::from_str("\"\"").unwrap(), ..commit(vec![], vec![]) }),
    ];
    for (why, commit) in cases {
        let ledger = MemoryLedger::default();
        let said = stopped(|| drop(ledger.commit(commit.clone())));
        assert!(said.contains(why), "{said:?} does not say {why:?}");
        assert!(ledger.records().is_empty() && ledger.take_outbox().is_empty(), "nothing happened");
        assert!(!ledger.has_seen(&source()));
    }
    let ledger = MemoryLedger::default();
    let writes = (0..9_999).map(|index| write(&format!("{index}"), 1)).collect();
    ledger.commit(commit(writes, vec![])).unwrap();
    assert_eq!(ledger.records().len(), 9_999);
    assert!(stopped(|| drop(ledger.load(&key("")))).contains("a record has an id"));
    assert!(stopped(|| drop(ledger.page(Kind::Row, "", None, 0))).contains("at least one record"));
}

#[test]
fn an_id_means_one_message() {
    let ledger = MemoryLedger::default();
    ledger.commit(commit(vec![], vec![records(0, "1")])).unwrap();
    let other = |message| Commit { source: records(9, "").id(), ..commit(vec![], vec![message]) };
    assert!(stopped(|| drop(ledger.commit(other(records(0, "2"))))).contains("an id means one message"));
    ledger.commit(other(records(0, "1"))).unwrap();
    assert_eq!(ledger.take_outbox(), [records(0, "1"), records(0, "1")]);
    assert_eq!(ledger.take_outbox(), []);
}

#[test]
fn promises_about_objects_are_kept() {
    let objects = MemoryObjects::default();
    assert!(stopped(|| drop(objects.create("b", ""))).contains("an object has a key"));
    assert!(stopped(|| drop(objects.create("", "k"))).contains("an object has a bucket"));
    assert!(stopped(|| drop(objects.create("b", &"k".repeat(1025)))).contains("at most 1024 bytes"));
    assert!(stopped(|| drop(objects.put("b", "", b""))).contains("an object has a key"));
    let object = ObjectVersion { bucket: "b".into(), key: "k".into(), version: String::new() };
    assert!(stopped(|| drop(objects.open(&object))).contains("an object has a version"));

    // create, write, finish
    let objects = MemoryObjects::new(&Faults::one(1, Fault::Before));
    let mut writing = objects.create("b", "k").unwrap();
    writing.write_all(b"lost").unwrap_err();
    writing.write_all(b"kept").unwrap();
    assert!(stopped(|| drop(writing.finish())).contains("only if every write went well"));
    assert_eq!(objects.versions(), []);
}

#[test]
fn uploads_are_in_order_and_known_by_their_sha256_now_and_then() {
    let objects = MemoryObjects::default();
    let versions: Vec<_> = (0..20).map(|_| objects.put("b", "k", b"x")).collect();
    assert!(versions.is_sorted() && versions.windows(2).all(|pair| pair[0] != pair[1]));
    let known = |version| objects.open(version).unwrap().sha256.is_some();
    assert_eq!(versions.iter().filter(|version| known(version)).count(), 10);
    assert!(objects.remove(&versions[3]) && !objects.remove(&versions[3]));
    assert_eq!((objects.bytes(&versions[3]), objects.bytes(&versions[4])), (None, Some(b"x".to_vec())));
    let work = Work { object: versions[3].clone(), feed: feed(), generation: 0 };
    assert!(matches!(objects.open(&work.object), Err(pipeline::ports::Error::NotFound(_))));
}

#[test]
fn reads_and_writes_are_short() {
    let objects = MemoryObjects::default();
    let bytes = vec![7; 200_000];
    let mut writing = objects.create("b", "k").unwrap();
    assert_eq!(writing.write(&bytes).unwrap(), 65_536);
    writing.write_all(&bytes[65_536..]).unwrap();
    let mut opened = objects.open(&writing.finish().unwrap()).unwrap();
    let mut into = vec![0; 200_000];
    assert_eq!(opened.input.read(&mut into).unwrap(), 1000);
    assert_eq!(opened.input.read(&mut into).unwrap(), 65_536);
    let mut rest = Vec::new();
    opened.input.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), 200_000 - 66_536);
}
