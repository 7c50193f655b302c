//! The merge against a fold over a `BTreeMap`, with a combination for which order matters.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::source::MemoryScratch;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// Not commutative: what comes first stays first.
fn concatenate(combined: &mut Vec<u8>, value: &[u8]) -> Result<()> {
    combined.extend_from_slice(value);
    Ok(())
}

fn written(lists: &[BTreeMap<Vec<u8>, Vec<u8>>], scratch: Box<dyn Scratch>) -> Result<Runs> {
    let mut runs = Runs::new(scratch);
    for list in lists {
        let mut writer = runs.begin();
        for (key, value) in list {
            writer.push(key, value)?;
        }
        writer.end()?;
    }
    Ok(runs)
}

fn merged(runs: Runs, budget_bytes: usize) -> Result<Entries> {
    let mut merge = runs.merge(budget_bytes, concatenate)?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut entries = Vec::new();
    while merge.next(&mut key, &mut value)? {
        entries.push((key.clone(), value.clone()));
    }
    // The end stays the end.
    assert!(!merge.next(&mut key, &mut value)?);
    Ok(entries)
}

fn expected(lists: &[BTreeMap<Vec<u8>, Vec<u8>>]) -> Entries {
    let mut all: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for (key, value) in lists.iter().flatten() {
        all.entry(key.clone()).or_default().extend_from_slice(value);
    }
    all.into_iter().collect()
}

fn check(lists: &[BTreeMap<Vec<u8>, Vec<u8>>], budget_bytes: usize) {
    let runs = written(lists, Box::new(MemoryScratch::default())).expect("short entries");
    assert_eq!(runs.len(), lists.iter().filter(|list| !list.is_empty()).count());
    assert!(merged(runs, budget_bytes).expect("sound scratch space") == expected(lists));
}

/// `runs` runs of `keys` keys each, many of them in several runs; values say where they come from.
fn lists(runs: usize, keys: usize, value_bytes: usize) -> Vec<BTreeMap<Vec<u8>, Vec<u8>>> {
    let key = |run: usize, index: usize| format!("{:05}", index * 7 % (keys * 2) + run % 3).into_bytes();
    let value = |run: usize, index: usize| format!("{run}.{index:0value_bytes$};").into_bytes();
    let list = |run| (0..keys).map(|index| (key(run, index), value(run, index))).collect();
    (0..runs).map(list).collect()
}

#[test]
fn nothing_merges_to_nothing() {
    check(&[], 1 << 20);
    check(&[BTreeMap::new()], 1 << 20);
    check(&[BTreeMap::from([(Vec::new(), Vec::new())])], 0);
}

#[test]
fn more_runs_than_the_budget_reads_at_once_are_merged_in_passes() {
    // From 70 runs down to 2 or 3 at a time takes several passes.
    check(&lists(70, 300, 10), 0);
    check(&lists(70, 300, 10), BUFFER_AND_THREE_READERS);
    check(&lists(70, 300, 10), 1 << 20);
}

const BUFFER_AND_THREE_READERS: usize = (64 + 3 * 16) * 1024;

#[test]
fn runs_longer_than_their_buffers_are_read_on() {
    check(&lists(5, 4000, 40), 0);
}

#[test]
fn entries_longer_than_a_buffer_get_a_longer_one() {
    check(&lists(4, 6, 60_000), 0);
}

#[test]
fn a_key_twice_in_a_run_is_combined_in_order() {
    let mut runs = Runs::new(Box::new(MemoryScratch::default()));
    for values in [["a", "b"], ["c", "d"]] {
        let mut writer = runs.begin();
        for value in values {
            writer.push(b"key", value.as_bytes()).expect("short");
        }
        writer.end().expect("scratch space in memory");
    }
    assert_eq!(merged(runs, 0).expect("sound"), [(b"key".to_vec(), b"abcd".to_vec())]);
}

#[test]
fn a_run_that_was_not_ended_is_none() {
    let mut runs = Runs::new(Box::new(MemoryScratch::default()));
    let long = vec![7; 100_000];
    runs.begin().push(b"lost", &long).expect("short enough");
    runs.begin().push(b"lost", b"as well").expect("short");
    let mut writer = runs.begin();
    writer.push(b"kept", b"value").expect("short");
    writer.end().expect("scratch space in memory");
    assert_eq!(runs.bytes(), 17);
    assert_eq!(merged(runs, 0).expect("sound"), [(b"kept".to_vec(), b"value".to_vec())]);
}

#[test]
fn an_entry_past_the_limit_is_refused() {
    let mut runs = Runs::new(Box::new(MemoryScratch::default()));
    let value = vec![0; RUN_ENTRY_BYTES_MAX];
    let Err(Error::Refused(refusal)) = runs.begin().push(b"k", &value) else { panic!("taken") };
    assert_eq!(refusal.code, "group_too_large");
    runs.begin().push(b"", &value).expect("just within the limit");
}

/// Scratch space that changes one byte, or ends early.
struct Damaged {
    sound: MemoryScratch,
    at: u64,
    short: bool,
}

impl Scratch for Damaged {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<u64> {
        self.sound.append(bytes)
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.sound.read_at(offset, into)?;
        let index = self.at.checked_sub(offset).filter(|index| *index < into.len() as u64);
        if let Some(index) = index {
            if self.short {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            into[index as usize] ^= 0x10;
        }
        Ok(())
    }
}

#[test]
fn damage_anywhere_is_an_error() {
    let lists = lists(3, 20, 3);
    let bytes = written(&lists, Box::new(MemoryScratch::default())).expect("short entries").bytes();
    for at in 0..bytes {
        for short in [false, true] {
            let scratch = Damaged { sound: MemoryScratch::default(), at, short };
            let runs = written(&lists, Box::new(scratch)).expect("writing works");
            // With so little memory, two are merged into one beforehand.
            let budget_bytes = if at % 2 == 0 { 0 } else { 1 << 20 };
            assert!(matches!(merged(runs, budget_bytes), Err(Error::Io(_))), "byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn merges_as_a_map_folds(
        lists in prop::collection::vec(
            prop::collection::btree_map(
                prop::collection::vec(0u8..4, 0..5),
                prop::collection::vec(any::<u8>(), 0..6),
                0..40,
            ),
            0..20,
        ),
        budget in 0usize..300_000,
    ) {
        check(&lists, budget);
    }
}
