//! `millrace replay`: files begun anew, or what that would change.

use std::collections::BTreeSet;
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

use super::files::FILES_AT_ONCE;
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
    let chosen = chosen(arguments, engine)?;
    if arguments.dry_run {
        return look(arguments, engine, &chosen, out);
    }
    if chosen.is_empty() {
        files::tell(&[], arguments.json, true, out)?;
    }
    let mut outcomes = BTreeSet::new();
    // a file that comes meanwhile waits for some of them, not for all
    for (number, some) in chosen.chunks(FILES_AT_ONCE).enumerate() {
        some.iter().try_for_each(|id| engine.replay(id))?;
        settle(engine, some, Duration::from_secs(24 * 60 * 60))?;
        let mut after = Vec::new();
        for id in some {
            after.extend(find::by_id(&engine.ports(), id)?);
        }
        outcomes.extend(after.iter().map(Receipt::outcome));
        files::tell(&after, arguments.json, number == 0, out)?;
    }
    Ok(code_of(outcomes.into_iter()))
}

/// The files that are to be begun anew, the oldest first: of each its place and its id, some 200 bytes.
fn chosen(arguments: &Arguments, engine: &Engine) -> Result<Vec<ReceiptId>> {
    let mut chosen = Vec::new();
    let mut choose = |files: &[Receipt]| {
        let those = files.iter().filter(|receipt| replay::is_for(receipt));
        chosen.extend(those.map(|receipt| (receipt.arrival().order(), receipt.id())));
    };
    for name in &arguments.names {
        choose(&[status::find(engine, name)?.receipt]);
    }
    let wanted = Wanted { feed: arguments.feed.clone(), ..Wanted::default() };
    let (mut is_more, mut mark) = (arguments.names.is_empty(), None);
    while is_more {
        let (files, next) = find::list(&engine.ports(), &wanted, mark.as_deref(), FILES_AT_ONCE)?;
        choose(&files);
        (is_more, mark) = (next.is_some(), next);
    }
    chosen.sort_unstable();
    Ok(chosen.into_iter().map(|(_, id)| id).collect())
}

fn look(arguments: &Arguments, engine: &Engine, chosen: &[ReceiptId], out: &mut Out<'_>) -> Result<ExitCode> {
    let mut changed = 0;
    for id in chosen {
        let Some(receipt) = find::by_id(&engine.ports(), id)? else { continue };
        let preview = engine.with_call(|pipeline, call| replay::preview(pipeline, call, &receipt))?;
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
