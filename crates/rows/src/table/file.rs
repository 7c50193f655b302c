//! The file under its limits: every read stays inside it, and what is held and produced is counted.

use std::io::SeekFrom;

use super::TableKind;
use crate::limits::{TABLE_HELD_BYTES_MAX, UNPACK_RATIO_MAX, UNPACKED_BYTES_FREE};
use crate::source::Input;
use crate::{Error, Refusal, Result};

/// What is wrong with some bytes; where they are is added by who knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) &'static str);

pub(crate) struct File {
    kind: TableKind,
    input: Box<dyn Input>,
    length: u64,
    held: u64,
    produced: u64,
}

impl File {
    pub(crate) fn open(kind: TableKind, mut input: Box<dyn Input>) -> Result<Self> {
        let length = input.seek(SeekFrom::End(0))?;
        Ok(Self { kind, input, length, held: 0, produced: 0 })
    }

    pub(crate) fn kind(&self) -> TableKind {
        self.kind
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Fills `into` from `offset`. Bytes past the end mean a lying footer; that the file itself got shorter is no verdict.
    pub(crate) fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<()> {
        if offset.checked_add(into.len() as u64).is_none_or(|end| end > self.length) {
            return Err(self.corrupt(format!(
                "{} bytes at offset {offset} are outside the file of {} bytes",
                into.len(),
                self.length
            )));
        }
        self.input.seek(SeekFrom::Start(offset))?;
        self.input.read_exact(into)?;
        Ok(())
    }

    /// Counts memory that stays in use; refuses the file when all of it is too much.
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<()> {
        self.held = self.held.saturating_add(bytes);
        if self.held <= TABLE_HELD_BYTES_MAX {
            return Ok(());
        }
        let (part, hint) = match self.kind {
            TableKind::Parquet => ("pages", "write the file with pages of 1 MiB, or send fewer columns"),
            TableKind::Arrow => ("buffers", "write the file with record batches of 65536 rows"),
        };
        Err(self.too_large(
            format!("the {part} to be held at once need {} bytes (limit {TABLE_HELD_BYTES_MAX})", self.held),
            hint,
        ))
    }

    /// Memory counted by `hold` is no longer in use.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Nothing is held any more.
    pub(crate) fn release_all(&mut self) {
        self.held = 0;
    }

    /// Counts bytes unpacked, read again or printed. A few bytes can stand for terabytes of equal values,
    /// so this is held against the length of the file, as with any other packed file.
    pub(crate) fn produce(&mut self, bytes: u64) -> Result<()> {
        self.produced = self.produced.saturating_add(bytes);
        if self.produced <= self.produced_max() { Ok(()) } else { Err(self.expands(self.produced, "bytes")) }
    }

    /// Refuses a number of rows that could only be reached by passing the limit of `produce`.
    pub(crate) fn check_rows(&self, rows: u64) -> Result<()> {
        if rows <= self.produced_max() { Ok(()) } else { Err(self.expands(rows, "rows")) }
    }

    /// Forgets what was held and produced.
    pub(crate) fn restart(&mut self) {
        self.held = 0;
        self.produced = 0;
    }

    fn produced_max(&self) -> u64 {
        self.length.saturating_mul(UNPACK_RATIO_MAX).saturating_add(UNPACKED_BYTES_FREE)
    }

    fn expands(&self, amount: u64, unit: &str) -> Error {
        let code = match self.kind {
            TableKind::Parquet => "parquet_expands_too_far",
            TableKind::Arrow => "arrow_expands_too_far",
        };
        let message = format!(
            "the {} file of {} bytes expands to {amount} {unit} or more (limit {})",
            self.kind.name(),
            self.length,
            self.produced_max()
        );
        Refusal::new(code, message, "split the file, or send it as csv").into()
    }

    pub(crate) fn corrupt(&self, message: impl Into<String>) -> Error {
        let code = match self.kind {
            TableKind::Parquet => "corrupt_parquet",
            TableKind::Arrow => "corrupt_arrow",
        };
        Refusal::new(code, message, "the file is damaged or was written wrongly: write it anew and send it again")
            .into()
    }

    pub(crate) fn truncated(&self, message: impl Into<String>) -> Error {
        let code = match self.kind {
            TableKind::Parquet => "truncated_parquet",
            TableKind::Arrow => "truncated_arrow",
        };
        Refusal::new(code, message, "the end of the file is missing: send it again, complete").into()
    }

    pub(crate) fn unsupported(&self, message: impl Into<String>, hint: &str) -> Error {
        let code = match self.kind {
            TableKind::Parquet => "unsupported_parquet",
            TableKind::Arrow => "unsupported_arrow",
        };
        Refusal::new(code, message, hint).into()
    }

    pub(crate) fn too_large(&self, message: impl Into<String>, hint: &str) -> Error {
        let code = match self.kind {
            TableKind::Parquet => "parquet_page_too_large",
            TableKind::Arrow => "arrow_buffer_too_large",
        };
        Refusal::new(code, message, hint).into()
    }
}
