//! `millrace files`: all files, the newest first.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use engine::pipeline::find::{self, Wanted};
use engine::pipeline::preset::Preset;
use engine::pipeline::receipt::{Outcome, Receipt};
use engine::runtime::Engine;

use super::aggregates::feed;
use super::{Out, Place, status, times};
use crate::size;
use crate::table::{self, Cell};

/// Arguments of `millrace files`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// Only of this feed.
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Only of this preset.
    #[arg(long)]
    preset: Option<PresetName>,
    /// Only with this outcome.
    #[arg(long)]
    outcome: Option<OutcomeName>,
    /// Only with keys that begin so.
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
    /// Go on behind a page: what it said at its end.
    #[arg(long, value_name = "MARK")]
    after: Option<String>,
    /// Print one JSON object per file.
    #[arg(long)]
    json: bool,
}

/// A preset as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PresetName {
    Files,
    Market,
    Transactions,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Files => Self::Files,
            PresetName::Market => Self::Market,
            PresetName::Transactions => Self::Transactions,
        }
    }
}

/// An outcome as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum OutcomeName {
    InProgress,
    Failed,
    Completed,
    CompletedWithRejects,
    Rejected,
    Duplicate,
    Superseded,
}

impl From<OutcomeName> for Outcome {
    fn from(name: OutcomeName) -> Self {
        match name {
            OutcomeName::InProgress => Self::InProgress,
            OutcomeName::Failed => Self::Failed,
            OutcomeName::Completed => Self::Completed,
            OutcomeName::CompletedWithRejects => Self::CompletedWithRejects,
            OutcomeName::Rejected => Self::Rejected,
            OutcomeName::Duplicate => Self::Duplicate,
            OutcomeName::Superseded => Self::Superseded,
        }
    }
}

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let wanted = Wanted {
        feed: arguments.feed.clone(),
        preset: arguments.preset.map(Into::into),
        outcome: arguments.outcome.map(Into::into),
        key_prefix: arguments.prefix.clone(),
    };
    let (mut left, mut mark, mut is_first) = (arguments.limit, arguments.after.clone(), true);
    loop {
        let (files, next) = find::list(&engine.ports(), &wanted, mark.as_deref(), left.min(FILES_AT_ONCE))?;
        if let Some(name) = arguments.feed.as_deref().filter(|_| is_first && files.is_empty()) {
            // one that is not declared any more may have files
            feed(engine, name)?;
        }
        if is_first || !files.is_empty() {
            tell(&files, arguments.json, is_first, out)?;
        }
        (left, mark, is_first) = (left.saturating_sub(files.len()), next, false);
        if left == 0 || mark.is_none() {
            break;
        }
    }
    if let Some(mark) = mark {
        writeln!(out.notes, "more: --after {mark}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Files that are in memory at a time.
pub(super) const FILES_AT_ONCE: usize = 100;

/// Writes some files of many, as a part of a table or a line of JSON each.
pub(super) fn tell(files: &[Receipt], as_json: bool, is_first: bool, out: &mut Out<'_>) -> Result<()> {
    if !as_json {
        return Ok(print_part(files, is_first, out.page)?);
    }
    for receipt in files {
        writeln!(out.data, "{}", serde_json::to_string(&receipt.view())?)?;
    }
    Ok(())
}

/// A table of files, with the rows of each.
pub(super) fn print(files: &[Receipt], to: &mut dyn Write) -> std::io::Result<()> {
    print_part(files, true, to)
}

fn print_part(files: &[Receipt], is_first: bool, to: &mut dyn Write) -> std::io::Result<()> {
    let row = |receipt: &Receipt| -> Vec<Cell> {
        let arrival = receipt.arrival();
        let counts = receipt.account().map(|account| account.counts.clone());
        let number = |count: Option<u64>| Cell::from(count.map_or_else(|| "-".to_owned(), size::count));
        let (said, style) = status::word(receipt.outcome());
        vec![
            arrival.object.key.clone().into(),
            Cell::styled(said, style),
            number(counts.as_ref().map(|counts| counts.rows)),
            number(counts.as_ref().map(|counts| counts.good)),
            number(counts.as_ref().map(|counts| counts.rejected)),
            number(counts.as_ref().map(|counts| counts.duplicate)),
            arrival.feed.as_str().into(),
            times::clock(arrival.at).into(),
            receipt.id().as_str().into(),
        ]
    };
    let heading = ["file", "outcome", ">rows", ">good", ">rejected", ">duplicate", "feed", "received (UTC)", "receipt"];
    table::print_part(to, &heading, &files.iter().map(row).collect::<Vec<_>>(), is_first)
}
