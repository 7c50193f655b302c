//! Which sets of rows of transactions count, as contributions come, go and take over from each other.

use lambda::ledger::{Ledger, Parts};
use lambda::table;
use pipeline::message::{Feed, Message, MessageId, Work};
use pipeline::object::{ObjectVersion, Order, ReceiptId};
use pipeline::ports::{Commit, Ledger as _};
use pipeline::records;
use pipeline::step::{Step, Write};
use serde_json::{Value, json};

use crate::cloud::Cloud;

fn feed() -> Feed {
    Feed::try_from("cards".to_owned()).expect("a good name")
}

fn object(key: &str) -> ObjectVersion {
    ObjectVersion { bucket: "b".into(), key: key.into(), version: "1".into() }
}

/// The contribution of a file by a set of rows, superseded by another file or not.
fn contribution(file: &str, set: &str, superseded_by: Option<&str>) -> Write {
    let by = |file: &str| json!({ "order": Order::of(&object(file), 2), "receipt": ReceiptId::of(&object(file)) });
    let summary = json!({ "kind": "transactions", "rows": 7, "entries": 1, "from": 0, "to": 0 });
    let value = json!({ "receipt": ReceiptId::of(&object(file)), "object": object("contributions/x/partials"),
        "rows": object(&format!("validated/{set}/rows")), "summary": summary, "counted_at": 1,
        "superseded_by": superseded_by.map(by) });
    written(file, Some(value))
}

fn written(file: &str, value: Option<Value>) -> Write {
    let key = records::contribution(&feed(), &Order::of(&object(file), 1));
    Write { key, value: value.map(|value| value.to_string().into_bytes()) }
}

/// Sets, whether they count, and by which file.
type Told = &'static [(&'static str, &'static str, &'static str)];

#[test]
fn a_set_counts_for_as_long_as_somebody_counts_by_it() {
    let cloud = Cloud::default();
    let steps: [(Vec<Write>, Told); 8] = [
        (vec![contribution("a", "r-a", None)], &[("r-a", "yes", "a")]),
        // a copy takes over from what is replaced
        (vec![contribution("a", "r-a", Some("x")), contribution("copy", "r-a", None)], &[("r-a", "yes", "copy")]),
        // what is replaced is replaced by another: nothing changes
        (vec![contribution("a", "r-a", Some("y"))], &[("r-a", "yes", "copy")]),
        // the other way round
        (vec![contribution("a", "r-a", None), written("copy", None)], &[("r-a", "yes", "a")]),
        (vec![written("a", None)], &[("r-a", "no", "a")]),
        (vec![written("a", None)], &[("r-a", "no", "a")]),
        // begun anew, and again
        (vec![contribution("a", "r-a.1", None)], &[("r-a", "no", "a"), ("r-a.1", "yes", "a")]),
        (vec![contribution("a", "r-a.2", None)], &[("r-a", "no", "a"), ("r-a.1", "no", "a"), ("r-a.2", "yes", "a")]),
    ];
    for (number, (writes, expected)) in steps.into_iter().enumerate() {
        let source = message(number);
        let ledger = ledger(&cloud, number as u64);
        ledger.commit(Commit { source, expects: Vec::new(), step: Step { writes, sends: Vec::new() } }).unwrap();
        let told = |item: &table::Item, name: &str| table::text(item, name).expect("it is told").to_owned();
        let names = ["transaction_id", "counts", "receipt_id"];
        let sets = cloud.transactions().into_values();
        let found: Vec<[String; 3]> = sets.map(|item| names.map(|name| told(&item, name))).collect();
        let receipt = |file: &str| ReceiptId::of(&object(file)).to_string();
        let expected: Vec<_> =
            expected.iter().map(|(set, counts, file)| [(*set).into(), (*counts).into(), receipt(file)]).collect();
        assert_eq!(found, expected, "after step {number}");
    }
}

fn message(number: usize) -> MessageId {
    Message::TransactionsTransform(Work { object: object(&number.to_string()), feed: feed(), generation: 0 }).id()
}

fn ledger(cloud: &Cloud, process: u64) -> Ledger {
    Ledger::new(Parts {
        table: Box::new(cloud.clone()),
        queue: None,
        sends: Vec::new(),
        anew: None,
        status: None,
        keeps_rows: false,
        keeps_standings: true,
        now: || 1_700_000_000_000,
        process,
        tells: true,
    })
}
