//! A Parquet or Arrow file: cells come typed and are checked as the text they print as.

use super::{Cut, Parse, Piece, Session};
use crate::batch::{Batch, Evaluator, Field, Place, QuickFields};
use crate::cells::Cells;
use crate::contract::{At, Syntax};
use crate::csv::{Dialect, write_field};
use crate::drift::Drift;
use crate::fold::{RejectForm, RejectShape};
use crate::limits::FIELD_BYTES_MAX;
use crate::parallel;
use crate::plan::Fetched;
use crate::source::Input;
use crate::table::{self, Table};
use crate::text::Encoding;
use crate::{Refusal, Result, choose};

impl Session<'_, '_> {
    pub(super) fn table(&mut self, input: Box<dyn Input>) -> Result<()> {
        let mut table = Table::open(input)?;
        self.described.format = table.kind().name();
        self.described.encoding = "binary";
        if let Some(contract) = self.options.contract
            && contract.format.kind.is_some_and(|kind| kind != Syntax::Table)
        {
            let message =
                format!("contract `{}` wants text, and this is a {} file", contract.name, table.kind().name());
            return Err(Refusal::new("wrong_format", message, "name another contract, or send the file as text").into());
        }
        let columns = table.columns().to_vec();
        let contract = self.contract(&columns)?;
        let position = |at: &At| match at {
            At::Position(position) => (*position < columns.len()).then_some(*position),
            At::Name(name) => columns.iter().position(|column| column == name),
        };
        let state = self.begin(&contract, |at| position(at).is_some())?;
        let slots: Vec<Option<usize>> = state.plan.slots.iter().map(position).collect();
        let missing: Vec<&At> =
            state.plan.slots.iter().zip(&slots).filter(|(_, found)| found.is_none()).map(|(at, _)| at).collect();
        if !missing.is_empty() {
            return Err(choose::missing_columns(&state.plan.contract, &missing, &columns, columns.len()).into());
        }
        let slots: Vec<usize> = slots.into_iter().flatten().collect();
        let written = state.fold.rejects.are_written();
        let shown: Vec<usize> = if written {
            (0..columns.len()).filter(|column| table.why_not(*column).is_none() || slots.contains(column)).collect()
        } else {
            slots.clone()
        };
        table.select(&shown)?;
        let cells: Vec<usize> =
            slots.iter().filter_map(|slot| shown.iter().position(|column| column == slot)).collect();
        let threads = self.options.threads;
        self.drifted(Drift::between(&contract, &columns));
        let Some(state) = &mut self.state else { return Ok(()) };
        let Some(dialect) = Dialect::new(b',', Some(b'"')) else { return Ok(()) };
        if written {
            state.fold.rejects.form = Some(reject_form(&columns, &shown, &dialect));
        }
        let plan = &state.plan;
        let fold = &mut state.fold;
        let mut cut = TableCut { table, rows: 0 };
        let render = written.then_some((dialect, shown.len()));
        parallel::run(
            threads,
            None,
            &mut cut,
            || TableParser {
                evaluator: Evaluator::new(plan),
                slots: cells.clone(),
                render: render.clone(),
                cells: Cells::default(),
            },
            &mut |batch| fold.add(plan, batch),
        )
    }
}

/// Rows of a table cannot be put right by hand in their own form, so they are written as CSV.
fn reject_form(columns: &[String], shown: &[usize], dialect: &Dialect) -> RejectForm {
    let mut header = Vec::new();
    for (index, column) in shown.iter().enumerate() {
        if index > 0 {
            header.push(dialect.delimiter());
        }
        write_field(columns[*column].as_bytes(), dialect.delimiter(), &mut header);
    }
    let shape = RejectShape::Csv { dialect: dialect.clone(), head: header, has_header: true };
    RejectForm { encoding: Encoding::Utf8, shape }
}

/// Gives a table's rows batch by batch.
struct TableCut {
    table: Table,
    rows: u64,
}

impl Cut for TableCut {
    fn next(&mut self, piece: &mut Piece) -> Result<bool> {
        piece.buffer.clear();
        piece.first_row = self.rows;
        let more = self.table.next(&mut piece.cells)?;
        self.rows += piece.cells.rows() as u64;
        Ok(more)
    }
}

/// Reads a table's rows into batches.
struct TableParser<'p> {
    evaluator: Evaluator<'p>,
    /// The cell of each slot.
    slots: Vec<usize>,
    /// Write every row as CSV, for the rejects file: dialect and number of cells.
    render: Option<(Dialect, usize)>,
    cells: Cells,
}

impl Parse for TableParser<'_> {
    fn parse(&mut self, piece: &mut Piece, batch: &mut Batch) -> Result<()> {
        batch.clear();
        let mut rendered = std::mem::take(&mut piece.buffer);
        rendered.clear();
        for row in 0..piece.cells.rows() {
            let start = rendered.len();
            if let Some((dialect, count)) = &self.render {
                render(&piece.cells, row, *count, dialect, &mut rendered);
            }
            let span = (start as u32, rendered.len() as u32);
            let line = piece.first_row + row as u64;
            let cells = &piece.cells;
            let slots = &self.slots;
            let fields = RowCells { cells, row, slots };
            let place = Place { span, line };
            if self.evaluator.quick(&fields, place, batch) {
                continue;
            }
            self.cells.clear();
            for slot in &self.slots {
                self.cells.push_owned(piece.cells.cell(row, *slot));
            }
            let fetched = Fetched { cells: &self.cells, input: &rendered };
            self.evaluator.row(fetched, place, batch);
        }
        batch.input = rendered;
        Ok(())
    }
}

/// The cells of one row, for the quick path.
struct RowCells<'a> {
    cells: &'a table::Batch,
    row: usize,
    slots: &'a [usize],
}

impl<'a> QuickFields<'a> for RowCells<'a> {
    fn field(&self, slot: usize) -> Option<Field<'a>> {
        let cell = self.cells.cell(self.row, self.slots[slot]);
        let plain = memchr::memchr(0, cell).is_none() && std::str::from_utf8(cell).is_ok();
        let takes = plain && cell.len() <= FIELD_BYTES_MAX;
        takes.then_some(Field { around: cell, start: 0, end: cell.len() })
    }
}

fn render(cells: &table::Batch, row: usize, count: usize, dialect: &Dialect, into: &mut Vec<u8>) {
    for cell in 0..count {
        if cell > 0 {
            into.push(dialect.delimiter());
        }
        write_field(cells.cell(row, cell), dialect.delimiter(), into);
    }
}
