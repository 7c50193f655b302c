//! `millrace feed lint`: what is wrong with a contract, and what is likely not meant.

mod doubtful;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::Args;
use rows::contract::Contract;
use rows::plan::Plan;
use serde::Serialize;

use super::{exit_code, read_text};
use crate::complain;

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// Arguments of `millrace feed lint`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Contracts.
    #[arg(required = true, value_name = "FILE.toml")]
    files: Vec<PathBuf>,
    /// Print one JSON object per file.
    #[arg(long)]
    json: bool,
}

/// Something about a contract, and where it stands.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    line: Option<usize>,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    hint: String,
}

impl Finding {
    /// Finds the line by the part of the contract it is about.
    fn about(text: &str, section: &str, key: &str, message: impl Into<String>) -> Self {
        Self { line: line_of(text, section, key), message: message.into(), hint: String::new() }
    }
}

#[derive(Debug, Serialize)]
struct Findings {
    file: String,
    contract: Option<String>,
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (mut could_not, mut failed) = (false, false);
    for path in &arguments.files {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => {
                complain::about(&error);
                could_not = true;
                continue;
            }
        };
        let findings = look(path, &text);
        failed |= !findings.faults.is_empty();
        if arguments.json {
            let mut stdout = std::io::stdout().lock();
            writeln!(stdout, "{}", serde_json::to_string(&findings)?)?;
        } else {
            print(&findings)?;
        }
    }
    Ok(exit_code(could_not, failed))
}

fn look(path: &Path, text: &str) -> Findings {
    let file = path.display().to_string();
    let mut findings = Findings { file, contract: None, faults: Vec::new(), warnings: Vec::new() };
    let contract = match Contract::parse(text) {
        Ok(contract) => contract,
        Err(refusal) => {
            let (line, message) = told_line(&refusal.message);
            findings.faults.push(Finding { line, message, hint: refusal.hint });
            return findings;
        }
    };
    let front = format!("contract `{}`: ", contract.name);
    for fault in Plan::faults(&contract) {
        let message = fault.message.strip_prefix(&front).unwrap_or(&fault.message).to_owned();
        // Its hint is to run this command.
        findings.faults.push(Finding { line: place_of(text, &message), message, hint: String::new() });
    }
    findings.warnings = doubtful::find(&contract, text);
    findings.contract = Some(contract.name);
    findings
}

fn print(findings: &Findings) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    let Findings { file, faults, warnings, .. } = findings;
    let both = faults.iter().map(|fault| (RED, "fault", fault));
    for (style, word, finding) in both.chain(warnings.iter().map(|warning| (YELLOW, "warning", warning))) {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        writeln!(out, "{file}{line}: {style}{word}{style:#}: {}", finding.message)?;
        if !finding.hint.is_empty() {
            writeln!(out, "  {CYAN}hint{CYAN:#}: {}", finding.hint)?;
        }
    }
    if faults.is_empty() && warnings.is_empty() {
        writeln!(out, "{file}: {GREEN}nothing to mend{GREEN:#}")?;
    }
    Ok(())
}

/// `line 4: what` as number and text.
fn told_line(message: &str) -> (Option<usize>, String) {
    let told = message.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
    match told.and_then(|(line, rest)| Some((line.parse().ok()?, rest))) {
        Some((line, rest)) => (Some(line), rest.to_owned()),
        None => (None, message.to_owned()),
    }
}

/// The line that a fault such as ``columns.price: `unit` means nothing`` is about.
fn place_of(text: &str, message: &str) -> Option<usize> {
    let path = message.split([' ', ':']).find(|word| word.contains('.')).map(|word| word.trim_matches('`'));
    let (section, key) = path?.split_once('.')?;
    line_of(text, section, key.split('.').next().unwrap_or(key))
}

/// The line of `key` in `[section]`, or of `[section.key]`; for an empty section one on top.
fn line_of(text: &str, section: &str, key: &str) -> Option<usize> {
    let bare = |name: &str| name.trim().trim_matches(['"', '\'']).to_owned();
    let mut inside = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = name.split('.').map(bare).collect::<Vec<_>>().join(".");
            if inside == format!("{section}.{key}") {
                return Some(index + 1);
            }
            continue;
        }
        let found = line.split_once('=').map(|(name, _)| bare(name)).filter(|_| !line.starts_with('#'));
        let dotted = format!("{section}.{key}");
        let here = inside == section && found.as_deref() == Some(key);
        if here || (inside.is_empty() && found.is_some_and(|name| name == dotted)) {
            return Some(index + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_lines() {
        let text = "name = \"x\"\nkind = \"trades\"\n\n[columns]\nsymbol = { const = \"A\" }\n\
                    price = { from = \"p\", unit = \"s\" }\nvolume = {}\ntimestamp = { from = \"t\" }\n";
        let findings = look(Path::new("x.toml"), text);
        let lines: Vec<Option<usize>> = findings.faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [Some(6), Some(7)], "{findings:?}");
        assert_eq!(line_of(text, "columns", "volume"), Some(7));
        assert_eq!(line_of("[columns.price]\nfrom = \"p\"\n", "columns", "price"), Some(1));
    }

    #[test]
    fn text_that_is_no_contract_has_one_fault() {
        let findings = look(Path::new("x.toml"), "name = \"x\"\nkind = \"trades\"\nformat = 3\n");
        assert_eq!(findings.faults.len(), 1);
        assert_eq!(findings.faults[0].line, Some(3));
    }
}
