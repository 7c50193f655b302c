//! The ledger: the suite of its port, and every call that fails in turn.

use std::sync::Arc;

use lambda::ledger::{Ledger, Parts};
use lambda::table::Table;
use pipeline::message::{Feed, Message, MessageId, Work};
use pipeline::object::ObjectVersion;
use pipeline::point::RowId;
use pipeline::ports::{Commit, Committed, Error, Ledger as _, Revision};
use pipeline::preset::Stage;
use pipeline::step::{Kind, RecordKey, Step, Write};
use testkit::contract::{self, LedgerHome};

use crate::cloud::{Cloud, Fault};

pub fn ledger(cloud: &Cloud, process: u64) -> Ledger {
    ledger_on(Box::new(cloud.clone()), cloud, process)
}

pub fn ledger_on(table: Box<dyn Table>, cloud: &Cloud, process: u64) -> Ledger {
    Ledger::new(Parts {
        table,
        queue: Some(Arc::new(cloud.clone())),
        sends: vec![Stage::Process],
        anew: None,
        status: Some("fileId"),
        keeps_rows: true,
        keeps_standings: false,
        now: || 1_700_000_000_000,
        process,
        tells: true,
    })
}

struct Home {
    cloud: Cloud,
    ledger: Ledger,
    process: u64,
}

impl LedgerHome for Home {
    fn ledger(&self) -> &dyn pipeline::ports::Ledger {
        &self.ledger
    }

    fn receive(&mut self) -> Vec<Message> {
        self.cloud.receive()
    }

    fn restart(&mut self) {
        self.process += 1;
        self.ledger = ledger(&self.cloud, self.process);
    }
}

fn home() -> Box<dyn LedgerHome> {
    let cloud = Cloud::default();
    Box::new(Home { ledger: ledger(&cloud, 1), cloud, process: 1 })
}

#[test]
fn the_port_keeps_its_promises() {
    contract::ledger(&home);
}

fn feed(name: &str) -> Feed {
    Feed::try_from(name.to_owned()).expect("a good name")
}

fn message(name: &str) -> Message {
    let object = ObjectVersion { bucket: "b".into(), key: name.into(), version: "1".into() };
    Message::FilesProcess(Work { object, feed: feed("f"), generation: 0 })
}

fn key(id: &str) -> RecordKey {
    RecordKey { kind: Kind::Row, id: id.to_owned() }
}

/// A row that has a place in the table of rows.
pub fn row(symbol: &str, index: usize) -> RecordKey {
    let (feed, origin) = ("market".to_owned(), "r-00".repeat(4));
    key(&RowId { feed, symbol: symbol.to_owned(), time: 7, origin, part: 0, index }.id())
}

fn source(name: &str) -> MessageId {
    message(&format!("source {name}")).id()
}

/// A commit that writes so many records, on the condition that the first is not there, and sends two messages.
fn commit(records: usize) -> Commit {
    let write = |index| Write { key: row("f", index), value: Some(format!("{index}").into_bytes()) };
    let writes: Vec<Write> = (0..records).map(write).collect();
    let expects = vec![(row("f", 0), Revision(0)), (key("elsewhere/1"), Revision(0))];
    Commit { source: source("s"), expects, step: Step { writes, sends: vec![message("1"), message("2")] } }
}

/// Delivers a commit until it is answered.
fn deliver(cloud: &Cloud, commit: &Commit) -> usize {
    for delivery in 0..5 {
        // each delivery is another process
        match ledger(cloud, delivery).commit(commit.clone()) {
            Ok(_) => return delivery as usize + 1,
            Err(Error::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it is never answered");
}

#[track_caller]
fn expect_all(cloud: &Cloud, records: usize, what: &str) {
    let ledger = ledger(cloud, 99);
    for index in 0..records {
        let loaded = ledger.load(&row("f", index)).expect("it answers");
        assert_eq!(loaded.value, Some(format!("{index}").into_bytes()), "{what}: record {index}");
    }
    assert_eq!(
        ledger.page(Kind::Row, "market/f/", None, 5_000).expect("it answers").len(),
        records,
        "{what}: no row is doubled"
    );
    let names: Vec<String> =
        cloud.receive().iter().map(|message| message.work().expect("of a file").object.key.clone()).collect();
    assert_eq!(names, ["1", "2"], "{what}: every message is sent, in order");
    assert_eq!(cloud.unsent(), 0, "{what}: what was sent is cleared");
}

#[test]
fn whichever_call_fails_the_end_is_the_same() {
    for records in [3, 250] {
        let cloud = Cloud::default();
        assert_eq!(deliver(&cloud, &commit(records)), 1);
        let calls = cloud.calls().len();
        assert!(cloud.transactions_max() <= 100 && calls >= 3, "{calls} calls");
        expect_all(&cloud, records, "without faults");
        for number in 0..calls {
            for fault in [Fault::Before, Fault::After, Fault::Conflict] {
                let cloud = Cloud::default();
                cloud.plan(number, fault);
                deliver(&cloud, &commit(records));
                // it comes again, as it may
                deliver(&cloud, &commit(records));
                expect_all(&cloud, records, &format!("{fault:?} at call {number} of {records} records"));
            }
        }
    }
}

#[test]
fn an_attempt_that_was_lost_is_not_seen_and_is_in_nobodys_way() {
    let large = commit(250);
    let calls = {
        let cloud = Cloud::default();
        deliver(&cloud, &large);
        cloud.calls().len()
    };
    for number in 0..calls {
        let cloud = Cloud::default();
        cloud.plan(number, Fault::Before);
        let _lost = ledger(&cloud, 1).commit(large.clone());
        let other = ledger(&cloud, 2);
        let seen = other.load(&row("f", 7)).unwrap().value.is_some();
        assert_eq!(
            other.page(Kind::Row, "market/f/", None, 500).unwrap().len(),
            if seen { 250 } else { 0 },
            "{number}"
        );
        // somebody else writes one of its records, and another
        let writes = vec![Write { key: row("f", 7), value: Some(b"other".to_vec()) }];
        let step = Step { writes, sends: Vec::new() };
        let theirs = Commit { source: source("t"), expects: Vec::new(), step };
        assert_eq!(other.commit(theirs).unwrap(), Committed::Now);
        assert_eq!(other.load(&row("f", 7)).unwrap().value.as_deref(), Some(&b"other"[..]));
        let again = ledger(&cloud, 3).commit(large.clone()).unwrap();
        assert_eq!(again, if seen { Committed::Before } else { Committed::Now }, "{number}");
        let expected: &[u8] = if seen { b"other" } else { b"7" };
        assert_eq!(other.load(&row("f", 7)).unwrap().value.as_deref(), Some(expected), "{number}");
    }
}

/// A large commit whose last transaction is on its way, and somebody else who comes upon what it prepared and is told
/// that another is at it: whenever that transaction lands, all of it counts or nothing.
#[test]
fn an_attempt_that_is_on_its_way_is_not_taken_for_one_that_failed() {
    let large = commit(250);
    let last = {
        let cloud = Cloud::default();
        deliver(&cloud, &large);
        let calls = cloud.calls();
        calls.iter().position(|call| *call == "send").expect("it sends") - 1
    };
    // it only looks at what the other prepares
    let theirs = || {
        let writes = vec![Write { key: key("g/1"), value: Some(b"other".to_vec()) }];
        let expects = vec![(row("f", 7), Revision(0))];
        Commit { source: source("t"), expects, step: Step { writes, sends: Vec::new() } }
    };
    let begin = || {
        let cloud = Cloud::default();
        cloud.plan(last, Fault::Late);
        assert!(ledger(&cloud, 1).commit(large.clone()).is_err(), "it has no answer");
        cloud
    };
    let (first, end) = {
        let cloud = begin();
        ledger(&cloud, 2).commit(theirs()).unwrap();
        (last + 1, cloud.calls().len())
    };
    for conflict in first..end {
        for lands in conflict + 1..end + 4 {
            let cloud = begin();
            cloud.plan(conflict, Fault::Conflict);
            cloud.land_before(lands);
            let other = ledger(&cloud, 2);
            let (first, again) = (other.commit(theirs()), other.commit(theirs()));
            let changed = |answer: &Result<_, Error>| matches!(answer, Err(Error::Changed(_)));
            assert!(first.is_ok() || again.is_ok() || changed(&again), "{first:?}, {again:?}");
            cloud.land();
            let what = format!("in the way at {conflict}, landed before {lands}");
            ledger(&cloud, 3).commit(large.clone()).unwrap();
            let rows = ledger(&cloud, 4).page(Kind::Row, "market/f/", None, 500).unwrap();
            assert_eq!(rows.len(), 250, "{what}");
            for (index, (id, value)) in rows.into_iter().enumerate() {
                assert_eq!(value, index.to_string().into_bytes(), "{what}: {id}");
            }
        }
    }
}

#[test]
fn messages_that_do_not_fit_the_mark_are_sent_too() {
    let records = |part| pipeline::message::Records {
        feed: feed("f"),
        origin: "o".into(),
        of: None,
        part,
        records: vec!["x".repeat(200_000)],
    };
    let sends: Vec<Message> = (0..4).map(|part| Message::MarketProcess(records(part))).collect();
    let step = Step { writes: Vec::new(), sends: sends.clone() };
    let large = Commit { source: source("m"), expects: Vec::new(), step };
    let calls = {
        let cloud = Cloud::default();
        deliver(&cloud, &large);
        assert_eq!(cloud.receive(), sends);
        cloud.calls().len()
    };
    for number in 0..calls {
        for fault in [Fault::Before, Fault::After, Fault::Part] {
            let cloud = Cloud::default();
            cloud.plan(number, fault);
            deliver(&cloud, &large);
            deliver(&cloud, &large);
            // a queue of market may have one twice, and the stage knows it again
            let mut received = Vec::new();
            for message in cloud.receive() {
                if !received.contains(&message) {
                    received.push(message);
                }
            }
            assert!(received == sends, "{fault:?} at {number}: {} came", received.len());
            assert_eq!(cloud.unsent(), 0, "{fault:?} at {number}");
        }
    }
}

/// Rows whose ids differ only where places do not.
fn alike(which: usize) -> RecordKey {
    let (feed, symbol, origin) = ("market".into(), "s".into(), format!("r-{}{which}", "0123456789abcdef"));
    key(&RowId { feed, symbol, time: 7, origin, part: 0, index: 3 }.id())
}

#[test]
fn rows_that_would_have_one_place_do_not_overwrite_each_other() {
    let write = |which: usize, value: Option<&[u8]>| Write { key: alike(which), value: value.map(<[u8]>::to_vec) };
    let of = |name: &str, mut writes: Vec<Write>, more: usize| {
        writes.extend((0..more).map(|index| Write { key: row("more", index), value: Some(b"x".to_vec()) }));
        Commit { source: source(name), expects: Vec::new(), step: Step { writes, sends: Vec::new() } }
    };
    // in a transaction, and prepared; one after the other, and at once
    for (more, at_once) in [(0, false), (0, true), (150, false), (150, true)] {
        let cloud = Cloud::default();
        let all = (0..3).map(|which| write(which, Some(which.to_string().as_bytes()))).collect::<Vec<_>>();
        let commits = if at_once { vec![all] } else { all.into_iter().map(|one| vec![one]).collect() };
        for (number, writes) in commits.into_iter().enumerate() {
            let committed = ledger(&cloud, number as u64).commit(of(&format!("s{number}"), writes, more)).unwrap();
            assert_eq!(committed, Committed::Now);
        }
        let expect = |expected: [Option<&str>; 3]| {
            for process in [9, 10] {
                let other = ledger(&cloud, process);
                let loaded = [0, 1, 2].map(|which| other.load(&alike(which)).unwrap().value);
                assert_eq!(loaded, expected.map(|value| value.map(|value| value.as_bytes().to_vec())));
                let page = other.page(Kind::Row, "market/s/", None, 9).unwrap();
                let ids = page.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
                let there = (0..3).filter(|which| expected[*which].is_some()).map(|which| alike(which).id);
                assert_eq!(ids, there.collect::<Vec<_>>());
            }
        };
        expect([Some("0"), Some("1"), Some("2")]);
        // the place of one that is removed is nobody else's
        let change = vec![write(0, None), write(1, Some(b"new")), write(2, None)];
        ledger(&cloud, 5).commit(of("remove", change, 0)).unwrap();
        expect([None, Some("new"), None]);
        ledger(&cloud, 6).commit(of("again", vec![write(0, Some(b"back"))], 0)).unwrap();
        expect([Some("back"), Some("new"), None]);
    }
}

#[test]
fn pages_of_rows_give_each_once_and_in_order() {
    let cloud = Cloud::default();
    let id = |feed: &str, symbol: &str, time, origin: &str, part, index| {
        let (feed, symbol, origin) = (feed.to_owned(), symbol.to_owned(), origin.to_owned());
        RowId { feed, symbol, time, origin, part, index }.id()
    };
    let mut ids: Vec<String> =
        ["market/A", "market/A/", "market/A/x", "market/A/0", "market/B/9/9", "m", "z/1"].map(str::to_owned).into();
    for feed in ["market", "another", "a/b"] {
        for symbol in ["A", "A!", "B/C", "A//", "%"] {
            for time in [-7, 0, 1_700_000_000_000_000_000, i64::MAX] {
                ids.extend((0..3).map(|index| id(feed, symbol, time, "r-0123456789abcdef", 1, index)));
                ids.push(id(feed, symbol, time, "q-0123456789abcdef", 0, 0));
                ids.push(id(feed, symbol, time, "r-0123456789abcdef", 0, 600));
            }
        }
    }
    ids.sort_unstable();
    let writes = ids.iter().map(|id| Write { key: key(id), value: Some(id.as_bytes().to_vec()) }).collect();
    let step = Step { writes, sends: Vec::new() };
    ledger(&cloud, 1).commit(Commit { source: source("s"), expects: Vec::new(), step }).unwrap();
    assert!(cloud.rows().len() > 200);
    let ledger = ledger(&cloud, 2);
    let day = "market/A/10923372036854775808";
    for within in
        ["", "m", "market/", "market/A", "market/A/", "market/A/1", day, &format!("{day}.r"), "market/B%2FC/", "a%2Fb/"]
    {
        let expected: Vec<&String> = ids.iter().filter(|id| id.starts_with(within)).collect();
        assert!(!expected.is_empty(), "{within}");
        for max in [1, 7, 1000] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = ledger.page(Kind::Row, within, after.as_deref(), max).unwrap();
                assert!(page.len() <= max && page.iter().all(|(id, value)| id.as_bytes() == value));
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                found.extend(page.into_iter().map(|(id, _)| id));
            }
            assert!(
                found.iter().eq(expected.iter().copied()),
                "{within} by {max}: {} of {}",
                found.len(),
                expected.len()
            );
        }
        // behind ids that nobody has
        for after in [
            "market/A/0",
            "market/A/1",
            "market/A/109x",
            "market/A/!",
            day,
            "market/A/~",
            "b",
            "market/A/10923372036854775807.",
        ] {
            let page = ledger.page(Kind::Row, within, Some(after), 1000).unwrap();
            let behind = expected.iter().copied().filter(|id| id.as_str() > after);
            assert!(page.iter().map(|(id, _)| id).eq(behind), "{within} behind {after}");
        }
    }
}
