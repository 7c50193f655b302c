//! One buffer of a record batch: read in small windows as it is in the file, or held whole when it was compressed.

use super::message::Span;
use crate::Result;
use crate::limits::PARQUET_PAGE_BYTES_MAX;
use crate::table::codec::{Codec, unpack};
use crate::table::file::File;

pub(super) enum Buffer {
    /// Unpacked.
    Held(Vec<u8>),
    /// In the file. The window holds what was read ahead, from `window_at` of the buffer.
    Stored { span: Span, window: Vec<u8>, window_at: u64, window_bytes: usize },
}

/// The unpacked length before a compressed buffer; -1 if that one is not compressed.
const PREFIX: u64 = 8;

impl Buffer {
    /// Unpacks a compressed buffer, counting the memory first. `window_bytes` are read ahead of one that is not.
    pub(super) fn open(file: &mut File, span: Span, codec: Codec, window_bytes: usize) -> Result<Self> {
        let stored = |span| Buffer::Stored { span, window: Vec::new(), window_at: 0, window_bytes };
        if codec == Codec::Plain || span.length == 0 {
            return Ok(stored(span));
        }
        let mut prefix = [0; PREFIX as usize];
        if span.length < PREFIX {
            return Err(file.corrupt("a compressed buffer is shorter than its own length"));
        }
        file.read_at(span.offset, &mut prefix)?;
        let packed = Span { offset: span.offset + PREFIX, length: span.length - PREFIX };
        let length = i64::from_le_bytes(prefix);
        if length == -1 {
            return Ok(stored(packed));
        }
        let length = u64::try_from(length).map_err(|_| file.corrupt("a compressed buffer has a negative length"))?;
        let larger = length.max(packed.length);
        if larger > PARQUET_PAGE_BYTES_MAX {
            let message = format!("a compressed buffer has {larger} bytes (limit {PARQUET_PAGE_BYTES_MAX})");
            return Err(file.too_large(message, "write the file with record batches of 65536 rows"));
        }
        file.produce(length)?;
        file.hold(length + packed.length)?;
        let (mut held, mut bytes) = (vec![0; length as usize], vec![0; packed.length as usize]);
        file.read_at(packed.offset, &mut bytes)?;
        unpack(codec, &bytes, &mut held).map_err(|fault| file.corrupt(fault.0))?;
        file.release(packed.length);
        Ok(Buffer::Held(held))
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Buffer::Held(bytes) => bytes.len() as u64,
            Buffer::Stored { span, .. } => span.length,
        }
    }

    /// Some bytes, few of them: they may be made to fit the window.
    pub(super) fn bytes(&mut self, file: &mut File, start: u64, length: usize) -> Result<&[u8]> {
        let end = start.checked_add(length as u64).filter(|&end| end <= self.length());
        let Some(end) = end else { return Err(file.corrupt("values reach past the end of their buffer")) };
        match self {
            Buffer::Held(bytes) => Ok(&bytes[start as usize..end as usize]),
            Buffer::Stored { span, window, window_at, window_bytes } => {
                if start < *window_at || end > *window_at + window.len() as u64 {
                    // Values that jump back are read alone: reading ahead of each would cost more than it saves.
                    let ahead = if start < *window_at { length } else { length.max(*window_bytes) };
                    window.resize(ahead.min((span.length - start) as usize), 0);
                    *window_at = start;
                    file.read_at(span.offset + start, window)?;
                }
                let from = (start - *window_at) as usize;
                Ok(&window[from..from + length])
            }
        }
    }
}
