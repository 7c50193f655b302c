//! `millrace status`: where is my file, and what became of it?

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::Args;
use engine::pipeline::find::{self, Found};
use engine::pipeline::object::ReceiptId;
use engine::pipeline::receipt::{Account, Outcome, Receipt, View};
use engine::runtime::Engine;
use serde::Serialize;

use super::{Out, Place, times};
use crate::complain::Hint;
use crate::size;

/// Arguments of `millrace status`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// A file by its key, bucket/key, receipt id, upload id or sha256.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Print one JSON object per file.
    #[arg(long)]
    json: bool,
}

/// A receipt as JSON, with the other versions that have its name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    #[serde(flatten)]
    view: View<'a>,
    versions: &'a [engine::pipeline::object::ReceiptId],
}

const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// How an outcome is said and looks.
pub(super) fn word(outcome: Outcome) -> (&'static str, Style) {
    match outcome {
        Outcome::InProgress => ("in progress", CYAN),
        Outcome::Failed => ("failed", RED),
        Outcome::Completed => ("completed", GREEN),
        Outcome::CompletedWithRejects => ("completed with rejects", YELLOW),
        Outcome::Rejected => ("rejected", RED),
        Outcome::Duplicate => ("duplicate", DIM),
        Outcome::Superseded => ("superseded", DIM),
    }
}

/// The file of a name, or an error that says what to do.
pub(super) fn find(engine: &Engine, name: &str) -> Result<Found> {
    find::by_name(&engine.ports(), name)?.ok_or_else(|| {
        let hint = "give its key, bucket/key, receipt id, upload id or sha256; `millrace files` lists all";
        Hint::new(format!("no file is known as `{name}`"), hint).into()
    })
}

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    for name in &arguments.names {
        let Found { receipt, versions } = find(engine, name)?;
        if arguments.json {
            let by = engine.blocked_by(&receipt)?;
            writeln!(out.data, "{}", as_json(&Found { receipt, versions }, by.as_ref(), |_| true)?)?;
        } else {
            print(engine, &receipt, versions.len(), out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A receipt as it is told to somebody who may know of these others; they need not be asked about for nothing.
pub(crate) fn view_for(receipt: &Receipt, knows: impl Fn(&ReceiptId) -> bool) -> View<'_> {
    let mut view = receipt.view();
    for other in [&mut view.blocked_by, &mut view.duplicate_of, &mut view.supersedes, &mut view.superseded_by] {
        *other = other.filter(|id| knows(id));
    }
    if view.past.iter().filter_map(|past| past.because_of.as_ref()).any(|id| !knows(id)) {
        for past in view.past.to_mut() {
            past.because_of = past.because_of.take().filter(|id| knows(id));
        }
    }
    view
}

/// A receipt as JSON, here and in the API, as it is told to somebody who may know of these others. `by` is the file
/// that it waits for as the queues have it now.
pub(crate) fn as_json(found: &Found, by: Option<&ReceiptId>, knows: impl Fn(&ReceiptId) -> bool) -> Result<String> {
    let told = Told { view: view_for(&found.receipt, &knows), versions: &found.versions };
    let Some(by) = by.filter(|by| knows(by)) else { return Ok(serde_json::to_string(&told)?) };
    let mut view = serde_json::to_value(told)?;
    view["blockedBy"] = serde_json::Value::String(by.as_str().to_owned());
    Ok(view.to_string())
}

/// The file whose dead letter this one waits for, as the queues have it now.
fn waits_for(engine: &Engine, receipt: &Receipt) -> Result<Option<String>> {
    Ok(engine.blocked_by(receipt)?.map(|id| id.as_str().to_owned()))
}

fn print(engine: &Engine, receipt: &Receipt, versions: usize, out: &mut Out<'_>) -> Result<()> {
    let view = receipt.view();
    let (said, style) = word(receipt.outcome());
    writeln!(out.page, "{BOLD}{}{BOLD:#}  {style}{said}{style:#}", view.file_id)?;
    let status = serde_json::to_value(view.status)?;
    let mut line = |what: &str, said: String| writeln!(out.page, "  {DIM}{what:<13}{DIM:#}{said}");
    line("status", status.as_str().unwrap_or_default().to_owned())?;
    line("receipt", view.receipt_id.to_string())?;
    line("object", format!("{}/{} version {}", view.bucket_name, view.object_key, view.version_id))?;
    line("feed", format!("{} · preset {:?}", view.feed.as_str(), view.preset).to_lowercase())?;
    if versions > 1 {
        line("versions", format!("{versions} with this name; this is the newest"))?;
    }
    for (what, id) in
        [("duplicate of", view.duplicate_of), ("supersedes", view.supersedes), ("replaced by", view.superseded_by)]
    {
        if let Some(id) = id {
            line(what, id.to_string())?;
        }
    }
    if let Some(last) = view.past.last() {
        let times = if view.generation == 1 { "once".to_owned() } else { format!("{} times", view.generation) };
        let why = last.because_of.as_ref().map(|id| format!(", because of {id}")).unwrap_or_default();
        line("begun anew", format!("{times}, last at {}{why}", times::clock(last.until)))?;
    }
    if let Some(by) = waits_for(engine, receipt)? {
        line("waits for", format!("{by}, whose dead letter parks the feed"))?;
    }
    if let Some(account) = view.account {
        told(account, &mut line)?;
    }
    for stage in view.preset.stages() {
        let Some(progress) = view.stages.get(&stage) else { continue };
        let name = format!("{stage:?}").to_lowercase();
        let took = progress.began_at.zip(progress.ended_at).map(|(from, to)| times::span(to.saturating_sub(from)));
        let when = progress.began_at.or(progress.ended_at).map(times::clock).unwrap_or_default();
        let attempts =
            if progress.attempts > 1 { format!(" · {} attempts", progress.attempts) } else { String::new() };
        let took = took.map_or_else(|| " · under way".to_owned(), |took| format!(" · {took}"));
        let failed = progress.failure.as_ref().filter(|_| !receipt.is_done(stage));
        line(&name, format!("{when}{}{attempts}", if failed.is_some() { "" } else { &took }))?;
        if let Some(failure) = failed {
            line("", format!("{RED}attempt {}: {}{RED:#}", failure.attempt, failure.error))?;
        }
    }
    for (name, object) in &view.links {
        line(name, format!("{}/{}", object.bucket, object.key))?;
    }
    line("trace", view.trace_id.to_owned())?;
    Ok(())
}

fn told(account: &Account, line: &mut impl FnMut(&str, String) -> std::io::Result<()>) -> Result<()> {
    if let Some((contract, version)) = &account.contract {
        line("contract", format!("{contract} version {version}"))?;
    }
    line("bytes", format!("{} · sha256 {}", size::bytes(account.bytes), account.sha256))?;
    if let Some(refused) = &account.refused {
        line("refused", format!("{RED}{}{RED:#}: {}", refused.code, refused.message))?;
        if !refused.hint.is_empty() {
            line("", format!("{CYAN}hint{CYAN:#}: {}", refused.hint))?;
        }
        return Ok(());
    }
    let counts = &account.counts;
    let [rows, good, rejected, duplicate] =
        [counts.rows, counts.good, counts.rejected, counts.duplicate].map(size::count);
    line("rows", format!("{rows} = {good} good + {rejected} rejected + {duplicate} duplicate"))?;
    let mut reasons: Vec<(&String, &u64)> = account.reasons.iter().collect();
    reasons.sort_by(|left, right| right.1.cmp(left.1).then(left.0.cmp(right.0)));
    for (reason, rows) in reasons.iter().take(5) {
        line("", format!("{YELLOW}{}{YELLOW:#} {reason}", size::count(**rows)))?;
    }
    let drift = &account.drift;
    for (what, names) in [("unknown", &drift.unknown), ("missing", &drift.missing), ("moved", &drift.moved)] {
        if !names.is_empty() {
            line("drift", format!("{what}: {}", names.join(", ")))?;
        }
    }
    Ok(())
}
