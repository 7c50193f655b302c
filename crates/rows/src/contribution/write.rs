//! Writing a contribution: entries become blocks, blocks get checksums, the footer tells where they are.

use std::io::Write;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::Summary;
use crate::contract::Kind;
use crate::groups::bytes::{Bytes, put};
use crate::groups::{GroupOf, Partial, decode_key, encode_key};
use crate::limits::CONTRIBUTION_FOOTER_BYTES_MAX;
use crate::time::{Interval, Zone};
use crate::{Refusal, Result};

/// At both ends of a contribution; the last two bytes are the version.
pub(super) const MAGIC: [u8; 8] = *b"MRCTRB01";
/// A block ends with the entry that reaches this.
const BLOCK_BYTES: usize = 64 * 1024;
/// Bytes of a block's first key that the footer tells: a name may have 64 KiB.
const FRONT_BYTES: usize = 256;
/// Bytes of the trailer: bytes and checksum of the footer, magic.
pub(super) const TRAILER_BYTES: usize = 24;
/// By number in a footer.
pub(super) const KINDS: [Kind; 3] = [Kind::Trades, Kind::Bars, Kind::Transactions];
/// Stands for the interval of totals, which have none.
pub(super) const NO_INTERVAL: u8 = u8::MAX;

/// Appends a group as the writer takes it: bytes of key and value, key, value.
pub(super) fn frame<P: Partial>(of: GroupOf<'_>, group: &P, frames: &mut Vec<u8>) {
    let start = frames.len();
    frames.extend_from_slice(&[0; 8]);
    encode_key(of, frames);
    let value = frames.len();
    group.encode(frames);
    let (key_bytes, value_bytes) = (value - start - 8, frames.len() - value);
    frames[start..start + 4].copy_from_slice(&(key_bytes as u32).to_le_bytes());
    frames[start + 4..start + 8].copy_from_slice(&(value_bytes as u32).to_le_bytes());
}

fn framed<'a>(frames: &mut Bytes<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let key_bytes = u32::from_le_bytes(frames.take()?) as usize;
    let value_bytes = u32::from_le_bytes(frames.take()?) as usize;
    Some((frames.slice(key_bytes)?, frames.slice(value_bytes)?))
}

/// A contribution being written.
pub(super) struct Writer<'a> {
    out: &'a mut (dyn Write + Send),
    block: Vec<u8>,
    /// The key of the last entry.
    last: Vec<u8>,
    /// Of each block its bytes and the front of its first key.
    index: Vec<u8>,
    front: Vec<u8>,
    blocks: u64,
    entries: u64,
    from: i64,
    to: i64,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut (dyn Write + Send)) -> Result<Self> {
        out.write_all(&MAGIC)?;
        let (block, last, index, front) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { out, block, last, index, front, blocks: 0, entries: 0, from: i64::MAX, to: i64::MIN })
    }

    /// Takes the next groups, each as `frame` wrote it.
    pub fn take(&mut self, mut frames: &[u8]) -> Result<()> {
        while !frames.is_empty() {
            let mut rest = Bytes(frames);
            let (key, value) = framed(&mut rest).expect("these are what `frame` wrote");
            self.push(key, value)?;
            frames = rest.0;
        }
        Ok(())
    }

    fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let bucket = decode_key(key).expect("a key is what `encode_key` wrote").bucket;
        self.from = self.from.min(bucket);
        self.to = self.to.max(bucket);
        self.entries += 1;
        if self.block.is_empty() {
            self.front.extend_from_slice(front(key));
            self.last.clear();
        }
        let shared = key.iter().zip(&self.last).take_while(|(left, right)| left == right).count();
        put(shared as u64, &mut self.block);
        put((key.len() - shared) as u64, &mut self.block);
        put(value.len() as u64, &mut self.block);
        self.block.extend_from_slice(&key[shared..]);
        self.block.extend_from_slice(value);
        self.last.truncate(shared);
        self.last.extend_from_slice(&key[shared..]);
        if self.block.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<()> {
        self.out.write_all(&self.block)?;
        self.out.write_all(&xxh3_64_with_seed(&self.block, self.blocks).to_le_bytes())?;
        put(self.block.len() as u64, &mut self.index);
        put(self.front.len() as u64, &mut self.index);
        self.index.append(&mut self.front);
        self.block.clear();
        self.blocks += 1;
        if self.index.len() > CONTRIBUTION_FOOTER_BYTES_MAX / 2 {
            let message = format!("the partial aggregates of the file fill more than {} blocks", self.blocks);
            let hint = "send the file in parts, or make longer bars";
            return Err(Refusal::new("contribution_too_large", message, hint).into());
        }
        Ok(())
    }

    /// Ends the contribution of `rows` rows.
    pub fn finish(mut self, kind: Kind, rows: u64, interval: Interval, zone: &Zone) -> Result<Summary> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        let (from, to) = if self.entries == 0 { (0, 0) } else { (self.from, self.to) };
        let summary = Summary { kind, rows, entries: self.entries, from, to };
        let mut footer = Vec::with_capacity(self.index.len() + 128);
        footer.push(KINDS.iter().position(|known| *known == kind).map_or(u8::MAX, |place| place as u8));
        for number in [summary.rows, summary.entries, summary.from as u64, summary.to as u64] {
            footer.extend_from_slice(&number.to_le_bytes());
        }
        footer.push(match kind {
            Kind::Transactions => NO_INTERVAL,
            _ => Interval::ALL.iter().position(|known| *known == interval).map_or(NO_INTERVAL, |place| place as u8),
        });
        put(zone.name().len() as u64, &mut footer);
        footer.extend_from_slice(zone.name().as_bytes());
        put(self.blocks, &mut footer);
        footer.append(&mut self.index);
        self.out.write_all(&footer)?;
        self.out.write_all(&(footer.len() as u64).to_le_bytes())?;
        self.out.write_all(&xxh3_64(&footer).to_le_bytes())?;
        self.out.write_all(&MAGIC)?;
        Ok(summary)
    }
}

/// What the footer tells of a key.
pub(super) fn front(key: &[u8]) -> &[u8] {
    &key[..key.len().min(FRONT_BYTES)]
}
