//! A contract compiled for one file: which values to fetch (slots) and which checks to run on them, in order.
//!
//! Everything that can be decided once per file is decided here, so that the loop over rows only compares and adds.

mod compile;
mod shown;
mod source;

use crate::contract::{At, Contract, Kind};
use crate::decimal::{Decimal, Notation};
use crate::reason::{ReasonId, ReasonTable, Reasons};
use crate::time::{Format, IsoCache, Reading, Zone};
use crate::{Refusal, Result};

pub(crate) use source::{Fetched, TextSource};

/// A contract compiled for one file.
#[derive(Debug)]
pub struct Plan {
    /// The contract's name.
    pub contract: String,
    /// The contract's version.
    pub version: u32,
    /// What the rows become.
    pub kind: Kind,
    /// What readers must fetch for every row, one place per slot.
    pub slots: Vec<At>,
    /// The numbered reasons.
    pub reasons: ReasonTable,
    /// Zone in which hours, days and months of bars are cut.
    pub bars_zone: Zone,
    pub(crate) checks: Checks,
    pub(crate) extras: Vec<Extra>,
    pub(crate) order: RowOrder,
    /// Whether batches keep the text of trade ids, which costs time: someone writes it down.
    pub(crate) keeps_trade_ids: bool,
}

/// The checks of the columns that have a meaning of their own.
#[derive(Debug)]
pub(crate) enum Checks {
    Trades(TradeChecks),
    Bars(Box<BarChecks>),
    Transactions(TransactionChecks),
}

#[derive(Debug)]
pub(crate) struct TradeChecks {
    pub symbol: Text,
    pub price: Number,
    pub non_positive_price: ReasonId,
    pub volume: Number,
    pub negative_volume: ReasonId,
    pub time: Time,
    pub sequence: Option<Sequence>,
    pub trade_id: Option<TextSource>,
}

#[derive(Debug)]
pub(crate) struct BarChecks {
    pub symbol: Text,
    /// Open, high, low, close; each with its `non_positive_…`.
    pub prices: [(Number, ReasonId); 4],
    pub volume: Number,
    pub negative_volume: ReasonId,
    pub inconsistent: ReasonId,
    pub time: Time,
    pub sequence: Option<Sequence>,
}

#[derive(Debug)]
pub(crate) struct TransactionChecks {
    pub id: Id,
    pub amount: Amount,
    pub currency: CurrencyCheck,
    pub time: Time,
    /// White space only is missing, too.
    pub merchant: Text,
    pub status: Text,
    pub invalid_status: ReasonId,
    pub duplicate: ReasonId,
}

/// A text that must not be empty.
#[derive(Debug)]
pub(crate) struct Text {
    pub source: TextSource,
    pub missing: ReasonId,
}

/// A number; its reasons stand in a row: missing, invalid, out of range, too many decimals.
#[derive(Debug)]
pub(crate) struct Number {
    pub source: TextSource,
    pub notation: Notation,
    pub missing: ReasonId,
}

/// A point in time; its reasons stand in a row: missing, invalid, without offset, out of range.
#[derive(Debug)]
pub(crate) struct Time {
    pub source: TextSource,
    pub reading: Reading,
    pub missing: ReasonId,
}

/// A whole number that orders rows of the same time: missing, then invalid.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub source: TextSource,
    pub missing: ReasonId,
}

/// Where a transaction's id comes from.
#[derive(Debug)]
pub(crate) enum Id {
    /// A column.
    Text(Text),
    /// The physical line, hence never missing and never twice.
    Line,
}

/// Where an amount comes from; the four number reasons are shared by all forms.
#[derive(Debug)]
pub(crate) struct Amount {
    pub form: AmountForm,
    pub notation: Notation,
    pub missing: ReasonId,
    /// The amount counts negative when this text has this value.
    pub negative_when: Option<(TextSource, Vec<u8>)>,
}

#[derive(Debug)]
pub(crate) enum AmountForm {
    One(TextSource),
    Product([TextSource; 2]),
    CreditDebit { credit: TextSource, debit: TextSource },
}

/// An ISO 4217 code: missing, invalid, unknown, unsupported.
#[derive(Debug)]
pub(crate) struct CurrencyCheck {
    pub source: TextSource,
    pub missing: ReasonId,
}

/// A column of the sender's own: missing (when required), invalid, out of range.
#[derive(Debug)]
pub(crate) struct Extra {
    pub source: TextSource,
    pub required: bool,
    pub missing: ReasonId,
    pub rule: ExtraRule,
}

#[derive(Debug)]
pub(crate) enum ExtraRule {
    Text { one_of: Vec<Vec<u8>> },
    Number { notation: Notation, whole: bool, min: Option<Decimal>, max: Option<Decimal> },
    Time(Reading),
    Currency,
}

/// What orders rows of the same time, before their position in the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrder {
    Position,
    Sequence,
    TradeId,
}

impl Plan {
    /// Compiles `contract`; `has` tells whether the file has a place, and is asked for optional columns only.
    pub fn new(contract: &Contract, has: impl Fn(&At) -> bool) -> Result<Plan> {
        let (plan, mut faults) = compile::compile(contract, &has);
        match plan {
            Some(plan) if faults.is_empty() => Ok(plan),
            _ => {
                let more = faults.len().saturating_sub(1);
                let mut first = faults.swap_remove(0);
                if more > 0 {
                    first.message.push_str(&format!(" (and {more} more)"));
                }
                Err(first.into())
            }
        }
    }

    /// The reason of a row whose id came before; alone it makes the row a duplicate.
    pub(crate) fn repeated(&self) -> Option<Reasons> {
        let Checks::Transactions(checks) = &self.checks else { return None };
        let mut reasons = Reasons::NONE;
        reasons.add(checks.duplicate);
        Some(reasons)
    }

    /// A cache for the hot path of this plan's times; it answers nothing when they are not ISO 8601.
    pub(crate) fn iso_cache(&self) -> IsoCache {
        let time = match &self.checks {
            Checks::Trades(checks) => &checks.time,
            Checks::Bars(checks) => &checks.time,
            Checks::Transactions(checks) => &checks.time,
        };
        match time.reading.format {
            Format::Iso { space, .. } => IsoCache::new(space, time.reading.naive_zone.clone()),
            Format::IsoOrEpoch(_) => IsoCache::new(false, time.reading.naive_zone.clone()),
            _ => IsoCache::default(),
        }
    }

    /// Everything that is wrong with `contract`, as `feed lint` tells it.
    pub fn faults(contract: &Contract) -> Vec<Refusal> {
        compile::compile(contract, &|_| true).1
    }
}
