//! `millrace check`: files against a contract, from the command line.

mod digest;
mod output;
pub(crate) mod progress;
mod summary;

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anstream::eprintln;
use anyhow::{Context, Result};
use clap::Args;
use rows::check::{Checked, Options, check};
use rows::contract::{Contract, Kind, builtin};
use rows::limits::MEMORY_BYTES_MIN;
use rows::report::{Outcome, Report};
use rows::time::Interval;
use serde::Serialize;

use crate::complain::{self, Hint};
use crate::scratch::FileScratch;
use crate::size;

/// Arguments of `millrace check`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files to check: CSV, NDJSON, JSON, Parquet or Arrow, plain or packed with gzip, zstd or zip; `-` for standard
    /// input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The contract: a built-in name or a TOML file. Without it the header decides between trades, bars and
    /// transactions.
    #[arg(long, value_name = "NAME|FILE.toml")]
    contract: Option<String>,
    /// Print one JSON object per file.
    #[arg(long)]
    json: bool,
    /// Write the refused rows here, in the sender's own form (a folder when there are several files).
    #[arg(long, value_name = "PATH")]
    rejects: Option<PathBuf>,
    /// Write bars made from trades (or rolled up from bars) here, as CSV.
    #[arg(long, value_name = "PATH")]
    bars: Option<PathBuf>,
    /// Length of the bars: 1s, 1m, 5m, 15m, 1h, 1d or 1mo.
    #[arg(long, default_value = "1m", value_parser = interval, requires = "bars")]
    interval: Interval,
    /// Write the totals of transactions here, as CSV.
    #[arg(long, value_name = "PATH")]
    totals: Option<PathBuf>,
    /// Threads that parse; the result is the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Memory to stay within; what does not fit goes to a temporary file.
    #[arg(long, value_name = "SIZE", default_value = "512MB", value_parser = memory)]
    memory: u64,
    /// Leave out the sha256 of the file: hashing takes longer than checking.
    #[arg(long)]
    no_sha256: bool,
}

pub(crate) fn interval(text: &str) -> Result<Interval, String> {
    text.parse().map_err(|_| format!("`{text}` is not an interval: use 1s, 1m, 5m, 15m, 1h, 1d or 1mo"))
}

fn memory(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        bytes if bytes < MEMORY_BYTES_MIN as u64 => {
            let least = size::bytes(MEMORY_BYTES_MIN as u64);
            Err(format!("{least} is the least: what must be remembered of every id has to fit"))
        }
        bytes => Ok(bytes),
    }
}

/// One file's JSON object.
#[derive(Debug, Serialize)]
struct FileReport<'a> {
    file: String,
    sha256: Option<String>,
    #[serde(flatten)]
    report: &'a Report,
    seconds: f64,
    rows_per_second: u64,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let contract = arguments.contract.as_deref().map(contract).transpose()?;
    let several = arguments.files.len() > 1;
    let Arguments { rejects, bars, totals, .. } = &arguments;
    output::keep_apart(&arguments.files, &[("rejects", rejects), ("bars", bars), ("totals", totals)])?;
    let mut stdout = std::io::stdout().lock();
    let (mut rejected, mut failed) = (false, false);
    for path in &arguments.files {
        match one(&arguments, contract.as_ref(), path, several, &mut stdout) {
            Ok(outcome) => rejected |= outcome != Outcome::Completed,
            Err(error) if several => {
                complain::about(&error);
                failed = true;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(match (failed, rejected) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(3),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// A built-in contract by name, or one from a file.
pub(crate) fn contract(name: &str) -> Result<Contract> {
    let looks_like_file = name.contains(['/', '\\']) || name.ends_with(".toml");
    if !looks_like_file {
        let known = builtin(name).ok_or_else(|| Hint::from(rows::unknown_contract(name)))?;
        return Ok(known.clone());
    }
    let text =
        std::fs::read_to_string(name).map_err(complain::unreadable).with_context(|| format!("contract {name}"))?;
    Contract::parse(&text).map_err(Hint::from).with_context(|| format!("contract {name}"))
}

fn one(
    arguments: &Arguments,
    contract: Option<&Contract>,
    path: &Path,
    several: bool,
    stdout: &mut dyn Write,
) -> Result<Outcome> {
    let shown = path.display().to_string();
    let started = Instant::now();
    let input = open(path).with_context(|| shown.clone())?;
    let digest = match arguments.json && !arguments.no_sha256 {
        true => Some(digest::start(input.try_clone().with_context(|| shown.clone())?, path)?),
        false => None,
    };
    let rejects = arguments.rejects.as_deref().map(|place| output::Output::create(place, path, "rejects", several));
    let mut rejects = rejects.transpose()?;
    let bar = progress::Bar::new(&shown, std::io::stderr().is_terminal());
    let mut on_open = |counter, total| bar.follow(counter, total);
    let options = Options {
        contract,
        interval: arguments.bars.is_some().then_some(arguments.interval),
        totals: arguments.totals.is_some(),
        threads: threads(arguments.threads),
        memory: usize::try_from(arguments.memory).unwrap_or(usize::MAX),
        rejects: rejects.as_mut().map(output::Output::sink).transpose()?,
        on_open: Some(&mut on_open),
        ..Options::default()
    };
    let checked = check(Box::new(input), options, &mut || Ok(Box::new(FileScratch::default())));
    let mut checked = checked.with_context(|| shown.clone())?;
    write_results(arguments, path, several, &mut checked).with_context(|| shown.clone())?;
    if let Some(rejects) = rejects {
        rejects.keep()?;
    }
    bar.finish();
    let sha256 = digest.map(digest::Digest::finish).transpose().with_context(|| shown.clone())?;
    let seconds = started.elapsed().as_secs_f64();
    let report = &checked.report;
    if arguments.json {
        let rows_per_second = (report.rows as f64 / seconds.max(1e-9)) as u64;
        let line = FileReport { file: shown, sha256, report, seconds, rows_per_second };
        writeln!(stdout, "{}", serde_json::to_string(&line)?)?;
    } else {
        summary::print(&shown, report, seconds)?;
    }
    Ok(report.outcome)
}

fn threads(asked: Option<u16>) -> usize {
    match asked {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Opens a file; standard input is put in a temporary one, because packed files and tables are read from their end.
pub(crate) fn open(path: &Path) -> Result<File> {
    if path != Path::new("-") {
        let file = File::open(path).map_err(complain::unreadable)?;
        if file.metadata()?.is_dir() {
            return Err(complain::unreadable(ErrorKind::IsADirectory.into()));
        }
        return Ok(file);
    }
    let mut spool = tempfile::tempfile().context("temporary file for standard input")?;
    std::io::copy(&mut std::io::stdin().lock().take(u64::MAX), &mut spool).context("standard input")?;
    std::io::Seek::rewind(&mut spool)?;
    Ok(spool)
}

fn write_results(arguments: &Arguments, path: &Path, several: bool, checked: &mut Checked) -> Result<()> {
    let kind = checked.kind();
    // What there is none of is said, unless files of several kinds were named at once.
    let made = match kind {
        Some(Kind::Transactions) => arguments.bars.is_some().then_some("transactions add up to totals, not to bars"),
        Some(_) => arguments.totals.is_some().then_some("trades and bars make bars, and no totals"),
        None => None,
    };
    if let Some(made) = made.filter(|_| !several) {
        eprintln!("note: {}: {made}", path.display());
    }
    if let Some(place) = arguments.bars.as_deref().filter(|_| kind != Some(Kind::Transactions)) {
        let output = output::Output::create(place, path, "bars", several)?;
        output::write_bars(checked, threads(arguments.threads), output)?;
    }
    if let Some(place) = arguments.totals.as_deref().filter(|_| kind == Some(Kind::Transactions)) {
        let output = output::Output::create(place, path, "totals", several)?;
        output::write_totals(checked, threads(arguments.threads), output)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_a_least() {
        assert_eq!(memory("64MB"), Ok(MEMORY_BYTES_MIN as u64));
        assert_eq!(memory("1 GiB"), Ok(1 << 30));
        let told = memory("63.9MB").unwrap_err();
        assert_eq!(told, "64.0 MB is the least: what must be remembered of every id has to fit");
    }
}
