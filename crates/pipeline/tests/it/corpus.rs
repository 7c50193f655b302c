//! Real files with known answers, through the whole pipeline: each in a feed of its own contract.

use pipeline::feed::{Fault, Feeds, Written};
use pipeline::preset::Preset;
use pipeline::rows::contract::Contract;
use pipeline::rows::time::Interval;

use crate::world::World;

#[test]
fn receipts_and_bars_of_the_corpus_are_as_the_reference_has_them() {
    let mut problems = Vec::new();
    for case in testkit::corpus::cases() {
        let contract = Contract::parse(&case.contract).unwrap_or_else(|error| panic!("{}: {error}", case.id));
        let preset = if case.schema == "transactions" { Preset::Transactions } else { Preset::Files };
        let bucket = if case.schema == "transactions" { "transactions-dev" } else { "file-processing-bucket-dev" };
        let written = Written {
            name: "corpus".into(),
            preset,
            keys: "*".into(),
            contract: Some("corpus".into()),
            interval: "1m".into(),
            zone: None,
            settle: "1m".into(),
            on_poison: Default::default(),
        };
        let feeds = Feeds::new(vec![written], |_| Ok::<_, Fault>(contract.clone())).unwrap();
        let mut world = World::with(feeds);
        let id = world.takes_bytes(bucket, &case.file, &case.bytes);
        let receipt = world.receipt(&id);
        let account = receipt.account().unwrap_or_else(|| panic!("{}: no account", case.id));
        let summary = &case.expected["summary"];
        let mut same = |what: &str, ours: u64| {
            if summary[what].as_u64().is_some_and(|expected| expected != ours) {
                problems.push(format!("{}: {what} is {ours}, not {}", case.id, summary[what]));
            }
        };
        let counts = &account.counts;
        same("rows", counts.rows);
        same("good", counts.good);
        same("bad", counts.rejected + counts.duplicate);
        if preset == Preset::Files && receipt.aggregated_at().is_some() {
            same("bars_1d_count", world.aggregates("corpus", Some(Interval::D1)).len() as u64);
            same("bars_1m_count", world.aggregates("corpus", Some(Interval::M1)).len() as u64);
        }
        if let Some(refused) = &account.refused {
            problems.push(format!("{}: refused as {}", case.id, refused.code));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}
