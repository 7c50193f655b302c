//! Writing a file of ids: those of a set, in order.

use std::io::{self, Write};
use std::sync::mpsc::sync_channel;

use xxhash_rust::xxh3::xxh3_64;

use super::format::{BLOCK_BYTES, BLOCK_KEYS, CHECKSUM_AT, MAGIC, PAGE_LINES, checksum};
use crate::Result;
use crate::limits::IDS_MAX;
use crate::spill::damaged;
use crate::unique::{IdSet, KEY_BYTES, Key, Line, PORTIONS_KEPT, key_bytes, line_of, lines_for};

/// Portions that are put in order before they are written, while another one is.
const PORTIONS_AHEAD: usize = PORTIONS_KEPT - 1;

/// Writes a file of all ids of a set but those left out; answers how many there are. With more than one of `threads`,
/// they are put in order beside the writing.
pub(crate) fn write(ids: IdSet, threads: usize, out: &mut dyn Write) -> Result<u64> {
    let count = ids.kept();
    if count > IDS_MAX {
        let message = format!("a file of ids takes {IDS_MAX}, and there are {count}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message).into());
    }
    let mut file = File::new(out, count as usize)?;
    let mut write = |keys: Vec<Key>| keys.iter().try_for_each(|key| file.push(*key));
    match threads {
        0 | 1 => ids.into_sorted(&mut |keys| Ok(write(keys)?))?,
        _ => sorted_ahead(ids, &mut write)?,
    }
    match file.end()? {
        written if written == count => Ok(count),
        _ => Err(damaged("the ids of a file are not those that were counted")),
    }
}

/// Gives the ids in order, while another thread sees to what comes next.
fn sorted_ahead(ids: IdSet, each: &mut dyn FnMut(Vec<Key>) -> io::Result<()>) -> Result<()> {
    std::thread::scope(|scope| {
        let (full, filled) = sync_channel(PORTIONS_AHEAD);
        let sorting = scope.spawn(move || {
            // nobody takes it once a key could not be written; that is then the answer
            ids.into_sorted(&mut |keys| Ok(full.send(keys).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?))
        });
        for keys in filled {
            each(keys)?;
        }
        sorting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
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
    /// `keys`: as many as will come.
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
