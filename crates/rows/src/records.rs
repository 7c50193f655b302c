//! Records that come one by one or a few at a time, as JSON: checked as the rows of a file are, each by itself.
//!
//! A contract is compiled once for each set of optional columns, and what was compiled is kept: a request with one record
//! must not pay for more than that record.

use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use crate::batch::{Batch, WIDE};
use crate::check::{JsonParser, Parse, Piece, extract};
use crate::contract::{At, Contract, From, Kind, builtin};
use crate::decimal::Decimal;
use crate::good::Row;
use crate::json::{self, Cutter, Record};
use crate::limits::REJECTS_LISTED_MAX;
use crate::plan::Plan;
use crate::{Error, Refusal, choose};

/// Compiled contracts that are kept; what comes beyond is compiled each time.
const PLANS_MAX: usize = 64;

/// Checks records against one contract.
#[derive(Debug)]
pub struct Checker {
    contract: Option<Contract>,
    plans: RwLock<Vec<Arc<Known>>>,
}

/// A contract compiled for records with these optional columns.
#[derive(Debug)]
struct Known {
    columns: Columns,
    plan: Plan,
    extract: json::Extract,
    /// The records have no time: it is that of arrival.
    lacks_time: bool,
}

/// What of a record decides how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    is_bar: bool,
    /// A bit for each optional column of the contract that is there.
    optional: u64,
}

/// A record that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// Its place among the records, from 0.
    pub index: usize,
    /// The line on which it begins, from 1; in an array its place, from 0.
    pub line: u64,
    /// The column of the first reason, by the contract's name for it.
    pub column: Option<String>,
    /// Its value: cut, control characters escaped; none when the record does not have the column.
    pub value: Option<String>,
    /// All reasons, in the order they were checked.
    pub reasons: Vec<String>,
    /// What to do about the first reason.
    pub hint: String,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its place among the records, from 0.
    pub index: usize,
    /// The line on which it begins, from 1; in an array its place, from 0.
    pub line: u64,
}

/// What became of the records of one request.
#[derive(Debug, Default)]
pub struct Checked {
    /// Good ones.
    pub good: usize,
    /// Refused ones.
    pub refused: usize,
    /// The first of the refused ones.
    pub listed: Vec<Bad>,
}

impl Checker {
    /// For a contract; without one, bars are told from points by their columns.
    pub fn new(contract: Option<&Contract>) -> Self {
        Self { contract: contract.cloned(), plans: RwLock::default() }
    }

    /// Checks the records of `text`: one object, an array, or one a line. `arrived` is the time of those that have none.
    /// Text that cannot be cut into records, or that has more than `records_max`, is refused as a whole before anything
    /// is given to `good`.
    pub fn check(
        &self,
        text: &[u8],
        arrived: i64,
        records_max: usize,
        mut good: impl FnMut(Row<'_>, Place),
    ) -> Result<Checked, Refusal> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut records = Vec::new();
        let cut = Cutter::new(json::detect(text)).cut(text, true, &mut records);
        // of a request that is broken nothing is taken, unlike of a file
        cut.map_err(|error| Refusal { hint: "send all of it again; nothing was taken".into(), ..refusal(error) })?;
        if records.is_empty() {
            let hint = "send a JSON object, an array of objects, or one object a line";
            return Err(Refusal::new("no_records", "there is no record", hint));
        }
        if records.len() > records_max {
            let message = format!("there are {} records, more than {records_max}", records.len());
            return Err(Refusal::new("too_many_records", message, "send them in several requests, or as a file"));
        }
        let (mut checked, mut batch) = (Checked::default(), Batch::default());
        let mut from = 0;
        let mut next = self.columns(text, records[0]);
        while from < records.len() {
            let columns = next;
            let mut to = from + 1;
            while to < records.len() {
                next = self.columns(text, records[to]);
                if next != columns {
                    break;
                }
                to += 1;
            }
            let known = self.known(columns)?;
            let mut piece = piece(text, &records[from..to]);
            let parsed = JsonParser::new(&known.plan, known.extract.clone()).parse(&mut piece, &mut batch);
            parsed.map_err(refusal)?;
            let arrived = known.lacks_time.then_some(arrived);
            let read = Read { batch: &batch, first: from, records: &records[from..to] };
            checked.good += read.each_good(arrived, &mut good);
            let before = checked.listed.len();
            read.list_refused(&known.plan, &mut checked);
            for bad in &mut checked.listed[before..] {
                let record = records[bad.index];
                let keys = json::Reader::keys(&text[record.start as usize..record.end as usize]).unwrap_or_default();
                self.leave_out(bad, columns.is_bar, &keys);
            }
            from = to;
        }
        Ok(checked)
    }

    fn contract(&self, is_bar: bool) -> Result<&Contract, Refusal> {
        let name = if is_bar { "bars" } else { "points" };
        self.contract.as_ref().or_else(|| builtin(name)).ok_or_else(|| choose::unknown_contract(name))
    }

    /// Says of a column that the record does not have that it has no value.
    fn leave_out(&self, bad: &mut Bad, is_bar: bool, keys: &[String]) {
        let (Some(column), Some("")) = (&bad.column, bad.value.as_deref()) else { return };
        let column_of = |contract: &Contract| contract.columns.get(column).and_then(|column| column.from.clone());
        let name = match self.contract(is_bar).ok().and_then(column_of) {
            Some(From::One(At::Name(name))) => name,
            None => column.clone(),
            _ => return,
        };
        // of a path, its first step
        let is_there = |key: &String| name == *key || name.starts_with(&format!("{key}."));
        if !keys.iter().any(is_there) {
            bad.value = None;
        }
    }

    fn columns(&self, text: &[u8], record: Record) -> Columns {
        let record = &text[record.start as usize..record.end as usize];
        // one that is broken is refused by any plan
        let keys = json::Reader::keys(record).unwrap_or_default();
        let is_bar = self.contract.is_none() && choose::is_of_bars(&keys);
        let Ok(contract) = self.contract(is_bar) else { return Columns { is_bar, optional: 0 } };
        let optional = contract.columns.values().filter(|column| column.optional == Some(true)).map(|column| {
            let has = |at: &At| match at {
                At::Position(position) => keys.contains(&position.to_string()),
                At::Name(name) => keys.iter().any(|key| key == name || name.split('.').next() == Some(key)),
            };
            match &column.from {
                Some(From::One(at)) => has(at),
                Some(From::Joined(places)) => places.iter().all(has),
                None => true,
            }
        });
        let optional = optional.enumerate().fold(0, |bits, (place, there)| bits | u64::from(there) << (place % 64));
        Columns { is_bar, optional }
    }

    fn known(&self, columns: Columns) -> Result<Arc<Known>, Refusal> {
        let find = |plans: &[Arc<Known>]| plans.iter().find(|known| known.columns == columns).cloned();
        if let Some(known) = find(&self.plans.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(known);
        }
        let contract = self.contract(columns.is_bar)?;
        if contract.kind == Kind::Transactions {
            let message = format!("contract `{}` is of transactions, and these are no market data", contract.name);
            return Err(Refusal::new("wrong_kind", message, "send transactions as a file"));
        }
        let optional: Vec<_> = contract.columns.values().filter(|column| column.optional == Some(true)).collect();
        let is_there = |place: usize| columns.optional >> (place % 64) & 1 == 1;
        let has = |at: &At| {
            optional.iter().enumerate().any(|(place, column)| {
                let names = match &column.from {
                    Some(From::One(one)) => one == at,
                    Some(From::Joined(places)) => places.contains(at),
                    None => false,
                };
                names && is_there(place)
            })
        };
        let plan = Plan::new(&contract.came_at(0), has).map_err(refusal)?;
        let of_arrival = optional.iter().position(|column| column.is_of_arrival());
        let lacks_time = of_arrival.is_some_and(|place| !is_there(place));
        let known = Arc::new(Known { columns, plan, extract: extract(contract), lacks_time });
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.len() < PLANS_MAX && find(&plans).is_none() {
            plans.push(known.clone());
        }
        Ok(known)
    }
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        Error::Io(error) => Refusal::new("not_read", error.to_string(), "send it again"),
    }
}

fn piece(text: &[u8], records: &[Record]) -> Piece {
    let start = records.first().map_or(0, |first| first.start);
    let end = records.last().map_or(start, |last| last.end);
    let shifted = |record: &Record| Record { start: record.start - start, end: record.end - start, ..*record };
    Piece {
        buffer: text[start as usize..end as usize].to_vec(),
        records: records.iter().map(shifted).collect(),
        ..Piece::default()
    }
}

/// Records that were read with one plan.
struct Read<'a> {
    batch: &'a Batch,
    /// The place of the first of them.
    first: usize,
    records: &'a [Record],
}

impl Read<'_> {
    /// Where a row of the batch stands. Of a record with several rows, the place of a refused one is found by its line.
    fn place(&self, row: usize, line: Option<u64>) -> Place {
        let is_one_each = self.batch.rows as usize == self.records.len();
        let within = match line {
            Some(line) if !is_one_each => self.records.partition_point(|record| record.line < line),
            _ => row.min(self.records.len().saturating_sub(1)),
        };
        let line = line.or_else(|| Some(self.records.get(within)?.line)).unwrap_or(0);
        Place { index: self.first + within, line }
    }

    fn each_good(&self, arrived: Option<i64>, good: &mut impl FnMut(Row<'_>, Place)) -> usize {
        let (batch, trades) = (self.batch, &self.batch.trades);
        let mut refused = batch.rejects.iter().map(|reject| reject.row).peekable();
        let mut rows = (0..batch.rows).filter(|row| refused.next_if_eq(row).is_none());
        let mut next = || self.place(rows.next().map_or(0, |row| row as usize), None);
        let mut wide = trades.wide.iter();
        for (index, trade) in trades.rows.iter().enumerate() {
            let kept = if trade.price == WIDE { wide.next().map(|(_, numbers)| *numbers) } else { None };
            let [price, volume] = kept.unwrap_or([trade.price, trade.volume].map(Decimal::from_nano));
            let row = Row::Trade {
                symbol: batch.names.get(trade.name),
                time: arrived.unwrap_or(trade.time),
                price,
                volume,
                sequence: trades.sequence.get(index).copied(),
                trade_id: None,
            };
            good(row, next());
        }
        for bar in &batch.bars {
            let row = Row::Bar {
                symbol: batch.names.get(bar.name),
                time: arrived.unwrap_or(bar.time),
                prices: bar.prices,
                volume: bar.volume,
                sequence: (bar.sequence > 0).then_some(bar.sequence),
            };
            good(row, next());
        }
        trades.rows.len() + batch.bars.len()
    }

    fn list_refused(&self, plan: &Plan, checked: &mut Checked) {
        checked.refused += self.batch.rejects.len();
        for (reject, detail) in self.batch.rejects.iter().zip(&self.batch.details) {
            if checked.listed.len() >= REJECTS_LISTED_MAX {
                return;
            }
            let Some(first) = reject.reasons.first() else { continue };
            let (reason, value) = (plan.reasons.get(first), detail.values.first().map(|(_, value)| value.clone()));
            let Place { index, line } = self.place(reject.row as usize, Some(reject.line));
            checked.listed.push(Bad {
                index,
                line,
                column: reason.column.clone(),
                value: Some(value.unwrap_or_default()),
                reasons: plan.reasons.names(reject.reasons).into_iter().map(str::to_owned).collect(),
                hint: reason.hint.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (Checked, Vec<String>) {
        let mut rows = Vec::new();
        let good = |row: Row<'_>, _| {
            rows.push(match row {
                Row::Trade { symbol, time, price, volume, .. } => {
                    format!("{} {price} {volume} {time}", String::from_utf8_lossy(symbol))
                }
                other => format!("{other:?}"),
            });
        };
        let checked = Checker::new(None).check(text.as_bytes(), 77, 10, good).expect("records");
        (checked, rows)
    }

    #[test]
    fn the_seeds_points_are_good() {
        let (_, rows) = check(r#"{"symbol":"TSLA","price":200.00}"#);
        assert_eq!(rows, ["TSLA 200 0 77"]);
        let (_, rows) = check(r#"{"symbol":"AAPL","price":150.00,"timestamp":1234567890}"#);
        assert_eq!(rows, ["AAPL 150 0 1234567890000000000"]);
        let (_, rows) =
            check(r#"[{"symbol":"A","price":0.1234567890123456789,"volume":"2","timestamp":"1970-01-01T00:00:01Z"}]"#);
        assert!(rows.is_empty(), "19 decimals: {rows:?}");
        let (_, rows) =
            check(r#"[{"symbol":"A","price":0.123456789012345678,"volume":"2","timestamp":"1970-01-01T00:00:01Z"}]"#);
        assert_eq!(rows, ["A 0.123456789012345678 2 1000000000"]);
    }

    #[test]
    fn bad_ones_are_told_one_by_one() {
        let text = "{\"symbol\":\"A\",\"price\":1}\n{\"symbol\":\"A\",\"price\":-1,\"volume\":null}\nno\n\
                    {\"symbol\":\"\",\"price\":1}\n{\"open\":1}\n{\"symbol\":\"B\",\"price\":2}";
        let (checked, rows) = check(text);
        assert_eq!((checked.good, checked.refused, rows.len()), (2, 4, 2));
        let told: Vec<_> = checked.listed.iter().map(|bad| (bad.index, bad.line, bad.reasons[0].as_str())).collect();
        let expected =
            [(1, 2, "non_positive_price"), (2, 3, "invalid_json"), (3, 4, "missing_symbol"), (4, 5, "missing_symbol")];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_no_list_of_records_is_refused_as_a_whole() {
        let refused =
            |text: &str| Checker::new(None).check(text.as_bytes(), 0, 2, |_, _| {}).expect_err("refused").code;
        assert_eq!(refused(""), "no_records");
        assert_eq!(refused("[]"), "no_records");
        assert_eq!(refused("[{},{},{}]"), "too_many_records");
        assert_eq!(refused("[{}"), "truncated_json");
    }
}
