//! `millrace run`: files through the whole pipeline, on this machine.

mod intake;
mod show;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use engine::pipeline::find;
use engine::pipeline::object::ReceiptId;
use engine::pipeline::preset::{Preset, Stage};
use engine::pipeline::receipt::{Outcome, Receipt};
use engine::runtime::{Engine, Watcher};

use super::{Out, Place};
use crate::complain::Hint;
use intake::Intake;
use show::Show;

/// Arguments of `millrace run`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// Files to take: CSV, NDJSON, JSON, Parquet or Arrow, plain or packed with gzip, zstd or zip. Without any, what
    /// waits since the last run is worked off.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The feed they belong to; without it, their header decides between the default feeds `files` and `transactions`.
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// What their keys begin with, before the name of the file.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Keep taking files that appear in this folder, until interrupted. A file is taken when it was renamed into it, or
    /// has not changed for a while, and is moved to `taken/` in it once it is safe.
    #[arg(long, value_name = "DIR")]
    watch: Option<PathBuf>,
    /// For how long a file in a watched folder must not have changed.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, requires = "watch")]
    settle: f64,
    /// Print the receipt of each file as JSON when it is at its end.
    #[arg(long)]
    json: bool,
}

/// Files that are looked at to see whether they wait for the clock.
const TICKED_MAX: usize = 16;

/// How often the table is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(150);

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let mut following = Following::new(engine, arguments.json, out.is_watched);
    let mut intake = Intake::new(engine, arguments.feed.clone(), arguments.prefix.clone())?;
    let files: Vec<PathBuf> = arguments.files.iter().map(|file| out.path(file)).collect();
    intake::must_differ(&files)?;
    let mut failed = false;
    for file in &files {
        match intake.take(file, &mut |copied, total| following.copies(file, copied, total, out)) {
            Ok(placed) => following.add(placed, out)?,
            Err(error) if files.len() > 1 => {
                crate::complain::tell(out.notes, &error)?;
                failed = true;
            }
            Err(error) => return Err(error),
        }
    }
    following.add(intake.settle()?, out)?;
    if files.is_empty() {
        following.waiting.extend(find::open(&engine.ports(), None)?.into_iter().map(|(_, id)| id));
    }
    if let Some(folder) = &arguments.watch {
        let folder = out.path(folder);
        watch::run(&folder, Duration::from_secs_f64(arguments.settle.max(0.0)), &mut intake, &mut following, out)?;
    }
    following.follow_up(out)?;
    Ok(if failed { ExitCode::FAILURE } else { code_of(following.ended.iter().map(|receipt| receipt.outcome())) })
}

/// The exit code that says how files ended.
pub(super) fn code_of(outcomes: impl Iterator<Item = Outcome>) -> ExitCode {
    let outcomes: BTreeSet<Outcome> = outcomes.collect();
    if outcomes.contains(&Outcome::Failed) || outcomes.contains(&Outcome::InProgress) {
        return ExitCode::FAILURE;
    }
    let refused = [Outcome::CompletedWithRejects, Outcome::Rejected];
    if refused.iter().any(|outcome| outcomes.contains(outcome)) { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

/// Waits until files are at their end.
pub(super) fn settle(engine: &Engine, files: &[ReceiptId], patience: Duration) -> Result<()> {
    let watcher = engine.live().watch();
    let mut waiting: BTreeSet<ReceiptId> = files.iter().cloned().collect();
    let until = Instant::now() + patience;
    let mut look: Vec<ReceiptId> = files.to_vec();
    let mut ticker = Ticker::default();
    while !waiting.is_empty() {
        for id in look.iter().filter(|id| waiting.contains(*id)).cloned().collect::<Vec<_>>() {
            let receipt = find::by_id(&engine.ports(), &id)?;
            if receipt.is_none_or(|receipt| is_over(engine, &receipt)) {
                waiting.remove(&id);
            }
        }
        if Instant::now() > until {
            return Err(Hint::new(format!("{} files are not done yet", waiting.len()), "ask later").into());
        }
        look = watcher.touched(Duration::from_millis(200));
        if look.is_empty() {
            ticker.tick(engine, waiting.iter())?;
            look = waiting.iter().cloned().collect();
        }
    }
    Ok(())
}

/// Whether nothing more happens to a file by itself.
fn is_over(engine: &Engine, receipt: &Receipt) -> bool {
    match receipt.outcome() {
        Outcome::InProgress => engine.blocked_by(receipt).ok().flatten().is_some(),
        Outcome::Failed => true,
        _ => true,
    }
}

/// Has `market` aggregate when files wait for nothing else: nobody wants to wait for the clock.
#[derive(Default)]
struct Ticker {
    last: Option<Instant>,
}

impl Ticker {
    fn tick<'i>(&mut self, engine: &Engine, waiting: impl Iterator<Item = &'i ReceiptId>) -> Result<()> {
        if self.last.is_some_and(|last| last.elapsed() < Duration::from_millis(500)) {
            return Ok(());
        }
        for id in waiting {
            let receipt = find::by_id(&engine.ports(), id)?;
            let waits =
                |receipt: &Receipt| receipt.arrival().preset == Preset::Market && receipt.is_done(Stage::Process);
            if receipt.as_ref().is_some_and(waits) {
                engine.tick()?;
                self.last = Some(Instant::now());
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Files on their way, followed until they are at their end.
struct Following<'e> {
    engine: &'e Engine,
    watcher: Watcher,
    waiting: BTreeSet<ReceiptId>,
    ended: Vec<Receipt>,
    show: Show,
    json: bool,
    ticker: Ticker,
    drawn: Instant,
    began: Instant,
    bytes: u64,
}

impl<'e> Following<'e> {
    fn new(engine: &'e Engine, json: bool, is_watched: bool) -> Self {
        Self {
            engine,
            watcher: engine.live().watch(),
            waiting: BTreeSet::new(),
            ended: Vec::new(),
            show: Show::new(is_watched),
            json,
            ticker: Ticker::default(),
            drawn: Instant::now(),
            began: Instant::now(),
            bytes: 0,
        }
    }

    /// A file is copied in.
    fn copies(&mut self, file: &std::path::Path, copied: u64, total: u64, out: &mut Out<'_>) {
        self.show.copies(file, copied, total);
        if self.drawn.elapsed() >= DRAW_EVERY {
            // a screen that is gone is no reason to stop
            let _ = self.show.draw(self.engine, self.waiting.len(), &self.ended, out.notes);
            self.drawn = Instant::now();
        }
    }

    /// Files are safe.
    fn add(&mut self, placed: Vec<engine::runtime::Placed>, out: &mut Out<'_>) -> Result<()> {
        for placed in placed {
            self.bytes += placed.bytes;
            self.waiting.extend(placed.receipt);
        }
        self.look(Duration::ZERO, out)
    }

    /// Sees what was done since the last look, and tells it.
    fn look(&mut self, patience: Duration, out: &mut Out<'_>) -> Result<()> {
        for id in self.watcher.touched(patience) {
            if self.waiting.contains(&id) {
                self.see(&id, out)?;
            }
        }
        if self.drawn.elapsed() >= DRAW_EVERY {
            self.show.draw(self.engine, self.waiting.len(), &self.ended, out.notes)?;
            self.drawn = Instant::now();
        }
        Ok(())
    }

    fn see(&mut self, id: &ReceiptId, out: &mut Out<'_>) -> Result<()> {
        let Some(receipt) = find::by_id(&self.engine.ports(), id)? else { return Ok(()) };
        if !is_over(self.engine, &receipt) {
            return Ok(());
        }
        self.waiting.remove(id);
        if self.json {
            writeln!(out.data, "{}", serde_json::to_string(&receipt.view())?)?;
            out.data.flush()?;
        } else {
            self.show.ended(&receipt, out.notes)?;
        }
        self.ended.push(receipt);
        Ok(())
    }

    /// Has what waits for the clock only be done.
    fn tick(&mut self) -> Result<()> {
        self.ticker.tick(self.engine, self.waiting.iter().take(TICKED_MAX))
    }

    /// Waits for all files, then says what became of them.
    fn follow_up(&mut self, out: &mut Out<'_>) -> Result<()> {
        let mut quiet = Instant::now();
        while !self.waiting.is_empty() {
            let before = self.ended.len();
            self.look(DRAW_EVERY, out)?;
            if self.ended.len() > before {
                quiet = Instant::now();
            }
            if quiet.elapsed() > Duration::from_millis(300) {
                self.ticker.tick(self.engine, self.waiting.iter())?;
                for id in self.waiting.clone() {
                    self.see(&id, out)?;
                }
                quiet = Instant::now();
            }
        }
        self.show.clear(out.notes)?;
        if !self.json {
            self.show.summary(&mut self.ended, self.bytes, self.began.elapsed(), out)?;
        }
        Ok(())
    }
}
