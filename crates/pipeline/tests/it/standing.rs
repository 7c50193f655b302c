//! Which of copies and versions count (docs/decisions/0009-standing-of-files.md), case by case; that it is the same for
//! any order of events is the simulation's to show.

use std::sync::atomic::Ordering;

use pipeline::object::ReceiptId;
use pipeline::receipt::Outcome;
use pipeline::replay;
use pipeline::step::Kind;

use crate::world::World;

const FILES: &str = "file-processing-bucket-dev";
const MARKET: &str = "market-data-dev";
const TRANSACTIONS: &str = "transactions-dev";

fn trade(symbol: &str) -> String {
    format!("symbol,price,volume,timestamp\n{symbol},10,2,2026-01-01T09:00:01Z\n")
}

fn transaction(id: &str) -> String {
    format!(
        "transaction_id,timestamp,amount,currency,merchant,status\n{id},2026-01-05T10:00:00Z,5,EUR,{id},completed\n"
    )
}

fn takes(world: &mut World, bucket: &str, key: &str, text: &str) -> ReceiptId {
    let id = world.takes(bucket, key, text);
    if bucket == MARKET {
        world.pass(1000);
        world.tick();
    }
    world.pass(1000);
    id
}

fn original(world: &World, id: &ReceiptId) -> Option<ReceiptId> {
    world.receipt(id).duplicate_of().map(|other| other.receipt.clone())
}

/// The names in front of the lines: instruments or merchants.
fn names(world: &World, feed: &str) -> Vec<String> {
    let column = if feed == "transactions" { 2 } else { 0 };
    world.lines(feed).iter().map(|line| line.split(',').nth(column).unwrap().to_owned()).collect()
}

#[test]
fn a_copy_counts_once_its_original_was_overwritten() {
    for (bucket, feed, text) in [
        (FILES, "files", trade as fn(&str) -> String),
        (MARKET, "market", trade),
        (TRANSACTIONS, "transactions", transaction),
    ] {
        let mut world = World::new();
        let first = takes(&mut world, bucket, "a.csv", &text("X"));
        let copy = takes(&mut world, bucket, "b.csv", &text("X"));
        let third = takes(&mut world, bucket, "c.csv", &text("X"));
        assert_eq!(
            (world.outcome(&copy), original(&world, &copy)),
            (Outcome::Duplicate, Some(first.clone())),
            "{feed}"
        );
        let new = takes(&mut world, bucket, "a.csv", &text("Y"));
        if bucket == MARKET {
            world.pass(1000);
            world.tick();
        }
        assert_eq!(world.outcome(&first), Outcome::Superseded, "{feed}");
        assert_eq!((world.outcome(&copy), original(&world, &copy)), (Outcome::Completed, None), "{feed}");
        assert_eq!(
            (world.outcome(&third), original(&world, &third)),
            (Outcome::Duplicate, Some(copy.clone())),
            "{feed}"
        );
        assert_eq!(names(&world, feed), ["X", "Y"], "{feed}");
        let receipt = world.receipt(&copy);
        let good = receipt.account().map(|account| account.counts.good);
        assert_eq!((good, receipt.link("rows").is_some()), (Some(1), true), "{feed}");
        // and back: what stood first stands again, as a version of its own
        let back = takes(&mut world, bucket, "a.csv", &text("X"));
        assert_eq!((world.outcome(&new), original(&world, &back)), (Outcome::Superseded, Some(copy)), "{feed}");
        assert_eq!(names(&world, feed), ["X"], "{feed}");
    }
}

#[test]
fn who_waits_for_a_copy_is_told_when_it_counts() {
    let mut world = World::new();
    world.takes(TRANSACTIONS, "a.csv", &transaction("X"));
    let copy = world.takes(TRANSACTIONS, "b.csv", &transaction("X"));
    // what is said of it now, whichever time it was begun
    let told = |world: &World| {
        let records = world.ledger.records().into_iter();
        let mut of_copy = records.filter(|(key, _)| key.kind == Kind::Notice && key.id.starts_with(copy.as_str()));
        let (_, notice) = of_copy.next_back().unwrap();
        serde_json::from_slice::<pipeline::records::Notice>(&notice).unwrap().event
    };
    assert_eq!(told(&world), "file.duplicate");
    world.takes(TRANSACTIONS, "a.csv", &transaction("Y"));
    assert_eq!(told(&world), "file.completed");
    assert_eq!(world.transaction_ids(), ["X", "Y"]);
}

#[test]
fn the_ids_of_what_is_replaced_stay_taken_while_a_copy_of_it_stands() {
    let mut world = World::new();
    let both = |one: &str, two: &str| transaction(one) + transaction(two).lines().last().unwrap() + "\n";
    world.takes(TRANSACTIONS, "a.csv", &both("t1", "t2"));
    let copy = world.takes(TRANSACTIONS, "b.csv", &both("t1", "t2"));
    assert!(world.receipt(&copy).account().is_none(), "a copy is not read");
    let new = world.takes(TRANSACTIONS, "a.csv", &both("t2", "t3"));
    assert_eq!([&copy, &new].map(|id| world.outcome(id)), [Outcome::Completed, Outcome::CompletedWithRejects]);
    assert_eq!(world.receipt(&new).account().unwrap().counts.duplicate, 1);
    assert_eq!(world.transaction_ids(), ["t1", "t2", "t3"]);
    // without the copy they are free
    world.takes(TRANSACTIONS, "b.csv", &transaction("t4"));
    let last = world.takes(TRANSACTIONS, "c.csv", &both("t2", "t1"));
    assert_eq!(world.receipt(&last).account().unwrap().counts.good, 2);
}

#[test]
fn an_overwriting_copy_takes_the_place_of_what_it_overwrites() {
    let mut world = World::new();
    let first = takes(&mut world, FILES, "a.csv", &trade("X"));
    let old = takes(&mut world, FILES, "b.csv", &trade("Y"));
    let copy = takes(&mut world, FILES, "b.csv", &trade("X"));
    assert_eq!((world.outcome(&old), world.outcome(&copy)), (Outcome::Superseded, Outcome::Duplicate));
    assert_eq!(original(&world, &copy), Some(first));
    assert_eq!(world.receipt(&copy).supersedes(), Some(&world.receipt(&old).as_other()));
    assert_eq!(names(&world, "files"), ["X"]);
}

#[test]
fn a_version_that_comes_late_parts_what_was_one() {
    let mut world = World::new();
    let start = world.now();
    let first = takes(&mut world, FILES, "a.csv", &trade("X"));
    world.pass(100_000);
    let again = takes(&mut world, FILES, "a.csv", &trade("X"));
    assert_eq!(world.outcome(&again), Outcome::Duplicate);
    world.clock.store(start + 50_000, Ordering::SeqCst);
    let between = takes(&mut world, FILES, "a.csv", &trade("Y"));
    let outcomes = [&first, &between, &again].map(|id| world.outcome(id));
    assert_eq!(outcomes, [Outcome::Superseded, Outcome::Superseded, Outcome::Completed]);
    assert_eq!(names(&world, "files"), ["X"]);
}

#[test]
fn of_very_many_copies_the_next_counts_and_the_others_learn_it() {
    let mut world = World::new();
    takes(&mut world, FILES, "a.csv", &trade("X"));
    let copies: Vec<ReceiptId> =
        (0..130).map(|number| takes(&mut world, FILES, &format!("copy {number:03}.csv"), &trade("X"))).collect();
    takes(&mut world, FILES, "a.csv", &trade("Y"));
    assert_eq!(world.outcome(&copies[0]), Outcome::Completed);
    for copy in &copies[1..] {
        assert_eq!((world.outcome(copy), original(&world, copy)), (Outcome::Duplicate, Some(copies[0].clone())));
    }
    assert_eq!(names(&world, "files"), ["X", "Y"]);
}

#[test]
fn of_very_many_repeats_all_learn_what_took_their_place() {
    let mut world = World::new();
    let repeats: Vec<ReceiptId> = (0..130).map(|_| takes(&mut world, FILES, "a.csv", &trade("X"))).collect();
    assert!(repeats[1..].iter().all(|repeat| world.outcome(repeat) == Outcome::Duplicate));
    let new = takes(&mut world, FILES, "a.csv", &trade("Y"));
    for repeat in &repeats {
        let by = world.receipt(repeat).superseded_by().map(|other| other.receipt.clone());
        assert_eq!((world.outcome(repeat), by), (Outcome::Superseded, Some(new.clone())));
    }
    assert_eq!(names(&world, "files"), ["Y"]);
}

#[test]
fn what_a_replay_refuses_leaves_its_place() {
    let mut world = World::new();
    let old = takes(&mut world, FILES, "a.csv", &trade("X"));
    let new = takes(&mut world, FILES, "a.csv", &trade("Y"));
    let copy = takes(&mut world, FILES, "b.csv", &trade("Y"));
    assert_eq!(names(&world, "files"), ["Y"]);
    // the version is gone when it is looked at again; its copy is not
    let object = world.receipt(&new).arrival().object.clone();
    assert!(world.objects.remove(&object));
    world.with_call(|call| replay::replay(&world.pipeline, call, &new)).unwrap();
    world.collect();
    world.run();
    let outcomes = [&old, &new, &copy].map(|id| world.outcome(id));
    assert_eq!(outcomes, [Outcome::Completed, Outcome::Rejected, Outcome::Completed]);
    assert_eq!(names(&world, "files"), ["X", "Y"]);
}
