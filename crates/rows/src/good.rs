//! The good rows of a file, typed, in the order they came: written as Parquet by whoever checks it, and read back.
//!
//! Any program that reads Parquet reads these files; `Reader` reads no others. What is in which column, and how wide
//! numbers are, stands in `columns`; how a column is written, in `encode`.

mod columns;
mod csv;
mod decode;
mod encode;
mod encoder;
mod footer;
mod group;
mod kept;
mod labels;
mod reader;
#[cfg(test)]
mod tests;
mod thrift;
mod writer;

use std::io::Write;

use crate::decimal::Decimal;

pub(crate) use reader::BATCH_ROWS;
pub use reader::Reader;
pub(crate) use writer::Writer;

/// Where good rows are written. What a sink was given means nothing unless the file was completed: of a file that is
/// refused, or that could not be read, only a part is there, and it is no Parquet file.
pub struct Sinks {
    /// All of them, as Parquet.
    pub parquet: Box<dyn Write + Send>,
    /// Transactions as CSV that the contract `transactions` takes again; nothing for other kinds.
    pub csv: Option<Box<dyn Write + Send>>,
}

/// Ids of transactions beyond this file, each as the hash of its text: `xxh3_128`.
pub trait Known: Send {
    /// Sets `known` to whether each of `ids` was taken by an earlier file. What this file took is asked for as well,
    /// and must not make a difference.
    fn known(&mut self, ids: &[u128], known: &mut Vec<bool>) -> std::io::Result<()>;
    /// Tells the ids of good rows, in file order, each once. They count when the file was completed.
    fn taken(&mut self, ids: &[u128]) -> std::io::Result<()>;
}

/// A good row, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row<'a> {
    /// A single trade.
    Trade {
        /// The instrument.
        symbol: &'a [u8],
        /// Nanoseconds since 1970 in UTC.
        time: i64,
        /// More than 0.
        price: Decimal,
        /// 0 or more.
        volume: Decimal,
        /// What orders trades of the same time, if anything but their position does: the sequence, or the trade id as a
        /// number.
        sequence: Option<u64>,
        /// The id as it was sent, if the contract has one.
        trade_id: Option<&'a [u8]>,
    },
    /// A bar made elsewhere.
    Bar {
        /// The instrument.
        symbol: &'a [u8],
        /// Its start, in nanoseconds since 1970 in UTC.
        time: i64,
        /// Open, high, low, close.
        prices: [Decimal; 4],
        /// 0 or more.
        volume: Decimal,
        /// What orders bars of the same time, if anything but their position does.
        sequence: Option<u64>,
    },
    /// A transaction.
    Transaction {
        /// Its id; made from the line when the contract takes the line for it.
        id: &'a [u8],
        /// Nanoseconds since 1970 in UTC.
        time: i64,
        /// Signed.
        amount: Decimal,
        /// ISO 4217 code.
        currency: &'a str,
        /// As the sender writes it.
        merchant: &'a [u8],
        /// completed, failed or pending.
        status: &'a str,
        /// Physical line, or index in a JSON array or a table.
        line: u64,
    },
}
