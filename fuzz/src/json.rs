//! JSON: cuts do not matter, `serde_json` agrees on what is valid and what it says, and so does a whole check.

use std::collections::BTreeMap;

use rows::cells::Cells;
use rows::contract::builtin;
use rows::json::{Cutter, JsonFault, Layout, Path, Paths, Reader, Record, detect};
use rows::time::Interval;
use rows::{Error, Result};
use serde_json::value::{RawValue, Value};

use super::whole::{TEXT_BYTES_MAX, Way, comes_back, same_in_all};

const KEYS: [&str; 5] = ["a", "price", "symbol", "", "é"];

/// Two bytes choose the layout and the cuts; the rest is the text.
pub fn json(data: &[u8]) {
    let Some((&[choice, cut], text)) = data.split_first_chunk() else { return };
    let layout = match choice & 3 {
        0 => Layout::Lines,
        1 => Layout::Array,
        2 => Layout::Value,
        _ => detect(text),
    };
    let records = check_cuts(text, layout, usize::from(cut));
    check_records(text, &records);
    // Cutter and reader are so much quicker than a whole check that some inputs are for them alone.
    if choice & 32 == 0 {
        check_whole(&text[..text.len().min(TEXT_BYTES_MAX)], choice, cut);
    }
}

/// What a cutter made of a text.
#[derive(Debug, Default, PartialEq)]
struct Cuts {
    /// Start, end and line.
    records: Vec<(usize, usize, u64)>,
    lines: u64,
    blank_lines: u64,
    refusal: Option<(&'static str, String)>,
}

fn cut(text: &[u8], layout: Layout, sizes: impl Iterator<Item = usize>) -> Cuts {
    let mut cutter = Cutter::new(layout);
    let mut cuts = Cuts::default();
    let (mut start, mut end) = (0, 0);
    for size in sizes {
        end = (end + size).min(text.len());
        let is_last = end == text.len();
        let mut records = Vec::new();
        let result: Result<usize> = cutter.cut(&text[start..end], is_last, &mut records);
        let place = |record: &Record| (start + record.start as usize, start + record.end as usize, record.line);
        cuts.records.extend(records.iter().map(place));
        match result {
            Ok(done) => start += done,
            Err(Error::Refused(refusal)) => {
                cuts.refusal = Some((refusal.code, refusal.message));
                return cuts;
            }
            Err(Error::Io(error)) => panic!("nothing is read here: {error}"),
        }
        if is_last {
            assert_eq!(start, end, "all is done with at the end");
            break;
        }
    }
    (cuts.lines, cuts.blank_lines) = (cutter.lines(), cutter.blank_lines());
    cuts
}

fn check_cuts(text: &[u8], layout: Layout, size: usize) -> Vec<(usize, usize, u64)> {
    let whole = cut(text, layout, std::iter::once(text.len()));
    let step = (size + 1).max(text.len() / 64);
    let cuts = cut(text, layout, (0..).map(|turn| step + turn % 3));
    assert_eq!(cuts, whole, "{layout:?}");
    whole.records
}

/// Every record as `serde_json` has it.
fn check_records(text: &[u8], records: &[(usize, usize, u64)]) {
    let paths: Vec<Path> = KEYS.iter().chain(&["0", "b.c"]).map(|key| Path::parse(key)).collect();
    let mut used = Reader::new(Paths::new(&paths));
    let (mut cells, mut again) = (Cells::default(), Cells::default());
    for &(start, end, _) in records.iter().take(200) {
        let record = &text[start..end];
        let Ok(record_text) = std::str::from_utf8(record) else { continue };
        let read = used.read(record, &mut cells);
        let anew = Reader::new(Paths::new(&paths)).read(record, &mut again);
        assert_eq!(read, anew, "{record_text:?}");
        let known = serde_json::from_str::<&RawValue>(record_text);
        match &read {
            Ok(()) => {
                assert!(known.is_ok(), "{record_text:?}");
                for slot in 0..paths.len() {
                    assert_eq!(cells.get(slot, record), again.get(slot, record), "{record_text:?} {slot}");
                }
                check_values(record_text, record, &cells);
                let keys = Reader::keys(record).expect("the record was read");
                assert!(record.contains(&b':') || keys.iter().enumerate().all(|(at, key)| *key == at.to_string()));
            }
            Err(JsonFault::Invalid { offset }) => {
                assert!(*offset <= record.len());
                // Half of a surrogate pair is seen by who reads the text of a string, and not by who passes over it.
                let is_refused = known.is_err() || serde_json::from_str::<Value>(record_text).is_err();
                assert!(is_refused, "{record_text:?}");
            }
            Err(JsonFault::NotARecord) => assert!(known.is_ok(), "{record_text:?}"),
            Err(JsonFault::DuplicateKey { .. } | JsonFault::TooDeep) => {}
        }
    }
}

fn check_values(record_text: &str, record: &[u8], cells: &Cells) {
    let mut expected: Vec<Option<&RawValue>> = vec![None; KEYS.len() + 1];
    if let Ok(object) = serde_json::from_str::<BTreeMap<String, &RawValue>>(record_text) {
        for (slot, key) in KEYS.iter().enumerate() {
            expected[slot] = object.get(*key).copied();
        }
        expected[KEYS.len()] = object.get("0").copied();
    } else if let Ok(array) = serde_json::from_str::<Vec<&RawValue>>(record_text) {
        expected[KEYS.len()] = array.first().copied();
    } else {
        // Half a surrogate pair in a key: valid JSON, and no text in any other reader.
        return;
    }
    for (slot, value) in expected.into_iter().enumerate() {
        let text = match value.map_or("null", RawValue::get) {
            "null" => String::new(),
            value if value.starts_with('"') => match serde_json::from_str(value) {
                Ok(text) => text,
                Err(_) => continue,
            },
            value => value.to_owned(),
        };
        assert_eq!(cells.get(slot, record), text.as_bytes(), "{record_text:?} {slot}");
    }
}

/// The text as it is, or as lines behind one that names the contract.
fn check_whole(text: &[u8], choice: u8, cut: u8) {
    let chopped = Way { read_bytes: 1 + usize::from(cut), ..Way::PLAIN };
    let (name, first) = match choice >> 2 & 3 {
        0 => ("trades", r#"{"symbol":"A","price":1,"volume":2,"timestamp":"2021-07-22T22:31:00Z"}"#),
        1 => (
            "transactions",
            r#"{"transaction_id":"1","amount":1,"currency":"EUR","timestamp":"2021-07-22T22:31:00Z","merchant":"M","status":"failed"}"#,
        ),
        2 => ("coinbase-websocket", "1626993000.123: {}"),
        _ => {
            same_in_all(text, None, Interval::M1, &[chopped]);
            return;
        }
    };
    let file = [first.as_bytes(), b"\n", text].concat();
    let pieces = Way { piece_bytes: 256, ..chopped };
    let way = if choice & 16 == 0 { pieces } else { pieces.short_of_memory(name == "transactions") };
    let contract = builtin(name).expect("one of ours");
    let told = same_in_all(&file, Some(contract), Interval::M5, &[way]);
    comes_back(&told, contract, Interval::M5);
}
