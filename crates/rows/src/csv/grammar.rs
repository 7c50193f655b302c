//! The exact grammar of one field, read byte by byte: what the fast scan falls back on and is tested against.

use memchr::{memchr, memchr3};

use super::{Dialect, QuoteFault};

/// One field as it stands in the buffer.
pub(super) struct RawField {
    /// Where the delimiter or line end after it stands, or the end of the buffer.
    pub(super) end: usize,
    /// Where its closing quote stands, if it was opened and closed.
    pub(super) closing: Option<usize>,
    /// Whether it begins with a quote.
    pub(super) quoted: bool,
    /// What is wrong with its quotes.
    pub(super) fault: Option<QuoteFault>,
    /// Whether it is unquoted and has a quote in it, which is data.
    pub(super) stray: bool,
}

/// Reads the field that begins at `start`.
pub(super) fn read_field(buffer: &[u8], start: usize, dialect: &Dialect) -> RawField {
    let Some(quote) = dialect.quote() else {
        let end = separator_from(buffer, start, dialect);
        return RawField { end, closing: None, quoted: false, fault: None, stray: false };
    };
    if buffer.get(start) != Some(&quote) {
        let end = separator_from(buffer, start, dialect);
        let stray = memchr(quote, &buffer[start..end]).is_some();
        return RawField { end, closing: None, quoted: false, fault: None, stray };
    }
    let Some(closing) = closing_quote(buffer, start + 1, quote) else {
        let fault = Some(QuoteFault::Unterminated);
        return RawField { end: buffer.len(), closing: None, quoted: true, fault, stray: false };
    };
    let end = separator_from(buffer, closing + 1, dialect);
    let fault = (end > closing + 1).then_some(QuoteFault::Bad);
    RawField { end, closing: Some(closing), quoted: true, fault, stray: false }
}

fn separator_from(buffer: &[u8], from: usize, dialect: &Dialect) -> usize {
    memchr3(dialect.delimiter(), b'\n', b'\r', &buffer[from..]).map_or(buffer.len(), |offset| from + offset)
}

/// The first quote from `from` on that is not one of two.
fn closing_quote(buffer: &[u8], mut from: usize, quote: u8) -> Option<usize> {
    loop {
        let found = from + memchr(quote, &buffer[from..])?;
        if buffer.get(found + 1) != Some(&quote) {
            return Some(found);
        }
        from = found + 2;
    }
}

/// Where the next record starts when one ends at `end`: after its line end, if it has one.
#[inline]
pub(super) fn after_line_end(buffer: &[u8], end: usize) -> usize {
    match buffer.get(end) {
        None => end,
        Some(b'\r') if buffer.get(end + 1) == Some(&b'\n') => end + 2,
        Some(_) => end + 1,
    }
}
