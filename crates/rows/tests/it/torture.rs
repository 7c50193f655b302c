//! Every file of the torture folder ends in a result or a clear refusal, soon: never a panic, never a hang.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rows::contract::Contract;
use rows::csv::{Dialect, Fields, parse_record, sniff_delimiter};
use rows::table::Table;

use crate::support::{Told, Way, contract, corpus, told};

/// How long one file may take.
const SECONDS_MAX: u64 = 10;

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, into);
        } else {
            into.push(entry);
        }
    }
}

/// Checks on a thread of its own, so that a panic or a hang costs one file and is told with its name.
fn within_limit(bytes: &[u8], contract: Option<Contract>, threads: usize) -> Result<Told, String> {
    let (sender, receiver) = mpsc::channel();
    let bytes = bytes.to_vec();
    std::thread::spawn(move || {
        let way = Way { contract: contract.as_ref(), threads, piece_bytes: 4096, ..Way::default() };
        let _ = sender.send(told(&bytes, way));
    });
    receiver.recv_timeout(Duration::from_secs(SECONDS_MAX)).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => format!("not done after {SECONDS_MAX} s"),
        mpsc::RecvTimeoutError::Disconnected => "it panicked".to_owned(),
    })
}

/// A contract that any row with as many fields as the header is good under, as far as values go.
fn permissive(bytes: &[u8]) -> Contract {
    let mut table: toml::Table = PERMISSIVE.parse().unwrap();
    let columns = table["columns"].as_table_mut().unwrap();
    for name in header(bytes).into_iter().take(20) {
        let mut column = toml::Table::new();
        column.insert("from".into(), name.as_str().into());
        column.insert("type".into(), "text".into());
        column.insert("optional".into(), true.into());
        let known = ["transaction_id", "amount", "currency", "timestamp", "merchant", "status"];
        if !name.is_empty() && !known.contains(&name.as_str()) {
            columns.insert(name, column.into());
        }
    }
    contract(&toml::to_string(&table).unwrap())
}

/// The names of its columns, as far as they can be told without checking it.
fn header(bytes: &[u8]) -> Vec<String> {
    if let Ok(table) = Table::open(Box::new(Cursor::new(bytes.to_vec()))) {
        let readable = (0..table.columns().len()).filter(|column| table.why_not(*column).is_none());
        return readable.map(|column| table.columns()[column].clone()).collect();
    }
    let mut fields = Fields::default();
    let dialect = Dialect::new(sniff_delimiter(bytes), Some(b'"')).unwrap();
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    parse_record(text, 0, &dialect, &mut fields);
    fields.iter().filter_map(|field| String::from_utf8(field.to_vec()).ok()).collect()
}

const PERMISSIVE: &str = r#"
name = "permissive"
kind = "transactions"
[columns]
transaction_id = { line = true }
amount = { const = "1" }
currency = { const = "EUR" }
timestamp = { const = "2026-01-01T00:00:00Z" }
merchant = { const = "anyone" }
status = { const = "completed" }
"#;

/// What must hold for every report.
fn fault(bytes: &[u8], told: &Told) -> Option<String> {
    let report = &told.report;
    if let Some(error) = &report.error {
        let is_lowercase = error.message.chars().next().is_some_and(|first| !first.is_uppercase());
        let is_clear = is_lowercase && !error.message.ends_with('.') && !error.hint.is_empty();
        return (!is_clear).then(|| format!("{error:?} is not clear"));
    }
    let sums: u64 = told.totals.iter().map(|total| total.count).sum();
    if !told.totals.is_empty() && sums != report.good {
        return Some(format!("{} good rows, {sums} in the totals", report.good));
    }
    if report.format != "csv" {
        return None;
    }
    let told_of = report.rows + report.header_lines + report.blank_lines + report.comment_lines;
    let may_break = bytes.contains(&b'"');
    if told_of > report.lines || (told_of < report.lines && !may_break) {
        return Some(format!("{told_of} lines are told of, there are {}: {report:?}", report.lines));
    }
    let is_plain = report.compression == "none" && report.encoding == "utf-8";
    let ended = bytes.last().is_none_or(|last| matches!(last, b'\n' | b'\r'));
    let lines = rows::csv::count_lines(bytes) + u64::from(!ended);
    (is_plain && lines != report.lines).then(|| format!("{lines} lines, and it tells {}", report.lines))
}

#[test]
fn every_file_ends_in_a_report() {
    let Some(root) = corpus() else { return };
    let mut paths = Vec::new();
    files(&root.join("torture"), &mut paths);
    assert!(!paths.is_empty());
    let mut problems = Vec::new();
    let (mut taken, mut completed) = (0, 0);
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        for (contract, threads) in [(None, 1), (Some(permissive(&bytes)), 1), (Some(permissive(&bytes)), 3)] {
            let what = format!("{} ({})", path.display(), contract.as_ref().map_or("no contract", |_| "permissive"));
            match within_limit(&bytes, contract, threads) {
                Ok(told) => {
                    taken += u64::from(told.report.rows > 0);
                    completed += u64::from(told.report.rows > 0 && told.report.error.is_none());
                    problems.extend(fault(&bytes, &told).map(|fault| format!("{what}: {fault}")));
                }
                Err(fault) => problems.push(format!("{what}: {fault}")),
            }
        }
    }
    assert!(problems.is_empty(), "{} of {} files:\n{}", problems.len(), paths.len(), problems.join("\n"));
    assert!(completed > taken / 2 && taken > paths.len() as u64 / 2, "{taken} with rows, {completed} completed");
}

#[test]
fn damaged_zstd_frames_are_refused() {
    let Some(root) = corpus() else { return };
    let folder = root.join("torture/zstd-golden/golden-decompression-errors");
    let mut paths = Vec::new();
    if folder.is_dir() {
        files(&folder, &mut paths);
    }
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        // Under a contract that anything sound is good under, so that it is the damage that is refused.
        let told = within_limit(&bytes, Some(contract(PERMISSIVE)), 1).unwrap();
        assert!(told.report.error.is_some(), "{}: {:?}", path.display(), told.report);
    }
}
