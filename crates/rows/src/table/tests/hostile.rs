//! Files that are cut short, damaged or lie: each is read or refused, soon and in little memory. Never a panic.

use std::io::Cursor;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Batch, Table, fixture, open, read, refusal, selectable};
use crate::limits::{TABLE_BATCH_BYTES, UNPACKED_BYTES_FREE};
use crate::{Error, Result};

/// Files small enough to damage every byte of.
const SMALL: [&str; 8] = [
    "small.parquet",
    "small-v2.parquet",
    "nested.parquet",
    "decimals.parquet",
    "coloured.arrow",
    "coloured-plain.arrow",
    "kinds-lz4.arrow",
    "deltas.arrow",
];

/// Files with the encodings, codecs and types that the small ones lack.
const MORE: [&str; 8] = [
    "types-v2.parquet",
    "numbers-gzip.parquet",
    "numbers-lz4_v2.parquet",
    "numbers-encodings.parquet",
    "int96.parquet",
    "types-lz4.arrow",
    "numbers-zstd.arrow",
    "kinds.arrow",
];

/// Reads all of a file that may be anything, dropping the rows.
fn drain(bytes: Vec<u8>) -> Result<()> {
    let mut table = Table::open(Box::new(Cursor::new(bytes)))?;
    let columns = selectable(&table);
    table.select(&columns)?;
    let mut batch = Batch::default();
    while table.next(&mut batch)? {
        let slots = 0..columns.len();
        let text: usize =
            slots.map(|slot| (0..batch.rows()).map(|row| batch.cell(row, slot).len()).sum::<usize>()).sum();
        assert!(text <= TABLE_BATCH_BYTES + 32 * 1024 * 1024);
    }
    Ok(())
}

/// Asserts that a file is read or refused, within `patience`.
fn survives(what: &str, bytes: Vec<u8>, patience: Duration) -> bool {
    let start = Instant::now();
    let read = drain(bytes);
    assert!(start.elapsed() < patience, "{what} took {:?}", start.elapsed());
    match read {
        Ok(()) => true,
        Err(Error::Refused(refusal)) => {
            assert!(!refusal.message.is_empty() && !refusal.hint.is_empty(), "{what}: {refusal:?}");
            false
        }
        Err(Error::Io(error)) => panic!("{what}: an I/O error, which would be tried again for ever: {error}"),
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for name in SMALL {
        let whole = fixture(name);
        for length in 0..whole.len() {
            let refusal = refusal(&whole[..length]);
            let codes = ["truncated_parquet", "truncated_arrow", "not_a_table"];
            assert!(codes.contains(&refusal.code), "{name} cut to {length}: {refusal:?}");
        }
    }
}

#[test]
fn any_damaged_byte_is_survived() {
    for name in SMALL {
        let whole = fixture(name);
        let mut refused = 0;
        for place in 0..whole.len() {
            for change in [0xff, 0x01, 0x80, 0x7f] {
                let mut damaged = whole.clone();
                damaged[place] ^= change;
                let what = format!("{name} with byte {place} ^ {change:#x}");
                refused += usize::from(!survives(&what, damaged, Duration::from_secs(10)));
            }
        }
        assert!(refused > whole.len() / 4, "{name}: only {refused} damages were noticed");
    }
}

proptest! {
    #[test]
    fn many_damaged_bytes_are_survived(
        name in prop::sample::select(&MORE[..]),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fixture(name);
        for (place, byte) in &damages {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        survives(&format!("{name} with {damages:?}"), bytes, Duration::from_secs(10));
    }
}

#[test]
fn footers_that_lie_are_refused() {
    for name in ["small.parquet", "coloured.arrow"] {
        let whole = fixture(name);
        let length_at = whole.len() - if name.ends_with("parquet") { 8 } else { 10 };
        for lie in [0, 1, whole.len() as u32, 1 << 24, 1 << 31, u32::MAX] {
            let mut lying = whole.clone();
            lying[length_at..length_at + 4].copy_from_slice(&lie.to_le_bytes());
            let code = refusal(&lying).code;
            assert!(code.starts_with("corrupt_"), "{name}, footer of {lie} bytes: {code}");
        }
    }
}

/// Appends a compact Thrift number.
fn number(value: i64, out: &mut Vec<u8>) {
    let mut rest = (value << 1) as u64 ^ (value >> 63) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A Parquet file of one required column of strings, with these pages and so many rows.
fn parquet(pages: &[u8], rows: i64, values: i64, codec: i64) -> Vec<u8> {
    let mut file = b"PAR1".to_vec();
    file.extend(pages);
    let footer_at = file.len();
    file.extend([0x15, 2, 0x19, 0x2c]);
    file.extend([0x48, 1, b'r', 0x15, 2, 0]);
    file.extend([0x15, 12, 0x25, 0, 0x18, 1, b's', 0]);
    file.push(0x16);
    number(rows, &mut file);
    file.extend([0x19, 0x1c, 0x19, 0x1c, 0x3c, 0x15, 12, 0x19, 0x05, 0x19, 0x18, 1, b's', 0x15]);
    number(codec, &mut file);
    file.push(0x16);
    number(values, &mut file);
    for length in [0, pages.len() as i64] {
        file.push(0x16);
        number(length, &mut file);
    }
    file.push(0x26);
    number(4, &mut file);
    file.extend([0, 0, 0x26]);
    number(rows, &mut file);
    file.extend([0, 0]);
    let length = (file.len() - footer_at) as u32;
    file.extend(length.to_le_bytes());
    file.extend(b"PAR1");
    file
}

/// A page of `kind` (0 data, 2 dictionary) in `encoding`.
fn page(kind: i64, unpacked: i64, body: &[u8], values: i64, encoding: i64) -> Vec<u8> {
    let mut page = vec![0x15];
    number(kind, &mut page);
    page.push(0x15);
    number(unpacked, &mut page);
    page.push(0x15);
    number(body.len() as i64, &mut page);
    page.extend(if kind == 2 { [0x4c, 0x15] } else { [0x2c, 0x15] });
    number(values, &mut page);
    page.push(0x15);
    number(encoding, &mut page);
    page.extend([0x15, 6, 0x15, 6, 0, 0]);
    if kind == 2 {
        page.truncate(page.len() - 6);
        page.extend([0, 0]);
    }
    page.extend(body);
    page
}

#[test]
fn a_file_made_by_hand_is_read() {
    let body = [2, 0, 0, 0, b'h', b'i', 0, 0, 0, 0];
    let texts = read(&parquet(&page(0, 10, &body, 2, 0), 2, 2, 0)).expect("a table");
    assert_eq!(texts.rows, [[b"hi".to_vec()], [b"".to_vec()]]);
}

#[test]
fn lies_about_pages_are_refused_before_memory_is_taken() {
    let body = [2, 0, 0, 0, b'h', b'i'];
    let whole = page(0, 6, &body, 1, 0);
    let huge = 1 << 31;
    let cases = [
        ("more values than rows", parquet(&page(0, 6, &body, 2, 0), 1, 1, 0), "corrupt_parquet"),
        ("negative values", parquet(&page(0, 6, &body, -1, 0), 1, 1, 0), "corrupt_parquet"),
        ("negative size", parquet(&page(0, -6, &body, 1, 0), 1, 1, 0), "corrupt_parquet"),
        ("fewer values than rows", parquet(&whole, 2, 2, 0), "corrupt_parquet"),
        ("rows unlike values", parquet(&whole, 2, 1, 0), "corrupt_parquet"),
        ("a huge page", parquet(&page(0, huge, &body, 1, 0), 1, 1, 1), "parquet_page_too_large"),
        ("a large page that is not", parquet(&page(0, 1 << 25, &body, 1, 0), 1, 1, 6), "corrupt_parquet"),
        ("a huge dictionary", parquet(&page(2, 6, &body, huge, 0), 1, 1, 0), "corrupt_parquet"),
        ("an unknown encoding", parquet(&page(0, 6, &body, 1, 99), 1, 1, 0), "corrupt_parquet"),
        ("an unknown codec", parquet(&whole, 1, 1, 77), "unsupported_parquet"),
        ("no end of rows", parquet(&whole, i64::MAX, i64::MAX, 0), "parquet_expands_too_far"),
        ("negative rows", parquet(&whole, -1, -1, 0), "corrupt_parquet"),
        ("no page", parquet(&[], 1, 1, 0), "corrupt_parquet"),
    ];
    for (what, bytes, code) in cases {
        let refusal = refusal(&bytes);
        assert_eq!(refusal.code, code, "{what}: {refusal:?}");
    }
    let short = parquet(&whole, 1, 1, 0);
    assert!(read(&short).is_ok(), "the cases above differ from a file that is read by one lie each");
}

#[test]
fn empty_pages_without_end_are_refused() {
    let empty = page(0, 0, &[], 0, 0);
    let refusal = refusal(&parquet(&empty.repeat(100_000), 1, 1, 0));
    assert_eq!(refusal.code, "corrupt_parquet", "{refusal:?}");
}

/// A dictionary with one value of `length` bytes, which all `rows` rows refer to.
fn repeated(length: usize, rows: i64) -> Vec<u8> {
    let mut value = (length as u32).to_le_bytes().to_vec();
    value.resize(4 + length, b'x');
    let dictionary = page(2, value.len() as i64, &value, 1, 0);
    let mut run = vec![1];
    let mut count = (rows as u64) << 1;
    while count >= 0x80 {
        run.push(count as u8 | 0x80);
        count >>= 7;
    }
    run.extend([count as u8, 0]);
    let data = page(0, run.len() as i64, &run, rows, 8);
    parquet(&[dictionary, data].concat(), rows, rows, 0)
}

#[test]
fn one_long_value_is_not_copied_for_ever() {
    let few = repeated(60_000, 500);
    let mut table = open(&few).expect("a table");
    table.select(&[0]).expect("selected");
    let mut batch = Batch::default();
    let mut rows = 0;
    while table.next(&mut batch).expect("a batch") {
        assert!(batch.rows() < 500, "a batch of {} long rows", batch.rows());
        assert_eq!(batch.cell(0, 0).len(), 60_000);
        rows += batch.rows();
    }
    assert_eq!(rows, 500);
    let many = repeated(60_000, 50_000_000);
    assert_eq!(refusal_of_drain(many).code, "parquet_expands_too_far");
}

fn refusal_of_drain(bytes: Vec<u8>) -> crate::Refusal {
    match drain(bytes) {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_million_equal_rows_are_no_bomb() {
    let rows = 1_000_000;
    assert!((rows as u64) < UNPACKED_BYTES_FREE);
    assert!(survives("equal rows", repeated(9, rows), Duration::from_secs(20)));
}
