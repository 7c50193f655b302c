//! The loop over the records of a piece of CSV.

use super::header::Binding;
use super::{line_ends_before, record_too_long};
use crate::batch::{Batch, Columns, Evaluator, Field, Place, QuickFields};
use crate::cells::Cells;
use crate::check::{Parse, Piece};
use crate::csv::{self, Dialect, Fields, Index, Kind, QuoteFault, Record, RecordPlace, Records, Unquoted};
use crate::fold::{self, REPORT_COLUMNS};
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
    /// Rows of the piece that the quick path may take, and what it read of them.
    plain: Vec<RecordPlace>,
    columns: Columns,
    cells: Cells,
    fields: Fields,
    unquoted: Vec<u8>,
}

impl<'p> CsvParser<'p> {
    pub fn new(plan: &'p Plan, dialect: Dialect, binding: Binding) -> Self {
        let evaluator = Evaluator::new(plan);
        let quick = evaluator.has_quick() && !binding.trim;
        let (cells, fields, unquoted) = (Cells::default(), Fields::default(), Vec::new());
        let (plain, columns) = (Vec::new(), Columns::default());
        Self { evaluator, dialect, binding, quick, plain, columns, cells, fields, unquoted }
    }
}

impl Parse for CsvParser<'_> {
    fn parse(&mut self, piece: &mut Piece, batch: &mut Batch) -> Result<()> {
        batch.clear();
        let buffer = std::mem::take(&mut piece.buffer);
        let index = &piece.index;
        let sound = !index.has_nul() && (!index.has_high() || std::str::from_utf8(&buffer).is_ok());
        let quote = self.dialect.quote().filter(|_| index.has_quote());
        let mut result = Ok(());
        let mut records = Records::new(&buffer, index);
        for _ in 0..piece.header_records {
            records.next();
        }
        self.find_plain(records.clone(), &buffer, index, sound);
        let Self { evaluator, plain, columns, .. } = self;
        let (slots, positions) = (self.binding.slots.as_slice(), index.positions());
        let fields = |at: RecordPlace| RecordFields { buffer: &buffer, positions, at, slots, quote };
        evaluator.read_columns(plain.iter().map(|at| fields(*at)), &mut batch.names, columns);
        let lines = line_ends_before(index.len(), &buffer, index);
        let mut lines_done = index.line_ends_before(piece.header_records) as u64;
        let mut plain_rows = 0;
        for (record, line_ends) in records.zip(index.line_ends_from(piece.header_records)) {
            let line = piece.lines_before + lines_done + 1;
            let lines_after = lines.min(lines_done + line_ends);
            let row_lines = lines_after - std::mem::replace(&mut lines_done, lines_after);
            if self.plain.get(plain_rows) == Some(&record.place()) {
                plain_rows += 1;
                let slots = self.binding.slots.as_slice();
                let fields = RecordFields { buffer: &buffer, positions, at: record.place(), slots, quote };
                let place = Place { span: (record.start() as u32, self.plain_end(&record) as u32), line };
                if self.evaluator.take(&self.columns, plain_rows - 1, &fields, place, batch) {
                    batch.counts.row_lines += row_lines;
                    continue;
                }
            }
            if record.end() - record.start() > RECORD_BYTES_MAX {
                result = Err(Error::Refused(record_too_long(line)));
                break;
            }
            if self.slow(&buffer, &record, line, batch) {
                batch.counts.row_lines += row_lines;
            }
        }
        batch.counts.lines += lines;
        batch.input = buffer;
        result
    }
}

impl CsvParser<'_> {
    /// Finds the records that the quick path may take: of the right width, not too long, nothing odd in them.
    fn find_plain(&mut self, records: Records<'_, '_>, buffer: &[u8], index: &Index, sound: bool) {
        self.plain.clear();
        if !self.quick {
            return;
        }
        let fields = self.binding.own_fields + if self.binding.resubmitted { REPORT_COLUMNS.len() } else { 0 };
        let is_plain = |record: &Record<'_>| {
            record.is_plain() && record.fields() == fields && record.end() - record.start() <= FIELD_BYTES_MAX
        };
        self.plain.reserve(index.len());
        if sound {
            return self.plain.extend(records.filter(is_plain).map(|record| record.place()));
        }
        let unsound = unsound_places(buffer);
        let mut unsound = unsound.iter().map(|place| *place as usize).peekable();
        self.plain.extend(
            records
                .filter(|record| {
                    while unsound.next_if(|place| *place < record.start()).is_some() {}
                    is_plain(record) && unsound.peek().is_none_or(|place| *place >= record.end())
                })
                .map(|record| record.place()),
        );
    }

    /// Where the sender's part of a plain record ends.
    #[inline(always)]
    fn plain_end(&self, record: &Record<'_>) -> usize {
        match self.binding.resubmitted {
            true => self.own_end(record, self.binding.own_fields),
            false => record.end(),
        }
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
        let resubmitted = self.binding.resubmitted;
        if kind == Kind::Irregular || resubmitted {
            csv::parse_record(buffer, record.start(), &self.dialect, &mut self.fields);
        }
        let fields = if resubmitted { self.own_of_resubmitted(record.fields()) } else { record.fields() };
        let end = self.own_end(record, fields);
        let raw = &buffer[record.start()..end];
        let mut faults = Reasons::NONE;
        if kind == Kind::Irregular {
            match self.fields.fault() {
                Some(QuoteFault::Bad) => faults.add(structure::BAD_QUOTE),
                Some(QuoteFault::Unterminated) => faults.add(structure::UNTERMINATED_QUOTE),
                None => {}
            }
        }
        if fields != self.binding.own_fields {
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
        let place = Place { span: (record.start() as u32, end as u32), line };
        if !faults.is_empty() {
            self.evaluator.refuse(faults, place, raw, batch);
            return true;
        }
        self.fetch(buffer, record, kind);
        let fetched = Fetched { cells: &self.cells, input: buffer };
        self.evaluator.row(fetched, place, batch);
        true
    }

    /// How many of the `count` fields of the record just parsed are the sender's, in a rejects file that came back: not
    /// the report on it, if it is still there. One that was edited is told by the number of fields.
    fn own_of_resubmitted(&self, count: usize) -> usize {
        let own = count.saturating_sub(REPORT_COLUMNS.len());
        let is_reported = fold::ends_in_report(&self.evaluator.plan.reasons, &self.fields);
        if is_reported || own == self.binding.own_fields { own } else { count }
    }

    /// Where the first `own` fields end.
    #[inline]
    fn own_end(&self, record: &Record<'_>, own: usize) -> usize {
        match own.checked_sub(1) {
            Some(last) if own < record.fields() => record.field_span(last).1,
            _ => record.end(),
        }
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

/// Where NULs and bytes that are not UTF-8 stand, ascending; asked only of pieces that have some.
fn unsound_places(buffer: &[u8]) -> Vec<u32> {
    let mut places: Vec<u32> = memchr::memchr_iter(0, buffer).map(|place| place as u32).collect();
    let mut at = 0;
    // not `utf8_chunks`, which looks at every byte by itself
    while let Err(wrong) = std::str::from_utf8(&buffer[at..]) {
        at += wrong.valid_up_to();
        places.push(at as u32);
        at += wrong.error_len().unwrap_or(buffer.len() - at);
    }
    places.sort_unstable();
    places
}

/// The fields of one record, for the quick path.
struct RecordFields<'a> {
    buffer: &'a [u8],
    positions: &'a [u32],
    at: RecordPlace,
    slots: &'a [usize],
    /// None as well when there is no quote in the buffer.
    quote: Option<u8>,
}

impl<'a> QuickFields<'a> for RecordFields<'a> {
    #[inline(always)]
    fn field(&self, slot: usize) -> Option<Field<'a>> {
        let (mut start, mut end) = self.at.field_span(self.positions, self.slots[slot]);
        if let Some(quote) = self.quote
            && end - start > 1
            && self.buffer[start] == quote
        {
            (start, end) = (start + 1, end - 1);
            if memchr::memchr(quote, &self.buffer[start..end]).is_some() {
                return None;
            }
        }
        Some(Field { around: self.buffer, start, end })
    }

    /// With a quote written twice in it.
    fn other_text(&self, slot: usize, into: &mut Vec<u8>) -> bool {
        let (start, end) = self.at.field_span(self.positions, self.slots[slot]);
        let field = &self.buffer[start..end];
        match self.quote {
            Some(quote) if field.first() == Some(&quote) => csv::unquote(field, quote, into) == Unquoted::Copied,
            _ => false,
        }
    }

    #[inline(always)]
    fn keep(&self, field: Field<'a>, cells: &mut Cells) {
        cells.push_span(field.start, field.end);
    }
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
