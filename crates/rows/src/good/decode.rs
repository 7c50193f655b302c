//! The values of a column from the bytes it has in the file: the opposite of `encode`. Every number is checked before
//! it is used; how much memory is taken is decided by limits.

#[cfg(test)]
mod tests;

use std::io::{Error, ErrorKind};

use flate2::Crc;
use zstd::bulk::Decompressor;

use super::encode::{
    BLOCK, DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, PART, PLAIN as PLAIN_VALUES, RLE_DICTIONARY,
};
use super::group::{Numbers, Texts};
use crate::decimal::Decimal;
use crate::limits::GOOD_PAGE_BYTES_MAX;
use crate::table::parquet::hybrid::{bits, varint};
use crate::table::parquet::page::{self, Content};
use crate::table::parquet::thrift::Thrift;

pub(super) use crate::table::file::Fault;

type Read<T> = std::result::Result<T, Fault>;

const PLAIN: i64 = PLAIN_VALUES as i64;
const DIFFERENCES: i64 = DELTA_BINARY_PACKED as i64;
const LENGTHS: i64 = DELTA_LENGTH_BYTE_ARRAY as i64;
const SHARED: i64 = DELTA_BYTE_ARRAY as i64;
const PLACES: i64 = RLE_DICTIONARY as i64;

const ENCODING: Fault = Fault("its encoding is another than Millrace writes");
const SHORT: Fault = Fault("a page ends before its values do");

/// The pages of one column of one row group, unpacked.
#[derive(Debug, Default)]
pub(super) struct Pages {
    dictionary: Vec<u8>,
    distinct: usize,
    data: Vec<u8>,
    encoding: i64,
}

/// Of the texts of a row group, the bytes each shares with the one before and those that are its own.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    own: Vec<i64>,
    shared: Vec<i64>,
}

/// An error that names what is wrong with the file.
pub(super) fn damaged(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the file of good rows is damaged: {what}"))
}

/// Replaces `numbers` by those of a narrow chunk that Millrace wrote just now.
pub(super) fn narrow(bytes: &[u8], rows: usize, zstd: bool, numbers: &mut Vec<i64>) -> std::io::Result<()> {
    let mut unpacker = Decompressor::new()?;
    let mut pages = Pages::default();
    let read = pages.read(bytes, zstd, rows, &mut unpacker).and_then(|()| pages.narrow(rows, numbers));
    read.map_err(|fault| damaged(fault.0))
}

impl Pages {
    /// Takes the pages of a chunk that has `rows` values.
    pub fn read(&mut self, bytes: &[u8], zstd: bool, rows: usize, unpacker: &mut Decompressor<'_>) -> Read<()> {
        let (mut at, mut has_data) = (0, false);
        self.distinct = 0;
        while !has_data {
            let rest = bytes.get(at..).unwrap_or_default();
            let mut thrift = Thrift::new(rest, 0);
            let header = page::parse(&mut thrift).map_err(|_| Fault("the header of a page cannot be read"))?;
            let body = thrift.at();
            let length = usize::try_from(header.packed).unwrap_or(usize::MAX);
            let page = rest.get(body..).and_then(|rest| rest.get(..length)).ok_or(Fault("a page is cut short"))?;
            at += body + length;
            let mut crc = Crc::new();
            crc.update(page);
            if header.checksum != Some(crc.sum()) {
                return Err(Fault("the checksum of a page does not match"));
            }
            let into = match header.content {
                Content::Dictionary if header.encoding == PLAIN && self.distinct == 0 => {
                    self.distinct = usize::try_from(header.values).unwrap_or(usize::MAX);
                    &mut self.dictionary
                }
                Content::Data if header.values == rows as u64 => {
                    has_data = true;
                    self.encoding = header.encoding;
                    &mut self.data
                }
                _ => return Err(Fault("it has pages that Millrace does not write")),
            };
            unpack(page, zstd, header.unpacked, into, unpacker)?;
        }
        let ended = at == bytes.len();
        if ended { Ok(()) } else { Err(Fault("more pages follow than it has values for")) }
    }

    /// Times or whole numbers.
    pub fn differences(&self, rows: usize, into: &mut Vec<i64>) -> Read<()> {
        into.clear();
        match self.encoding {
            DIFFERENCES => differences(&self.data, rows, into).map(drop),
            _ => Err(ENCODING),
        }
    }

    pub fn texts(&self, rows: usize, lengths: &mut Lengths, into: &mut Texts) -> Read<()> {
        into.clear();
        let Lengths { own, shared } = lengths;
        own.clear();
        shared.clear();
        let start = match self.encoding {
            LENGTHS => {
                shared.resize(rows, 0);
                0
            }
            SHARED => differences(&self.data, rows, shared)?,
            _ => return Err(ENCODING),
        };
        let data = self.data.get(start..).ok_or(SHORT)?;
        let mut rest = data.get(differences(data, rows, own)?..).ok_or(SHORT)?;
        let mut before = 0;
        for (own, shared) in own.iter().zip(shared.iter()) {
            let length = |length: &i64| usize::try_from(*length).map_err(|_| Fault("a text has a negative length"));
            let (text, later) = rest.split_at_checked(length(own)?).ok_or(SHORT)?;
            let (end, shared) = (into.bytes.len(), length(shared)?);
            if shared > end - before {
                return Err(Fault("a text shares more with the one before than that has"));
            }
            if end + shared + text.len() > GOOD_PAGE_BYTES_MAX as usize {
                return Err(Fault("the texts of a row group are longer than Millrace writes"));
            }
            into.bytes.extend_from_within(before..before + shared);
            into.bytes.extend_from_slice(text);
            into.ends.push(into.bytes.len() as u32);
            (before, rest) = (end, later);
        }
        Ok(())
    }

    /// Labels, or the names of currencies and states.
    pub fn labels(&self, rows: usize, places: &mut Vec<u32>, dictionary: &mut Texts) -> Read<()> {
        dictionary.clear();
        let mut at = 0usize;
        for _ in 0..self.distinct {
            let length = self.dictionary.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(SHORT)?;
            let start = at + 4;
            let length = u32::from_le_bytes(*length) as usize;
            let text = self.dictionary.get(start..).and_then(|rest| rest.get(..length)).ok_or(SHORT)?;
            dictionary.push(text);
            at = start + length;
        }
        self.places(rows, places)
    }

    /// Numbers of either width.
    pub fn numbers(&self, rows: usize, wide: bool, places: &mut Vec<u32>, into: &mut Numbers) -> Read<()> {
        if !wide {
            into.wide.clear();
            return self.narrow_with(rows, places, &mut into.nano);
        }
        into.clear();
        let number = |bytes: &[u8; 16]| Decimal::from_units(i128::from_be_bytes(*bytes));
        match self.encoding {
            PLAIN => fixed::<16>(&self.data, rows)?.iter().for_each(|bytes| into.push(number(bytes))),
            _ => {
                self.places(rows, places)?;
                let dictionary = fixed::<16>(&self.dictionary, self.distinct)?;
                places.iter().for_each(|place| into.push(number(&dictionary[*place as usize])));
            }
        }
        Ok(())
    }

    fn narrow(&self, rows: usize, into: &mut Vec<i64>) -> Read<()> {
        self.narrow_with(rows, &mut Vec::new(), into)
    }

    fn narrow_with(&self, rows: usize, places: &mut Vec<u32>, into: &mut Vec<i64>) -> Read<()> {
        into.clear();
        match self.encoding {
            PLAIN => into.extend(fixed::<8>(&self.data, rows)?.iter().map(|bytes| i64::from_le_bytes(*bytes))),
            DIFFERENCES => return differences(&self.data, rows, into).map(drop),
            _ => {
                self.places(rows, places)?;
                let dictionary = fixed::<8>(&self.dictionary, self.distinct)?;
                into.extend(places.iter().map(|place| i64::from_le_bytes(dictionary[*place as usize])));
            }
        }
        Ok(())
    }

    /// Places in the dictionary, each of which has a value.
    fn places(&self, rows: usize, into: &mut Vec<u32>) -> Read<()> {
        into.clear();
        let (PLACES, Some(&width)) = (self.encoding, self.data.first()) else { return Err(ENCODING) };
        let width = u32::from(width);
        if width > u32::BITS {
            return Err(ENCODING);
        }
        let mut at = 1;
        while into.len() < rows {
            let left = rows - into.len();
            let header = varint(&self.data, &mut at)?;
            let count = usize::try_from(header >> 1).unwrap_or(usize::MAX);
            if count == 0 {
                return Err(Fault("a run has no values"));
            }
            if header & 1 == 1 {
                let packed = count.saturating_mul(width as usize);
                let bytes = self.data.get(at..).and_then(|rest| rest.get(..packed)).ok_or(SHORT)?;
                unpack_bits(bytes, width, left.min(count.saturating_mul(8)), |value| into.push(value as u32))?;
                at += packed;
            } else {
                let bytes = width.div_ceil(8) as usize;
                let value = bits(self.data.get(at..).unwrap_or_default(), 0, bytes as u32 * 8).ok_or(SHORT)?;
                into.resize(into.len() + left.min(count), value as u32);
                at += bytes;
            }
        }
        let largest = into.iter().copied().max().unwrap_or(0);
        let fits = rows == 0 || (largest as usize) < self.distinct;
        if fits { Ok(()) } else { Err(Fault("it refers to a value past the end of its dictionary")) }
    }
}

/// Values of `WIDTH` bytes, `count` of them and no more.
fn fixed<const WIDTH: usize>(bytes: &[u8], count: usize) -> Read<&[[u8; WIDTH]]> {
    let (values, rest) = bytes.as_chunks::<WIDTH>();
    if values.len() == count && rest.is_empty() { Ok(values) } else { Err(SHORT) }
}

fn unpack(page: &[u8], zstd: bool, unpacked: u64, into: &mut Vec<u8>, unpacker: &mut Decompressor<'_>) -> Read<()> {
    if unpacked > GOOD_PAGE_BYTES_MAX {
        return Err(Fault("a page is larger than Millrace writes"));
    }
    let unpacked = unpacked as usize;
    if !zstd {
        into.clear();
        into.extend_from_slice(page);
        return if page.len() == unpacked { Ok(()) } else { Err(Fault("the two sizes of a page differ")) };
    }
    into.resize(unpacked, 0);
    match unpacker.decompress_to_buffer(page, into.as_mut_slice()) {
        Ok(length) if length == unpacked => Ok(()),
        _ => Err(Fault("a page cannot be unpacked")),
    }
}

/// Appends `rows` values that stand as differences at the front of `bytes`; answers where they end.
fn differences(bytes: &[u8], rows: usize, into: &mut Vec<i64>) -> Read<usize> {
    let mut at = 0;
    let (block, parts) = (varint(bytes, &mut at)?, varint(bytes, &mut at)?);
    let count = varint(bytes, &mut at)?;
    if block != BLOCK as u64 || parts != (BLOCK / PART) as u64 || count != rows as u64 {
        return Err(ENCODING);
    }
    let mut last = signed(varint(bytes, &mut at)?);
    let end = into.len() + rows;
    into.reserve(rows);
    if rows > 0 {
        into.push(last);
    }
    while into.len() < end {
        let smallest = signed(varint(bytes, &mut at)?);
        let widths = *bytes.get(at..).and_then(|rest| rest.first_chunk::<{ BLOCK / PART }>()).ok_or(SHORT)?;
        at += widths.len();
        for width in widths {
            let left = (end - into.len()).min(PART);
            if left == 0 {
                break;
            }
            let width = u32::from(width);
            if width > u64::BITS {
                return Err(ENCODING);
            }
            let length = PART / 8 * width as usize;
            // The last part may be cut where its values end.
            let rest = bytes.get(at..).unwrap_or_default();
            unpack_bits(&rest[..length.min(rest.len())], width, left, |more| {
                last = last.wrapping_add(smallest).wrapping_add(more as i64);
                into.push(last);
            })?;
            at = at.saturating_add((left * width as usize).div_ceil(8).max(length.min(rest.len())));
        }
    }
    Ok(at.min(bytes.len()))
}

fn signed(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Gives `count` numbers of `width` bits, at most 64.
#[inline(always)]
fn unpack_bits(bytes: &[u8], width: u32, count: usize, mut each: impl FnMut(u64)) -> Read<()> {
    /// Of wider ones not all bits may be in the eight bytes that begin with the first.
    const QUICK_BITS: u32 = 57;
    if width == 0 {
        (0..count).for_each(|_| each(0));
        return Ok(());
    }
    let mask = u64::MAX >> (u64::BITS - width);
    let mut bit = 0;
    for _ in 0..count {
        let word = bytes.get(bit / 8..).and_then(|rest| rest.first_chunk::<8>()).filter(|_| width <= QUICK_BITS);
        each(match word {
            Some(word) => u64::from_le_bytes(*word) >> (bit % 8) & mask,
            None => bits(bytes, bit as u64, width).ok_or(SHORT)?,
        });
        bit += width as usize;
    }
    Ok(())
}
