//! The header of a CSV part: what stands before the first row, what the columns are called, and where a plan finds
//! its values among them.

use crate::check::Piece;
use crate::contract::{At, Contract, Format};
use crate::csv::{self, Dialect, Fields, Kind, Records};
use crate::drift::Drift;
use crate::fold::{REPORT_COLUMNS, RejectForm};
use crate::limits::COLUMNS_MAX;
use crate::plan::Plan;
use crate::text::Encoding;
use crate::{Refusal, Result, choose};

/// Everything in front of the first row.
pub(super) struct Header {
    /// The names of the columns; positions as text when there is no header record.
    pub names: Vec<String>,
    /// The header record as it stands.
    raw: Option<Vec<u8>>,
    /// Fields of every record.
    fields: usize,
    /// As many of them as a contract can mean.
    readable: usize,
    /// Records of the first piece that are no rows.
    pub records: usize,
    pub lines: u64,
    pub blank_lines: u64,
    pub comment_lines: u64,
    /// The file is a rejects file that came back: its last three columns are ours.
    resubmitted: bool,
}

/// Where a plan's slots are in a record.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    /// Field of each slot.
    pub slots: Vec<usize>,
    /// Fields of every record.
    pub fields: usize,
    /// Fields of the sender's own; fewer than `fields` when a rejects file came back.
    pub own_fields: usize,
    pub trim: bool,
}

impl Header {
    pub fn find(format: Option<&Format>, first: &Piece, dialect: &Dialect) -> Result<Header> {
        let has_header = format.and_then(|format| format.header).unwrap_or(true);
        let trim = format.and_then(|format| format.trim) == Some(true);
        let mut to_skip = format.and_then(|format| format.skip_records).unwrap_or(0);
        let mut header = Header {
            names: Vec::new(),
            raw: None,
            fields: 0,
            readable: 0,
            records: 0,
            lines: 0,
            blank_lines: 0,
            comment_lines: 0,
            resubmitted: false,
        };
        let mut fields = Fields::default();
        let index = &first.index;
        for (number, record) in Records::new(&first.buffer, index).enumerate() {
            let lines = (index.line_ends_before(number + 1) - index.line_ends_before(number)) as u64;
            match record.kind() {
                Kind::Blank => header.blank_lines += lines,
                Kind::Comment => header.comment_lines += lines,
                Kind::Regular | Kind::Irregular if to_skip > 0 => {
                    to_skip -= 1;
                    header.lines += lines;
                }
                Kind::Regular | Kind::Irregular => {
                    csv::parse_record(&first.buffer, record.start(), dialect, &mut fields);
                    if fields.len() > COLUMNS_MAX {
                        return Err(too_many_columns(fields.len()).into());
                    }
                    if has_header {
                        header.lines += lines;
                        header.records = number + 1;
                        header.raw = Some(first.buffer[record.range()].to_vec());
                        header.names = names(&fields, trim)?;
                    }
                    header.measure(format, &fields, has_header);
                    return Ok(header);
                }
            }
            header.records = number + 1;
        }
        header.measure(format, &fields, has_header);
        if has_header {
            let hint = "the first record must name the columns; a contract can say header = false or skip_records";
            return Err(Refusal::new("no_header", "there is no header record", hint).into());
        }
        Ok(header)
    }

    /// Works out how many fields records have, and whether the last three are those of a rejects file.
    fn measure(&mut self, format: Option<&Format>, first: &Fields, has_header: bool) {
        let declared = format.and_then(|format| format.fields);
        let more = REPORT_COLUMNS.len();
        if has_header {
            self.resubmitted = self.names.len() > more
                && self.names[self.names.len() - more..].iter().map(String::as_str).eq(REPORT_COLUMNS)
                && declared.is_none_or(|declared| declared + more == self.names.len());
            self.fields = if self.resubmitted { self.names.len() } else { declared.unwrap_or(self.names.len()) };
            self.readable = declared.unwrap_or(self.fields);
            return;
        }
        let declared = declared.unwrap_or(first.len());
        let line = first.get(declared).unwrap_or_default();
        let reasons = first.get(declared + 1).unwrap_or_default();
        let is_name = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b' ');
        self.resubmitted = first.len() == declared + more
            && !line.is_empty()
            && line.iter().all(u8::is_ascii_digit)
            && !reasons.is_empty()
            && reasons.iter().all(is_name);
        self.fields = if self.resubmitted { declared + more } else { declared };
        self.readable = declared;
        self.names = (0..declared).map(|position| position.to_string()).collect();
    }

    /// Where a place of a contract is; of columns with one name the first.
    pub fn position(&self, at: &At) -> Option<usize> {
        let position = match at {
            At::Position(position) => Some(*position),
            At::Name(_) if self.raw.is_none() => None,
            At::Name(name) => self.names.iter().position(|known| known == name),
        };
        position.filter(|&position| position < self.readable)
    }

    /// Finds every slot of `plan`, or tells which columns are missing. A plan that reads one of the last three columns
    /// means the sender's own, whatever they are called.
    pub fn bind(&mut self, contract: &Contract, plan: &Plan) -> Result<Binding> {
        let mut missing = Vec::new();
        let mut slots = Vec::new();
        for at in &plan.slots {
            match self.position(at) {
                Some(field) => slots.push(field),
                None => missing.push(at),
            }
        }
        if !missing.is_empty() {
            return Err(choose::missing_columns(&plan.contract, &missing, &self.names, self.fields).into());
        }
        let sent = self.fields - if self.resubmitted { REPORT_COLUMNS.len() } else { 0 };
        self.resubmitted &= slots.iter().all(|&field| field < sent);
        let own_fields = if self.resubmitted { sent } else { self.fields };
        Ok(Binding { slots, fields: self.fields, own_fields, trim: contract.format.trim == Some(true) })
    }

    pub fn drift(&self, contract: &Contract) -> Drift {
        if self.raw.is_none() {
            return Drift::default();
        }
        let own = if self.resubmitted { self.names.len() - REPORT_COLUMNS.len() } else { self.names.len() };
        Drift::between(contract, &self.names[..own])
    }

    pub fn reject_form(&self, dialect: &Dialect, binding: &Binding, encoding: Encoding) -> RejectForm {
        let header = self.raw.as_ref().map(|raw| match self.resubmitted {
            true => own_part(raw, dialect, binding.own_fields),
            false => raw.clone(),
        });
        let resubmitted = self.resubmitted;
        RejectForm::Csv { dialect: dialect.clone(), header, resubmitted, fields: binding.own_fields, encoding }
    }
}

/// The first `count` fields of a header record, written anew.
fn own_part(raw: &[u8], dialect: &Dialect, count: usize) -> Vec<u8> {
    let mut fields = Fields::default();
    csv::parse_record(raw, 0, dialect, &mut fields);
    let mut own = Vec::new();
    for (index, field) in fields.iter().take(count).enumerate() {
        if index > 0 {
            own.push(dialect.delimiter());
        }
        csv::write_field_as(field, dialect, &mut own);
    }
    own
}

fn names(fields: &Fields, trim: bool) -> Result<Vec<String>> {
    let name = |field: &[u8]| {
        let text = String::from_utf8_lossy(field);
        if trim { text.trim().to_owned() } else { text.into_owned() }
    };
    Ok(fields.iter().map(name).collect())
}

fn too_many_columns(columns: usize) -> Refusal {
    Refusal::new(
        "too_many_columns",
        format!("the first record has {columns} fields; {COLUMNS_MAX} are the most"),
        "check the delimiter; a contract can name it",
    )
}
