//! Pages of a batch: whatever is committed and whatever is staged, as if all of it were committed.

use std::collections::BTreeMap;

use engine::pipeline::ports::{Commit, Ledger};
use engine::pipeline::step::{Kind, RecordKey, Step, Write};
use proptest::prelude::*;

use super::{Place, source};

/// Ids that are beside each other and within each other, and whether they are written or removed.
fn writes() -> impl Strategy<Value = BTreeMap<String, bool>> {
    proptest::collection::btree_map("[ab]{1,3}", any::<bool>(), 0..12)
}

fn step(kind: Kind, writes: &BTreeMap<String, bool>, value: &str) -> Step {
    let write = |(id, is_written): (&String, &bool)| Write {
        key: RecordKey { kind, id: id.clone() },
        value: is_written.then(|| value.as_bytes().to_vec()),
    };
    Step { writes: writes.iter().map(write).collect(), sends: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn a_page_is_as_if_all_were_committed(
        committed in proptest::collection::btree_set("[ab]{1,3}", 0..15),
        staged in writes(),
        within in "[ab]?",
        after in proptest::option::of("[abc]{0,3}"),
        records_max in 0..8_usize,
    ) {
        let place = Place::new();
        let committed = committed.into_iter().map(|id| (id, true)).collect();
        let commit = |name: &str, step| Commit { source: source(name), expects: Vec::new(), step };
        place.immediate().commit(commit("1", step(Kind::Alias, &committed, "committed"))).unwrap();
        let batch = place.batch();
        batch.commit(commit("2", step(Kind::Alias, &staged, "staged"))).unwrap();
        batch.commit(commit("3", step(Kind::Open, &staged, "of another kind"))).unwrap();

        let mut expected = BTreeMap::new();
        for (writes, value) in [(&committed, "committed"), (&staged, "staged")] {
            for (id, is_written) in writes {
                if *is_written { expected.insert(id.clone(), value.as_bytes().to_vec()) } else { expected.remove(id) };
            }
        }
        let is_there = |id: &String| id.starts_with(&within) && after.as_ref().is_none_or(|after| id > after);
        let expected: Vec<_> = expected.into_iter().filter(|(id, _)| is_there(id)).take(records_max).collect();
        let page = batch.page(Kind::Alias, &within, after.as_deref(), records_max).unwrap();
        prop_assert_eq!(page, expected);
    }
}
