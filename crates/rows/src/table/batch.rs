//! A batch of rows, column by column, as text.

use crate::limits::{FIELD_BYTES_MAX, TABLE_BATCH_BYTES, TABLE_BATCH_ROWS};

/// Some rows of the selected columns. Reuse one: its memory is kept from batch to batch.
#[derive(Debug, Default)]
pub struct Batch {
    rows: usize,
    columns: Vec<Texts>,
}

impl Batch {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The text of one cell, empty for null. `slot` is the place of the column in the selection, and must be in it.
    #[inline]
    pub fn cell(&self, row: usize, slot: usize) -> &[u8] {
        self.columns[slot].get(row).unwrap_or_default()
    }

    pub(super) fn clear(&mut self, slots: usize) {
        self.rows = 0;
        self.columns.resize_with(slots, Texts::default);
        for column in &mut self.columns {
            column.clear();
        }
    }

    pub(super) fn columns_mut(&mut self) -> &mut [Texts] {
        &mut self.columns
    }

    pub(super) fn add_rows(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// How many rows to decode next, 0 when the batch is full. Few at a time, and fewer the more columns there are:
    /// whatever the values, one such step adds at most 32 MiB of text (or one row) to a batch that was not full.
    pub(super) fn step(&self, left: u64) -> usize {
        let rows = (512 / self.columns.len().max(1)).clamp(1, STEP_ROWS_MAX);
        let text: usize = self.columns.iter().map(|column| column.bytes.len()).sum();
        if text >= TABLE_BATCH_BYTES {
            return 0;
        }
        rows.min(TABLE_BATCH_ROWS - self.rows).min(usize::try_from(left).unwrap_or(usize::MAX))
    }
}

/// Most rows decoded in one step: as many as a mask of 64 bits can tell the nulls of.
pub(super) const STEP_ROWS_MAX: usize = 64;
const _: () = assert!(512 * FIELD_BYTES_MAX <= 32 * 1024 * 1024 && TABLE_BATCH_ROWS.is_multiple_of(STEP_ROWS_MAX));

/// The texts of one column: the bytes of all of them, and where each ends.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Texts {
    pub(super) const fn none() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new() }
    }

    /// The bytes written since the last call are the next text.
    #[inline]
    pub(super) fn end(&mut self) {
        self.ends.push(self.bytes.len() as u32);
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        self.bytes.get(start..end)
    }

    /// Memory in use.
    pub(super) fn held(&self) -> u64 {
        (self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()) as u64
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}
