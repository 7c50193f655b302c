//! The loop over the records of a piece of CSV.

use super::header::Binding;
use super::{line_ends_before, record_too_long};
use crate::batch::{Batch, Columns, Evaluator, Field, Place, QuickRows};
use crate::cells::Cells;
use crate::check::{Parse, Piece};
use crate::csv::{self, Dialect, Fields, Kind, Plain, PlainRecord, QuoteFault, Record, Unquoted};
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
    plain: Plain,
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
        let (plain, columns) = (Plain::default(), Columns::default());
        Self { evaluator, dialect, binding, quick, plain, columns, cells, fields, unquoted }
    }
}

impl Parse for CsvParser<'_> {
    fn parse(&mut self, piece: &mut Piece, batch: &mut Batch) -> Result<()> {
        batch.clear();
        let buffer = std::mem::take(&mut piece.buffer);
        let (mut plain, mut columns) = (std::mem::take(&mut self.plain), std::mem::take(&mut self.columns));
        self.find_plain(&buffer, piece, &mut plain);
        let slots = self.binding.slots.clone();
        let (text, positions) = (buffer.as_slice(), piece.index.positions());
        let parsed = match self.dialect.quote().filter(|_| piece.index.has_quote()) {
            Some(quote) => {
                let rows = PlainRows::<true> { buffer: text, positions, plain: &plain, slots: &slots, quote };
                self.rows(&rows, piece, &mut columns, batch)
            }
            None => {
                let rows = PlainRows::<false> { buffer: text, positions, plain: &plain, slots: &slots, quote: 0 };
                self.rows(&rows, piece, &mut columns, batch)
            }
        };
        (self.plain, self.columns) = (plain, columns);
        batch.input = buffer;
        parsed
    }
}

impl CsvParser<'_> {
    /// Finds the records that the quick path may take: of the right width, not too long, nothing odd in them.
    fn find_plain(&self, buffer: &[u8], piece: &Piece, plain: &mut Plain) {
        let (index, first) = (&piece.index, piece.header_records);
        if !self.quick {
            return plain.find_none(index, first);
        }
        let fields = self.binding.own_fields + if self.binding.resubmitted { REPORT_COLUMNS.len() } else { 0 };
        if !index.has_nul() && (!index.has_high() || std::str::from_utf8(buffer).is_ok()) {
            return plain.find(index, first, fields, FIELD_BYTES_MAX, |_, _| true);
        }
        let unsound = unsound_places(buffer);
        let mut unsound = unsound.iter().map(|place| *place as usize).peekable();
        plain.find(index, first, fields, FIELD_BYTES_MAX, |start, end| {
            while unsound.next_if(|place| *place < start).is_some() {}
            unsound.peek().is_none_or(|place| *place >= end)
        });
    }

    /// Takes all rows of a piece: those that are plain and in order run by run, each of the others by itself.
    fn rows<const QUOTED: bool>(
        &mut self,
        rows: &PlainRows<'_, QUOTED>,
        piece: &Piece,
        columns: &mut Columns,
        batch: &mut Batch,
    ) -> Result<()> {
        let PlainRows { buffer, positions, plain, .. } = *rows;
        let index = &piece.index;
        self.evaluator.read_columns(rows, &mut batch.names, columns);
        let lines = line_ends_before(index.len(), buffer, index);
        batch.counts.lines += lines;
        let mut line_ends = index.line_ends();
        let (mut record, mut row) = (piece.header_records, 0);
        let mut others = plain.others().iter().map(|other| *other as usize).chain([index.len()]).peekable();
        while let Some(&other) = others.peek() {
            let run = row..columns.first_not_fine(row..row + other - record).unwrap_or(row + other - record);
            let (first, lines_done) = (record, lines.min(line_ends.before(record)));
            record += run.len();
            let place = |taken: usize| {
                let line = piece.lines_before + line_ends.before(first + taken - run.start) + 1;
                Place { span: plain.records()[taken].span(buffer, positions, self.binding.own_fields), line }
            };
            self.evaluator.take(columns, run.clone(), rows, place, batch);
            let lines_taken = lines.min(line_ends.before(record));
            batch.counts.row_lines += lines_taken - lines_done;
            row = run.end;
            match record == other {
                true => _ = others.next(),
                false => row += 1,
            }
            let Some(odd) = index.record(buffer, record) else { break };
            let line = piece.lines_before + lines_taken + 1;
            if odd.end() - odd.start() > RECORD_BYTES_MAX {
                return Err(Error::Refused(record_too_long(line)));
            }
            record += 1;
            if self.slow(buffer, &odd, line, batch) {
                batch.counts.row_lines += lines.min(line_ends.before(record)) - lines_taken;
            }
        }
        Ok(())
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

/// The plain records of a piece, for the quick path. There are quotes only if it is `QUOTED`.
#[derive(Clone, Copy)]
struct PlainRows<'a, const QUOTED: bool> {
    buffer: &'a [u8],
    positions: &'a [u32],
    plain: &'a Plain,
    slots: &'a [usize],
    quote: u8,
}

impl<'a, const QUOTED: bool> QuickRows<'a> for PlainRows<'a, QUOTED> {
    type Row = PlainRecord;

    fn rows(&self) -> &'a [PlainRecord] {
        self.plain.records()
    }

    fn column(&self, slot: usize) -> u32 {
        self.slots[slot] as u32
    }

    #[inline(always)]
    fn field(&self, row: &PlainRecord, column: u32) -> Option<Field<'a>> {
        let buffer = self.buffer;
        let (mut start, mut end) = row.field_span(buffer, self.positions, column);
        if QUOTED && end - start > 1 && buffer[start] == self.quote {
            (start, end) = (start + 1, end - 1);
            if memchr::memchr(self.quote, &buffer[start..end]).is_some() {
                return None;
            }
        }
        Some(Field { around: buffer, start, end })
    }

    /// With a quote written twice in it.
    fn other_text(&self, row: &PlainRecord, column: u32, into: &mut Vec<u8>) -> bool {
        let (start, end) = row.field_span(self.buffer, self.positions, column);
        let field = &self.buffer[start..end];
        QUOTED && field.first() == Some(&self.quote) && csv::unquote(field, self.quote, into) == Unquoted::Copied
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
