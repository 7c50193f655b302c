//! Fetching the text of one value from a row's cells: one slot, several joined, or a constant; then the sender's
//! prefix, case and words taken off.

use std::borrow::Cow;

use crate::cells::Cells;

/// Where the text of a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextSource {
    pub place: Place,
    pub strip_prefix: Option<Vec<u8>>,
    pub upper: bool,
    pub map: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The place itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    Slot(usize),
    Joined(Vec<usize>),
    Constant(Vec<u8>),
}

/// The values of one row and the bytes they point into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetched<'a> {
    pub cells: &'a Cells,
    pub input: &'a [u8],
}

impl<'a> Fetched<'a> {
    #[inline]
    pub fn slot(self, slot: usize) -> &'a [u8] {
        self.cells.get(slot, self.input)
    }
}

impl TextSource {
    pub fn slot(slot: usize) -> Self {
        Self { place: Place::Slot(slot), strip_prefix: None, upper: false, map: Vec::new() }
    }

    /// The slot whose text is taken exactly as it stands, if that is all there is to it.
    pub fn plain_slot(&self) -> Option<usize> {
        match self.place {
            Place::Slot(slot) if self.strip_prefix.is_none() && !self.upper && self.map.is_empty() => Some(slot),
            _ => None,
        }
    }

    /// The value that every row has, if it is taken exactly as it stands.
    pub fn plain_constant(&self) -> Option<&[u8]> {
        match &self.place {
            Place::Constant(value) if self.strip_prefix.is_none() && !self.upper && self.map.is_empty() => Some(value),
            _ => None,
        }
    }

    /// The text before the sender's words are translated; this is what reports show.
    pub fn raw<'a>(&'a self, row: Fetched<'a>) -> Cow<'a, [u8]> {
        match &self.place {
            Place::Slot(slot) => Cow::Borrowed(row.slot(*slot)),
            Place::Constant(value) => Cow::Borrowed(value),
            Place::Joined(slots) => {
                let parts: Vec<&[u8]> = slots.iter().map(|slot| row.slot(*slot)).collect();
                Cow::Owned(parts.join(&b' '))
            }
        }
    }

    /// The text that is checked.
    pub fn text<'a>(&'a self, row: Fetched<'a>) -> Cow<'a, [u8]> {
        let mut text = self.raw(row);
        if let Some(prefix) = &self.strip_prefix
            && text.starts_with(prefix)
        {
            text = match text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[prefix.len()..]),
                Cow::Owned(text) => Cow::Owned(text[prefix.len()..].to_vec()),
            };
        }
        if self.upper && text.iter().any(|byte| !byte.is_ascii_uppercase()) {
            text = Cow::Owned(upper_case(&text));
        }
        match self.map.iter().find(|(theirs, _)| **theirs == *text) {
            Some((_, ours)) => Cow::Borrowed(ours),
            None => text,
        }
    }
}

fn upper_case(text: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(text) {
        Ok(text) => text.to_uppercase().into_bytes(),
        Err(_) => text.to_ascii_uppercase(),
    }
}
