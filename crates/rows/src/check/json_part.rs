//! A part that is JSON: one value per line, one array, or values one after the other.

use std::convert::Infallible;

use super::members::{Form, Written};
use super::{Chained, Cut, Parse, Piece, Session, piece};
use crate::batch::{Batch, Evaluator, Field, Place, QuickFields};
use crate::cells::Cells;
use crate::contract::{self, At, Contract};
use crate::drift::Drift;
use crate::fold::{self, REPORT_COLUMNS, RejectForm, RejectShape};
use crate::json::{self, Condition, Cutter, Extract, Extractor, JsonFault, Layout, Path, Reader, Record, Test};
use crate::limits::FIELD_BYTES_MAX;
use crate::parallel;
use crate::plan::{Fetched, Plan};
use crate::reason::{ReasonId, Reasons, structure};
use crate::source::Source;
use crate::text::Encoding;
use crate::{Error, Result};

impl Session<'_, '_> {
    /// `ended` tells that the head of `text` is all of it.
    pub(super) fn json<S: Source>(&mut self, mut text: Chained<S>, ended: bool, encoding: Encoding) -> Result<()> {
        let prefix = self.options.contract.and_then(|contract| contract.format.line_prefix);
        let layout = if prefix.is_some() { Layout::Lines } else { json::detect(&text.head) };
        self.described.format = if layout == Layout::Lines { "ndjson" } else { "json" };
        let form = if layout == Layout::Array { Form::JsonArray } else { Form::JsonRecords };
        self.alike(Written { form, encoding })?;
        let columns = first_keys(&text.head, ended, layout)?;
        let contract = self.contract(&columns)?;
        let has = |at: &At| match at {
            At::Position(position) => columns.contains(&position.to_string()),
            At::Name(name) => columns.iter().any(|key| key == name || name.split('.').next() == Some(key)),
        };
        self.begin(&contract, has)?;
        let extract = extract(&contract);
        if extract == Extract::default() {
            let own: Vec<String> =
                columns.iter().filter(|key| !REPORT_COLUMNS.contains(&key.as_str())).cloned().collect();
            self.drifted(Drift::between(&contract, &own));
        }
        let (threads, piece_bytes) = (self.options.threads, self.options.piece_bytes);
        let Some(state) = &mut self.state else { return Ok(()) };
        let shape = match layout {
            Layout::Array => RejectShape::JsonArray,
            Layout::Lines | Layout::Value => RejectShape::JsonLines { prefixed: prefix.is_some() },
        };
        state.fold.rejects.form = Some(RejectForm { encoding, shape });
        let plan = &state.plan;
        let fold = &mut state.fold;
        let mut cut = JsonCut {
            source: &mut text,
            cutter: Cutter::new(layout),
            carry: Vec::new(),
            ended: false,
            piece_bytes,
            failed: None,
            lines: 0,
            blank_lines: 0,
        };
        parallel::run(threads, None, &mut cut, || JsonParser::new(plan, extract.clone()), &mut |batch| {
            fold.add(plan, batch)
        })
    }
}

/// The keys of the first record that has any. A file that is broken before its first record ends is refused here;
/// one that is broken later, where its rows are read.
fn first_keys(head: &[u8], ended: bool, layout: Layout) -> Result<Vec<String>> {
    let mut records = Vec::new();
    let cut = Cutter::new(layout).cut(head, ended, &mut records);
    if records.is_empty() {
        cut?;
    }
    let record = |record: &Record| &head[record.start as usize..record.end as usize];
    Ok(records.iter().take(100).find_map(|found| Reader::keys(record(found)).ok()).unwrap_or_default())
}

pub(crate) fn extract(contract: &Contract) -> Extract {
    let format = &contract.format;
    Extract {
        prefix: format.line_prefix.map(|contract::LinePrefix::Epoch| json::LinePrefix::Epoch),
        conditions: format.conditions.iter().map(condition).collect(),
        each: format.each.as_deref().map(Path::parse),
    }
}

fn condition(condition: &contract::Condition) -> Condition {
    let test = match &condition.starts_with {
        Some(prefix) => Test::StartsWith(prefix.clone()),
        None => Test::Equals(condition.equals.clone()),
    };
    Condition { path: Path::parse(&condition.path), test }
}

/// Cuts JSON text at the ends of records.
struct JsonCut<'s> {
    source: &'s mut dyn Source,
    cutter: Cutter,
    carry: Vec<u8>,
    ended: bool,
    piece_bytes: usize,
    /// What is wrong behind the records that were given out last.
    failed: Option<Error>,
    lines: u64,
    blank_lines: u64,
}

impl Cut for JsonCut<'_> {
    fn next(&mut self, piece: &mut Piece) -> Result<bool> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        piece.records.clear();
        let mut filled = piece::begin_with(&mut self.carry, &mut piece.buffer);
        loop {
            if self.ended {
                piece.buffer.truncate(filled);
            } else {
                let size = piece::size_after(filled, self.piece_bytes);
                piece::extend(self.source, &mut piece.buffer, filled, size, &mut self.ended)?;
            }
            match self.cutter.cut(&piece.buffer, self.ended, &mut piece.records) {
                Ok(done) => self.carry.extend_from_slice(&piece.buffer[done..]),
                Err(error) => self.failed = Some(error),
            }
            let over = self.ended && self.carry.is_empty();
            if piece.records.is_empty() && self.failed.is_none() && !over {
                std::mem::swap(&mut piece.buffer, &mut self.carry);
                self.carry.clear();
                filled = piece.buffer.len();
                continue;
            }
            piece.lines = self.cutter.lines() - self.lines;
            piece.blank_lines = self.cutter.blank_lines() - self.blank_lines;
            (self.lines, self.blank_lines) = (self.cutter.lines(), self.cutter.blank_lines());
            let anything = !piece.records.is_empty() || piece.lines > 0;
            return match self.failed.take() {
                Some(error) if !anything => Err(error),
                failed => {
                    self.failed = failed;
                    Ok(anything || self.failed.is_some())
                }
            };
        }
    }
}

/// Reads JSON records into batches.
pub(crate) struct JsonParser<'p> {
    evaluator: Evaluator<'p>,
    extractor: Extractor,
    cells: Cells,
    /// Messages with only their refused rows, to stand behind the piece.
    cut: Vec<u8>,
}

impl<'p> JsonParser<'p> {
    pub fn new(plan: &'p Plan, extract: Extract) -> Self {
        let path = |at: &At| match at {
            At::Position(position) => Path::parse(&position.to_string()),
            At::Name(name) => Path::parse(name),
        };
        let paths: Vec<Path> = plan.slots.iter().map(path).collect();
        let (evaluator, extractor) = (Evaluator::new(plan), Extractor::new(&paths, extract));
        Self { evaluator, extractor, cells: Cells::default(), cut: Vec::new() }
    }
}

impl Parse for JsonParser<'_> {
    fn parse(&mut self, piece: &mut Piece, batch: &mut Batch) -> Result<()> {
        batch.clear();
        let mut buffer = std::mem::take(&mut piece.buffer);
        self.cut.clear();
        let all_text = memchr::memchr(0, &buffer).is_none() && std::str::from_utf8(&buffer).is_ok();
        let quick = self.evaluator.has_quick() && all_text;
        let mut cells = std::mem::take(&mut self.cells);
        for record in &piece.records {
            let span = (record.start, record.end);
            let text = &buffer[record.start as usize..record.end as usize];
            let unwrapped = fold::unwrapped(text);
            let text = unwrapped.as_deref().unwrap_or(text);
            let place = Place { span, line: record.line };
            let faults = if all_text && unwrapped.is_none() { Reasons::NONE } else { text_faults(text) };
            if !faults.is_empty() {
                self.evaluator.refuse(faults, place, text, batch);
                batch.counts.row_lines += 1;
                continue;
            }
            let short = text.len() <= FIELD_BYTES_MAX;
            let (first_row, first_reject) = (batch.rows, batch.rejects.len());
            let evaluator = &mut self.evaluator;
            let outcome = self.extractor.read_items(text, &mut cells, |cells| {
                match cells {
                    Ok(cells) => {
                        let fields = SpannedCells { cells, record: text, start: span.0 as usize };
                        if !(quick && unwrapped.is_none() && short && evaluator.quick(&fields, place, batch)) {
                            evaluator.row(Fetched { cells, input: text }, place, batch);
                        }
                    }
                    Err(fault) => {
                        let mut faults = Reasons::NONE;
                        faults.add(reason(&fault));
                        evaluator.refuse(faults, place, text, batch);
                    }
                }
                Ok::<(), Infallible>(())
            });
            match outcome {
                Ok(json::Outcome::OtherLine) => batch.counts.other_lines += 1,
                Ok(json::Outcome::Ignored | json::Outcome::Rows(0)) => batch.counts.ignored += 1,
                Ok(json::Outcome::Rows(_)) => batch.counts.row_lines += 1,
            }
            // The good rows of a message count: only the others go to the rejects file.
            let refused = &mut batch.rejects[first_reject..];
            if refused.is_empty() {
                continue;
            }
            let mut places = refused.iter().map(|reject| (reject.row - first_row) as usize).peekable();
            let is_refused = |place| places.next_if_eq(&place).is_some();
            if let Some(cut) = self.extractor.with_rows(text, is_refused) {
                let start = buffer.len() + self.cut.len();
                self.cut.extend_from_slice(&cut);
                let span = (start as u32, (start + cut.len()) as u32);
                refused.iter_mut().for_each(|reject| reject.span = span);
            }
        }
        buffer.append(&mut self.cut);
        batch.counts.lines += piece.lines;
        batch.counts.blank_lines += piece.blank_lines;
        self.cells = cells;
        batch.input = buffer;
        Ok(())
    }
}

/// The values that stand in the record as they are, for the quick path.
struct SpannedCells<'a> {
    cells: &'a Cells,
    record: &'a [u8],
    /// Where the record starts in the input of the batch.
    start: usize,
}

impl<'a> QuickFields<'a> for SpannedCells<'a> {
    #[inline(always)]
    fn field(&self, slot: usize) -> Option<Field<'a>> {
        let (start, end) = self.cells.span(slot)?;
        Some(Field { around: self.record, start, end })
    }

    #[inline(always)]
    fn keep(&self, field: Field<'a>, cells: &mut Cells) {
        cells.push_span(self.start + field.start, self.start + field.end);
    }
}

fn reason(fault: &JsonFault) -> ReasonId {
    match fault {
        JsonFault::Invalid { .. } => structure::INVALID_JSON,
        JsonFault::DuplicateKey { .. } => structure::DUPLICATE_KEY,
        JsonFault::TooDeep => structure::JSON_TOO_DEEP,
        JsonFault::NotARecord => structure::NOT_A_RECORD,
    }
}

fn text_faults(text: &[u8]) -> Reasons {
    let mut faults = Reasons::NONE;
    if std::str::from_utf8(text).is_err() {
        faults.add(structure::INVALID_UTF8);
    }
    if memchr::memchr(0, text).is_some() {
        faults.add(structure::NUL_BYTE);
    }
    faults
}
