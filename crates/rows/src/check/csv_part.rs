//! A part that is CSV: finding its header, cutting it into pieces, and reading the records of a piece.

mod header;
mod parse;

use super::members::Written;
use super::{Chained, Cut, Piece, Session, piece};
use crate::contract::Contract;
use crate::csv::{self, Dialect, Index};
use crate::limits::RECORD_BYTES_MAX;
use crate::parallel;
use crate::scan::Scanner;
use crate::source::Source;
use crate::text::Encoding;
use crate::{Refusal, Result};

use header::Header;
use parse::CsvParser;

impl Session<'_, '_> {
    pub(super) fn csv<S: Source>(&mut self, mut text: Chained<S>, encoding: Encoding) -> Result<()> {
        self.described.format = "csv";
        let named = self.options.contract;
        let dialect = dialect(named, &text.head)?;
        let mut cut = CsvCut {
            source: &mut text,
            scanner: Scanner::new(dialect.clone()),
            carry: Vec::new(),
            ended: false,
            piece_bytes: self.options.piece_bytes,
            lines: 0,
        };
        let mut header = Header::new(named.map(|contract| &contract.format));
        let mut first = Piece::default();
        // Pieces without a row are done with: what they hold is counted by the header.
        let has_rows = loop {
            if !cut.next(&mut first)? {
                break false;
            }
            if header.look(&first, &dialect)? {
                break true;
            }
        };
        header.check()?;
        self.alike(Written { form: header.form(&dialect), encoding })?;
        let contract = self.contract(&header.names)?;
        let binding = {
            let contract_has = |at: &crate::contract::At| header.position(at).is_some();
            let state = self.begin(&contract, contract_has)?;
            header.bind(&contract, &state.plan)?
        };
        let drift = header.drift(&contract);
        self.drifted(drift);
        let threads = self.options.threads;
        let Some(state) = &mut self.state else { return Ok(()) };
        state.fold.rejects.form = Some(header.reject_form(&dialect, encoding));
        state.fold.counts.lines += header.lines_done;
        state.fold.counts.header_lines += header.lines;
        state.fold.counts.blank_lines += header.blank_lines;
        state.fold.counts.comment_lines += header.comment_lines;
        first.header_records = header.records;
        let plan = &state.plan;
        let fold = &mut state.fold;
        parallel::run(
            threads,
            has_rows.then_some(first),
            &mut cut,
            || CsvParser::new(plan, dialect.clone(), binding.clone()),
            &mut |batch| fold.add(plan, batch),
        )
    }
}

fn dialect(contract: Option<&Contract>, head: &[u8]) -> Result<Dialect> {
    let format = contract.map(|contract| &contract.format);
    let quote = match format.and_then(|format| format.quote.as_deref()) {
        None => Some('"'),
        Some(text) => text.chars().next(),
    };
    let delimiter = match format.and_then(|format| format.delimiter) {
        Some(delimiter) => delimiter,
        None => char::from(csv::sniff_delimiter(head)),
    };
    let comment = format.and_then(|format| format.comment.as_deref()).unwrap_or_default();
    let byte = |character: char| u8::try_from(character).ok().filter(u8::is_ascii);
    let quote_byte = quote.map(byte);
    let dialect = match (byte(delimiter), quote_byte) {
        (Some(delimiter), None) => Dialect::new(delimiter, None),
        (Some(delimiter), Some(Some(quote))) => Dialect::new(delimiter, Some(quote)),
        _ => None,
    };
    let dialect = dialect.and_then(|dialect| dialect.with_comment(comment.as_bytes()));
    dialect.ok_or_else(|| {
        let message = format!("delimiter {delimiter:?}, quote {quote:?}, comment {comment:?} cannot be read together");
        Refusal::new("invalid_contract", message, "use different ASCII characters that end no line").into()
    })
}

/// Cuts CSV text at the ends of records.
struct CsvCut<'s> {
    source: &'s mut dyn Source,
    scanner: Scanner,
    /// The front of a record whose end was not read yet.
    carry: Vec<u8>,
    ended: bool,
    piece_bytes: usize,
    lines: u64,
}

impl Cut for CsvCut<'_> {
    fn next(&mut self, piece: &mut Piece) -> Result<bool> {
        piece.header_records = 0;
        let carried = piece::begin_with(&mut self.carry, &mut piece.buffer);
        if self.ended && carried == 0 {
            return Ok(false);
        }
        let size = piece::size_after(carried, self.piece_bytes);
        piece::extend(self.source, &mut piece.buffer, carried, size, &mut self.ended)?;
        self.index(piece)?;
        Ok(!piece.buffer.is_empty())
    }
}

impl CsvCut<'_> {
    /// Indexes the piece and keeps what is left of it; reads on while there is no complete record.
    fn index(&mut self, piece: &mut Piece) -> Result<()> {
        piece.lines_before = self.lines;
        loop {
            let complete = self.scanner.scan(&piece.buffer, self.ended, &mut piece.index);
            if complete == 0 && !self.ended && piece.buffer.len() <= RECORD_BYTES_MAX {
                // It grows by its own length, so that a long record is not scanned over and over.
                let filled = piece.buffer.len();
                let size = filled + filled.max(self.piece_bytes / 2);
                piece::extend(self.source, &mut piece.buffer, filled, size, &mut self.ended)?;
                continue;
            }
            if complete == 0 && !piece.buffer.is_empty() {
                return Err(record_too_long(self.lines + 1).into());
            }
            self.carry.extend_from_slice(&piece.buffer[complete..]);
            piece.buffer.truncate(complete);
            self.lines += piece.index.line_ends_before(piece.index.len()) as u64;
            return Ok(());
        }
    }
}

/// Line ends before record `number` of a buffer. A quote that is open at the end of input takes in the last line end,
/// which then is not one more than those inside the record.
fn line_ends_before(number: usize, buffer: &[u8], index: &Index) -> u64 {
    let last = index.record(buffer, index.len().wrapping_sub(1)).filter(|_| number == index.len());
    let is_open = last.is_some_and(|last| last.end() == buffer.len() && matches!(buffer.last(), Some(b'\n' | b'\r')));
    index.line_ends_before(number) as u64 - u64::from(is_open)
}

/// The refusal of a record that is longer than any row may be.
fn record_too_long(line: u64) -> Refusal {
    Refusal::new(
        "record_too_long",
        format!("the record that starts on line {line} is longer than {RECORD_BYTES_MAX} bytes"),
        "a quote that is never closed is the usual cause; check that line",
    )
}
