//! The quick path: rows whose values are taken as they stand from single columns and pass every check at once.
//! It answers false for anything else and leaves the batch as it was; then `row` decides and explains.

mod columns;

use super::super::{Batch, TradeRow, TransactionRow, WIDE, WorkerNames};
use super::{Evaluator, Place, group, trade_id_hash};
use crate::cells::Cells;
use crate::currency;
use crate::decimal::{self, Decimal, Notation};
use crate::plan::{AmountForm, Checks, Id, Plan, RowOrder, TextSource, Time, TradeChecks, TransactionChecks};
use crate::row::{self, Status};
use crate::time::{self, IsoCache, Reading};

pub(crate) use columns::{Columns, QuickRows};

/// Which slots the quick path reads; None in `Evaluator` when the plan needs more than it can do.
#[derive(Debug, Clone)]
pub(super) enum Quick {
    Trades(QuickTrades),
    Transactions(QuickTransactions),
}

#[derive(Debug, Clone)]
pub(super) struct QuickTrades {
    symbol: Fixed,
    price: Number,
    volume: Number,
    time: Moment,
    sequence: Option<usize>,
    trade_id: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct QuickTransactions {
    id: usize,
    amount: Number,
    currency: Fixed,
    time: Moment,
    merchant: Fixed,
    status: Fixed,
}

/// The fields of a row as they stand in the input. All must be valid UTF-8 without NUL, and none too long.
pub(crate) trait QuickFields<'a> {
    /// The field in a slot; None when it is not in the input as it stands.
    fn field(&self, slot: usize) -> Option<Field<'a>>;

    /// Appends a field to cells that are for the whole batch.
    #[inline(always)]
    fn keep(&self, field: Field<'a>, cells: &mut Cells) {
        cells.push_owned(field.text());
    }
}

/// A field as it stands: what is around it may be looked at, which is quicker than to mind its ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub around: &'a [u8],
    pub start: usize,
    pub end: usize,
}

impl<'a> Field<'a> {
    /// All of a text.
    fn whole(text: &'a [u8]) -> Self {
        Self { around: text, start: 0, end: text.len() }
    }

    #[inline(always)]
    pub fn text(self) -> &'a [u8] {
        &self.around[self.start..self.end]
    }

    #[inline(always)]
    fn is_empty(self) -> bool {
        self.start == self.end
    }

    #[inline(always)]
    fn number_in(self, names: &mut WorkerNames) -> u32 {
        names.number_at(self.around, self.start, self.end)
    }
}

/// A value that is taken from a slot as it stands, or is the same for every row.
#[derive(Debug, Clone)]
enum Fixed {
    Slot(usize),
    Constant(Vec<u8>),
}

impl Fixed {
    fn of(source: &TextSource) -> Option<Fixed> {
        match (source.plain_slot(), source.plain_constant()) {
            (Some(slot), _) => Some(Fixed::Slot(slot)),
            (None, Some(constant)) => Some(Fixed::Constant(constant.to_vec())),
            (None, None) => None,
        }
    }

    #[inline(always)]
    fn field<'a>(&'a self, fields: &impl QuickFields<'a>) -> Option<Field<'a>> {
        match self {
            Fixed::Slot(slot) => fields.field(*slot),
            Fixed::Constant(value) => Some(Field::whole(value)),
        }
    }
}

/// A number, and whether its contract has no say in how it is written.
#[derive(Debug, Clone, Copy)]
struct Number {
    slot: usize,
    plain: bool,
}

impl Number {
    fn of(slot: Option<usize>, notation: &Notation) -> Option<Number> {
        Some(Number { slot: slot?, plain: notation.is_plain() })
    }

    /// In units of 1e-9, if it fits.
    #[inline(always)]
    fn read<'a>(self, fields: &impl QuickFields<'a>, notation: &Notation) -> Option<i64> {
        self.read_field(fields.field(self.slot)?, notation)
    }

    /// The same of the field.
    fn read_field(self, field: Field<'_>, notation: &Notation) -> Option<i64> {
        let quick = if self.plain { decimal::quick_at(field.around, field.start, field.end) } else { None };
        let nano = quick.or_else(|| notation.parse(field.text()).ok().and_then(Decimal::nano));
        nano.filter(|nano| *nano != WIDE)
    }
}

/// A time, and whether it is written by ISO 8601.
#[derive(Debug, Clone, Copy)]
struct Moment {
    slot: usize,
    iso: bool,
}

impl Moment {
    fn of(check: &Time) -> Option<Moment> {
        Some(Moment { slot: check.source.plain_slot()?, iso: check.reading.is_iso() })
    }

    #[inline(always)]
    fn read<'a>(self, fields: &impl QuickFields<'a>, cache: &mut IsoCache, reading: &Reading) -> Option<i64> {
        let text = fields.field(self.slot)?.text();
        let quick = if self.iso { cache.quick(text) } else { None };
        quick.or_else(|| reading.parse(text).ok())
    }
}

impl Quick {
    pub fn of(plan: &Plan) -> Option<Quick> {
        if !plan.extras.is_empty() {
            return None;
        }
        match &plan.checks {
            Checks::Trades(checks) => Some(Quick::Trades(QuickTrades {
                symbol: Fixed::of(&checks.symbol.source)?,
                price: Number::of(checks.price.source.plain_slot(), &checks.price.notation)?,
                volume: Number::of(checks.volume.source.plain_slot(), &checks.volume.notation)?,
                time: Moment::of(&checks.time)?,
                sequence: match &checks.sequence {
                    Some(sequence) => Some(sequence.source.plain_slot()?),
                    None => None,
                },
                trade_id: match &checks.trade_id {
                    Some(source) => Some(source.plain_slot()?),
                    None => None,
                },
            })),
            Checks::Transactions(checks) => {
                let (Id::Text(id), AmountForm::One(amount), None) =
                    (&checks.id, &checks.amount.form, &checks.amount.negative_when)
                else {
                    return None;
                };
                Some(Quick::Transactions(QuickTransactions {
                    id: id.source.plain_slot()?,
                    amount: Number::of(amount.plain_slot(), &checks.amount.notation)?,
                    currency: Fixed::of(&checks.currency.source)?,
                    time: Moment::of(&checks.time)?,
                    merchant: Fixed::of(&checks.merchant.source)?,
                    status: Fixed::of(&checks.status.source)?,
                }))
            }
            Checks::Bars(_) => None,
        }
    }
}

impl Evaluator<'_> {
    /// Takes the row if all its values are in order.
    #[inline(always)]
    pub fn quick<'a>(&'a mut self, fields: &impl QuickFields<'a>, place: Place, batch: &mut Batch) -> bool {
        let Self { plan, quick, iso } = self;
        match (quick, &plan.checks) {
            (Some(Quick::Trades(quick)), Checks::Trades(checks)) => {
                let row = quick.read(fields, checks, iso, &mut batch.names);
                row.and_then(|row| quick.push(fields, row, plan, batch)).is_some()
            }
            (Some(Quick::Transactions(quick)), Checks::Transactions(checks)) => {
                let values = quick.read(fields, checks, iso, &mut batch.names);
                values.and_then(|values| quick.push(fields, values, place, batch)).is_some()
            }
            _ => false,
        }
    }
}

#[inline(always)]
fn is_symbol(text: &[u8]) -> bool {
    !text.is_empty()
}

#[inline(always)]
fn is_merchant(text: &[u8]) -> bool {
    !row::is_blank(text)
}

/// The hash of an id, which must be there.
#[inline(always)]
fn id_of(field: Field<'_>) -> Option<u128> {
    (!field.is_empty()).then(|| xxhash_rust::xxh3::xxh3_128(field.text()))
}

#[inline(always)]
fn group_of(currency: Field<'_>, status: Field<'_>) -> Option<u16> {
    Some(group(currency::check(currency.text()).ok()?, Status::read(status.text())?))
}

impl QuickTrades {
    #[inline(always)]
    fn symbol<'a>(&'a self, fields: &impl QuickFields<'a>) -> Option<Field<'a>> {
        self.symbol.field(fields).filter(|symbol| is_symbol(symbol.text()))
    }

    #[inline(always)]
    fn price<'a>(&self, fields: &impl QuickFields<'a>, checks: &TradeChecks) -> Option<i64> {
        self.price.read(fields, &checks.price.notation).filter(|price| *price > 0)
    }

    #[inline(always)]
    fn volume<'a>(&self, fields: &impl QuickFields<'a>, checks: &TradeChecks) -> Option<i64> {
        self.volume.read(fields, &checks.volume.notation).filter(|volume| *volume >= 0)
    }

    #[inline(always)]
    fn read<'a>(
        &'a self,
        fields: &impl QuickFields<'a>,
        checks: &TradeChecks,
        iso: &mut IsoCache,
        names: &mut WorkerNames,
    ) -> Option<TradeRow> {
        let (price, volume) = (self.price(fields, checks)?, self.volume(fields, checks)?);
        let time = self.time.read(fields, iso, &checks.time.reading)?;
        Some(TradeRow { time, price, volume, name: self.symbol(fields)?.number_in(names) })
    }

    /// Takes the row, if its sequence and trade id are in order as well.
    #[inline(always)]
    fn push<'a>(&'a self, fields: &impl QuickFields<'a>, row: TradeRow, plan: &Plan, batch: &mut Batch) -> Option<()> {
        let sequence = match self.sequence {
            Some(slot) => row::whole(fields.field(slot)?.text())?,
            None => 0,
        };
        let trade_id = match self.trade_id {
            Some(slot) => Some(fields.field(slot)?),
            None => None,
        };
        let trades = &mut batch.trades;
        if let Some(id) = trade_id {
            trades.trade_ids.push(trade_id_hash(self.symbol.field(fields)?.text(), id.text()));
            if plan.keeps_trade_ids {
                fields.keep(id, &mut trades.id_text);
            }
        }
        match plan.order {
            RowOrder::Position => {}
            RowOrder::Sequence => trades.sequence.push(sequence),
            RowOrder::TradeId => trades.sequence.push(trade_id.and_then(|id| row::whole(id.text())).unwrap_or(0)),
        }
        trades.rows.push(row);
        batch.counts.zero_volume += u64::from(row.volume == 0);
        batch.rows += 1;
        Some(())
    }
}

/// The values of a good transaction.
#[derive(Debug, Clone, Copy)]
struct Values {
    id: u128,
    amount: i64,
    time: i64,
    merchant: u32,
    group: u16,
}

impl QuickTransactions {
    #[inline(always)]
    fn id<'a>(&self, fields: &impl QuickFields<'a>) -> Option<u128> {
        fields.field(self.id).and_then(id_of)
    }

    /// Currency and status.
    #[inline(always)]
    fn group<'a>(&'a self, fields: &impl QuickFields<'a>) -> Option<u16> {
        group_of(self.currency.field(fields)?, self.status.field(fields)?)
    }

    #[inline(always)]
    fn merchant<'a>(&'a self, fields: &impl QuickFields<'a>) -> Option<Field<'a>> {
        self.merchant.field(fields).filter(|merchant| is_merchant(merchant.text()))
    }

    #[inline(always)]
    fn read<'a>(
        &'a self,
        fields: &impl QuickFields<'a>,
        checks: &TransactionChecks,
        iso: &mut IsoCache,
        names: &mut WorkerNames,
    ) -> Option<Values> {
        Some(Values {
            id: self.id(fields)?,
            amount: self.amount.read(fields, &checks.amount.notation)?,
            time: self.time.read(fields, iso, &checks.time.reading)?,
            group: self.group(fields)?,
            merchant: self.merchant(fields)?.number_in(names),
        })
    }

    #[inline(always)]
    fn push<'a>(
        &self,
        fields: &impl QuickFields<'a>,
        Values { id, amount, time, merchant, group }: Values,
        Place { span, line }: Place,
        batch: &mut Batch,
    ) -> Option<()> {
        let transactions = &mut batch.transactions;
        fields.keep(fields.field(self.id)?, &mut transactions.id_text);
        transactions.ids.push(id);
        transactions.id_owner.push(transactions.rows.len() as u32);
        let day = time::day_of(time);
        transactions.times.push(time);
        transactions.rows.push(TransactionRow { amount, line, span, row: batch.rows, day, merchant, group });
        batch.counts.negative_amount += u64::from(amount < 0);
        batch.counts.zero_amount += u64::from(amount == 0);
        batch.rows += 1;
        Some(())
    }
}
