//! Where bytes come from and where they may be put aside: the two things a caller brings.

use std::io::{Read, Seek};

use crate::Result;

/// A file as the caller holds it. Parquet and zip are read from their end, so it must be seekable.
pub trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send> Input for T {}

/// A stream of bytes on its way to a parser. Unlike `Read` it can refuse the file.
pub trait Source: Send {
    /// Fills the front of `into`, which is not empty; 0 means the end. Short reads are fine.
    fn read(&mut self, into: &mut [u8]) -> Result<usize>;
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        (**self).read(into)
    }
}

impl<S: Source + ?Sized> Source for &mut S {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        (**self).read(into)
    }
}

/// Scratch space for what does not fit the memory budget: append, then read back. It is gone with the value.
pub trait Scratch: Send {
    /// Appends `bytes`; answers the offset at which they begin.
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<u64>;
    /// Fills `into` from `offset`; an error if fewer bytes are there.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> std::io::Result<()>;
}

/// Scratch space in memory, for tests and for callers without a disk.
#[derive(Debug, Default)]
pub struct MemoryScratch(Vec<u8>);

impl Scratch for MemoryScratch {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<u64> {
        let offset = self.0.len() as u64;
        self.0.extend_from_slice(bytes);
        Ok(offset)
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        let start = usize::try_from(offset).ok();
        let kept = start.and_then(|start| self.0.get(start..start.checked_add(into.len())?));
        match kept {
            Some(kept) => {
                into.copy_from_slice(kept);
                Ok(())
            }
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
