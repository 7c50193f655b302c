//! A file that cannot be worked on: a bit of it is flipped on the disk.

use pipeline::feed::{Fault, Feeds, OnPoison, Written};
use pipeline::preset::{Preset, Stage};
use pipeline::receipt::Outcome;
use tempfile::tempdir;

use super::world::{World, trades};

fn large(price: u32) -> String {
    trades(&(0..20_000).map(|row| ("A", price + row % 7, 1)).collect::<Vec<_>>())
}

/// Flips a bit in the middle of the largest object, or flips it back.
fn flip(world: &World) {
    let path = world.large_objects().into_iter().next().expect("there is a large object");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

fn feeds(on_poison: OnPoison) -> Feeds {
    let feed = Written {
        name: "acme".into(),
        preset: Preset::Files,
        keys: "*".into(),
        contract: None,
        interval: "1m".into(),
        zone: None,
        settle: "1m".into(),
        on_poison,
    };
    Feeds::new(vec![feed], |_| -> Result<_, Fault> { unreachable!("no contract is named") }).unwrap()
}

/// What the aggregates are when nothing goes wrong.
fn undisturbed() -> Vec<String> {
    let folder = tempdir().unwrap();
    let mut world = World::with(folder.path(), feeds(OnPoison::SkipAndMark));
    world.start();
    for (key, text) in [("bad.csv", large(10)), ("good.csv", trades(&[("A", 5, 1)]))] {
        let id = world.put("acme", key, &text);
        assert_eq!(world.end_of(&id), Outcome::Completed);
    }
    world.lines("acme")
}

#[test]
fn skipped_and_marked_it_lets_others_pass_and_heals_when_it_is_redriven() {
    let folder = tempdir().unwrap();
    let mut world = World::with(folder.path(), feeds(OnPoison::SkipAndMark));
    let bad = world.put("acme", "bad.csv", &large(10));
    flip(&world);
    let good = world.put("acme", "good.csv", &trades(&[("A", 5, 1)]));
    world.start();
    assert_eq!(world.end_of(&bad), Outcome::Failed);
    assert_eq!(world.end_of(&good), Outcome::Completed, "it goes on behind the one that failed");
    let failure = world.receipt(&bad).progress(Stage::Validate).and_then(|progress| progress.failure.clone());
    let failure = failure.expect("the receipt says why");
    assert_eq!(failure.attempt, 3);
    assert!(failure.error.contains("bad.csv"), "{}", failure.error);

    let letters = world.engine.dead_letters().unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((letter.stage, letter.attempts.len(), letter.file.as_deref()), (Stage::Validate, 3, Some("bad.csv")));
    let shown = world.engine.dead_letter(&letter.id).unwrap();
    assert_eq!(shown.notes.len(), 3, "each attempt left a word");
    assert!(shown.notes.iter().all(|note| note["code"] == "bytes_unreadable"), "{:?}", shown.notes);
    assert!(shown.trace_id.is_some() && shown.message.contains("bad.csv"));

    flip(&world);
    world.engine.redrive(&letter.id).unwrap();
    world.until("it is completed", |world| world.receipt(&bad).outcome() == Outcome::Completed);
    assert_eq!(world.lines("acme"), undisturbed());
    assert!(world.engine.dead_letters().unwrap().is_empty());
    world.is_well();

    // what failed on the way is a detail, and those expire after 30 days; what became of the rows stays
    let failure = |world: &World| world.receipt(&bad).progress(Stage::Validate).unwrap().failure.is_some();
    let days = |days: u64| Some(engine::runtime::now() + days * 24 * 60 * 60 * 1000);
    assert_eq!(world.engine.keep(days(29)).unwrap().details_forgotten, 0);
    assert!(failure(&world));
    assert_eq!(world.engine.keep(days(31)).unwrap().details_forgotten, 1);
    assert!(!failure(&world) && world.receipt(&bad).outcome() == Outcome::Completed);
}

/// Transaction ids of a file that failed are taken by the next one that has them; redriven, it has them again.
#[test]
fn redriven_it_has_its_ids_again() {
    let many: Vec<String> = (0..20_000).map(|number| format!("t{number}")).collect();
    let many = super::transactions(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let files = [("first.csv", many), ("second.csv", super::transactions(&["t5", "u1"]))];
    let come = |world: &mut World, poisoned: bool| {
        let first = world.put("transactions", files[0].0, &files[0].1);
        if poisoned {
            flip(world);
        }
        let second = world.put("transactions", files[1].0, &files[1].1);
        world.start();
        [first, second]
    };
    let good = |world: &World, id| world.receipt(id).account().map(|account| account.counts.good);

    let folder = tempdir().unwrap();
    let mut undisturbed = World::open(folder.path());
    let ids = come(&mut undisturbed, false);
    assert_eq!(ids.map(|id| undisturbed.end_of(&id)), [Outcome::Completed, Outcome::CompletedWithRejects]);

    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    let [first, second] = come(&mut world, true);
    assert_eq!([&first, &second].map(|id| world.end_of(id)), [Outcome::Failed, Outcome::Completed]);
    assert_eq!(good(&world, &second), Some(2));
    flip(&world);
    assert_eq!(world.engine.redrive_all().unwrap(), 1);
    world.until("the first is completed", |world| world.receipt(&first).outcome() == Outcome::Completed);
    world.until("the second is begun anew", |world| world.receipt(&second).generation() == 1);
    assert_eq!(world.end_of(&second), Outcome::CompletedWithRejects);
    assert_eq!([&first, &second].map(|id| good(&world, id)), [Some(20_000), Some(1)]);
    assert_eq!(world.receipt(&second).past()[0].because_of, Some(first));
    assert_eq!(world.lines("transactions"), undisturbed.lines("transactions"));
    world.is_well();
}

#[test]
fn parked_it_keeps_its_feed_waiting_and_nobody_else() {
    let folder = tempdir().unwrap();
    let mut world = World::with(folder.path(), feeds(OnPoison::Park));
    let bad = world.put("acme", "bad.csv", &large(10));
    flip(&world);
    let behind = world.put("acme", "good.csv", &trades(&[("A", 5, 1)]));
    let elsewhere = world.put("transactions", "t.csv", &super::transactions(&["t1"]));
    world.start();
    assert_eq!(world.end_of(&elsewhere), Outcome::Completed);
    assert_eq!(world.end_of(&bad), Outcome::Failed);
    assert_eq!(world.receipt(&behind).outcome(), Outcome::InProgress);
    assert_eq!(world.engine.blocked_by(&world.receipt(&behind)).unwrap(), Some(bad.clone()));
    assert!(world.lines("acme").is_empty());

    flip(&world);
    assert_eq!(world.engine.redrive_all().unwrap(), 1);
    world.until("it is completed", |world| world.receipt(&bad).outcome() == Outcome::Completed);
    assert_eq!(world.end_of(&behind), Outcome::Completed);
    assert_eq!(world.engine.blocked_by(&world.receipt(&behind)).unwrap(), None);
    assert_eq!(world.lines("acme"), undisturbed());
    world.is_well();
}

#[test]
fn purged_it_lets_its_feed_go_and_windows_do_not_wait_for_it() {
    let folder = tempdir().unwrap();
    let mut world = World::with(folder.path(), feeds(OnPoison::Park));
    let bad = world.put("acme", "bad.csv", &large(10));
    flip(&world);
    let behind = world.put("acme", "good.csv", &trades(&[("A", 5, 1)]));
    world.start();
    assert_eq!(world.end_of(&bad), Outcome::Failed);
    world.until("its dead letter is there", |world| world.engine.dead_letters().unwrap().len() == 1);
    assert_eq!(world.engine.purge_all().unwrap(), 1);
    assert_eq!(world.end_of(&behind), Outcome::Completed);
    assert_eq!(world.receipt(&bad).outcome(), Outcome::Failed);
    assert!(pipeline::find::open(&world.engine.ports(), None).unwrap().is_empty(), "nobody waits for it");
}

#[test]
fn a_message_that_kills_whoever_has_it_is_told_to_its_receipt() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    let id = world.put("files", "a.csv", &trades(&[("A", 1, 1)]));
    let queue = world.engine.queues().queue("file-validator-events").unwrap();
    let mut at = engine::runtime::now();
    for _ in 0..3 {
        // received, and never heard of again
        let received = world.engine.queues().receive(queue, 1, Some(1), at).wait().unwrap();
        assert_eq!(received.len(), 1);
        at += 10;
    }
    world.engine.queues().next_due(at).wait().unwrap();
    world.start();
    assert_eq!(world.end_of(&id), Outcome::Failed);
    let failure = world.receipt(&id).progress(Stage::Validate).and_then(|progress| progress.failure.clone()).unwrap();
    assert!(failure.error.contains("the program ended each time"), "{}", failure.error);
}
