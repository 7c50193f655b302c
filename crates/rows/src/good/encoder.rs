//! Row groups on their way into the file, on a thread of their own: reading goes on while the last group is packed.
//!
//! Numbers are written narrow until one does not fit. Then the schema of the whole file, which stands at its end, says
//! wide, and so the groups before must be wide, too: their narrow chunks, of which copies are kept, are written once
//! more, wide, behind what there is, and nothing refers to the narrow ones any longer. No value is ever changed, no
//! byte that was written is taken back, and nobody must begin again.

mod chunk;
mod thread;

use std::io::{Result, Write};

use super::columns::{Column, Layout, Values};
use super::csv::Csv;
use super::footer::{Chunk, Footer, GroupEntry, MAGIC, Origin};
use super::group::Group;
use super::kept::Kept;
use super::{Sinks, decode};
use crate::batch::WIDE;
use crate::source::Scratch;

use chunk::Packer;
pub(super) use thread::Thread;

/// A file being written.
pub(super) struct Encoder {
    layout: Layout,
    columns: Vec<Column>,
    /// Of each column, whether its numbers are wide.
    wide: Vec<bool>,
    sink: Box<dyn Write + Send>,
    at: u64,
    csv: Option<Csv>,
    origin: Origin,
    groups: Vec<GroupEntry>,
    chunks: Vec<Chunk>,
    packer: Packer,
    kept: Kept,
    /// The chunk being written.
    bytes: Vec<u8>,
}

/// The first number that DECIMAL(18, 9) does not hold, in units of 1e-9.
const NARROW_END: u64 = 1_000_000_000_000_000_000;

impl Encoder {
    pub fn new(sinks: Sinks, layout: Layout, origin: Origin, scratch: Box<dyn Scratch>) -> Result<Self> {
        let columns = layout.columns();
        let csv = sinks.csv.filter(|_| layout.kind == crate::contract::Kind::Transactions);
        let mut sink = sinks.parquet;
        sink.write_all(MAGIC)?;
        Ok(Self {
            layout,
            wide: vec![false; columns.len()],
            packer: Packer::new(columns.len())?,
            columns,
            sink,
            at: MAGIC.len() as u64,
            csv: csv.map(Csv::new),
            origin,
            groups: Vec::new(),
            chunks: Vec::new(),
            kept: Kept::new(scratch),
            bytes: Vec::new(),
        })
    }

    /// Writes a row group; `group` must have rows.
    pub fn add(&mut self, group: &Group) -> Result<()> {
        for column in 0..self.columns.len() {
            let Values::Number(number) = self.columns[column].values else { continue };
            if !self.wide[column] && !is_narrow(&group.numbers[number].nano) {
                self.widen(column)?;
            }
        }
        for column in 0..self.columns.len() {
            let wide = self.wide[column];
            let mut chunk = self.packer.chunk(column, self.columns[column].values, wide, group, &mut self.bytes)?;
            self.write(&mut chunk)?;
            if matches!(self.columns[column].values, Values::Number(_)) && !wide {
                chunk.kept = self.kept.keep(&self.bytes)?;
            }
            self.chunks.push(chunk);
        }
        let times = group.times.iter();
        let first = times.clone().copied().min().unwrap_or_default();
        let last = times.copied().max().unwrap_or_default();
        self.groups.push(GroupEntry { rows: group.rows() as u32, times: [first, last] });
        self.csv.as_mut().map_or(Ok(()), |csv| csv.add(group))
    }

    /// Writes the footer.
    pub fn finish(&mut self) -> Result<()> {
        self.bytes.clear();
        let Self { layout, wide, groups, chunks, origin, .. } = self;
        Footer { layout: *layout, wide, groups, chunks, origin }.write(&mut self.bytes);
        self.sink.write_all(&self.bytes)?;
        self.sink.flush()?;
        self.csv.as_mut().map_or(Ok(()), Csv::finish)
    }

    /// Writes the chunk in `bytes`.
    fn write(&mut self, chunk: &mut Chunk) -> Result<()> {
        chunk.start = self.at;
        self.sink.write_all(&self.bytes)?;
        self.at += self.bytes.len() as u64;
        Ok(())
    }

    /// Makes a column of numbers wide from the first group on.
    fn widen(&mut self, column: usize) -> Result<()> {
        self.wide[column] = true;
        let mut numbers = Vec::new();
        for group in 0..self.groups.len() {
            let place = group * self.columns.len() + column;
            let narrow = self.chunks[place];
            self.bytes.resize(narrow.packed as usize, 0);
            self.kept.read(narrow.kept, &mut self.bytes)?;
            decode::narrow(&self.bytes, self.groups[group].rows as usize, narrow.zstd, &mut numbers)?;
            let mut chunk = self.packer.wide(column, &numbers, &mut self.bytes)?;
            self.write(&mut chunk)?;
            self.chunks[place] = chunk;
        }
        Ok(())
    }
}

fn is_narrow(nano: &[i64]) -> bool {
    const { assert!(WIDE.unsigned_abs() >= NARROW_END) };
    nano.iter().fold(true, |all, nano| all & (nano.unsigned_abs() < NARROW_END))
}
