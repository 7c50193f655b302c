//! Writing to scratch space in large pieces, shared by everything that spills.

use crate::Result;
use crate::source::Scratch;

/// Bytes collected before they go to the scratch space, and read from it at once where memory allows.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;

/// Appends one contiguous stretch of bytes to a scratch space.
#[derive(Debug, Default)]
pub(crate) struct Appender {
    buffer: Vec<u8>,
    start: Option<u64>,
    flushed: u64,
}

impl Appender {
    /// Adds `bytes` to the stretch.
    pub(crate) fn push(&mut self, bytes: &[u8], scratch: &mut dyn Scratch) -> Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush(scratch)?;
        }
        if bytes.len() >= BUFFER_BYTES {
            return self.append(bytes, scratch);
        }
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(BUFFER_BYTES);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends the stretch: where it starts and how long it is. The appender is as new, but keeps its memory.
    pub(crate) fn end(&mut self, scratch: &mut dyn Scratch) -> Result<(u64, u64)> {
        self.flush(scratch)?;
        let stretch = (self.start.unwrap_or(0), self.flushed);
        self.abandon();
        Ok(stretch)
    }

    /// Forgets an unfinished stretch; what was written of it is lost space.
    pub(crate) fn abandon(&mut self) {
        self.buffer.clear();
        self.start = None;
        self.flushed = 0;
    }

    fn flush(&mut self, scratch: &mut dyn Scratch) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let appended = self.append(&buffer, scratch);
        self.buffer = buffer;
        self.buffer.clear();
        appended
    }

    fn append(&mut self, bytes: &[u8], scratch: &mut dyn Scratch) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let offset = scratch.append(bytes)?;
        let start = *self.start.get_or_insert(offset);
        // Readers count on one stretch: a scratch space shared with another writer must not go unnoticed.
        if offset != start.saturating_add(self.flushed) {
            return Err(damaged("scratch space was written to by someone else"));
        }
        self.flushed += bytes.len() as u64;
        Ok(())
    }
}

/// Scratch space that does not give back what was written to it.
pub(crate) fn damaged(what: &str) -> crate::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what).into()
}
