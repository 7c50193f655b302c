//! What a run answers to those who ask, with nothing in it that another runtime draws for itself: versions, ids and
//! times.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;

use pipeline::find::by_id;
use pipeline::object::{ObjectVersion, ReceiptId};
use pipeline::preset::Preset;
use pipeline::query::{At, Of, Transactions, aggregates, transactions};
use pipeline::rows::contribution::Filter;
use pipeline::rows::time::Interval;
use pipeline::sha256::Sha256;

use super::world::World;

/// Receipts, rows, rejects, bars, totals and transactions, by what they are about. Files go by their number in the
/// world, whose receipts these are.
pub fn answers(world: &World, receipts: &[ReceiptId], at: At<'_>) -> BTreeMap<String, String> {
    let number = |id: &ReceiptId| receipts.iter().position(|known| known == id).expect("a file of this world");
    let mut told = BTreeMap::new();
    for (place, id) in receipts.iter().enumerate() {
        let receipt = by_id(at.ledger, id).unwrap().expect("each file has a receipt");
        assert_eq!(receipt.adds_up(), Ok(()), "{:?}", receipt.arrival().object);
        let view = receipt.view();
        let others = [view.duplicate_of, view.supersedes, view.superseded_by].map(|other| other.map(number));
        // of a copy that was quicker than its original more is known than of one that was not
        if view.duplicate_of.is_some() {
            told.insert(format!("file {place}"), format!("{:?} {others:?}", view.outcome));
            continue;
        }
        let line = format!("{:?} {:?} {others:?} {:?}", view.outcome, view.status, view.account);
        told.insert(format!("file {place}"), line);
        for (name, object) in view.links {
            told.insert(format!("file {place} {name}"), digest(at, object));
        }
    }
    for feed in world.feeds.iter() {
        let name = feed.name.as_str();
        // those of market are kept as they are
        let days = (feed.preset == Preset::Files).then_some(Some(Interval::D1));
        for interval in std::iter::once(None).chain(days) {
            let done = aggregates(at, feed, interval, &Filter::default(), |aggregate| {
                let of = match aggregate.of {
                    Of::Bar { symbol, start, traded } => format!("{symbol} {start} {traded}"),
                    Of::Total { currency, status, merchant, day } => format!("{currency} {status} {merchant} {day}"),
                };
                let sources: Vec<usize> = aggregate.sources.iter().map(number).collect();
                let line = format!("{} {sources:?}", aggregate.line);
                assert!(told.insert(format!("{name} {interval:?} {of}"), line).is_none(), "{of} is told once");
                ControlFlow::Continue(())
            });
            done.unwrap();
        }
        if feed.preset == Preset::Transactions {
            let done = transactions(at, feed, &Transactions::default(), |row| {
                let line = format!("{} {} {} {} {}", row.amount, row.currency, row.status, row.merchant, row.timestamp);
                let of = format!("{name} {} of {}", row.transaction_id, number(&row.receipt));
                assert!(told.insert(of, line).is_none(), "{} counts twice", row.transaction_id);
                ControlFlow::Continue(())
            });
            done.unwrap();
        }
    }
    told
}

/// What differs between answers, in words; of much, the first of it.
pub fn answers_differ(expected: &BTreeMap<String, String>, told: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = expected.keys().chain(told.keys()).collect();
    let differ = names.into_iter().filter(|name| expected.get(*name) != told.get(*name));
    let line =
        |name: &String| format!("{name}\n  in memory: {:?}\n  here:      {:?}", expected.get(name), told.get(name));
    differ.take(20).map(line).collect()
}

fn digest(at: At<'_>, object: &ObjectVersion) -> String {
    let (mut bytes, mut digest) = (Vec::new(), Sha256::default());
    at.objects.open(object).unwrap().input.read_to_end(&mut bytes).unwrap();
    digest.update(&bytes);
    digest.finish()
}
