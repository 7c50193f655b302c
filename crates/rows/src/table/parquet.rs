//! Parquet: a checked footer, then the selected columns page by page.
//!
//! Held at once, for each selected column: its dictionary (4 bytes a string on top of the page) and one unpacked page;
//! besides, one packed page. Row groups may be of any size. Page checksums are not verified, as the reference does not.

mod column;
mod delta;
pub(crate) mod footer;
pub(crate) mod hybrid;
pub(crate) mod page;
pub(crate) mod schema;
pub(crate) mod thrift;
mod values;

use super::Batch;
use super::file::File;
use crate::Result;
use column::Column;
use footer::Footer;

pub(super) struct Parquet {
    footer: Footer,
    selected: Vec<usize>,
    /// The next row group, and rows left in the current one.
    group: usize,
    left: u64,
    columns: Vec<Column>,
    packed: Vec<u8>,
}

impl Parquet {
    pub(super) fn open(file: &mut File) -> Result<Self> {
        let footer = footer::read(file)?;
        Ok(Self { footer, selected: Vec::new(), group: 0, left: 0, columns: Vec::new(), packed: Vec::new() })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.footer.names
    }

    pub(super) fn why_not(&self, column: usize) -> Option<&'static str> {
        match self.footer.leaves.get(column) {
            Some(leaf) => leaf.text.err(),
            None => Some("does not exist"),
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.footer.rows
    }

    pub(super) fn select(&mut self, columns: &[usize]) -> Result<()> {
        self.selected = columns.to_vec();
        self.group = 0;
        self.left = 0;
        self.columns.clear();
        self.packed = Vec::new();
        Ok(())
    }

    pub(super) fn next(&mut self, file: &mut File, batch: &mut Batch) -> Result<()> {
        batch.clear(self.selected.len());
        loop {
            while self.left == 0 {
                if self.group == self.footer.groups.len() {
                    return Ok(());
                }
                self.enter(file)?;
            }
            let rows = batch.step(self.left);
            if rows == 0 {
                return Ok(());
            }
            for (column, texts) in self.columns.iter_mut().zip(batch.columns_mut()) {
                column.read(file, &mut self.packed, rows, texts)?;
            }
            batch.add_rows(rows);
            self.left -= rows as u64;
        }
    }

    /// Goes on to the next row group; what was held for the last one is let go.
    fn enter(&mut self, file: &mut File) -> Result<()> {
        self.columns.clear();
        self.packed = Vec::new();
        file.release_all();
        let group = self.footer.groups[self.group];
        self.group += 1;
        self.left = group.rows;
        if group.rows == 0 {
            return Ok(());
        }
        let chunks: Vec<_> = self.footer.chunks(group).collect();
        for &selected in &self.selected {
            let (leaf, name) = (&self.footer.leaves[selected], &self.footer.names[selected]);
            if let (Ok(text), Some(chunk)) = (leaf.text, chunks.get(selected)) {
                self.columns.push(Column::new(file, name, leaf, text, chunk)?);
            }
        }
        Ok(())
    }
}
