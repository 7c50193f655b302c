//! Simulation by seed: whatever comes again, late or in another order, and whatever fails on the way, it ends the same
//! (invariant 3).
//!
//! A seed makes a few files of all presets and the order in which their events come. In order, once each and without a
//! fault is the run that is right. The same files with events shuffled and repeated must end as it did; and again with
//! one call after another failing, before and after it acted, and with the process lost in the middle of it. `just sim
//! SEED` repeats one seed with every call and every fault; the tests here take a slice of them for each seed.

use testkit::Faults;
use testkit::sim::{Ending, Manner, Random, World, differences, run};

/// Seeds of the test run.
const SEEDS: u64 = 200;

/// Names the seed of `just sim`.
const SEED: &str = "MILLRACE_SIM_SEED";

/// Which calls of a run fail, each in a run of its own.
#[derive(Debug, Clone, Copy)]
enum Failing {
    All,
    /// Every so many-th, from a place that the seed says.
    OneIn(usize),
}

/// Runs one seed, and panics with what differs.
fn simulate(seed: u64, failing: Failing) -> usize {
    let world = World::of(&mut Random::new(seed));
    let expected = run(&world, Manner::InOrder, &Faults::default());
    let shuffled = Manner::Shuffled(seed);
    let faults = Faults::default();
    let ending = run(&world, shuffled, &faults);
    expect_same(seed, "events shuffled and repeated", &expected, &ending);

    let calls = faults.calls();
    let (first, step) = match failing {
        Failing::All => (0, 1),
        Failing::OneIn(step) => (usize::try_from(seed).unwrap() * 7 % step, step),
    };
    let mut runs = 2;
    for number in (first..calls.len()).step_by(step) {
        for &fault in calls[number].faults() {
            let faults = Faults::one(number, fault);
            let ending = run(&world, shuffled, &faults);
            assert_eq!(faults.calls()[..=number], calls[..=number], "seed {seed}: a run is the same again");
            assert_eq!(faults.left(), 0, "seed {seed}: the fault comes up");
            expect_same(seed, &format!("{fault:?} at call {number}, {:?}", calls[number]), &expected, &ending);
            runs += 1;
        }
    }
    // and many at once
    let mut random = Random::new(seed);
    let faults = Faults::default();
    for _ in 0..calls.len() / 20 {
        let number = random.below(calls.len());
        faults.plan(number, random.of(calls[number].faults()));
    }
    let ending = run(&world, shuffled, &faults);
    expect_same(seed, "many faults", &expected, &ending);
    runs + 1
}

#[track_caller]
fn expect_same(seed: u64, how: &str, expected: &Ending, ending: &Ending) {
    let differences = differences(expected, ending);
    assert!(
        differences.is_empty(),
        "seed {seed}, {how}: it does not end as it does in order; `just sim {seed}` repeats it\n{}",
        differences.join("\n")
    );
}

/// Seeds from one on, a part of all.
fn seeds(part: u64) {
    for seed in (part..SEEDS).step_by(4) {
        simulate(seed, Failing::OneIn(293));
    }
}

#[test]
fn seeds_end_the_same_0() {
    seeds(0);
}

#[test]
fn seeds_end_the_same_1() {
    seeds(1);
}

#[test]
fn seeds_end_the_same_2() {
    seeds(2);
}

#[test]
fn seeds_end_the_same_3() {
    seeds(3);
}

/// What `just sim SEED` runs; nothing without a seed.
#[test]
fn every_call_of_a_seed_fails() {
    let Some(seed) = std::env::var_os(SEED) else { return };
    let seed: u64 = seed.to_str().and_then(|seed| seed.parse().ok()).expect("a seed is a number");
    let runs = simulate(seed, Failing::All);
    #[expect(clippy::print_stderr, reason = "who asks for a seed is told what was done")]
    {
        eprintln!("seed {seed}: {runs} runs end the same");
    }
}

/// The simulation can fail: a run in which something is lost does not end the same.
#[test]
fn what_is_lost_is_seen() {
    let world = World::of(&mut Random::new(1));
    let expected = run(&world, Manner::InOrder, &Faults::default());
    let without_last = World { uploads: world.uploads[..world.uploads.len() - 1].to_vec(), ..world.clone() };
    assert!(!differences(&expected, &run(&without_last, Manner::InOrder, &Faults::default())).is_empty());
    assert_eq!(differences(&expected, &run(&world, Manner::InOrder, &Faults::default())), Vec::<String>::new());
}

#[test]
fn worlds_differ_and_are_the_same_for_a_seed() {
    let world = |seed| format!("{:?}", World::of(&mut Random::new(seed)).uploads);
    assert_eq!(world(1), world(1));
    assert_ne!(world(1), world(2));
}
