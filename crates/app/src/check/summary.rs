//! The summary of a check for people: what the file is, how it ended, why rows were refused, and the first of them.

use std::io::{Result, Write};

use anstyle::{AnsiColor, Style};
use rows::report::{Outcome, Report};
use unicode_width::UnicodeWidthStr;

use crate::size;

const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

const REASONS_SHOWN: usize = 8;
const ROWS_SHOWN: usize = 8;
const VALUE_WIDTH: usize = 32;

/// Prints the summary of one file.
pub(crate) fn print(file: &str, report: &Report, seconds: f64) -> Result<()> {
    let mut out = anstream::stdout().lock();
    heading(&mut out, file, report)?;
    described(&mut out, report, seconds)?;
    if let Some(error) = &report.error {
        writeln!(out, "  {RED}{}{RED:#}: {}", error.code, error.message)?;
        if !error.hint.is_empty() {
            writeln!(out, "  {CYAN}hint{CYAN:#}: {}", error.hint)?;
        }
    }
    if report.rows > 0 {
        counts(&mut out, report)?;
        reasons(&mut out, report)?;
        samples(&mut out, report)?;
    }
    notes(&mut out, report)?;
    writeln!(out)
}

fn heading(out: &mut dyn Write, file: &str, report: &Report) -> Result<()> {
    let (style, word) = match report.outcome {
        Outcome::Completed => (GREEN, "completed"),
        Outcome::CompletedWithRejects => (YELLOW, "completed with rejects"),
        Outcome::Rejected => (RED, "rejected"),
    };
    writeln!(out, "{BOLD}{file}{BOLD:#}  {style}{word}{style:#}")
}

fn described(out: &mut dyn Write, report: &Report, seconds: f64) -> Result<()> {
    let mut parts = Vec::new();
    if let Some(contract) = &report.contract {
        parts.push(format!("contract {contract}"));
    }
    if report.format != "unknown" {
        parts.push(report.format.to_owned());
    }
    if report.compression != "none" {
        parts.push(report.compression.to_owned());
    }
    if !matches!(report.encoding, "utf-8" | "binary" | "unknown") {
        parts.push(report.encoding.to_owned());
    }
    parts.push(size::bytes(report.bytes));
    if report.lines > 0 {
        let word = if report.lines == 1 { "line" } else { "lines" };
        parts.push(format!("{} {word}", size::count(report.lines)));
    }
    let speed = report.rows as f64 / seconds.max(1e-9);
    if report.rows >= 100_000 {
        parts.push(format!("{:.1} million rows/s", speed / 1e6));
    }
    parts.push(format!("{seconds:.2} s"));
    writeln!(out, "  {DIM}{}{DIM:#}", parts.join(" · "))
}

fn counts(out: &mut dyn Write, report: &Report) -> Result<()> {
    writeln!(out)?;
    let share = |count: u64| 100.0 * count as f64 / report.rows as f64;
    let mut line = |style: Style, word: &str, count: u64| {
        writeln!(out, "  {word:<10}{style}{:>15}{style:#}  {DIM}{:>6.2} %{DIM:#}", size::count(count), share(count))
    };
    line(BOLD, "rows", report.rows)?;
    line(GREEN, "good", report.good)?;
    line(if report.rejected > 0 { RED } else { DIM }, "rejected", report.rejected)?;
    if report.contract.as_deref() == Some("transactions") || report.duplicate > 0 {
        line(if report.duplicate > 0 { YELLOW } else { DIM }, "duplicate", report.duplicate)?;
    }
    Ok(())
}

fn reasons(out: &mut dyn Write, report: &Report) -> Result<()> {
    if report.reasons.is_empty() {
        return Ok(());
    }
    let mut reasons: Vec<(&String, &u64)> = report.reasons.iter().collect();
    reasons.sort_by(|left, right| right.1.cmp(left.1).then(left.0.cmp(right.0)));
    let width = reasons.iter().take(REASONS_SHOWN).map(|(name, _)| name.len()).max().unwrap_or(0).max(6);
    writeln!(out, "\n  {DIM}{:<width$}  {:>10}  what to do{DIM:#}", "reason", "rows")?;
    for (name, count) in reasons.iter().take(REASONS_SHOWN) {
        let hint = report.rejects.iter().find_map(|reject| hint_of(reject, name)).unwrap_or_default();
        writeln!(out, "  {YELLOW}{name:<width$}{YELLOW:#}  {:>10}  {DIM}{hint}{DIM:#}", size::count(**count))?;
    }
    if reasons.len() > REASONS_SHOWN {
        let more = reasons.len() - REASONS_SHOWN;
        let word = if more == 1 { "reason" } else { "reasons" };
        writeln!(out, "  {DIM}and {more} more {word} (--json lists all){DIM:#}")?;
    }
    Ok(())
}

fn hint_of<'a>(reject: &'a rows::fold::ListedReject, name: &str) -> Option<&'a str> {
    if reject.reasons.first().is_some_and(|first| first == name) {
        return Some(&reject.hint);
    }
    reject.values.iter().find(|value| value.reason == name).map(|value| value.hint.as_str())
}

fn samples(out: &mut dyn Write, report: &Report) -> Result<()> {
    if report.rejects.is_empty() {
        return Ok(());
    }
    let place = if matches!(report.format, "csv" | "ndjson") { "line" } else { "row" };
    let shown = &report.rejects[..report.rejects.len().min(ROWS_SHOWN)];
    let column = |reject: &rows::fold::ListedReject| reject.column.clone().unwrap_or_else(|| "(row)".to_owned());
    let columns = shown.iter().map(|reject| column(reject).width()).max().unwrap_or(0).max(6);
    // Each member of a zip has lines of its own.
    let in_members = report.rejects.iter().any(|reject| reject.member != report.rejects[0].member);
    let place_of = |reject: &rows::fold::ListedReject| match &reject.member {
        Some(member) if in_members => format!("{}:{}", cut(member), reject.line),
        _ => size::count(reject.line),
    };
    let places = shown.iter().map(|reject| place_of(reject).width()).max().unwrap_or(0).max(10);
    let values = shown.iter().map(|reject| cut(&reject.value).width()).max().unwrap_or(0).max(5);
    writeln!(out, "\n  {DIM}{place:>places$}  {}  {}  reasons{DIM:#}", pad("column", columns), pad("value", values))?;
    for reject in shown {
        let (column, value) = (pad(&column(reject), columns), pad(&cut(&reject.value), values));
        let reasons = reject.reasons.join(" ");
        let place = place_of(reject);
        let indent = " ".repeat(places.saturating_sub(place.width()));
        writeln!(out, "  {indent}{CYAN}{place}{CYAN:#}  {column}  {value}  {YELLOW}{reasons}{YELLOW:#}")?;
    }
    let refused = report.rejected + report.duplicate;
    if refused > shown.len() as u64 {
        let more = size::count(refused - shown.len() as u64);
        writeln!(out, "  {DIM}and {more} more (--rejects FILE writes them all){DIM:#}")?;
    }
    Ok(())
}

fn notes(out: &mut dyn Write, report: &Report) -> Result<()> {
    let drift = &report.drift;
    let told = [
        ("columns the contract does not know", &drift.unknown),
        ("columns missing from the file", &drift.missing),
        ("columns in another place", &drift.moved),
        ("columns named twice (the first is read)", &drift.repeated),
    ];
    let stats: Vec<String> = report
        .stats
        .iter()
        .map(|(name, count)| format!("{} {}", size::count(*count), name.replace('_', " ")))
        .collect();
    if told.iter().any(|(_, names)| !names.is_empty()) || !stats.is_empty() {
        writeln!(out)?;
    }
    for (what, names) in told.iter().filter(|(_, names)| !names.is_empty()) {
        writeln!(out, "  {CYAN}note{CYAN:#}: {what}: {}", names.join(", "))?;
    }
    if !stats.is_empty() {
        writeln!(out, "  {CYAN}note{CYAN:#}: no faults, but worth knowing: {}", stats.join(", "))?;
    }
    Ok(())
}

/// A value that fits its column of the table.
fn cut(value: &str) -> String {
    if value.width() <= VALUE_WIDTH {
        return value.to_owned();
    }
    let mut cut = String::new();
    for character in value.chars() {
        if cut.width() + 2 > VALUE_WIDTH {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    cut
}

/// Pads to a width on screen, which is not the number of characters.
fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}
