//! `millrace upload`: files to a running service, over HTTP.
//!
//! A file that is sent again, because the answer to the first attempt was lost or was "later", carries the same
//! `Idempotency-Key`, so the service takes it once. What the service says that it has is held against what was sent.

mod client;
mod source;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::AnsiColor;
use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::complain::{self, Hint};
use crate::size;
use client::{Client, Failed, Server};
use source::Source;

/// Arguments of `millrace upload`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files to send; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    server: Server,
    /// The feed they belong to; without it that of the transactions which takes the key.
    #[arg(long, value_name = "NAME", env = "MILLRACE_FEED")]
    feed: Option<String>,
    /// The key of the file, instead of its name; for one file only. Standard input needs it.
    #[arg(long, value_name = "KEY", conflicts_with = "prefix")]
    key: Option<String>,
    /// What their keys begin with, before the name of the file: a partner's keys begin with its name and a slash.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, env = "MILLRACE_PREFIX")]
    prefix: String,
    /// Wait until each file is at its end, and let the exit code say how that was.
    #[arg(long)]
    wait: bool,
    /// For how long to wait at most, for all files together.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, requires = "wait")]
    patience: u64,
    /// Print what the service says of each file as JSON: that it is safe, or with --wait its receipt.
    #[arg(long)]
    json: bool,
}

/// What the exit code follows from.
#[derive(Debug, Default)]
struct Seen {
    failed: bool,
    refused: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { files, key, prefix, .. } = arguments;
    if key.is_some() && files.len() > 1 {
        let hint = "leave it out, or use --prefix, which comes before the name of each file";
        return Err(Hint::new(format!("--key names one file, and there are {}", files.len()), hint).into());
    }
    let client = Client::new(&arguments.server)?;
    client.warn(&mut anstream::stderr())?;
    let (mut seen, mut sent) = (Seen::default(), Vec::new());
    for file in files {
        match send(&client, arguments, file, key.clone(), prefix) {
            Ok(answer) => {
                if !arguments.wait {
                    tell_sent(&answer, arguments.json)?;
                }
                sent.push(answer);
            }
            Err(failed) if failed.is_of_all || files.len() == 1 => return Err(failed.error),
            Err(failed) => {
                complain::tell(&mut anstream::stderr(), &failed.error)?;
                seen.failed = true;
            }
        }
    }
    if arguments.wait {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(arguments.patience);
        for answer in &sent {
            let receipt = client.ended(text(answer, "uploadId"), until)?;
            tell_ended(&receipt, &client, arguments.json, &mut seen)?;
        }
    }
    Ok(match seen {
        Seen { failed: true, .. } => ExitCode::FAILURE,
        Seen { refused: true, .. } => ExitCode::from(3),
        Seen { .. } => ExitCode::SUCCESS,
    })
}

fn send(
    client: &Client,
    arguments: &Arguments,
    file: &std::path::Path,
    key: Option<String>,
    prefix: &str,
) -> Result<Value, Failed> {
    let name = file.display().to_string();
    let mut source = Source::open(file).map_err(|error| Failed::of_one(error.context(name.clone())))?;
    let key = match (key, source.name()) {
        (Some(key), _) => key,
        (None, Some(own)) => format!("{prefix}{own}"),
        (None, None) => {
            let hint = "say which with --key, as in: millrace upload - --key day.csv";
            return Err(Failed::of_all(Hint::new(format!("{name} has no name that could be its key"), hint)));
        }
    };
    let is_watched = std::io::stderr().is_terminal();
    client.upload(&mut source, arguments.feed.as_deref(), &key, is_watched).map_err(|mut failed| {
        failed.error = failed.error.context(name);
        failed
    })
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A file is safe.
fn tell_sent(answer: &Value, json: bool) -> Result<()> {
    let mut out = anstream::stdout();
    if json {
        writeln!(out, "{answer}")?;
    } else {
        let bytes = size::bytes(answer["bytes"].as_u64().unwrap_or_default());
        writeln!(out, "{}: {bytes} received as {}", text(answer, "fileId"), text(answer, "uploadId"))?;
    }
    Ok(())
}

/// A file is at its end.
fn tell_ended(receipt: &Value, client: &Client, json: bool, seen: &mut Seen) -> Result<()> {
    let (mut out, mut notes) = (anstream::stdout(), anstream::stderr());
    let outcome = text(receipt, "outcome");
    match outcome {
        "completed" | "duplicate" | "superseded" => {}
        "completed_with_rejects" | "rejected" => seen.refused = true,
        _ => seen.failed = true,
    }
    if json {
        writeln!(out, "{receipt}")?;
        return Ok(());
    }
    let counts = &receipt["account"]["counts"];
    let count = |name: &str| size::count(counts[name].as_u64().unwrap_or_default());
    write!(out, "{}: {}", text(receipt, "fileId"), outcome.replace('_', " "))?;
    if counts.is_object() {
        let [rows, good, rejected, duplicate] = ["rows", "good", "rejected", "duplicate"].map(count);
        write!(out, ", {rows} rows: {good} good, {rejected} rejected, {duplicate} duplicate")?;
    }
    writeln!(out)?;
    let cyan = AnsiColor::Cyan.on_default();
    match outcome {
        "completed_with_rejects" => {
            let link = client.link("files", text(receipt, "receiptId"), "/rejects");
            writeln!(notes, "  {cyan}next{cyan:#}: {link} has the rows that were refused, with the reasons")?;
        }
        "rejected" => {
            let refused = &receipt["account"]["refused"];
            writeln!(notes, "  {}", text(refused, "message"))?;
            if !text(refused, "hint").is_empty() {
                writeln!(notes, "  {cyan}hint{cyan:#}: {}", text(refused, "hint"))?;
            }
        }
        "failed" => writeln!(notes, "  {cyan}next{cyan:#}: `millrace dead-letters list` there says what failed")?,
        "in_progress" => {
            let by = text(receipt, "blockedBy");
            writeln!(notes, "  it waits for the file of receipt {by}, which failed; its feed keeps strict order")?;
        }
        _ => {}
    }
    Ok(())
}
