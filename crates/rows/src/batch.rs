//! What one piece of a file turned into: good rows as columns, refused rows with their reasons.
//!
//! A batch is made from its bytes and the plan alone, so batches can be made on any thread in any order; `fold`
//! takes them in file order.

mod evaluate;
mod names;

use crate::cells::Cells;
use crate::decimal::Decimal;
use crate::reason::{ReasonId, Reasons};

pub(crate) use evaluate::{Evaluator, Place, QuickFields, shown};
pub(crate) use names::Names;

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
    pub trades: TradeColumns,
    pub bars: Vec<BarRow>,
    pub transactions: TransactionColumns,
    /// The instruments that `trades` and `bars` refer to.
    pub names: Names,
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

/// Good trades by column. `price` and `volume` are units of 1e-9; `WIDE` marks a row whose numbers are in `wide`.
#[derive(Debug, Default)]
pub(crate) struct TradeColumns {
    pub name: Vec<u32>,
    pub time: Vec<i64>,
    pub price: Vec<i64>,
    pub volume: Vec<i64>,
    /// Empty unless rows are ordered by it.
    pub sequence: Vec<u64>,
    pub wide: Vec<(u32, [Decimal; 2])>,
    /// Hash of instrument and trade id of every row that could be read, good or not.
    pub trade_ids: Vec<u128>,
}

/// In `price` and `amount`: the number is in the side table.
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

/// Good transactions by column, and the ids of all that have one.
#[derive(Debug, Default)]
pub(crate) struct TransactionColumns {
    pub amount: Vec<i64>,
    pub wide: Vec<(u32, Decimal)>,
    /// Currency and status: `currency << 2 | status`.
    pub group: Vec<u16>,
    pub day: Vec<i32>,
    pub merchant: Cells,
    pub merchant_hash: Vec<u64>,
    /// Row number within the batch, and where the row stands.
    pub row: Vec<u32>,
    pub span: Vec<(u32, u32)>,
    /// Physical line, or index in a JSON array or a table.
    pub line: Vec<u64>,
    pub ids: Vec<u128>,
    pub id_text: Cells,
    /// For each id: the index of the good row, or of the reject with `REFUSED` set.
    pub id_owner: Vec<u32>,
}

/// In `id_owner`: the id belongs to a refused row.
pub(crate) const REFUSED: u32 = 1 << 31;

impl Batch {
    /// Rows kept as good, whichever columns they went to.
    pub fn good_rows(&self) -> u64 {
        (self.trades.time.len() + self.bars.len() + self.transactions.amount.len()) as u64
    }

    /// Forgets the rows, keeps the memory.
    pub fn clear(&mut self) {
        self.input.clear();
        self.rows = 0;
        self.rejects.clear();
        self.details.clear();
        self.bars.clear();
        self.names.clear();
        self.counts = Counts::default();
        self.trades.clear();
        self.transactions.clear();
    }
}

impl TradeColumns {
    fn clear(&mut self) {
        self.name.clear();
        self.time.clear();
        self.price.clear();
        self.volume.clear();
        self.sequence.clear();
        self.wide.clear();
        self.trade_ids.clear();
    }
}

impl TransactionColumns {
    fn clear(&mut self) {
        self.amount.clear();
        self.wide.clear();
        self.group.clear();
        self.day.clear();
        self.merchant.clear();
        self.merchant_hash.clear();
        self.row.clear();
        self.span.clear();
        self.line.clear();
        self.ids.clear();
        self.id_text.clear();
        self.id_owner.clear();
    }
}
