//! Scratch space on disk for what does not fit the memory budget: a temporary file without a name, made when it is
//! first written to, and gone with the process whatever happens.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rows::source::Scratch;

/// A temporary file in the making.
#[derive(Debug, Default)]
pub(crate) struct FileScratch {
    file: Option<File>,
    length: u64,
}

impl Scratch for FileScratch {
    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile().map_err(explained)?),
        };
        file.write_all_at(bytes, self.length).map_err(explained)?;
        let offset = self.length;
        self.length += bytes.len() as u64;
        Ok(offset)
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => file.read_exact_at(into, offset),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn explained(error: io::Error) -> io::Error {
    let folder = std::env::temp_dir();
    let message = format!("scratch file in {} (set TMPDIR to a folder with room): {error}", folder.display());
    io::Error::new(error.kind(), message)
}
