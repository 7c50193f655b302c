//! Tables at their boundary: files that pyarrow wrote (see `fixtures/generate.py`), whole, cut short and damaged.

mod corpus;
mod hostile;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::{Batch, Table, TableKind, is_table};
use crate::limits::TABLE_BATCH_ROWS;
use crate::{Error, Refusal, Result};

/// A file as a table of texts.
#[derive(Debug, PartialEq, Eq)]
struct Texts {
    names: Vec<String>,
    rows: Vec<Vec<Vec<u8>>>,
}

fn open(bytes: &[u8]) -> Result<Table> {
    Table::open(Box::new(Cursor::new(bytes.to_vec())))
}

fn selectable(table: &Table) -> Vec<usize> {
    (0..table.columns().len()).filter(|&column| table.why_not(column).is_none()).collect()
}

/// Reads all columns that have a text, and checks what must hold of any file that is read.
fn read(bytes: &[u8]) -> Result<Texts> {
    let mut table = open(bytes)?;
    let columns = selectable(&table);
    table.select(&columns)?;
    let names = columns.iter().map(|&column| table.columns()[column].clone()).collect();
    let mut rows = Vec::new();
    let mut batch = Batch::default();
    while table.next(&mut batch)? {
        assert!(batch.rows() > 0 && batch.rows() <= TABLE_BATCH_ROWS);
        for row in 0..batch.rows() {
            rows.push((0..columns.len()).map(|slot| batch.cell(row, slot).to_vec()).collect());
        }
    }
    assert_eq!(rows.len() as u64, table.rows_declared());
    assert!(!table.next(&mut batch)?, "the end stays the end");
    Ok(Texts { names, rows })
}

fn refusal(bytes: &[u8]) -> Refusal {
    match read(bytes) {
        Err(Error::Refused(refusal)) => refusal,
        Err(Error::Io(error)) => panic!("an I/O error: {error}"),
        Ok(_) => panic!("it was read"),
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/table/tests/fixtures")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).expect("a fixture")
}

fn expected(name: &str) -> Texts {
    let text = fixture(name);
    let mut lines = text.strip_suffix(b"\n").expect("a last line").split(|&byte| byte == b'\n');
    let cells = |line: &[u8]| line.split(|&byte| byte == 0x1f).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let names = cells(lines.next().expect("names"));
    Texts {
        names: names.into_iter().map(|name| String::from_utf8(name).expect("a name")).collect(),
        rows: lines.map(cells).collect(),
    }
}

#[test]
fn every_fixture_is_read_as_pyarrow_reads_it() {
    let mut files = 0;
    for entry in std::fs::read_dir(fixtures()).expect("fixtures") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        let stem = name.split(['-', '.']).next().unwrap_or_default();
        if !name.ends_with(".parquet") && !name.ends_with(".arrow") || ["brotli", "version1"].contains(&stem) {
            continue;
        }
        let got = read(&fixture(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = expected(&format!("{stem}.txt"));
        assert_eq!(got.names, expected.names, "{name}");
        assert_eq!(got.rows.len(), expected.rows.len(), "{name}");
        for (row, (got, expected)) in got.rows.iter().zip(&expected.rows).enumerate() {
            for (slot, (got, expected)) in got.iter().zip(expected).enumerate() {
                let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
                assert_eq!(shown(got), shown(expected), "{name}, row {row}, {}", expected_name(&name, slot));
                assert_eq!(got, expected, "{name}, row {row}, slot {slot}");
            }
        }
        files += 1;
    }
    assert!(files >= 25, "only {files} fixtures");
}

fn expected_name(file: &str, slot: usize) -> String {
    let stem = file.split(['-', '.']).next().unwrap_or_default();
    expected(&format!("{stem}.txt")).names[slot].clone()
}

#[test]
fn columns_are_chosen_in_any_order_and_more_than_once() {
    for name in ["numbers-gzip.parquet", "numbers.arrow"] {
        let expected = expected("numbers.txt");
        let mut table = open(&fixture(name)).expect("a table");
        assert_eq!(table.rows_declared(), 600);
        let chosen = [5, 0, 5];
        for _ in 0..2 {
            table.select(&chosen).expect("selected");
            let mut batch = Batch::default();
            let mut row = 0;
            while table.next(&mut batch).expect("a batch") {
                for index in 0..batch.rows() {
                    for (slot, column) in chosen.into_iter().enumerate() {
                        assert_eq!(batch.cell(index, slot), expected.rows[row][column], "{name}, row {row}");
                    }
                    row += 1;
                }
            }
            assert_eq!(row, 600);
        }
        table.select(&[]).expect("selected");
        let mut batch = Batch::default();
        let mut rows = 0;
        while table.next(&mut batch).expect("a batch") {
            rows += batch.rows();
        }
        assert_eq!(rows, 600, "{name}");
    }
}

#[test]
fn what_is_in_a_list_or_map_is_named_but_not_chosen() {
    for (name, list) in [("nested.parquet", "tags.list.element"), ("nested.arrow", "tags.item")] {
        let mut table = open(&fixture(name)).expect("a table");
        let place = table.columns().iter().position(|column| column == list);
        let place = place.unwrap_or_else(|| panic!("{name}: {:?}", table.columns()));
        let Err(Error::Refused(refusal)) = table.select(&[place]) else { panic!("a list was chosen") };
        assert!(refusal.code.starts_with("unsupported_") && refusal.message.contains(list), "{refusal:?}");
        assert!(table.select(&[99]).is_err());
    }
}

#[test]
fn tables_are_known_by_their_first_bytes() {
    assert_eq!(is_table(&fixture("small.parquet")), Some(TableKind::Parquet));
    assert_eq!(is_table(&fixture("coloured.arrow")), Some(TableKind::Arrow));
    assert_eq!(is_table(b"PAR1"), Some(TableKind::Parquet));
    for text in ["", "PAR", "PAR1,PAR2\r\n1,2\r\n", "ARROW1;x\n", "symbol,price\n"] {
        assert_eq!(is_table(text.as_bytes()), None, "{text}");
    }
    assert_eq!((TableKind::Parquet.name(), TableKind::Arrow.name()), ("parquet", "arrow"));
}

#[test]
fn files_of_other_kinds_are_refused_by_name() {
    let encrypted = [b"PARE", &[0; 20][..], b"PARE"].concat();
    let cases = [
        (fixture("brotli.parquet"), "unsupported_parquet", "brotli"),
        (fixture("version1.arrow"), "unsupported_arrow", "version 1"),
        (encrypted, "encrypted_parquet", "encrypted"),
        (b"symbol,price\n".to_vec(), "not_a_table", "parquet"),
        (b"PAR1".to_vec(), "truncated_parquet", "4 bytes"),
        (b"ARROW1".to_vec(), "truncated_arrow", "6 bytes"),
    ];
    for (bytes, code, said) in cases {
        let refusal = refusal(&bytes);
        assert_eq!(refusal.code, code);
        assert!(refusal.message.contains(said) && !refusal.hint.is_empty(), "{refusal:?}");
    }
}
