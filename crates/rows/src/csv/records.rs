//! The records of an indexed buffer, one after the other.

use std::ops::Range;

use super::Index;
use super::grammar::after_line_end;
use super::index::{COMMENT, IRREGULAR, PLACE};

/// What a record is to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its fields are what their spans say; one that begins with a quote is for [`unquote`](super::unquote).
    Regular,
    /// Quotes stand inside unquoted fields, after closing ones, or open at the end of input. The spans are right all
    /// the same, but the fields are for [`parse_record`](super::parse_record).
    Irregular,
    /// A line with nothing in it.
    Blank,
    /// A comment: one field, the whole line.
    Comment,
}

/// One record: spans of the buffer it was indexed from.
#[derive(Debug, Clone, Copy)]
pub struct Record<'index> {
    /// Where the record before ended, then where each field ends.
    bounds: &'index [u32],
    start: u32,
    next: u32,
    flags: u32,
}

impl Record<'_> {
    /// How many fields it has; at least one.
    #[inline(always)]
    pub fn fields(&self) -> usize {
        self.bounds.len() - 1
    }

    /// What it is.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self.flags {
            IRREGULAR => Kind::Irregular,
            COMMENT => Kind::Comment,
            _ if self.start() == self.end() => Kind::Blank,
            _ => Kind::Regular,
        }
    }

    /// Where field number `field` stands, quotes included. It must be less than [`Record::fields`].
    #[inline(always)]
    pub fn field_span(&self, field: usize) -> (usize, usize) {
        // The line end before the first field may be two bytes long.
        let start = self.bounds[field].wrapping_add(1).max(self.start);
        (start as usize, self.bounds[field + 1] as usize)
    }

    /// Where it starts.
    #[inline(always)]
    pub fn start(&self) -> usize {
        self.start as usize
    }

    /// Where its line end stands, or the end of input.
    #[inline(always)]
    pub fn end(&self) -> usize {
        self.bounds[self.bounds.len() - 1] as usize
    }

    /// Where the next one starts.
    #[inline(always)]
    pub fn next(&self) -> usize {
        self.next as usize
    }

    /// All of it but its line end.
    #[inline]
    pub fn range(&self) -> Range<usize> {
        self.start()..self.end()
    }
}

/// Iterates over the complete records of a buffer, in order. Blank lines and comments are among them, so that the
/// number of a record and its line go together ([`Index::line_ends_before`]).
#[derive(Debug, Clone)]
pub struct Records<'index, 'buffer> {
    buffer: &'buffer [u8],
    positions: &'index [u32],
    entries: std::slice::Iter<'index, u32>,
    place: usize,
    start: usize,
}

impl<'index, 'buffer> Records<'index, 'buffer> {
    /// The records of `buffer`, which `index` was made from.
    pub fn new(buffer: &'buffer [u8], index: &'index Index) -> Self {
        Self {
            buffer,
            positions: index.positions.as_slice(),
            entries: index.entries.as_slice().iter(),
            place: 0,
            start: 0,
        }
    }
}

impl<'index> Iterator for Records<'index, '_> {
    type Item = Record<'index>;

    #[inline(always)]
    fn next(&mut self) -> Option<Record<'index>> {
        let entry = *self.entries.next()?;
        let last = (entry & PLACE) as usize;
        let bounds = &self.positions[self.place..=last];
        let next = after_line_end(self.buffer, self.positions[last] as usize);
        let record = Record { bounds, start: self.start as u32, next: next as u32, flags: entry & !PLACE };
        self.place = last;
        self.start = next;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Records<'_, '_> {}

impl Index {
    /// Record number `record` (0-based) of `buffer`, which this was made from, if there is one.
    pub fn record(&self, buffer: &[u8], record: usize) -> Option<Record<'_>> {
        let (before, from) = self.entries.as_slice().split_at_checked(record)?;
        let place = before.last().map_or(0, |entry| (entry & PLACE) as usize);
        let positions = self.positions.as_slice();
        let start = if place == 0 { 0 } else { after_line_end(buffer, positions[place] as usize) };
        let mut records = Records { buffer, positions, entries: from.iter(), place, start };
        records.next()
    }
}
