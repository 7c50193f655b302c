//! `millrace bars` and `millrace totals`: what rows came to, as CSV or JSON.

use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use engine::pipeline::feed::Declared;
use engine::pipeline::preset::Preset;
use engine::pipeline::query::{self, Aggregate, At, Of};
use engine::pipeline::window::State;
use engine::runtime::{self, Engine};
use rows::contribution::Filter;
use rows::csv;
use rows::time::{Interval, rfc3339};
use serde_json::json;

use super::{Out, Place, errors, times};
use crate::complain::Hint;

/// Arguments of `millrace bars`.
#[derive(Debug, Args)]
pub(crate) struct Bars {
    #[command(flatten)]
    pub(super) place: Place,
    /// The feed.
    #[arg(long, value_name = "NAME", default_value = "files")]
    feed: String,
    /// Only of this symbol.
    #[arg(long)]
    symbol: Option<String>,
    /// Length of the bars: 1m, 5m, 15m, 1h, 1d or 1mo, not shorter than the feed keeps them.
    #[arg(long, value_parser = crate::check::interval)]
    interval: Option<Interval>,
    /// Only from this time on: a day, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = times::instant)]
    from: Option<i64>,
    /// Only before this time.
    #[arg(long, value_name = "TIME", value_parser = times::instant)]
    to: Option<i64>,
    /// Print one JSON object per bar, with the files that add to it.
    #[arg(long)]
    json: bool,
}

/// Arguments of `millrace totals`.
#[derive(Debug, Args)]
pub(crate) struct Totals {
    #[command(flatten)]
    pub(super) place: Place,
    /// The feed.
    #[arg(long, value_name = "NAME", default_value = "transactions")]
    feed: String,
    /// Only of this merchant.
    #[arg(long)]
    merchant: Option<String>,
    /// Only in this currency.
    #[arg(long)]
    currency: Option<String>,
    /// Only with this status.
    #[arg(long)]
    status: Option<String>,
    /// Only from this day on.
    #[arg(long, value_name = "DAY", value_parser = times::day)]
    from: Option<i64>,
    /// Only before this day.
    #[arg(long, value_name = "DAY", value_parser = times::day)]
    to: Option<i64>,
    /// Print one JSON object per total, with the files that add to it.
    #[arg(long)]
    json: bool,
}

/// The feed of a name.
pub(crate) fn feed<'e>(engine: &'e Engine, name: &str) -> Result<&'e Declared> {
    engine.pipeline().feeds.named(name).ok_or_else(|| {
        let known: Vec<&str> = engine.pipeline().feeds.iter().map(|feed| feed.name.as_str()).collect();
        Hint::new(format!("there is no feed `{name}`"), format!("declared are: {}", known.join(", "))).into()
    })
}

/// The feed of a name that comes to what is asked for.
fn coming_to<'e>(engine: &'e Engine, asked: &Asked<'_>) -> Result<&'e Declared> {
    let feed = feed(engine, asked.feed)?;
    match no_such_aggregates(feed, asked.heading) {
        Some((what, hint)) => Err(Hint::new(what, hint).into()),
        None => Ok(feed),
    }
}

/// Why a feed comes to nothing of this kind, and what to ask instead.
pub(crate) fn no_such_aggregates(feed: &Declared, heading: &str) -> Option<(String, &'static str)> {
    let name = feed.name.as_str();
    match (feed.preset == Preset::Transactions, heading == TOTAL) {
        (true, false) => Some((format!("feed `{name}` comes to totals, not to bars"), "ask for its totals")),
        (false, true) => Some((format!("feed `{name}` comes to bars, not to totals"), "ask for its bars")),
        _ => None,
    }
}

/// The cells of a bar.
pub(crate) const BAR: &str = "symbol,start,open,high,low,close,volume,trades,notional,vwap,made_of,state,revision";
/// The cells of a total.
pub(crate) const TOTAL: &str = "currency,status,merchant,day,count,sum,min,max,state,revision";

pub(super) fn bars(arguments: &Bars, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let name = arguments.symbol.as_ref().map(|symbol| symbol.clone().into_bytes());
    let filter = Filter { name, from: arguments.from, to: arguments.to, currency: None, status: None };
    let interval = arguments.interval;
    let what = Asked { feed: &arguments.feed, interval, filter, json: arguments.json, heading: BAR };
    print(&what, engine, out)
}

pub(super) fn totals(arguments: &Totals, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let Totals { merchant, currency, status, from, to, .. } = arguments;
    let name = merchant.as_ref().map(|merchant| merchant.clone().into_bytes());
    let filter = Filter { name, from: *from, to: *to, currency: currency.clone(), status: status.clone() };
    let what = Asked { feed: &arguments.feed, interval: None, filter, json: arguments.json, heading: TOTAL };
    print(&what, engine, out)
}

/// Which bars or totals, and how they are written.
pub(crate) struct Asked<'a> {
    pub feed: &'a str,
    pub interval: Option<Interval>,
    pub filter: Filter,
    pub json: bool,
    pub heading: &'static str,
}

fn print(asked: &Asked<'_>, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    if !asked.json {
        coming_to(engine, asked)?;
        writeln!(out.data, "{}", asked.heading)?;
    }
    let mut written = Ok(());
    each(asked, engine, |_, line| {
        line.push(b'\n');
        written = out.data.write_all(line);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    Ok(ExitCode::SUCCESS)
}

/// Gives each, and how it is written, until `take` breaks off.
pub(crate) fn each(
    asked: &Asked<'_>,
    engine: &Engine,
    mut take: impl FnMut(&Aggregate<'_>, &mut Vec<u8>) -> ControlFlow<()>,
) -> Result<()> {
    let ports = engine.ports();
    let at = At { objects: &ports, ledger: &ports, now: runtime::now() };
    let feed = coming_to(engine, asked)?;
    let mut line = Vec::new();
    let write = |aggregate: Aggregate<'_>| {
        line.clear();
        if asked.json {
            write_json(asked.heading, &aggregate, &mut line)
        } else {
            write_csv(&aggregate, &mut line)
        }
        take(&aggregate, &mut line)
    };
    query::aggregates(at, feed, asked.interval, &asked.filter, write).map_err(errors::refused)
}

fn state(state: State) -> &'static str {
    match state {
        State::Provisional => "provisional",
        State::Final => "final",
        State::Restated => "restated",
    }
}

/// What an aggregate is of, as the first cells of its line.
fn names(of: &Of<'_>) -> Vec<String> {
    match of {
        Of::Bar { symbol, start, .. } => vec![(*symbol).to_owned(), rfc3339(*start)],
        Of::Total { currency, status, merchant, day } => {
            vec![(*currency).to_owned(), (*status).to_owned(), (*merchant).to_owned(), times::date(*day)]
        }
    }
}

/// Bars of trades and bars that came as bars are never added up; which one it is, is a cell of its line.
fn made_of(of: &Of<'_>) -> Option<&'static str> {
    match of {
        Of::Bar { traded, .. } => Some(if *traded { "trades" } else { "bars" }),
        Of::Total { .. } => None,
    }
}

fn write_csv(aggregate: &Aggregate<'_>, into: &mut Vec<u8>) {
    for name in names(&aggregate.of) {
        csv::write_field(name.as_bytes(), b',', into);
        into.push(b',');
    }
    into.extend_from_slice(aggregate.line.as_bytes());
    if let Some(made_of) = made_of(&aggregate.of) {
        into.push(b',');
        into.extend_from_slice(made_of.as_bytes());
    }
    into.extend_from_slice(format!(",{},{}", state(aggregate.state), aggregate.revision).as_bytes());
}

/// The same with names, numbers as text so that no reader makes floats of them.
fn write_json(heading: &str, aggregate: &Aggregate<'_>, into: &mut Vec<u8>) {
    let mut cells = names(&aggregate.of);
    cells.extend(aggregate.line.split(',').map(str::to_owned));
    cells.extend(made_of(&aggregate.of).map(str::to_owned));
    let mut object = serde_json::Map::new();
    for (name, cell) in heading.split(',').zip(cells) {
        let value = match (name, cell.is_empty()) {
            (_, true) => serde_json::Value::Null,
            ("trades" | "count", false) => cell.parse::<u64>().map_or(json!(cell), |count| json!(count)),
            _ => json!(cell),
        };
        object.insert(name.to_owned(), value);
    }
    object.insert("state".into(), json!(state(aggregate.state)));
    object.insert("revision".into(), json!(aggregate.revision));
    object.insert("sources".into(), json!(aggregate.sources));
    into.extend_from_slice(serde_json::Value::Object(object).to_string().as_bytes());
}
