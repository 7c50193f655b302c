//! Tables: no number in a file decides how much is allocated, and a table has the rows it says or is refused.

use std::io::Cursor;

use rows::limits::{TABLE_BATCH_BYTES, TABLE_BATCH_ROWS};
use rows::source::Input;
use rows::table::{Batch, Table, is_table};
use rows::time::Interval;
use rows::{Error, Result};

use super::whole::{Way, told};

/// Batches that are read; a few bytes may say that there are more rows than anyone can wait for.
const BATCHES_MAX: usize = 16;

/// A file, or the parts of one: a byte that chooses the format, two that tell the footer's length, footer and body.
pub fn parquet(data: &[u8]) {
    let file = match (is_table(data), data.split_first()) {
        (None, Some((&choice, parts))) => framed(parts, choice & 1 == 0),
        _ => data.to_vec(),
    };
    match read(&file) {
        Ok(rows) if rows < TABLE_BATCH_ROWS as u64 => {
            told(&file, None, Interval::H1, Way::PLAIN);
        }
        Ok(_) => {}
        Err(Error::Refused(refusal)) => assert!(!refusal.message.is_empty()),
        Err(Error::Io(error)) => panic!("memory can always be read: {error}"),
    }
}

/// Reads all columns that have text; answers how many rows there are.
fn read(file: &[u8]) -> Result<u64> {
    let input: Box<dyn Input> = Box::new(Cursor::new(file.to_vec()));
    let mut table = Table::open(input)?;
    let columns: Vec<usize> = (0..table.columns().len()).filter(|&column| table.why_not(column).is_none()).collect();
    table.select(&columns)?;
    let mut batch = Batch::default();
    let mut rows = 0;
    for _ in 0..BATCHES_MAX {
        if !table.next(&mut batch)? {
            assert_eq!(rows, table.rows_declared());
            return Ok(rows);
        }
        assert!((1..=TABLE_BATCH_ROWS).contains(&batch.rows()));
        let texts = (0..batch.rows()).flat_map(|row| (0..columns.len()).map(move |slot| (row, slot)));
        let bytes: usize = texts.map(|(row, slot)| batch.cell(row, slot).len()).sum();
        assert!(bytes <= TABLE_BATCH_BYTES + 32 * 1024 * 1024, "{bytes}");
        rows += batch.rows() as u64;
        assert!(rows <= table.rows_declared());
    }
    Ok(table.rows_declared())
}

/// The file that `parts` stand for.
fn framed(parts: &[u8], is_parquet: bool) -> Vec<u8> {
    let (length, parts) = parts.split_at_checked(2).unwrap_or_default();
    let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
    let (footer, body) = parts.split_at(length.min(parts.len()));
    let (begin, end): (&[u8], &[u8]) = if is_parquet { (b"PAR1", b"PAR1") } else { (b"ARROW1\0\0", b"ARROW1") };
    [begin, body, footer, &(footer.len() as u32).to_le_bytes(), end].concat()
}
