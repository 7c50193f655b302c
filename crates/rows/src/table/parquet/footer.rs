//! The footer of a Parquet file: how it is found, and what of it is believed.

use super::schema::{self, Leaf, Refused};
use super::thrift::{Fault, Read, Thrift};
use crate::limits::PARQUET_FOOTER_BYTES_MAX;
use crate::table::codec::Codec;
use crate::table::file::File;
use crate::{Error, Refusal, Result};

/// A checked footer. Row groups are kept as the bytes they are in: there may be very many.
pub(crate) struct Footer {
    pub(crate) names: Vec<String>,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) rows: u64,
    pub(crate) groups: Vec<Group>,
    bytes: Vec<u8>,
    /// Where the footer begins.
    data_end: u64,
}

/// A row group: how many rows, and where in the footer its column chunks are listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) rows: u64,
    chunks_at: u32,
}

/// Where the pages of one column of one row group are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chunk {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Old writers left the dictionary's page header out of the chunk's size, so a last page may stick out by as much.
    pub(crate) page_end: u64,
    pub(crate) values: u64,
    /// Smallest and largest value of a column of 64-bit integers, if they are told.
    pub(crate) bounds: Option<[i64; 2]>,
    codec: i64,
    type_index: i64,
    elsewhere: bool,
    encrypted: bool,
    described: bool,
}

impl Chunk {
    /// The codec, or the name of one that is not read.
    pub(crate) fn codec(&self) -> std::result::Result<Codec, &'static str> {
        match self.codec {
            0 => Ok(Codec::Plain),
            1 => Ok(Codec::Snappy),
            2 => Ok(Codec::Gzip),
            3 => Err("lzo"),
            4 => Err("brotli"),
            5 => Ok(Codec::Lz4Hadoop),
            6 => Ok(Codec::Zstd),
            7 => Ok(Codec::Lz4Block),
            _ => Err("unknown"),
        }
    }
}

/// What a page may stick out of its column chunk: as much as other readers grant.
const PAGE_OVERHANG_MAX: u64 = 100;
/// Two magics and the footer's length.
const SMALLEST: u64 = 12;

/// Finds, reads and checks the footer.
pub(crate) fn read(file: &mut File) -> Result<Footer> {
    let length = file.length();
    if length < SMALLEST {
        return Err(file.truncated(format!("the parquet file has only {length} bytes")));
    }
    let mut tail = [0; 8];
    file.read_at(length - 8, &mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    match &magic {
        b"PAR1" => {}
        b"PARE" => return Err(encrypted("the footer of the parquet file is encrypted")),
        _ => {
            let message = format!("the parquet file of {length} bytes does not end with its footer");
            return Err(file.truncated(message));
        }
    }
    let footer_length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if footer_length > length - SMALLEST {
        let message = format!("the footer claims {footer_length} bytes of a parquet file of {length}");
        return Err(file.corrupt(message));
    }
    if footer_length > PARQUET_FOOTER_BYTES_MAX {
        let message = format!("the parquet footer has {footer_length} bytes (limit {PARQUET_FOOTER_BYTES_MAX})");
        return Err(file.too_large(message, "write fewer row groups and columns, or split the file"));
    }
    let mut bytes = vec![0; footer_length as usize];
    file.read_at(length - 8 - footer_length, &mut bytes)?;
    parse(file, bytes, length - 8 - footer_length)
}

fn encrypted(message: &str) -> Error {
    Refusal::new("encrypted_parquet", message, "send the file without parquet encryption").into()
}

fn parse(file: &File, bytes: Vec<u8>, data_end: u64) -> Result<Footer> {
    let malformed = |_| file.corrupt("the parquet footer cannot be read");
    let places = find(&bytes).map_err(malformed)?;
    if places.encrypted {
        return Err(encrypted("columns of the parquet file are encrypted"));
    }
    let (Some(schema_at), Some(rows)) = (places.schema, places.rows) else {
        return Err(file.corrupt("the parquet footer lacks a schema or a number of rows"));
    };
    let (mut thrift, kind) = schema_at;
    let (names, leaves) = schema::read(&mut thrift, kind).map_err(|refused| match refused {
        Refused::Malformed(fault) => malformed(fault),
        Refused::Message(message) => file.corrupt(message),
    })?;
    file.check_rows(rows)?;
    let groups = match places.groups {
        Some((thrift, count)) => check_groups(file, thrift, count, &leaves, data_end)?,
        None => Vec::new(),
    };
    let sum = groups.iter().fold(0, |sum: u64, group| sum.saturating_add(group.rows));
    if sum != rows {
        return Err(file.corrupt(format!("the parquet file declares {rows} rows, its row groups {sum}")));
    }
    Ok(Footer { names, leaves, rows, groups, bytes, data_end })
}

/// Where in the footer things are.
#[derive(Default)]
struct Places<'a> {
    schema: Option<(Thrift<'a>, super::thrift::Kind)>,
    rows: Option<u64>,
    groups: Option<(Thrift<'a>, usize)>,
    encrypted: bool,
}

fn find(bytes: &[u8]) -> Read<Places<'_>> {
    let mut thrift = Thrift::new(bytes, 0);
    let mut places = Places::default();
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        let here = thrift.clone();
        match id {
            2 => places.schema = Some((here, kind)),
            3 => places.rows = Some(here.clone().count(kind)?),
            4 => {
                let mut list = here;
                let count = list.structures(kind)?;
                places.groups = Some((list, count));
            }
            8 => places.encrypted = true,
            _ => {}
        }
        thrift.skip(kind)?;
    }
    Ok(places)
}

/// Walks every row group once, and every column chunk in it.
fn check_groups(
    file: &File,
    mut thrift: Thrift<'_>,
    count: usize,
    leaves: &[Leaf],
    data_end: u64,
) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    // Chunks that overlap could be unpacked as often as they are named: together they may not exceed the file.
    let mut bytes_left = data_end;
    for index in 0..count {
        let malformed = |_| file.corrupt(format!("row group {index} in the parquet footer cannot be read"));
        let (group, chunks) = read_group(&mut thrift).map_err(malformed)?;
        if chunks != leaves.len() {
            let message = format!("row group {index} has {chunks} columns, the schema {}", leaves.len());
            return Err(file.corrupt(message));
        }
        let mut list = Thrift::new(thrift.bytes(), group.chunks_at as usize);
        for (column, leaf) in leaves.iter().enumerate() {
            let chunk = read_chunk(&mut list).map_err(malformed)?;
            check_chunk(&chunk, leaf, group.rows, data_end, &mut bytes_left)
                .map_err(|fault| fault.refuse(file, index, column))?;
        }
        groups.push(group);
    }
    Ok(groups)
}

/// What is wrong with a column chunk.
enum ChunkFault {
    Encrypted,
    Elsewhere,
    Lies(&'static str),
}

impl ChunkFault {
    fn refuse(self, file: &File, group: usize, column: usize) -> Error {
        match self {
            ChunkFault::Encrypted => encrypted("columns of the parquet file are encrypted"),
            ChunkFault::Elsewhere => {
                let message = format!("row group {group} keeps column {column} in another file");
                file.unsupported(message, "send one complete file")
            }
            ChunkFault::Lies(what) => file.corrupt(format!("row group {group}, column {column}: {what}")),
        }
    }
}

fn check_chunk(
    chunk: &Chunk,
    leaf: &Leaf,
    rows: u64,
    data_end: u64,
    bytes_left: &mut u64,
) -> std::result::Result<(), ChunkFault> {
    if chunk.encrypted {
        return Err(ChunkFault::Encrypted);
    }
    if chunk.elsewhere {
        return Err(ChunkFault::Elsewhere);
    }
    if !chunk.described {
        return Err(ChunkFault::Lies("the footer does not say where its pages are"));
    }
    if chunk.type_index != leaf.type_index {
        return Err(ChunkFault::Lies("its type is not that of the schema"));
    }
    if leaf.text.is_ok() && chunk.values != rows {
        return Err(ChunkFault::Lies("it does not have as many values as the row group has rows"));
    }
    if chunk.values == 0 {
        return Ok(());
    }
    if chunk.start < 4 || chunk.end > data_end {
        return Err(ChunkFault::Lies("its pages are outside the file"));
    }
    *bytes_left = bytes_left
        .checked_sub(chunk.end - chunk.start)
        .ok_or(ChunkFault::Lies("the column chunks together are larger than the file"))?;
    Ok(())
}

fn read_group(thrift: &mut Thrift<'_>) -> Read<(Group, usize)> {
    let mut group = Group { rows: 0, chunks_at: 0 };
    let mut chunks = 0;
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match id {
            1 => {
                let mut list = thrift.clone();
                chunks = list.structures(kind)?;
                group.chunks_at = u32::try_from(list.at()).map_err(|_| Fault::Malformed)?;
                thrift.skip(kind)?;
            }
            3 => group.rows = thrift.count(kind)?,
            _ => thrift.skip(kind)?,
        }
    }
    Ok((group, chunks))
}

fn read_chunk(thrift: &mut Thrift<'_>) -> Read<Chunk> {
    let mut chunk = Chunk::default();
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match id {
            1 => {
                chunk.elsewhere = true;
                thrift.skip(kind)?;
            }
            3 => {
                thrift.structure(kind)?;
                read_metadata(thrift, &mut chunk)?;
            }
            8 | 9 => {
                chunk.encrypted = true;
                thrift.skip(kind)?;
            }
            _ => thrift.skip(kind)?,
        }
    }
    Ok(chunk)
}

fn read_metadata(thrift: &mut Thrift<'_>, chunk: &mut Chunk) -> Read<()> {
    let (mut length, mut data, mut dictionary) = (None, None, None);
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match id {
            1 => chunk.type_index = thrift.integer(kind)?,
            4 => chunk.codec = thrift.integer(kind)?,
            5 => chunk.values = thrift.count(kind)?,
            7 => length = Some(thrift.count(kind)?),
            9 => data = Some(thrift.count(kind)?),
            11 => dictionary = Some(thrift.integer(kind)?),
            12 => {
                thrift.structure(kind)?;
                chunk.bounds = read_bounds(thrift)?;
            }
            _ => thrift.skip(kind)?,
        }
    }
    if let (Some(length), Some(data)) = (length, data) {
        // Some writers say 0 when there is no dictionary.
        let dictionary = dictionary.and_then(|offset| u64::try_from(offset).ok()).filter(|&offset| offset > 0);
        chunk.start = dictionary.map_or(data, |dictionary| dictionary.min(data));
        chunk.end = chunk.start.checked_add(length).ok_or(Fault::Malformed)?;
        chunk.page_end = chunk.end.saturating_add(PAGE_OVERHANG_MAX);
        chunk.described = true;
    }
    Ok(())
}

fn read_entry<'a>(thrift: &mut Thrift<'a>) -> Read<(&'a [u8], &'a [u8])> {
    let mut entry: (&[u8], &[u8]) = (b"", b"");
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match id {
            1 => entry.0 = thrift.binary(kind)?,
            2 => entry.1 = thrift.binary(kind)?,
            _ => thrift.skip(kind)?,
        }
    }
    Ok(entry)
}

fn read_bounds(thrift: &mut Thrift<'_>) -> Read<Option<[i64; 2]>> {
    let (mut smallest, mut largest) = (None, None);
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match id {
            5 => largest = Some(thrift.binary(kind)?),
            6 => smallest = Some(thrift.binary(kind)?),
            _ => thrift.skip(kind)?,
        }
    }
    let integer = |bytes: Option<&[u8]>| bytes?.try_into().ok().map(i64::from_le_bytes);
    Ok(integer(smallest).zip(integer(largest)).map(|(smallest, largest)| [smallest, largest]))
}

impl Footer {
    /// What the footer says about `key`.
    pub(crate) fn metadata(&self, key: &[u8]) -> Option<&[u8]> {
        let mut thrift = Thrift::new(&self.bytes, 0);
        let mut last = 0;
        while let Some((id, kind)) = thrift.field(&mut last).ok()? {
            if id != 5 {
                thrift.skip(kind).ok()?;
                continue;
            }
            for _ in 0..thrift.structures(kind).ok()? {
                let entry = read_entry(&mut thrift).ok()?;
                if entry.0 == key {
                    return Some(entry.1);
                }
            }
        }
        None
    }

    /// Calls `each` with the column chunks of a row group, in the order of the columns.
    pub(crate) fn chunks(&self, group: Group) -> impl Iterator<Item = Chunk> + '_ {
        let within = |chunk: Chunk| Chunk { page_end: chunk.page_end.min(self.data_end), ..chunk };
        let mut thrift = Thrift::new(&self.bytes, group.chunks_at as usize);
        // They were all read when the footer was checked.
        (0..self.leaves.len()).map_while(move |_| read_chunk(&mut thrift).ok().map(within))
    }
}
