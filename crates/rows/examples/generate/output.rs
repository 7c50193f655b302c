//! Where the rows go: one large buffer, written a megabyte at a time, optionally through gzip.

use std::fs::File;
use std::io::{Result, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

const FLUSH_BYTES: usize = 1024 * 1024;
/// Room behind the flush mark for the longest row.
const ROW_BYTES: usize = 64 * 1024;

enum Sink {
    Plain(File),
    Gzip(Box<GzEncoder<File>>),
}

/// A file being written. Rows are appended to `buffer`; `row_done` moves it on when it is full.
pub(crate) struct Output {
    pub(crate) buffer: Vec<u8>,
    written: u64,
    sink: Sink,
}

impl Output {
    pub(crate) fn create(path: &Path, gzip: bool) -> Result<Self> {
        let file = File::create(path)?;
        let sink =
            if gzip { Sink::Gzip(Box::new(GzEncoder::new(file, Compression::default()))) } else { Sink::Plain(file) };
        Ok(Output { buffer: Vec::with_capacity(FLUSH_BYTES + ROW_BYTES), written: 0, sink })
    }

    /// Bytes so far, before compression.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// To be called after each row.
    #[inline]
    pub(crate) fn row_done(&mut self) -> Result<()> {
        if self.buffer.len() >= FLUSH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        match &mut self.sink {
            Sink::Plain(file) => file.write_all(&self.buffer)?,
            Sink::Gzip(encoder) => encoder.write_all(&self.buffer)?,
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Completes the file; answers its bytes before compression.
    pub(crate) fn finish(mut self) -> Result<u64> {
        self.flush()?;
        if let Sink::Gzip(encoder) = self.sink {
            encoder.finish()?;
        }
        Ok(self.written)
    }
}
