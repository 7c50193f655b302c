//! Cutting a stream into records, one buffer after the other.

use memchr::{memchr, memchr_iter, memchr2_iter};

use super::layout::Layout;
use super::text;
use super::values::{Inside, Scanned};
use crate::limits::RECORD_BYTES_MAX;
use crate::{Refusal, Result};

/// Where a record lies in the buffer that it was cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
    /// The line on which it begins, from 1; in `Layout::Array` its place in the array, from 0.
    pub line: u64,
}

/// So much of a buffer is looked at in one call: offsets in it fit a `Cells` span.
const BUFFER_BYTES_MAX: usize = i32::MAX as usize;

/// Finds the records of a stream. It reads no value: a record may still be broken inside.
///
/// No byte is looked at twice, however small the buffers and long the records.
#[derive(Debug)]
pub struct Cutter {
    layout: Layout,
    place: Place,
    /// Bytes at the front of the next buffer that are known to end no record.
    scanned: usize,
    inside: Option<Inside>,
    expected: Expected,
    items: u64,
    blank_lines: u64,
}

/// What may come next between the records of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Opening,
    FirstItem,
    Item,
    Comma,
    Nothing,
    /// In `Layout::Value`.
    Value,
}

impl Cutter {
    /// A cutter at the front of a stream.
    pub fn new(layout: Layout) -> Self {
        let expected = if layout == Layout::Array { Expected::Opening } else { Expected::Value };
        Self { layout, place: Place::default(), scanned: 0, inside: None, expected, items: 0, blank_lines: 0 }
    }

    /// Lines so far without a record (`Layout::Lines` only).
    pub fn blank_lines(&self) -> u64 {
        self.blank_lines
    }

    /// Lines so far, whatever is on them.
    pub fn lines(&self) -> u64 {
        self.place.ended + u64::from(self.place.is_open)
    }

    /// Pushes the complete records at the front of `buffer`; answers how many bytes are done with.
    ///
    /// The next buffer begins with the bytes that are not. `end`: nothing comes after this buffer; if not all of it
    /// is answered then (it is larger than 2 GiB), the rest is handed in again. A stream that is refused gives
    /// the records before the fault, and is not to be cut further.
    pub fn cut(&mut self, buffer: &[u8], end: bool, records: &mut Vec<Record>) -> Result<usize> {
        let end = end && buffer.len() <= BUFFER_BYTES_MAX;
        let buffer = &buffer[..buffer.len().min(BUFFER_BYTES_MAX)];
        match self.layout {
            Layout::Lines => self.cut_lines(buffer, end, records),
            Layout::Array | Layout::Value => self.cut_values(buffer, end, records),
        }
    }

    fn cut_lines(&mut self, buffer: &[u8], end: bool, records: &mut Vec<Record>) -> Result<usize> {
        let mut start = 0;
        if self.place.after_return && !buffer.is_empty() {
            start = usize::from(buffer[0] == b'\n');
            self.place.after_return = false;
        }
        let from = self.scanned.max(start);
        for found in memchr2_iter(b'\n', b'\r', buffer.get(from..).unwrap_or_default()) {
            let line_end = from + found;
            if line_end < start {
                continue; // the second half of a CRLF
            }
            self.cut_line(buffer, start, line_end, records)?;
            start = line_end + 1;
            if buffer[line_end] == b'\r' {
                match buffer.get(start) {
                    Some(b'\n') => start += 1,
                    Some(_) => {}
                    None => self.place.after_return = true,
                }
            }
        }
        if end && start < buffer.len() {
            self.cut_line(buffer, start, buffer.len(), records)?;
            start = buffer.len();
        }
        self.scanned = buffer.len() - start;
        if self.scanned > RECORD_BYTES_MAX {
            return Err(self.too_long(self.place.ended + 1).into());
        }
        Ok(start)
    }

    #[inline]
    fn cut_line(&mut self, buffer: &[u8], start: usize, end: usize, records: &mut Vec<Record>) -> Result<()> {
        let line = self.place.ended + 1;
        if end - start > RECORD_BYTES_MAX {
            return Err(self.too_long(line).into());
        }
        self.place.ended = line;
        if buffer[start..end].iter().all(u8::is_ascii_whitespace) {
            self.blank_lines += 1;
        } else {
            records.push(Record { start: start as u32, end: end as u32, line });
        }
        Ok(())
    }

    fn cut_values(&mut self, buffer: &[u8], end: bool, records: &mut Vec<Record>) -> Result<usize> {
        let mut start = 0; // of the value that `inside` is in
        let mut placed = 0; // `place` is here
        let mut at = self.scanned;
        loop {
            if let Some(mut inside) = self.inside {
                let scanned = inside.scan(buffer, at);
                self.inside = Some(inside);
                at = match scanned {
                    Scanned::End(value_end) => value_end,
                    Scanned::More => buffer.len(),
                };
                if at - start > RECORD_BYTES_MAX {
                    return Err(self.too_long(self.number()).into());
                }
                if scanned == Scanned::More && !(end && inside.is_bare()) {
                    break;
                }
                records.push(Record { start: start as u32, end: at as u32, line: self.number() });
                self.items += 1;
                self.inside = None;
                self.expected = if self.layout == Layout::Array { Expected::Comma } else { Expected::Value };
            }
            at = text::skip_space(buffer, at);
            let Some(&byte) = buffer.get(at) else { break };
            if self.opens_value(byte) {
                self.place.advance(&buffer[placed..at]);
                (start, placed) = (at, at);
                self.inside = Some(Inside::open(byte));
            } else if let Some(expected) = self.expected.behind(byte) {
                self.expected = expected;
            } else {
                self.place.advance(&buffer[placed..at]);
                return Err(self.misplaced(byte).into());
            }
            at += 1;
        }
        let done = if self.inside.is_some() { start } else { buffer.len() };
        self.scanned = buffer.len() - done;
        self.place.advance(&buffer[placed..done]);
        if end {
            self.check_end(&buffer[done..])?;
        }
        Ok(done)
    }

    fn opens_value(&self, byte: u8) -> bool {
        let expects_value = matches!(self.expected, Expected::FirstItem | Expected::Item | Expected::Value);
        expects_value && Inside::can_open(byte)
    }

    /// What the value at `place` is called: its line, or its place in the array.
    fn number(&self) -> u64 {
        if self.layout == Layout::Array { self.items } else { self.place.ended + 1 }
    }

    fn too_long(&self, number: u64) -> Refusal {
        let what = if self.layout == Layout::Array { "array item" } else { "the record on line" };
        Refusal::new(
            "record_too_long",
            format!("{what} {number} is longer than {RECORD_BYTES_MAX} bytes"),
            "send one record per line, or one array of smaller records",
        )
    }

    fn misplaced(&self, byte: u8) -> Refusal {
        let expected = match self.expected {
            Expected::Opening => "\"[\"",
            Expected::FirstItem => "a value or \"]\"",
            Expected::Item | Expected::Value => "a value",
            Expected::Comma => "\",\" or \"]\"",
            Expected::Nothing => "nothing more",
        };
        let (line, offset) = (self.place.ended + 1, self.place.offset);
        let found = if byte.is_ascii_graphic() { char::from(byte).to_string() } else { format!("\\x{byte:02x}") };
        Refusal::new(
            "invalid_json",
            format!("expected {expected} but found {found:?} on line {line}, byte offset {offset}"),
            format!("the {} records before it were taken; mend the file there and send it whole", self.items),
        )
    }

    /// `rest` is what the file ends with inside a value.
    fn check_end(&mut self, rest: &[u8]) -> Result<()> {
        let is_whole = self.inside.is_none() && matches!(self.expected, Expected::Nothing | Expected::Value);
        if is_whole {
            return Ok(());
        }
        let number = self.number();
        self.place.advance(rest);
        let (line, offset) = (self.place.ended + 1, self.place.offset);
        let open = match (self.inside, self.layout) {
            (Some(_), Layout::Array) => format!("array item {number} is not complete"),
            (Some(_), _) => format!("the value that begins on line {number} is not complete"),
            (None, _) if self.expected == Expected::Opening => "there is no array in it".to_owned(),
            (None, _) => "the array is not closed".to_owned(),
        };
        Err(Refusal::new(
            "truncated_json",
            format!("the file ends on line {line}, byte offset {offset}: {open}"),
            format!("the {} records before it were taken; send the whole file again", self.items),
        )
        .into())
    }
}

impl Expected {
    /// What is expected behind `byte`, if it may stand here between records.
    fn behind(self, byte: u8) -> Option<Expected> {
        match (self, byte) {
            (Expected::Opening, b'[') => Some(Expected::FirstItem),
            (Expected::FirstItem | Expected::Comma, b']') => Some(Expected::Nothing),
            (Expected::Comma, b',') => Some(Expected::Item),
            _ => None,
        }
    }
}

/// Where in the stream the next buffer begins.
#[derive(Debug, Default)]
struct Place {
    offset: u64,
    /// Lines that are over.
    ended: u64,
    /// There are bytes behind the last of them.
    is_open: bool,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_return: bool,
}

impl Place {
    fn advance(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        self.offset += bytes.len() as u64;
        if self.after_return || memchr(b'\r', bytes).is_some() {
            for &byte in bytes {
                self.ended += u64::from(byte == b'\r' || byte == b'\n' && !self.after_return);
                self.after_return = byte == b'\r';
            }
        } else {
            self.ended += memchr_iter(b'\n', bytes).count() as u64;
        }
        self.is_open = last != b'\n' && last != b'\r';
    }
}

#[cfg(test)]
mod tests;
