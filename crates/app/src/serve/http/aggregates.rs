//! `GET /bars`, `/totals` and `/transactions`: what rows came to, streamed as JSON or CSV.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use engine::pipeline::feed::Declared;
use engine::pipeline::preset::Preset;
use engine::pipeline::query::{self, Aggregate, At, Of, Transaction};
use engine::pipeline::records::{escaped, sortable};
use engine::runtime::{self, Engine};
use rows::contribution::Filter;
use rows::time::Interval;
use serde::Deserialize;
use utoipa::IntoParams;

use super::ask::{Asked, mark, place};
use super::problem::Problem;
use super::shapes::{BadRequest, BarsPage, Format, NotFound, TotalsPage, TransactionsPage, Unprocessable};
use super::stream::{self, Writer, gone};
use crate::data::{aggregates, times, transactions};
use crate::limits::ANSWER_ENTRIES_MAX;
use crate::serve::state::Service;

/// Which bars.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Bars {
    /// The feed.
    #[param(default = "files")]
    feed: Option<String>,
    /// Only of this symbol.
    symbol: Option<String>,
    /// Their length, not shorter than the feed keeps them.
    #[param(pattern = "^(1s|1m|5m|15m|1h|1d|1mo)$")]
    interval: Option<String>,
    /// Only from this time on: a day, or RFC 3339.
    #[param(example = "2026-01-31")]
    from: Option<String>,
    /// Only before this time.
    #[param(example = "2026-02-01T00:00:00Z")]
    to: Option<String>,
    /// `json` or `csv`; else what `Accept` says, else JSON.
    #[param(inline)]
    format: Option<Format>,
    /// At most so many; all when left out.
    #[param(minimum = 1, maximum = 100000)]
    limit: Option<usize>,
    /// Goes on behind a page: its `next`.
    #[param(pattern = "^([0-9a-f]{2})+$")]
    next: Option<String>,
}

/// The bars that trades came to.
#[utoipa::path(get, path = "/bars", tag = "results", operation_id = "getBars", params(Bars), responses(
    (status = 200, description = "Bars by symbol and start.", content((BarsPage = "application/json"), (String = "text/csv"))),
    BadRequest, NotFound, Unprocessable))]
pub(super) async fn bars(
    State(service): State<Arc<Service>>,
    Asked(asked): Asked<Bars>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let interval = asked.interval.as_deref().map(str::parse::<Interval>).transpose();
    let interval =
        interval.map_err(|error| Problem::bad("bad_query", error).hint("ask for 1m, 5m, 15m, 1h, 1d or 1mo"))?;
    let filter = Filter {
        name: asked.symbol.map(String::into_bytes),
        from: time(asked.from.as_deref(), times::instant)?,
        to: time(asked.to.as_deref(), times::instant)?,
        currency: None,
        status: None,
    };
    let page = Page::new("bars", asked.format, &headers, asked.limit, asked.next.as_deref())?;
    let feed = asked.feed.unwrap_or_else(|| "files".to_owned());
    folded(&service, Fold { feed, interval, filter, heading: aggregates::BAR }, page).await
}

/// Which totals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Totals {
    /// The feed.
    #[param(default = "transactions")]
    feed: Option<String>,
    /// Only of this merchant.
    merchant: Option<String>,
    /// Only in this currency.
    currency: Option<String>,
    /// Only with this status.
    status: Option<String>,
    /// Only from this day on.
    #[param(example = "2026-01-31")]
    from: Option<String>,
    /// Only before this day.
    #[param(example = "2026-02-01")]
    to: Option<String>,
    /// `json` or `csv`; else what `Accept` says, else JSON.
    #[param(inline)]
    format: Option<Format>,
    /// At most so many; all when left out.
    #[param(minimum = 1, maximum = 100000)]
    limit: Option<usize>,
    /// Goes on behind a page: its `next`.
    #[param(pattern = "^([0-9a-f]{2})+$")]
    next: Option<String>,
}

/// The totals that transactions came to.
#[utoipa::path(get, path = "/totals", tag = "results", operation_id = "getTotals", params(Totals), responses(
    (status = 200, description = "Totals by currency, status, merchant and day.",
        content((TotalsPage = "application/json"), (String = "text/csv"))),
    BadRequest, NotFound, Unprocessable))]
pub(super) async fn totals(
    State(service): State<Arc<Service>>,
    Asked(asked): Asked<Totals>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = Filter {
        name: asked.merchant.map(String::into_bytes),
        from: time(asked.from.as_deref(), times::day)?,
        to: time(asked.to.as_deref(), times::day)?,
        currency: asked.currency,
        status: asked.status,
    };
    let page = Page::new("totals", asked.format, &headers, asked.limit, asked.next.as_deref())?;
    let feed = asked.feed.unwrap_or_else(|| "transactions".to_owned());
    folded(&service, Fold { feed, interval: None, filter, heading: aggregates::TOTAL }, page).await
}

fn time(text: Option<&str>, parse: fn(&str) -> Result<i64, String>) -> Result<Option<i64>, Problem> {
    text.map(parse).transpose().map_err(|error| Problem::bad("bad_query", error).hint("write a day or RFC 3339"))
}

/// How much of a list is wanted, and how.
struct Page {
    name: &'static str,
    json: bool,
    limit: Option<usize>,
    after: Option<Vec<u8>>,
}

impl Page {
    fn new(
        name: &'static str,
        format: Option<Format>,
        headers: &HeaderMap,
        limit: Option<usize>,
        next: Option<&str>,
    ) -> Result<Self, Problem> {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let json = match format {
            Some(format) => format == Format::Json,
            None => !accept.contains("text/csv") || accept.contains("application/json"),
        };
        let limit = limit.map(|limit| super::files::limited(limit, ANSWER_ENTRIES_MAX)).transpose()?;
        Ok(Self { name, json, limit, after: next.map(place).transpose()? })
    }

    fn kind(&self) -> &'static str {
        if self.json { "application/json" } else { "text/csv" }
    }
}

/// A list on its way out.
struct List<'w> {
    to: &'w mut Writer,
    page: Page,
    given: usize,
    last: Vec<u8>,
    is_cut: bool,
}

impl<'w> List<'w> {
    fn begin(to: &'w mut Writer, page: Page, heading: &str) -> Result<Self, Problem> {
        let begun = if page.json { write!(to, "{{\"{}\":[", page.name) } else { writeln!(to, "{heading}") };
        begun.map_err(gone)?;
        Ok(Self { to, page, given: 0, last: Vec::new(), is_cut: false })
    }

    /// Takes an entry that stands at `place`, unless the page is full.
    fn push(&mut self, place: Vec<u8>, entry: &[u8]) -> std::io::Result<ControlFlow<()>> {
        if self.page.limit.is_some_and(|limit| self.given >= limit) {
            self.is_cut = true;
            return Ok(ControlFlow::Break(()));
        }
        if self.page.json && self.given > 0 {
            self.to.write_all(b",\n")?;
        }
        self.to.write_all(entry)?;
        if !self.page.json {
            self.to.write_all(b"\n")?;
        }
        (self.given, self.last) = (self.given + 1, place);
        Ok(ControlFlow::Continue(()))
    }

    fn end(self) -> Result<(), Problem> {
        let next = if self.is_cut { format!("\"{}\"", mark(&self.last)) } else { "null".to_owned() };
        let ended = if self.page.json { write!(self.to, "],\"next\":{next}}}") } else { Ok(()) };
        ended.map_err(gone)
    }
}

struct Fold {
    feed: String,
    interval: Option<Interval>,
    filter: Filter,
    heading: &'static str,
}

async fn folded(service: &Arc<Service>, fold: Fold, page: Page) -> Result<Response, Problem> {
    let feed = declared(&service.engine, &fold.feed)?;
    if let Some((what, hint)) = aggregates::no_such_aggregates(feed, fold.heading) {
        return Err(Problem::refused("no_answer", what).hint(hint));
    }
    let is_market = feed.preset == Preset::Market;
    let engine = service.engine.clone();
    let answer = stream::answer(page.kind(), move |to| {
        let Fold { feed, interval, filter, heading } = fold;
        let asked = aggregates::Asked { feed: &feed, interval, filter, json: page.json, heading };
        let mut list = List::begin(to, page, heading)?;
        let mut failed = None;
        aggregates::each(&asked, &engine, |aggregate, line| {
            let place = place_of(aggregate, is_market);
            if list.page.after.as_ref().is_some_and(|after| place <= *after) {
                return ControlFlow::Continue(());
            }
            list.push(place, line).unwrap_or_else(|error| {
                failed = Some(gone(error));
                ControlFlow::Break(())
            })
        })?;
        failed.map_or(Ok(()), Err)?;
        list.end()
    });
    Ok(answer.await)
}

fn declared<'e>(engine: &'e Engine, name: &str) -> Result<&'e Declared, Problem> {
    engine.pipeline().feeds.named(name).ok_or_else(|| no_such_feed(engine, name))
}

/// There is no such feed, but others.
pub(super) fn no_such_feed(engine: &Engine, name: &str) -> Problem {
    let known: Vec<&str> = engine.pipeline().feeds.iter().map(|feed| feed.name.as_str()).collect();
    Problem::no_such_feed(name, &known)
}

/// Bytes that compare as the entries of a list are sorted. No name has a NUL.
fn place_of(aggregate: &Aggregate<'_>, is_market: bool) -> Vec<u8> {
    let parts = match &aggregate.of {
        Of::Bar { symbol, start, .. } if is_market => vec![escaped(symbol), sortable(*start)],
        Of::Bar { symbol, start, traded } => {
            vec![u8::from(*traded).to_string(), (*symbol).to_owned(), sortable(*start)]
        }
        Of::Total { currency, status, merchant, day } => {
            let day = sortable(i64::from(*day));
            vec![(*currency).to_owned(), (*status).to_owned(), (*merchant).to_owned(), day]
        }
    };
    parts.join("\0").into_bytes()
}

/// Which transactions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Transactions {
    /// The feed.
    #[param(default = "transactions")]
    feed: Option<String>,
    /// Only of this id.
    id: Option<String>,
    /// Only of this merchant.
    merchant: Option<String>,
    /// Only in this currency.
    currency: Option<String>,
    /// Only with this status.
    status: Option<String>,
    /// Only from this time on: a day, or RFC 3339.
    #[param(example = "2026-01-31")]
    from: Option<String>,
    /// Only before this time.
    #[param(example = "2026-02-01")]
    to: Option<String>,
    /// `json` or `csv`; else what `Accept` says, else JSON.
    #[param(inline)]
    format: Option<Format>,
    /// At most so many; all when left out.
    #[param(minimum = 1, maximum = 100000)]
    limit: Option<usize>,
    /// Goes on behind a page: its `next`.
    #[param(pattern = "^([0-9a-f]{2})+$")]
    next: Option<String>,
}

/// Transactions, in the order of the files and of their rows.
#[utoipa::path(get, path = "/transactions", tag = "results", operation_id = "getTransactions", params(Transactions),
    responses((status = 200, description = "Transactions.",
        content((TransactionsPage = "application/json"), (String = "text/csv"))), BadRequest, NotFound, Unprocessable))]
pub(super) async fn transactions(
    State(service): State<Arc<Service>>,
    Asked(asked): Asked<Transactions>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = Page::new("transactions", asked.format, &headers, asked.limit, asked.next.as_deref())?;
    let before = page.after.as_deref().map(|place| std::str::from_utf8(place).ok()?.parse::<u64>().ok());
    let before = match before {
        Some(None) => return Err(Problem::bad("bad_mark", "this is not a mark of this list").hint("leave `next` out")),
        before => before.flatten().unwrap_or(0),
    };
    let wanted = query::Transactions {
        id: asked.id,
        merchant: asked.merchant,
        currency: asked.currency,
        status: asked.status,
        from: time(asked.from.as_deref(), times::instant)?,
        to: time(asked.to.as_deref(), times::instant)?,
    };
    let feed = asked.feed.unwrap_or_else(|| "transactions".to_owned());
    if declared(&service.engine, &feed)?.preset != Preset::Transactions {
        let detail = format!("feed `{feed}` has no transactions");
        return Err(Problem::refused("no_answer", detail).hint("name a feed of preset transactions"));
    }
    let engine = service.engine.clone();
    let answer = stream::answer(page.kind(), move |to| {
        let mut list = List::begin(to, page, transactions::HEADING)?;
        let ports = engine.ports();
        let at = At { objects: &ports, ledger: &ports, now: runtime::now() };
        let feed = engine.pipeline().feeds.named(&feed).ok_or_else(|| no_such_feed(&engine, &feed))?;
        let (mut seen, mut failed, mut line) = (0_u64, None, Vec::new());
        let each = |transaction: Transaction| {
            seen += 1;
            if seen <= before {
                return ControlFlow::Continue(());
            }
            line.clear();
            let written = transactions::write(&transaction, list.page.json, &mut line).map_err(Problem::from);
            let entry = line.trim_ascii_end();
            let pushed = written.and_then(|()| list.push(seen.to_string().into_bytes(), entry).map_err(gone));
            pushed.unwrap_or_else(|problem| {
                failed = Some(problem);
                ControlFlow::Break(())
            })
        };
        query::transactions(at, feed, &wanted, each)?;
        failed.map_or(Ok(()), Err)?;
        list.end()
    });
    Ok(answer.await)
}
