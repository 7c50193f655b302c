//! The shape of the last good record: one with the same keys is read by comparing, without looking at its keys.

use super::path::NodeId;
use crate::limits::COLUMNS_MAX;

/// What becomes of the value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Checked and passed over.
    Nothing,
    /// Written to one slot.
    Slot(u32),
    /// Anything else: several slots, values inside it, or written last.
    Node(NodeId),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// End, in `Plan::bytes`, of the bytes between the previous value and this one.
    pub(super) end: u32,
    pub(super) wanted: Wanted,
}

/// Bytes and values of an object, in turns: `{"a":`, value, `,"b":`, value, `}`.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// All that is not a value, in one piece.
    pub(super) bytes: Vec<u8>,
    pub(super) fields: Vec<Field>,
    /// False while there is nothing to follow.
    pub(super) is_ready: bool,
}

impl Plan {
    pub(super) fn forget(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.is_ready = false;
    }

    /// The bytes before a value, and who wants it.
    #[inline]
    pub(super) fn learn_field(&mut self, bytes: &[u8], wanted: Wanted) {
        if self.fields.len() <= COLUMNS_MAX {
            self.bytes.extend_from_slice(bytes);
            self.fields.push(Field { end: self.bytes.len() as u32, wanted });
        }
    }

    /// The bytes behind the last value. An object with more than `COLUMNS_MAX` keys is not worth remembering.
    pub(super) fn learn_end(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.is_ready = self.fields.len() <= COLUMNS_MAX;
    }
}
