//! Every mapping of the corpus gives what its reference implementation computed, raw and canonical, on one thread and
//! on several; so does every preset that belongs to a file of it.

mod compare;
mod mapping;

use std::path::Path;

use serde_json::Value;

use crate::support::{Told, Way, contract, corpus, told};
use rows::contract::{Contract, Order, builtin};
use rows::time::Interval;

/// A file, its mapping, and the preset that reads it alike.
const PRESETS: [(&str, &str); 21] = [
    ("bitbank", "bitbank-withdrawals"),
    ("bitmex_ws", "bitmex-websocket"),
    ("bitstamp_ws", "bitstamp-websocket"),
    ("gct_candles", "gct-binance-candles"),
    ("gct_trades", "gct-binance-trades"),
    ("gls", "gls-bank"),
    ("lean_dydx_1m", "lean-crypto-minute"),
    ("mint_extra", "mint"),
    ("mint_headerless", "mint-headerless"),
    ("mpf_issue142", "ohlcv-naive"),
    ("mpf_issue568", "nse-daily"),
    ("mpf_pr451", "ohlcv-daily"),
    ("mpf_so60982755", "ohlcv-padded"),
    ("mt5_eurusd_d1", "mt5-daily"),
    ("outbank", "outbank"),
    ("payoneer", "payoneer"),
    ("retail_1201", "uci-online-retail"),
    ("settlement_payments", "gateway-payments-inr"),
    ("settlement_refunds", "gateway-refunds-inr"),
    ("stripe_default", "stripe-payments"),
    ("ubs", "ubs-switzerland"),
];

/// One mapping with the file it is for.
struct Case {
    id: String,
    bytes: Vec<u8>,
    mapping: Value,
}

fn read(root: &Path, name: &str) -> Vec<u8> {
    std::fs::read(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn read_json(root: &Path, name: &str) -> Value {
    serde_json::from_slice(&read(root, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn cases(root: &Path) -> Vec<Case> {
    let manifest = read_json(root, "manifest.json");
    let mut cases = Vec::new();
    for file in manifest["files"].as_array().unwrap() {
        for mapping in file["mappings"].as_array().into_iter().flatten() {
            let name = file["file"].as_str().unwrap();
            let id = mapping["id"].as_str().unwrap().to_owned();
            cases.push(Case { id, bytes: read(root, name), mapping: mapping.clone() });
        }
    }
    assert!(!cases.is_empty(), "the manifest has no mappings");
    cases
}

/// Checks a file in every way that must not matter and compares each with what is expected.
fn check(name: &str, bytes: &[u8], contract: &Contract, schema: &str, expected: &Value, problems: &mut Vec<String>) {
    let intervals: &[Interval] = match schema {
        "bars" => &[Interval::D1, Interval::M1, Interval::Month],
        "trades" => &[Interval::D1, Interval::M1],
        _ => &[Interval::D1],
    };
    for (threads, piece_bytes) in [(1, 1 << 20), (2, 1 << 20), (2, 1000)] {
        let way = Way { contract: Some(contract), threads, piece_bytes, ..Way::default() };
        let all: Vec<Told> = intervals.iter().map(|&interval| told(bytes, Way { interval, ..way })).collect();
        let mut found = Vec::new();
        compare::report(&all[0], contract, expected, &mut found);
        match schema {
            "transactions" => compare::totals(&all[0].totals, expected, &mut found),
            _ => compare::bars(intervals, &all, schema, expected, &mut found),
        }
        if threads > 1 {
            compare::again(&all[0], contract, intervals[0], &mut found);
        }
        let place = format!("{name} ({threads} threads, pieces of {piece_bytes} bytes)");
        problems.extend(found.into_iter().map(|problem| format!("{place}: {problem}")));
    }
}

fn fail_on(problems: &[String]) {
    assert!(problems.is_empty(), "{} differences:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_mapping_gives_what_is_expected() {
    let Some(root) = corpus() else { return };
    let mut problems = Vec::new();
    for Case { id, bytes, mapping } in cases(&root) {
        let schema = mapping["schema"].as_str().unwrap();
        let expected = read_json(&root, &format!("expected/{id}.json"));
        let raw = contract(&mapping::contract_text(&id, &mapping, &bytes));
        check(&id, &bytes, &raw, schema, &expected, &mut problems);
        if mapping["canonical"].is_object() {
            let mut canonical = read_json(&root, &format!("expected/{id}.canonical.json"));
            compare::fill_from_raw(&mut canonical, &expected);
            let zone = canonical["bar_tz"].as_str().unwrap_or("UTC");
            let text = format!(
                "name = \"{id}-canonical\"\nextends = \"{schema}\"\n[bars]\norder = \"position\"\nzone = \"{zone}\"\n"
            );
            let bytes = read(&root, &format!("canonical/{id}.csv"));
            check(&format!("{id} canonical"), &bytes, &contract(&text), schema, &canonical, &mut problems);
        }
    }
    fail_on(&problems);
}

#[test]
fn every_preset_reads_its_file_as_the_mapping_does() {
    let Some(root) = corpus() else { return };
    let mut problems = Vec::new();
    let cases = cases(&root);
    for (id, preset) in PRESETS {
        // Another corpus of the same form may lack the file.
        let Some(case) = cases.iter().find(|case| case.id == id) else { continue };
        let mut preset_contract = builtin(preset).unwrap_or_else(|| panic!("no preset {preset}")).clone();
        // The reference knows no other order between trades of the same time.
        preset_contract.bars.order = Some(Order::Position);
        let expected = read_json(&root, &format!("expected/{id}.json"));
        let schema = case.mapping["schema"].as_str().unwrap();
        check(&format!("{id} by {preset}"), &case.bytes, &preset_contract, schema, &expected, &mut problems);
    }
    fail_on(&problems);
}
