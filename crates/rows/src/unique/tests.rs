//! The set against `HashSet`, with budgets so small that it spills all the time.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::limits::{MEMORY_BYTES_DEFAULT, MEMORY_BYTES_MIN};
use crate::source::MemoryScratch;

/// A hash as the caller makes it: all 128 bits look random.
fn id(number: u64) -> u128 {
    xxhash_rust::xxh3::xxh3_128(&number.to_le_bytes())
}

fn empty(budget: usize) -> IdSet {
    IdSet::new(budget, Some(Box::new(MemoryScratch::default())))
}

/// Inserts `numbers` in batches and compares every answer with the model; the set, for what else is to be checked.
fn check(numbers: impl Iterator<Item = u64>, batch: usize, budget: usize, id: fn(u64) -> u128) -> IdSet {
    check_with(empty(budget), numbers, batch, id)
}

fn check_with(mut set: IdSet, numbers: impl Iterator<Item = u64>, batch: usize, id: fn(u64) -> u128) -> IdSet {
    let budget = set.budget_bytes;
    let mut model = HashSet::new();
    let (mut ids, mut wanted, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    let mut numbers = numbers.peekable();
    while numbers.peek().is_some() {
        ids.clear();
        wanted.clear();
        for number in numbers.by_ref().take(batch) {
            ids.push(id(number));
            wanted.push(model.insert(number));
        }
        set.insert_all(&ids, &mut fresh).expect("room for all");
        assert!(fresh == wanted, "another answer than the model's");
        assert!(set.memory() <= budget, "{} bytes", set.memory());
    }
    assert_eq!(set.distinct(), model.len() as u64);
    assert!(set.memory_peak() <= budget, "{} bytes", set.memory_peak());
    assert!(buffers(&set) <= SLACK_BYTES, "{} bytes", buffers(&set));
    set
}

fn buffers(set: &IdSet) -> usize {
    set.known.capacity() + set.suspects.capacity() * size_of::<usize>() + set.block.capacity()
}

#[test]
fn spilled_ids_are_found_again() {
    let twice = (0..60_000).chain(0..60_000);
    let set = check(twice, 10_000, 300_000, id);
    assert!(set.runs.len() > 3, "{set:?}");
}

#[test]
fn a_table_that_grows_loses_nothing() {
    let set = check((0..400_000).chain((0..400_000).step_by(7)), 25_000, 100_000_000, id);
    assert!(set.runs.is_empty());
    // Past the wide entries.
    assert!(set.memory() > 16 << 20);
}

#[test]
fn a_table_made_for_what_comes_does_not_grow() {
    let mut set = empty(100_000_000);
    set.expect(1_000_000);
    let memory = set.memory();
    let set = check_with(set, 0..1_000_000, 25_000, id);
    assert_eq!((set.memory(), set.memory_peak(), set.runs.len()), (memory, memory, 0));
    // One that grows needs room for both, and so puts aside what this one still holds.
    let budget = Table::bytes(21) + Run::bytes(Table::keys_max(21));
    let mut set = empty(budget);
    set.expect(1_200_000);
    assert_eq!(check_with(set, 0..1_200_000, 25_000, id).runs.len(), 0);
    assert!(!check(0..1_200_000, 25_000, budget, id).runs.is_empty());
}

#[test]
fn packed_tables_spill_what_they_hold() {
    let mut set = empty(100_000_000);
    let ids: Vec<u128> = (0..300_000).map(id).collect();
    let mut fresh = Vec::new();
    set.insert_all(&ids, &mut fresh).expect("room for all");
    assert!(fresh.iter().all(|fresh| *fresh));
    set.flush().expect("scratch space in memory");
    assert_eq!(set.runs.len(), 1);
    set.insert_all(&ids, &mut fresh).expect("room for all");
    assert!(!fresh.iter().any(|fresh| *fresh));
}

#[test]
fn hashes_made_to_collide_only_cost_memory() {
    // The same home for all of them, and nothing but bits far down to tell them apart.
    let crafted = |number: u64| (7 << 110) | (u128::from(number) << 48);
    let set = check((1..3_000).chain(1..3_000), 1000, 1_000_000, crafted);
    assert!(set.runs.len() > 1, "{set:?}");
}

#[test]
fn ids_that_differ_in_the_lowest_kept_bit_differ() {
    let neighbour = |number: u64| (u128::from(number) + 1) << 48;
    check(0..1000, 100, 1_000_000, neighbour);
}

#[test]
fn without_scratch_space_the_budget_is_the_end() {
    let mut set = IdSet::new(200_000, None);
    let ids: Vec<u128> = (0..50_000).map(id).collect();
    let Err(Error::Refused(refusal)) = set.insert_all(&ids, &mut Vec::new()) else { panic!("taken") };
    assert_eq!(refusal.code, "too_many_ids");
    assert_eq!(refusal.message, "more than 3072 different ids do not fit the memory budget of 200000 bytes");
    assert_eq!(refusal.hint, "give it scratch space or more memory, or send the file in parts");
}

#[test]
fn with_scratch_space_the_filters_are_the_end() {
    let mut set = empty(200_000);
    let mut fresh = Vec::new();
    let mut last = 0;
    let refusal = loop {
        let ids: Vec<u128> = (last..last + 10_000).map(id).collect();
        match set.insert_all(&ids, &mut fresh) {
            Ok(()) => last += 10_000,
            Err(Error::Refused(refusal)) => break refusal,
            Err(error) => panic!("{error}"),
        }
    };
    // 12.3 bits an id, and a table.
    assert!((60_000..130_000).contains(&last), "{last}");
    assert_eq!(refusal.code, "too_many_ids");
    assert_eq!(refusal.hint, "give it more memory, or send the file in parts");
    assert!(set.memory_peak() <= 200_000);
}

#[test]
fn scratch_space_that_gives_back_something_else_is_an_error() {
    struct Zeros(MemoryScratch);
    impl Scratch for Zeros {
        fn append(&mut self, bytes: &[u8]) -> std::io::Result<u64> {
            self.0.append(bytes)
        }
        fn read_at(&mut self, _: u64, into: &mut [u8]) -> std::io::Result<()> {
            into.fill(0);
            Ok(())
        }
    }
    let mut set = IdSet::new(200_000, Some(Box::new(Zeros(MemoryScratch::default()))));
    let ids: Vec<u128> = (0..20_000).map(id).collect();
    let inserted = set.insert_all(&ids, &mut Vec::new()).and_then(|()| set.insert_all(&ids, &mut Vec::new()));
    assert!(matches!(inserted, Err(Error::Io(_))));
}

#[test]
fn what_a_budget_holds() {
    assert!(ids_within(100_000_000) > 50_000_000);
    // The share of ids of the least memory there may be, and of what there is when nothing is said.
    assert!(ids_within(MEMORY_BYTES_MIN / 5 * 2) > 9_000_000);
    assert!(ids_within(MEMORY_BYTES_DEFAULT / 5 * 2) > 100_000_000);
}

/// The plan alone, without ids: tables are filled and put aside until the budget is used up.
fn ids_within(budget: usize) -> usize {
    let set = &mut empty(budget);
    let mut ids = 0;
    let mut runs = 0;
    while let Some(bits) = set.affordable().last().filter(|_| runs < RUNS_MAX) {
        ids += Table::keys_max(bits);
        set.runs_bytes += Run::bytes(Table::keys_max(bits));
        runs += 1;
    }
    ids
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn answers_as_a_hash_set_does(
        numbers in prop::collection::vec(0u64..6_000, 0..12_000),
        batch in 1usize..3_000,
        budget in 60_000usize..400_000,
        expected in prop::option::of(0u64..100_000),
    ) {
        let mut set = empty(budget);
        expected.into_iter().for_each(|ids| set.expect(ids));
        check_with(set, numbers.into_iter(), batch, id);
    }
}
