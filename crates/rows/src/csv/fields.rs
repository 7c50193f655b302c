//! Fields without their quotes, and what can be wrong with quotes.

use memchr::memchr;

use super::Dialect;
use super::grammar::{after_line_end, read_field};

/// What is wrong with the quotes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuoteFault {
    /// Text follows a closing quote: `bad_quote`.
    Bad,
    /// A quoted field is open at the end of input: `unterminated_quote`.
    Unterminated,
}

/// The fields of one record as text without quotes, in memory of its own; reuse it from record to record.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    fault: Option<QuoteFault>,
    quoted: bool,
    next: usize,
}

impl Fields {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none: nothing was parsed into it yet.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Field number `field`, if there is one.
    pub fn get(&self, field: usize) -> Option<&[u8]> {
        let end = *self.ends.get(field)?;
        let start = field.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[start..end])
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end])
    }

    /// The first thing wrong with its quotes.
    pub fn fault(&self) -> Option<QuoteFault> {
        self.fault
    }

    /// Whether the record is a line with nothing in it.
    pub fn is_blank(&self) -> bool {
        self.ends == [0] && !self.quoted
    }

    /// Where the next record starts.
    pub fn next(&self) -> usize {
        self.next
    }
}

/// Reads the record of `buffer` that starts at `start` (at most the buffer's length) by the exact grammar, with its
/// last byte as the end of input, and replaces `into` by its fields. Comments are not known here: ask the index.
pub fn parse_record(buffer: &[u8], start: usize, dialect: &Dialect, into: &mut Fields) {
    into.bytes.clear();
    into.ends.clear();
    (into.fault, into.quoted) = (None, false);
    let mut at = start.min(buffer.len());
    loop {
        let field = read_field(buffer, at, dialect);
        into.fault = into.fault.or(field.fault);
        into.quoted |= field.quoted;
        match dialect.quote() {
            Some(quote) if field.quoted => {
                let closing = field.closing.unwrap_or(field.end);
                unescape(&buffer[at + 1..closing], quote, &mut into.bytes);
                into.bytes.extend_from_slice(&buffer[(closing + 1).min(field.end)..field.end]);
            }
            _ => into.bytes.extend_from_slice(&buffer[at..field.end]),
        }
        into.ends.push(into.bytes.len());
        if buffer.get(field.end) != Some(&dialect.delimiter()) {
            into.next = after_line_end(buffer, field.end);
            return;
        }
        at = field.end + 1;
    }
}

/// Where the text of a quoted field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unquoted {
    /// In the field, between its first and its last byte.
    Inner,
    /// In the buffer that was passed in.
    Copied,
}

/// The text of `field`, which begins with `quote` and is of a regular record. It is copied, in place of what `into`
/// held, only if it has an escaped quote.
#[inline]
pub fn unquote(field: &[u8], quote: u8, into: &mut Vec<u8>) -> Unquoted {
    let inner = field.get(1..field.len().saturating_sub(1)).unwrap_or_default();
    if memchr(quote, inner).is_none() {
        return Unquoted::Inner;
    }
    into.clear();
    unescape(inner, quote, into);
    Unquoted::Copied
}

/// Appends `field` as one field of a record, quoted when it must be.
pub fn write_field(field: &[u8], delimiter: u8, into: &mut Vec<u8>) {
    let special = |byte: &u8| *byte == delimiter || matches!(*byte, b'"' | b'\n' | b'\r');
    if !field.iter().any(special) {
        into.extend_from_slice(field);
        return;
    }
    into.push(b'"');
    for byte in field {
        if *byte == b'"' {
            into.push(b'"');
        }
        into.push(*byte);
    }
    into.push(b'"');
}

/// Appends `inner` with every two quotes as one.
fn unescape(mut inner: &[u8], quote: u8, into: &mut Vec<u8>) {
    while let Some(first) = memchr(quote, inner) {
        into.extend_from_slice(&inner[..=first]);
        inner = inner.get(first + 2..).unwrap_or_default();
    }
    into.extend_from_slice(inner);
}
