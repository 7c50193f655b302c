//! One pass through one record: checks every byte of it and writes the wanted values to their slots.
//!
//! Recursion ends at `JSON_DEPTH_MAX`, so no input overflows the stack.

use super::fault::Stop;
use super::keys::Keys;
use super::path::{NodeId, Tree};
use super::plan::{Plan, Wanted};
use super::text;
use crate::cells::Cells;
use crate::limits::JSON_DEPTH_MAX;

type Result<T> = std::result::Result<T, Stop>;

/// The slot of `Extract::each`: its value is not written but remembered as a place to go on from.
pub(super) const EACH: u32 = u32::MAX;

/// What a found value is; its range is without the quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Text,
    EscapedText,
    Array,
    Object,
    Null,
}

/// What `Extract::each` leads to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    #[default]
    Missing,
    /// An array that opens here.
    Array(usize),
    NoArray,
}

/// What a pass needs to remember; kept from record to record for its memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    keys: Keys,
    decoded: Vec<u8>,
    last: Vec<(NodeId, usize, usize, Found)>,
    pub(super) each: Each,
}

impl Memory {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.last.clear();
        self.each = Each::Missing;
    }
}

pub(super) struct Walk<'a> {
    pub(super) input: &'a [u8],
    pub(super) tree: &'a Tree,
    pub(super) plan: &'a mut Plan,
    pub(super) memory: &'a mut Memory,
    pub(super) cells: &'a mut Cells,
}

impl Walk<'_> {
    /// The record at `at`, if it is an object made like the one that the plan was learned from.
    /// None: it is not, or it is broken; what was written up to there is void.
    #[inline]
    pub(super) fn follow(&mut self, mut at: usize) -> Option<usize> {
        let mut known = 0;
        for index in 0..self.plan.fields.len() {
            let field = self.plan.fields[index];
            at = self.same(at, known, field.end as usize)?;
            known = field.end as usize;
            at = self.follow_value(at, field.wanted)?;
        }
        self.same(at, known, self.plan.bytes.len())
    }

    #[inline]
    fn same(&self, at: usize, from: usize, to: usize) -> Option<usize> {
        let end = at + (to - from);
        if self.input.get(at..end)? == &self.plan.bytes[from..to] { Some(end) } else { None }
    }

    #[inline]
    fn follow_value(&mut self, at: usize, wanted: Wanted) -> Option<usize> {
        let (start, end, next) = match self.input.get(at)? {
            b'"' => {
                let end = text::plain_end(self.input, at + 1);
                if self.input.get(end)? != &b'"' {
                    return self.follow_any(at, wanted);
                }
                (at + 1, end, end + 1)
            }
            b'-' | b'0'..=b'9' => {
                let end = text::number(self.input, at).ok()?;
                (at, end, end)
            }
            _ => return self.follow_any(at, wanted),
        };
        match wanted {
            Wanted::Nothing => {}
            Wanted::Slot(slot) => self.cells.set_span(slot as usize, start, end),
            Wanted::Node(node) => self.write(node, start, end, Found::Text),
        }
        Some(next)
    }

    fn follow_any(&mut self, at: usize, wanted: Wanted) -> Option<usize> {
        let (node, slot) = match wanted {
            Wanted::Nothing => (None, None),
            Wanted::Slot(slot) => (None, Some(slot)),
            Wanted::Node(node) => (Some(node), None),
        };
        let (start, end, next, found) = self.any(at, node, 2).ok()?;
        if let Some(slot) = slot {
            self.put(slot, start, end, found);
        }
        if let Some(node) = node {
            self.write(node, start, end, found);
        }
        Some(next)
    }

    /// The value at `at`; `depth` counts the objects and arrays it would be the next of.
    pub(super) fn value(&mut self, at: usize, node: Option<NodeId>, depth: usize) -> Result<usize> {
        let (start, end, next, found) = self.any(at, node, depth)?;
        if let Some(node) = node {
            self.write(node, start, end, found);
        }
        Ok(next)
    }

    /// Checks the value at `at` and writes what is wanted inside it: its range, the position behind it, what it is.
    fn any(&mut self, at: usize, node: Option<NodeId>, depth: usize) -> Result<(usize, usize, usize, Found)> {
        match self.input.get(at) {
            Some(b'"') => {
                let (end, escaped) = text::string(self.input, at + 1)?;
                Ok((at + 1, end, end + 1, if escaped { Found::EscapedText } else { Found::Text }))
            }
            Some(b'{') => {
                let end = self.object(at, node, depth)?;
                Ok((at, end, end, Found::Object))
            }
            Some(b'[') => {
                let end = self.array(at, node, depth)?;
                Ok((at, end, end, Found::Array))
            }
            Some(b'-' | b'0'..=b'9') => {
                let end = text::number(self.input, at)?;
                Ok((at, end, end, Found::Text))
            }
            Some(b't' | b'f') => {
                let end = text::literal(self.input, at)?;
                Ok((at, end, end, Found::Text))
            }
            Some(b'n') => {
                let end = text::literal(self.input, at)?;
                Ok((at, end, end, Found::Null))
            }
            _ => Err(Stop::Invalid(at)),
        }
    }

    fn object(&mut self, open: usize, node: Option<NodeId>, depth: usize) -> Result<usize> {
        if depth > JSON_DEPTH_MAX {
            return Err(Stop::TooDeep);
        }
        let opened = self.memory.keys.open();
        let mut before = open;
        let mut at = text::skip_space(self.input, open + 1);
        let mut is_last = self.input.get(at) == Some(&b'}');
        while !is_last {
            if self.input.get(at) != Some(&b'"') {
                return Err(Stop::Invalid(at));
            }
            let (end, escaped) = text::string(self.input, at + 1)?;
            let key = self.memory.keys.push(self.input, opened, at, end, escaped)?;
            let child = node.and_then(|node| self.tree.child(node, key));
            at = text::skip_space(self.input, end + 1);
            if self.input.get(at) != Some(&b':') {
                return Err(Stop::Invalid(at));
            }
            at = text::skip_space(self.input, at + 1);
            if depth == 1 {
                self.plan.learn_field(&self.input[before..at], self.tree.wanted(child));
            }
            before = self.value(at, child, depth + 1)?;
            at = text::skip_space(self.input, before);
            match self.input.get(at) {
                Some(b',') => at = text::skip_space(self.input, at + 1),
                Some(b'}') => is_last = true,
                _ => return Err(Stop::Invalid(at)),
            }
        }
        self.memory.keys.close(self.input, opened)?;
        if depth == 1 {
            self.plan.learn_end(&self.input[before..=at]);
        }
        Ok(at + 1)
    }

    fn array(&mut self, open: usize, node: Option<NodeId>, depth: usize) -> Result<usize> {
        if depth > JSON_DEPTH_MAX {
            return Err(Stop::TooDeep);
        }
        let tree = self.tree;
        let mut places = node.map(|node| tree.node(node).places.as_slice()).unwrap_or_default();
        let mut place = 0;
        let mut at = text::skip_space(self.input, open + 1);
        if self.input.get(at) == Some(&b']') {
            return Ok(at + 1);
        }
        loop {
            let child = match places.split_first() {
                Some(((wanted, child), rest)) if *wanted == place => {
                    places = rest;
                    Some(*child)
                }
                _ => None,
            };
            at = self.value(at, child, depth + 1)?;
            at = text::skip_space(self.input, at);
            match self.input.get(at) {
                Some(b',') => at = text::skip_space(self.input, at + 1),
                Some(b']') => return Ok(at + 1),
                _ => return Err(Stop::Invalid(at)),
            }
            place += 1;
        }
    }

    #[inline]
    fn write(&mut self, id: NodeId, start: usize, end: usize, found: Found) {
        let node = self.tree.node(id);
        if node.is_last {
            self.memory.last.push((id, start, end, found));
            return;
        }
        for &slot in &node.slots {
            self.put(slot, start, end, found);
        }
    }

    /// The record is read: what wins over other values is written now.
    #[inline]
    pub(super) fn finish(&mut self) {
        for index in 0..self.memory.last.len() {
            let (id, start, end, found) = self.memory.last[index];
            for &slot in &self.tree.node(id).slots {
                self.put(slot, start, end, found);
            }
        }
    }

    fn put(&mut self, slot: u32, start: usize, end: usize, found: Found) {
        if slot == EACH {
            self.memory.each = match found {
                Found::Array => Each::Array(start),
                Found::Null => Each::Missing,
                _ => Each::NoArray,
            };
            return;
        }
        match found {
            Found::Text | Found::Array | Found::Object => self.cells.set_span(slot as usize, start, end),
            Found::EscapedText => {
                self.memory.decoded.clear();
                text::unescape(&self.input[start..end], &mut self.memory.decoded);
                self.cells.set_owned(slot as usize, &self.memory.decoded);
            }
            Found::Null => self.cells.set_span(slot as usize, 0, 0),
        }
    }
}
