//! One column of one row group as the bytes it has in the file.

use std::io::{Error, Result};

use flate2::Crc;
use zstd::bulk::Compressor;

use crate::good::columns::Values;
use crate::good::encode::{Distinct, PLAIN, Pages};
use crate::good::footer::{Chunk, PageHeader, write_page_header};
use crate::good::group::{Group, Numbers};

/// Makes chunks, and learns what pays for which column.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    pages: Pages,
    packed_dictionary: Vec<u8>,
    packed_data: Vec<u8>,
    narrow: Distinct<i64>,
    wide: Distinct<i128>,
    full: Vec<i128>,
    places: Vec<u32>,
    habits: Vec<Habits>,
}

/// What did not pay for a column of late.
#[derive(Debug, Clone, Copy, Default)]
struct Habits {
    dictionary: Idle,
    zstd: Idle,
}

/// For how many groups something is not tried again.
#[derive(Debug, Clone, Copy, Default)]
struct Idle(u8);

/// For so many groups what did not pay is left.
const IDLE_GROUPS: u8 = 7;

impl Idle {
    /// Whether it is to be tried now.
    fn is_over(&mut self) -> bool {
        let over = self.0 == 0;
        self.0 = self.0.saturating_sub(1);
        over
    }
}

/// Of levels, the quickest: the next one makes a tenth less in twice the time.
const LEVEL: i32 = 1;

impl Packer {
    pub fn new(columns: usize) -> Result<Self> {
        Ok(Self {
            compressor: Compressor::new(LEVEL)?,
            pages: Pages::default(),
            packed_dictionary: Vec::new(),
            packed_data: Vec::new(),
            narrow: Distinct::default(),
            wide: Distinct::default(),
            full: Vec::new(),
            places: Vec::new(),
            habits: vec![Habits::default(); columns],
        })
    }

    /// Replaces `bytes` by a column of `group`.
    pub fn chunk(
        &mut self,
        column: usize,
        values: Values,
        wide: bool,
        group: &Group,
        bytes: &mut Vec<u8>,
    ) -> Result<Chunk> {
        self.pages.clear();
        match values {
            Values::Time => self.pages.differences(group.times.iter().copied()),
            Values::Sequence | Values::Line => self.pages.differences(group.wholes.iter().map(|whole| *whole as i64)),
            Values::Label => self.pages.labels(group),
            Values::Text => self.pages.texts(&group.texts),
            Values::Currency => self.pages.codes(&group.codes, true, &mut self.places),
            Values::Status => self.pages.codes(&group.codes, false, &mut self.places),
            Values::Number(number) => self.numbers(column, &group.numbers[number], wide),
        }
        self.pack(column, group.rows(), bytes)
    }

    /// Replaces `bytes` by a column of numbers that were narrow.
    pub fn wide(&mut self, column: usize, nano: &[i64], bytes: &mut Vec<u8>) -> Result<Chunk> {
        self.pages.clear();
        self.full.clear();
        self.full.extend(nano.iter().map(|nano| crate::decimal::Decimal::from_nano(*nano).units()));
        self.full_numbers(column);
        self.pack(column, nano.len(), bytes)
    }

    fn numbers(&mut self, column: usize, numbers: &Numbers, wide: bool) {
        if wide {
            self.full.clear();
            self.full.extend(numbers.full().map(|number| number.units()));
            return self.full_numbers(column);
        }
        let idle = &mut self.habits[column].dictionary;
        if idle.is_over() {
            if self.pages.few(&numbers.nano, &mut self.narrow) {
                return;
            }
            idle.0 = IDLE_GROUPS;
        }
        if !self.pages.near(&numbers.nano) {
            self.pages.plain(&numbers.nano);
        }
    }

    fn full_numbers(&mut self, column: usize) {
        let idle = &mut self.habits[column].dictionary;
        if idle.is_over() {
            if self.pages.few(&self.full, &mut self.wide) {
                return;
            }
            idle.0 = IDLE_GROUPS;
        }
        self.pages.plain(&self.full);
    }

    /// Packs the pages if that makes them smaller by an eighth at least, and puts headers before them.
    fn pack(&mut self, column: usize, rows: usize, bytes: &mut Vec<u8>) -> Result<Chunk> {
        let Self { compressor, pages, packed_dictionary, packed_data, habits, .. } = self;
        let has_dictionary = pages.distinct > 0;
        let idle = &mut habits[column].zstd;
        let mut zstd = false;
        if idle.is_over() {
            squeeze(compressor, &pages.data, packed_data)?;
            packed_dictionary.clear();
            if has_dictionary {
                squeeze(compressor, &pages.dictionary, packed_dictionary)?;
            }
            let unpacked = pages.data.len() + pages.dictionary.len();
            zstd = packed_data.len() + packed_dictionary.len() <= unpacked / 8 * 7;
            if !zstd {
                idle.0 = IDLE_GROUPS;
            }
        }
        let (dictionary, data) = match zstd {
            true => (&*packed_dictionary, &*packed_data),
            false => (&pages.dictionary, &pages.data),
        };
        bytes.clear();
        let mut chunk = Chunk { zstd, encoding: pages.encoding as u8, ..Chunk::default() };
        if has_dictionary {
            add_page(true, pages.distinct, PLAIN, pages.dictionary.len(), dictionary, bytes);
            chunk.dictionary = bytes.len() as u32;
        }
        add_page(false, rows, pages.encoding, pages.data.len(), data, bytes);
        chunk.packed = bytes.len() as u32;
        let headers = bytes.len() - data.len() - dictionary.len();
        chunk.unpacked = (headers + pages.data.len() + pages.dictionary.len()) as u32;
        Ok(chunk)
    }
}

fn squeeze(compressor: &mut Compressor<'_>, bytes: &[u8], into: &mut Vec<u8>) -> Result<()> {
    into.clear();
    into.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
    compressor.compress_to_buffer(bytes, into).map(drop).map_err(Error::other)
}

fn add_page(dictionary: bool, values: usize, encoding: i32, unpacked: usize, page: &[u8], into: &mut Vec<u8>) {
    let mut crc = Crc::new();
    crc.update(page);
    let header = PageHeader { dictionary, values, encoding, unpacked, packed: page.len(), checksum: crc.sum() };
    write_page_header(&header, into);
    into.extend_from_slice(page);
}
