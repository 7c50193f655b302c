//! What the callers of one commit have changed so far.

use std::collections::HashMap;

use crate::store::{Changes, Store, Table};

/// The changes of one commit, and which of them are records: transactions of the same commit see each other's.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) changes: Changes,
    /// Where in `changes` the last change of a record is.
    records: HashMap<Vec<u8>, usize>,
}

impl Batch {
    /// Sets or deletes a record of the caller.
    pub(crate) fn set_record(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let place = self.changes.len();
        match value {
            Some(value) => self.changes.put(Table::Records, &key, value),
            None => self.changes.delete(Table::Records, &key),
        }
        self.records.insert(key, place);
    }

    /// Whether a record has this value, or is not there.
    pub(crate) fn record_is(&self, store: &Store, key: &[u8], expected: Option<&[u8]>) -> crate::store::Result<bool> {
        if let Some(change) = self.records.get(key).and_then(|place| self.changes.get(*place)) {
            return Ok(change.value == expected);
        }
        Ok(store.get(Table::Records, key)?.as_deref() == expected)
    }

    /// Nothing is changed; the memory is kept for the next commit.
    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.records.clear();
    }
}
