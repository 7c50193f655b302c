//! Where the fields and records of one buffer end.

use memchr::{memchr, memchr2};

use super::Dialect;
use super::grammar::{after_line_end, read_field};
use super::lines::count_lines;
use super::slots::Slots;
use crate::scan::{BLOCK, Masks};

/// Flag of an entry: quotes stand where the fast scan does not understand them.
pub(super) const IRREGULAR: u32 = 1 << 31;
/// Flag of an entry: a comment.
pub(super) const COMMENT: u32 = 1 << 30;
/// The rest of an entry.
pub(super) const PLACE: u32 = COMMENT - 1;
/// Stands before the first record, where every other record finds the end of the one before: one less than 0.
const BEFORE_START: u32 = u32::MAX;

/// The records of one buffer: made by [`Scanner::scan`](crate::scan::Scanner::scan), walked by
/// [`Records`](super::Records). Reuse it from buffer to buffer; it keeps its memory.
#[derive(Debug, Clone)]
pub struct Index {
    /// `BEFORE_START`, then where each field ends: at its delimiter, its line end (the CR of a CRLF) or the end of input.
    pub(super) positions: Slots,
    /// For each record, which of the positions is its end, and its flags.
    pub(super) entries: Slots,
    /// For each line end inside quotes, the number of its record; ascending.
    inner_lines: Vec<u32>,
    has_quote: bool,
    has_nul: bool,
    has_high: bool,
}

impl Default for Index {
    fn default() -> Self {
        let mut positions = Slots::default();
        positions.push(BEFORE_START);
        Self {
            positions,
            entries: Slots::default(),
            inner_lines: Vec::new(),
            has_quote: false,
            has_nul: false,
            has_high: false,
        }
    }
}

impl Index {
    /// Largest buffer that is indexed at once.
    pub const BUFFER_BYTES_MAX: usize = 1 << 29;

    /// How many records there are, blank lines and comments included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the buffer has a quote. Like the other two, this may speak of the incomplete record at its end as well.
    pub fn has_quote(&self) -> bool {
        self.has_quote
    }

    /// Whether the buffer has a NUL.
    pub fn has_nul(&self) -> bool {
        self.has_nul
    }

    /// Whether the buffer has a byte outside ASCII.
    pub fn has_high(&self) -> bool {
        self.has_high
    }

    /// How many line ends stand before record number `record` (0-based), those inside quotes included. Of
    /// [`Index::len`]: before the end of the complete records, where the last of the input always counts as ended.
    pub fn line_ends_before(&self, record: usize) -> usize {
        record + self.inner_lines.partition_point(|&holder| (holder as usize) < record)
    }

    /// What [`PlainRecord::field_span`](super::PlainRecord::field_span) needs.
    #[inline]
    pub fn positions(&self) -> &[u32] {
        self.positions.as_slice()
    }

    /// Counts line ends from record to record.
    pub fn line_ends(&self) -> LineEnds<'_> {
        LineEnds { inner: &self.inner_lines, passed: 0 }
    }

    /// Which of the positions is the end of the record before number `record`.
    pub(super) fn place_of(&self, record: usize) -> usize {
        record
            .checked_sub(1)
            .and_then(|before| self.entries.as_slice().get(before))
            .map_or(0, |entry| (entry & PLACE) as usize)
    }

    /// Of each record from number `record` on, which of the positions is its end, and whether it is regular or blank.
    pub(super) fn entries_from(&self, record: usize) -> impl Iterator<Item = (usize, bool)> + '_ {
        let entries = self.entries.as_slice().get(record..).unwrap_or_default();
        entries.iter().map(|entry| ((entry & PLACE) as usize, entry & !PLACE == 0))
    }

    fn clear(&mut self) {
        self.positions.truncate(1);
        self.entries.truncate(0);
        self.inner_lines.clear();
        (self.has_quote, self.has_nul, self.has_high) = (false, false, false);
    }

    /// Indexes `buffer`, given what turns a block into masks, and bits into their places.
    ///
    /// The parity of quotes tells what is quoted as long as quotes are regular: each opens right after a separator,
    /// closes right before one, or is one of two. The first that is not is seen in the masks; its record is read again
    /// by the grammar and the fast scan goes on after it. Inlined, to be compiled for the CPU that these are for.
    #[inline(always)]
    pub(crate) fn fill(
        &mut self,
        buffer: &[u8],
        end_of_input: bool,
        dialect: &Dialect,
        masks: impl Fn(&[u8; BLOCK]) -> Masks,
        places: impl Fn(&mut [u32; BLOCK], u32, u64),
    ) -> usize {
        self.clear();
        let mut state = State::RECORD_START;
        let mut last_block;
        let (mut quotes, mut nuls, mut high) = (0, 0, 0);
        let mut at = 0;
        while at < buffer.len() {
            let rest = &buffer[at..];
            let (block, valid) = match rest.first_chunk::<BLOCK>() {
                Some(block) => (block, u64::MAX),
                None => {
                    last_block = [dialect.filler(); BLOCK];
                    last_block[..rest.len()].copy_from_slice(rest);
                    (&last_block, below(1 << rest.len()))
                }
            };
            let masks = masks(block);
            quotes |= masks.quote;
            nuls |= masks.nuls;
            high |= masks.high;
            let found = state.step(&masks, valid);
            self.append(at as u32, &found, &places);
            if found.fault {
                at = self.append_irregular(buffer, end_of_input, dialect);
                state = State::RECORD_START;
            } else {
                at += BLOCK;
            }
        }
        self.has_quote |= quotes != 0;
        self.has_nul |= nuls != 0;
        self.has_high |= high != 0;
        self.finish(buffer, end_of_input, state.inside != 0)
    }

    /// Appends what one block, which begins at `at`, holds.
    #[inline(always)]
    fn append(&mut self, at: u32, found: &Found, places: &impl Fn(&mut [u32; BLOCK], u32, u64)) {
        let first_place = self.positions.len() as u32;
        places(self.positions.room(), at, found.separators);
        self.positions.advance(found.separators.count_ones() as usize);

        if found.inner_lines != 0 {
            self.append_inner_lines(found.inner_lines, found.ends);
        }

        let count = found.ends.count_ones() as usize;
        let room = self.entries.room();
        let mut bits = found.ends;
        write_entries::<0, 2>(room, first_place, found.separators, &mut bits);
        if count > 2 {
            write_entries::<2, 64>(room, first_place, found.separators, &mut bits);
        }
        self.entries.advance(count);
    }

    #[inline(never)]
    fn append_inner_lines(&mut self, mut bits: u64, ends: u64) {
        while bits != 0 {
            let ended_before = (ends & below(bits)).count_ones();
            self.inner_lines.push(self.entries.len() as u32 + ended_before);
            bits &= bits - 1;
        }
    }

    /// Reads the record after the last complete one by the grammar, and marks it irregular. Answers where the scan goes
    /// on: at the end of the buffer when the record is not complete.
    #[cold]
    #[inline(never)]
    fn append_irregular(&mut self, buffer: &[u8], end_of_input: bool, dialect: &Dialect) -> usize {
        self.drop_incomplete();
        let start = self.next_start(buffer);
        self.append_by_grammar(buffer, start, dialect);
        let end = self.last_position();
        self.has_high |= !buffer[start..end].is_ascii();
        self.has_nul |= memchr(0, &buffer[start..end]).is_some();
        if end < buffer.len() || end_of_input {
            self.push_entry(IRREGULAR);
        }
        after_line_end(buffer, end)
    }

    /// Indexes `buffer` by the grammar alone, comments included.
    pub(crate) fn fill_by_grammar(&mut self, buffer: &[u8], end_of_input: bool, dialect: &Dialect) -> usize {
        self.clear();
        self.has_quote = dialect.quote().is_some_and(|quote| memchr(quote, buffer).is_some());
        self.has_nul = memchr(0, buffer).is_some();
        self.has_high = !buffer.is_ascii();
        let mut start = 0;
        while start < buffer.len() {
            let mut flag = 0;
            if !dialect.comment().is_empty() && buffer[start..].starts_with(dialect.comment()) {
                let length = memchr2(b'\n', b'\r', &buffer[start..]);
                self.positions.push(length.map_or(buffer.len(), |length| start + length) as u32);
                flag = COMMENT;
            } else if !self.append_by_grammar(buffer, start, dialect) {
                flag = IRREGULAR;
            }
            let end = self.last_position();
            if end == buffer.len() && !end_of_input {
                break;
            }
            self.push_entry(flag);
            start = after_line_end(buffer, end);
        }
        self.finish(buffer, end_of_input, false)
    }

    /// Appends the positions, not the entry, of the record that starts at `start`; answers whether it is regular.
    fn append_by_grammar(&mut self, buffer: &[u8], start: usize, dialect: &Dialect) -> bool {
        let record = self.entries.len() as u32;
        let mut regular = true;
        let mut at = start;
        loop {
            let field = read_field(buffer, at, dialect);
            self.positions.push(field.end as u32);
            regular &= field.fault.is_none() && !field.stray;
            if field.quoted {
                let lines = count_lines(&buffer[at..field.end]) as usize;
                self.inner_lines.resize(self.inner_lines.len() + lines, record);
            }
            if buffer.get(field.end) != Some(&dialect.delimiter()) {
                return regular;
            }
            at = field.end + 1;
        }
    }

    /// Settles what is after the last line end; answers how many bytes the complete records take.
    fn finish(&mut self, buffer: &[u8], end_of_input: bool, inside: bool) -> usize {
        let start = self.next_start(buffer);
        if end_of_input {
            if start < buffer.len() {
                self.positions.push(buffer.len() as u32);
                self.push_entry(if inside { IRREGULAR } else { 0 });
            }
            return buffer.len();
        }
        if start == buffer.len() && buffer.last() == Some(&b'\r') {
            self.entries.truncate(self.entries.len().saturating_sub(1));
        }
        self.drop_incomplete();
        self.next_start(buffer)
    }

    /// Forgets what was appended since the last complete record.
    fn drop_incomplete(&mut self) {
        let record = self.entries.len() as u32;
        self.positions.truncate(self.last_place() + 1);
        self.inner_lines.truncate(self.inner_lines.partition_point(|&holder| holder < record));
    }

    fn push_entry(&mut self, flag: u32) {
        self.entries.push((self.positions.len() - 1) as u32 | flag);
    }

    fn last_place(&self) -> usize {
        self.entries.as_slice().last().map_or(0, |entry| (entry & PLACE) as usize)
    }

    fn last_position(&self) -> usize {
        self.positions.as_slice().last().map_or(0, |&position| position as usize)
    }

    fn next_start(&self, buffer: &[u8]) -> usize {
        match self.last_place() {
            0 => 0,
            place => after_line_end(buffer, self.positions.as_slice()[place] as usize),
        }
    }
}

/// The line ends of an [`Index`].
#[derive(Debug, Clone)]
pub struct LineEnds<'index> {
    inner: &'index [u32],
    passed: usize,
}

impl LineEnds<'_> {
    /// As [`Index::line_ends_before`]. No record may be asked for that stands before one asked for earlier.
    #[inline(always)]
    pub fn before(&mut self, record: usize) -> u64 {
        while self.inner.get(self.passed).is_some_and(|holder| (*holder as usize) < record) {
            self.passed += 1;
        }
        (record + self.passed) as u64
    }
}

/// What the blocks before leave to the next.
struct State {
    /// All ones inside quotes, or zero.
    inside: u64,
    /// 1 if a quote may open in the first byte.
    edge: u64,
    /// 1 if the byte before closed a quote.
    closed: u64,
    /// 1 if the byte before was a carriage return.
    carriage_return: u64,
}

/// What one block holds, up to the first quote out of place.
struct Found {
    /// Ends of fields, those of records included.
    separators: u64,
    /// Ends of records.
    ends: u64,
    /// Line ends inside quotes.
    inner_lines: u64,
    /// Whether there is a quote out of place.
    fault: bool,
}

impl State {
    const RECORD_START: State = State { inside: 0, edge: 1, closed: 0, carriage_return: 0 };

    #[inline(always)]
    fn step(&mut self, masks: &Masks, valid: u64) -> Found {
        let inside = masks.odd ^ self.inside;
        // A carriage return ends a line at once; a line feed after it is the rest of the same line end.
        let after_carriage_return = (masks.carriage_return << 1) | self.carriage_return;
        let lines = masks.carriage_return | (masks.newline & !after_carriage_return);

        // An opening quote stands after an edge, and an edge stands after a closing one. An escaped pair is a quote
        // that closes with the next as its edge, which opens again with the one before as its edge.
        let edges = masks.delimiter | masks.newline | masks.carriage_return | masks.quote;
        let opens = masks.quote & inside;
        let closes = masks.quote & !inside;
        let opens_inside = opens & !((edges << 1) | self.edge);
        let goes_on_after = ((closes << 1) | self.closed) & !edges;
        let faults = (opens_inside | goes_on_after) & valid;
        // Up to the first fault the parity was right. With none, this keeps everything.
        let trusted = below(faults);

        self.inside = (inside.cast_signed() >> 63).cast_unsigned();
        self.edge = edges >> 63;
        self.closed = closes >> 63;
        self.carriage_return = masks.carriage_return >> 63;

        let outside = !inside & trusted;
        Found {
            separators: (masks.delimiter | lines) & outside,
            ends: lines & outside,
            inner_lines: lines & inside & trusted,
            fault: faults != 0,
        }
    }
}

/// The bits below the lowest one of `bits`; all when it has none.
#[inline(always)]
fn below(bits: u64) -> u64 {
    (bits & bits.wrapping_neg()).wrapping_sub(1)
}

/// Writes which of the separators the lowest bits are, counted on from `first_place`, whether or not there are so many.
#[inline(always)]
fn write_entries<const FROM: usize, const TO: usize>(
    room: &mut [u32; BLOCK],
    first_place: u32,
    separators: u64,
    bits: &mut u64,
) {
    for slot in &mut room[FROM..TO] {
        if TO == BLOCK && *bits == 0 {
            return;
        }
        *slot = first_place + (separators & below(*bits)).count_ones();
        *bits &= bits.wrapping_sub(1);
    }
}
