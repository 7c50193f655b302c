//! Writing a file of ids: sorted in memory, in scratch space when they do not fit, and merged into the file.

use std::io::{self, Write};
use std::sync::mpsc::sync_channel;

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::format::{
    BLOCK_BYTES, BLOCK_KEYS, CHECKSUM_AT, KEY_BYTES, MAGIC, PAGE_LINES, checksum, key_bytes, key_from,
};
use crate::Error;
use crate::limits::IDS_MAX;
use crate::source::Scratch;
use crate::spill::{Appender, damaged};
use crate::unique::{Key, Line, key_of, line_of, lines_for};

/// Keys that are sorted at once, however little memory there is.
const SORTED_KEYS_MIN: usize = 1024;
/// Bytes read from a run at once; at most so many that what is merged of a few runs stays in the cache of a core.
const READ_BYTES_MIN: usize = 4 * 1024;
const READ_BYTES_MAX: usize = 32 * 1024;
/// Portions that are merged before they are written.
const PORTIONS_AHEAD: usize = 2;
/// Memory that merging takes, in bytes for each that is read at once: a key has 10 bytes there and 16 in a portion, and
/// there are as many portions as are ahead, one that is written, and one that is sorted with half as much room again.
const MERGED_TIMES: usize = 1 + (PORTIONS_AHEAD + 3) * 16 / KEY_BYTES;

/// Collects ids and writes a file of them.
///
/// With 16 MiB it keeps to them up to some 400 times as many ids as fit at once; beyond, it takes 36 KiB for each further
/// time.
pub struct Writer {
    memory: usize,
    scratch: Box<dyn Scratch>,
    appender: Appender,
    keys: Vec<Key>,
    runs: Vec<Run>,
    pushed: u64,
}

/// Sorted keys in scratch space.
struct Run {
    offset: u64,
    keys: u64,
    checksum: u64,
}

impl Writer {
    /// A writer that takes so many bytes of memory, and `scratch`, which nobody else writes to, when they are full.
    pub fn new(memory: usize, scratch: Box<dyn Scratch>) -> Self {
        Self { memory, scratch, appender: Appender::default(), keys: Vec::new(), runs: Vec::new(), pushed: 0 }
    }

    /// Takes ids, which are hashes of all 128 bits, in any order. After an error the writer is of no use any more.
    pub fn push(&mut self, ids: &[u128]) -> io::Result<()> {
        self.pushed = self.pushed.saturating_add(ids.len() as u64);
        if self.pushed > IDS_MAX {
            let message = format!("a file of ids takes {IDS_MAX}, and there are more");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        // While a vector doubles there are two of them.
        let sorted_keys = (self.memory / (2 * size_of::<Key>())).max(SORTED_KEYS_MIN);
        let mut rest = ids;
        while !rest.is_empty() {
            if self.keys.len() >= sorted_keys {
                self.spill()?;
            }
            let (now, later) = rest.split_at(rest.len().min(sorted_keys - self.keys.len()));
            self.keys.extend(now.iter().map(|id| key_of(*id)));
            rest = later;
        }
        Ok(())
    }

    /// Ids that were pushed; those that came twice count twice.
    pub fn count(&self) -> u64 {
        self.pushed
    }

    /// Writes the file; answers how many different ids it has. With more than one of `threads`, runs are merged beside the
    /// writing.
    pub fn finish(mut self, threads: usize, out: &mut dyn Write) -> io::Result<u64> {
        if self.runs.is_empty() {
            self.keys.sort_unstable();
            self.keys.dedup();
            let mut file = File::new(out, self.keys.len())?;
            self.keys.iter().try_for_each(|key| file.push(*key))?;
            return file.end();
        }
        self.spill()?;
        drop(std::mem::take(&mut self.keys));
        let keys: u64 = self.runs.iter().map(|run| run.keys).sum();
        let mut file = File::new(out, usize::try_from(keys).unwrap_or(usize::MAX))?;
        let mut write = |keys: &mut Vec<Key>| keys.iter().try_for_each(|key| file.push(*key));
        match threads {
            0 | 1 => self.merge(&mut write)?,
            _ => self.merge_ahead(&mut write)?,
        }
        file.end()
    }

    /// Gives the keys of all runs in order, each once, in portions.
    fn merge(mut self, each: &mut dyn FnMut(&mut Vec<Key>) -> io::Result<()>) -> io::Result<()> {
        let read_bytes = (self.memory / self.runs.len() / MERGED_TIMES).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        let mut runs: Vec<_> = self.runs.iter().map(|run| RunReader::new(run, read_bytes)).collect();
        let mut portion = Vec::new();
        loop {
            for run in runs.iter_mut().filter(|run| run.is_empty()) {
                run.fill(&mut *self.scratch)?;
            }
            runs.retain(|run| !run.is_empty());
            // what is smaller than that has been read of every run
            let Some(limit) = runs.iter().map(RunReader::last).min() else { return Ok(()) };
            portion.clear();
            // the most that there can be, so that it does not grow by doubling
            portion.reserve_exact(runs.iter().map(RunReader::unread).sum());
            runs.iter_mut().for_each(|run| run.take_through(limit, &mut portion));
            // stable: that is the sort which sees what is in order already, and merges it
            portion.sort();
            portion.dedup();
            each(&mut portion)?;
        }
    }

    /// The same, while another thread merges what comes next.
    fn merge_ahead(self, each: &mut dyn FnMut(&mut Vec<Key>) -> io::Result<()>) -> io::Result<()> {
        std::thread::scope(|scope| {
            let (full, filled) = sync_channel(PORTIONS_AHEAD);
            let merging = scope.spawn(move || {
                // nobody takes it once a key could not be written; that is then the answer
                self.merge(&mut |portion| {
                    full.send(std::mem::take(portion)).map_err(|_| io::ErrorKind::BrokenPipe.into())
                })
            });
            for mut portion in filled {
                each(&mut portion)?;
            }
            merging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn spill(&mut self) -> io::Result<()> {
        self.keys.sort_unstable();
        self.keys.dedup();
        let mut running = Xxh3Default::new();
        for key in &self.keys {
            let bytes = key_bytes(*key);
            running.update(&bytes);
            self.appender.push(&bytes, &mut *self.scratch).map_err(io_error)?;
        }
        let (offset, _) = self.appender.end(&mut *self.scratch).map_err(io_error)?;
        self.runs.push(Run { offset, keys: self.keys.len() as u64, checksum: running.digest() });
        self.keys.clear();
        Ok(())
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("count", &self.pushed).field("runs", &self.runs.len()).finish_non_exhaustive()
    }
}

/// Scratch space refuses nothing; it fails.
fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::Refused(refusal) => io::Error::other(refusal.message),
    }
}

/// Reads one run from front to back.
struct RunReader {
    buffer: Vec<u8>,
    at: usize,
    offset: u64,
    /// Keys that are not in the buffer yet.
    left: u64,
    read_keys: u64,
    running: Xxh3Default,
    checksum: u64,
}

impl RunReader {
    fn new(run: &Run, read_bytes: usize) -> Self {
        Self {
            buffer: Vec::new(),
            at: 0,
            offset: run.offset,
            left: run.keys,
            read_keys: (read_bytes / KEY_BYTES) as u64,
            running: Xxh3Default::new(),
            checksum: run.checksum,
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
    fn fill(&mut self, scratch: &mut dyn Scratch) -> io::Result<()> {
        if self.left == 0 {
            return match self.running.digest() == self.checksum {
                true => Ok(()),
                false => Err(io_error(damaged("scratch space does not hold the ids that were written to it"))),
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

/// The file, which gets its keys in order.
struct File<'a> {
    out: &'a mut dyn Write,
    count: u64,
    blocks: u64,
    block: Vec<u8>,
    fences: Vec<u8>,
    /// Lines of the whole filter, and the page that is being filled.
    lines: usize,
    page: Vec<Line>,
    /// Of each page that was written: how many blocks of keys were before it.
    pages: Vec<u32>,
}

impl<'a> File<'a> {
    /// `keys`: at least as many as will come.
    fn new(out: &'a mut dyn Write, keys: usize) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        let (lines, page) = (lines_for(keys), vec![Line::default(); PAGE_LINES]);
        let block = Vec::with_capacity(BLOCK_BYTES);
        Ok(Self { out, count: 0, blocks: 0, block, fences: Vec::new(), lines, page, pages: Vec::new() })
    }

    fn push(&mut self, key: Key) -> io::Result<()> {
        let line = line_of(key, self.lines);
        while line / PAGE_LINES > self.pages.len() {
            self.end_page()?;
        }
        self.page[line % PAGE_LINES].insert(key);
        let bytes = key_bytes(key);
        if self.block.is_empty() {
            self.fences.extend_from_slice(&bytes);
        }
        self.block.extend_from_slice(&bytes);
        self.count += 1;
        if self.block.len() == BLOCK_KEYS * KEY_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> io::Result<()> {
        let mut block = std::mem::take(&mut self.block);
        self.write(&mut block)?;
        block.clear();
        self.block = block;
        Ok(())
    }

    fn end_page(&mut self) -> io::Result<()> {
        let keys_before = self.fences.len() / KEY_BYTES - usize::from(!self.block.is_empty());
        let mut page = Vec::with_capacity(BLOCK_BYTES);
        for line in &mut self.page {
            page.extend_from_slice(&std::mem::take(line).to_bytes());
        }
        self.write(&mut page)?;
        self.pages.push(keys_before as u32);
        Ok(())
    }

    fn write(&mut self, block: &mut Vec<u8>) -> io::Result<()> {
        block.resize(BLOCK_BYTES, 0);
        let checksum = checksum(block, self.blocks);
        block[CHECKSUM_AT..].copy_from_slice(&checksum);
        self.blocks += 1;
        self.out.write_all(block)
    }

    fn end(mut self) -> io::Result<u64> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        while self.pages.len() * PAGE_LINES < self.lines {
            self.end_page()?;
        }
        let mut index = Vec::with_capacity(16 + self.pages.len() * 4 + self.fences.len());
        index.extend_from_slice(&self.count.to_le_bytes());
        index.extend_from_slice(&(self.lines as u64).to_le_bytes());
        self.pages.iter().for_each(|keys_before| index.extend_from_slice(&keys_before.to_le_bytes()));
        index.append(&mut self.fences);
        self.out.write_all(&index)?;
        self.out.write_all(&(index.len() as u64).to_le_bytes())?;
        self.out.write_all(&xxh3_64(&index).to_le_bytes())?;
        self.out.write_all(&MAGIC)?;
        Ok(self.count)
    }
}
