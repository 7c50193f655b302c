//! What became of one file: the numbers that must add up, and what to tell of them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Refusal;
use crate::check::State;
use crate::drift::Drift;
use crate::fold::ListedReject;
use crate::unpack::Compression;

/// What a file is, as far as reading got.
#[derive(Debug)]
pub(crate) struct Described {
    pub contract: Option<String>,
    pub version: Option<u32>,
    pub format: &'static str,
    pub compression: Compression,
    pub encoding: &'static str,
    pub bytes: u64,
    pub drift: Drift,
}

impl Default for Described {
    fn default() -> Self {
        let (format, encoding, compression) = ("unknown", "unknown", Compression::None);
        Self { contract: None, version: None, format, compression, encoding, bytes: 0, drift: Drift::default() }
    }
}

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every row is good.
    Completed,
    /// Some rows were refused or repeated; the others count.
    CompletedWithRejects,
    /// The file as a whole was refused; nothing counts.
    Rejected,
}

/// Why a file was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedError {
    /// Stable name.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What became of one file.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The contract it was held against.
    pub contract: Option<String>,
    /// That contract's version.
    pub contract_version: Option<u32>,
    /// `csv`, `ndjson`, `json`, `parquet`, `arrow`.
    pub format: &'static str,
    /// `none`, `gzip`, `zstd`, `zip`.
    pub compression: &'static str,
    /// What the text is written in.
    pub encoding: &'static str,
    /// Length of the file as it is.
    pub bytes: u64,
    /// Physical lines.
    pub lines: u64,
    /// Rows read: good, rejected and duplicate together.
    pub rows: u64,
    /// Rows that passed every check.
    pub good: u64,
    /// Rows with a reason against them, repeated ids alone aside.
    pub rejected: u64,
    /// Rows refused only because their id came before.
    pub duplicate: u64,
    /// Lines in front of the first row that are no rows, the header among them.
    pub header_lines: u64,
    /// Lines with nothing on them.
    pub blank_lines: u64,
    /// Lines that the contract calls comments.
    pub comment_lines: u64,
    /// Lines that hold no message at all.
    pub other_lines: u64,
    /// Messages that hold no rows by the contract.
    pub ignored_messages: u64,
    /// Rows that have a reason, by its name.
    pub reasons: BTreeMap<String, u64>,
    /// Rows whose first reason it is; adds up to rejected and duplicate.
    pub first_reasons: BTreeMap<String, u64>,
    /// How the header differs from the contract.
    pub drift: Drift,
    /// How it ended.
    pub outcome: Outcome,
    /// Why the file was refused as a whole.
    pub error: Option<ReportedError>,
    /// The first refused rows.
    pub rejects: Vec<ListedReject>,
    /// Oddities that are no faults.
    pub stats: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(crate) fn new(described: Described, state: Option<&State<'_>>, refusal: Option<Refusal>) -> Report {
        let mut report = Report {
            contract: described.contract,
            contract_version: described.version,
            format: described.format,
            compression: described.compression.name(),
            encoding: described.encoding,
            bytes: described.bytes,
            lines: 0,
            rows: 0,
            good: 0,
            rejected: 0,
            duplicate: 0,
            header_lines: 0,
            blank_lines: 0,
            comment_lines: 0,
            other_lines: 0,
            ignored_messages: 0,
            reasons: BTreeMap::new(),
            first_reasons: BTreeMap::new(),
            drift: described.drift,
            outcome: Outcome::Completed,
            error: refusal.map(|Refusal { code, message, hint }| ReportedError { code, message, hint }),
            rejects: Vec::new(),
            stats: BTreeMap::new(),
        };
        if let Some(state) = state {
            report.fill(state);
        }
        if report.error.is_none() {
            report.assert_accounted(state.map_or(0, |state| state.fold.counts.row_lines));
        }
        report.outcome = match (&report.error, report.rejected + report.duplicate) {
            (Some(_), _) => Outcome::Rejected,
            (None, 0) => Outcome::Completed,
            (None, _) => Outcome::CompletedWithRejects,
        };
        report
    }

    /// Invariant 1: every row is accounted for, and so is every line. A report that does not add up is a bug of
    /// ours, and no answer is better than a wrong one.
    fn assert_accounted(&self, row_lines: u64) {
        assert_eq!(
            self.rows,
            self.good + self.rejected + self.duplicate,
            "invariant 1: rows are not good, rejected and duplicate together"
        );
        let first: u64 = self.first_reasons.values().sum();
        assert_eq!(first, self.rejected + self.duplicate, "invariant 1: a refused row has no first reason");
        if matches!(self.format, "csv" | "ndjson") {
            let told = row_lines + self.header_lines + self.blank_lines + self.comment_lines;
            let told = told + self.other_lines + self.ignored_messages;
            assert_eq!(self.lines, told, "invariant 1: a line is neither row, header, comment nor blank");
        }
    }

    fn fill(&mut self, State { plan, fold }: &State<'_>) {
        let counts = &fold.counts;
        self.lines = counts.lines;
        self.rows = fold.rows;
        self.good = fold.good;
        self.duplicate = fold.duplicate;
        self.rejected = fold.rejected;
        self.header_lines = counts.header_lines;
        self.blank_lines = counts.blank_lines;
        self.comment_lines = counts.comment_lines;
        self.other_lines = counts.other_lines;
        self.ignored_messages = counts.ignored;
        self.reasons = named(plan, &fold.having);
        self.first_reasons = named(plan, &fold.first);
        self.rejects = fold.rejects.listed.clone();
        let mut stats = vec![
            ("zero_volume", counts.zero_volume),
            ("negative_amount", counts.negative_amount),
            ("zero_amount", counts.zero_amount),
        ];
        if let Some(bars) = &fold.bars {
            stats.push(("out_of_order", bars.stats.out_of_order));
            stats.push(("exact_duplicate_rows", bars.stats.exact_duplicate_rows));
            stats.push(("repeated_trade_id", bars.stats.repeated_trade_id));
        }
        self.stats = stats.into_iter().filter(|(_, count)| *count > 0).collect();
    }
}

fn named(plan: &crate::plan::Plan, counts: &[u64]) -> BTreeMap<String, u64> {
    let reasons = plan.reasons.iter().map(|reason| reason.name.clone());
    reasons.zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect()
}
