//! The end of a file: its schema, where its columns are, and what it holds.

use super::columns::{Column, Layout, Values};
use super::encode::{DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, PLAIN, RLE, RLE_DICTIONARY};
use super::thrift::{BINARY, Compact, INT, STRUCT};
use crate::plan::Plan;

/// Key of the form these files are in, and the form itself: raised by one when readers must tell the difference.
pub(super) const FORMAT_KEY: &str = "millrace.format";
pub(super) const FORMAT: &str = "1";
/// Key of the kind of the rows.
pub(super) const KIND_KEY: &str = "millrace.kind";
const CONTRACT_KEY: &str = "millrace.contract";
const VERSION_KEY: &str = "millrace.contract_version";

/// What files begin and end with.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// Codecs of pages, as the format numbers them.
const UNCOMPRESSED: i32 = 0;
const ZSTD: i32 = 6;

/// Where one column of one row group is, and how it is written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chunk {
    pub start: u64,
    /// Bytes of the dictionary's page with its header; 0 without one.
    pub dictionary: u32,
    /// Bytes of all pages with their headers, as they are in the file and unpacked.
    pub packed: u32,
    pub unpacked: u32,
    pub zstd: bool,
    pub encoding: u8,
    /// Where a copy of it is kept.
    pub kept: u64,
}

/// A row group: its rows, and the first and last of their times.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupEntry {
    pub rows: u32,
    pub times: [i64; 2],
}

/// Everything the end of a file tells.
pub(super) struct Footer<'a> {
    pub layout: Layout,
    /// Of each column, whether its numbers are wide.
    pub wide: &'a [bool],
    pub groups: &'a [GroupEntry],
    /// Those of the first group, then those of the second, and so on.
    pub chunks: &'a [Chunk],
    pub origin: &'a Origin,
}

/// Which contract the rows are under.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    contract: String,
    version: u32,
}

impl Origin {
    pub fn of(plan: &Plan) -> Self {
        Self { contract: plan.contract.clone(), version: plan.version }
    }
}

impl Footer<'_> {
    /// Appends the footer, its length and the last four bytes of the file.
    pub fn write(&self, into: &mut Vec<u8>) {
        let start = into.len();
        let mut thrift = Compact::behind(std::mem::take(into));
        let columns = self.layout.columns();
        let rows: i64 = self.groups.iter().map(|group| i64::from(group.rows)).sum();
        thrift.open();
        thrift.int(1, 2);
        thrift.list(2, STRUCT, columns.len() + 1);
        thrift.open();
        thrift.binary(4, b"rows");
        thrift.int(5, columns.len() as i32);
        thrift.end();
        for (column, wide) in columns.iter().zip(self.wide) {
            write_column(&mut thrift, *column, *wide);
        }
        thrift.long(3, rows);
        thrift.list(4, STRUCT, self.groups.len());
        for (group, chunks) in self.groups.iter().zip(self.chunks.chunks(columns.len())) {
            write_group(&mut thrift, group, chunks, &columns, self.wide);
        }
        self.write_origin(&mut thrift);
        thrift.binary(6, b"millrace version 1");
        // Without the order of a column, readers must not believe its statistics.
        thrift.list(7, STRUCT, columns.len());
        for _ in &columns {
            thrift.open();
            thrift.empty(1);
            thrift.end();
        }
        thrift.end();
        *into = thrift.bytes;
        let length = (into.len() - start) as u32;
        into.extend_from_slice(&length.to_le_bytes());
        into.extend_from_slice(MAGIC);
    }

    fn write_origin(&self, thrift: &mut Compact) {
        let version = self.origin.version.to_string();
        let entries = [
            (FORMAT_KEY, FORMAT),
            (KIND_KEY, self.layout.kind.name()),
            (CONTRACT_KEY, &self.origin.contract),
            (VERSION_KEY, &version),
        ];
        thrift.list(5, STRUCT, entries.len());
        for (key, value) in entries {
            thrift.open();
            thrift.binary(1, key.as_bytes());
            thrift.binary(2, value.as_bytes());
            thrift.end();
        }
    }
}

/// The type of the values as the format numbers them.
fn physical(values: Values, wide: bool) -> i32 {
    const INT64: i32 = 2;
    const BYTE_ARRAY: i32 = 6;
    const FIXED_LEN_BYTE_ARRAY: i32 = 7;
    match values {
        Values::Number(_) if wide => FIXED_LEN_BYTE_ARRAY,
        Values::Time | Values::Number(_) | Values::Sequence | Values::Line => INT64,
        Values::Label | Values::Text | Values::Currency | Values::Status => BYTE_ARRAY,
    }
}

/// Scale and precision of numbers.
fn decimal(wide: bool) -> (i32, i32) {
    if wide { (18, 38) } else { (9, 18) }
}

/// An element of the schema: the old type (6) for old readers, the logical one (10) for all others.
fn write_column(thrift: &mut Compact, column: Column, wide: bool) {
    const UTF8: i32 = 0;
    const DECIMAL: i32 = 5;
    const UINT_64: i32 = 14;
    thrift.open();
    thrift.int(1, physical(column.values, wide));
    if matches!(column.values, Values::Number(_)) && wide {
        thrift.int(2, 16);
    }
    thrift.int(3, 0);
    thrift.binary(4, column.name.as_bytes());
    match column.values {
        Values::Time => {
            thrift.begin(10);
            thrift.begin(8);
            thrift.boolean(1, true);
            thrift.begin(2);
            thrift.empty(3);
            thrift.end();
            thrift.end();
            thrift.end();
        }
        Values::Number(_) => {
            let (scale, precision) = decimal(wide);
            thrift.int(6, DECIMAL);
            thrift.int(7, scale);
            thrift.int(8, precision);
            thrift.begin(10);
            thrift.begin(5);
            thrift.int(1, scale);
            thrift.int(2, precision);
            thrift.end();
            thrift.end();
        }
        Values::Sequence => {
            thrift.int(6, UINT_64);
            thrift.begin(10);
            thrift.begin(10);
            thrift.byte(1, 64);
            thrift.boolean(2, false);
            thrift.end();
            thrift.end();
        }
        Values::Line => {}
        Values::Label | Values::Text | Values::Currency | Values::Status => {
            thrift.int(6, UTF8);
            thrift.begin(10);
            thrift.empty(1);
            thrift.end();
        }
    }
    thrift.end();
}

fn write_group(thrift: &mut Compact, group: &GroupEntry, chunks: &[Chunk], columns: &[Column], wide: &[bool]) {
    thrift.open();
    thrift.list(1, STRUCT, chunks.len());
    for ((chunk, column), wide) in chunks.iter().zip(columns).zip(wide) {
        thrift.open();
        thrift.long(2, chunk.start as i64);
        thrift.begin(3);
        write_chunk(thrift, group, chunk, *column, *wide);
        thrift.end();
        thrift.end();
    }
    thrift.long(2, chunks.iter().map(|chunk| i64::from(chunk.unpacked)).sum());
    thrift.long(3, group.rows.into());
    thrift.end();
}

fn write_chunk(thrift: &mut Compact, group: &GroupEntry, chunk: &Chunk, column: Column, wide: bool) {
    thrift.int(1, physical(column.values, wide));
    let encodings: &[i32] = match i32::from(chunk.encoding) {
        RLE_DICTIONARY => &[PLAIN, RLE, RLE_DICTIONARY],
        DELTA_BINARY_PACKED => &[RLE, DELTA_BINARY_PACKED],
        DELTA_LENGTH_BYTE_ARRAY => &[RLE, DELTA_LENGTH_BYTE_ARRAY],
        DELTA_BYTE_ARRAY => &[RLE, DELTA_BYTE_ARRAY],
        _ => &[PLAIN, RLE],
    };
    thrift.list(2, INT, encodings.len());
    encodings.iter().for_each(|encoding| thrift.element_int(*encoding));
    thrift.list(3, BINARY, 1);
    thrift.element_binary(column.name.as_bytes());
    thrift.int(4, if chunk.zstd { ZSTD } else { UNCOMPRESSED });
    thrift.long(5, group.rows.into());
    thrift.long(6, chunk.unpacked.into());
    thrift.long(7, chunk.packed.into());
    thrift.long(9, chunk.start as i64 + i64::from(chunk.dictionary));
    if chunk.dictionary > 0 {
        thrift.long(11, chunk.start as i64);
    }
    if column.values == Values::Time {
        thrift.begin(12);
        thrift.long(3, 0);
        thrift.binary(5, &group.times[1].to_le_bytes());
        thrift.binary(6, &group.times[0].to_le_bytes());
        thrift.end();
    }
}

/// Appends the header of a page whose bytes, `packed` of them, follow.
pub(super) fn write_page_header(page: &PageHeader, into: &mut Vec<u8>) {
    const DATA_PAGE: i32 = 0;
    const DICTIONARY_PAGE: i32 = 2;
    let mut thrift = Compact::behind(std::mem::take(into));
    thrift.open();
    thrift.int(1, if page.dictionary { DICTIONARY_PAGE } else { DATA_PAGE });
    thrift.int(2, page.unpacked as i32);
    thrift.int(3, page.packed as i32);
    thrift.int(4, page.checksum as i32);
    thrift.begin(if page.dictionary { 7 } else { 5 });
    thrift.int(1, page.values as i32);
    thrift.int(2, page.encoding);
    if !page.dictionary {
        thrift.int(3, RLE);
        thrift.int(4, RLE);
    }
    thrift.end();
    thrift.end();
    *into = thrift.bytes;
}

/// What stands before a page.
pub(super) struct PageHeader {
    pub dictionary: bool,
    pub values: usize,
    pub encoding: i32,
    pub unpacked: usize,
    pub packed: usize,
    /// CRC-32 of the page as it is in the file.
    pub checksum: u32,
}
