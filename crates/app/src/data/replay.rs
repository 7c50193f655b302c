//! `millrace replay`: files begun anew, or what that would change.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use engine::pipeline::find::{self, Wanted};
use engine::pipeline::object::ReceiptId;
use engine::pipeline::receipt::{Account, Receipt};
use engine::pipeline::replay;
use engine::runtime::Engine;
use serde_json::json;

use super::run::{code_of, settle};
use super::{Out, Place, files, status};
use crate::size;

/// Arguments of `millrace replay`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// Files by key, bucket/key, receipt id, upload id or sha256.
    #[arg(value_name = "NAME", required_unless_present_any = ["feed", "all"])]
    names: Vec<String>,
    /// All files of this feed.
    #[arg(long, value_name = "NAME", conflicts_with = "names")]
    feed: Option<String>,
    /// All files of all feeds.
    #[arg(long, conflicts_with_all = ["names", "feed"])]
    all: bool,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object per file.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn works(&self) -> bool {
        !self.dry_run
    }
}

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let chosen = replay::replayable(chosen(arguments, engine)?);
    if arguments.dry_run {
        return look(arguments, engine, &chosen, out);
    }
    for receipt in &chosen {
        engine.replay(&receipt.id())?;
    }
    let ids: Vec<ReceiptId> = chosen.iter().map(Receipt::id).collect();
    settle(engine, &ids, Duration::from_secs(24 * 60 * 60))?;
    let mut after = Vec::new();
    for id in &ids {
        after.extend(find::by_id(&engine.ports(), id)?);
    }
    if arguments.json {
        for receipt in &after {
            writeln!(out.data, "{}", serde_json::to_string(&receipt.view())?)?;
        }
    } else {
        files::print(&after, out.page)?;
    }
    Ok(code_of(after.iter().map(Receipt::outcome)))
}

fn chosen(arguments: &Arguments, engine: &Engine) -> Result<Vec<Receipt>> {
    if !arguments.names.is_empty() {
        return arguments.names.iter().map(|name| Ok(status::find(engine, name)?.receipt)).collect();
    }
    let wanted = Wanted { feed: arguments.feed.clone(), ..Wanted::default() };
    let (files, _) = find::list(&engine.ports(), &wanted, None, usize::MAX)?;
    Ok(files)
}

fn look(arguments: &Arguments, engine: &Engine, chosen: &[Receipt], out: &mut Out<'_>) -> Result<ExitCode> {
    let mut changed = 0;
    for receipt in chosen {
        let preview = engine.with_call(|pipeline, call| replay::preview(pipeline, call, receipt))?;
        changed += u64::from(preview.changes);
        if arguments.json {
            writeln!(out.data, "{}", json!(preview))?;
            continue;
        }
        let said = |account: &Account| match &account.refused {
            Some(refused) => format!("refused: {}", refused.message),
            None => {
                let counts = &account.counts;
                let [rows, good, rejected, duplicate] =
                    [counts.rows, counts.good, counts.rejected, counts.duplicate].map(size::count);
                format!("{rows} rows = {good} good + {rejected} rejected + {duplicate} duplicate")
            }
        };
        if preview.changes {
            writeln!(out.page, "{}", preview.file_id)?;
            writeln!(out.page, "  now    {}", preview.before.as_ref().map_or_else(|| "-".to_owned(), said))?;
            writeln!(out.page, "  would  {}", said(&preview.after))?;
        }
    }
    let (files, changed) = (size::count(chosen.len() as u64), size::count(changed));
    writeln!(out.notes, "{changed} of {files} files would change; nothing was written")?;
    Ok(ExitCode::SUCCESS)
}
