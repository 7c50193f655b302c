//! Refused rows: the first hundred listed for the report, all of them written out in the sender's own form.
//!
//! A rejects file is valid input again once its rows are put right: same form, same columns, and three more at the end
//! (`line`, `reasons`, `hint`) that a reader of the same contract passes over. Sent again as it is, every row is refused
//! again for the same reasons: what was wrong with a row stays in it.

mod delimited;
mod json;

use std::io::Write;

use serde::Serialize;

use crate::batch::{Batch, Detail, Reject};
use crate::csv::Dialect;
use crate::limits::REJECTS_LISTED_MAX;
use crate::plan::Plan;
use crate::reason::{Reasons, structure};
use crate::text::Encoding;
use crate::{Error, Result};

pub(crate) use delimited::ends_in_report;
use json::Stands;
pub(crate) use json::unwrapped;

/// The columns a rejects file has beyond the sender's own.
pub(crate) const REPORT_COLUMNS: [&str; 3] = ["line", "reasons", "hint"];

/// One refused row as reports list it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedReject {
    /// Physical line on which the row starts (1-based); 0-based index in a JSON array or a table.
    pub line: u64,
    /// The member of a zip file it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The column of the first reason, by the contract's name for it.
    pub column: Option<String>,
    /// Its value: cut, control characters escaped.
    pub value: String,
    /// All reasons, in the order they were checked.
    pub reasons: Vec<String>,
    /// What to do about the first reason.
    pub hint: String,
    /// Column and value of every reason, when there is more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ListedValue>,
}

/// The value that one reason is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedValue {
    /// The reason.
    pub reason: String,
    /// The column, by the contract's name for it.
    pub column: Option<String>,
    /// The value: cut, control characters escaped.
    pub value: String,
    /// What to do.
    pub hint: String,
}

/// The form rejects are written in: the sender's.
#[derive(Debug, Clone)]
pub(crate) struct RejectForm {
    pub encoding: Encoding,
    pub shape: RejectShape,
}

/// How refused rows follow each other.
#[derive(Debug, Clone)]
pub(crate) enum RejectShape {
    Csv {
        dialect: Dialect,
        /// What stands before the rows, report columns taken off; without the line end of the header, if that is last.
        head: Vec<u8>,
        has_header: bool,
    },
    JsonLines {
        /// Lines begin with something that is no JSON.
        prefixed: bool,
    },
    JsonArray,
}

/// Refused rows on their way out.
pub(crate) struct Rejects {
    pub listed: Vec<ListedReject>,
    pub member: Option<String>,
    pub form: Option<RejectForm>,
    sink: Option<Box<dyn Write + Send>>,
    written: u64,
    /// The start of the sink's present file was written.
    begun: bool,
    row: Vec<u8>,
    /// Records with a quote that is never closed. They would swallow whatever came after them, so they come last.
    open: Vec<u8>,
}

impl Rejects {
    pub fn new(sink: Option<Box<dyn Write + Send>>) -> Self {
        Self {
            listed: Vec::new(),
            member: None,
            form: None,
            sink,
            written: 0,
            begun: false,
            row: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Whether refused rows are written out at all.
    pub fn are_written(&self) -> bool {
        self.sink.is_some()
    }

    /// Takes the refused rows of the next batch.
    pub fn add(&mut self, plan: &Plan, batch: &Batch) -> Result<()> {
        for (index, reject) in batch.rejects.iter().enumerate() {
            if self.listed.len() < REJECTS_LISTED_MAX {
                self.list(plan, batch.details.get(index), reject.reasons, reject.line);
            }
        }
        if self.sink.is_none() {
            return Ok(());
        }
        // A message may hold several refused rows: it is written once, with the reasons of all of them.
        let are_together = |left: &Reject, right: &Reject| left.span == right.span && left.span.0 < left.span.1;
        for rows in batch.rejects.chunk_by(are_together) {
            let reasons = rows.iter().fold(Reasons::NONE, |all, row| all.with(row.reasons));
            self.write(plan, batch, &Reject { reasons, ..rows[0] })?;
        }
        Ok(())
    }

    fn list(&mut self, plan: &Plan, detail: Option<&Detail>, reasons: Reasons, line: u64) {
        let told = |position: usize| {
            let (reason, value) = detail?.values.get(position)?;
            let told = plan.reasons.get(*reason);
            Some(ListedValue {
                reason: told.name.clone(),
                column: told.column.clone(),
                value: value.clone(),
                hint: told.hint.clone(),
            })
        };
        let names: Vec<String> = plan.reasons.names(reasons).into_iter().map(str::to_owned).collect();
        let values: Vec<ListedValue> =
            if names.len() > 1 { (0..names.len()).map_while(told).collect() } else { vec![] };
        let first = told(0);
        self.listed.push(ListedReject {
            line,
            member: self.member.clone(),
            column: first.as_ref().and_then(|first| first.column.clone()),
            hint: first.as_ref().map(|first| first.hint.clone()).unwrap_or_default(),
            value: first.map(|first| first.value).unwrap_or_default(),
            reasons: names,
            values,
        });
    }

    fn write(&mut self, plan: &Plan, batch: &Batch, reject: &Reject) -> Result<()> {
        let Some(form) = self.form.take() else { return Ok(()) };
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        if !self.begun {
            begin(&form, &mut row);
            self.begun = true;
        }
        let line = reject.line;
        let raw = &batch.input[reject.span.0 as usize..reject.span.1 as usize];
        match &form.shape {
            RejectShape::Csv { .. } if reject.reasons.iter().any(|reason| reason == structure::UNTERMINATED_QUOTE) => {
                self.open.extend_from_slice(if self.open.is_empty() { b"" } else { b"\n" });
                self.open.extend_from_slice(raw);
            }
            RejectShape::Csv { dialect, .. } => {
                row.extend_from_slice(raw);
                delimited::write_report(plan, reject.reasons, line, dialect, &mut row);
            }
            RejectShape::JsonLines { prefixed } => {
                let stands = if *prefixed { Stands::BehindPrefix } else { Stands::OnLine };
                json::write(plan, raw, stands, reject.reasons, line, &mut row);
                row.push(b'\n');
            }
            RejectShape::JsonArray => {
                row.extend_from_slice(if self.written == 0 { b"" } else { b",\n" });
                json::write(plan, raw, Stands::InArray, reject.reasons, line, &mut row);
            }
        }
        self.written += 1;
        let result = self.put(&form, &row);
        (self.form, self.row) = (Some(form), row);
        result
    }

    fn put(&mut self, form: &RejectForm, bytes: &[u8]) -> Result<()> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        if form.encoding == Encoding::Utf8 {
            return sink.write_all(bytes).map_err(Error::Io);
        }
        let mut encoded = Vec::with_capacity(bytes.len());
        form.encoding.encode(bytes, &mut encoded);
        sink.write_all(&encoded).map_err(Error::Io)
    }

    /// Ends the file; what stands before the rows is in it even when no row was refused.
    pub fn finish(&mut self) -> Result<()> {
        let Some(form) = self.form.take() else { return self.flush() };
        let mut end = Vec::new();
        if !self.begun {
            begin(&form, &mut end);
        }
        if matches!(form.shape, RejectShape::JsonArray) {
            end.extend_from_slice(if self.written == 0 { b"]\n" } else { b"\n]\n" });
        }
        end.append(&mut self.open);
        self.put(&form, &end)?;
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.sink.as_mut().map_or(Ok(()), |sink| sink.flush()).map_err(Error::Io)
    }
}

fn begin(form: &RejectForm, into: &mut Vec<u8>) {
    if !form.encoding.mark().is_empty() {
        into.extend_from_slice("\u{feff}".as_bytes());
    }
    match &form.shape {
        RejectShape::Csv { dialect, head, has_header } => {
            into.extend_from_slice(head);
            if *has_header {
                delimited::write_columns(dialect, into);
            }
        }
        RejectShape::JsonArray => into.extend_from_slice(b"[\n"),
        RejectShape::JsonLines { .. } => {}
    }
}

fn hints(plan: &Plan, reasons: Reasons) -> String {
    let hints: Vec<&str> = reasons.iter().map(|reason| plan.reasons.get(reason).hint.as_str()).collect();
    hints.join("; ")
}
