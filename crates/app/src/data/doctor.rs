//! `millrace doctor`: is everything in the folder as it should be?

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::Args;
use engine::runtime::Engine;

use super::{Out, Place};
use crate::size;

/// Arguments of `millrace doctor`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let found = engine.doctor()?;
    let code = if found.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if arguments.json {
        writeln!(out.data, "{}", serde_json::to_string(&found)?)?;
        return Ok(code);
    }
    for finding in &found.findings {
        writeln!(out.page, "{RED}wrong{RED:#}: {}\n  {CYAN}hint{CYAN:#}: {}", finding.what, finding.hint)?;
    }
    let [objects, files, messages, dead] =
        [found.objects, found.files, found.messages, found.dead_letters].map(|count| size::count(count as u64));
    let bytes = size::bytes(found.bytes);
    writeln!(
        out.page,
        "looked at {files} files, {objects} objects ({bytes}), {messages} waiting messages, {dead} dead letters"
    )?;
    if found.findings.is_empty() {
        writeln!(out.page, "{GREEN}all is well{GREEN:#}: every byte has its checksum, every row is accounted for")?;
    }
    Ok(code)
}
