//! A part that is CSV: finding its header, cutting it into pieces, and reading the records of a piece.

mod header;
mod parse;

use super::{Cut, Head, Piece, Session, piece};
use crate::contract::Contract;
use crate::csv::{self, Dialect};
use crate::limits::RECORD_BYTES_MAX;
use crate::parallel;
use crate::scan::Scanner;
use crate::source::Source;
use crate::text::Encoding;
use crate::{Refusal, Result};

use header::Header;
use parse::CsvParser;

impl Session<'_, '_> {
    pub(super) fn csv(&mut self, source: &mut dyn Source, head: Head, encoding: Encoding) -> Result<()> {
        self.described.format = "csv";
        let named = self.options.contract;
        let dialect = dialect(named, &head.bytes)?;
        let mut cut =
            CsvCut { source, scanner: Scanner::new(dialect.clone()), carry: Vec::new(), ended: head.ended, lines: 0 };
        let mut first = Piece { buffer: head.bytes, ..Piece::default() };
        cut.index(&mut first)?;
        let header = Header::find(named.map(|contract| &contract.format), &first, &dialect)?;
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
        state.fold.rejects.form = Some(header.reject_form(&dialect, &binding, encoding));
        state.fold.counts.header_lines += header.lines;
        state.fold.counts.blank_lines += header.blank_lines;
        state.fold.counts.comment_lines += header.comment_lines;
        first.header_records = header.records;
        let plan = &state.plan;
        let fold = &mut state.fold;
        parallel::run(
            threads,
            Some(first),
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
    lines: u64,
}

impl Cut for CsvCut<'_> {
    fn next(&mut self, piece: &mut Piece) -> Result<bool> {
        piece.header_records = 0;
        piece.buffer.clear();
        piece.buffer.extend_from_slice(&self.carry);
        self.carry.clear();
        if self.ended && piece.buffer.is_empty() {
            return Ok(false);
        }
        let size = piece.buffer.len().max(piece::PIECE_BYTES / 2) + piece::PIECE_BYTES / 2;
        piece::extend(self.source, &mut piece.buffer, size, &mut self.ended)?;
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
                let size = piece.buffer.len() + piece::PIECE_BYTES / 2;
                piece::extend(self.source, &mut piece.buffer, size, &mut self.ended)?;
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

/// The refusal of a record that is longer than any row may be.
fn record_too_long(line: u64) -> Refusal {
    Refusal::new(
        "record_too_long",
        format!("the record that starts on line {line} is longer than {RECORD_BYTES_MAX} bytes"),
        "a quote that is never closed is the usual cause; check that line",
    )
}
