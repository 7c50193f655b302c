//! What a run comes to: all records and all answers, without what may differ, which is when something was done and how
//! often it was tried.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;

use pipeline::Millis;
use pipeline::object::{ObjectVersion, ReceiptId};
use pipeline::ports::{Ledger, Objects};
use pipeline::preset::Preset;
use pipeline::query::{At, Of, Transactions, aggregates, transactions};
use pipeline::receipt::{Outcome, Receipt};
use pipeline::records;
use pipeline::rows::contribution::Filter;
use pipeline::sha256::Sha256;
use pipeline::step::{Kind, RecordKey};
use serde_json::{Value, json};

use super::rule;
use super::world::World;

/// Lines by what they are about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ending(BTreeMap<String, String>);

/// Times: whether there is one matters, which it is does not.
const TIMES: [&str; 13] = [
    "updated_at",
    "aggregates_committed_at",
    "beganAt",
    "endedAt",
    "began_at",
    "ended_at",
    "at",
    "until",
    "countedAt",
    "counted_at",
    "aggregatedAt",
    "aggregated_at",
    "replayed_at",
];

/// How often and by what it was tried.
const TRIES: [&str; 3] = ["attempts", "attempt", "failure"];

impl Ending {
    /// What is there at the end, asked through the ports: nothing that is asked may fail now.
    pub fn of(world: &World, objects: &dyn Objects, ledger: &dyn Ledger, now: Millis) -> Self {
        let mut lines = BTreeMap::new();
        let records = records(ledger);
        let receipts: BTreeMap<String, Receipt> = records
            .iter()
            .filter(|(key, _)| key.kind == Kind::Receipt)
            .map(|(key, value)| (key.id.clone(), serde_json::from_slice(value).unwrap()))
            .collect();
        let files: Vec<&Receipt> = receipts.values().collect();
        for (file, relations) in rule::relations(&files) {
            let receipt = &receipts[file.receipt.as_str()];
            assert_eq!(receipt.relations(), relations, "{}", receipt.arrival().object.key);
        }
        for (key, value) in &records {
            if let Some(value) = record(key, value, &receipts, &records) {
                let id = id(key);
                leaves(format!("{:?} {id}", key.kind), &written(value, objects), &mut lines);
            }
        }
        for kind in [Kind::Open, Kind::Due] {
            let left = records.keys().filter(|key| key.kind == kind).map(|key| &key.id).collect::<Vec<_>>();
            assert_eq!(left, Vec::<&String>::new(), "nothing of kind {kind:?} is left at the end");
        }
        let at = At { objects, ledger, now };
        for feed in world.feeds.iter() {
            let name = feed.name.as_str();
            let told = aggregates(at, feed, None, &Filter::default(), |told| {
                let sources: Vec<&str> = told.sources.iter().map(|receipt| receipt.as_str()).collect();
                // how often a tick, or a file begun anew, changed a window is no matter of the files alone
                let told_again = match feed.preset {
                    Preset::Market => format!("{:?}", told.state),
                    Preset::Transactions => String::new(),
                    Preset::Files => format!("{:?} {}", told.state, told.revision),
                };
                let line = format!("{} {told_again} {sources:?}", told.line);
                let of = match told.of {
                    Of::Bar { symbol, start, traded } => format!("{symbol} {start} {traded}"),
                    Of::Total { currency, status, merchant, day } => format!("{currency} {status} {merchant} {day}"),
                };
                assert!(lines.insert(format!("aggregate {name} {of}"), line).is_none(), "{of} is told once");
                ControlFlow::Continue(())
            });
            told.unwrap();
            if feed.preset == Preset::Transactions {
                let (mut number, mut ids) = (0, BTreeSet::new());
                let told = transactions(at, feed, &Transactions::default(), |told| {
                    assert!(ids.insert(told.transaction_id.clone()), "{} counts twice", told.transaction_id);
                    lines.insert(format!("transaction {name} {number:05}"), serde_json::to_string(&told).unwrap());
                    number += 1;
                    ControlFlow::Continue(())
                });
                told.unwrap();
            }
        }
        Self(lines)
    }

    /// Without what is told of these files: where nobody waits for them, nothing is.
    pub fn without_what_is_told(mut self, of: &BTreeSet<ReceiptId>) -> Self {
        let is_of = |line: &str| {
            let id = line.strip_prefix("Notice ").and_then(|rest| rest.split(' ').next());
            id.is_some_and(|id| of.iter().any(|receipt| receipt.as_str() == id))
        };
        self.0.retain(|line, _| !is_of(line));
        self
    }
}

/// What a record is about. How often a file was begun anew follows from what came when.
fn id(key: &RecordKey) -> String {
    match key.kind {
        Kind::Notice => key.id.split('/').next().unwrap().to_owned(),
        _ => key.id.clone(),
    }
}

/// A record as it must be whatever came when; none for one that may or may not be there.
fn record(
    key: &RecordKey,
    value: &[u8],
    receipts: &BTreeMap<String, Receipt>,
    records: &BTreeMap<RecordKey, Vec<u8>>,
) -> Option<Value> {
    let duplicate = |receipt: &str| receipts.get(receipt).is_some_and(|receipt| receipt.duplicate_of().is_some());
    let Ok(mut json) = serde_json::from_slice::<Value>(value) else {
        return Some(json!(String::from_utf8_lossy(value)));
    };
    match key.kind {
        Kind::Receipt => return Some(receipt(&receipts[&key.id], json)),
        // that windows were told anew is told when they were told before, which follows from what came when
        Kind::Notice if json["event"] == "window.restated" => return None,
        // of which batches there are follows from what came when: a copy may be known for one before it is read
        Kind::Notice if json["event"] == "rows.kept" => return None,
        Kind::Notice => {
            let receipt = &receipts[key.id.split('/').next().unwrap()];
            // what was told last of a file is how it ended; one that was replaced and begun anew is not told of again
            let of = |generation| RecordKey { kind: Kind::Notice, ..records::notice(&receipt.id(), generation) };
            let last = (0..=receipt.generation()).rev().map(of).find(|key| records.contains_key(key));
            let is_last = last.as_ref() == Some(key);
            let told = records::Notice::of(receipt).unwrap();
            assert!(!is_last || json["event"] == told.event, "{} is told, and it is {}", json["event"], told.event);
            // what is known of its rows then depends on how far it was
            drop(json.as_object_mut().unwrap().remove("rows"));
            if !is_last || receipt.duplicate_of().is_some() {
                return None;
            }
        }
        // who was how quick; a copy that was read before its original took ids, too, which are nobody's
        Kind::Turn | Kind::Id | Kind::Taken => return None,
        // its rows do not count
        Kind::Row if duplicate(json["origin"].as_str().unwrap()) => return None,
        // because of a file that came late
        Kind::Contribution => drop(json.as_object_mut().unwrap().remove("replayed_at")),
        Kind::Window => drop(json.as_object_mut().unwrap().remove("revision")),
        _ => {}
    }
    Some(plain(json))
}

/// A receipt. Of a copy that was quicker than its original more is known than of one that was not.
fn receipt(receipt: &Receipt, json: Value) -> Value {
    let outcome = receipt.outcome();
    assert_ne!(outcome, Outcome::InProgress, "{json}");
    assert_eq!(receipt.adds_up(), Ok(()), "{json}");
    let mut json = plain(json);
    if receipt.duplicate_of().is_some() {
        let facts = ["duplicate_of", "supersedes", "superseded_by", "sha256"].map(|name| (name, json[name].clone()));
        return json!({ "outcome": outcome, "facts": BTreeMap::from(facts) });
    }
    // a copy that came to count may have been begun anew for it
    let facts = json.as_object_mut().unwrap();
    facts.retain(|name, _| !["generation", "past"].contains(&name.as_str()));
    json!({ "outcome": outcome, "status": receipt.status(), "facts": json })
}

/// Whether a stage wrote an object: then its version follows from its content, in memory as on AWS.
fn is_of_a_stage(version: &str) -> bool {
    version.starts_with('c') || version.starts_with("sha256.")
}

/// Everything that a ledger has.
fn records(ledger: &dyn Ledger) -> BTreeMap<RecordKey, Vec<u8>> {
    let of_kind = |kind| {
        let page = ledger.page(kind, "", None, 1_000_000).expect("nothing fails now");
        page.into_iter().map(move |(id, value)| (RecordKey { kind, id }, value))
    };
    Kind::ALL.into_iter().flat_map(of_kind).collect()
}

/// Objects that stages wrote, by what is in them and not by for whom they were written: who takes over from another
/// names what that wrote.
fn written(value: Value, objects: &dyn Objects) -> Value {
    match value {
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            if let (Some(bucket), Some(key), Some(version)) = (text("bucket"), text("key"), text("version"))
                && is_of_a_stage(version)
            {
                let (folder, of) = key.split_once('/').unwrap();
                assert!(of.starts_with("r-"), "{key}");
                let object = ObjectVersion { bucket: bucket.into(), key: key.into(), version: version.into() };
                let mut bytes = Vec::new();
                let mut opened = objects.open(&object).expect("what is named is there");
                opened.input.read_to_end(&mut bytes).expect("what is there can be read");
                let mut digest = Sha256::default();
                digest.update(&bytes);
                return json!(format!("{folder} {}", digest.finish()));
            }
            Value::Object(fields.into_iter().map(|(name, value)| (name, written(value, objects))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| written(item, objects)).collect()),
        other => other,
    }
}

/// Every value by its path, so that what differs is seen in one line.
fn leaves(path: String, value: &Value, lines: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| leaves(format!("{path} {name}"), value, lines));
        }
        other => drop(lines.insert(path, other.to_string())),
    }
}

/// Without times and tries.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, _)| !TRIES.contains(&name.as_str()));
            let kept = kept.map(|(name, value)| {
                let value = if TIMES.contains(&name.as_str()) { json!(!value.is_null()) } else { plain(value) };
                (name, value)
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        other => other,
    }
}

/// Differences that are told.
const DIFFERENCES_MAX: usize = 30;

/// What differs, in words.
pub fn differences(expected: &Ending, ending: &Ending) -> Vec<String> {
    let names: BTreeSet<&String> = expected.0.keys().chain(ending.0.keys()).collect();
    let mut differences = Vec::new();
    for name in names {
        let (expected, found) = (expected.0.get(name), ending.0.get(name));
        if expected != found {
            let text = |line: Option<&String>| line.map_or("nothing", String::as_str).to_owned();
            differences.push(format!("  {name}\n    in order: {}\n    here:     {}", text(expected), text(found)));
        }
    }
    let more = differences.len().saturating_sub(DIFFERENCES_MAX);
    differences.truncate(DIFFERENCES_MAX);
    differences.extend((more > 0).then(|| format!("  and {more} more")));
    differences
}
