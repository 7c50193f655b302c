//! Reading what the files of a feed add up to: bars, totals and transactions.
//!
//! Aggregates are folded when they are read, from what each file adds, in the order of the files. Nothing is ever added to
//! or taken from a number that is kept, so a file that comes again, is replaced or replayed cannot count twice.

use std::ops::ControlFlow;

use rows::contribution::{self, Filter, Key, Part, Reader};
use rows::decimal::Decimal;
use rows::good;
use rows::time::{Buckets, Interval};
use serde::Serialize;

use crate::Millis;
use crate::draft::{each_record, parsed};
use crate::feed::Declared;
use crate::find;
use crate::handle::Error;
use crate::limits::QUERY_FILES_MAX;
use crate::message::Feed;
use crate::object::{ObjectVersion, Order, ReceiptId};
use crate::point::Window;
use crate::ports::{Ledger, Objects};
use crate::preset::Preset;
use crate::records::{self, Contribution};
use crate::stages::market_window;
use crate::step::Kind;
use crate::window::{Source, Standing, State, standing};

/// What is read from, and when.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// Bytes.
    pub objects: &'a dyn Objects,
    /// Records.
    pub ledger: &'a dyn Ledger,
    /// Now.
    pub now: Millis,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Refused {
    /// The question is of no use: what is wrong, and what to ask instead.
    Question {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// It could not be answered now.
    Error(Error),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Question { what, .. } => f.write_str(what),
            Self::Error(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Question { .. } => None,
            Self::Error(error) => error.source(),
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<crate::ports::Error> for Refused {
    fn from(error: crate::ports::Error) -> Self {
        Self::Error(error.into())
    }
}

/// One bar or total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate<'a> {
    /// What it is of: instrument and start, or currency, status, merchant and day.
    pub of: Of<'a>,
    /// Its numbers as `millrace check` prints them: of a bar `open,high,low,close,volume,trades,notional,vwap`, of a
    /// total `count,sum,min,max`.
    pub line: &'a str,
    /// How sure it is.
    pub state: State,
    /// How often it was said anew.
    pub revision: u32,
    /// The files that add to it.
    pub sources: &'a [ReceiptId],
}

/// What an aggregate is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of<'a> {
    /// A bar.
    Bar {
        /// The instrument.
        symbol: &'a str,
        /// Its start in nanoseconds.
        start: i64,
        /// Whether it was made from trades; else from bars.
        traded: bool,
    },
    /// A total.
    Total {
        /// ISO 4217 code.
        currency: &'a str,
        /// The status.
        status: &'a str,
        /// The merchant.
        merchant: &'a str,
        /// Days since 1970.
        day: i32,
    },
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Gives the bars of a feed, or its totals, sorted, until `each` breaks off.
pub fn aggregates(
    at: At<'_>,
    feed: &Declared,
    interval: Option<Interval>,
    filter: &Filter,
    mut each: impl FnMut(Aggregate<'_>) -> ControlFlow<()>,
) -> Result<(), Refused> {
    if feed.preset == Preset::Market {
        return market_bars(at, feed, interval.unwrap_or(market_window()), filter, each);
    }
    let interval = interval.unwrap_or(feed.interval);
    if feed.preset == Preset::Files && interval < feed.interval {
        let what = format!("feed `{}` keeps bars of {} and longer", feed.name.as_str(), feed.interval);
        return Err(Refused::Question {
            what,
            hint: "ask for a longer interval, or declare the feed with a shorter one",
        });
    }
    let files = contributions(at.ledger, &feed.name, filter)?;
    if files.len() > QUERY_FILES_MAX {
        let what = format!("{} files add to what was asked for, more than {QUERY_FILES_MAX}", files.len());
        return Err(Refused::Question { what, hint: "ask for a shorter time" });
    }
    let mut parts = Vec::with_capacity(files.len());
    for (_, file) in &files {
        let reader = opened(at, &file.object, Reader::open)?;
        parts.push(Part { reader, counts: file.superseded_by.is_none() });
    }
    let waits_since = find::open(at.ledger, Some(&feed.name))?.first().map(|(order, _)| order.at());
    let mut buckets = Buckets::new(interval, feed.zone.clone());
    let (mut line, mut sources) = (Vec::new(), Vec::new());
    let merged = contribution::merge(parts, Some(interval), filter, |key, value, of| {
        let Some(value) = value else { return Ok(ControlFlow::Continue(())) };
        line.clear();
        contribution::write_value(matches!(key, Key::Bar { traded: true, .. }), value, &mut line);
        let end = match &key {
            Key::Bar { start, .. } => buckets.end_of(*start) / 1_000_000,
            Key::Total { day, .. } => (i64::from(*day) + 1) * DAY_MS,
        };
        let told = of.iter().map(|index| {
            let (order, file) = &files[*index];
            Source { order, superseded_by: file.superseded_by.as_ref(), replayed_at: &file.replayed_at }
        });
        let end = Millis::try_from(end).unwrap_or(0);
        let Standing { state, revision, .. } = standing(told, end, feed.settle_ms, at.now, waits_since);
        sources.clear();
        let counting = of.iter().map(|index| &files[*index].1).filter(|file| file.superseded_by.is_none());
        sources.extend(counting.map(|file| file.receipt.clone()));
        Ok(each(Aggregate { of: named(&key), line: text(&line), state, revision, sources: &sources }))
    });
    merged.map_err(|error| match error {
        rows::Error::Io(cause) => {
            Error::Bytes { what: format!("what feed `{}` adds up to", feed.name.as_str()), cause }.into()
        }
        rows::Error::Refused(refusal) => Refused::Question { what: refusal.message, hint: "ask for something else" },
    })
}

fn named<'a>(key: &Key<'a>) -> Of<'a> {
    match key {
        Key::Bar { traded, symbol, start } => Of::Bar { symbol: text(symbol), start: *start, traded: *traded },
        Key::Total { currency, status, merchant, day } => {
            Of::Total { currency, status, merchant: text(merchant), day: *day }
        }
    }
}

/// Names are UTF-8: rows with others are refused.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("\u{fffd}")
}

fn opened<T>(
    at: At<'_>,
    object: &ObjectVersion,
    open: impl FnOnce(Box<dyn rows::source::Input>) -> std::io::Result<T>,
) -> Result<T, Error> {
    open(at.objects.open(object)?.input).map_err(|cause| crate::stages::unreadable(object, cause))
}

/// What the files of a feed add, in their order, where it may be in the time asked for.
pub fn contributions(ledger: &dyn Ledger, feed: &Feed, filter: &Filter) -> Result<Vec<(Order, Contribution)>, Error> {
    let mut files = Vec::new();
    each_record(ledger, Kind::Contribution, &records::within(&[feed.as_str()]), |id, value| {
        let file: Contribution = parsed(Kind::Contribution, id, value)?;
        let summary = &file.summary;
        let before = filter.to.is_some_and(|to| summary.from >= to);
        // a bar that is rolled up starts before those in it
        let behind = filter.from.is_some_and(|from| summary.to < from.saturating_sub(MONTH_NS));
        if summary.entries > 0 && !before && !behind {
            let order =
                parsed(Kind::Contribution, id, &serde_json::to_vec(records::last_part(id)).unwrap_or_default())?;
            files.push((order, file));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(files)
}

const MONTH_NS: i64 = 31 * 24 * 60 * 60 * 1_000_000_000;

/// The windows of `market`, which are records.
fn market_bars(
    at: At<'_>,
    feed: &Declared,
    interval: Interval,
    filter: &Filter,
    mut each: impl FnMut(Aggregate<'_>) -> ControlFlow<()>,
) -> Result<(), Refused> {
    if interval != market_window() {
        let what = format!("feed `{}` keeps bars of {}, not of {interval}", feed.name.as_str(), market_window());
        return Err(Refused::Question { what, hint: "leave the interval out" });
    }
    let mut within = records::within(&[feed.name.as_str()]);
    if let Some(symbol) = &filter.name {
        within.push_str(&records::within(&[text(symbol)]));
    }
    let mut buckets = Buckets::new(interval, rows::time::Zone::utc());
    let now_ns = i64::try_from(at.now).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    each_record(at.ledger, Kind::Window, &within, |id, value| {
        let window: Window = parsed(Kind::Window, id, value)?;
        let mut names = id.rsplit('/');
        let Some(start) = names.next().and_then(records::instant) else { return Ok(ControlFlow::Continue(())) };
        let symbol = names.next().map(records::unescaped).unwrap_or_default();
        if filter.from.is_some_and(|from| start < from) || filter.to.is_some_and(|to| start >= to) {
            return Ok(ControlFlow::Continue(()));
        }
        let state = match window.revision {
            1 if now_ns < buckets.end_of(start) => State::Provisional,
            1 => State::Final,
            _ => State::Restated,
        };
        let sources: Vec<ReceiptId> = window.sources.iter().map(ReceiptId::named).collect();
        let traded = !window.line.ends_with(",,,");
        let of = Of::Bar { symbol: &symbol, start, traded };
        Ok(each(Aggregate { of, line: &window.line, state, revision: window.revision, sources: &sources }))
    })?;
    Ok(())
}

/// Which transactions are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transactions {
    /// Only of this id.
    pub id: Option<String>,
    /// Only of this merchant.
    pub merchant: Option<String>,
    /// Only in this currency.
    pub currency: Option<String>,
    /// Only with this status.
    pub status: Option<String>,
    /// Only from this instant on, in nanoseconds.
    pub from: Option<i64>,
    /// Only before this one.
    pub to: Option<i64>,
}

/// A transaction that can be queried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Its id.
    pub transaction_id: String,
    /// When, in RFC 3339.
    pub timestamp: String,
    /// The exact amount, as text.
    pub amount: String,
    /// ISO 4217 code.
    pub currency: String,
    /// The merchant.
    pub merchant: String,
    /// Its status.
    pub status: String,
    /// The file it came with.
    pub receipt: ReceiptId,
    /// The line it stands on there.
    pub line: u64,
}

/// Gives the transactions of a feed in the order of the files and of their rows, until `each` breaks off.
pub fn transactions(
    at: At<'_>,
    feed: &Declared,
    wanted: &Transactions,
    mut each: impl FnMut(Transaction) -> ControlFlow<()>,
) -> Result<(), Refused> {
    if feed.preset != Preset::Transactions {
        let what = format!("feed `{}` has no transactions", feed.name.as_str());
        return Err(Refused::Question { what, hint: "name a feed of preset transactions" });
    }
    for (_, file) in contributions(at.ledger, &feed.name, &Filter::default())? {
        if file.superseded_by.is_some() {
            continue;
        }
        let mut reader = opened(at, &file.rows, good::Reader::open)?;
        let mut is_enough = false;
        let read = reader.rows_between(wanted.from, wanted.to, |_, row| {
            let Some(found) = transaction(&row, wanted, &file.receipt) else { return ControlFlow::Continue(()) };
            let next = each(found);
            is_enough = next.is_break();
            next
        });
        read.map_err(|cause| crate::stages::unreadable(&file.rows, cause))?;
        if is_enough {
            break;
        }
    }
    Ok(())
}

fn transaction(row: &good::Row<'_>, wanted: &Transactions, receipt: &ReceiptId) -> Option<Transaction> {
    let good::Row::Transaction { id, time, amount, currency, merchant, status, line } = row else { return None };
    let fits = |wanted: &Option<String>, is: &[u8]| wanted.as_ref().is_none_or(|wanted| wanted.as_bytes() == is);
    let in_time = wanted.from.is_none_or(|from| *time >= from) && wanted.to.is_none_or(|to| *time < to);
    let fits = in_time
        && fits(&wanted.id, id)
        && fits(&wanted.merchant, merchant)
        && fits(&wanted.currency, currency.as_bytes())
        && fits(&wanted.status, status.as_bytes());
    let amount: &Decimal = amount;
    fits.then(|| Transaction {
        transaction_id: String::from_utf8_lossy(id).into_owned(),
        timestamp: rows::time::rfc3339(*time),
        amount: amount.to_string(),
        currency: (*currency).to_owned(),
        merchant: String::from_utf8_lossy(merchant).into_owned(),
        status: (*status).to_owned(),
        receipt: receipt.clone(),
        line: *line,
    })
}
