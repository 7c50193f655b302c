//! Which columns a file of good rows has.
//!
//! | kind | columns |
//! |---|---|
//! | trades | symbol, timestamp, price, volume, and sequence and trade_id if the contract has them |
//! | bars | symbol, timestamp, open, high, low, close, volume, and sequence |
//! | transactions | transaction_id, timestamp, amount, currency, merchant, status, line |
//!
//! A column of numbers is DECIMAL(18, 9) in 8 bytes as long as all its values fit, and DECIMAL(38, 18) in 16 bytes in a
//! file where one does not: few do, and everything else is quicker with the narrow form. See `encoder` for what happens
//! when the first wide number comes after narrow ones were written.

use crate::contract::Kind;
use crate::plan::{Checks, Plan, RowOrder};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub kind: Kind,
    pub sequence: bool,
    pub trade_id: bool,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub name: &'static str,
    pub values: Values,
}

/// What the values of a column are, and where a group has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// A text that comes again and again.
    Label,
    Time,
    /// Number of this number among those of a row.
    Number(usize),
    /// A whole number of 64 bits, without a sign.
    Sequence,
    /// A whole number that is small.
    Line,
    /// A text that comes once.
    Text,
    Currency,
    Status,
}

const fn column(name: &'static str, values: Values) -> Column {
    Column { name, values }
}

const SYMBOL: Column = column("symbol", Values::Label);
const TIMESTAMP: Column = column("timestamp", Values::Time);
const SEQUENCE: Column = column("sequence", Values::Sequence);
const TRADE_ID: Column = column("trade_id", Values::Text);

const TRADES: [Column; 4] =
    [SYMBOL, TIMESTAMP, column("price", Values::Number(0)), column("volume", Values::Number(1))];

const BARS: [Column; 7] = [
    SYMBOL,
    TIMESTAMP,
    column("open", Values::Number(0)),
    column("high", Values::Number(1)),
    column("low", Values::Number(2)),
    column("close", Values::Number(3)),
    column("volume", Values::Number(4)),
];

const TRANSACTIONS: [Column; 7] = [
    column("transaction_id", Values::Text),
    TIMESTAMP,
    column("amount", Values::Number(0)),
    column("currency", Values::Currency),
    column("merchant", Values::Label),
    column("status", Values::Status),
    column("line", Values::Line),
];

impl Layout {
    /// What the good rows of a file under `plan` hold.
    pub fn of(plan: &Plan) -> Layout {
        let trade_id = matches!(&plan.checks, Checks::Trades(checks) if checks.trade_id.is_some());
        Layout { kind: plan.kind, sequence: plan.order != RowOrder::Position, trade_id }
    }

    /// What a file with columns of these names holds, if it is one of good rows of this kind.
    pub fn read(kind: Kind, names: &[String]) -> Option<Layout> {
        let sequence = kind != Kind::Transactions && names.iter().any(|name| name == SEQUENCE.name);
        let trade_id = kind == Kind::Trades && names.iter().any(|name| name == TRADE_ID.name);
        let layout = Layout { kind, sequence, trade_id };
        layout.columns().iter().map(|column| column.name).eq(names.iter().map(String::as_str)).then_some(layout)
    }

    pub fn columns(self) -> Vec<Column> {
        let mut columns = match self.kind {
            Kind::Trades => TRADES.to_vec(),
            Kind::Bars => BARS.to_vec(),
            Kind::Transactions => TRANSACTIONS.to_vec(),
        };
        columns.extend(self.sequence.then_some(SEQUENCE));
        columns.extend(self.trade_id.then_some(TRADE_ID));
        columns
    }

    /// How many numbers a row has.
    pub fn numbers(self) -> usize {
        match self.kind {
            Kind::Trades => 2,
            Kind::Bars => 5,
            Kind::Transactions => 1,
        }
    }
}
