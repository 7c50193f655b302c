//! Reading the wanted values of one record.

use super::fault::{JsonFault, Stop};
use super::path::{Paths, Tree};
use super::plan::Plan;
use super::text;
use super::walk::{Each, Memory, Walk};
use crate::cells::Cells;
use crate::limits::RECORD_BYTES_MAX;

/// Reads records that are objects or arrays; one reader per thread, used for all records of a file.
///
/// It remembers how the last object was made and is several times quicker when the next one is made alike.
#[derive(Debug)]
pub struct Reader {
    slots: usize,
    tree: Tree,
    plan: Plan,
    memory: Memory,
}

impl Reader {
    /// A reader that fills one slot per path.
    pub fn new(paths: Paths) -> Self {
        Self { slots: paths.slots, tree: paths.tree, plan: Plan::default(), memory: Memory::default() }
    }

    /// Reads `record`, one JSON value with or without white space around it, into `cells`.
    ///
    /// A missing key and null give an empty cell, a number its text, a string its unescaped text, `true` and `false`
    /// that word, an object or array its JSON text. After a fault the cells mean nothing.
    #[inline]
    pub fn read(&mut self, record: &[u8], cells: &mut Cells) -> Result<(), JsonFault> {
        self.read_from(record, 0, cells).map_err(|stop| stop.explain(record))
    }

    /// The keys of a record in their order; for an array the places of its values.
    pub fn keys(record: &[u8]) -> Result<Vec<String>, JsonFault> {
        let mut reader = Self::new(Paths::new(&[]));
        reader.read(record, &mut Cells::default())?;
        Ok(names(record).unwrap_or_default())
    }

    /// Reads the record that begins at `at` and ends with the input.
    #[inline]
    pub(super) fn read_from(&mut self, input: &[u8], at: usize, cells: &mut Cells) -> Result<(), Stop> {
        // Spans are 31 bits wide. No cutter hands over such a record.
        if input.len() > RECORD_BYTES_MAX {
            return Err(Stop::Invalid(RECORD_BYTES_MAX));
        }
        let start = text::skip_space(input, at);
        let end = self.read_item(input, start, cells)?;
        let end = text::skip_space(input, end);
        if end < input.len() {
            return Err(Stop::Invalid(end));
        }
        if is_record(input, start) { Ok(()) } else { Err(Stop::NotARecord) }
    }

    /// Reads the value that begins at `start` of an input that the spans refer to; answers where it ends.
    #[inline]
    pub(super) fn read_item(&mut self, input: &[u8], start: usize, cells: &mut Cells) -> Result<usize, Stop> {
        self.begin(cells);
        let Self { tree, plan, memory, .. } = self;
        let is_ready = plan.is_ready;
        let mut walk = Walk { input, tree, plan, memory, cells };
        if is_ready && let Some(end) = walk.follow(start) {
            walk.finish();
            return Ok(end);
        }
        self.read_anew(input, start, cells)
    }

    fn read_anew(&mut self, input: &[u8], start: usize, cells: &mut Cells) -> Result<usize, Stop> {
        self.begin(cells);
        self.plan.forget();
        let Self { tree, plan, memory, .. } = self;
        let mut walk = Walk { input, tree, plan, memory, cells };
        let end = walk.value(start, Some(Tree::ROOT), 1)?;
        walk.finish();
        Ok(end)
    }

    fn begin(&mut self, cells: &mut Cells) {
        cells.clear();
        cells.resize(self.slots);
        self.memory.clear();
    }

    /// Where the path of `EACH` led to in the last record.
    pub(super) fn each(&self) -> Each {
        self.memory.each
    }
}

/// Whether the value at `at` is one that rows can be read from.
pub(super) fn is_record(input: &[u8], at: usize) -> bool {
    matches!(input.get(at), Some(b'{' | b'['))
}

/// The keys or places of a record that has been read without a fault.
fn names(record: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let open = text::skip_space(record, 0);
    let is_object = record.get(open)? == &b'{';
    let mut at = text::skip_space(record, open + 1);
    let mut skip = Reader::new(Paths::new(&[]));
    let mut cells = Cells::default();
    while !matches!(record.get(at)?, b'}' | b']') {
        if is_object {
            let (end, _) = text::string(record, at + 1).ok()?;
            let mut key = Vec::new();
            text::unescape(&record[at + 1..end], &mut key);
            names.push(String::from_utf8_lossy(&key).into_owned());
            let colon = text::skip_space(record, end + 1);
            at = text::skip_space(record, colon + 1);
        } else {
            names.push(names.len().to_string());
        }
        at = skip.read_anew(record, at, &mut cells).ok()?;
        at = text::skip_space(record, at);
        if record.get(at)? == &b',' {
            at = text::skip_space(record, at + 1);
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests;
