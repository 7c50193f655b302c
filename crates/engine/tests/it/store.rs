//! The store by itself, in memory and on disk: both must do the same.

use std::io::ErrorKind;
use std::ops::{Bound, ControlFlow};

use engine::store::{Changes, Error, Fault, Store, Table};
use proptest::prelude::*;

fn changes(list: &[(&str, Option<&str>)]) -> Changes {
    let mut changes = Changes::new();
    for (key, value) in list {
        match value {
            Some(value) => changes.put(Table::Records, key, value),
            None => changes.delete(Table::Records, key),
        }
    }
    changes
}

/// Runs a test on both.
fn on_both(test: impl Fn(&Store)) {
    test(&Store::in_memory());
    let folder = tempfile::tempdir().unwrap();
    test(&Store::open(folder.path()).unwrap());
}

fn keys(store: &Store, range: (Bound<&[u8]>, Bound<&[u8]>)) -> String {
    let mut keys = Vec::new();
    let see = |key: &[u8], _: &[u8]| {
        keys.push(String::from_utf8_lossy(key).into_owned());
        ControlFlow::Continue(())
    };
    store.scan(Table::Records, range, see).unwrap();
    keys.join(" ")
}

#[test]
fn a_later_change_of_a_key_wins() {
    on_both(|store| {
        let list = [("a", Some("1")), ("a", Some("2")), ("b", Some("3")), ("b", None), ("c", None), ("c", Some("4"))];
        store.commit(&changes(&list)).unwrap();
        let value = |key: &str| store.get(Table::Records, key.as_bytes()).unwrap();
        assert_eq!((value("a"), value("b"), value("c")), (Some(b"2".to_vec()), None, Some(b"4".to_vec())));
    });
}

#[test]
fn ranges_come_in_order() {
    on_both(|store| {
        store.commit(&changes(&["b", "aa", "c", "a", "ab"].map(|key| (key, Some("1"))))).unwrap();
        let (a, ab): (&[u8], &[u8]) = (b"a", b"ab");
        for (range, expected) in [
            ((Bound::Unbounded, Bound::Unbounded), "a aa ab b c"),
            ((Bound::Included(a), Bound::Excluded(ab)), "a aa"),
            ((Bound::Excluded(a), Bound::Included(ab)), "aa ab"),
            ((Bound::Included(ab), Bound::Included(a)), ""),
            ((Bound::Excluded(a), Bound::Excluded(a)), ""),
            ((Bound::Included(a), Bound::Included(a)), "a"),
        ] {
            assert_eq!(keys(store, range), expected, "{range:?}");
        }
    });
}

#[test]
fn pages_follow_each_other() {
    on_both(|store| {
        store.commit(&changes(&["a", "p1", "p2", "p3", "q"].map(|key| (key, Some("1"))))).unwrap();
        let page = |after: Option<&[u8]>, most| {
            let pairs = store.page(Table::Records, b"p", after, most).unwrap();
            pairs.into_iter().map(|(key, _)| String::from_utf8_lossy(&key).into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(page(None, 2), "p1 p2");
        assert_eq!(page(Some(b"p2"), 2), "p3");
        assert_eq!(page(Some(b"p3"), 2), "");
        assert_eq!(page(Some(b"a"), 2), "p1 p2");
        assert_eq!(page(None, 0), "");
    });
}

#[test]
fn a_failed_commit_is_settled_by_opening_again() {
    on_both(|store| {
        store.commit(&changes(&[("a", Some("1"))])).unwrap();
        for kept in [false, true] {
            store.fail_next(Fault { kind: ErrorKind::StorageFull, kept });
            let error = store.commit(&changes(&[("b", Some("2"))])).unwrap_err();
            assert!(matches!(error, Error::Full { .. }), "{error:?}");
            store.reopen().unwrap();
            assert_eq!(store.get(Table::Records, b"a").unwrap(), Some(b"1".to_vec()));
            assert_eq!(store.get(Table::Records, b"b").unwrap().is_some(), kept);
        }
        store.commit(&changes(&[("c", Some("3"))])).unwrap();
    });
}

#[test]
fn nothing_is_committed_after_a_failure_until_it_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.fail_next(Fault { kind: ErrorKind::ReadOnlyFilesystem, kept: false });
    for _ in 0..2 {
        let error = store.commit(&changes(&[("a", Some("1"))])).unwrap_err();
        assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    }
    assert_eq!(store.get(Table::Records, b"a").unwrap(), None, "one may still read");
    store.reopen().unwrap();
    store.commit(&changes(&[("a", Some("1"))])).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever is committed, compacted and opened again, the disk has what memory has.
    #[test]
    fn the_disk_has_what_memory_has(
        steps in proptest::collection::vec((0..4_u8, proptest::collection::vec((0..20_u8, any::<Option<u16>>()), 1..20)), 1..8)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let memory = Store::in_memory();
        let mut disk = Store::open(folder.path()).unwrap();
        for (kind, list) in steps {
            match kind {
                0 => {
                    drop(disk);
                    disk = Store::open(folder.path()).unwrap();
                }
                1 => disk.compact(Table::Records).unwrap(),
                _ => for store in [&memory, &disk] {
                    let mut changes = Changes::new();
                    for (key, value) in &list {
                        match value {
                            Some(value) => changes.put(Table::Records, [*key], value.to_be_bytes()),
                            None => changes.delete(Table::Records, [*key]),
                        }
                    }
                    store.commit(&changes).unwrap();
                },
            }
            let all = |store: &Store| store.page(Table::Records, b"", None, 1000).unwrap();
            prop_assert_eq!(all(&memory), all(&disk));
        }
    }
}

#[test]
fn a_commit_is_seen_whole_or_not_at_all() {
    const COMMITS: u64 = 300;
    on_both(|store| {
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
        let last = || store.get(Table::Records, b"a").unwrap().map_or(0, |value| number(&value));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for commit in 1..=COMMITS {
                    let mut changes = Changes::new();
                    // many, so that there is a while between the first and the last
                    let fill = (0..500).map(|key| format!("m{key}"));
                    for key in ["a".to_owned()].into_iter().chain(fill).chain(["z".to_owned()]) {
                        changes.put(Table::Records, &key, commit.to_be_bytes());
                    }
                    store.commit(&changes).unwrap();
                }
            });
            while last() < COMMITS {
                let seen = last();
                let listed = store.page(Table::Records, b"z", None, 1).unwrap();
                let listed = listed.first().map_or(0, |(_, value)| number(value));
                assert!(listed >= seen, "a key of commit {seen} was read, and then one of {listed} was listed");
            }
        });
    });
}
