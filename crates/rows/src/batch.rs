//! What one piece of a file turned into: good rows ready to be added up, refused rows with their reasons.
//!
//! A batch is made from its bytes and the plan alone, so batches can be made on any thread in any order; `fold`
//! takes them in file order.

mod evaluate;
mod names;

use crate::cells::Cells;
use crate::decimal::Decimal;
use crate::reason::{ReasonId, Reasons};

pub(crate) use evaluate::{Columns, Evaluator, Field, Place, QuickFields, QuickRows, shown};
pub(crate) use names::{Copied, FileNames, Names, NewNames, Sought, WorkerNames};

/// Rows of one piece of a file.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The bytes that spans point into.
    pub input: Vec<u8>,
    /// Rows, good and refused.
    pub rows: u32,
    /// Refused rows, in file order.
    pub rejects: Vec<Reject>,
    /// What to show of the first refused rows; as many as a report lists.
    pub details: Vec<Detail>,
    pub trades: Trades,
    pub bars: Vec<BarRow>,
    pub transactions: Transactions,
    /// The instruments of trades and bars, the merchants of transactions.
    pub names: WorkerNames,
    pub counts: Counts,
}

/// Lines and oddities of one piece.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub lines: u64,
    /// Lines that are rows or parts of one.
    pub row_lines: u64,
    pub header_lines: u64,
    pub blank_lines: u64,
    pub comment_lines: u64,
    /// Lines that hold no message at all.
    pub other_lines: u64,
    /// Messages that hold no rows by the contract.
    pub ignored: u64,
    pub zero_volume: u64,
    pub negative_amount: u64,
    pub zero_amount: u64,
}

/// A refused row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reject {
    /// Its number within the batch.
    pub row: u32,
    /// Where it stands in `input`.
    pub span: (u32, u32),
    /// Physical line, or index in a JSON array or a table.
    pub line: u64,
    pub reasons: Reasons,
}

/// What a report shows of one refused row.
#[derive(Debug, Clone)]
pub(crate) struct Detail {
    /// One entry per reason, with the value it is about.
    pub values: Vec<(ReasonId, String)>,
}

/// Good trades. `WIDE` as a price marks a row whose numbers are in `wide`.
#[derive(Debug, Default)]
pub(crate) struct Trades {
    pub rows: Vec<TradeRow>,
    /// Of each row; empty unless rows are ordered by it.
    pub sequence: Vec<u64>,
    /// Index in `rows`, price and volume.
    pub wide: Vec<(u32, [Decimal; 2])>,
    /// Hash of instrument and trade id of every row that could be read, good or not.
    pub trade_ids: Vec<u128>,
    /// The trade id of each row; empty unless the plan keeps them.
    pub id_text: Cells,
}

/// A good trade; price and volume in units of 1e-9.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TradeRow {
    pub time: i64,
    pub price: i64,
    pub volume: i64,
    pub name: u32,
}

/// As a price or an amount: the number is in the side table.
pub(crate) const WIDE: i64 = i64::MIN;

/// A good bar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BarRow {
    pub name: u32,
    pub time: i64,
    pub sequence: u64,
    pub prices: [Decimal; 4],
    pub volume: Decimal,
}

/// Good transactions, and the ids of all that have one. `WIDE` as an amount marks a row whose amount is in `wide`.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    pub rows: Vec<TransactionRow>,
    /// Of each row; its day is in the row as well.
    pub times: Vec<i64>,
    /// Index in `rows`, and amount.
    pub wide: Vec<(u32, Decimal)>,
    pub ids: Vec<u128>,
    pub id_text: Cells,
    /// For each id: the index of the good row, or of the reject with `REFUSED` set.
    pub id_owner: Vec<u32>,
}

/// A good transaction; amount in units of 1e-9.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TransactionRow {
    pub amount: i64,
    /// Physical line, or index in a JSON array or a table.
    pub line: u64,
    /// Where the row stands, and its number within the batch.
    pub span: (u32, u32),
    pub row: u32,
    pub day: i32,
    /// The merchant's number in `Batch::names`.
    pub merchant: u32,
    /// Currency and status: `currency << 2 | status`.
    pub group: u16,
}

/// In `id_owner`: the id belongs to a refused row.
pub(crate) const REFUSED: u32 = 1 << 31;

impl Batch {
    /// Rows kept as good, whatever they are.
    pub fn good_rows(&self) -> u64 {
        (self.trades.rows.len() + self.bars.len() + self.transactions.rows.len()) as u64
    }

    /// Forgets the rows, keeps the memory.
    pub fn clear(&mut self) {
        self.names.keep_within_bounds();
        self.clear_rows();
    }

    /// The same, but names keep their numbers.
    pub fn clear_rows(&mut self) {
        self.input.clear();
        self.rows = 0;
        self.rejects.clear();
        self.details.clear();
        self.bars.clear();
        self.counts = Counts::default();
        self.trades.clear();
        self.transactions.clear();
    }
}

impl Trades {
    fn clear(&mut self) {
        self.rows.clear();
        self.sequence.clear();
        self.wide.clear();
        self.trade_ids.clear();
        self.id_text.clear();
    }
}

impl Transactions {
    fn clear(&mut self) {
        self.rows.clear();
        self.times.clear();
        self.wide.clear();
        self.ids.clear();
        self.id_text.clear();
        self.id_owner.clear();
    }
}
