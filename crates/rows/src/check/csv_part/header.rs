//! The header of a CSV part: what stands before the first row, what the columns are called, and where a plan finds
//! its values among them.

use super::line_ends_before;
use crate::check::Piece;
use crate::check::members::Form;
use crate::contract::{At, Contract, Format};
use crate::csv::{self, Dialect, Fields, Kind, Record, Records};
use crate::drift::Drift;
use crate::fold::{self, REPORT_COLUMNS, RejectForm, RejectShape};
use crate::limits::{COLUMNS_MAX, RECORD_BYTES_MAX};
use crate::plan::Plan;
use crate::text::Encoding;
use crate::{Refusal, Result, choose};

/// Everything in front of the first row.
pub(super) struct Header {
    has_header: bool,
    trim: bool,
    declared: Option<usize>,
    to_skip: usize,
    /// The names of the columns; none when there is no header record.
    pub names: Vec<String>,
    /// What stands before the rows and is no row, as it stands, for the rejects file; report columns taken off.
    raw: Vec<u8>,
    /// The first record that is not skipped.
    first: Option<Fields>,
    /// Records at the front of the piece with the first row that are no rows.
    pub records: usize,
    /// Lines of the pieces before that one.
    pub lines_done: u64,
    pub lines: u64,
    pub blank_lines: u64,
    pub comment_lines: u64,
}

/// Where a plan's slots are in a record.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    /// Field of each slot.
    pub slots: Vec<usize>,
    /// Fields of the sender's own.
    pub own_fields: usize,
    /// The file is a rejects file that came back: its last three columns are ours.
    pub resubmitted: bool,
    pub trim: bool,
}

impl Header {
    pub fn new(format: Option<&Format>) -> Header {
        Header {
            has_header: format.and_then(|format| format.header).unwrap_or(true),
            trim: format.and_then(|format| format.trim) == Some(true),
            declared: format.and_then(|format| format.fields),
            to_skip: format.and_then(|format| format.skip_records).unwrap_or(0),
            names: Vec::new(),
            raw: Vec::new(),
            first: None,
            records: 0,
            lines_done: 0,
            lines: 0,
            blank_lines: 0,
            comment_lines: 0,
        }
    }

    /// Looks for the header, or the first row when there is none, in the next piece; answers whether it is there.
    pub fn look(&mut self, piece: &Piece, dialect: &Dialect) -> Result<bool> {
        let index = &piece.index;
        self.records = 0;
        for (number, record) in Records::new(&piece.buffer, index).enumerate() {
            let before = |number| line_ends_before(number, &piece.buffer, index);
            let lines = before(number + 1) - before(number);
            match record.kind() {
                Kind::Blank => self.blank_lines += lines,
                Kind::Comment => self.comment_lines += lines,
                Kind::Regular | Kind::Irregular if self.to_skip > 0 => {
                    self.to_skip -= 1;
                    self.lines += lines;
                    self.keep(&piece.buffer[record.range()])?;
                }
                Kind::Regular | Kind::Irregular => {
                    self.take(&piece.buffer, &record, dialect)?;
                    if self.has_header {
                        self.lines += lines;
                        self.records = number + 1;
                    }
                    return Ok(true);
                }
            }
            self.records = number + 1;
        }
        self.lines_done += line_ends_before(index.len(), &piece.buffer, index);
        Ok(false)
    }

    fn take(&mut self, buffer: &[u8], record: &Record<'_>, dialect: &Dialect) -> Result<()> {
        let mut fields = Fields::default();
        csv::parse_record(buffer, record.start(), dialect, &mut fields);
        if fields.len() > COLUMNS_MAX {
            return Err(too_many_columns(fields.len()).into());
        }
        if self.has_header {
            self.names = names(&fields, self.trim);
            let end = match self.own_names() < self.names.len() {
                true => record.field_span(self.own_names() - 1).1,
                false => record.end(),
            };
            self.keep(&buffer[record.start()..end])?;
        }
        self.first = Some(fields);
        Ok(())
    }

    fn keep(&mut self, record: &[u8]) -> Result<()> {
        if self.raw.len() + record.len() > RECORD_BYTES_MAX {
            let message = format!("what stands before the rows is longer than {RECORD_BYTES_MAX} bytes");
            return Err(Refusal::new("header_too_long", message, "check format.skip_records of the contract").into());
        }
        self.raw.extend_from_slice(record);
        self.raw.push(b'\n');
        Ok(())
    }

    /// Whether there is a header where one must be.
    pub fn check(&self) -> Result<()> {
        if self.first.is_none() && self.has_header {
            let hint = "the first record must name the columns; a contract can say header = false or skip_records";
            return Err(Refusal::new("no_header", "there is no header record", hint).into());
        }
        Ok(())
    }

    /// What must be the same in all members of a zip.
    pub fn form(&self, dialect: &Dialect) -> Form {
        let columns = self.names[..self.own_names()].to_vec();
        Form::Csv { delimiter: dialect.delimiter(), columns, fields: self.fields() }
    }

    /// How many of the names are the sender's: the last three of a rejects file that came back are ours.
    fn own_names(&self) -> usize {
        let own = self.names.len().saturating_sub(REPORT_COLUMNS.len());
        let is_report = own > 0 && self.names[own..].iter().map(String::as_str).eq(REPORT_COLUMNS);
        if is_report && self.declared.is_none_or(|declared| declared == own) { own } else { self.names.len() }
    }

    /// How many fields of the first record are the sender's.
    fn own_first_fields(&self, plan: &Plan) -> usize {
        let Some(first) = &self.first else { return 0 };
        let own = first.len().saturating_sub(REPORT_COLUMNS.len());
        if fold::ends_in_report(&plan.reasons, first) { own } else { first.len() }
    }

    /// Where a place of a contract is; of columns with one name the first.
    pub fn position(&self, at: &At) -> Option<usize> {
        let position = match at {
            At::Position(position) => Some(*position),
            At::Name(name) => self.names.iter().position(|known| known == name),
        };
        position.filter(|position| *position < self.fields())
    }

    /// Fields that a place can be among.
    fn fields(&self) -> usize {
        let first = if self.has_header { self.own_names() } else { self.first.as_ref().map_or(0, Fields::len) };
        self.declared.unwrap_or(first)
    }

    /// Finds every slot of `plan`, or tells which columns are missing.
    pub fn bind(&self, contract: &Contract, plan: &Plan) -> Result<Binding> {
        let (own_fields, resubmitted) = if self.has_header {
            let own = self.own_names();
            (self.declared.unwrap_or(own), own < self.names.len())
        } else {
            let own = self.own_first_fields(plan);
            let resubmitted = self.first.as_ref().is_some_and(|first| own < first.len());
            (self.declared.unwrap_or(own), resubmitted)
        };
        let place = |at: &At| self.position(at).filter(|field| *field < own_fields);
        let missing: Vec<&At> = plan.slots.iter().filter(|at| place(at).is_none()).collect();
        // A file without a single record lacks nothing.
        if !missing.is_empty() && self.first.is_some() {
            return Err(choose::missing_columns(&plan.contract, &missing, &self.names, own_fields).into());
        }
        let slots = plan.slots.iter().filter_map(place).collect();
        Ok(Binding { slots, own_fields, resubmitted, trim: contract.format.trim == Some(true) })
    }

    pub fn drift(&self, contract: &Contract) -> Drift {
        if !self.has_header {
            return Drift::default();
        }
        Drift::between(contract, &self.names[..self.own_names()])
    }

    pub fn reject_form(&mut self, dialect: &Dialect, encoding: Encoding) -> RejectForm {
        let mut head = std::mem::take(&mut self.raw);
        if self.has_header {
            head.pop(); // the line end, before which the report columns go
        }
        let shape = RejectShape::Csv { dialect: dialect.clone(), head, has_header: self.has_header };
        RejectForm { encoding, shape }
    }
}

fn names(fields: &Fields, trim: bool) -> Vec<String> {
    let name = |field: &[u8]| {
        let text = String::from_utf8_lossy(field);
        if trim { text.trim().to_owned() } else { text.into_owned() }
    };
    fields.iter().map(name).collect()
}

fn too_many_columns(columns: usize) -> Refusal {
    Refusal::new(
        "too_many_columns",
        format!("the first record has {columns} fields; {COLUMNS_MAX} are the most"),
        "check the delimiter; a contract can name it",
    )
}
