//! The footer of an Arrow file and its record batches, found and checked.

use super::flatbuffer::{Node, Vector};
use super::schema::{Place, Schema};
use crate::Result;
use crate::limits::PARQUET_FOOTER_BYTES_MAX;
use crate::table::codec::Codec;
use crate::table::file::{Fault, File};

/// A checked footer.
pub(super) struct Footer {
    pub(super) schema: Schema,
    pub(super) dictionaries: Vec<Block>,
    pub(super) batches: Vec<Block>,
    pub(super) rows: u64,
}

/// Where a message is: its metadata, then its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    offset: u64,
    metadata: u64,
    body: u64,
}

/// The message of a record batch, or of a batch of dictionary values.
pub(super) struct Message {
    metadata: Vec<u8>,
    body_at: u64,
    body: u64,
    /// Whose values these are, and whether they add to those before.
    pub(super) dictionary: Option<(i64, bool)>,
    pub(super) rows: u64,
    pub(super) codec: Codec,
}

/// A buffer of a batch, in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) offset: u64,
    pub(super) length: u64,
}

const MAGIC: &[u8] = b"ARROW1";
/// The magic at either end, padding, and the footer's length.
const SMALLEST: u64 = 18;

/// Finds and reads the footer, and the head of every record batch.
pub(super) fn read(file: &mut File) -> Result<Footer> {
    let mut head = [0; 4];
    file.read_at(0, &mut head)?;
    if &head == b"FEA1" {
        return Err(file.unsupported("the file is in version 1 of the feather format", "write it as feather version 2"));
    }
    let length = file.length();
    if length < SMALLEST {
        return Err(file.truncated(format!("the arrow file has only {length} bytes")));
    }
    let mut tail = [0; 10];
    file.read_at(length - 10, &mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    if magic != MAGIC {
        return Err(file.truncated(format!("the arrow file of {length} bytes does not end with its footer")));
    }
    let footer_length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if footer_length > length - SMALLEST {
        return Err(file.corrupt(format!("the footer claims {footer_length} bytes of an arrow file of {length}")));
    }
    if footer_length > PARQUET_FOOTER_BYTES_MAX {
        let message = format!("the arrow footer has {footer_length} bytes (limit {PARQUET_FOOTER_BYTES_MAX})");
        return Err(file.too_large(message, "write larger record batches, or split the file"));
    }
    let mut bytes = vec![0; footer_length as usize];
    file.read_at(length - 10 - footer_length, &mut bytes)?;
    let mut footer = parse(&bytes).map_err(|fault| file.corrupt(format!("the arrow footer: {}", fault.0)))?;
    check(file, &mut footer)?;
    Ok(footer)
}

fn parse(bytes: &[u8]) -> std::result::Result<Footer, Fault> {
    let root = Node::root(bytes)?;
    let schema = root.table(1)?.ok_or(Fault("there is no schema"))?;
    Ok(Footer {
        schema: Schema::read(schema, root.short(0, 0)?)?,
        dictionaries: blocks(root, root.vector(2, 24)?)?,
        batches: blocks(root, root.vector(3, 24)?)?,
        rows: 0,
    })
}

fn blocks(root: Node<'_>, vector: Vector) -> std::result::Result<Vec<Block>, Fault> {
    (0..vector.count)
        .map(|index| {
            Ok(Block {
                offset: not_negative(root.item_long(vector, index, 0)?)?,
                metadata: not_negative(i64::from(root.item_int(vector, index, 8)?))?,
                body: not_negative(root.item_long(vector, index, 16)?)?,
            })
        })
        .collect()
}

fn not_negative(number: i64) -> std::result::Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault("a length is negative"))
}

/// Blocks that overlap could be read as often as they are named: together they may not exceed the file.
fn check(file: &mut File, footer: &mut Footer) -> Result<()> {
    let mut bytes_left = file.length();
    for block in footer.dictionaries.iter().chain(&footer.batches) {
        let length = block.metadata.saturating_add(block.body);
        let inside = block.offset.checked_add(length).is_some_and(|end| end <= file.length());
        match bytes_left.checked_sub(length) {
            Some(left) if inside => bytes_left = left,
            _ => return Err(file.corrupt("the record batches in the arrow footer are outside the file")),
        }
    }
    let batches = std::mem::take(&mut footer.batches);
    for &block in &batches {
        let message = Message::read(file, block)?;
        if message.dictionary.is_some() {
            return Err(file.corrupt("a record batch is a dictionary"));
        }
        footer.rows = footer.rows.saturating_add(message.rows);
        file.check_rows(footer.rows)?;
    }
    footer.batches = batches;
    Ok(())
}

impl Message {
    pub(super) fn read(file: &mut File, block: Block) -> Result<Self> {
        if block.metadata > PARQUET_FOOTER_BYTES_MAX {
            let message = format!("the metadata of a record batch has {} bytes", block.metadata);
            return Err(file.too_large(message, "write fewer columns"));
        }
        file.produce(block.metadata)?;
        let mut metadata = vec![0; block.metadata as usize];
        file.read_at(block.offset, &mut metadata)?;
        // A marker before the length, since 2019.
        let prefix = if metadata.starts_with(&[0xff; 4]) { 8 } else { 4 };
        metadata.drain(..prefix.min(metadata.len()));
        let body_at = block.offset + block.metadata;
        let message = Self { metadata, body_at, body: block.body, dictionary: None, rows: 0, codec: Codec::Plain };
        message.parse().map_err(|fault| file.corrupt(format!("a record batch: {}", fault.0)))
    }

    fn parse(mut self) -> std::result::Result<Self, Fault> {
        let root = Node::root(&self.metadata)?;
        let header = root.table(2)?.ok_or(Fault("it has no header"))?;
        let dictionary = match root.byte(1, 0)? {
            DICTIONARY => Some((header.long(0, 0)?, header.byte(2, 0)? != 0)),
            BATCH => None,
            _ => return Err(Fault("it is another kind of message")),
        };
        let batch = self.batch()?;
        let rows = not_negative(batch.long(0, 0)?)?;
        let codec = match batch.table(3)? {
            None => Codec::Plain,
            Some(compression) => match compression.byte(0, 0)? {
                0 => Codec::Lz4Frame,
                1 => Codec::Zstd,
                _ => return Err(Fault("its codec is unknown")),
            },
        };
        (self.dictionary, self.rows, self.codec) = (dictionary, rows, codec);
        Ok(self)
    }

    fn batch(&self) -> std::result::Result<Node<'_>, Fault> {
        let root = Node::root(&self.metadata)?;
        let header = root.table(2)?.ok_or(Fault("it has no header"))?;
        match root.byte(1, 0)? {
            DICTIONARY => header.table(1)?.ok_or(Fault("it has no values")),
            _ => Ok(header),
        }
    }

    /// The number of values at a place, which must be the number of rows.
    pub(super) fn check_node(&self, place: &Place) -> std::result::Result<(), Fault> {
        let batch = self.batch()?;
        let length = batch.item_long(batch.vector(1, 16)?, place.node, 0)?;
        if not_negative(length)? == self.rows { Ok(()) } else { Err(Fault("a column is not as long as its batch")) }
    }

    /// The first `count` buffers of a place, and those that follow for its views.
    pub(super) fn spans(&self, place: &Place, count: usize, views: bool) -> std::result::Result<Vec<Span>, Fault> {
        let batch = self.batch()?;
        let buffers = batch.vector(2, 16)?;
        let variadic = batch.vector(4, 8)?;
        let extra = |index| batch.item_long(variadic, index, 0).and_then(not_negative);
        let mut first = place.buffer as u64;
        for index in 0..place.views_before {
            first = first.saturating_add(extra(index)?);
        }
        let count = count as u64 + if views { extra(place.views_before)? } else { 0 };
        if first.saturating_add(count) > buffers.count as u64 {
            return Err(Fault("a list is too short"));
        }
        (first..first + count).map(|index| self.span(batch, buffers, index as usize)).collect()
    }

    fn span(&self, batch: Node<'_>, buffers: Vector, index: usize) -> std::result::Result<Span, Fault> {
        let offset = not_negative(batch.item_long(buffers, index, 0)?)?;
        let length = not_negative(batch.item_long(buffers, index, 8)?)?;
        if offset.checked_add(length).is_none_or(|end| end > self.body) {
            return Err(Fault("a buffer is outside its batch"));
        }
        Ok(Span { offset: self.body_at + offset, length })
    }
}

const DICTIONARY: u8 = 2;
const BATCH: u8 = 3;
