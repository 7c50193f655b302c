//! Rows as a file has them, as text for `check` and as batches for a fold.

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::sample::select;

use super::{Told, scratch};
use crate::batch::{BarRow, Batch, TradeRow, TransactionRow, WIDE};
use crate::check::{Checked, Options, check};
use crate::contract::{Contract, Kind, builtin_text};
use crate::decimal::Decimal;
use crate::row::Status;
use crate::time::{Interval, day_of, rfc3339};
use crate::{currency, good};

/// One row.
#[derive(Debug, Clone)]
pub(super) enum Row {
    Trade { symbol: String, time: i64, price: Decimal, volume: Decimal, sequence: u64 },
    Bar { symbol: String, time: i64, prices: [Decimal; 4], volume: Decimal },
    Transaction { merchant: String, time: i64, amount: Decimal, currency: &'static str, status: Status },
}

const ONE: i64 = 1_000_000_000;

impl Row {
    pub fn trade(symbol: &str, time: i64, price: i64) -> Row {
        let (price, volume) = (Decimal::from_nano(price * ONE), Decimal::from_nano(ONE));
        Row::Trade { symbol: symbol.to_owned(), time, price, volume, sequence: 0 }
    }

    pub fn bar(symbol: &str, time: i64, price: i64) -> Row {
        let (price, volume) = (Decimal::from_nano(price * ONE), Decimal::from_nano(ONE));
        Row::Bar { symbol: symbol.to_owned(), time, prices: [price; 4], volume }
    }

    fn csv(&self, id: usize) -> String {
        match self {
            Row::Trade { symbol, time, price, volume, sequence } => {
                format!("{symbol},{price},{volume},{},{sequence}\n", rfc3339(*time))
            }
            Row::Bar { symbol, time, prices: [open, high, low, close], volume } => {
                format!("{symbol},{},{open},{high},{low},{close},{volume}\n", rfc3339(*time))
            }
            Row::Transaction { merchant, time, amount, currency, status } => {
                format!("{id},{amount},{currency},{},{merchant},{}\n", rfc3339(*time), status.name())
            }
        }
    }
}

/// A checked file of the rows, all of which are good.
fn check_rows(kind: Kind, rows: &[Row], zone: &str, interval: Interval, good: Option<good::Sinks>) -> Checked {
    let (name, header) = match kind {
        Kind::Trades => ("trades", "symbol,price,volume,timestamp,sequence\n"),
        Kind::Bars => ("bars", "symbol,timestamp,open,high,low,close,volume\n"),
        Kind::Transactions => ("transactions", "transaction_id,amount,currency,timestamp,merchant,status\n"),
    };
    let mut text = header.to_owned();
    rows.iter().enumerate().for_each(|(id, row)| text.push_str(&row.csv(id)));
    let zone = if kind == Kind::Transactions { String::new() } else { format!("\n[bars]\nzone = \"{zone}\"\n") };
    let contract = format!("{}{zone}", builtin_text(name).expect("a builtin contract"));
    let contract = Contract::parse(&contract).expect("a contract");
    let options =
        Options { contract: Some(&contract), interval: Some(interval), totals: true, good, ..Options::default() };
    let checked = check(Box::new(Cursor::new(text.clone())), options, &mut scratch).expect("memory can be read");
    assert_eq!(checked.report.good, rows.len() as u64, "{:?}\n{text}", checked.report.first_reasons);
    checked
}

/// The rows as Parquet.
pub(super) fn good(kind: Kind, rows: &[Row]) -> Vec<u8> {
    let sink = Sink::default();
    let good = Some(good::Sinks { parquet: Box::new(sink.clone()), csv: None });
    check_rows(kind, rows, "UTC", Interval::M1, good);
    let written = sink.0.lock().unwrap();
    written.clone()
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `check` makes of the rows.
pub(super) fn checked(kind: Kind, rows: &[Row], interval: Interval, zone: &str) -> Told {
    let mut checked = check_rows(kind, rows, zone, interval, None);
    let mut told = Told::new();
    let traded = kind == Kind::Trades;
    let given = checked.bars(|symbol, start, bar| {
        let mut text = Vec::new();
        bar.write_csv(traded, &mut text);
        told.insert((traded.to_string(), symbol.to_vec(), start), String::from_utf8(text).unwrap());
        Ok(())
    });
    given.expect("scratch space in memory works");
    let given = checked.totals(|key, total| {
        let mut text = Vec::new();
        total.write_csv(&mut text);
        let prefix = format!("{} {}", key.currency, key.status);
        told.insert((prefix, key.merchant.to_vec(), key.day.into()), String::from_utf8(text).unwrap());
        Ok(())
    });
    given.expect("scratch space in memory works");
    told
}

/// The rows as good rows come, in place of those before.
pub(super) fn fill(batch: &mut Batch, rows: &[Row]) {
    batch.clear();
    batch.rows = rows.len() as u32;
    for row in rows {
        match row {
            Row::Trade { symbol, time, price, volume, sequence } => {
                let name = batch.names.number(symbol.as_bytes());
                let (price, volume) = match price.nano().zip(volume.nano()) {
                    Some(narrow) => narrow,
                    None => {
                        batch.trades.wide.push((batch.trades.rows.len() as u32, [*price, *volume]));
                        (WIDE, 0)
                    }
                };
                batch.trades.rows.push(TradeRow { time: *time, price, volume, name });
                batch.trades.sequence.push(*sequence);
            }
            Row::Bar { symbol, time, prices, volume } => {
                let name = batch.names.number(symbol.as_bytes());
                batch.bars.push(BarRow { name, time: *time, sequence: 0, prices: *prices, volume: *volume });
            }
            Row::Transaction { merchant, time, amount, currency, status } => {
                let merchant = batch.names.number(merchant.as_bytes());
                let wide = (batch.transactions.rows.len() as u32, *amount);
                batch.transactions.wide.extend(Some(wide).filter(|_| amount.nano().is_none()));
                let currency = currency::check(currency.as_bytes()).unwrap().index() as u16;
                batch.transactions.rows.push(TransactionRow {
                    amount: amount.nano().unwrap_or(WIDE),
                    line: 0,
                    span: (0, 0),
                    row: 0,
                    day: day_of(*time),
                    merchant,
                    group: currency << 2 | *status as u16,
                });
            }
        }
    }
}

/// Mostly what 64 bits hold.
fn number() -> impl Strategy<Value = Decimal> {
    prop_oneof![
        6 => (1i64..2_000_000, 0u32..9).prop_map(|(number, zeros)| Decimal::from_nano(number * 10i64.pow(zeros))),
        1 => (1i128..i128::from(u64::MAX)).prop_map(Decimal::from_units),
        1 => (1i128..99).prop_map(|number| Decimal::from_units(number * 10i128.pow(36))),
    ]
}

/// Few different ones, so that many are equal; a clock is set in each of the zones of the tests.
fn time() -> impl Strategy<Value = i64> {
    let hour = 3600 * ONE;
    let base = select(vec![
        0,
        86_400 * ONE * 19_800,
        1_711_846_800 * ONE - hour,
        1_712_415_600 * ONE - hour,
        1_730_610_000 * ONE - hour,
        63_593_070 * ONE - hour,
    ]);
    let within = prop_oneof![
        (0i64..20).prop_map(|half_seconds| half_seconds * ONE / 2),
        (0i64..180).prop_map(|minutes| minutes * 60 * ONE),
        (0i64..80).prop_map(move |hours| hours * hour - 1),
    ];
    (base, within).prop_map(|(base, within)| base + within)
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["A", "AB", "B", "a rather long name of something"]).prop_map(str::to_owned)
}

fn row(kind: Kind) -> BoxedStrategy<Row> {
    let bar = |mut prices: Vec<Decimal>, turn: bool| {
        prices.sort_unstable();
        let (open, close) = if turn { (1, 2) } else { (2, 1) };
        [prices[open], prices[3], prices[0], prices[close]]
    };
    match kind {
        Kind::Trades => (name(), time(), number(), number(), 0u64..3)
            .prop_map(|(symbol, time, price, volume, sequence)| Row::Trade { symbol, time, price, volume, sequence })
            .boxed(),
        Kind::Bars => (name(), time(), prop::collection::vec(number(), 4), any::<bool>(), number())
            .prop_map(move |(symbol, time, prices, turn, volume)| Row::Bar {
                symbol,
                time,
                prices: bar(prices, turn),
                volume,
            })
            .boxed(),
        Kind::Transactions => {
            let group = (select(vec!["EUR", "USD", "ZAR"]), select(&Status::ALL[..]));
            (name(), time(), number(), any::<bool>(), group)
                .prop_map(|(merchant, time, amount, back, (currency, status))| {
                    let amount = if back { amount.negated() } else { amount };
                    Row::Transaction { merchant, time, amount, currency, status }
                })
                .boxed()
        }
    }
}

/// Rows of one kind.
pub(super) fn any_rows() -> impl Strategy<Value = (Kind, Vec<Row>)> {
    select(vec![Kind::Trades, Kind::Bars, Kind::Transactions])
        .prop_flat_map(|kind| (Just(kind), prop::collection::vec(row(kind), 0..60)))
}
