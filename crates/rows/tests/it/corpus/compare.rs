//! What a check told, against what the reference computed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::good;
use crate::support::{Bar, Told, Total};
use rows::contract::Contract;
use rows::csv::{Dialect, Fields, parse_record};
use rows::decimal::{Sum18, Sum36, ratio10};
use rows::report::Report;
use rows::time::Interval;

/// The reference lists so many refused rows.
const LISTED_MAX: usize = 500;

fn same(what: &str, ours: &Value, expected: &Value, problems: &mut Vec<String>) {
    if ours != expected {
        problems.push(format!("{what}: got {}, expected {}", cut(ours), cut(expected)));
    }
}

fn cut(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Lists of equal length are compared item by item, so that one difference does not hide the others.
fn same_list(what: &str, ours: &[Value], expected: &Value, problems: &mut Vec<String>) {
    let Some(expected) = expected.as_array() else { return };
    if ours.len() != expected.len() {
        problems.push(format!("{what}: got {} items, expected {}", ours.len(), expected.len()));
    }
    for (index, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        same(&format!("{what}[{index}]"), ours, expected, problems);
    }
}

/// A canonical result leaves out what is the same as in the raw one.
pub(super) fn fill_from_raw(canonical: &mut Value, raw: &Value) {
    for key in canonical["same_as_raw"].as_array().cloned().unwrap_or_default() {
        let key = key.as_str().unwrap();
        canonical[key] = raw[key].clone();
        let note = format!("{key}_note");
        if canonical[&note].is_null() && !raw[&note].is_null() {
            canonical[&note] = raw[&note].clone();
        }
    }
}

/// The good rows as they were written, folded once more.
pub(super) fn again(told: &Told, contract: &Contract, interval: Interval, problems: &mut Vec<String>) {
    if told.report.error.is_some() {
        return;
    }
    let zone = contract.bars.zone.as_deref().unwrap_or("UTC");
    let again = good::again(told, zone, interval);
    let alike = |report: &Report| json!([report.good, report.error.as_ref().map(|error| &error.message)]);
    same("good rows again", &alike(&again.report), &alike(&told.report), problems);
    if again.bars != told.bars || again.totals != told.totals {
        problems.push("the good rows, checked again, give other bars or totals".to_owned());
    }
}

/// Counts, reasons, oddities and refused rows.
pub(super) fn report(told: &Told, contract: &Contract, expected: &Value, problems: &mut Vec<String>) {
    let (report, summary) = (&told.report, &expected["summary"]);
    if let Some(error) = &report.error {
        problems.push(format!("refused: {}: {}; {}", error.code, error.message, error.hint));
        return;
    }
    same("rows", &json!(report.rows), &summary["rows"], problems);
    same("good", &json!(report.good), &summary["good"], problems);
    same("bad", &json!(report.rejected + report.duplicate), &summary["bad"], problems);
    same("bad_by_reason", &json!(report.reasons), &summary["bad_by_reason"], problems);
    same("bad_by_first_reason", &json!(report.first_reasons), &summary["bad_by_first_reason"], problems);
    same("stats", &json!(report.stats), &summary["stats"], problems);
    if report.format == "csv" {
        let blank_lines = summary["blank_lines"].as_u64().unwrap_or(0);
        same("blank_lines", &json!(report.blank_lines), &json!(blank_lines), problems);
    }
    if let Some(other_lines) = summary["non_message_lines"].as_u64() {
        same("non_message_lines", &json!(report.other_lines), &json!(other_lines), problems);
    }
    let listed = report.rejects.iter().map(|reject| json!({ "line": reject.line, "reasons": reject.reasons }));
    let mut listed: Vec<Value> = listed.collect();
    let all = report.rejected + report.duplicate;
    if (listed.len() as u64) < all && report.format == "csv" && report.encoding == "utf-8" {
        listed = written_rejects(&told.rejects, contract);
        same("written rejects", &json!(listed.len()), &json!(all), problems);
    }
    let mut bad_rows = expected["bad_rows"].clone();
    if let Some(bad_rows) = bad_rows.as_array_mut() {
        bad_rows.truncate(listed.len().min(LISTED_MAX));
    }
    listed.truncate(LISTED_MAX);
    same_list("bad_rows", &listed, &bad_rows, problems);
}

/// Line and reasons of every row of a rejects file.
fn written_rejects(file: &[u8], contract: &Contract) -> Vec<Value> {
    let delimiter = contract.format.delimiter.unwrap_or(',') as u8;
    let quote = contract.format.quote.as_deref().map_or(Some(b'"'), |quote| quote.bytes().next());
    let dialect = Dialect::new(delimiter, quote).unwrap();
    let heading = usize::from(contract.format.header != Some(false)) + contract.format.skip_records.unwrap_or(0);
    let mut fields = Fields::default();
    let (mut at, mut rows) = (0, Vec::new());
    while at < file.len() {
        parse_record(file, at, &dialect, &mut fields);
        at = fields.next();
        let text = |from_end: usize| {
            let field = fields.len().checked_sub(from_end).and_then(|field| fields.get(field));
            String::from_utf8_lossy(field.unwrap_or_default()).into_owned()
        };
        let reasons: Vec<String> = text(2).split(' ').map(str::to_owned).collect();
        rows.push(json!({ "line": text(3).parse::<u64>().ok(), "reasons": reasons }));
    }
    rows.drain(..heading.min(rows.len()));
    rows
}

/// Bars of every interval, and what the reference sums up from them.
pub(super) fn bars(intervals: &[Interval], all: &[Told], schema: &str, expected: &Value, problems: &mut Vec<String>) {
    let summary = &expected["summary"];
    for (interval, told) in intervals.iter().zip(all) {
        let key = format!("bars_{interval}");
        let note = expected[format!("{key}_note")].as_str().unwrap_or_default();
        let ours: Vec<Value> = noted(&told.bars, note).into_iter().map(|bar| row(bar, schema)).collect();
        same_list(&key, &ours, &expected[&key], problems);
        let count = &summary[format!("{key}_count")];
        if !count.is_null() {
            same(&format!("{key}_count"), &json!(told.bars.len()), count, problems);
        }
    }
    let symbols: BTreeSet<&str> = all[0].bars.iter().map(|bar| bar.symbol.as_str()).collect();
    same("symbols", &json!(symbols.len()), &summary["symbols"], problems);
    let mut per_symbol = per_symbol(&all[0].bars, schema);
    per_symbol.truncate(60);
    same_list("per_symbol", &per_symbol, &summary["per_symbol"], problems);
}

/// Those of the bars that the reference lists.
fn noted<'a>(bars: &'a [Bar], note: &str) -> Vec<&'a Bar> {
    if note.starts_with("identity") {
        let last = bars.len().saturating_sub(20);
        return bars.iter().take(100).chain(&bars[last..]).collect();
    }
    if note.is_empty() {
        return bars.iter().collect();
    }
    assert!(note.ends_with("first 1000 bars"), "a note that is not known: {note}");
    let first: BTreeSet<&str> = bars.iter().map(|bar| bar.symbol.as_str()).collect();
    let first: Vec<&str> = first.into_iter().take(4).collect();
    bars.iter().filter(|bar| first.contains(&bar.symbol.as_str())).take(1000).collect()
}

fn row(bar: &Bar, schema: &str) -> Value {
    let mut row = json!({
        "symbol": bar.symbol, "start": bar.start(), "open": bar.open, "high": bar.high, "low": bar.low,
        "close": bar.close, "volume": bar.volume.to_string(),
    });
    if schema == "trades" {
        row["trades"] = json!(bar.count);
        row["notional"] = json!(bar.notional.to_string());
        row["vwap"] = json!(bar.vwap());
    } else {
        row["bars"] = json!(bar.count);
        row["close_vwap"] = json!(bar.vwap());
    }
    row
}

fn per_symbol(bars: &[Bar], schema: &str) -> Vec<Value> {
    let mut sums: BTreeMap<&str, (u64, Sum18, Sum36)> = BTreeMap::new();
    for bar in bars {
        let sum = sums.entry(&bar.symbol).or_insert((0, Sum18::ZERO, Sum36::ZERO));
        sum.0 += bar.count;
        assert!(sum.1.merge(&bar.volume) && sum.2.merge(&bar.notional));
    }
    let row = |(symbol, (rows, volume, notional)): (&str, (u64, Sum18, Sum36))| {
        let mut row = json!({ "symbol": symbol, "rows": rows, "volume": volume.to_string() });
        if schema == "trades" {
            row["vwap"] = json!(ratio10(notional.units(), volume.units()));
        }
        row
    };
    sums.into_iter().map(row).collect()
}

/// Totals, rolled up as the reference does.
pub(super) fn totals(totals: &[Total], expected: &Value, problems: &mut Vec<String>) {
    let summary = &expected["summary"];
    let by = |names: &[&str], limit: usize| {
        let mut sums: BTreeMap<Vec<&str>, (u64, Sum18)> = BTreeMap::new();
        for total in totals {
            let part = |name: &&str| match *name {
                "currency" => total.currency,
                "status" => total.status,
                "merchant" => total.merchant.as_str(),
                _ => total.day.as_str(),
            };
            let sum = sums.entry(names.iter().map(part).collect()).or_insert((0, Sum18::ZERO));
            sum.0 += total.count;
            assert!(sum.1.merge(&total.sum));
        }
        let row = |(key, (count, sum)): (Vec<&str>, (u64, Sum18))| {
            let mut row: Map<String, Value> =
                names.iter().zip(key).map(|(name, part)| ((*name).into(), json!(part))).collect();
            row.insert("count".into(), json!(count));
            row.insert("sum".into(), json!(sum.to_string()));
            Value::Object(row)
        };
        sums.into_iter().map(row).take(limit).collect::<Vec<Value>>()
    };
    same_list(
        "per_currency_status",
        &by(&["currency", "status"], usize::MAX),
        &summary["per_currency_status"],
        problems,
    );
    same_list("per_currency", &by(&["currency"], usize::MAX), &summary["per_currency"], problems);
    same_list("per_merchant", &by(&["merchant", "currency"], 3000), &expected["per_merchant"], problems);
    same_list("per_day", &by(&["day", "currency"], usize::MAX), &expected["per_day"], problems);
    let merchants: BTreeSet<&str> = totals.iter().map(|total| total.merchant.as_str()).collect();
    same("merchants", &json!(merchants.len()), &summary["merchants"], problems);
}
