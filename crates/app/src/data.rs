//! Commands on a data folder: files go in, and what became of them is asked.
//!
//! One process at a time has a data folder. While it has, it answers others through a door in the folder, so every command
//! works whether or not a `run` is at it.

pub(crate) mod aggregates;
pub(crate) mod config;
mod dead_letters;
mod doctor;
mod door;
pub(crate) mod errors;
pub(crate) mod files;
pub(crate) mod keys;
mod rejects;
pub(crate) mod replay;
mod run;
pub(crate) mod status;
pub(crate) mod times;
pub(crate) mod transactions;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use engine::runtime::{Engine, Found, Options};
use engine::store;

use crate::complain::Hint;
use crate::scratch::FileScratch;
use crate::size;

pub(crate) use errors::hint;

/// What can be asked of a data folder.
#[derive(Debug, Subcommand)]
pub(crate) enum Ask {
    /// Take files through the whole pipeline: validated, added up, and every row accounted for.
    Run(run::Arguments),
    /// Serve an HTTP API and an S3 door, and work on what comes in.
    Serve(Box<crate::serve::Arguments>),
    /// Show what became of a file.
    Status(status::Arguments),
    /// List files, the newest first.
    Files(files::Arguments),
    /// Show the refused rows of a file, or write them as the sender can mend them.
    Rejects(rejects::Arguments),
    /// Print the bars that trades came to.
    Bars(aggregates::Bars),
    /// Print the totals that transactions came to.
    Totals(aggregates::Totals),
    /// Print transactions.
    Transactions(transactions::Arguments),
    /// What could not be finished: list it, look at it, send it back or throw it away.
    DeadLetters(dead_letters::Arguments),
    /// Begin files anew, after their contract or the program was mended.
    Replay(replay::Arguments),
    /// Who may come in by the doors of `serve`: make keys, list them, revoke them.
    Keys(keys::Arguments),
    /// Look at the whole folder and say what is wrong.
    Doctor(doctor::Arguments),
}

/// Which data folder, and with which settings.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The data folder.
    #[arg(long, global = true, value_name = "DIR", default_value = "./millrace-data", env = "MILLRACE_DATA")]
    data: PathBuf,
    /// The settings with the feeds; without it `millrace.toml` in this folder, if there is one.
    #[arg(long, global = true, value_name = "FILE.toml", env = "MILLRACE_CONFIG")]
    config: Option<PathBuf>,
}

/// Where a command writes, and from where it was given.
pub(crate) struct Out<'a> {
    /// Data, every byte as it is.
    pub data: &'a mut (dyn Write + Send),
    /// Data for people, with colours that are left out where nobody sees them.
    pub page: &'a mut (dyn Write + Send),
    /// Everything else.
    pub notes: &'a mut (dyn Write + Send),
    /// Relative paths begin here.
    pub folder: PathBuf,
    /// Whether a person watches the notes.
    pub is_watched: bool,
    /// Whether whoever asked has gone away; one that works until told to stop ends then.
    pub gone: Arc<AtomicBool>,
}

impl Out<'_> {
    /// A path as the caller meant it.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }
}

impl Ask {
    fn place(&self) -> &Place {
        match self {
            Self::Run(arguments) => &arguments.place,
            Self::Serve(arguments) => &arguments.place,
            Self::Status(arguments) => &arguments.place,
            Self::Files(arguments) => &arguments.place,
            Self::Rejects(arguments) => &arguments.place,
            Self::Bars(arguments) => &arguments.place,
            Self::Totals(arguments) => &arguments.place,
            Self::Transactions(arguments) => &arguments.place,
            Self::DeadLetters(arguments) => &arguments.place,
            Self::Replay(arguments) => &arguments.place,
            Self::Keys(arguments) => &arguments.place,
            Self::Doctor(arguments) => &arguments.place,
        }
    }

    /// Answers it. `engine` works meanwhile, so a file that is put gets done.
    fn answer(&self, engine: &Arc<Engine>, out: &mut Out<'_>) -> Result<ExitCode> {
        match self {
            Self::Run(arguments) => run::run(arguments, engine, out),
            Self::Serve(arguments) => crate::serve::run(arguments, engine, out),
            Self::Status(arguments) => status::run(arguments, engine, out),
            Self::Files(arguments) => files::run(arguments, engine, out),
            Self::Rejects(arguments) => rejects::run(arguments, engine, out),
            Self::Bars(arguments) => aggregates::bars(arguments, engine, out),
            Self::Totals(arguments) => aggregates::totals(arguments, engine, out),
            Self::Transactions(arguments) => transactions::run(arguments, engine, out),
            Self::DeadLetters(arguments) => dead_letters::run(arguments, engine, out),
            Self::Replay(arguments) => replay::run(arguments, engine, out),
            Self::Keys(arguments) => keys::run(arguments, engine, out),
            Self::Doctor(arguments) => doctor::run(arguments, engine, out),
        }
    }

    /// Whether it makes a data folder where there is none.
    fn makes(&self) -> bool {
        match self {
            Self::Run(_) | Self::Serve(_) => true,
            Self::Keys(arguments) => arguments.makes(),
            _ => false,
        }
    }

    /// Whether it sets something going that workers must do.
    fn works(&self) -> bool {
        match self {
            Self::Run(_) | Self::Serve(_) => true,
            Self::Replay(arguments) => arguments.works(),
            Self::DeadLetters(arguments) => arguments.works(),
            _ => false,
        }
    }
}

/// Runs a command on a data folder.
pub(crate) fn run(ask: Ask) -> Result<ExitCode> {
    if let Ask::Serve(arguments) = &ask
        && crate::serve::begin(arguments, &mut std::io::stdout())?
    {
        return Ok(ExitCode::SUCCESS);
    }
    let place = ask.place().clone();
    let is_new = !place.data.join("store").exists();
    if is_new && !ask.makes() {
        let message = format!("there is no data folder {}", place.data.display());
        return Err(Hint::new(message, "name it with --data, or make one with `millrace run FILE`").into());
    }
    let (mut stdout, mut stderr) = (std::io::stdout(), anstream::stderr());
    let mut page = anstream::stdout();
    let mut out = Out {
        data: &mut stdout,
        page: &mut page,
        notes: &mut stderr,
        folder: std::env::current_dir().context("this folder")?,
        is_watched: std::io::IsTerminal::is_terminal(&std::io::stderr()),
        gone: Arc::default(),
    };
    let (mut engine, found) = match open(&place) {
        // two cannot serve one folder, and the one that has it cannot serve for this one
        Err(error) if is_taken(&error) && !matches!(ask, Ask::Serve(_)) => {
            return door::ask(&place.data, &mut out, error);
        }
        opened => opened?,
    };
    tell(&found, &mut out)?;
    if ask.works() {
        engine.start()?;
    }
    let engine = Arc::new(engine);
    let door = if ask.works() { door::open(&engine, &place.data) } else { None };
    let answered = ask.answer(&engine, &mut out);
    drop(door);
    answered
}

/// The settings of a data folder.
pub(crate) fn config(place: &Place) -> Result<config::Config> {
    config::read(place.config.as_deref())
}

fn open(place: &Place) -> Result<(Engine, Found)> {
    let config = config(place)?;
    let options = Options {
        folder: place.data.clone(),
        feeds: config.feeds,
        environment: config.environment,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: MEMORY_BYTES,
        scratch: Arc::new(|| Ok(Box::new(FileScratch::default()))),
    };
    Engine::open(options).with_context(|| format!("data folder {}", place.data.display()))
}

/// What all stages may take together; invariant 7 is about this and all else.
const MEMORY_BYTES: usize = 384 * 1024 * 1024;

fn is_taken(error: &anyhow::Error) -> bool {
    let locked =
        |error: &engine::runtime::Error| matches!(error, engine::runtime::Error::Store(store::Error::Locked { .. }));
    error.chain().filter_map(|cause| cause.downcast_ref()).any(locked)
}

/// What was found, if it is worth a word.
fn tell(found: &Found, out: &mut Out<'_>) -> Result<()> {
    if found.released > 0 || found.swept > 0 {
        let (messages, files) = (size::count(found.released as u64), size::count(found.swept as u64));
        writeln!(
            out.notes,
            "note: the last run ended in the middle; {messages} messages are handed out again, {files} unfinished \
             files were taken away"
        )?;
    }
    for queue in &found.undeclared {
        writeln!(out.notes, "note: queue {queue} is not used any more; its messages are kept")?;
    }
    Ok(())
}
