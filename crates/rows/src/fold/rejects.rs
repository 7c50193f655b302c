//! Refused rows: the first hundred listed for the report, all of them written out in the sender's own form.
//!
//! A rejects file is valid input again once its rows are put right: same form, same columns, and three more at the end
//! (`line`, `reasons`, `hint`) that a reader of the same contract passes over.

use std::io::Write;

use serde::Serialize;

use super::is_torn;
use crate::batch::{Batch, Detail, Reject};
use crate::csv::{self, Dialect, Fields};
use crate::limits::REJECTS_LISTED_MAX;
use crate::plan::Plan;
use crate::reason::Reasons;
use crate::text::Encoding;
use crate::{Error, Result};

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

/// The form rejects are written in.
#[derive(Debug, Clone)]
pub(crate) enum RejectForm {
    Csv {
        dialect: Dialect,
        /// The header record as it stood, report columns taken off.
        header: Option<Vec<u8>>,
        /// The fields come back with report columns, which are replaced.
        resubmitted: bool,
        /// Fields of the sender's own.
        fields: usize,
        encoding: Encoding,
    },
    JsonLines,
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
    fields: Fields,
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
            fields: Fields::default(),
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
            if self.sink.is_some() {
                self.write(plan, batch, reject)?;
            }
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
        match &form {
            RejectForm::Csv { dialect, resubmitted, fields, .. } => {
                let as_it_stands = reject.whole && !resubmitted && !is_torn(reject.reasons);
                if as_it_stands {
                    row.extend_from_slice(raw);
                    row.extend(std::iter::repeat_n(dialect.delimiter(), reject.padding as usize));
                } else {
                    csv::parse_record(raw, 0, dialect, &mut self.fields);
                    write_fields(&self.fields, *fields, dialect, &mut row);
                }
                write_csv_report(plan, reject.reasons, line, dialect, &mut row);
            }
            RejectForm::JsonLines => {
                write_json(plan, raw, reject.reasons, line, &mut row);
                row.push(b'\n');
            }
            RejectForm::JsonArray => {
                row.extend_from_slice(if self.written == 0 { b"" } else { b",\n" });
                write_json(plan, raw, reject.reasons, line, &mut row);
            }
        }
        self.written += 1;
        let result = self.put(&form, &row);
        (self.form, self.row) = (Some(form), row);
        result
    }

    fn put(&mut self, form: &RejectForm, bytes: &[u8]) -> Result<()> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        match form {
            RejectForm::Csv { encoding, .. } if *encoding != Encoding::Utf8 => {
                let mut encoded = Vec::with_capacity(bytes.len());
                encoding.encode(bytes, &mut encoded);
                sink.write_all(&encoded).map_err(Error::Io)
            }
            _ => sink.write_all(bytes).map_err(Error::Io),
        }
    }

    /// Ends the file; the header stands in it even when no row was refused.
    pub fn finish(&mut self) -> Result<()> {
        let Some(form) = self.form.take() else { return self.flush() };
        let mut end = Vec::new();
        if !self.begun {
            begin(&form, &mut end);
        }
        if matches!(form, RejectForm::JsonArray) {
            end.extend_from_slice(if self.written == 0 { b"]\n" } else { b"\n]\n" });
        }
        self.put(&form, &end)?;
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.sink.as_mut().map_or(Ok(()), |sink| sink.flush()).map_err(Error::Io)
    }
}

fn begin(form: &RejectForm, into: &mut Vec<u8>) {
    match form {
        RejectForm::Csv { dialect, header: Some(header), encoding, .. } => {
            if matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be) {
                into.extend_from_slice("\u{feff}".as_bytes());
            }
            into.extend_from_slice(header);
            for column in REPORT_COLUMNS {
                into.push(dialect.delimiter());
                into.extend_from_slice(column.as_bytes());
            }
            into.push(b'\n');
        }
        RejectForm::JsonArray => into.extend_from_slice(b"[\n"),
        RejectForm::Csv { .. } | RejectForm::JsonLines => {}
    }
}

/// The sender's fields, written anew so that a torn quote does not swallow what follows.
fn write_fields(fields: &Fields, count: usize, dialect: &Dialect, into: &mut Vec<u8>) {
    for (index, field) in fields.iter().take(count.max(1)).enumerate() {
        if index > 0 {
            into.push(dialect.delimiter());
        }
        csv::write_field(field, dialect.delimiter(), into);
    }
    let missing = count.saturating_sub(fields.len());
    into.extend(std::iter::repeat_n(dialect.delimiter(), missing));
}

fn hints(plan: &Plan, reasons: Reasons) -> String {
    let hints: Vec<&str> = reasons.iter().map(|reason| plan.reasons.get(reason).hint.as_str()).collect();
    hints.join("; ")
}

fn write_csv_report(plan: &Plan, reasons: Reasons, line: u64, dialect: &Dialect, into: &mut Vec<u8>) {
    for text in [line.to_string(), plan.reasons.names(reasons).join(" "), hints(plan, reasons)] {
        into.push(dialect.delimiter());
        csv::write_field(text.as_bytes(), dialect.delimiter(), into);
    }
    into.push(b'\n');
}

fn write_json(plan: &Plan, raw: &[u8], reasons: Reasons, line: u64, into: &mut Vec<u8>) {
    let names: Vec<String> = plan.reasons.names(reasons).iter().map(|name| json_text(name.as_bytes())).collect();
    let (names, hint) = (names.join(","), json_text(hints(plan, reasons).as_bytes()));
    let raw = without_report(raw.trim_ascii_end());
    match raw.split_last() {
        Some((b'}', front)) if !is_torn(reasons) => {
            into.extend_from_slice(front);
            let comma = if front.trim_ascii_end().ends_with(b"{") { "" } else { "," };
            into.extend_from_slice(
                format!("{comma}\"line\":{line},\"reasons\":[{names}],\"hint\":{hint}}}").as_bytes(),
            );
        }
        Some((b']', front)) if !is_torn(reasons) => {
            into.extend_from_slice(front);
            let comma = if front.trim_ascii_end().ends_with(b"[") { "" } else { "," };
            into.extend_from_slice(format!("{comma}{line},[{names}],{hint}]").as_bytes());
        }
        _ => {
            let record = json_text(&raw);
            let text = format!("{{\"record\":{record},\"line\":{line},\"reasons\":[{names}],\"hint\":{hint}}}");
            into.extend_from_slice(text.as_bytes());
        }
    }
}

/// An object that came back from a rejects file, without what that file had added.
fn without_report(raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let marks: [&[u8]; 3] = [b",\"line\":", b"\"reasons\":[", b"\"hint\":\""];
    if let Some(start) = memchr::memmem::rfind(raw, marks[0])
        && marks[1..].iter().all(|mark| memchr::memmem::find(&raw[start..], mark).is_some())
    {
        return [&raw[..start], b"}"].concat().into();
    }
    raw.into()
}

fn json_text(text: &[u8]) -> String {
    let mut json = String::from("\"");
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{0}'..='\u{1f}' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
    json
}
