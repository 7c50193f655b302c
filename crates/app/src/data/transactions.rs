//! `millrace transactions`: rows that can be queried, as CSV or JSON.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use engine::pipeline::query::{self, At, Transaction, Transactions};
use engine::runtime::{self, Engine};
use rows::csv;

use super::aggregates::feed;
use super::{Out, Place, errors, times};

/// Arguments of `millrace transactions`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// The feed.
    #[arg(long, value_name = "NAME", default_value = "transactions")]
    feed: String,
    /// Only of this id.
    #[arg(long)]
    id: Option<String>,
    /// Only of this merchant.
    #[arg(long)]
    merchant: Option<String>,
    /// Only in this currency.
    #[arg(long)]
    currency: Option<String>,
    /// Only with this status.
    #[arg(long)]
    status: Option<String>,
    /// Only from this time on: a day, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = times::instant)]
    from: Option<i64>,
    /// Only before this time.
    #[arg(long, value_name = "TIME", value_parser = times::instant)]
    to: Option<i64>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
    /// Print one JSON object per transaction.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let ports = engine.ports();
    let at = At { objects: &ports, ledger: &ports, now: runtime::now() };
    let Arguments { id, merchant, currency, status, from, to, .. } = arguments;
    let wanted = Transactions {
        id: id.clone(),
        merchant: merchant.clone(),
        currency: currency.clone(),
        status: status.clone(),
        from: *from,
        to: *to,
    };
    if !arguments.json {
        writeln!(out.data, "{HEADING}")?;
    }
    let (mut given, mut is_cut, mut written) = (0, false, Ok(()));
    let each = |transaction: Transaction| {
        if given == arguments.limit {
            is_cut = true;
            return ControlFlow::Break(());
        }
        given += 1;
        written = write(&transaction, arguments.json, out.data);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    query::transactions(at, feed(engine, &arguments.feed)?, &wanted, each).map_err(errors::refused)?;
    written?;
    if is_cut {
        writeln!(out.notes, "there are more than {given}; ask for less, or for more with --limit")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The cells of a transaction.
pub(crate) const HEADING: &str = "transaction_id,timestamp,amount,currency,merchant,status,line,receipt";

/// Writes one, with its line end.
pub(crate) fn write(transaction: &Transaction, json: bool, to: &mut dyn Write) -> Result<()> {
    if json {
        return Ok(writeln!(to, "{}", serde_json::to_string(transaction)?)?);
    }
    let Transaction { transaction_id, timestamp, amount, currency, merchant, status, receipt, line } = transaction;
    let mut row = Vec::new();
    let line = line.to_string();
    let cells = [transaction_id, timestamp, amount, currency, merchant, status, line.as_str(), receipt.as_str()];
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            row.push(b',');
        }
        csv::write_field(cell.as_bytes(), b',', &mut row);
    }
    row.push(b'\n');
    Ok(to.write_all(&row)?)
}
