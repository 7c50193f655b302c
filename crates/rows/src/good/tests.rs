//! Any rows, cut in any way, on any number of threads, come back as they were, from the same bytes.

use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::columns::Layout;
use super::footer::{Chunk, Footer, GroupEntry, Origin};
use super::{Known, Reader, Row, Sinks};
use crate::check::{BarLine, Options, TotalKey, TotalLine, check};
use crate::contract::{Contract, Kind};
use crate::fold::{BarFold, Settings, TotalFold};
use crate::ids::Ids;
use crate::limits::{GOOD_GROUP_ROWS_MAX, GOOD_GROUPS_MAX, GOOD_PAGE_BYTES_MAX, PARQUET_FOOTER_BYTES_MAX};
use crate::plan::Plan;
use crate::report::Report;
use crate::source::{MemoryScratch, Scratch};
use crate::time::Interval;

/// A sink that is still there after the check.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

struct Written {
    report: Report,
    parquet: Vec<u8>,
    csv: Vec<u8>,
    ids: Vec<u8>,
}

struct Way {
    threads: usize,
    piece_bytes: usize,
    memory: usize,
}

const PLAIN: Way = Way { threads: 1, piece_bytes: 1 << 18, memory: 1 << 28 };

fn written<'k>(input: &[u8], contract: Option<&'k Contract>, known: Option<&'k mut dyn Known>, way: &Way) -> Written {
    let (parquet, csv) = (Sink::default(), Sink::default());
    let options = Options {
        contract,
        threads: way.threads,
        piece_bytes: way.piece_bytes,
        memory: way.memory,
        good: Some(Sinks { parquet: Box::new(parquet.clone()), csv: Some(Box::new(csv.clone())) }),
        known,
        ..Options::default()
    };
    let is_asked = options.known.is_some();
    let mut checked =
        check(Box::new(Cursor::new(input.to_vec())), options, &mut || Ok(Box::new(MemoryScratch::default()))).unwrap();
    let mut ids = Vec::new();
    if is_asked {
        checked.write_ids(way.threads, &mut ids).unwrap();
    }
    Written { report: checked.report, parquet: parquet.bytes(), csv: csv.bytes(), ids }
}

fn reader(parquet: &[u8]) -> Reader {
    Reader::open(Box::new(Cursor::new(parquet.to_vec()))).unwrap()
}

/// Each row as text.
fn rows(parquet: &[u8]) -> Vec<String> {
    let mut reader = reader(parquet);
    let mut rows = Vec::new();
    reader
        .rows_between(None, None, |number, row| {
            assert_eq!(number, rows.len() as u64);
            rows.push(shown(row));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(rows.len() as u64, reader.rows());
    rows
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn shown(row: Row<'_>) -> String {
    match row {
        Row::Trade { symbol, time, price, volume, sequence, trade_id } => {
            let id = trade_id.map(text);
            format!("{}|{time}|{price}|{volume}|{sequence:?}|{id:?}", text(symbol))
        }
        Row::Bar { symbol, time, prices: [open, high, low, close], volume, sequence } => {
            format!("{}|{time}|{open}|{high}|{low}|{close}|{volume}|{sequence:?}", text(symbol))
        }
        Row::Transaction { id, time, amount, currency, merchant, status, line } => {
            format!("{}|{time}|{amount}|{currency}|{}|{status}|{line}", text(id), text(merchant))
        }
    }
}

/// Rows of a generated file, and what reading them back must show.
#[derive(Debug, Clone)]
struct File {
    csv: String,
    contract: String,
    shown: Vec<String>,
}

const LETTERS: [&str; 5] = ["A", "BTC-USD", "ÄÖ 1234567890123456789", "a,b\"c", "x"];

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![0i64..4_000_000_000_000_000_000, 1_700_000_000_000_000_000i64..1_700_000_100_000_000_000]
}

/// Positive numbers as they are shown: narrow ones, wide ones for their size, and wide ones for their decimals.
fn number(wide: bool) -> BoxedStrategy<String> {
    let narrow = prop_oneof!["[1-9][0-9]{0,3}\\.[0-9]{0,3}[1-9]", "[1-9][0-9]{0,8}", "0\\.0{0,7}[1-9]"];
    let large =
        prop_oneof![9 => narrow.clone(), 1 => prop_oneof!["[1-9][0-9]{9,19}", "[1-9][0-9]{0,5}\\.[0-9]{9,16}[1-9]"]];
    if wide { large.boxed() } else { narrow.boxed() }
}

type Line = (usize, i64, String, String, u64);

fn lines() -> impl Strategy<Value = Vec<Line>> {
    any::<(bool, bool)>().prop_flat_map(|(first, second)| {
        let line = (0..LETTERS.len(), time(), number(first), number(second), any::<u64>());
        prop::collection::vec(line, 0..120)
    })
}

fn quoted(text: &str) -> String {
    let mut quoted = Vec::new();
    crate::csv::write_field(text.as_bytes(), b',', &mut quoted);
    String::from_utf8(quoted).unwrap()
}

fn at(time: i64) -> String {
    crate::time::rfc3339(time)
}

fn trades(lines: &[Line], order: &str) -> File {
    let mut csv = "symbol,price,volume,timestamp,sequence,trade_id\n".to_owned();
    let mut shown = Vec::new();
    for (letter, time, price, volume, sequence) in lines {
        let (symbol, id) = (LETTERS[*letter], sequence % 1000);
        csv.push_str(&format!("{},{price},{volume},{},{sequence},{id}\n", quoted(symbol), at(*time)));
        let ordered = match order {
            "sequence" => Some(*sequence),
            "trade_id" => Some(id),
            _ => None,
        };
        shown.push(format!("{symbol}|{time}|{price}|{volume}|{ordered:?}|{:?}", Some(id.to_string())));
    }
    let columns = "[columns]\nsequence = { from = \"sequence\" }\ntrade_id = { from = \"trade_id\" }\n";
    let contract = format!("name = \"own\"\nextends = \"trades\"\n{columns}[bars]\norder = \"{order}\"\n");
    File { csv, contract, shown }
}

fn bars(lines: &[Line]) -> File {
    let mut csv = "symbol,timestamp,open,high,low,close,volume\n".to_owned();
    let mut shown = Vec::new();
    for (letter, time, price, volume, _) in lines {
        let symbol = LETTERS[*letter];
        csv.push_str(&format!("{},{},{price},{price},{price},{price},{volume}\n", quoted(symbol), at(*time)));
        shown.push(format!("{symbol}|{time}|{price}|{price}|{price}|{price}|{volume}|None"));
    }
    File { csv, contract: "name = \"own\"\nextends = \"bars\"\n".into(), shown }
}

fn transactions(lines: &[Line]) -> File {
    let mut csv = "transaction_id,amount,currency,timestamp,merchant,status\n".to_owned();
    let (mut shown, mut seen) = (Vec::new(), std::collections::HashSet::new());
    for (row, (letter, time, amount, _, number)) in lines.iter().enumerate() {
        // Few ids, so that some come again.
        let (merchant, id) = (LETTERS[*letter], format!("id {}", number % 100));
        let (sign, currency) = (["", "-"][(*number % 2) as usize], ["EUR", "JPY", "CHF"][(*number % 3) as usize]);
        let status = ["completed", "failed", "pending"][(*number / 7 % 3) as usize];
        csv.push_str(&format!("{id},{sign}{amount},{currency},{},{},{status}\n", at(*time), quoted(merchant)));
        if seen.insert(id.clone()) {
            shown.push(format!("{id}|{time}|{sign}{amount}|{currency}|{merchant}|{status}|{}", row + 2));
        }
    }
    File { csv, contract: "name = \"own\"\nextends = \"transactions\"\n".into(), shown }
}

fn files() -> impl Strategy<Value = File> {
    (lines(), 0..5).prop_map(|(lines, kind)| match kind {
        0 => trades(&lines, "position"),
        1 => trades(&lines, "sequence"),
        2 => trades(&lines, "trade_id"),
        3 => bars(&lines),
        _ => transactions(&lines),
    })
}

/// Bars and totals as text, from a check and from batches that were read back.
fn folded(csv: &[u8], contract: &Contract, parquet: &[u8]) -> [String; 2] {
    let options =
        Options { contract: Some(contract), interval: Some(Interval::M1), totals: true, ..Options::default() };
    let mut scratch = || Ok(Box::new(MemoryScratch::default()) as Box<dyn Scratch>);
    let mut checked = check(Box::new(Cursor::new(csv.to_vec())), options, &mut scratch).unwrap();
    let mut first = String::new();
    let add_bar = |text: &mut String, symbol: &[u8], start: i64, line: &BarLine| {
        text.push_str(&format!("{symbol:?} {start} {:?}\n", line.bar()));
        Ok(())
    };
    let add_total = |text: &mut String, key: TotalKey<'_>, line: &TotalLine| {
        text.push_str(&format!("{key:?} {:?}\n", line.total()));
        Ok(())
    };
    checked.bars(|symbol, start, line| add_bar(&mut first, symbol, start, line)).unwrap();
    checked.totals(|key, line| add_total(&mut first, key, line)).unwrap();
    let mut again = String::new();
    let plan = Plan::new(contract, |_| true).unwrap();
    let settings = Settings { interval: Some(Interval::M1), totals: true, memory: 1 << 26, input_bytes: 0 };
    let mut reader = reader(parquet);
    if plan.kind == Kind::Transactions {
        let mut fold = TotalFold::new(&plan, &settings, None, &mut scratch).unwrap();
        reader.batches(&mut |batch| fold.add(batch)).unwrap();
        fold.finish(|key, line| add_total(&mut again, key, line)).unwrap();
    } else {
        let mut fold = BarFold::new(&plan, &settings, &mut scratch).unwrap();
        reader.batches(&mut |batch| fold.add(batch)).unwrap();
        fold.finish(|symbol, start, line| add_bar(&mut again, symbol, start, line)).unwrap();
    }
    [first, again]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn rows_come_back_however_the_file_was_cut(file in files(), piece_bytes in 64usize..2000, threads in 1usize..4) {
        let contract = Contract::parse(&file.contract).unwrap();
        let first = written(file.csv.as_bytes(), Some(&contract), None, &PLAIN);
        prop_assert_eq!(first.report.error.as_ref(), None);
        prop_assert_eq!(first.report.rejected, 0, "{:?}", first.report.rejects);
        prop_assert_eq!(rows(&first.parquet), file.shown.clone());
        // So little memory that names are forgotten and groups put aside.
        let way = Way { threads, piece_bytes, memory: 160 * 1024 };
        let other = written(file.csv.as_bytes(), Some(&contract), None, &way);
        prop_assert_eq!(&other.parquet, &first.parquet);
        prop_assert_eq!(&other.csv, &first.csv);
        let [checked, again] = folded(file.csv.as_bytes(), &contract, &first.parquet);
        prop_assert_eq!(checked, again);
    }

    #[test]
    fn damage_is_an_error_or_makes_no_difference_to_rows(
        file in files(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let contract = Contract::parse(&file.contract).unwrap();
        let whole = written(file.csv.as_bytes(), Some(&contract), None, &PLAIN).parquet;
        prop_assert!(Reader::open(Box::new(Cursor::new(whole[..cut.index(whole.len())].to_vec()))).is_err());
        let mut damaged = whole.clone();
        flips.iter().for_each(|(place, bits)| damaged[place.index(whole.len())] ^= bits);
        let Ok(mut reader) = Reader::open(Box::new(Cursor::new(damaged))) else { return Ok(()) };
        let mut found = Vec::new();
        let read = reader.rows_between(None, None, |_, row| {
            found.push(shown(row));
            ControlFlow::Continue(())
        });
        let batches = reader.batches(&mut |_| Ok(()));
        if read.is_ok() {
            prop_assert!(batches.is_ok());
            prop_assert_eq!(found, file.shown);
        }
    }
}

fn many(count: usize, line: impl Fn(usize) -> String) -> String {
    let mut csv = "symbol,price,volume,timestamp\n".to_owned();
    (0..count).for_each(|row| csv.push_str(&line(row)));
    csv
}

#[test]
fn a_wide_number_behind_many_narrow_ones_changes_none() {
    let count = 2 * GOOD_GROUP_ROWS_MAX + 5;
    // Volumes that all differ, prices that come again, and one wide number of either at the end.
    let time = |row: usize| at(1_700_000_000_000_000_000 + row as i64 * 1_000_003);
    let line = |row: usize| format!("S{},{}.25,{}.000000001,{}\n", row % 7, row % 50 + 1, row, time(row));
    let narrow = many(count, line);
    let wide = format!("{narrow}W,1000000000,0.0000000000000001,{}\n", time(count));
    let (narrow, wide) = (written(narrow.as_bytes(), None, None, &PLAIN), written(wide.as_bytes(), None, None, &PLAIN));
    let (narrow_rows, wide_rows) = (rows(&narrow.parquet), rows(&wide.parquet));
    assert_eq!((narrow_rows.len(), wide_rows.len()), (count, count + 1));
    assert_eq!(narrow_rows[..], wide_rows[..count]);
    assert!(wide_rows[count].contains("|1000000000|0.0000000000000001|"), "{}", wide_rows[count]);
    let mut reader = reader(&wide.parquet);
    // Only groups with a time in the span are read.
    let mut numbers = Vec::new();
    let from = 1_700_000_000_000_000_000 + (count as i64 - 1) * 1_000_003;
    let read = reader.rows_between(Some(from), None, |number, _| {
        numbers.push(number);
        ControlFlow::Continue(())
    });
    read.unwrap();
    assert_eq!(numbers, (2 * GOOD_GROUP_ROWS_MAX as u64..=count as u64).collect::<Vec<_>>());
    let mut seen = 0;
    reader.rows_between(None, Some(1_700_000_000_000_000_000), |_, _| panic!("nothing is so early")).unwrap();
    let first_only = |number: u64, _: Row<'_>| {
        seen = number;
        if number == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    reader.rows_between(None, None, first_only).unwrap();
    assert_eq!(seen, 2);
    // from a number on: within a group, at the start of one, the last row, and behind it
    let group = GOOD_GROUP_ROWS_MAX as u64;
    for from in [0, group - 1, group, group + 1, 2 * group, count as u64, count as u64 + 1] {
        let mut found = Vec::new();
        let read = reader.rows_behind(from, |number, row| {
            found.push((number, shown(row)));
            if found.len() < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        read.unwrap();
        let expected = (from..=count as u64).take(3).map(|number| (number, wide_rows[number as usize].clone()));
        assert!(found.iter().map(|(number, _)| *number).eq(expected.clone().map(|(number, _)| number)), "from {from}");
        assert!(found.iter().zip(expected).all(|((_, row), (_, known))| known.ends_with(row.as_str())), "from {from}");
    }
}

#[test]
fn long_texts_end_a_row_group_early() {
    let mut csv = "transaction_id,amount,currency,timestamp,merchant,status\n".to_owned();
    for row in 0..400 {
        let id = format!("{row}{}", "x".repeat(60_000));
        csv.push_str(&format!("{id},1,EUR,2026-01-31T12:00:00Z,M{},completed\n", row % 3));
    }
    let first = written(csv.as_bytes(), None, None, &PLAIN);
    let other = written(csv.as_bytes(), None, None, &Way { threads: 3, piece_bytes: 70_000, memory: 1 << 28 });
    assert_eq!(rows(&first.parquet).len(), 400);
    assert!(first.parquet == other.parquet, "the same rows are other bytes");
}

#[test]
fn a_file_without_rows_is_a_file() {
    let written = written(b"symbol,price,volume,timestamp\n", None, None, &PLAIN);
    assert_eq!(rows(&written.parquet), [""; 0]);
    assert_eq!((reader(&written.parquet).kind(), reader(&written.parquet).rows()), (Kind::Trades, 0));
    assert_eq!(written.csv, b"");
}

/// Ids that an earlier file took, and those that this one does.
struct Earlier {
    ids: Vec<u128>,
    taken: Arc<Mutex<Vec<u128>>>,
}

impl Known for Earlier {
    fn known(&mut self, ids: &[u128], known: &mut Vec<bool>) -> std::io::Result<()> {
        known.clear();
        known.extend(ids.iter().map(|id| self.ids.contains(id)));
        Ok(())
    }

    fn taken(&mut self, ids: &[u128]) -> std::io::Result<()> {
        self.taken.lock().unwrap().extend_from_slice(ids);
        Ok(())
    }
}

#[test]
fn ids_of_earlier_files_are_repeats() {
    let row = |id: &str, amount: &str| format!("{id},{amount},EUR,2026-01-31T12:00:00Z,Kiosk,completed\n");
    // `old` is refused for its amount as well; `bad` is refused, and so takes its id from nobody but this file.
    let rows_of = [row("a", "1"), row("old", "2"), row("b", "3"), row("old", "x"), row("bad", "y"), row("b", "4")];
    let csv = format!("transaction_id,amount,currency,timestamp,merchant,status\n{}", rows_of.concat());
    let hash = |id: &str| xxhash_rust::xxh3::xxh3_128(id.as_bytes());
    for (threads, piece_bytes) in [(1, 1 << 18), (3, 64)] {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let mut known = Earlier { ids: vec![hash("old")], taken: Arc::clone(&taken) };
        let way = Way { threads, piece_bytes, memory: 1 << 28 };
        let written = written(csv.as_bytes(), None, Some(&mut known), &way);
        let Report { good, rejected, duplicate, rejects, .. } = written.report;
        assert_eq!((good, rejected, duplicate), (2, 2, 2));
        let told: Vec<(u64, Vec<&str>)> =
            rejects.iter().map(|row| (row.line, row.reasons.iter().map(String::as_str).collect())).collect();
        let repeat = "duplicate_transaction_id";
        let expected =
            [(3, vec![repeat]), (5, vec!["invalid_amount", repeat]), (6, vec!["invalid_amount"]), (7, vec![repeat])];
        assert_eq!(told, expected);
        assert_eq!(*taken.lock().unwrap(), [hash("a"), hash("b")]);
        let mut ids = Ids::open(Box::new(Cursor::new(written.ids))).unwrap();
        let mut there = vec![false; 4];
        ids.contains_all(&["a", "b", "old", "bad"].map(hash), &mut there).unwrap();
        assert_eq!((ids.count(), &there[..]), (2, &[true, true, false, false][..]));
        assert_eq!(rows(&written.parquet).len(), 2);
        assert_eq!(written.csv.iter().filter(|byte| **byte == b'\n').count(), 3);
    }
}

#[test]
fn other_files_are_named_as_what_they_are() {
    let fixture = include_bytes!("../table/tests/fixtures/small.parquet");
    for (bytes, said) in [(&fixture[..], "none of good rows"), (b"symbol,price\n", "good rows"), (b"", "good rows")] {
        let error = Reader::open(Box::new(Cursor::new(bytes.to_vec()))).err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// A sink that takes so many bytes and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_is_an_error_of_the_check() {
    let price = |row: usize| (xxhash_rust::xxh3::xxh3_64(&row.to_le_bytes()) >> 44) + 1;
    let csv = many(4 * GOOD_GROUP_ROWS_MAX, |row| format!("S,{},1,2026-01-31T12:00:00Z\n", price(row)));
    for room in [0, 4, 100_000, 1_000_000] {
        let good = Some(Sinks { parquet: Box::new(Full(room)), csv: None });
        let options = Options { good, ..Options::default() };
        let checked =
            check(Box::new(Cursor::new(csv.clone())), options, &mut || Ok(Box::new(MemoryScratch::default())));
        assert_eq!(checked.err().map(|error| error.kind()), Some(std::io::ErrorKind::StorageFull), "{room}");
    }
}

/// As many groups as there may be have a footer that can be read.
#[test]
fn the_largest_footer_is_within_its_limit() {
    let layout = Layout { kind: Kind::Transactions, sequence: false, trade_id: false };
    let plan = Plan::new(&Contract::parse("name = \"own\"\nextends = \"transactions\"\n").unwrap(), |_| true).unwrap();
    let (rows, columns) = (GOOD_GROUP_ROWS_MAX as u32, layout.columns().len());
    let entry = GroupEntry { rows, times: [i64::MAX; 2] };
    let (start, packed) = (1 << 40, GOOD_PAGE_BYTES_MAX as u32);
    let chunk = Chunk { start, dictionary: packed, packed, unpacked: packed, zstd: true, encoding: 8, kept: 0 };
    let (groups, chunks) = (vec![entry; GOOD_GROUPS_MAX], vec![chunk; GOOD_GROUPS_MAX * columns]);
    let mut bytes = Vec::new();
    let (wide, origin) = (vec![true; columns], Origin::of(&plan));
    Footer { layout, wide: &wide, groups: &groups, chunks: &chunks, origin: &origin }.write(&mut bytes);
    assert!(bytes.len() as u64 <= PARQUET_FOOTER_BYTES_MAX, "{} bytes", bytes.len());
}
