//! A file of good rows, read back: row by row, or in batches that can be folded as if they had just been parsed.

use std::io::{Error, ErrorKind, Result};
use std::ops::ControlFlow;

use zstd::bulk::Decompressor;

use super::Row;
use super::columns::{Layout, Values};
use super::decode::{Fault, Lengths, Pages, damaged};
use super::footer::{FORMAT, FORMAT_KEY, KIND_KEY};
use super::group::{Group, Texts};
use crate::batch::{BarRow, Batch, TradeRow, TransactionRow, WIDE};
use crate::contract::Kind;
use crate::currency;
use crate::limits::{GOOD_GROUP_ROWS_MAX, GOOD_PAGE_BYTES_MAX};
use crate::row::Status;
use crate::source::Input;
use crate::table::TableKind;
use crate::table::codec::Codec;
use crate::table::file::File;
use crate::table::parquet::footer::{self, Chunk, Footer};
use crate::table::parquet::schema::{Leaf, Physical};
use crate::table::text::Text;
use crate::time;

/// A file of good rows, open.
pub struct Reader {
    file: File,
    footer: Footer,
    layout: Layout,
    /// Of each column, what it has, and whether its numbers are wide.
    columns: Vec<(Values, bool)>,
    group: Group,
    buffers: Buffers,
}

/// Memory that is used again from column to column.
#[derive(Default)]
struct Buffers {
    bytes: Vec<u8>,
    pages: Pages,
    places: Vec<u32>,
    integers: Vec<i64>,
    lengths: Lengths,
    codes: Texts,
}

/// Rows handed out in one batch: few enough to stay in the cache of a core until they are folded.
pub(crate) const BATCH_ROWS: usize = 8192;

impl Reader {
    /// Reads and checks the footer. A file that Millrace did not write as good rows, or that is damaged, is an error of
    /// the kind `InvalidData` that says what is wrong.
    pub fn open(input: Box<dyn Input>) -> Result<Reader> {
        let mut file = File::open(TableKind::Parquet, input).map_err(of_table)?;
        let footer = footer::read(&mut file).map_err(of_table)?;
        match footer.metadata(FORMAT_KEY.as_bytes()) {
            Some(format) if format == FORMAT.as_bytes() => {}
            Some(other) => {
                let other = String::from_utf8_lossy(other).into_owned();
                return Err(invalid(format!(
                    "the good rows are in format `{other}`, and this version reads `{FORMAT}`"
                )));
            }
            None => return Err(invalid("the parquet file is none of good rows: it has no key `millrace.format`")),
        }
        let kind = footer.metadata(KIND_KEY.as_bytes()).unwrap_or_default();
        let kind = [Kind::Trades, Kind::Bars, Kind::Transactions].into_iter().find(|of| of.name().as_bytes() == kind);
        let kind = kind.ok_or_else(|| damaged("its kind is unknown"))?;
        let layout =
            Layout::read(kind, &footer.names).ok_or_else(|| damaged("its columns are not those of its kind"))?;
        let mut columns = Vec::new();
        for (column, leaf) in layout.columns().iter().zip(&footer.leaves) {
            let wide = is_wide(column.values, leaf)
                .ok_or_else(|| damaged(format!("column {} is of another type", column.name)))?;
            columns.push((column.values, wide));
        }
        if footer.groups.iter().any(|group| group.rows > GOOD_GROUP_ROWS_MAX as u64) {
            return Err(damaged("a row group has more rows than Millrace writes"));
        }
        Ok(Reader { file, footer, layout, columns, group: Group::default(), buffers: Buffers::default() })
    }

    /// What the rows are.
    pub fn kind(&self) -> Kind {
        self.layout.kind
    }

    /// How many there are.
    pub fn rows(&self) -> u64 {
        self.footer.rows
    }

    /// Gives rows in order, each with its number from 0, until `each` breaks off. Row groups without a time in
    /// `[from, to)` are passed over, so that not much more than that span is read; rows outside of it come as well.
    pub fn rows_between(
        &mut self,
        from: Option<i64>,
        to: Option<i64>,
        mut each: impl FnMut(u64, Row<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut number = 0;
        for group in 0..self.footer.groups.len() {
            let rows = self.footer.groups[group].rows;
            let [first, last] = self.times_of(group)?;
            if from.is_none_or(|from| last >= from) && to.is_none_or(|to| first < to) {
                self.load(group, true)?;
                let mut at = number;
                let goes_on = self.group.each(self.layout, |row| {
                    at += 1;
                    each(at - 1, row).is_continue()
                });
                if !goes_on {
                    return Ok(());
                }
            }
            number += rows;
        }
        Ok(())
    }

    /// Gives rows in order, each with its number from 0, from the one with this number on, until `each` breaks off. Row
    /// groups before it are not read.
    pub fn rows_behind(&mut self, from: u64, mut each: impl FnMut(u64, Row<'_>) -> ControlFlow<()>) -> Result<()> {
        let mut number = 0;
        for group in 0..self.footer.groups.len() {
            let rows = self.footer.groups[group].rows;
            if number + rows > from {
                self.load(group, true)?;
                let mut at = number;
                let goes_on = self.group.each(self.layout, |row| {
                    at += 1;
                    at <= from || each(at - 1, row).is_continue()
                });
                if !goes_on {
                    return Ok(());
                }
            }
            number += rows;
        }
        Ok(())
    }

    /// Gives all rows as batches, in order; ids are not in them. What `each` refuses ends it.
    pub(crate) fn batches(&mut self, each: &mut dyn FnMut(&mut Batch) -> crate::Result<()>) -> crate::Result<()> {
        let mut batch = Batch::default();
        let mut names = Vec::new();
        for group in 0..self.footer.groups.len() {
            self.load(group, false)?;
            let mut wide = [0; 5];
            let (group, rows) = (&self.group, self.group.rows());
            batch.clear();
            names.clear();
            names.extend((0..group.dictionary.ends.len()).map(|at| batch.names.number(group.dictionary.get(at))));
            for start in (0..rows).step_by(BATCH_ROWS) {
                batch.clear_rows();
                fill(group, self.layout, start..rows.min(start + BATCH_ROWS), &names, &mut wide, &mut batch);
                each(&mut batch)?;
            }
        }
        Ok(())
    }

    /// First and last time of a group, as its statistics tell.
    fn times_of(&self, group: usize) -> Result<[i64; 2]> {
        let chunk = self.chunks(group).find(|(_, (values, _))| *values == Values::Time);
        let times = chunk.and_then(|(chunk, _)| chunk.bounds);
        times.ok_or_else(|| damaged("a row group does not tell its times"))
    }

    fn chunks(&self, group: usize) -> impl Iterator<Item = (Chunk, (Values, bool))> + '_ {
        self.footer.chunks(self.footer.groups[group]).zip(self.columns.iter().copied())
    }

    /// Reads a row group, with or without texts that come once.
    fn load(&mut self, group: usize, texts: bool) -> Result<()> {
        let rows = self.footer.groups[group].rows as usize;
        let times = self.times_of(group)?;
        let chunks: Vec<_> = self.chunks(group).collect();
        self.group.clear(self.layout);
        let mut unpacker = Decompressor::new()?;
        for (chunk, (values, wide)) in chunks {
            if rows == 0 || (values == Values::Text && !texts) {
                continue;
            }
            let zstd = match chunk.codec() {
                Ok(Codec::Plain) => false,
                Ok(Codec::Zstd) => true,
                _ => return Err(damaged("it is packed otherwise than Millrace does")),
            };
            let length = chunk.end - chunk.start;
            if length > GOOD_PAGE_BYTES_MAX {
                return Err(damaged("a column of a row group is larger than Millrace writes"));
            }
            self.buffers.bytes.resize(length as usize, 0);
            self.file.read_at(chunk.start, &mut self.buffers.bytes).map_err(of_table)?;
            let Buffers { bytes, pages, .. } = &mut self.buffers;
            let read = pages.read(bytes, zstd, rows, &mut unpacker);
            read.and_then(|()| self.take(values, wide, rows)).map_err(|fault| damaged(fault.0))?;
        }
        self.check(times).map_err(|fault| damaged(fault.0))
    }

    /// Takes the column whose pages were read.
    fn take(&mut self, values: Values, wide: bool, rows: usize) -> std::result::Result<(), Fault> {
        let Buffers { pages, places, integers, lengths, codes, .. } = &mut self.buffers;
        let group = &mut self.group;
        match values {
            Values::Time => pages.differences(rows, &mut group.times),
            Values::Label => pages.labels(rows, &mut group.labels, &mut group.dictionary),
            Values::Text => pages.texts(rows, lengths, &mut group.texts),
            Values::Number(number) => pages.numbers(rows, wide, places, &mut group.numbers[number]),
            Values::Sequence | Values::Line => {
                pages.differences(rows, integers)?;
                group.wholes.extend(integers.iter().map(|whole| *whole as u64));
                Ok(())
            }
            Values::Currency => {
                pages.labels(rows, places, codes)?;
                take_codes(places, codes, |name| Some((currency::check(name).ok()?.index() as u16) << 2), group)
            }
            Values::Status => {
                pages.labels(rows, places, codes)?;
                take_codes(places, codes, |name| Some(Status::read(name)? as u16), group)
            }
        }
    }

    /// Values that no good row has would break what is made of them.
    fn check(&self, [first, last]: [i64; 2]) -> std::result::Result<(), Fault> {
        let group = &self.group;
        let times = group.times.iter().copied();
        if times.clone().min().is_some_and(|time| time != first) || times.max().is_some_and(|time| time != last) {
            return Err(Fault("a row group tells other times than it has"));
        }
        let are_taken = time::is_taken(first) && time::is_taken(last);
        if !are_taken && !group.times.is_empty() {
            return Err(Fault("a time is out of range"));
        }
        for (column, numbers) in group.numbers.iter().enumerate() {
            let is_price = column + 1 < group.numbers.len();
            let least = match self.layout.kind {
                Kind::Transactions => -i128::MAX,
                _ => i128::from(is_price),
            };
            let is_marked = |nano: &&i64| **nano == WIDE;
            let mut wide = numbers.wide.iter().map(|(_, number)| number.units());
            let fits = numbers.nano.iter().all(|nano| *nano == WIDE || i128::from(*nano) >= least)
                && numbers.nano.iter().filter(is_marked).count() == numbers.wide.len();
            if !fits || wide.any(|units| units < least) {
                return Err(Fault("a number is out of range"));
            }
        }
        Ok(())
    }
}

/// Rows of a group as they came from a parser.
fn fill(
    group: &Group,
    layout: Layout,
    rows: std::ops::Range<usize>,
    names: &[u32],
    wide: &mut [usize; 5],
    batch: &mut Batch,
) {
    batch.rows = rows.len() as u32;
    let name = |row: usize| names[group.labels[row] as usize];
    match layout.kind {
        Kind::Trades => {
            let [prices, volumes] = &group.numbers[..] else { return };
            let trades = &mut batch.trades;
            for row in rows.clone() {
                let (mut price, mut volume) = (prices.nano[row], volumes.nano[row]);
                if price == WIDE || volume == WIDE {
                    let numbers = [prices.at(row, &mut wide[0]), volumes.at(row, &mut wide[1])];
                    trades.wide.push((trades.rows.len() as u32, numbers));
                    (price, volume) = (WIDE, 0);
                }
                trades.rows.push(TradeRow { time: group.times[row], price, volume, name: name(row) });
            }
            if layout.sequence {
                trades.sequence.extend_from_slice(&group.wholes[rows]);
            }
        }
        Kind::Bars => {
            for row in rows {
                let mut number = |column: usize| group.numbers[column].at(row, &mut wide[column]);
                let prices = [0, 1, 2, 3].map(&mut number);
                let volume = number(4);
                let sequence = if layout.sequence { group.wholes[row] } else { 0 };
                batch.bars.push(BarRow { name: name(row), time: group.times[row], sequence, prices, volume });
            }
        }
        Kind::Transactions => {
            let [amounts] = &group.numbers[..] else { return };
            let transactions = &mut batch.transactions;
            for row in rows {
                let amount = amounts.nano[row];
                if amount == WIDE {
                    transactions.wide.push((transactions.rows.len() as u32, amounts.at(row, &mut wide[0])));
                }
                let number = transactions.rows.len() as u32;
                transactions.times.push(group.times[row]);
                transactions.rows.push(TransactionRow {
                    amount,
                    line: group.wholes[row],
                    span: (0, 0),
                    row: number,
                    day: time::day_of(group.times[row]),
                    merchant: name(row),
                    group: group.codes[row],
                });
            }
        }
    }
}

/// Adds what the names in a dictionary stand for to the codes of the rows.
fn take_codes(
    places: &[u32],
    names: &Texts,
    code: impl Fn(&[u8]) -> Option<u16>,
    group: &mut Group,
) -> std::result::Result<(), Fault> {
    let codes: Option<Vec<u16>> = (0..names.ends.len()).map(|name| code(names.get(name))).collect();
    let codes = codes.ok_or(Fault("a currency or status is unknown"))?;
    group.codes.resize(places.len(), 0);
    group.codes.iter_mut().zip(places).for_each(|(all, place)| *all |= codes[*place as usize]);
    Ok(())
}

/// Whether a column holds wide numbers; none if its type is not what its values need.
fn is_wide(values: Values, leaf: &Leaf) -> Option<bool> {
    let text = leaf.text.ok().filter(|_| leaf.definitions == 0)?;
    match (values, leaf.physical, text) {
        (Values::Time, Physical::Fixed(8), Text::Timestamp { per_second: 1_000_000_000, utc: true }) => Some(false),
        (Values::Number(_), Physical::Fixed(8), Text::Decimal { scale: 9, big_endian: false }) => Some(false),
        (Values::Number(_), Physical::Fixed(16), Text::Decimal { scale: 18, big_endian: true }) => Some(true),
        (Values::Sequence, Physical::Fixed(8), Text::Unsigned) => Some(false),
        (Values::Line, Physical::Fixed(8), Text::Signed) => Some(false),
        (Values::Label | Values::Text | Values::Currency | Values::Status, Physical::Bytes, Text::Raw) => Some(false),
        _ => None,
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, message.into())
}

fn of_table(error: crate::Error) -> Error {
    match error {
        crate::Error::Io(error) => error,
        crate::Error::Refused(refusal) => damaged(refusal.message),
    }
}
