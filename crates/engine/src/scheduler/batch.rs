//! What the callers of one commit have changed so far.

use std::collections::HashMap;
use std::sync::Arc;

use crate::store::{Changes, Result, Store, Table};

/// The changes of one commit, and which of them are records or objects: later transactions see them before they are in
/// the store.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) changes: Changes,
    /// Where in `changes` the last change of a record or object is.
    places: HashMap<Table, HashMap<Vec<u8>, usize>>,
    /// The batch that was closed before this one: it may still be on its way to the store.
    before: Option<Arc<Batch>>,
}

impl Batch {
    /// Sets or deletes what later transactions must see.
    pub(crate) fn set(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        let place = self.changes.len();
        match value {
            Some(value) => self.changes.put(table, key, value),
            None => self.changes.delete(table, key),
        }
        self.places.entry(table).or_default().insert(key.to_vec(), place);
    }

    /// Whether a key has this value, or is not there.
    pub(crate) fn is(&self, store: &Store, table: Table, key: &[u8], expected: Option<&[u8]>) -> Result<bool> {
        for batch in [Some(self), self.before.as_deref()].into_iter().flatten() {
            let place = batch.places.get(&table).and_then(|places| places.get(key));
            if let Some(change) = place.and_then(|place| batch.changes.get(*place)) {
                return Ok(change.value == expected);
            }
        }
        Ok(store.get(table, key)?.as_deref() == expected)
    }

    /// Gives the changes away and begins anew, behind them. The batch before them must be in the store by now.
    pub(crate) fn close(&mut self) -> Arc<Batch> {
        let mut closed = std::mem::take(self);
        closed.before = None;
        let closed = Arc::new(closed);
        self.before = Some(closed.clone());
        closed
    }
}
