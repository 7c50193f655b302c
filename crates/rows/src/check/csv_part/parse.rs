//! The loop over the records of a piece of CSV.

use super::header::Binding;
use super::record_too_long;
use crate::batch::{Batch, Evaluator, Place};
use crate::cells::Cells;
use crate::check::{Parse, Piece};
use crate::csv::{self, Dialect, Fields, Kind, QuoteFault, Record, Records, Unquoted};
use crate::limits::{FIELD_BYTES_MAX, RECORD_BYTES_MAX};
use crate::plan::{Fetched, Plan};
use crate::reason::{Reasons, structure};
use crate::{Error, Result};

/// Reads CSV records into batches.
pub(super) struct CsvParser<'p> {
    evaluator: Evaluator<'p>,
    dialect: Dialect,
    binding: Binding,
    quick: bool,
    cells: Cells,
    fields: Fields,
    unquoted: Vec<u8>,
}

impl<'p> CsvParser<'p> {
    pub fn new(plan: &'p Plan, dialect: Dialect, binding: Binding) -> Self {
        let evaluator = Evaluator::new(plan);
        let quick = evaluator.has_quick() && !binding.trim;
        let (cells, fields, unquoted) = (Cells::default(), Fields::default(), Vec::new());
        Self { evaluator, dialect, binding, quick, cells, fields, unquoted }
    }
}

impl Parse for CsvParser<'_> {
    fn parse(&mut self, piece: &mut Piece, batch: &mut Batch) -> Result<()> {
        batch.clear();
        let buffer = std::mem::take(&mut piece.buffer);
        let index = &piece.index;
        let sound = !index.has_nul() && (!index.has_high() || std::str::from_utf8(&buffer).is_ok());
        let mut result = Ok(());
        let lines_are_records = index.line_ends_before(index.len()) == index.len();
        let line_of = |number: usize| {
            let before = if lines_are_records { number } else { index.line_ends_before(number) };
            piece.lines_before + before as u64 + 1
        };
        let lines_in = |number: usize| match lines_are_records {
            true => 1,
            false => (index.line_ends_before(number + 1) - index.line_ends_before(number)) as u64,
        };
        for (number, record) in Records::new(&buffer, index).enumerate().skip(piece.header_records) {
            let plain = self.quick && record.is_plain() && record.fields() == self.binding.fields;
            if plain && (sound || is_sound(&buffer[record.range()])) {
                let taken = self.quick(&buffer, &record, line_of(number), batch);
                if taken {
                    batch.counts.row_lines += lines_in(number);
                    continue;
                }
            }
            if record.end() - record.start() > RECORD_BYTES_MAX {
                result = Err(Error::Refused(record_too_long(line_of(number))));
                break;
            }
            let is_row = self.slow(&buffer, &record, line_of(number), batch);
            batch.counts.row_lines += if is_row { lines_in(number) } else { 0 };
        }
        batch.counts.lines += index.line_ends_before(index.len()) as u64;
        batch.input = buffer;
        result
    }
}

impl CsvParser<'_> {
    #[inline(always)]
    fn quick(&mut self, buffer: &[u8], record: &Record<'_>, line: u64, batch: &mut Batch) -> bool {
        let quote = self.dialect.quote();
        let slots = &self.binding.slots;
        let field = |slot: usize| {
            let (start, end) = record.field_span(slots[slot]);
            let field = &buffer[start..end];
            match field {
                [first, inner @ .., _] if Some(*first) == quote => match memchr::memchr(*first, inner) {
                    None => Some(inner),
                    Some(_) => None,
                },
                _ => Some(field),
            }
        };
        let span = (record.start() as u32, record.end() as u32);
        self.evaluator.quick(field, span, line, batch)
    }

    /// Any record, told with all that is wrong with it; false when it is no row.
    fn slow(&mut self, buffer: &[u8], record: &Record<'_>, line: u64, batch: &mut Batch) -> bool {
        let kind = record.kind();
        match kind {
            Kind::Blank => {
                batch.counts.blank_lines += 1;
                return false;
            }
            Kind::Comment => {
                batch.counts.comment_lines += 1;
                return false;
            }
            Kind::Regular | Kind::Irregular => {}
        }
        let raw = &buffer[record.range()];
        let mut faults = Reasons::NONE;
        if kind == Kind::Irregular {
            csv::parse_record(buffer, record.start(), &self.dialect, &mut self.fields);
            match self.fields.fault() {
                Some(QuoteFault::Bad) => faults.add(structure::BAD_QUOTE),
                Some(QuoteFault::Unterminated) => faults.add(structure::UNTERMINATED_QUOTE),
                None => {}
            }
        }
        let fields = record.fields();
        if fields != self.binding.fields && fields != self.binding.own_fields {
            faults.add(structure::WRONG_FIELD_COUNT);
        }
        if std::str::from_utf8(raw).is_err() {
            faults.add(structure::INVALID_UTF8);
        }
        if memchr::memchr(0, raw).is_some() {
            faults.add(structure::NUL_BYTE);
        }
        if raw.len() > FIELD_BYTES_MAX && (0..fields).any(|field| width(record, field) > FIELD_BYTES_MAX) {
            faults.add(structure::FIELD_TOO_LONG);
        }
        let padding = self.binding.own_fields.saturating_sub(fields) as u32;
        let place = Place { span: (record.start() as u32, record.end() as u32), line, whole: true, padding };
        if !faults.is_empty() {
            self.evaluator.refuse(faults, place, buffer, batch);
            return true;
        }
        self.fetch(buffer, record, kind);
        let fetched = Fetched { cells: &self.cells, input: buffer };
        self.evaluator.row(fetched, Reasons::NONE, place, batch);
        true
    }

    fn fetch(&mut self, buffer: &[u8], record: &Record<'_>, kind: Kind) {
        self.cells.clear();
        for &field in &self.binding.slots {
            if kind == Kind::Irregular {
                let value = self.fields.get(field).unwrap_or_default();
                self.cells.push_owned(if self.binding.trim { trimmed(value) } else { value });
                continue;
            }
            let (start, end) = record.field_span(field);
            let value = &buffer[start..end];
            if value.first().copied() != self.dialect.quote() || value.is_empty() {
                match self.binding.trim {
                    true => self.cells.push_owned(trimmed(value)),
                    false => self.cells.push_span(start, end),
                }
                continue;
            }
            let quote = value[0];
            match csv::unquote(value, quote, &mut self.unquoted) {
                Unquoted::Inner if self.binding.trim => self.cells.push_owned(trimmed(&value[1..value.len() - 1])),
                Unquoted::Inner => self.cells.push_span(start + 1, end - 1),
                Unquoted::Copied if self.binding.trim => self.cells.push_owned(trimmed(&self.unquoted)),
                Unquoted::Copied => self.cells.push_owned(&self.unquoted),
            }
        }
    }
}

/// Valid UTF-8 without NUL; asked of single records when a piece is not.
fn is_sound(raw: &[u8]) -> bool {
    memchr::memchr(0, raw).is_none() && std::str::from_utf8(raw).is_ok()
}

fn width(record: &Record<'_>, field: usize) -> usize {
    let (start, end) = record.field_span(field);
    end - start
}

/// Without white space at both ends; text that is not UTF-8 was refused before.
fn trimmed(value: &[u8]) -> &[u8] {
    match std::str::from_utf8(value) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => value.trim_ascii(),
    }
}
