//! Trying a proposal on the sample it was made from.

use std::io::Cursor;

use crate::Result;
use crate::check::{Options, check};
use crate::contract::{Contract, Format};
use crate::report::Report;
use crate::source::MemoryScratch;

use super::view::Trial;

/// What becomes of the sample under `toml`; a contract that is no contract is refused.
pub(super) fn run(toml: &str, trial: &Trial) -> Result<Report> {
    let mut contract = Contract::parse(toml)?;
    // The sample is one part of text, decoded.
    contract.format.encoding = None;
    contract.format.member = None;
    if trial.rewritten {
        contract.format = Format::default();
    }
    let options = Options { contract: Some(&contract), ..Options::default() };
    let sample = Cursor::new(trial.text.as_ref().clone());
    let checked = check(Box::new(sample), options, &mut || Ok(Box::new(MemoryScratch::default())))?;
    Ok(checked.report)
}

/// What became of the sample, in one or two lines.
pub(super) fn told(report: &Report) -> Vec<String> {
    if let Some(error) = &report.error {
        return vec![format!("Tried on the beginning of the file, it was refused: {} ({})", error.message, error.hint)];
    }
    let Report { rows, good, .. } = report;
    let plural = if *rows == 1 { "row" } else { "rows" };
    if rows == good {
        return vec![format!("Tried on the beginning of the file: {good} of {rows} {plural} good.")];
    }
    let mut reasons: Vec<(&String, &u64)> = report.reasons.iter().collect();
    reasons.sort_by(|left, right| right.1.cmp(left.1));
    let reasons: Vec<String> = reasons.iter().take(6).map(|(name, count)| format!("{name} {count}")).collect();
    vec![
        format!("Tried on the beginning of the file: {good} of {rows} {plural} good, {} refused.", rows - good),
        format!("Reasons: {}.", reasons.join(", ")),
    ]
}
