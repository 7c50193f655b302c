//! What a person sees of a run: a table that moves while files are on their way, a line for each at its end, and what all of
//! them came to.

use std::io::{Result, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use engine::pipeline::receipt::{Counts, Outcome, Receipt};
use engine::runtime::Engine;

use super::super::{Out, files, status, times};
use crate::size;
use crate::table::{self, Cell};

const CYAN: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

/// Files that the moving table has at most.
const ROWS_MAX: usize = 12;
/// Files that the table at the end has at most; more are counted only.
const FILES_MAX: usize = 40;

/// What a person sees.
pub(super) struct Show {
    is_watched: bool,
    /// Lines of the moving table that are on the screen.
    lines: usize,
    copying: Option<(PathBuf, u64, u64)>,
}

impl Show {
    pub(super) fn new(is_watched: bool) -> Self {
        Self { is_watched, lines: 0, copying: None }
    }

    pub(super) fn copies(&mut self, file: &Path, copied: u64, total: u64) {
        self.copying = (copied < total).then(|| (file.to_path_buf(), copied, total));
    }

    /// Takes the moving table from the screen.
    pub(super) fn clear(&mut self, to: &mut dyn Write) -> Result<()> {
        if self.lines > 0 {
            write!(to, "\u{1b}[{}A\u{1b}[J", self.lines)?;
            self.lines = 0;
        }
        to.flush()
    }

    /// Draws the moving table anew.
    pub(super) fn draw(
        &mut self,
        engine: &Engine,
        waiting: usize,
        ended: &[Receipt],
        to: &mut dyn Write,
    ) -> Result<()> {
        if !self.is_watched {
            return Ok(());
        }
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        if let Some((file, copied, total)) = &self.copying {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let empty = || Cell::from("");
            let copying = Cell::styled("copying", CYAN);
            rows.push(vec![name.into(), copying, share(*copied, *total), empty(), empty(), empty(), empty()]);
        }
        for (id, working) in engine.live().working() {
            let Ok(Some(receipt)) = engine::pipeline::find::by_id(&engine.ports(), &id) else { continue };
            let stage = format!("{:?}", working.stage).to_lowercase();
            let read = working.bytes();
            let seconds = working.since.elapsed().as_secs_f64().max(0.001);
            let speed = read.map(|(read, _)| format!("{}/s", size::bytes((read as f64 / seconds) as u64)));
            // known once it was validated
            let counts = receipt.account().map(|account| &account.counts);
            let number =
                |of: fn(&Counts) -> u64| Cell::from(counts.map(|counts| size::count(of(counts))).unwrap_or_default());
            rows.push(vec![
                receipt.arrival().object.key.clone().into(),
                Cell::styled(stage, CYAN),
                read.map_or_else(|| "".into(), |(read, total)| share(read, total)),
                speed.unwrap_or_default().into(),
                number(|counts| counts.rows),
                number(|counts| counts.rejected + counts.duplicate),
                times::span(working.since.elapsed().as_millis() as u64).into(),
            ]);
        }
        let hidden = rows.len().saturating_sub(ROWS_MAX);
        rows.truncate(ROWS_MAX);
        self.clear(to)?;
        let mut text = Vec::new();
        if !rows.is_empty() {
            table::print(&mut text, &["file", "stage", ">read", ">speed", ">rows", ">refused", ">for"], &rows)?;
        }
        let (done, left) = (size::count(ended.len() as u64), size::count(waiting as u64));
        let more = if hidden > 0 { format!(", {hidden} more at work") } else { String::new() };
        writeln!(text, "{DIM}{done} files done, {left} to go{more}{DIM:#}")?;
        self.lines = text.iter().filter(|byte| **byte == b'\n').count();
        to.write_all(&text)?;
        to.flush()
    }

    /// A file is at its end.
    pub(super) fn ended(&mut self, receipt: &Receipt, to: &mut dyn Write) -> Result<()> {
        if self.is_watched {
            return Ok(());
        }
        let (said, _) = status::word(receipt.outcome());
        writeln!(to, "{}  {said}", receipt.arrival().object.key)
    }

    /// What all files came to.
    pub(super) fn summary(
        &mut self,
        ended: &mut [Receipt],
        bytes: u64,
        took: Duration,
        out: &mut Out<'_>,
    ) -> anyhow::Result<()> {
        if ended.is_empty() {
            return Ok(());
        }
        ended.sort_by_cached_key(|receipt| receipt.arrival().order());
        files::print(&ended[..ended.len().min(FILES_MAX)], out.page)?;
        if ended.len() > FILES_MAX {
            let more = size::count((ended.len() - FILES_MAX) as u64);
            writeln!(out.page, "{DIM}and {more} more; `millrace files` lists all{DIM:#}")?;
        }
        why(ended, out)?;
        let rows: u64 = ended.iter().filter_map(|receipt| Some(receipt.account()?.counts.rows)).sum();
        let seconds = took.as_secs_f64().max(0.001);
        writeln!(
            out.notes,
            "{} files, {} rows, {} in {}: {:.0} files/s, {}/s",
            size::count(ended.len() as u64),
            size::count(rows),
            size::bytes(bytes),
            times::span(took.as_millis() as u64),
            ended.len() as f64 / seconds,
            size::bytes((bytes as f64 / seconds) as u64),
        )?;
        Ok(())
    }
}

/// Why files were refused or failed, and what to do next.
fn why(ended: &[Receipt], out: &mut Out<'_>) -> anyhow::Result<()> {
    let red = AnsiColor::Red.on_default();
    for receipt in ended.iter().filter(|receipt| receipt.outcome() == Outcome::Rejected).take(5) {
        let Some(refused) = receipt.account().and_then(|account| account.refused.as_ref()) else { continue };
        writeln!(out.notes, "{red}{}{red:#}: {}", receipt.arrival().object.key, refused.message)?;
        if !refused.hint.is_empty() {
            writeln!(out.notes, "  {CYAN}hint{CYAN:#}: {}", refused.hint)?;
        }
    }
    let first = |outcome| ended.iter().find(|receipt| receipt.outcome() == outcome);
    if let Some(receipt) = first(Outcome::CompletedWithRejects) {
        writeln!(out.notes, "{CYAN}next{CYAN:#}: `millrace rejects {}` shows why", receipt.arrival().object.key)?;
    }
    if first(Outcome::Failed).is_some() {
        writeln!(out.notes, "{CYAN}next{CYAN:#}: `millrace dead-letters list` says what failed")?;
    }
    Ok(())
}

fn share(part: u64, of: u64) -> Cell {
    part.saturating_mul(100).checked_div(of).map_or_else(|| "".into(), |share| format!("{share} %").into())
}
