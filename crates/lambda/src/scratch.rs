//! Scratch space in the folder for temporary files, of which a function has 512 MB: files without a name, gone with the
//! process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use pipeline::rows::source::Scratch;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Scratch space that takes no room before something is put into it.
pub fn make() -> io::Result<Box<dyn Scratch>> {
    Ok(Box::new(FileScratch { file: None, length: 0 }))
}

struct FileScratch {
    file: Option<File>,
    length: u64,
}

fn unnamed() -> io::Result<File> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("millrace-{}-{number}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

impl Scratch for FileScratch {
    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(unnamed()?),
        };
        file.write_all_at(bytes, self.length)?;
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
