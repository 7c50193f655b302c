//! What validation says of a file, and the sums it must fulfil (invariant 1).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Rows and lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Rows read.
    pub rows: u64,
    /// Rows that passed every check.
    pub good: u64,
    /// Rows with a reason against them, repeated ids alone aside.
    pub rejected: u64,
    /// Rows refused only because their id came before.
    pub duplicate: u64,
    /// Physical lines.
    pub lines: u64,
    /// Lines of rows; none for formats whose lines mean nothing (JSON arrays, Parquet).
    pub row_lines: Option<u64>,
    /// Lines that are no rows and are accounted for: header, blank, comment, and messages the contract ignores.
    pub other_lines: u64,
}

/// How the header differs from the contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Drift {
    /// Columns that the contract does not know.
    pub unknown: Vec<String>,
    /// Columns that the contract has and the file has not.
    pub missing: Vec<String>,
    /// Columns that stand elsewhere than in the contract.
    pub moved: Vec<String>,
    /// Names that more than one column of the file has; the first is read.
    #[serde(default)]
    pub repeated: Vec<String>,
}

/// Why a file was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusedFile {
    /// Stable name.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What validation says of a file: a function of its bytes and its contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Of the object's bytes, in hexadecimal.
    pub sha256: String,
    /// Length of the object.
    pub bytes: u64,
    /// The contract it was held against, with its version.
    pub contract: Option<(String, u32)>,
    /// Rows and lines.
    pub counts: Counts,
    /// How the header differs.
    pub drift: Drift,
    /// Rows by reason; a row with two counts in both.
    pub reasons: BTreeMap<String, u64>,
    /// Why none of it counts, if so.
    pub refused: Option<RefusedFile>,
}

impl Account {
    /// Refuses the file as a whole: none of its rows count.
    pub fn refuse(&mut self, why: RefusedFile) {
        self.refused = Some(why);
        self.counts = Counts::default();
        self.reasons.clear();
    }
}

/// Why a receipt cannot become completed, however long one waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unaccounted {
    /// A fact was told in two ways.
    Contradiction(&'static str),
    /// Rows are not good, rejected and duplicate together.
    Rows(Counts),
    /// Lines are not those of rows and the others together.
    Lines(Counts),
    /// Not the good rows can be queried, but another number.
    Committed {
        /// Good rows.
        good: u64,
        /// Those that can be queried.
        committed: u64,
    },
}

impl Counts {
    /// Invariant 1. Sums are of 128 bits: no numbers that somebody tells us can make them overflow.
    pub fn add_up(&self) -> Result<(), Unaccounted> {
        let sum = |parts: &[u64]| parts.iter().map(|part| u128::from(*part)).sum::<u128>();
        if u128::from(self.rows) != sum(&[self.good, self.rejected, self.duplicate]) {
            return Err(Unaccounted::Rows(self.clone()));
        }
        match self.row_lines {
            Some(row_lines) if u128::from(self.lines) != sum(&[row_lines, self.other_lines]) => {
                Err(Unaccounted::Lines(self.clone()))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Unaccounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradiction(what) => write!(f, "invariant 1: {what} came with two different values"),
            Self::Rows(Counts { rows, good, rejected, duplicate, .. }) => {
                write!(f, "invariant 1: {rows} rows are not {good} good, {rejected} rejected and {duplicate} duplicate")
            }
            Self::Lines(Counts { lines, row_lines, other_lines, .. }) => {
                let row_lines = row_lines.unwrap_or_default();
                write!(f, "invariant 1: {lines} lines are not {row_lines} of rows and {other_lines} others")
            }
            Self::Committed { good, committed } => {
                write!(f, "invariant 5: {committed} rows can be queried, {good} are good")
            }
        }?;
        f.write_str("; this is a fault of Millrace, report it with the file")
    }
}

impl std::error::Error for Unaccounted {}
