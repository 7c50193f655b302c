//! Files that nobody here wrote, with what other readers make of them. They stay where `MILLRACE_CORPUS` says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn corpus(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("MILLRACE_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: {what}: MILLRACE_CORPUS is not set");
    }
    folder
}

fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn strings(fields: &[Vec<u8>]) -> Vec<String> {
    fields.iter().map(|field| String::from_utf8(field.clone()).expect("the suite is UTF-8")).collect()
}

/// The one value of the suite that is not the same in its CSV and its JSON: file, column, and what the two say.
const CONTRADICTS_ITSELF: (&str, &str, &str, &str) =
    ("location_coordinates", "Contact Phone Number", "2095257564", "1234567890");

#[test]
fn csv_spectrum_is_read_as_its_authors_meant() {
    let Some(folder) = corpus("csv-spectrum") else { return };
    let folder = folder.join("torture/csv-spectrum");
    let mut files = 0;
    for entry in fs::read_dir(folder.join("csvs")).expect("the suite is in the corpus") {
        let path = entry.expect("a readable folder").path();
        let mut text = fs::read(&path).expect("a readable file");
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        if name.ends_with("_crlf") && !text.contains(&b'\r') {
            // The corpus' copies of these lost on their way what they are named for, and what their JSON has.
            text = String::from_utf8(text).expect("the suite is UTF-8").replace('\n', "\r\n").into_bytes();
        }
        let dialect = Dialect::default();
        check(&text, &dialect, &[7]);
        let mut rows = seen(&text, &scan_all(&text, &Scanner::new(dialect.clone())), &dialect)
            .into_iter()
            .filter(|record| record.kind != Kind::Blank)
            .map(|record| strings(&record.fields));
        let header = rows.next().expect("a header");
        let objects = rows.map(|row| header.iter().cloned().zip(row.into_iter().map(Value::from)).collect());
        let mut found: Vec<Value> = objects.collect();
        let mut expected = match json(&folder.join("json").join(format!("{name}.json"))) {
            Value::Array(rows) => rows,
            one => vec![one],
        };
        if name == CONTRADICTS_ITSELF.0 {
            let (_, column, in_csv, in_json) = CONTRADICTS_ITSELF;
            assert_eq!(found[0][column].take(), in_csv);
            assert_eq!(expected[0][column].take(), in_json);
        }
        assert_eq!(found, expected, "{name}");
        files += 1;
    }
    assert!(files >= 12, "only {files} files");
}

/// The first fault of each record, as the report names it.
fn fault_name(fault: QuoteFault) -> &'static str {
    match fault {
        QuoteFault::Bad => "bad_quote",
        QuoteFault::Unterminated => "unterminated_quote",
    }
}

fn summary(records: &[Seen]) -> Value {
    let (mut counts, mut errors) = (BTreeMap::<usize, u64>::new(), serde_json::Map::new());
    let (mut blank_lines, mut rows) = (0, 0);
    for record in records {
        if record.kind == Kind::Blank {
            blank_lines += 1;
            continue;
        }
        rows += 1;
        *counts.entry(record.fields.len()).or_default() += 1;
        if let Some(fault) = record.fault {
            let count = errors.get(fault_name(fault)).and_then(Value::as_u64).unwrap_or(0);
            errors.insert(fault_name(fault).to_owned(), Value::from(count + 1));
        }
    }
    let counts = counts.into_iter().take(12).map(|(fields, rows)| (fields.to_string(), Value::from(rows))).collect();
    serde_json::json!({
        "records": rows,
        "blank_lines": blank_lines,
        "field_counts": Value::Object(counts),
        "errors": Value::Object(errors),
    })
}

#[test]
fn torture_files_have_the_records_and_fields_that_the_reference_reader_found() {
    let Some(folder) = corpus("parse report") else { return };
    let report = json(&folder.join("parse_report.json"));
    let mut files = 0;
    for (name, facts) in report.as_object().expect("files by name") {
        let plain = facts["compression"].is_null() && !facts["bom"].as_str().unwrap_or_default().starts_with("utf-16");
        if !plain || facts["rfc4180"].is_null() {
            continue;
        }
        let text = fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let delimiter = facts["delimiter_used_here"].as_str().expect("a delimiter").as_bytes()[0];
        let dialect = Dialect::new(delimiter, Some(b'"')).expect("sound");
        let records = seen(text, &scan_all(text, &Scanner::new(dialect.clone())), &dialect);
        assert_eq!(summary(&records), facts["rfc4180"], "{name}");
        assert_eq!(seen_in_parts(text, &Scanner::new(dialect), &[4099.max(text.len() / 8)]), records, "{name}");
        files += 1;
    }
    assert!(files >= 30, "only {files} files");
}
