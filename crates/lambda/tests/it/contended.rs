//! Two commits at the same records at the same time: one comes between any two calls of the other.

use std::fmt;
use std::sync::{Arc, Mutex};

use lambda::table::{Action, Error, Item, Key, Table};
use pipeline::message::{Message, MessageId, Work};
use pipeline::object::ObjectVersion;
use pipeline::ports::{self, Cause, Commit, Committed, Ledger as _, Revision};
use pipeline::step::{Kind, RecordKey, Step, Write};

use crate::cloud::{Cloud, Fault};
use crate::ledger::{ledger, ledger_on};

/// What happens before one call.
type Act = Box<dyn FnOnce() + Send>;

/// A table of the cloud, and what happens before the call of one number.
#[derive(Clone)]
struct Interrupted {
    cloud: Cloud,
    made: Arc<Mutex<usize>>,
    act: Arc<Mutex<Option<(usize, Act)>>>,
}

impl fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupted").finish_non_exhaustive()
    }
}

impl Interrupted {
    fn new(cloud: &Cloud, number: usize, act: impl FnOnce() + Send + 'static) -> Self {
        let act: Act = Box::new(act);
        Self { cloud: cloud.clone(), made: Arc::default(), act: Arc::new(Mutex::new(Some((number, act)))) }
    }

    fn made(&self) -> usize {
        *self.made.lock().expect("nobody panicked")
    }

    fn call(&self) -> &Cloud {
        let mut made = self.made.lock().expect("nobody panicked");
        let is_now = self.act.lock().expect("nobody panicked").as_ref().is_some_and(|(number, _)| number == &*made);
        if is_now {
            let (_, act) = self.act.lock().expect("nobody panicked").take().expect("it is there");
            act();
        }
        *made += 1;
        &self.cloud
    }
}

impl Table for Interrupted {
    fn get(&self, key: &Key) -> Result<Option<Item>, Cause> {
        Table::get(self.call(), key)
    }

    fn query(
        &self,
        group: &str,
        within: &str,
        after: Option<&str>,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<String>), Cause> {
        self.call().query(group, within, after, items_max)
    }

    fn transact(&self, actions: Vec<Action>) -> Result<(), Error> {
        self.call().transact(actions)
    }
}

fn source(name: &str) -> MessageId {
    let object = ObjectVersion { bucket: "b".into(), key: name.into(), version: "1".into() };
    Message::FilesProcess(Work { object, feed: "f".to_owned().try_into().expect("a good name"), generation: 0 }).id()
}

fn row(of: &str, index: usize) -> RecordKey {
    RecordKey { kind: Kind::Row, id: format!("f/{of}/{index:04}") }
}

/// What both change: as a receipt of a file whose parts are at work at the same time.
fn shared() -> RecordKey {
    RecordKey { kind: Kind::Receipt, id: "r".to_owned() }
}

/// Rows of its own, and its name behind those that stand in the shared record, decided anew as often as it takes.
fn add(ledger: &lambda::ledger::Ledger, name: &str, rows: usize) -> Committed {
    for _ in 0..10 {
        let loaded = ledger.load(&shared()).expect("it answers");
        let mut names = loaded.value.unwrap_or_default();
        names.extend_from_slice(name.as_bytes());
        let mut writes = vec![Write { key: shared(), value: Some(names) }];
        writes.extend((0..rows).map(|index| Write { key: row(name, index), value: Some(b"row".to_vec()) }));
        let step = Step { writes, sends: Vec::new() };
        match ledger.commit(Commit { source: source(name), expects: vec![(shared(), loaded.revision)], step }) {
            Ok(committed) => return committed,
            Err(ports::Error::Changed(key)) => assert_eq!(key, shared()),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it is never decided");
}

#[track_caller]
fn expect(cloud: &Cloud, names: &[&str], rows: usize, what: &str) {
    let ledger = ledger(cloud, 99);
    let shared = ledger.load(&shared()).expect("it answers").value.unwrap_or_default();
    assert_eq!(String::from_utf8(shared).expect("names"), names.concat(), "{what}");
    for name in names {
        let found = ledger.page(Kind::Row, &format!("f/{name}/"), None, 5_000).expect("it answers").len();
        assert_eq!(found, rows, "{what}: rows of {name}");
    }
}

/// How many calls it takes when nobody comes between.
fn calls_alone(rows: usize) -> usize {
    let cloud = Cloud::default();
    assert_eq!(add(&ledger(&cloud, 1), "a", rows), Committed::Now);
    cloud.calls().len()
}

#[test]
fn whoever_comes_between_costs_a_few_calls_and_not_all_of_them_again() {
    let rows = 450;
    let alone = calls_alone(rows);
    assert!((8..20).contains(&alone), "{alone} calls");
    for number in 0..alone {
        let cloud = Cloud::default();
        let theirs = cloud.clone();
        let table = Interrupted::new(&cloud, number, move || {
            let before = theirs.calls().len();
            assert_eq!(add(&ledger(&theirs, 2), "b", rows), Committed::Now);
            let calls = theirs.calls().len() - before;
            assert!(calls <= alone, "who comes between makes {calls} calls, alone {alone}");
        });
        assert_eq!(add(&ledger_on(Box::new(table.clone()), &cloud, 1), "a", rows), Committed::Now);
        assert!(table.made() <= alone + 6, "interrupted at {number}: {} calls, alone {alone}", table.made());
        // who is interrupted behind its last transaction, or before its first look, has nothing to decide anew
        let order =
            if ledger(&cloud, 9).load(&shared()).unwrap().value.unwrap() == b"ab" { ["a", "b"] } else { ["b", "a"] };
        expect(&cloud, &order, rows, &format!("interrupted at {number}"));
    }
}

#[test]
fn two_who_do_the_same_at_the_same_time_do_it_once() {
    let rows = 250;
    let alone = calls_alone(rows);
    for number in 0..alone {
        let cloud = Cloud::default();
        let theirs = cloud.clone();
        let table = Interrupted::new(&cloud, number, move || {
            assert_eq!(add(&ledger(&theirs, 2), "a", rows), Committed::Now);
        });
        let mine = add(&ledger_on(Box::new(table), &cloud, 1), "a", rows);
        assert_eq!(mine, Committed::Before, "interrupted at {number}");
        expect(&cloud, &["a"], rows, &format!("interrupted at {number}"));
    }
}

#[test]
fn an_intent_that_somebody_is_at_is_not_taken_for_one_that_is_gone() {
    let rows = 250;
    let alone = calls_alone(rows);
    // whoever looks at a row that is prepared ends the attempt; each of its calls meets a conflict once
    for number in 0..alone {
        for conflict in 0..12 {
            let cloud = Cloud::default();
            let theirs = cloud.clone();
            let table = Interrupted::new(&cloud, number, move || {
                theirs.plan(theirs.calls().len() + conflict, Fault::Conflict);
                let last = row("a", rows - 1);
                let step = Step { writes: Vec::new(), sends: Vec::new() };
                let looks = Commit { source: source("c"), expects: vec![(last.clone(), Revision(0))], step };
                match ledger(&theirs, 2).commit(looks) {
                    // a conflict is of transactions: another call just fails
                    Ok(Committed::Now) | Err(ports::Error::Unavailable { .. }) => {}
                    Err(ports::Error::Changed(key)) => assert_eq!(key, last),
                    other => panic!("{other:?}"),
                }
                theirs.calm();
            });
            assert_eq!(add(&ledger_on(Box::new(table), &cloud, 1), "a", rows), Committed::Now);
            expect(&cloud, &["a"], rows, &format!("interrupted at {number}, a conflict at {conflict}"));
        }
    }
}

/// The answer to the last transaction of a large commit does not come. The message comes again to the same process, which
/// decides otherwise by now; meanwhile that transaction lands.
#[test]
fn what_was_prepared_is_not_mixed_with_what_is_still_on_its_way() {
    let decided = |what: &str| {
        let writes = (0..250).map(|index| Write { key: row("a", index), value: Some(what.into()) }).collect();
        Commit { source: source("a"), expects: Vec::new(), step: Step { writes, sends: Vec::new() } }
    };
    let calls = {
        let cloud = Cloud::default();
        ledger(&cloud, 1).commit(decided("first")).unwrap();
        cloud.calls().len()
    };
    for lands in calls..2 * calls + 10 {
        let cloud = Cloud::default();
        let process = ledger(&cloud, 1);
        cloud.plan(calls - 1, Fault::Late);
        assert!(process.commit(decided("first")).is_err(), "it has no answer");
        cloud.land_before(lands);
        let again = process.commit(decided("second"));
        cloud.land();
        assert!(again.is_ok(), "landed before {lands}: {again:?}");
        let rows = ledger(&cloud, 9).page(Kind::Row, "f/a/", None, 500).unwrap();
        let first = rows.iter().filter(|(_, value)| value == b"first").count();
        assert!(rows.len() == 250 && [0, 250].contains(&first), "landed before {lands}: {first} of {}", rows.len());
    }
}
