//! `millrace rejects`: why rows were refused, and the file that the sender can mend.

use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::Args;
use engine::pipeline::object::ObjectVersion;
use engine::pipeline::ports::Objects;
use engine::pipeline::receipt::Receipt;
use engine::runtime::Engine;
use serde_json::Value;

use super::{Out, Place, status};
use crate::complain::Hint;
use crate::size;
use crate::table::{self, Cell};

/// Arguments of `millrace rejects`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// A file by its key, bucket/key, receipt id, upload id or sha256.
    #[arg(value_name = "NAME")]
    name: String,
    /// Print the refused rows in the sender's own form, with line, reasons and hint: mended, they are valid input.
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Print the report as JSON: exact totals by reason, and the first 100 rows with all that is wrong with them.
    #[arg(long)]
    json: bool,
}

const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let receipt = status::find(engine, &arguments.name)?.receipt;
    if let Some(refused) = receipt.account().and_then(|account| account.refused.as_ref()) {
        let message = format!("`{}` was refused as a whole: {}", arguments.name, refused.message);
        return Err(Hint::new(message, refused.hint.clone()).into());
    }
    if receipt.account().is_none() {
        let message = format!("`{}` was not validated yet", arguments.name);
        return Err(Hint::new(message, "ask again in a moment; `millrace status` says where it is").into());
    }
    if arguments.raw {
        if let Some(object) = receipt.link("rejects") {
            copy(engine, object, out.data)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(report) = receipt.link("report") else {
        writeln!(out.notes, "no row of {} was refused", arguments.name)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut text = Vec::new();
    copy(engine, report, &mut text)?;
    if arguments.json {
        out.data.write_all(&text)?;
        writeln!(out.data)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&receipt, &serde_json::from_slice(&text)?, out)?;
    Ok(ExitCode::SUCCESS)
}

fn copy(engine: &Engine, object: &ObjectVersion, to: &mut dyn Write) -> Result<()> {
    let mut opened = engine.ports().open(object)?;
    std::io::copy(&mut opened.input, to)?;
    Ok(())
}

fn print(receipt: &Receipt, report: &Value, out: &mut Out<'_>) -> Result<()> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rejects = report["rejects"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Vec<Cell>> = rejects
        .iter()
        .map(|reject| {
            let reasons: Vec<String> = reject["reasons"].as_array().into_iter().flatten().map(&text).collect();
            let column = reject["column"].as_str().unwrap_or("(row)");
            let value: String = text(&reject["value"]).chars().take(40).collect();
            vec![
                Cell::styled(text(&reject["line"]), CYAN),
                column.into(),
                value.into(),
                Cell::styled(reasons.join(" "), YELLOW),
                Cell::styled(text(&reject["hint"]), DIM),
            ]
        })
        .collect();
    table::print(out.page, &[">line", "column", "value", "reasons", "what to do"], &rows)?;
    let counts = receipt.account().map(|account| account.counts.clone()).unwrap_or_default();
    let refused = counts.rejected + counts.duplicate;
    if refused > rows.len() as u64 {
        let more = size::count(refused - rows.len() as u64);
        writeln!(out.notes, "and {more} more; --raw prints them all")?;
    }
    Ok(())
}
