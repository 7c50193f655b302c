//! A part that is JSON: one value per line, one array, or values one after the other.

use std::convert::Infallible;

use super::{Cut, Head, Parse, Piece, Session, piece};
use crate::batch::{Batch, Evaluator, Place};
use crate::cells::Cells;
use crate::contract::{self, At, Contract};
use crate::drift::Drift;
use crate::fold::{REPORT_COLUMNS, RejectForm};
use crate::json::{self, Condition, Cutter, Extract, Extractor, JsonFault, Layout, Path, Reader, Record, Test};
use crate::parallel;
use crate::plan::{Fetched, Plan};
use crate::reason::{ReasonId, Reasons, structure};
use crate::source::Source;
use crate::{Error, Result};

impl Session<'_, '_> {
    pub(super) fn json(&mut self, source: &mut dyn Source, head: Head) -> Result<()> {
        let prefix = self.options.contract.and_then(|contract| contract.format.line_prefix);
        let layout = if prefix.is_some() { Layout::Lines } else { json::detect(&head.bytes) };
        self.described.format = if layout == Layout::Lines { "ndjson" } else { "json" };
        let mut cut = JsonCut {
            source,
            cutter: Cutter::new(layout),
            carry: head.bytes,
            ended: head.ended,
            failed: None,
            lines: 0,
            blank_lines: 0,
        };
        let mut first = Piece::default();
        cut.next(&mut first)?;
        let columns = first_keys(&first);
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
        let threads = self.options.threads;
        let Some(state) = &mut self.state else { return Ok(()) };
        let array = layout == Layout::Array;
        state.fold.rejects.form = Some(if array { RejectForm::JsonArray } else { RejectForm::JsonLines });
        let plan = &state.plan;
        let fold = &mut state.fold;
        parallel::run(threads, Some(first), &mut cut, || JsonParser::new(plan, extract.clone()), &mut |batch| {
            fold.add(plan, batch)
        })
    }
}

/// The keys of the first record that has any.
fn first_keys(first: &Piece) -> Vec<String> {
    let record = |record: &Record| &first.buffer[record.start as usize..record.end as usize];
    first.records.iter().take(100).find_map(|found| Reader::keys(record(found)).ok()).unwrap_or_default()
}

fn extract(contract: &Contract) -> Extract {
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
        piece.buffer.clear();
        piece.buffer.append(&mut self.carry);
        loop {
            let size = piece.buffer.len().max(piece::PIECE_BYTES / 2) + piece::PIECE_BYTES / 2;
            if !self.ended {
                piece::extend(self.source, &mut piece.buffer, size, &mut self.ended)?;
            }
            match self.cutter.cut(&piece.buffer, self.ended, &mut piece.records) {
                Ok(done) => self.carry.extend_from_slice(&piece.buffer[done..]),
                Err(error) => self.failed = Some(error),
            }
            let over = self.ended && self.carry.is_empty();
            if piece.records.is_empty() && self.failed.is_none() && !over {
                std::mem::swap(&mut piece.buffer, &mut self.carry);
                self.carry.clear();
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
struct JsonParser<'p> {
    evaluator: Evaluator<'p>,
    extractor: Extractor,
    cells: Cells,
}

impl<'p> JsonParser<'p> {
    fn new(plan: &'p Plan, extract: Extract) -> Self {
        let path = |at: &At| match at {
            At::Position(position) => Path::parse(&position.to_string()),
            At::Name(name) => Path::parse(name),
        };
        let paths: Vec<Path> = plan.slots.iter().map(path).collect();
        Self { evaluator: Evaluator::new(plan), extractor: Extractor::new(&paths, extract), cells: Cells::default() }
    }
}

impl Parse for JsonParser<'_> {
    fn parse(&mut self, piece: &mut Piece, batch: &mut Batch) -> Result<()> {
        batch.clear();
        let buffer = std::mem::take(&mut piece.buffer);
        let all_text = memchr::memchr(0, &buffer).is_none() && std::str::from_utf8(&buffer).is_ok();
        let quick = self.evaluator.has_quick() && all_text;
        let mut cells = std::mem::take(&mut self.cells);
        for record in &piece.records {
            let span = (record.start, record.end);
            let text = &buffer[record.start as usize..record.end as usize];
            let place = Place { span, line: record.line, whole: true, padding: 0 };
            let faults = if all_text { Reasons::NONE } else { text_faults(text) };
            if !faults.is_empty() {
                self.evaluator.refuse(faults, place, &buffer, batch);
                batch.counts.row_lines += 1;
                continue;
            }
            let evaluator = &mut self.evaluator;
            let outcome = self.extractor.read_items(text, &mut cells, |cells| {
                match cells {
                    Ok(cells) => {
                        let field = |slot: usize| cells.is_span(slot).then(|| cells.get(slot, text));
                        if !(quick && evaluator.quick(field, span, record.line, batch)) {
                            evaluator.row(Fetched { cells, input: text }, Reasons::NONE, place, batch);
                        }
                    }
                    Err(fault) => {
                        let mut faults = Reasons::NONE;
                        faults.add(reason(&fault));
                        evaluator.refuse(faults, place, &buffer, batch);
                    }
                }
                Ok::<(), Infallible>(())
            });
            match outcome {
                Ok(json::Outcome::OtherLine) => batch.counts.other_lines += 1,
                Ok(json::Outcome::Ignored | json::Outcome::Rows(0)) => batch.counts.ignored += 1,
                Ok(json::Outcome::Rows(_)) => batch.counts.row_lines += 1,
            }
        }
        batch.counts.lines += piece.lines;
        batch.counts.blank_lines += piece.blank_lines;
        self.cells = cells;
        batch.input = buffer;
        Ok(())
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
