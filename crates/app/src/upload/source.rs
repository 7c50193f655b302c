//! What is sent: a file or standard input, so that it can be sent again, with its digest and how far it is.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use engine::pipeline::sha256::Sha256;

use crate::complain::{Hint, unreadable};

/// A file to send.
pub(super) struct Source {
    file: File,
    name: Option<String>,
    before: Metadata,
    /// Bytes that were read in this attempt.
    pub read: Arc<AtomicU64>,
}

impl Source {
    /// Opens a file. Standard input is put aside first: what is sent again must be there again.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, name) = if path.as_os_str() == "-" {
            let mut file = tempfile::tempfile().context("a file for what comes by standard input")?;
            io::copy(&mut io::stdin().lock(), &mut file).context("put aside what comes by standard input")?;
            (file, None)
        } else {
            let file = File::open(path).map_err(unreadable)?;
            (file, path.file_name().map(|name| name.to_string_lossy().into_owned()))
        };
        let before = file.metadata()?;
        if before.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        if !before.is_file() {
            let hint = "send it by standard input: millrace upload - --key NAME";
            return Err(Hint::new("is no plain file, so its length is not known", hint).into());
        }
        Ok(Self { file, name, before, read: Arc::default() })
    }

    /// Its own name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its length when it was opened: so many bytes are sent.
    pub fn bytes(&self) -> u64 {
        self.before.len()
    }

    /// Its bytes from the beginning.
    pub fn body(&mut self) -> io::Result<Body<'_>> {
        self.file.seek(SeekFrom::Start(0))?;
        self.read.store(0, Ordering::Relaxed);
        Ok(Body { left: self.bytes(), source: self, digest: Sha256::default() })
    }

    /// Whether it is as it was when it was opened.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        let now = self.file.metadata()?;
        let facts = |of: &Metadata| (of.len(), of.mtime(), of.mtime_nsec());
        Ok(facts(&now) == facts(&self.before))
    }
}

/// One attempt at sending it.
pub(super) struct Body<'s> {
    source: &'s Source,
    left: u64,
    digest: Sha256,
}

impl Body<'_> {
    /// The digest of what was read; none before the end.
    pub fn sha256(self) -> Option<String> {
        (self.left == 0).then(|| self.digest.finish())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        if most == 0 {
            return Ok(0);
        }
        let read = (&self.source.file).read(&mut into[..most])?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
        }
        self.digest.update(&into[..read]);
        self.left -= read as u64;
        self.source.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_sent_is_told_from_one_that_does_not() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one row").unwrap();
        let mut source = Source::open(file.path()).unwrap();
        let mut sent = Vec::new();
        source.body().unwrap().read_to_end(&mut sent).unwrap();
        assert_eq!((sent.as_slice(), source.is_unchanged().unwrap()), (&b"one row"[..], true));
        file.write_all(b", and another").unwrap();
        assert!(!source.is_unchanged().unwrap());
        // what came later is not sent: it was not there when the length was told
        sent.clear();
        source.body().unwrap().read_to_end(&mut sent).unwrap();
        assert_eq!(sent, b"one row");
        file.as_file().set_len(3).unwrap();
        let shorter = source.body().unwrap().read_to_end(&mut sent).unwrap_err();
        assert_eq!(shorter.kind(), io::ErrorKind::UnexpectedEof);
    }
}
