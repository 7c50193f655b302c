//! The file as it is packed: a buffered reader that knows its offset, can be narrowed to one member of a zip,
//! and counts what was consumed.
//!
//! Its only errors are those of the input, so whatever else goes wrong while unpacking is the fault of the content.

use std::io::{ErrorKind, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::source::Input;

/// Large enough that reading costs little, small enough to stay in the cache with what is unpacked from it.
const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct Packed {
    input: Box<dyn Input>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Where in the file the next byte lies.
    offset: u64,
    /// How many bytes of the current part of the file are still to come; the whole file has no such end.
    left: u64,
    consumed: u64,
    progress: Arc<AtomicU64>,
}

impl Packed {
    /// Measures the file and stands at its beginning. Answers its length too.
    pub(super) fn new(mut input: Box<dyn Input>) -> std::io::Result<(Self, u64)> {
        let length = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        let packed = Self {
            input,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            offset: 0,
            left: u64::MAX,
            consumed: 0,
            progress: Arc::default(),
        };
        Ok((packed, length))
    }

    /// The next bytes, at least one; empty only at the end.
    pub(super) fn fill(&mut self) -> std::io::Result<&[u8]> {
        if self.start == self.end && self.left > 0 {
            self.end = 0;
            self.start = 0;
            self.end = read(&mut *self.input, &mut self.buffer)?;
        }
        Ok(self.buffered())
    }

    /// The next bytes, at least `wanted` unless the end comes first. `wanted` is far less than the buffer.
    pub(super) fn peek(&mut self, wanted: usize) -> std::io::Result<&[u8]> {
        if self.end - self.start < wanted {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < wanted {
            match read(&mut *self.input, &mut self.buffer[self.end..])? {
                0 => break,
                more => self.end += more,
            }
        }
        Ok(self.buffered())
    }

    fn buffered(&self) -> &[u8] {
        let buffered = &self.buffer[self.start..self.end];
        let shown = usize::try_from(self.left).map_or(buffered.len(), |left| left.min(buffered.len()));
        &buffered[..shown]
    }

    /// Goes past `count` of the bytes that `fill` showed.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        self.advance(count);
    }

    fn advance(&mut self, count: usize) {
        self.offset += count as u64;
        self.left -= count as u64;
        self.consumed += count as u64;
        self.progress.store(self.consumed, Ordering::Relaxed);
    }

    /// Reads into `into` as it is, without a copy once the buffer is used up.
    pub(super) fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.start < self.end {
            let buffered = self.buffered();
            let count = buffered.len().min(into.len());
            into[..count].copy_from_slice(&buffered[..count]);
            self.consume(count);
            return Ok(count);
        }
        let most = usize::try_from(self.left).map_or(into.len(), |left| left.min(into.len()));
        if most == 0 {
            return Ok(0);
        }
        let count = read(&mut *self.input, &mut into[..most])?;
        self.advance(count);
        Ok(count)
    }

    /// The next byte; none at the end.
    pub(super) fn byte(&mut self) -> std::io::Result<Option<u8>> {
        let byte = self.fill()?.first().copied();
        if byte.is_some() {
            self.consume(1);
        }
        Ok(byte)
    }

    /// Fills `into`; false if the end comes first.
    pub(super) fn exact(&mut self, into: &mut [u8]) -> std::io::Result<bool> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read(&mut into[filled..])? {
                0 => return Ok(false),
                count => filled += count,
            }
        }
        Ok(true)
    }

    /// Goes past `count` bytes; false if the end comes first.
    pub(super) fn skip(&mut self, mut count: usize) -> std::io::Result<bool> {
        while count > 0 {
            let shown = self.fill()?.len().min(count);
            if shown == 0 {
                return Ok(false);
            }
            self.consume(shown);
            count -= shown;
        }
        Ok(true)
    }

    /// Goes to `offset` and ends `length` bytes later.
    pub(super) fn narrow(&mut self, offset: u64, length: u64) -> std::io::Result<()> {
        self.start = 0;
        self.end = 0;
        self.left = 0;
        self.input.seek(SeekFrom::Start(offset))?;
        self.offset = offset;
        self.left = length;
        Ok(())
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Sets what counts as consumed: nothing once a directory was read, everything once all parts are done.
    pub(super) fn set_consumed(&mut self, consumed: u64) {
        self.consumed = consumed;
        self.progress.store(consumed, Ordering::Relaxed);
    }

    pub(super) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// The file again, from its beginning.
    pub(super) fn into_input(mut self) -> std::io::Result<Box<dyn Input>> {
        self.set_consumed(0);
        self.input.seek(SeekFrom::Start(0))?;
        Ok(self.input)
    }
}

/// Reads until `into` is full or the end comes, so that what is said of a damaged file does not hang on how many bytes
/// the input gives at once. An interrupted call is not an error.
fn read(input: &mut dyn Input, into: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match input.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
