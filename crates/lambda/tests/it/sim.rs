//! The worlds of the simulation through the doors of the functions: events and messages come shuffled, repeated and in
//! batches, every call to the cloud fails in every way in turn, and it ends as it does in order and in memory.
//!
//! `MILLRACE_SIM_SEED=N cargo test -p lambda --test it sim::every_call -- --nocapture` fails every call of one seed;
//! the tests take a slice of them for each.

mod doors;
mod told;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lambda::objects::Objects;
use lambda::table::{Item, number};
use pipeline::object::ReceiptId;
use pipeline::preset::Preset;
use pipeline::query::{At, Transaction, Transactions, transactions};
use testkit::Faults;
use testkit::sim::{self, Ending, Manner, Random, World, differences};

use crate::cloud::{Cloud, faults};
use crate::ledger::ledger;
use told::Told;

/// Seeds of the test run.
const SEEDS: u64 = 40;

/// One in so many calls fails in the test run, from a place that the seed says.
const ONE_IN: usize = 97;

/// Names the seed of which every call fails.
const SEED: &str = "MILLRACE_SIM_SEED";

/// The time, which passes with each look at it.
fn now() -> u64 {
    static CLOCK: AtomicU64 = AtomicU64::new(sim::START + 24 * 60 * 60 * 1000);
    CLOCK.fetch_add(1, Ordering::Relaxed)
}

/// A world without what has no door on AWS: there, nothing is begun anew on purpose.
fn world(seed: u64) -> World {
    World { replays: Vec::new(), ..World::of(&mut Random::new(seed)) }
}

fn objects(cloud: &Cloud) -> Objects {
    Objects::new(Arc::new(cloud.clone()), None, doors::RESULTS.to_owned())
}

fn ending(world: &World, cloud: &Cloud) -> Ending {
    cloud.calm();
    assert_eq!(cloud.never_sent(), 0, "everything is sent");
    assert_eq!(cloud.uploads(), 0, "no parts are left behind");
    assert_eq!(cloud.untold(), 0, "everything is told, and nothing is kept that nobody would tell");
    expect_transactions(world, cloud);
    Ending::of(world, &objects(cloud), &Told::new(cloud), sim::END)
}

/// How it must end: nobody waits for files of a preset without a topic and a bus.
fn expected(world: &World, receipts: &[ReceiptId]) -> Ending {
    let of = world.uploads.iter().zip(receipts).filter(|(upload, _)| upload.preset == Preset::Files);
    let untold: BTreeSet<ReceiptId> = of.map(|(_, receipt)| receipt.clone()).collect();
    sim::run(world, Manner::InOrder, &Faults::default()).without_what_is_told(&untold)
}

/// Whoever looks into the table finds the transactions that count, as they are, and no others.
fn expect_transactions(world: &World, cloud: &Cloud) {
    let (objects, ledger) = (objects(cloud), ledger(cloud, u64::MAX));
    let at = At { objects: &objects, ledger: &ledger, now: sim::END };
    let mut expected = Vec::new();
    for feed in world.feeds.iter().filter(|feed| feed.preset == Preset::Transactions) {
        let told = transactions(at, feed, &Transactions::default(), |told| {
            let Transaction { transaction_id, timestamp, amount, currency, merchant, status, line, .. } = told;
            expected.push([
                transaction_id,
                nine_digits(&timestamp),
                amount,
                currency,
                merchant,
                status,
                line.to_string(),
            ]);
            ControlFlow::Continue(())
        });
        told.expect("nothing fails now");
    }
    let names = ["transaction_id", "timestamp", "amount", "currency", "merchant", "status", "line"];
    let text = |item: &Item, name: &str| item.get(name).and_then(number::text).expect("it is told");
    let mut found: Vec<_> = cloud.counting().iter().map(|item| names.map(|name| text(item, name))).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "the table of transactions");
    for item in cloud.counting() {
        assert!(text(&item, "timestamp").starts_with(&text(&item, "day")), "by day: {item:?}");
    }
}

/// An instant with all digits of its fraction.
fn nine_digits(timestamp: &str) -> String {
    let (second, fraction) =
        timestamp.trim_end_matches('Z').split_once('.').unwrap_or((timestamp.trim_end_matches('Z'), ""));
    format!("{second}.{fraction:0<9}Z")
}

/// Runs a seed with each so many-th call failing; how many runs that were.
fn simulate(seed: u64, one_in: usize) -> usize {
    let from = seed as usize * 7 % one_in;
    simulate_world(&world(seed), seed, |calls| (from..calls.len()).step_by(one_in).collect())
}

/// Runs a world as a seed says, once without faults and then with each of some calls failing; how many runs that were.
fn simulate_world(world: &World, seed: u64, failing: impl Fn(&[&str]) -> Vec<usize>) -> usize {
    let calm = Cloud::default();
    let expected = expected(world, &doors::run(world, &calm, seed));
    let check = |how: &str, cloud: &Cloud| {
        let differences = differences(&expected, &ending(world, cloud));
        let told = differences.join("\n");
        assert!(differences.is_empty(), "seed {seed}, {how}: it does not end as in memory and in order\n{told}");
    };
    let calls = calm.calls();
    check("without faults", &calm);
    assert_eq!(calm.unsent(), 0, "seed {seed}: what was sent is taken out");
    let mut runs = 1;
    for number in failing(&calls) {
        for &fault in faults(calls[number]) {
            let cloud = Cloud::default();
            cloud.plan(number, fault);
            doors::run(world, &cloud, seed);
            assert_eq!(cloud.calls()[..=number], calls[..=number], "seed {seed}: a run is the same again");
            assert_eq!(cloud.left(), 0, "seed {seed}: the fault comes up");
            check(&format!("{fault:?} at call {number}, {}", calls[number]), &cloud);
            runs += 1;
        }
    }
    runs
}

fn seeds(part: u64) {
    for seed in (part..SEEDS).step_by(4) {
        simulate(seed, ONE_IN);
    }
}

#[test]
fn seeds_end_as_in_memory_0() {
    seeds(0);
}

#[test]
fn seeds_end_as_in_memory_1() {
    seeds(1);
}

#[test]
fn seeds_end_as_in_memory_2() {
    seeds(2);
}

#[test]
fn seeds_end_as_in_memory_3() {
    seeds(3);
}

/// Real files: receipts, rows, bars, totals and rejects are those that the pipeline comes to in memory, to which those
/// of the engine are held too (`corpus` in its tests).
#[test]
fn the_corpus_ends_as_in_memory_and_in_the_engine() {
    let Some(world) = World::of_corpus() else { return };
    let expected = sim::answers_in_memory(&world);
    assert!(expected.len() > 1000, "{} answers", expected.len());
    let cloud = Cloud::default();
    let receipts = doors::run(&world, &cloud, 0);
    let (objects, ledger) = (objects(&cloud), ledger(&cloud, u64::MAX));
    expect_transactions(&world, &cloud);
    let told = sim::answers(&world, &receipts, At { objects: &objects, ledger: &ledger, now: sim::END });
    let differences = sim::answers_differ(&expected, &told);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Files that make a difference to each other, in any order: those that are looked at too early are begun anew by events,
/// and all of it ends as in order. The engine is held to the same answers.
#[test]
fn late_files_end_as_in_memory_and_in_the_engine() {
    let world = World::of_late_files();
    let expected = sim::answers_in_memory(&world);
    let mut begun = 0;
    for seed in 0..12 {
        let cloud = Cloud::default();
        let receipts = doors::run(&world, &cloud, seed);
        begun += cloud.calls().iter().filter(|call| **call == "begin").count();
        let (objects, ledger) = (objects(&cloud), ledger(&cloud, u64::MAX));
        expect_transactions(&world, &cloud);
        let told = sim::answers(&world, &receipts, At { objects: &objects, ledger: &ledger, now: sim::END });
        let differences = sim::answers_differ(&expected, &told);
        assert!(differences.is_empty(), "seed {seed}\n{}", differences.join("\n"));
    }
    assert!(begun > 24, "{begun} times files were begun anew");
}

#[test]
fn whichever_call_fails_that_begins_files_anew_late_files_end_the_same() {
    let mut world = World::of_late_files();
    // what is said of windows of market that are over depends on when they are looked at; and a large file takes long
    world.uploads.retain(|upload| upload.preset != Preset::Market && upload.key != "many.csv");
    let begins = |calls: &[&str]| (0..calls.len()).filter(|number| calls[*number] == "begin").collect();
    let runs: usize = (0..2).map(|seed| simulate_world(&world, seed, begins)).sum();
    assert!(runs > 12, "{runs} runs");
}

#[test]
fn every_call_of_a_seed_fails() {
    let Some(seed) = std::env::var_os(SEED) else { return };
    let seed: u64 = seed.to_str().and_then(|seed| seed.parse().ok()).expect("a seed is a number");
    let runs = simulate(seed, 1);
    #[expect(clippy::print_stderr, reason = "who asks for a seed is told what was done")]
    {
        eprintln!("seed {seed}: {runs} runs end the same");
    }
}

#[test]
fn what_is_lost_is_seen() {
    let world = world(1);
    let expected = expected(&world, &doors::run(&world, &Cloud::default(), 1));
    let without_last = World { uploads: world.uploads[..world.uploads.len() - 1].to_vec(), ..world.clone() };
    let cloud = Cloud::default();
    doors::run(&without_last, &cloud, 1);
    assert!(!differences(&expected, &ending(&world, &cloud)).is_empty());
}
