//! Transaction ids when files of a feed come late, or are parsed at the same time (docs/decisions/0018-ids-by-place.md),
//! case by case; that it is the same for any order of events is the simulation's to show.

use std::sync::Mutex;

use pipeline::handle::{Call, Error};
use pipeline::message::{Feed, Message};
use pipeline::object::ReceiptId;
use pipeline::ports::{self, Committed};
use pipeline::preset::Stage;
use pipeline::receipt::Outcome;
use pipeline::records;
use pipeline::replay;

use crate::world::{Hooked, START, World};

const TRANSACTIONS: &str = "transactions-dev";

fn file<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from("transaction_id,timestamp,amount,currency,merchant,status\n");
    ids.into_iter().for_each(|id| text.push_str(&format!("{id},2026-01-05T10:00:00Z,5,EUR,Shop,completed\n")));
    text
}

/// `count` ids that begin with a letter: with more than 2000, they are an object.
fn many(letter: char, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{letter}{number}")).collect()
}

fn file_of(ids: &[String]) -> String {
    file(ids.iter().map(String::as_str))
}

/// Rows that are good, and those that only another file has.
fn counts(world: &World, id: &ReceiptId) -> (u64, u64) {
    let receipt = world.receipt(id);
    let counts = &receipt.account().unwrap().counts;
    (counts.good, counts.duplicate)
}

fn late(world: &mut World, key: &str, text: &str, at: u64) -> ReceiptId {
    let id = world.arrives_late(TRANSACTIONS, key, text.as_bytes(), at);
    world.run();
    id
}

#[test]
fn a_late_file_takes_its_ids_from_those_behind_it() {
    let mut world = World::new();
    world.pass(10_000);
    let second = world.takes(TRANSACTIONS, "second.csv", &file(["t1", "t2"]));
    world.pass(1000);
    let third = world.takes(TRANSACTIONS, "third.csv", &file(["t1", "t3"]));
    let fourth = world.takes(TRANSACTIONS, "fourth.csv", &file(["t4"]));
    assert_eq!([&second, &third].map(|id| counts(&world, id)), [(2, 0), (1, 1)]);
    let first = late(&mut world, "first.csv", &file(["t3", "t1"]), START);
    assert_eq!([&first, &second, &third].map(|id| counts(&world, id)), [(2, 0), (1, 1), (0, 2)]);
    assert_eq!(world.transaction_ids(), ["t3", "t1", "t2", "t4"]);
    assert_eq!(world.lines("transactions"), ["EUR,completed,Shop,20458,4,20,5,5"]);
    let outcome = [&first, &second, &third].map(|id| world.outcome(id));
    assert_eq!(outcome, [Outcome::Completed, Outcome::CompletedWithRejects, Outcome::CompletedWithRejects]);
    // who has nothing to do with it is left alone, and what was known before is told
    assert_eq!([&first, &second, &third, &fourth].map(|id| world.receipt(id).generation()), [0, 1, 1, 0]);
    let past = world.receipt(&second).past()[0].clone();
    assert_eq!((past.account.unwrap().counts.good, past.because_of), (2, Some(first)));
}

#[test]
fn what_a_late_version_ends_is_free_for_those_behind_it() {
    let mut world = World::new();
    world.takes(TRANSACTIONS, "a.csv", &file(["t1", "t2"]));
    world.pass(10_000);
    let behind = world.takes(TRANSACTIONS, "b.csv", &file(["t1", "t5"]));
    let between = file(["t2"]);
    assert_eq!(counts(&world, &behind), (1, 1));
    // the version of a.csv that was written before b.csv does not have t1 any more
    late(&mut world, "a.csv", &between, START + 5000);
    assert_eq!(counts(&world, &behind), (2, 0));
    assert_eq!(world.transaction_ids(), ["t2", "t1", "t5"]);
    // one that is written behind it changes nothing for it: it was right when it came
    world.pass(10_000);
    let again = world.takes(TRANSACTIONS, "c.csv", &file(["t2", "t6"]));
    world.pass(1000);
    world.takes(TRANSACTIONS, "a.csv", &file(["t7"]));
    assert_eq!((counts(&world, &again), world.receipt(&again).generation()), ((1, 1), 0));
}

/// Takes files in order, a second apart.
fn in_order<const N: usize>(world: &mut World, files: [(&str, &[&str]); N]) -> [ReceiptId; N] {
    files.map(|(key, ids)| {
        world.pass(1000);
        world.takes(TRANSACTIONS, key, &file(ids.iter().copied()))
    })
}

#[test]
fn what_is_taken_from_one_may_be_free_for_the_next() {
    // with 2,000 more its ids are an object at first, and records when it lost one
    for others in [1, 2000] {
        let mut world = World::new();
        let ids = [vec!["x".to_owned()], many('b', others)].concat();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let files: [(&str, &[&str]); 3] = [("b.csv", &ids), ("a.csv", &["a"]), ("c.csv", &["x", "c"])];
        let [b, _, c] = in_order(&mut world, files);
        assert_eq!([&b, &c].map(|id| counts(&world, id)), [(others as u64 + 1, 0), (1, 1)]);
        // it stands where b.csv is, and is replaced before c.csv
        let a = late(&mut world, "a.csv", &file(["x"]), START);
        assert_eq!(world.outcome(&a), Outcome::Superseded);
        assert_eq!([&b, &c].map(|id| counts(&world, id)), [(others as u64, 1), (2, 0)]);
        assert_eq!(world.transaction_ids().len(), others + 3);
    }
}

#[test]
fn the_same_bytes_take_their_ids_again_when_nothing_of_them_stood() {
    let mut world = World::new();
    let files: [(&str, &[&str]); 7] = [
        ("e.csv", &["x", "y"]),
        ("e.csv", &["e"]),
        ("d.csv", &["y"]),
        ("f.csv", &["x", "y"]),
        ("d.csv", &["d"]),
        ("g.csv", &["x", "g"]),
        ("h.csv", &["y"]),
    ];
    let [_, _, _, f, _, g, h] = in_order(&mut world, files);
    // y was of d.csv then
    assert_eq!(counts(&world, &f), (1, 1));
    assert_eq!(counts(&world, &g), (1, 1), "x is of f.csv, which was parsed anew");
    assert_eq!(counts(&world, &h), (1, 0), "y is of nobody: not of d.csv any more, and f.csv did not get it");
    assert_eq!(world.transaction_ids(), ["e", "x", "d", "g", "y"]);
}

#[test]
fn who_is_on_the_way_is_begun_anew_too() {
    let mut world = World::new();
    in_order(&mut world, [("a.csv", &["x"])]);
    world.pass(9000);
    let behind = world.arrives(TRANSACTIONS, "b.csv", &file(["x", "b"]));
    let first = world.waiting.pop_front().unwrap();
    world.handle(&first).unwrap();
    assert_eq!(counts(&world, &behind), (1, 1));
    assert_eq!(world.outcome(&behind), Outcome::InProgress, "it was validated, and what follows waits");
    late(&mut world, "a.csv", &file(["a"]), START + 5000);
    world.collect();
    world.run();
    assert_eq!((counts(&world, &behind), world.receipt(&behind).generation()), ((2, 0), 1));
    assert_eq!(world.transaction_ids(), ["a", "x", "b"]);
}

#[test]
fn what_a_late_copy_replaces_is_free_for_those_behind_it() {
    let mut world = World::new();
    let [_, original] = in_order(&mut world, [("c.csv", &["x"]), ("e.csv", &["z"])]);
    world.pass(5000);
    let [behind] = in_order(&mut world, [("b.csv", &["x", "b"])]);
    assert_eq!(counts(&world, &behind), (1, 1));
    let copy = late(&mut world, "c.csv", &file(["z"]), START + 3000);
    assert_eq!(world.receipt(&copy).duplicate_of().map(|other| &other.receipt), Some(&original));
    assert_eq!(counts(&world, &behind), (2, 0));
    assert_eq!(world.transaction_ids(), ["z", "x", "b"]);
}

#[test]
fn what_a_replay_refuses_gives_way_to_what_it_replaced() {
    let mut world = World::new();
    let files: [(&str, &[&str]); 4] =
        [("z.csv", &["z"]), ("a.csv", &["x"]), ("a.csv", &["z", "z"]), ("b.csv", &["x", "b"])];
    let [_, old, new, behind] = in_order(&mut world, files);
    assert_eq!(counts(&world, &behind), (2, 0));
    // it is gone when it is looked at again
    assert!(world.objects.remove(&world.receipt(&new).arrival().object));
    world.with_call(|call| replay::replay(&world.pipeline, call, &new)).unwrap();
    world.collect();
    world.run();
    assert_eq!([&old, &new].map(|id| world.outcome(id)), [Outcome::Completed, Outcome::Rejected]);
    assert_eq!(counts(&world, &behind), (1, 1));
    assert_eq!(world.transaction_ids(), ["z", "x", "b"]);
}

#[test]
fn many_ids_are_taken_from_those_behind_as_few_are() {
    for (first, second) in [(3000, 3000), (3000, 5), (5, 3000)] {
        let mut world = World::new();
        world.pass(10_000);
        let backwards: Vec<String> = many('m', second).into_iter().rev().collect();
        let behind = world.takes(TRANSACTIONS, "behind.csv", &file_of(&backwards));
        let before = late(&mut world, "before.csv", &file_of(&many('m', first)), START);
        let shared = first.min(second) as u64;
        assert_eq!(counts(&world, &before), (first as u64, 0));
        assert_eq!(counts(&world, &behind), (second as u64 - shared, shared), "{first} before {second}");
        // what is refused behind is taken by nobody there: the next finds each id once
        world.pass(10_000);
        let last = world.takes(TRANSACTIONS, "last.csv", &file_of(&many('m', 3500)));
        assert_eq!(counts(&world, &last).1, first.max(second) as u64);
        assert_eq!(world.transaction_ids().len(), 3500);
    }
}

/// A ledger on which one of these happens before each commit, the last of them first.
fn between(world: &World, work: Vec<Box<dyn FnOnce() + Send>>) -> Hooked {
    let work = Mutex::new(work);
    world.hooked(move |_| {
        let work = work.lock().unwrap().pop();
        work.into_iter().for_each(|work| work());
        Ok(())
    })
}

/// Two files are parsed at the same time: while the last of `waiting` is, before it commits, the others are done.
fn meanwhile(world: &World, mut waiting: Vec<Message>) -> Result<Committed, Error> {
    let slow = waiting.pop().unwrap();
    waiting.reverse();
    let work = waiting.into_iter().map(|message| {
        let (pipeline, objects, ledger) = (world.pipeline.clone(), world.objects.clone(), world.ledger.clone());
        let done = move || {
            let inner = World { pipeline, objects, ledger, ..World::new() };
            inner.handle(&message).unwrap();
        };
        Box::new(done) as Box<dyn FnOnce() + Send>
    });
    let ledger = between(world, work.collect());
    world.with_call(|call| world.pipeline.handle(&slow, &Call { ledger: &ledger, ..*call }))
}

/// Two files, the first of which was written before the second.
fn two(world: &mut World, texts: [&str; 2]) -> ([ReceiptId; 2], [Message; 2]) {
    let ids = [("one.csv", 0), ("two.csv", 1000)].map(|(key, after)| {
        let text = texts[usize::from(after > 0)];
        world.arrives_late(TRANSACTIONS, key, text.as_bytes(), START + after)
    });
    let messages: Vec<Message> = world.waiting.drain(..).collect();
    (ids, messages.try_into().unwrap())
}

#[test]
fn of_two_that_are_parsed_at_once_the_first_has_the_id() {
    for (few, others) in [(2, 2), (2, 3000), (3000, 2), (3000, 3000)] {
        let backwards: Vec<String> = many('x', others).into_iter().rev().collect();
        let texts = [file_of(&many('x', few)), file_of(&backwards)];
        let shared = few.min(others) as u64;
        for slow_is_first in [false, true] {
            let mut world = World::new();
            let (ids, [one, two]) = two(&mut world, [&texts[0], &texts[1]]);
            let waiting = if slow_is_first { vec![two, one] } else { vec![one, two] };
            meanwhile(&world, waiting).unwrap();
            world.collect();
            world.run();
            let expected = [(few as u64, 0), (others as u64 - shared, shared)];
            assert_eq!(ids.each_ref().map(|id| counts(&world, id)), expected, "{few}, {others}, {slow_is_first}");
            assert_eq!(world.transaction_ids().len(), few.max(others));
        }
    }
}

#[test]
fn what_a_version_frees_while_another_is_parsed_is_found() {
    let mut world = World::new();
    let [_] = in_order(&mut world, [("a.csv", &["x"])]);
    let ids = [("a.csv", file(["a"]), 2000), ("b.csv", file(["x", "b"]), 3000)]
        .map(|(key, text, after)| world.arrives_late(TRANSACTIONS, key, text.as_bytes(), START + after));
    let waiting = world.waiting.drain(..).collect();
    meanwhile(&world, waiting).unwrap();
    world.collect();
    world.run();
    assert_eq!(ids.each_ref().map(|id| counts(&world, id)), [(1, 0), (2, 0)]);
    assert_eq!(world.transaction_ids(), ["a", "x", "b"]);
}

#[test]
fn who_shares_nothing_is_not_parsed_again() {
    let mut world = World::new();
    let (ids, [one, two]) = two(&mut world, [&file(["t1"]), &file(["t2"])]);
    meanwhile(&world, vec![one, two]).unwrap();
    world.collect();
    world.run();
    assert_eq!(ids.each_ref().map(|id| counts(&world, id)), [(1, 0), (1, 0)]);
    let written = world.objects.versions().into_iter().filter(|object| object.key.ends_with("rows.parquet")).count();
    assert_eq!(written, 2);
}

/// Who took ids is remembered for the last 16; a file that is outrun by more is parsed again, and finds what they took.
#[test]
fn who_is_outrun_by_many_looks_at_all_of_them() {
    let mut world = World::new();
    let quick: Vec<String> = (0..20).map(|number| format!("q{number}")).collect();
    for (number, id) in quick.iter().enumerate() {
        world.arrives_late(TRANSACTIONS, &format!("{id}.csv"), file([id.as_str()]).as_bytes(), START + number as u64);
    }
    let slow = world.arrives_late(TRANSACTIONS, "slow.csv", file(["q0", "s"]).as_bytes(), START + 1000);
    let mut waiting: Vec<Message> = world.waiting.drain(..).collect();
    let slow_message = waiting.pop().unwrap();
    let (pipeline, objects, ledger) = (world.pipeline.clone(), world.objects.clone(), world.ledger.clone());
    let all = move || {
        let inner = World { pipeline, objects, ledger, ..World::new() };
        for message in &waiting {
            inner.handle(message).unwrap();
        }
    };
    let ledger = between(&world, vec![Box::new(all)]);
    world.with_call(|call| world.pipeline.handle(&slow_message, &Call { ledger: &ledger, ..*call })).unwrap();
    world.collect();
    world.run();
    assert_eq!(counts(&world, &slow), (1, 1));
}

/// Others may be quicker again and again: the message comes again then, and nothing was lost.
#[test]
fn who_is_outrun_again_and_again_is_delivered_again() {
    let mut world = World::new();
    let quick: Vec<String> = (0..8).map(|number| format!("q{number}")).collect();
    for (number, id) in quick.iter().enumerate() {
        world.arrives_late(TRANSACTIONS, &format!("{id}.csv"), file([id.as_str()]).as_bytes(), START + number as u64);
    }
    let slow = world.arrives_late(TRANSACTIONS, "slow.csv", file_of(&quick).as_bytes(), START + 1000);
    let waiting: Vec<Message> = world.waiting.drain(..).collect();
    let message = waiting.last().unwrap().clone();
    let error = meanwhile(&world, waiting).unwrap_err();
    let turn = records::turn(&Feed::try_from("transactions".to_owned()).unwrap());
    assert!(matches!(&error, Error::Port(ports::Error::Changed(key)) if *key == turn), "{error}");
    assert!(!world.receipt(&slow).is_done(Stage::Validate));
    world.handle(&message).unwrap();
    world.collect();
    world.run();
    assert_eq!(counts(&world, &slow).0, 3, "five were quicker, and the last three had not come yet");
}
