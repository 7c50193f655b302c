//! One selected column of a Parquet row group: its pages, one at a time, and their values as text.

use super::footer::Chunk;
use super::hybrid::Hybrid;
use super::page::{self, Content, Header};
use super::schema::{Leaf, Physical};
use super::values::{DELTA_BYTE_ARRAY, Dictionary, Values};
use crate::Result;
use crate::table::batch::Texts;
use crate::table::codec::{Codec, unpack};
use crate::table::file::{Fault, File};
use crate::table::text::Text;

pub(super) struct Column {
    name: String,
    physical: Physical,
    definitions: u32,
    text: Text,
    codec: Codec,
    /// Where the next page header is, and where the chunk ends.
    at: u64,
    end: u64,
    /// Where its last page must end.
    page_end: u64,
    /// Values in pages not yet read.
    unread: u64,
    dictionary: Option<Dictionary>,
    page: Page,
}

/// The page being read.
struct Page {
    bytes: Vec<u8>,
    /// Values left, nulls included.
    left: u64,
    /// Tells the nulls, if the column can have any.
    levels: Option<Hybrid>,
    levels_end: usize,
    values: Values,
    scratch: Vec<u8>,
    /// Memory of `values`, as counted.
    held: u64,
}

/// How many pages without any value may follow each other.
const EMPTY_PAGES_MAX: usize = 1000;

impl Column {
    /// `leaf` must have a text.
    pub(super) fn new(file: &File, name: &str, leaf: &Leaf, text: Text, chunk: &Chunk) -> Result<Self> {
        let codec = chunk.codec().map_err(|codec| {
            let message = format!("column {name} is compressed with a codec that is not read ({codec})");
            file.unsupported(message, "write the file with snappy, zstd, gzip, lz4 or no compression")
        })?;
        Ok(Self {
            name: name.to_owned(),
            physical: leaf.physical,
            definitions: leaf.definitions,
            text,
            codec,
            at: chunk.start,
            end: chunk.end,
            page_end: chunk.page_end,
            unread: chunk.values,
            dictionary: None,
            page: Page::default(),
        })
    }

    /// Appends the texts of the next `rows` rows. `packed` is scratch space, shared by the columns.
    pub(super) fn read(&mut self, file: &mut File, packed: &mut Vec<u8>, rows: usize, out: &mut Texts) -> Result<()> {
        let mut rows = rows as u64;
        let before = out.bytes.len();
        while rows > 0 {
            if self.page.left == 0 {
                self.load(file, packed)?;
            }
            let here = rows.min(self.page.left);
            self.decode(here, out).map_err(|fault| self.corrupt(file, fault))?;
            self.page.left -= here;
            rows -= here;
            file.produce(here)?;
        }
        file.produce((out.bytes.len() - before) as u64)
    }

    fn decode(&mut self, rows: u64, out: &mut Texts) -> std::result::Result<(), Fault> {
        let Page { bytes, levels, levels_end, values, scratch, .. } = &mut self.page;
        for _ in 0..rows {
            let present = match levels {
                None => true,
                Some(levels) => levels.next(&bytes[..*levels_end])? == self.definitions,
            };
            if present {
                let raw = values.next(self.physical, bytes, self.dictionary.as_ref(), scratch)?;
                self.text.write(raw, &mut out.bytes).ok_or(Fault("a value does not fit its type"))?;
            }
            out.end();
        }
        Ok(())
    }

    /// Goes on to the next page that has values, past or through the dictionary.
    fn load(&mut self, file: &mut File, packed: &mut Vec<u8>) -> Result<()> {
        for _ in 0..EMPTY_PAGES_MAX {
            if self.at >= self.end {
                let message = format!("its pages end {} values too early", self.unread);
                return Err(file.corrupt(format!("column {}: {message}", self.name)));
            }
            let header = page::read(file, self.at, self.page_end, &self.name)?;
            self.at = header.body + header.packed;
            match header.content {
                Content::Other => {}
                Content::Dictionary => self.load_dictionary(file, packed, &header)?,
                Content::Data | Content::DataV2 { .. } => {
                    self.unread = match self.unread.checked_sub(header.values) {
                        Some(unread) => unread,
                        None => return Err(self.corrupt(file, Fault("its pages have more values than it says"))),
                    };
                    if header.values > 0 {
                        return self.load_data(file, packed, &header);
                    }
                }
            }
        }
        Err(self.corrupt(file, Fault("very many pages in a row have no values")))
    }

    fn load_dictionary(&mut self, file: &mut File, packed: &mut Vec<u8>, header: &Header) -> Result<()> {
        if self.dictionary.is_some() {
            return Err(self.corrupt(file, Fault("it has two dictionaries")));
        }
        let mut bytes = Vec::new();
        file.hold(Dictionary::extra(header.unpacked, header.values, self.physical))?;
        room(file, &mut bytes, header.unpacked)?;
        self.fill(file, packed, header.body, header.packed, true, &mut bytes)?;
        let dictionary = Dictionary::new(bytes, header.values, self.physical);
        self.dictionary = Some(dictionary.map_err(|fault| self.corrupt(file, fault))?);
        Ok(())
    }

    fn load_data(&mut self, file: &mut File, packed: &mut Vec<u8>, header: &Header) -> Result<()> {
        self.page.values = Values::Absent;
        file.release(self.page.held);
        self.page.held = 0;
        let mut bytes = std::mem::take(&mut self.page.bytes);
        room(file, &mut bytes, header.unpacked)?;
        let (levels, values_at) = match header.content {
            Content::DataV2 { levels, repetitions, compressed } => {
                let before = levels + repetitions;
                let (head, body) = bytes.split_at_mut(before as usize);
                file.read_at(header.body, head)?;
                self.fill(file, packed, header.body + before, header.packed - before, compressed, body)?;
                let levels = (self.definitions > 0).then_some((repetitions as usize, before as usize));
                (levels, before as usize)
            }
            _ => {
                self.fill(file, packed, header.body, header.packed, true, &mut bytes)?;
                self.first_version_levels(header, &bytes).map_err(|fault| self.corrupt(file, fault))?
            }
        };
        if header.encoding == DELTA_BYTE_ARRAY {
            // The value that the next one shares bytes with may be as long as the page.
            self.page.held = header.unpacked;
            file.hold(header.unpacked)?;
        }
        let width = u32::BITS - self.definitions.leading_zeros();
        let levels_end = levels.map_or(0, |(_, end)| end);
        let parts = levels.map(|(start, _)| Hybrid::new(start, width)).transpose().and_then(|levels| {
            let values = Values::new(header.encoding, self.physical, &bytes, values_at)?;
            Ok((levels, values))
        });
        let (levels, values) = parts.map_err(|fault| self.corrupt(file, fault))?;
        self.page = Page { bytes, left: header.values, levels, levels_end, values, ..std::mem::take(&mut self.page) };
        Ok(())
    }

    /// Where the levels are in a page of the first version, and where the values begin.
    fn first_version_levels(
        &self,
        header: &Header,
        bytes: &[u8],
    ) -> std::result::Result<(Option<(usize, usize)>, usize), Fault> {
        const RLE: i64 = 3;
        if self.definitions == 0 {
            return Ok((None, 0));
        }
        if header.levels_encoding != RLE {
            return Err(Fault("its nulls are told in an encoding that was given up in 2013"));
        }
        let length = bytes.first_chunk::<4>().ok_or(Fault("a page ends before its levels"))?;
        let end = u32::from_le_bytes(*length) as usize;
        let end = end.checked_add(4).filter(|&end| end <= bytes.len()).ok_or(Fault("a page ends inside its levels"))?;
        Ok((Some((4, end)), end))
    }

    /// Reads `length` bytes of the file into `into`, unpacking them if they are packed.
    fn fill(
        &self,
        file: &mut File,
        packed: &mut Vec<u8>,
        offset: u64,
        length: u64,
        compressed: bool,
        into: &mut [u8],
    ) -> Result<()> {
        file.produce(into.len() as u64)?;
        if !compressed || self.codec == Codec::Plain || (length == 0 && into.is_empty()) {
            if length != into.len() as u64 {
                return Err(self.corrupt(file, Fault("a page is not compressed, but its two sizes differ")));
            }
            return file.read_at(offset, into);
        }
        room(file, packed, length)?;
        file.read_at(offset, packed)?;
        unpack(self.codec, packed, into).map_err(|fault| self.corrupt(file, fault))
    }

    fn corrupt(&self, file: &File, fault: Fault) -> crate::Error {
        file.corrupt(format!("column {}: {}", self.name, fault.0))
    }
}

impl Default for Page {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            left: 0,
            levels: None,
            levels_end: 0,
            values: Values::Absent,
            scratch: Vec::new(),
            held: 0,
        }
    }
}

/// Makes `buffer` exactly `length` bytes long, counting the memory before it is taken.
fn room(file: &mut File, buffer: &mut Vec<u8>, length: u64) -> Result<()> {
    if (buffer.capacity() as u64) < length {
        file.release(buffer.capacity() as u64);
        *buffer = Vec::new();
        file.hold(length)?;
        buffer.reserve_exact(length as usize);
    }
    buffer.resize(length as usize, 0);
    Ok(())
}
