//! Tables: Parquet and Arrow IPC files (Feather version 2) read as rows of text, on hostile input, in bounded memory.
//!
//! Both formats are decoded by this module alone, without the `parquet` and `arrow` crates: what those allocate is
//! decided by numbers in the file, and an allocation that fails ends the process, which no caller can catch. Here
//! every number is checked against the file's length or a limit before it is used, and nothing panics by design, so
//! there is no panic to catch either. The crates are the writers and the second opinion of the tests.

mod arrow;
mod batch;
pub(crate) mod codec;
pub(crate) mod file;
pub(crate) mod parquet;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use batch::Batch;

use crate::source::Input;
use crate::{Refusal, Result};
use file::File;

/// Which format a table is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file, which is also Feather version 2.
    Arrow,
}

impl TableKind {
    /// The name that reports show.
    pub fn name(self) -> &'static str {
        match self {
            TableKind::Parquet => "parquet",
            TableKind::Arrow => "arrow",
        }
    }
}

/// How many bytes tell a table from text.
pub const HEAD_BYTES: usize = 512;

/// The format that the first `HEAD_BYTES` of a file tell: a text file may begin with the same letters, and is told apart
/// by having no control characters after them.
pub fn is_table(first: &[u8]) -> Option<TableKind> {
    let kinds: [(&[u8], TableKind); 4] = [
        (b"PAR1", TableKind::Parquet),
        (b"PARE", TableKind::Parquet),
        (b"ARROW1", TableKind::Arrow),
        (b"FEA1", TableKind::Arrow),
    ];
    let (magic, kind) = kinds.into_iter().find(|(magic, _)| first.starts_with(magic))?;
    let rest = &first[magic.len()..];
    let text = rest.iter().all(|&byte| byte >= b' ' || matches!(byte, b'\t' | b'\r' | b'\n'));
    if text && !rest.is_empty() { None } else { Some(kind) }
}

/// A Parquet or Arrow file, open. After an error it is not to be read further.
pub struct Table {
    file: File,
    reader: Reader,
}

enum Reader {
    Parquet(parquet::Parquet),
    Arrow(arrow::Arrow),
}

impl Table {
    /// Reads and checks the footer. No value is decoded yet.
    pub fn open(mut input: Box<dyn Input>) -> Result<Table> {
        let mut first = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(&mut input, HEAD_BYTES as u64), &mut first)?;
        let Some(kind) = is_table(&first) else {
            return Err(Refusal::new(
                "not_a_table",
                "the file does not begin as a parquet or arrow file",
                "send a parquet file, an arrow ipc file or text",
            )
            .into());
        };
        let mut file = File::open(kind, input)?;
        let reader = match kind {
            TableKind::Parquet => Reader::Parquet(parquet::Parquet::open(&mut file)?),
            TableKind::Arrow => Reader::Arrow(arrow::Arrow::open(&mut file)?),
        };
        Ok(Table { file, reader })
    }

    /// Which format it is.
    pub fn kind(&self) -> TableKind {
        self.file.kind()
    }

    /// The leaf columns in file order, duplicates kept. A field of a struct is a dotted path (`address.city`);
    /// what is inside a list or map is named too, but cannot be selected.
    pub fn columns(&self) -> &[String] {
        match &self.reader {
            Reader::Parquet(parquet) => parquet.columns(),
            Reader::Arrow(arrow) => arrow.columns(),
        }
    }

    /// Why column `column` has no text (it is inside a list, or of a type without one); `None` if it can be selected.
    pub fn why_not(&self, column: usize) -> Option<&'static str> {
        match &self.reader {
            Reader::Parquet(parquet) => parquet.why_not(column),
            Reader::Arrow(arrow) => arrow.why_not(column),
        }
    }

    /// Rows that the file says it has; `next` gives exactly as many or refuses the file.
    pub fn rows_declared(&self) -> u64 {
        match &self.reader {
            Reader::Parquet(parquet) => parquet.rows(),
            Reader::Arrow(arrow) => arrow.rows(),
        }
    }

    /// Chooses the columns to decode, by their place in `columns`, and begins at the first row.
    /// Only these are held in memory and paid for. Refused if one of them has no text (see `why_not`).
    pub fn select(&mut self, columns: &[usize]) -> Result<()> {
        for &column in columns {
            if let Some(reason) = self.why_not(column) {
                let name = self.columns().get(column).map_or("?", String::as_str);
                let message = format!("column {column} ({name}) {reason}");
                return Err(self.file.unsupported(message, "send the column as a plain value, such as a string"));
            }
        }
        self.file.restart();
        match &mut self.reader {
            Reader::Parquet(parquet) => parquet.select(columns),
            Reader::Arrow(arrow) => arrow.select(columns, &mut self.file),
        }
    }

    /// Replaces `batch` with the next rows of the selected columns: up to `TABLE_BATCH_ROWS`, fewer when they are long.
    /// `false` (and an empty batch) when there are no more.
    pub fn next(&mut self, batch: &mut Batch) -> Result<bool> {
        match &mut self.reader {
            Reader::Parquet(parquet) => parquet.next(&mut self.file, batch)?,
            Reader::Arrow(arrow) => arrow.next(&mut self.file, batch)?,
        }
        Ok(batch.rows() > 0)
    }
}
