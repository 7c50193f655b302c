//! Two commits at the same records at the same time: one comes between any two calls of the other.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use lambda::ledger::Ledger;
use lambda::table::{Action, Error, Item, Name, Place, Table};
use pipeline::message::{Message, MessageId, Work};
use pipeline::object::ObjectVersion;
use pipeline::ports::{self, Cause, Commit, Committed, Ledger as _, Revision};
use pipeline::step::{Kind, RecordKey, Step, Write};

use crate::cloud::{Cloud, Fault};
use crate::ledger::{ledger, ledger_on, row};

/// What happens before one call.
type Act = Box<dyn FnOnce() + Send>;

/// A table of the cloud, and what happens before calls of some numbers.
#[derive(Clone)]
struct Interrupted {
    cloud: Cloud,
    made: Arc<Mutex<usize>>,
    acts: Arc<Mutex<BTreeMap<usize, Act>>>,
}

impl fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupted").finish_non_exhaustive()
    }
}

impl Interrupted {
    fn new(cloud: &Cloud, number: usize, act: impl FnOnce() + Send + 'static) -> Self {
        let none = Self { cloud: cloud.clone(), made: Arc::default(), acts: Arc::default() };
        none.and(number, act)
    }

    fn and(self, number: usize, act: impl FnOnce() + Send + 'static) -> Self {
        self.acts.lock().expect("nobody panicked").insert(number, Box::new(act));
        self
    }

    fn made(&self) -> usize {
        *self.made.lock().expect("nobody panicked")
    }

    fn call(&self) -> &Cloud {
        let mut made = self.made.lock().expect("nobody panicked");
        let act = self.acts.lock().expect("nobody panicked").remove(&made);
        if let Some(act) = act {
            act();
        }
        *made += 1;
        &self.cloud
    }
}

impl Table for Interrupted {
    fn get(&self, place: &Place) -> Result<Option<Item>, Cause> {
        Table::get(self.call(), place)
    }

    fn query_rows(
        &self,
        symbol: &str,
        from: i128,
        to: i128,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<i128>), Cause> {
        self.call().query_rows(symbol, from, to, items_max)
    }

    fn batch(&self, name: Name, items: Vec<Item>) -> Result<Vec<Item>, Cause> {
        self.call().batch(name, items)
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

/// What both change, as a window into which rows of two files fall.
fn shared() -> RecordKey {
    RecordKey { kind: Kind::Window, id: "w".to_owned() }
}

/// Rows of its own, and its name behind those that stand in the shared record.
#[derive(Clone, Copy)]
struct Add {
    name: &'static str,
    rows: usize,
    /// The commit rests on each row not being there.
    expects_rows: bool,
    /// What stands in a row is what stood in the shared record.
    rows_tell: bool,
}

impl Add {
    fn new(name: &'static str, rows: usize) -> Self {
        Self { name, rows, expects_rows: false, rows_tell: false }
    }

    fn commit(self, before: &[u8], revision: Revision) -> Commit {
        let rows = (0..self.rows).map(|index| row(self.name, index));
        let value = if self.rows_tell { [b"after ", before].concat() } else { b"row".to_vec() };
        let mut writes = vec![Write { key: shared(), value: Some([before, self.name.as_bytes()].concat()) }];
        writes.extend(rows.clone().map(|key| Write { key, value: Some(value.clone()) }));
        let rows = rows.filter(|_| self.expects_rows).map(|key| (key, Revision(0)));
        let expects = rows.chain([(shared(), revision)]).collect();
        Commit { source: source(self.name), expects, step: Step { writes, sends: Vec::new() } }
    }

    /// Decided anew as often as it takes.
    fn run(self, ledger: &Ledger) -> Committed {
        for _ in 0..10 {
            let loaded = ledger.load(&shared()).expect("it answers");
            match ledger.commit(self.commit(&loaded.value.unwrap_or_default(), loaded.revision)) {
                Ok(committed) => return committed,
                Err(ports::Error::Changed(key)) => assert_eq!(key, shared()),
                Err(error) => panic!("{error}"),
            }
        }
        panic!("it is never decided");
    }

    /// The same in a process of its own.
    fn alone(self, cloud: &Cloud, process: u64) -> Committed {
        self.run(&ledger(cloud, process))
    }
}

/// All of both is there, and their order.
#[track_caller]
fn expect(cloud: &Cloud, adds: &[Add], what: &str) {
    let ledger = ledger(cloud, 99);
    let names = ledger.load(&shared()).expect("it answers").value.unwrap_or_default();
    let names = String::from_utf8(names).expect("names");
    assert_eq!(names.len(), adds.len(), "{what}: {names}");
    for add in adds {
        let place = names.find(add.name).unwrap_or_else(|| panic!("{what}: {names} without {}", add.name));
        let found = ledger.page(Kind::Row, &format!("market/{}/", add.name), None, 5_000).expect("it answers");
        assert_eq!(found.len(), add.rows, "{what}: rows of {}", add.name);
        let expected = add.commit(&names.as_bytes()[..place], Revision(0)).step.writes.pop().expect("a row").value;
        assert!(found.into_iter().all(|(_, value)| Some(value) == expected), "{what}: {}, {names}", add.name);
    }
}

/// How many calls it takes when nobody comes between.
fn calls_alone(add: Add) -> usize {
    let cloud = Cloud::default();
    assert_eq!(add.alone(&cloud, 1), Committed::Now);
    cloud.calls().len()
}

/// Somebody looks at a row, as if it must not be there: what is prepared on it is decided.
fn look_at(cloud: &Cloud, key: RecordKey) -> Result<Committed, ports::Error> {
    let step = Step { writes: Vec::new(), sends: Vec::new() };
    ledger(cloud, 3).commit(Commit { source: source("c"), expects: vec![(key, Revision(0))], step })
}

#[test]
fn whoever_comes_between_costs_a_few_calls_and_not_all_of_them_again() {
    let [mine, theirs] = ["a", "b"].map(|name| Add::new(name, 450));
    let alone = calls_alone(mine);
    assert!((8..20).contains(&alone), "{alone} calls");
    for number in 0..alone {
        let cloud = Cloud::default();
        let with = cloud.clone();
        let table = Interrupted::new(&cloud, number, move || {
            let before = with.calls().len();
            assert_eq!(theirs.alone(&with, 2), Committed::Now);
            let calls = with.calls().len() - before;
            assert!(calls <= alone, "who comes between makes {calls} calls, alone {alone}");
        });
        assert_eq!(mine.run(&ledger_on(Box::new(table.clone()), &cloud, 1)), Committed::Now);
        assert!(table.made() <= alone + 6, "interrupted at {number}: {} calls, alone {alone}", table.made());
        expect(&cloud, &[mine, theirs], &format!("interrupted at {number}"));
    }
}

#[test]
fn what_is_decided_anew_is_prepared_anew() {
    for (expects_rows, rows_tell) in [(true, false), (false, true), (true, true)] {
        let [mine, theirs] = ["a", "b"].map(|name| Add { expects_rows, rows_tell, ..Add::new(name, 250) });
        for number in 0..calls_alone(mine) {
            let cloud = Cloud::default();
            let with = cloud.clone();
            let table = Interrupted::new(&cloud, number, move || {
                assert_eq!(theirs.alone(&with, 2), Committed::Now);
            });
            assert_eq!(mine.run(&ledger_on(Box::new(table), &cloud, 1)), Committed::Now);
            expect(&cloud, &[mine, theirs], &format!("{expects_rows}, {rows_tell}, interrupted at {number}"));
        }
    }
}

#[test]
fn an_attempt_that_somebody_ended_is_not_gone_on_with() {
    let [mine, theirs] = ["a", "b"].map(|name| Add::new(name, 250));
    let alone = calls_alone(mine);
    // the last transaction is refused, because of the shared record; then somebody comes upon what is prepared
    for number in alone..alone + 8 {
        let cloud = Cloud::default();
        let (with, looks) = (cloud.clone(), cloud.clone());
        let table = Interrupted::new(&cloud, alone - 1, move || {
            assert_eq!(theirs.alone(&with, 2), Committed::Now);
        });
        let table = table.and(number, move || {
            let last = row("a", mine.rows - 1);
            match look_at(&looks, last.clone()) {
                Ok(Committed::Now) => {}
                Err(ports::Error::Changed(key)) => assert_eq!(key, last),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(mine.run(&ledger_on(Box::new(table), &cloud, 1)), Committed::Now);
        expect(&cloud, &[mine, theirs], &format!("ended at {number}"));
    }
}

#[test]
fn two_who_do_the_same_at_the_same_time_do_it_once() {
    let both = Add::new("a", 250);
    for number in 0..calls_alone(both) {
        let cloud = Cloud::default();
        let with = cloud.clone();
        let table = Interrupted::new(&cloud, number, move || assert_eq!(both.alone(&with, 2), Committed::Now));
        let mine = both.run(&ledger_on(Box::new(table), &cloud, 1));
        assert_eq!(mine, Committed::Before, "interrupted at {number}");
        expect(&cloud, &[both], &format!("interrupted at {number}"));
    }
}

#[test]
fn an_intent_that_somebody_is_at_is_not_taken_for_one_that_is_gone() {
    let mine = Add::new("a", 250);
    // whoever looks at a row that is prepared ends the attempt; each of its calls meets a conflict once
    for number in 0..calls_alone(mine) {
        for conflict in 0..12 {
            let cloud = Cloud::default();
            let with = cloud.clone();
            let table = Interrupted::new(&cloud, number, move || {
                with.plan(with.calls().len() + conflict, Fault::Conflict);
                let last = row("a", mine.rows - 1);
                match look_at(&with, last.clone()) {
                    // a conflict is of transactions: another call just fails
                    Ok(Committed::Now) | Err(ports::Error::Unavailable { .. }) => {}
                    Err(ports::Error::Changed(key)) => assert_eq!(key, last),
                    other => panic!("{other:?}"),
                }
                with.calm();
            });
            assert_eq!(mine.run(&ledger_on(Box::new(table), &cloud, 1)), Committed::Now);
            expect(&cloud, &[mine], &format!("interrupted at {number}, a conflict at {conflict}"));
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
        let rows = ledger(&cloud, 9).page(Kind::Row, "market/a/", None, 500).unwrap();
        let first = rows.iter().filter(|(_, value)| value == b"first").count();
        assert!(rows.len() == 250 && [0, 250].contains(&first), "landed before {lands}: {first} of {}", rows.len());
    }
}
