//! The invariants, as far as the domain alone can keep them; each has its number in ARCHITECTURE.md. Invariant 3 is the
//! simulation's; 2, 4 and 7 are the engine's and the program's.

use pipeline::handle::Error;
use pipeline::message::Message;
use pipeline::ports::Ledger;
use pipeline::receipt::{Event, Outcome, What};
use pipeline::records;
use pipeline::step::{Kind, RecordKey, Step, Write};

use crate::world::World;

const FILES: &str = "file-processing-bucket-dev";

fn trades(rows: &[(&str, &str)]) -> String {
    let rows = rows.iter().map(|(price, volume)| format!("A,{price},{volume},2026-01-01T09:00:00Z\n"));
    format!("symbol,price,volume,timestamp\n{}", rows.collect::<String>())
}

#[test]
fn invariant_1_a_receipt_that_does_not_add_up_is_never_written() {
    let mut world = World::new();
    let id = world.arrives(FILES, "a.csv", &trades(&[("1", "1"), ("2", "1")]));
    let mut messages: Vec<Message> = Vec::new();
    while let Some(message) = world.waiting.pop_front() {
        if matches!(message, Message::FilesAggregate(_)) {
            messages.push(message);
            break;
        }
        world.handle(&message).unwrap();
        world.collect();
    }
    // somebody has told the receipt of another number of rows than its contribution has
    let mut receipt = world.receipt(&id);
    receipt.apply(Event { at: 1, what: What::RowsCommitted(1) });
    let write = Write { key: records::receipt(&id), value: Some(serde_json::to_vec(&receipt).unwrap()) };
    let source = serde_json::from_value("meddler".into()).unwrap();
    let step = Step { writes: vec![write], sends: Vec::new() };
    world.ledger.commit(pipeline::ports::Commit { source, expects: Vec::new(), step }).unwrap();
    let refused = world.handle(&messages[0]).unwrap_err();
    assert!(matches!(refused, Error::Unaccounted(_)), "{refused}");
    assert_eq!(refused.code(), "does_not_add_up");
    assert_eq!(world.outcome(&id), Outcome::InProgress);
    assert!(world.lines("files").is_empty(), "and nothing of it counts");
}

#[test]
fn invariant_5_nothing_of_a_file_is_seen_before_it_is_completed_and_then_all_of_it() {
    let mut world = World::new();
    let id = world.arrives(FILES, "a.csv", &trades(&[("1", "1"), ("2", "1")]));
    let mut steps = 0;
    while let Some(message) = world.waiting.pop_front() {
        assert!(world.lines("files").is_empty(), "before {message:?}");
        assert_ne!(world.outcome(&id), Outcome::Completed);
        world.handle(&message).unwrap();
        world.collect();
        steps += 1;
    }
    assert_eq!((steps, world.outcome(&id)), (3, Outcome::Completed));
    assert_eq!(world.lines("files"), ["A,2026-01-01T09:00:00Z,1,2,1,2,2,2,3,1.5"]);
}

#[test]
fn invariant_6_numbers_are_exact_from_text_to_bar_and_total() {
    let mut world = World::new();
    // none of these survives a float, and their products have 36 decimals
    let rows = [("99999999999999999999", "0.000000000000000001"), ("0.000000000000000003", "99999999999999999999")];
    world.takes(FILES, "a.csv", &trades(&rows));
    let line = world.lines("files").remove(0);
    let cells: Vec<&str> = line.split(',').collect();
    assert_eq!(
        cells[2..7],
        [
            "99999999999999999999",
            "99999999999999999999",
            "0.000000000000000003",
            "0.000000000000000003",
            "99999999999999999999.000000000000000001",
        ]
    );
    // 99.999999999999999999 and 299.999999999999999997
    assert_eq!(cells[8], "399.999999999999999996");
    let rows: String = (0..10).map(|id| format!("t{id},2026-01-05T10:00:00Z,0.1,EUR,Shop,completed\n")).collect();
    let text = format!("transaction_id,timestamp,amount,currency,merchant,status\n{rows}");
    world.takes("transactions-dev", "t.csv", &text);
    assert_eq!(world.lines("transactions"), ["EUR,completed,Shop,20458,10,1,0.1,0.1"]);
    let market = "symbol,price,volume,timestamp\nA,0.1,3,2026-01-01T09:00:00Z\nA,0.2,3,2026-01-01T09:00:01Z\n";
    world.takes("market-data-dev", "m.csv", market);
    world.tick();
    assert_eq!(world.lines("market"), ["A,2026-01-01T09:00:00Z,0.1,0.2,0.1,0.2,6,2,0.9,0.15"]);
}

#[test]
fn invariant_8_every_hostile_file_ends_in_a_receipt() {
    let Some(corpus) = testkit::corpus::folder() else { return };
    let mut files = Vec::new();
    let mut folders = vec![corpus.join("torture")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    assert!(files.len() > 50, "only {} hostile files", files.len());
    let mut world = World::new();
    for (number, path) in files.iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        for bucket in [FILES, "transactions-dev", "market-data-dev"] {
            let name = path.file_name().unwrap().to_string_lossy();
            let id = world.takes_bytes(bucket, &format!("{number}/{name}"), &bytes);
            let outcome = world.outcome(&id);
            let waits = bucket == "market-data-dev" && outcome == Outcome::InProgress;
            assert!(waits || outcome >= Outcome::Completed, "{name}: {outcome:?}");
        }
    }
    let left: Vec<RecordKey> = world.ledger.records().into_keys().filter(|key| key.kind == Kind::Open).collect();
    world.pass(1000);
    world.tick();
    let open: Vec<RecordKey> = world.ledger.records().into_keys().filter(|key| key.kind == Kind::Open).collect();
    assert!(open.is_empty(), "{} waited for the clock, and these still do: {open:?}", left.len());
}
