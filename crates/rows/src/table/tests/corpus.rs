//! The Parquet files of others, good and bad, if the corpus is there.

use std::path::PathBuf;

use super::{Error, read};

/// Files that we read otherwise than pyarrow, and why.
const DIFFERENT: [(&str, &str); 2] = [
    ("ARROW-GH-45185.parquet", "its levels are damaged in a list, which is not decoded: rows without columns"),
    ("ARROW-RS-GH-6229-LEVELS.parquet", "the same"),
];

fn corpus() -> Option<PathBuf> {
    let root = match std::env::var_os("MILLRACE_CORPUS") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    root.join("parquet_report.json").exists().then_some(root)
}

/// What the report says of each file: its name, and how many rows pyarrow read, if it did.
fn report(text: &str) -> Vec<(String, Option<usize>)> {
    let mut files = Vec::new();
    let mut pyarrow = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('"').and_then(|line| line.strip_suffix("\": {")) {
            pyarrow = name == "pyarrow";
            if name.contains('/') {
                files.push((name.to_owned(), None));
            }
        }
        let rows = line.strip_prefix("\"rows\": ").and_then(|rows| rows.trim_end_matches(',').parse().ok());
        if let (true, Some(rows), Some(file)) = (pyarrow, rows, files.last_mut()) {
            file.1 = Some(rows);
        }
    }
    files
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that was skipped should say so")]
fn the_files_of_others_are_read_as_pyarrow_reads_them() {
    let Some(root) = corpus() else {
        println!("skipped: no corpus (set MILLRACE_CORPUS)");
        return;
    };
    let report = report(&std::fs::read_to_string(root.join("parquet_report.json")).expect("the report"));
    assert!(report.len() >= 25 && report.iter().any(|(_, rows)| rows.is_some()), "{report:?}");
    let mut different = Vec::new();
    for (name, rows) in report {
        let bytes = std::fs::read(root.join(&name)).expect("a file of the corpus");
        let (got, said) = match read(&bytes) {
            Ok(texts) => (Some(texts.rows.len()), format!("{} columns", texts.names.len())),
            Err(Error::Refused(refusal)) => (None, format!("{}: {}", refusal.code, refusal.message)),
            Err(Error::Io(error)) => panic!("{name}: {error}"),
        };
        println!("{name}: {got:?} rows, {said}");
        if got != rows && !DIFFERENT.iter().any(|(file, _)| name.ends_with(file)) {
            different.push(format!("{name}: {got:?} rows ({said}), pyarrow {rows:?}"));
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}
