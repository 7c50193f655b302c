//! `millrace feed infer`: a proposal for a file, on standard output or in a file of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::eprintln;
use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use clap::Args;
use rows::infer::{Proposal, propose};
use rows::{Error, Refusal};
use serde::Serialize;

use crate::check;
use crate::complain::Hint;

const BOLD: Style = Style::new().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Arguments of `millrace feed infer`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file to look at, packed or not; `-` for standard input. Its beginning is enough.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name of the contract; without it the name of the file makes one.
    #[arg(long)]
    name: Option<String>,
    /// Write the contract here instead of standard output; what is there already stays.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Print one JSON object with the contract, its doubts and how the sample did.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    file: String,
    name: &'a str,
    kind: &'static str,
    rows: u64,
    good: u64,
    doubts: &'a [String],
    toml: &'a str,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let file = arguments.file.display().to_string();
    let name = arguments.name.clone().unwrap_or_else(|| name_of(&arguments.file));
    let input = check::open(&arguments.file).with_context(|| file.clone())?;
    let proposal = propose(Box::new(input), &name).map_err(explained).with_context(|| file.clone())?;
    if let Some(place) = &arguments.out {
        write_new(place, &proposal.toml)?;
    }
    let mut stdout = std::io::stdout().lock();
    if arguments.json {
        let Proposal { toml, doubts, kind, rows, good } = &proposal;
        let told = Told { file, name: &name, kind: kind.name(), rows: *rows, good: *good, doubts, toml };
        writeln!(stdout, "{}", serde_json::to_string(&told)?)?;
    } else if arguments.out.is_none() {
        stdout.write_all(proposal.toml.as_bytes())?;
    }
    drop(stdout);
    tell(&name, &proposal);
    Ok(ExitCode::SUCCESS)
}

fn explained(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(refusal) => Hint::from(refusal).into(),
        Error::Io(error) => error.into(),
    }
}

/// The summary for people.
fn tell(name: &str, proposal: &Proposal) {
    let Proposal { doubts, kind, rows, good, .. } = proposal;
    let style = if good == rows { GREEN } else { YELLOW };
    let word = if *rows == 1 { "row" } else { "rows" };
    eprintln!("{BOLD}{name}{BOLD:#}: {}, {style}{good} of {rows} {word} good{style:#} in the sample", kind.name());
    for doubt in doubts {
        eprintln!("  {YELLOW}doubt{YELLOW:#}: {doubt}");
    }
}

/// The name of a file as that of a contract: without what is behind the first point, in lower case with dashes.
fn name_of(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = file.split('.').find(|part| !part.is_empty()).unwrap_or_default();
    let words: Vec<String> = stem
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() { "proposal".to_owned() } else { words.join("-") }
}

/// Writes a file that must not be there yet.
fn write_new(place: &Path, text: &str) -> Result<()> {
    let told = || format!("writing {}", place.display());
    let mut file = match std::fs::File::create_new(place) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let refusal = Refusal::new(
                "exists",
                format!("{} is there already", place.display()),
                "name another place; a contract that someone worked on is not written over",
            );
            return Err(Hint::from(refusal).into());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = place.parent().unwrap_or(Path::new(".")).display();
            return Err(
                Hint::new(format!("{}: no such folder", told()), format!("create the folder {folder} first")).into()
            );
        }
        created => created.with_context(told)?,
    };
    file.write_all(text.as_bytes()).with_context(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_files() {
        let check = |path: &str, expected: &str| assert_eq!(name_of(Path::new(path)), expected);
        check("in/Umsätze 2026_01.csv.gz", "umsätze-2026-01");
        check("-", "proposal");
        check(".hidden.csv", "hidden");
    }

    #[test]
    fn a_contract_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("x.toml");
        write_new(&place, "one").unwrap();
        let error = write_new(&place, "two").unwrap_err();
        assert!(error.to_string().contains("is there already"), "{error}");
        assert_eq!(std::fs::read_to_string(place).unwrap(), "one");
    }
}
