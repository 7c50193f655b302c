//! Sorted keys in scratch space: written as one stretch, and several stretches read as one.

use xxhash_rust::xxh3::Xxh3Default;

use super::table::{KEY_BYTES, Key, key_bytes, key_from};
use crate::Result;
use crate::source::Scratch;
use crate::spill::{Appender, damaged};

/// Bytes read from a stretch at once; at most so many that what is merged of a few stays in the cache of a core.
const READ_BYTES_MIN: usize = 4 * 1024;
const READ_BYTES_MAX: usize = 32 * 1024;
/// Portions that whoever takes them may keep at a time.
pub(crate) const PORTIONS_KEPT: usize = 3;
/// Memory that merging takes, in bytes for each that is read at once: a key has 10 bytes there and 16 in a portion, and
/// there are those that are kept, and one that is sorted with half as much room again.
const MERGED_TIMES: usize = 1 + (PORTIONS_KEPT + 2) * size_of::<Key>() / KEY_BYTES;

/// Where sorted keys are.
#[derive(Debug)]
pub(super) struct Stretch {
    pub offset: u64,
    pub keys: u64,
    checksum: u64,
}

/// Writes a stretch of keys that come in order.
pub(super) struct StretchWriter<'a> {
    scratch: &'a mut dyn Scratch,
    appender: Appender,
    running: Xxh3Default,
    keys: u64,
}

impl<'a> StretchWriter<'a> {
    pub(super) fn new(scratch: &'a mut dyn Scratch) -> Self {
        Self { scratch, appender: Appender::default(), running: Xxh3Default::new(), keys: 0 }
    }

    pub(super) fn push(&mut self, key: Key) -> Result<()> {
        let bytes = key_bytes(key);
        self.running.update(&bytes);
        self.keys += 1;
        self.appender.push(&bytes, self.scratch)
    }

    pub(super) fn end(mut self) -> Result<Stretch> {
        let (offset, _) = self.appender.end(self.scratch)?;
        Ok(Stretch { offset, keys: self.keys, checksum: self.running.digest() })
    }
}

/// Gives the keys of some stretches in order.
pub(super) struct Merge {
    readers: Vec<Reader>,
}

impl Merge {
    /// Keeps to so much memory, but for what the least that can be read of each takes.
    pub(super) fn new<'s>(stretches: impl ExactSizeIterator<Item = &'s Stretch>, memory: usize) -> Self {
        let read_bytes = (memory / stretches.len().max(1) / MERGED_TIMES).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        Self { readers: stretches.map(|stretch| Reader::new(stretch, read_bytes)).collect() }
    }

    /// The next keys, each once, in the place of those before them; none at the end.
    pub(super) fn next(&mut self, scratch: &mut dyn Scratch, portion: &mut Vec<Key>) -> Result<()> {
        portion.clear();
        let readers = &mut self.readers;
        for reader in readers.iter_mut().filter(|reader| reader.is_empty()) {
            reader.fill(scratch)?;
        }
        readers.retain(|reader| !reader.is_empty());
        // what is smaller than that has been read of every stretch
        let Some(limit) = readers.iter().map(Reader::last).min() else { return Ok(()) };
        // the most that there can be, so that it does not grow by doubling
        portion.reserve_exact(readers.iter().map(Reader::unread).sum());
        readers.iter_mut().for_each(|reader| reader.take_through(limit, portion));
        // stable: that is the sort which sees what is in order already, and merges it
        portion.sort();
        portion.dedup();
        Ok(())
    }
}

/// Reads one stretch from front to back.
struct Reader {
    buffer: Vec<u8>,
    at: usize,
    offset: u64,
    /// Keys that are not in the buffer yet.
    left: u64,
    read_keys: u64,
    running: Xxh3Default,
    checksum: u64,
}

impl Reader {
    fn new(stretch: &Stretch, read_bytes: usize) -> Self {
        Self {
            buffer: Vec::new(),
            at: 0,
            offset: stretch.offset,
            left: stretch.keys,
            read_keys: (read_bytes / KEY_BYTES) as u64,
            running: Xxh3Default::new(),
            checksum: stretch.checksum,
        }
    }

    fn is_empty(&self) -> bool {
        self.at == self.buffer.len()
    }

    /// How many keys were read and not taken.
    fn unread(&self) -> usize {
        (self.buffer.len() - self.at) / KEY_BYTES
    }

    /// The last key that was read.
    fn last(&self) -> Key {
        key_from(self.buffer.last_chunk().expect("a buffer that is not empty holds whole keys"))
    }

    /// Moves the keys up to this one, of those that were read.
    fn take_through(&mut self, limit: Key, into: &mut Vec<Key>) {
        let (keys, _) = self.buffer[self.at..].as_chunks();
        let count = keys.partition_point(|key| key_from(key) <= limit);
        into.extend(keys[..count].iter().map(key_from));
        self.at += count * KEY_BYTES;
    }

    /// Reads more; nothing at the end, where all that was read is known to be what was written.
    fn fill(&mut self, scratch: &mut dyn Scratch) -> Result<()> {
        if self.left == 0 {
            return match self.running.digest() == self.checksum {
                true => Ok(()),
                false => Err(damaged("scratch space does not hold the ids that were written to it")),
            };
        }
        let keys = self.left.min(self.read_keys);
        self.buffer.resize(keys as usize * KEY_BYTES, 0);
        scratch.read_at(self.offset, &mut self.buffer)?;
        self.running.update(&self.buffer);
        self.offset += self.buffer.len() as u64;
        self.left -= keys;
        self.at = 0;
        Ok(())
    }
}
