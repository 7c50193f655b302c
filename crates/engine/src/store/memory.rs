//! Tables that are gone when they are dropped.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{PoisonError, RwLock};

use super::changes::{Change, Changes, Table};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// All tables.
#[derive(Debug, Default)]
pub(super) struct Memory(RwLock<[Rows; Table::ALL.len()]>);

impl Memory {
    pub(super) fn apply(&self, changes: &Changes) {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for Change { table, key, value } in changes.iter() {
            let rows = &mut tables[table as usize];
            match value {
                Some(value) => rows.insert(key.to_vec(), value.to_vec()),
                None => rows.remove(key),
            };
        }
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tables[table as usize].get(key).cloned()
    }

    pub(super) fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        mut see: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in tables[table as usize].range::<[u8], _>(range) {
            if see(key, value).is_break() {
                return;
            }
        }
    }
}
