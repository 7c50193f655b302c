//! CSV: both scans and the grammar agree on every record, and a whole check does not hang on how a file was cut.

use rows::contract::{Contract, builtin};
use rows::csv::{Dialect, Fields, Index, Kind, QuoteFault, Records, Unquoted, count_lines, parse_record, unquote};
use rows::scan::Scanner;
use rows::time::Interval;

use super::whole::{TEXT_BYTES_MAX, Way, comes_back, same_in_all};

/// Three bytes choose the dialect, the contract and the cuts; the rest is the text.
pub fn csv(data: &[u8]) {
    let Some((&[dialect_choice, contract_choice, cut], text)) = data.split_first_chunk() else { return };
    let dialect = dialect(dialect_choice);
    for end_of_input in [false, true] {
        check_scan(text, &dialect, end_of_input);
    }
    check_cuts(text, &dialect, usize::from(cut));
    // The scans are so much quicker than a whole check that some inputs are for them alone.
    if contract_choice & 8 == 0 {
        check_whole(&text[..text.len().min(TEXT_BYTES_MAX)], &dialect, contract_choice, cut);
    }
}

fn dialect(choice: u8) -> Dialect {
    let delimiter = [b',', b';', b'\t', b'|', b' ', b'a', b':', 0][usize::from(choice & 7)];
    let quote = [Some(b'"'), None, Some(b'\''), Some(b'b')][usize::from(choice >> 3 & 3)];
    let comment: &[u8] = if choice & 32 != 0 { b"#" } else { b"" };
    let dialect = Dialect::new(delimiter, quote).and_then(|dialect| dialect.with_comment(comment));
    dialect.expect("these bytes go together")
}

/// What a record is, in a form that can be compared: fields as spans of the text.
#[derive(Debug, PartialEq)]
struct Shape {
    kind: Kind,
    start: usize,
    next: usize,
    lines_before: usize,
    fields: Vec<(usize, usize)>,
}

fn shapes(text: &[u8], index: &Index, offset: usize, lines: usize) -> Vec<Shape> {
    let shape = |(number, record): (usize, rows::csv::Record<'_>)| {
        let fields = (0..record.fields()).map(|field| record.field_span(field));
        Shape {
            kind: record.kind(),
            start: offset + record.start(),
            next: offset + record.next(),
            lines_before: lines + index.line_ends_before(number),
            fields: fields.map(|(start, end)| (offset + start, offset + end)).collect(),
        }
    };
    Records::new(text, index).enumerate().map(shape).collect()
}

fn check_scan(text: &[u8], dialect: &Dialect, end_of_input: bool) {
    let mut fast = Index::default();
    let complete = Scanner::new(dialect.clone()).scan(text, end_of_input, &mut fast);
    let found = shapes(text, &fast, 0, 0);
    for twin in Scanner::twins(dialect) {
        let mut other = Index::default();
        assert_eq!(twin.scan(text, end_of_input, &mut other), complete);
        assert_eq!((fast.has_quote(), fast.has_nul()), (other.has_quote(), other.has_nul()));
        assert_eq!(fast.has_high(), other.has_high());
        assert_eq!(found, shapes(text, &other, 0, 0));
    }
    assert!(!end_of_input || complete == text.len());
    assert_eq!(found.last().map_or(0, |last| last.next), complete);
    let whole = &text[..complete];
    assert!(fast.has_nul() || !whole.contains(&0));
    assert!(fast.has_high() || whole.is_ascii());
    let is_open = found.last().is_some_and(|last| last.fields.last().is_some_and(|&(_, end)| end == complete));
    assert_eq!(fast.line_ends_before(fast.len()) as u64, count_lines(whole) + u64::from(is_open));
    let mut fields = Fields::default();
    for (number, shape) in found.iter().enumerate() {
        check_record(text, shape, dialect, &mut fields);
        let again = fast.record(text, number).expect("as many as there are");
        assert_eq!((again.start(), again.next(), again.kind()), (shape.start, shape.next, shape.kind));
    }
}

/// The record as the grammar reads it, byte by byte.
fn check_record(text: &[u8], shape: &Shape, dialect: &Dialect, fields: &mut Fields) {
    if shape.kind == Kind::Comment {
        assert!(text[shape.start..].starts_with(dialect.comment()) && shape.fields.len() == 1);
        return;
    }
    parse_record(text, shape.start, dialect, fields);
    assert_eq!((fields.next(), fields.len()), (shape.next, shape.fields.len()), "{shape:?}");
    assert_eq!(fields.is_blank(), shape.kind == Kind::Blank, "{shape:?}");
    if shape.kind == Kind::Irregular {
        return;
    }
    assert_eq!(fields.fault(), None::<QuoteFault>, "{shape:?}");
    let mut copied = Vec::new();
    for (field, &(start, end)) in fields.iter().zip(&shape.fields) {
        let raw = &text[start..end];
        let read = match dialect.quote() {
            Some(quote) if raw.first() == Some(&quote) => match unquote(raw, quote, &mut copied) {
                Unquoted::Inner => &raw[1..raw.len() - 1],
                Unquoted::Copied => copied.as_slice(),
            },
            _ => raw,
        };
        assert_eq!(read, field, "{shape:?}");
    }
}

/// The records are the same when the text comes in three buffers.
fn check_cuts(text: &[u8], dialect: &Dialect, cut: usize) {
    let scanner = Scanner::new(dialect.clone());
    let mut index = Index::default();
    scanner.scan(text, true, &mut index);
    let expected = shapes(text, &index, 0, 0);
    let first = cut % (text.len() + 1);
    let second = first + (cut * 7) % (text.len() - first + 1);
    let (mut found, mut start, mut lines) = (Vec::new(), 0, 0);
    for end in [first, second, text.len()] {
        let buffer = &text[start..end];
        let complete = scanner.scan(buffer, end == text.len(), &mut index);
        found.extend(shapes(buffer, &index, start, lines));
        lines += index.line_ends_before(index.len());
        start += complete;
    }
    assert_eq!(found, expected);
}

/// The header, or the text's own, and the text as rows below it.
fn check_whole(text: &[u8], dialect: &Dialect, choice: u8, cut: u8) {
    let (name, header, interval) = match choice & 3 {
        0 => ("trades", "symbol,price,volume,timestamp,sequence,trade_id\n", Interval::M1),
        1 => ("bars", "timestamp,symbol,open,high,low,close,volume\n", Interval::Month),
        2 => ("transactions", "transaction_id,amount,currency,timestamp,merchant,status\n", Interval::D1),
        _ => {
            let chopped = Way { read_bytes: 1 + usize::from(cut), ..Way::PLAIN };
            same_in_all(text, None, Interval::S1, &[chopped]);
            return;
        }
    };
    let mut contract: Contract = builtin(name).expect("one of ours").clone();
    contract.format.delimiter = Some(char::from(dialect.delimiter()));
    contract.format.quote = Some(dialect.quote().map(char::from).map_or_else(String::new, String::from));
    contract.format.comment = Some(String::from_utf8_lossy(dialect.comment()).into_owned());
    contract.format.trim = (choice & 4 != 0).then_some(true);
    let header = header.replace(',', &char::from(dialect.delimiter()).to_string());
    let file = [header.as_bytes(), text].concat();
    let chopped = Way { read_bytes: 1 + usize::from(cut), piece_bytes: 256, ..Way::PLAIN };
    let side_by_side = Way { piece_bytes: 512, threads: 2, ..Way::PLAIN };
    let ways = [chopped, chopped.short_of_memory(name == "transactions"), side_by_side];
    let told = same_in_all(&file, Some(&contract), interval, &[ways[usize::from(cut % 3)]]);
    // The report's own columns have letters in their names.
    if !dialect.delimiter().is_ascii_alphabetic() {
        comes_back(&told, &contract, interval);
    }
}
