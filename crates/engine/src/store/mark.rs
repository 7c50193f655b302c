//! The mark: the number of the last commit that was answered with success, in a small file of its own.
//!
//! A journal that was cut short looks just like one whose last write was interrupted: both end early, and a store opens
//! with what is there. The mark tells them apart. It is written after the commit is durable and never synced itself, so
//! it may lag behind after a power loss, but can never be ahead of what was made durable: when the store opens with a
//! smaller number than the mark, commits that were confirmed are gone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

/// The name of the file in the data folder.
const NAME: &str = "mark";

/// The number and its checksum, so that half a write is not taken for a number.
const BYTES: usize = 16;

/// The open mark.
#[derive(Debug)]
pub struct Mark {
    file: File,
}

impl Mark {
    /// Opens or makes the mark of a folder, and reads what it says: 0 when it is new or cannot be read.
    pub fn open(folder: &Path) -> io::Result<(Self, u64)> {
        let path = folder.join(NAME);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::with_capacity(BYTES);
        (&file).take(BYTES as u64).read_to_end(&mut bytes)?;
        Ok((Self { file }, decode(&bytes).unwrap_or(0)))
    }

    /// Says that this commit was confirmed.
    pub fn set(&mut self, commit: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&encode(commit))
    }
}

fn encode(commit: u64) -> [u8; BYTES] {
    let number = commit.to_be_bytes();
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&number);
    bytes[8..].copy_from_slice(&xxh3_64(&number).to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<u64> {
    let (number, check) = bytes.split_at_checked(8)?;
    let (number, check): ([u8; 8], [u8; 8]) = (number.try_into().ok()?, check.try_into().ok()?);
    (xxh3_64(&number).to_be_bytes() == check).then(|| u64::from_be_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_was_half_written_says_nothing() {
        let bytes = encode(7);
        assert_eq!(decode(&bytes), Some(7));
        for length in 0..BYTES {
            assert_eq!(decode(&bytes[..length]), None, "{length}");
        }
        let mut flipped = bytes;
        flipped[3] ^= 1;
        assert_eq!(decode(&flipped), None);
    }

    #[test]
    fn the_last_number_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (mut mark, number) = Mark::open(folder.path()).unwrap();
        assert_eq!(number, 0);
        mark.set(1).unwrap();
        mark.set(300).unwrap();
        assert_eq!(Mark::open(folder.path()).unwrap().1, 300);
    }
}
