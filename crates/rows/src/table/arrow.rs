//! Arrow IPC files: a checked footer, then the selected columns, record batch by record batch.
//!
//! Buffers that are not compressed are read in small windows, so a record batch may be of any size. Compressed ones
//! can only be unpacked whole: the buffers of the selected columns of one batch are held together, and so are the
//! dictionaries of the selected columns.

mod buffer;
mod column;
mod flatbuffer;
mod message;
mod schema;

use std::collections::BTreeMap;

use super::Batch;
use super::batch::{STEP_ROWS_MAX, Texts};
use super::file::File;
use super::text::Text;
use crate::Result;
use column::Column;
use message::{Footer, Message};
use schema::{Layout, Leaf, Place};

pub(super) struct Arrow {
    footer: Footer,
    selected: Vec<usize>,
    /// The values of dictionaries, by id, as text.
    dictionaries: BTreeMap<i64, Texts>,
    dictionary_bytes: u64,
    /// The next record batch, and rows left in the current one.
    batch: usize,
    left: u64,
    columns: Vec<Column>,
}

/// Read ahead of all buffers together, and of one.
const WINDOWS_BYTES: usize = 8 * 1024 * 1024;
const WINDOW_BYTES: usize = 32 * 1024;

impl Arrow {
    pub(super) fn open(file: &mut File) -> Result<Self> {
        Ok(Self {
            footer: message::read(file)?,
            selected: Vec::new(),
            dictionaries: BTreeMap::new(),
            dictionary_bytes: 0,
            batch: 0,
            left: 0,
            columns: Vec::new(),
        })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.footer.schema.names
    }

    pub(super) fn why_not(&self, column: usize) -> Option<&'static str> {
        match self.footer.schema.leaves.get(column) {
            Some(leaf) => leaf.layout.err(),
            None => Some("does not exist"),
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.footer.rows
    }

    pub(super) fn select(&mut self, columns: &[usize], file: &mut File) -> Result<()> {
        self.selected = columns.to_vec();
        self.batch = 0;
        self.left = 0;
        self.columns.clear();
        self.dictionaries.clear();
        self.read_dictionaries(file)
    }

    /// Reads the dictionaries of the selected columns. Only they stay held.
    fn read_dictionaries(&mut self, file: &mut File) -> Result<()> {
        let mut layouts = BTreeMap::new();
        for &selected in &self.selected {
            let leaf = &self.footer.schema.leaves[selected];
            if let (Some(dictionary), Ok(layout)) = (leaf.dictionary, leaf.layout) {
                layouts.insert(dictionary.id, layout);
            }
        }
        self.dictionary_bytes = 0;
        if layouts.is_empty() {
            return Ok(());
        }
        for &block in &self.footer.dictionaries {
            let message = Message::read(file, block)?;
            let Some((id, adds)) = message.dictionary else {
                return Err(file.corrupt("a dictionary in the arrow footer is a record batch"));
            };
            let Some(&layout) = layouts.get(&id) else { continue };
            if !adds && self.dictionaries.contains_key(&id) {
                return Err(file.corrupt(format!("dictionary {id} is there twice")));
            }
            let texts = self.dictionaries.entry(id).or_default();
            self.dictionary_bytes -= texts.held();
            read_dictionary(file, &message, layout, texts, self.dictionary_bytes)?;
            self.dictionary_bytes += texts.held();
        }
        file.release_all();
        file.hold(self.dictionary_bytes)
    }

    pub(super) fn next(&mut self, file: &mut File, batch: &mut Batch) -> Result<()> {
        batch.clear(self.selected.len());
        loop {
            while self.left == 0 {
                if self.batch == self.footer.batches.len() {
                    return Ok(());
                }
                self.enter(file)?;
            }
            let rows = batch.step(self.left);
            if rows == 0 {
                return Ok(());
            }
            for ((column, &selected), texts) in self.columns.iter_mut().zip(&self.selected).zip(batch.columns_mut()) {
                let dictionary = self.footer.schema.leaves[selected].dictionary;
                let values = dictionary.map(|dictionary| self.dictionaries.get(&dictionary.id).unwrap_or(&NO_TEXTS));
                column.read(file, rows, values, texts)?;
            }
            batch.add_rows(rows);
            self.left -= rows as u64;
        }
    }

    /// Goes on to the next record batch; what was held for the last one is let go.
    fn enter(&mut self, file: &mut File) -> Result<()> {
        self.columns.clear();
        file.release_all();
        file.hold(self.dictionary_bytes)?;
        let message = Message::read(file, self.footer.batches[self.batch])?;
        self.batch += 1;
        self.left = message.rows;
        if message.rows == 0 {
            return Ok(());
        }
        let window = (WINDOWS_BYTES / (3 * self.selected.len().max(1))).min(WINDOW_BYTES);
        for &selected in &self.selected {
            let (leaf, name) = (&self.footer.schema.leaves[selected], &self.footer.schema.names[selected]);
            if let Some(layout) = batch_layout(leaf) {
                self.columns.push(Column::open(file, &message, name, layout, &leaf.place, window)?);
            }
        }
        Ok(())
    }
}

/// A dictionary that a column names and the file lacks has no values; a batch may yet have none but nulls.
static NO_TEXTS: Texts = Texts::none();

/// How a column is laid out in record batches: that of a dictionary has indices there.
fn batch_layout(leaf: &Leaf) -> Option<Layout> {
    let layout = leaf.layout.ok()?;
    Some(match leaf.dictionary {
        Some(dictionary) => Layout::Fixed(dictionary.index_bytes, Text::Unsigned),
        None => layout,
    })
}

/// Appends the values of one message to a dictionary, counting them as they grow.
fn read_dictionary(file: &mut File, message: &Message, layout: Layout, texts: &mut Texts, others: u64) -> Result<()> {
    file.release_all();
    file.hold(others + texts.held())?;
    let mut column = Column::open(file, message, "of a dictionary", layout, &Place::default(), WINDOW_BYTES)?;
    let mut left = message.rows;
    while left > 0 {
        let rows = left.min(STEP_ROWS_MAX as u64);
        let before = texts.held();
        column.read(file, rows as usize, None, texts)?;
        file.hold(texts.held() - before)?;
        left -= rows;
    }
    Ok(())
}
