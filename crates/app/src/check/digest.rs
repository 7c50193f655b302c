//! The sha256 of a file, worked out on a thread of its own while the file is checked.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use engine::pipeline::sha256::Sha256;

use crate::complain::Hint;

/// A digest in the making.
pub(crate) struct Digest {
    thread: JoinHandle<std::io::Result<String>>,
    file: File,
    before: Metadata,
}

/// What stays in the cache of a core: a block of twice this is read at a quarter of the speed, for it goes by way of
/// memory.
const BLOCK_BYTES: usize = 128 * 1024;

/// Starts hashing; `file` is read by position, so whoever else reads it is not disturbed.
pub(crate) fn start(file: File, path: &Path) -> Result<Digest> {
    let before = file.metadata().with_context(|| path.display().to_string())?;
    let read = file.try_clone()?;
    let thread = std::thread::Builder::new().name("sha256".into()).spawn(move || hash(&read))?;
    Ok(Digest { thread, file, before })
}

fn hash(file: &File) -> std::io::Result<String> {
    let mut digest = Sha256::default();
    let mut block = vec![0; BLOCK_BYTES];
    let mut at = 0;
    loop {
        let read = match file.read_at(&mut block, at) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            return Ok(digest.finish());
        }
        digest.update(&block[..read]);
        at += read as u64;
    }
}

impl Digest {
    /// Waits for the digest. The file was read twice, so it must not have changed meanwhile.
    pub(crate) fn finish(self) -> Result<String> {
        let digest = self.thread.join().map_err(|_| anyhow!("the hashing thread panicked"))??;
        let after = self.file.metadata()?;
        if (after.len(), after.mtime(), after.mtime_nsec())
            != (self.before.len(), self.before.mtime(), self.before.mtime_nsec())
        {
            return Err(Hint::new("the file changed while it was read", "check it again once it is complete").into());
        }
        Ok(digest)
    }
}
