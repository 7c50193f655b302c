//! Page headers of a Parquet column chunk, each read and judged before anything is allocated for its page.

use super::thrift::{Fault, Read, Thrift};
use crate::Result;
use crate::limits::PARQUET_PAGE_BYTES_MAX;
use crate::table::file::File;

/// What a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Data,
    /// Data of the second version: levels before the compressed part, with these lengths.
    DataV2 {
        levels: u64,
        repetitions: u64,
        compressed: bool,
    },
    Dictionary,
    /// An index, or something newer than this reader: passed over.
    Other,
}

/// A page header that was judged possible.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) content: Content,
    /// Bytes of the page in the file, and unpacked.
    pub(crate) packed: u64,
    pub(crate) unpacked: u64,
    /// Values in it, nulls included.
    pub(crate) values: u64,
    pub(crate) encoding: i64,
    pub(crate) levels_encoding: i64,
    /// CRC-32 of the page as it is in the file, if it is told.
    pub(crate) checksum: Option<u32>,
    /// Where the page itself begins in the file.
    pub(crate) body: u64,
}

/// Headers are a few dozen bytes; statistics of long strings can make them larger.
const WINDOW_FIRST: u64 = 256;
const WINDOW_MAX: u64 = 1024 * 1024;

/// Reads the header at `at` of a chunk that ends at `end`.
pub(crate) fn read(file: &mut File, at: u64, end: u64, name: &str) -> Result<Header> {
    let mut window_length = WINDOW_FIRST;
    let mut window = Vec::new();
    let (header, length) = loop {
        let available = window_length.min(end - at);
        window.resize(available as usize, 0);
        file.produce(available)?;
        file.read_at(at, &mut window)?;
        let mut thrift = Thrift::new(&window, 0);
        match parse(&mut thrift) {
            Ok(header) => break (header, thrift.at() as u64),
            Err(Fault::Short) if available == window_length && window_length < WINDOW_MAX => window_length *= 8,
            Err(_) => return Err(file.corrupt(format!("column {name}: the page header at offset {at} cannot be read"))),
        }
    };
    let header = Header { body: at + length, ..header };
    let damaged = |what: &str| file.corrupt(format!("column {name}: the page at offset {at} {what}"));
    if header.packed > end - header.body {
        return Err(damaged("reaches past the end of its column chunk"));
    }
    if header.unpacked > PARQUET_PAGE_BYTES_MAX || header.packed > PARQUET_PAGE_BYTES_MAX {
        let size = header.unpacked.max(header.packed);
        let message =
            format!("column {name}: the page at offset {at} has {size} bytes (limit {PARQUET_PAGE_BYTES_MAX})");
        return Err(file.too_large(message, "write the file with pages of 1 MiB"));
    }
    if let Content::DataV2 { levels, repetitions, .. } = header.content
        && levels.saturating_add(repetitions) > header.unpacked.min(header.packed)
    {
        return Err(damaged("has levels longer than itself"));
    }
    Ok(header)
}

/// The header that begins here; sizes in it are not judged, and `body` is left to the caller.
pub(crate) fn parse(thrift: &mut Thrift<'_>) -> Read<Header> {
    let mut page_type = None;
    let (mut packed, mut unpacked) = (None, None);
    let mut checksum = None;
    let mut data: Option<Fields> = None;
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match id {
            1 => page_type = Some(thrift.integer(kind)?),
            2 => unpacked = Some(thrift.count(kind)?),
            3 => packed = Some(thrift.count(kind)?),
            4 => checksum = Some(thrift.integer(kind)? as u32),
            5 | 7 | 8 => {
                thrift.structure(kind)?;
                data = Some(parse_data(thrift, id == 8)?);
            }
            _ => thrift.skip(kind)?,
        }
    }
    let (Some(page_type), Some(packed), Some(unpacked)) = (page_type, packed, unpacked) else {
        return Err(Fault::Malformed);
    };
    let fields = data.unwrap_or_default();
    let content = match page_type {
        0 => Content::Data,
        2 => Content::Dictionary,
        3 => Content::DataV2 {
            levels: fields.levels_length,
            repetitions: fields.repetitions_length,
            compressed: fields.compressed,
        },
        _ => Content::Other,
    };
    if content != Content::Other && !fields.present {
        return Err(Fault::Malformed);
    }
    Ok(Header {
        content,
        packed,
        unpacked,
        values: fields.values,
        encoding: fields.encoding,
        levels_encoding: fields.levels_encoding,
        checksum,
        body: 0,
    })
}

/// The inner header of a page.
#[derive(Default)]
struct Fields {
    present: bool,
    values: u64,
    encoding: i64,
    levels_encoding: i64,
    levels_length: u64,
    repetitions_length: u64,
    compressed: bool,
}

fn parse_data(thrift: &mut Thrift<'_>, second_version: bool) -> Read<Fields> {
    let mut fields = Fields { present: true, compressed: true, ..Fields::default() };
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, second_version) {
            (1, _) => fields.values = thrift.count(kind)?,
            (2, false) | (4, true) => fields.encoding = thrift.integer(kind)?,
            // A dictionary page has a boolean here.
            (3, false) if thrift.boolean(kind).is_err() => fields.levels_encoding = thrift.integer(kind)?,
            (5, true) => fields.levels_length = thrift.count(kind)?,
            (6, true) => fields.repetitions_length = thrift.count(kind)?,
            (7, true) => fields.compressed = thrift.boolean(kind)?,
            _ => thrift.skip(kind)?,
        }
    }
    Ok(fields)
}
