//! Some thousand rows in columns, on their way to a row group of a file or from one.

use super::Row;
use super::columns::Layout;
use crate::batch::WIDE;
use crate::contract::Kind;
use crate::currency::Currency;
use crate::decimal::Decimal;
use crate::limits::{GOOD_GROUP_ROWS_MAX, GOOD_GROUP_TEXT_BYTES};
use crate::row::Status;

/// Rows in columns; those that the layout does not have are empty. Reused from group to group.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Symbols or merchants: a number for each row, and the texts they stand for.
    pub labels: Vec<u32>,
    pub dictionary: Texts,
    pub times: Vec<i64>,
    pub numbers: Vec<Numbers>,
    /// Sequences or lines.
    pub wholes: Vec<u64>,
    /// Trade ids or transaction ids.
    pub texts: Texts,
    /// Currency and status, as in `TransactionRow`.
    pub codes: Vec<u16>,
}

/// A column of numbers in units of 1e-9; `WIDE` marks one that is in the side table.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub nano: Vec<i64>,
    pub wide: Vec<(u32, Decimal)>,
}

/// Texts one after the other, and where each ends.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub bytes: Vec<u8>,
    pub ends: Vec<u32>,
}

impl Texts {
    #[inline]
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len() as u32);
    }

    #[inline]
    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..self.ends[index] as usize]
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

impl Numbers {
    #[inline]
    pub fn push(&mut self, value: Decimal) {
        let nano = value.nano().filter(|nano| *nano != WIDE).unwrap_or_else(|| {
            self.wide.push((self.nano.len() as u32, value));
            WIDE
        });
        self.nano.push(nano);
    }

    pub fn clear(&mut self) {
        self.nano.clear();
        self.wide.clear();
    }

    /// All of them in full.
    pub fn full(&self) -> impl Iterator<Item = Decimal> {
        let mut wide = self.wide.iter();
        self.nano.iter().map(move |nano| match *nano {
            WIDE => wide.next().map(|(_, number)| *number).unwrap_or_default(),
            nano => Decimal::from_nano(nano),
        })
    }

    /// One of them; those before it must have been asked for in order, with the same `wide`.
    #[inline]
    pub fn at(&self, row: usize, wide: &mut usize) -> Decimal {
        match self.nano[row] {
            WIDE => {
                let number = self.wide.get(*wide).map(|(_, number)| *number).unwrap_or_default();
                *wide += 1;
                number
            }
            nano => Decimal::from_nano(nano),
        }
    }
}

impl Group {
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// Whether another row would be too much, given the rows that have a label.
    #[inline]
    pub fn is_full(&self) -> bool {
        let text = self.texts.bytes.len() + self.dictionary.bytes.len();
        self.labels.len() >= GOOD_GROUP_ROWS_MAX || text >= GOOD_GROUP_TEXT_BYTES
    }

    /// Forgets the rows, keeps the memory.
    pub fn clear(&mut self, layout: Layout) {
        self.labels.clear();
        self.dictionary.clear();
        self.times.clear();
        self.numbers.resize_with(layout.numbers(), Numbers::default);
        self.numbers.iter_mut().for_each(Numbers::clear);
        self.wholes.clear();
        self.texts.clear();
        self.codes.clear();
    }

    /// Gives the rows one by one until `each` answers false; answers whether it never did.
    pub fn each(&self, layout: Layout, mut each: impl FnMut(Row<'_>) -> bool) -> bool {
        let mut wide = [0; 5];
        let mut number = |column: usize, row: usize| self.numbers[column].at(row, &mut wide[column]);
        for row in 0..self.rows() {
            let label = self.dictionary.get(self.labels[row] as usize);
            let time = self.times[row];
            let sequence = layout.sequence.then(|| self.wholes[row]);
            let row = match layout.kind {
                Kind::Trades => Row::Trade {
                    symbol: label,
                    time,
                    price: number(0, row),
                    volume: number(1, row),
                    sequence,
                    trade_id: layout.trade_id.then(|| self.texts.get(row)),
                },
                Kind::Bars => Row::Bar {
                    symbol: label,
                    time,
                    prices: [0, 1, 2, 3].map(|price| number(price, row)),
                    volume: number(4, row),
                    sequence,
                },
                Kind::Transactions => Row::Transaction {
                    id: self.texts.get(row),
                    time,
                    amount: number(0, row),
                    currency: currency_of(self.codes[row]).map_or("", Currency::code),
                    merchant: label,
                    status: status_of(self.codes[row]).name(),
                    line: self.wholes[row],
                },
            };
            if !each(row) {
                return false;
            }
        }
        true
    }
}

/// The currency of a code.
pub(super) fn currency_of(code: u16) -> Option<Currency> {
    Currency::by_index(usize::from(code >> 2))
}

/// The status of a code.
pub(super) fn status_of(code: u16) -> Status {
    Status::ALL[usize::from(code & 3).min(2)]
}
