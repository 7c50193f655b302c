//! `millrace dead-letters`: what could not be finished, at three in the morning.

use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::{Args, Subcommand};
use engine::runtime::{DeadLetter, Engine};

use super::run::settle;
use super::{Out, Place, times};
use crate::table::{self, Cell};

/// Arguments of `millrace dead-letters`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them, the first that died first.
    List {
        /// Print one JSON object each.
        #[arg(long)]
        json: bool,
    },
    /// Everything there is to know about one.
    Show {
        /// Its id.
        id: String,
        /// Print a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Send one back to where it came from, or all of them, and work on what follows.
    Redrive(Which),
    /// Throw one away, or all of them: their files stay failed.
    Purge(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// Its id.
    #[arg(required_unless_present = "all")]
    id: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

const RED: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

impl Arguments {
    pub(super) fn works(&self) -> bool {
        matches!(self.what, What::Redrive(_))
    }
}

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    match &arguments.what {
        What::List { json } => list(engine, *json, out),
        What::Show { id, json } => show(engine, id, *json, out),
        What::Redrive(which) => {
            let files: Vec<_> = wanted(engine, which)?.into_iter().filter_map(|letter| letter.receipt).collect();
            let sent = match &which.id {
                Some(id) => engine.redrive(id).map(|()| 1)?,
                None => engine.redrive_all()?,
            };
            settle(engine, &files, Duration::from_secs(60 * 60))?;
            done("redriven", sent, which.json, out)
        }
        What::Purge(which) => {
            let purged = match &which.id {
                Some(id) => engine.purge(id).map(|()| 1)?,
                None => engine.purge_all()?,
            };
            done("purged", purged, which.json, out)
        }
    }
}

fn wanted(engine: &Engine, which: &Which) -> Result<Vec<DeadLetter>> {
    let letters = engine.dead_letters()?;
    Ok(match &which.id {
        Some(id) => letters.into_iter().filter(|letter| letter.id == *id).collect(),
        None => letters,
    })
}

fn done(word: &str, count: usize, json: bool, out: &mut Out<'_>) -> Result<ExitCode> {
    if json {
        writeln!(out.data, "{}", serde_json::json!({ word: count }))?;
    } else {
        let letters = if count == 1 { "dead letter" } else { "dead letters" };
        writeln!(out.page, "{word} {count} {letters}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(engine: &Engine, json: bool, out: &mut Out<'_>) -> Result<ExitCode> {
    let letters = engine.dead_letters()?;
    if json {
        for letter in &letters {
            writeln!(out.data, "{}", serde_json::to_string(letter)?)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if letters.is_empty() {
        writeln!(out.notes, "there are no dead letters")?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |letter: &DeadLetter| -> Vec<Cell> {
        vec![
            letter.id.as_str().into(),
            format!("{:?}", letter.stage).to_lowercase().into(),
            letter.file.clone().unwrap_or_else(|| "-".to_owned()).into(),
            letter.feed.clone().unwrap_or_else(|| "-".to_owned()).into(),
            letter.attempts.len().to_string().into(),
            times::clock(letter.died_at).into(),
            Cell::styled(letter.error.clone().unwrap_or_else(|| "nobody lived to tell".to_owned()), RED),
        ]
    };
    let heading = ["id", "stage", "file", "feed", ">attempts", "died (UTC)", "why"];
    table::print(out.page, &heading, &letters.iter().map(row).collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

fn show(engine: &Engine, id: &str, json: bool, out: &mut Out<'_>) -> Result<ExitCode> {
    let shown = engine.dead_letter(id)?;
    if json {
        writeln!(out.data, "{}", serde_json::to_string(&shown)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let letter = &shown.letter;
    writeln!(out.page, "{BOLD}{}{BOLD:#}  {RED}{}{RED:#}", letter.id, letter.code.as_deref().unwrap_or("dead"))?;
    let mut line = |what: &str, said: &str| writeln!(out.page, "  {DIM}{what:<10}{DIM:#}{said}");
    line("stage", &format!("{:?}", letter.stage).to_lowercase())?;
    line("queue", &letter.queue)?;
    line("file", letter.file.as_deref().unwrap_or("-"))?;
    line("receipt", letter.receipt.as_ref().map_or("-", |id| id.as_str()))?;
    line("feed", letter.feed.as_deref().unwrap_or("-"))?;
    line("sent", &times::clock(letter.sent_at))?;
    line("died", &times::clock(letter.died_at))?;
    if let Some((name, version)) = &shown.contract {
        line("contract", &format!("{name} version {version}"))?;
    }
    line("trace", shown.trace_id.as_deref().unwrap_or("-"))?;
    for (attempt, at) in letter.attempts.iter().enumerate() {
        line(&format!("attempt {}", attempt + 1), &times::clock(*at))?;
        if let Some(note) = shown.notes.get(attempt) {
            line("", note["error"].as_str().unwrap_or_default())?;
        }
    }
    line("message", &shown.message)?;
    let hint = format!("mend what is wrong, then `millrace dead-letters redrive {}`", letter.id);
    writeln!(out.notes, "{hint}")?;
    Ok(ExitCode::SUCCESS)
}
