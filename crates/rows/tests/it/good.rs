//! Good rows written as Parquet and CSV are the rows that were checked: they come back, and checked again they give the
//! same. That they are the same bytes however a file is cut stands in `properties`.

use std::io::Cursor;
use std::ops::ControlFlow;

use proptest::prelude::*;

use crate::support::{Told, Way, contract, told};
use rows::contract::Kind;
use rows::csv::write_field;
use rows::good::{Reader, Row};
use rows::time::{Interval, write_rfc3339};

/// The good rows of a file as CSV that a built-in contract takes, and its text.
pub(crate) fn as_csv(good: &[u8], zone: &str) -> (Vec<u8>, String, u64) {
    let mut reader = Reader::open(Box::new(Cursor::new(good.to_vec()))).unwrap();
    let kind = reader.kind();
    let (mut csv, mut rows, mut has_sequence) = (Vec::new(), 0, false);
    let read = reader.rows_between(None, None, |number, row| {
        assert_eq!(number, rows);
        rows += 1;
        let (label, values, time, sequence) = match row {
            Row::Trade { symbol, time, price, volume, sequence, .. } => (symbol, vec![price, volume], time, sequence),
            Row::Bar { symbol, time, prices, volume, sequence } => {
                (symbol, prices.into_iter().chain([volume]).collect(), time, sequence)
            }
            Row::Transaction { merchant, time, amount, .. } => (merchant, vec![amount], time, None),
        };
        write_field(label, b',', &mut csv);
        csv.push(b',');
        write_rfc3339(time, &mut csv);
        values.iter().for_each(|value| csv.extend_from_slice(format!(",{value}").as_bytes()));
        has_sequence |= sequence.is_some();
        sequence.iter().for_each(|sequence| csv.extend_from_slice(format!(",{sequence}").as_bytes()));
        csv.push(b'\n');
        ControlFlow::Continue(())
    });
    read.unwrap();
    assert_eq!(rows, reader.rows());
    let mut header = match kind {
        Kind::Trades => "symbol,timestamp,price,volume",
        _ => "symbol,timestamp,open,high,low,close,volume",
    }
    .to_owned();
    let mut text = format!("name = \"again\"\nextends = \"{}\"\n", kind.name());
    if has_sequence {
        header.push_str(",sequence");
        text.push_str("[columns]\nsequence = { from = \"sequence\" }\n");
    }
    text.push_str(&format!("[bars]\nzone = \"{zone}\"\n"));
    header.push('\n');
    (header.into_bytes().into_iter().chain(csv).collect(), text, rows)
}

/// The good rows of a file, checked again.
pub(crate) fn again(told_first: &Told, zone: &str, interval: Interval) -> Told {
    let (csv, text, rows) = as_csv(&told_first.good, zone);
    assert_eq!(rows, told_first.report.good);
    let way = Way { interval, ..Way::default() };
    match told_first.good_csv.is_empty() {
        true => told(&csv, Way { contract: Some(&contract(&text)), ..way }),
        false => told(&told_first.good_csv, way),
    }
}

#[track_caller]
fn assert_same(first: &Told, second: &Told) {
    let (good, rejected) = (second.report.good, second.report.rejected + second.report.duplicate);
    assert_eq!((good, rejected, &second.report.error), (first.report.good, 0, &None), "{:?}", second.report.rejects);
    assert_eq!(second.bars, first.bars);
    assert_eq!(second.totals, first.totals);
}

fn transactions() -> impl Strategy<Value = Vec<(String, String, String, i64)>> {
    let text = || prop_oneof!["[A-Za-z0-9 ,;\"'|\t]{1,12}", "[^\\x00]{1,6}", "\\PC{1,8}", Just(" a\r\nb\"".to_owned())];
    let amount = prop_oneof!["-?[0-9]{1,6}\\.[0-9]{1,2}", "-?[1-9][0-9]{0,18}\\.[0-9]{1,18}", "-?[1-9][0-9]{9,12}"];
    let time = prop_oneof![0i64..4_000_000_000_000_000_000, (0i64..2_000_000_000).prop_map(|at| at * 1_000_000_000)];
    prop::collection::vec((text(), amount, text(), time), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn transactions_written_as_csv_are_the_same_when_checked_again(rows in transactions()) {
        let mut csv = b"transaction_id,timestamp,amount,currency,merchant,status\n".to_vec();
        for (number, (id, amount, merchant, time)) in rows.iter().enumerate() {
            write_field(format!("{id}{number}").as_bytes(), b',', &mut csv);
            csv.push(b',');
            write_rfc3339(*time, &mut csv);
            csv.extend_from_slice(format!(",{amount},{},", ["EUR", "USD", "JPY"][number % 3]).as_bytes());
            write_field(merchant.as_bytes(), b',', &mut csv);
            csv.extend_from_slice(format!(",{}\n", ["completed", "failed", "pending"][number / 3 % 3]).as_bytes());
        }
        let first = told(&csv, Way::default());
        prop_assume!(first.report.error.is_none());
        let second = again(&first, "UTC", Interval::M1);
        assert_same(&first, &second);
        // Written once more they are the same text.
        prop_assert_eq!(&second.good_csv, &first.good_csv);
    }
}

#[test]
fn lines_that_stand_for_ids_are_ids() {
    let text = "name = \"lines\"\nextends = \"transactions\"\n[columns]\ntransaction_id = { line = true }\n";
    let row = |amount: &str| format!("{amount},EUR,2026-01-31T12:00:00Z,Kiosk,completed\n");
    let csv = format!("amount,currency,timestamp,merchant,status\n{}{}{}", row("1"), row("x"), row("1"));
    let first = told(csv.as_bytes(), Way { contract: Some(&contract(text)), ..Way::default() });
    assert_eq!(first.report.good, 2);
    let written = String::from_utf8(first.good_csv.clone()).unwrap();
    let ids: Vec<&str> = written.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids, ["2", "4"]);
    assert_same(&first, &again(&first, "UTC", Interval::M1));
}
