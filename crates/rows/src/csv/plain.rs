//! The records of a buffer that have nothing odd about them, to be read column by column.

use super::Index;
use super::grammar::after_line_end;

/// Finds the plain records of an index: regular ones, all of one width. Reuse it from buffer to buffer.
#[derive(Debug, Default)]
pub struct Plain {
    places: Vec<PlainRecord>,
    others: Vec<u32>,
}

/// A plain record: which of the positions of the index is the end of the one before.
#[derive(Debug, Clone, Copy)]
pub struct PlainRecord(u32);

impl PlainRecord {
    /// Where field number `field` stands, quotes included, given the buffer and [`Index::positions`].
    #[inline(always)]
    pub fn field_span(self, buffer: &[u8], positions: &[u32], field: u32) -> (usize, usize) {
        let at = self.0 as usize + field as usize;
        let (end, before) = (positions[at + 1], positions[at]);
        // The line end before the first field may be two bytes long.
        let start = if field == 0 { start_after(buffer, before) } else { before as usize + 1 };
        (start, end as usize)
    }

    /// Where the first `fields` fields stand.
    #[inline(always)]
    pub fn span(self, buffer: &[u8], positions: &[u32], fields: usize) -> (u32, u32) {
        let bounds = &positions[self.0 as usize..][..=fields];
        (start_after(buffer, bounds[0]) as u32, bounds[fields])
    }
}

/// Where a record starts, given where the one before ended.
#[inline(always)]
fn start_after(buffer: &[u8], end: u32) -> usize {
    match end.checked_add(1) {
        Some(_) => after_line_end(buffer, end as usize),
        // what stands before the first
        None => 0,
    }
}

impl Plain {
    /// Looks at the records from number `from` on. Those are plain that have `fields` fields, are at most `bytes_max`
    /// long and `wanted`, which is told where each stands. The line feed of a CRLF before a record counts as part of it.
    pub fn find(
        &mut self,
        index: &Index,
        from: usize,
        fields: usize,
        bytes_max: usize,
        mut wanted: impl FnMut(usize, usize) -> bool,
    ) {
        let Self { places, others } = self;
        places.clear();
        others.clear();
        let (positions, mut place) = (index.positions(), index.place_of(from));
        places.reserve(index.len().saturating_sub(from));
        for (number, entry) in (from as u32..).zip(index.entries_from(from)) {
            let (last, is_plain) = entry;
            let (start, end) = (positions[place].wrapping_add(1) as usize, positions[last] as usize);
            let fits = last - place == fields && end.saturating_sub(start) <= bytes_max;
            if is_plain && fits && wanted(start, end) {
                places.push(PlainRecord(place as u32));
            } else {
                others.push(number);
            }
            place = last;
        }
    }

    /// None are plain.
    pub fn find_none(&mut self, index: &Index, from: usize) {
        self.places.clear();
        self.others.clear();
        self.others.extend(from as u32..index.len() as u32);
    }

    /// Those that are.
    pub fn records(&self) -> &[PlainRecord] {
        &self.places
    }

    /// The numbers of the others, in order.
    pub fn others(&self) -> &[u32] {
        &self.others
    }
}
