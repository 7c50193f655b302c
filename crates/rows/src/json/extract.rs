//! Rows out of messages: a line of a websocket capture may hold no row, one row or many.

use super::fault::{JsonFault, Stop};
use super::path::{Path, Paths, Tree};
use super::reader::{Reader, is_record};
use super::text;
use super::walk::{EACH, Each};
use crate::cells::Cells;

/// Which records hold rows, and where in them. The default: every record is one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extract {
    /// What stands before the JSON of a line. Lines without it hold no JSON.
    pub prefix: Option<LinePrefix>,
    /// All must hold; a record for which one does not is a message about something else.
    pub conditions: Vec<Condition>,
    /// The array of a record whose elements are the rows.
    pub each: Option<Path>,
}

/// What may stand before the JSON of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinePrefix {
    /// Seconds since the epoch, with or without a fraction, then a colon and a space: `1626993000.123: `.
    Epoch,
}

/// What the value at a path of the record must be. A missing value and null are the empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where; always from the whole record.
    pub path: Path,
    /// What.
    pub test: Test,
}

/// How the text of a value is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is one of these.
    Equals(Vec<String>),
    /// It begins with this.
    StartsWith(String),
}

/// What a record turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// So many rows were handed over, good ones and faulty ones.
    Rows(usize),
    /// A message about something else: no row.
    Ignored,
    /// A line without the prefix: no row.
    OtherLine,
}

/// Reads the rows of records; one per thread, used for all records of a file.
#[derive(Debug)]
pub struct Extractor {
    extract: Extract,
    slots: usize,
    /// Slots whose path starts at the whole record, while the items are in `each`.
    rooted: Vec<usize>,
    record: Reader,
    items: Option<Reader>,
    outer: Cells,
    /// Where the array of the last record that had one opens and closes, and its elements.
    array: (usize, usize),
    elements: Vec<(usize, usize)>,
}

impl Extractor {
    /// Reads the rows that `extract` describes; the value of the n-th path goes to slot n.
    pub fn new(paths: &[Path], extract: Extract) -> Self {
        let has_items = extract.each.is_some();
        let mut of_record = Tree::default();
        let mut of_item = Tree::default();
        let mut rooted = Vec::new();
        for (slot, path) in paths.iter().enumerate() {
            if has_items && !path.is_rooted() {
                of_item.insert(path, slot as u32);
            } else {
                of_record.insert(path, slot as u32);
                rooted.push(slot);
            }
        }
        for (index, condition) in extract.conditions.iter().enumerate() {
            of_record.insert(&condition.path, (paths.len() + index) as u32);
        }
        if let Some(each) = &extract.each {
            of_record.insert(each, EACH);
        }
        let slots = paths.len() + extract.conditions.len();
        let record = Reader::new(Paths { slots, tree: of_record });
        let items = has_items.then(|| Reader::new(Paths { slots: paths.len(), tree: of_item }));
        Self {
            extract,
            slots: paths.len(),
            rooted,
            record,
            items,
            outer: Cells::default(),
            array: (0, 0),
            elements: Vec::new(),
        }
    }

    /// The record that `read_items` read last, with only some of the rows of its array: `wanted` is asked for each, in
    /// order, by its place among them. None when there was no array with several rows, or when it was not read to its end.
    pub fn with_rows(&self, record: &[u8], mut wanted: impl FnMut(usize) -> bool) -> Option<Vec<u8>> {
        let (open, close) = self.array;
        if self.elements.len() < 2 || close == 0 {
            return None;
        }
        let mut kept = record[..=open].to_vec();
        for (_, &(start, end)) in self.elements.iter().enumerate().filter(|(place, _)| wanted(*place)) {
            kept.extend_from_slice(if kept.len() > open + 1 { b"," } else { b"" });
            kept.extend_from_slice(&record[start..end]);
        }
        kept.extend_from_slice(&record[close..]);
        Some(kept)
    }

    /// Hands every row of `record` to `row`, in `cells`, whose spans refer to `record`; stops when `row` fails.
    ///
    /// A record that is broken is one faulty row; an element of `each` that is no object or array is one, too.
    #[inline]
    pub fn read_items<E>(
        &mut self,
        record: &[u8],
        cells: &mut Cells,
        mut row: impl FnMut(Result<&Cells, JsonFault>) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        self.elements.clear();
        let start = match self.extract.prefix {
            None => 0,
            Some(LinePrefix::Epoch) => match epoch_prefix(record) {
                Some(length) => length,
                None => return Ok(Outcome::OtherLine),
            },
        };
        if self.items.is_some() {
            return self.read_each(record, start, cells, row);
        }
        let read = self.record.read_from(record, start, cells);
        match read {
            Ok(()) if self.is_message(record, start, cells) => {
                cells.resize(self.slots);
                row(Ok(cells))?;
            }
            Ok(()) => return Ok(Outcome::Ignored),
            Err(Stop::NotARecord) if self.extract != Extract::default() => return Ok(Outcome::Ignored),
            Err(stop) => row(Err(stop.explain(record)))?,
        }
        Ok(Outcome::Rows(1))
    }

    fn read_each<E>(
        &mut self,
        record: &[u8],
        start: usize,
        cells: &mut Cells,
        mut row: impl FnMut(Result<&Cells, JsonFault>) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let mut outer = std::mem::take(&mut self.outer);
        let read = self.record.read_from(record, start, &mut outer);
        let is_message = read.is_ok() && self.is_message(record, start, &outer);
        self.outer = outer;
        let fault = match (read, self.record.each()) {
            (Err(Stop::NotARecord), _) => return Ok(Outcome::Ignored),
            (Err(stop), _) => stop,
            (Ok(()), _) if !is_message => return Ok(Outcome::Ignored),
            (Ok(()), Each::Missing) => return Ok(Outcome::Ignored),
            (Ok(()), Each::Array(open)) => return self.read_array(record, open, cells, row),
            (Ok(()), Each::NoArray) => Stop::NotARecord,
        };
        row(Err(fault.explain(record)))?;
        Ok(Outcome::Rows(1))
    }

    /// The elements of an array in a record that has been checked.
    fn read_array<E>(
        &mut self,
        record: &[u8],
        open: usize,
        cells: &mut Cells,
        mut row: impl FnMut(Result<&Cells, JsonFault>) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let Some(items) = &mut self.items else { return Ok(Outcome::Ignored) };
        self.array = (open, 0);
        let mut rows = 0;
        let mut at = text::skip_space(record, open + 1);
        while record.get(at).is_some_and(|&byte| byte != b']') {
            rows += 1;
            let end = match items.read_item(record, at, cells) {
                Ok(end) => end,
                Err(stop) => {
                    row(Err(stop.explain(record)))?;
                    break;
                }
            };
            self.elements.push((at, end));
            if is_record(record, at) {
                for &slot in &self.rooted {
                    cells.set_owned(slot, self.outer.get(slot, record));
                }
                row(Ok(cells))?;
            } else {
                row(Err(JsonFault::NotARecord))?;
            }
            at = text::skip_space(record, end);
            if record.get(at) == Some(&b',') {
                at = text::skip_space(record, at + 1);
            }
        }
        if rows == self.elements.len() {
            self.array.1 = at;
        }
        Ok(Outcome::Rows(rows))
    }

    /// Whether the conditions hold. Without any, a prefixed line must hold an object.
    fn is_message(&self, record: &[u8], start: usize, cells: &Cells) -> bool {
        let looks_inside = !self.extract.conditions.is_empty() || self.extract.each.is_some();
        if !looks_inside && self.extract.prefix.is_some() {
            return record.get(text::skip_space(record, start)) == Some(&b'{');
        }
        self.extract.conditions.iter().enumerate().all(|(index, condition)| {
            let value = cells.get(self.slots + index, record);
            match &condition.test {
                Test::Equals(texts) => texts.iter().any(|text| text.as_bytes() == value),
                Test::StartsWith(text) => value.starts_with(text.as_bytes()),
            }
        })
    }
}

/// The length of `1626993000.123: ` at the front of a line.
pub(crate) fn epoch_prefix(line: &[u8]) -> Option<usize> {
    let digits = |from: usize| line.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = digits(0);
    if at == 0 {
        return None;
    }
    if line.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        at += if fraction > 0 { fraction + 1 } else { return None };
    }
    if line.get(at..at + 2)? == b": " { Some(at + 2) } else { None }
}

#[cfg(test)]
mod tests;
