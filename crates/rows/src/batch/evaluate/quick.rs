//! The quick path: rows whose values are taken as they stand from single columns and pass every check at once.
//! It answers false for anything else and leaves the batch as it was; then `row` decides and explains.

use super::super::{Batch, Names, TradeRow, TransactionRow, WIDE};
use super::{Evaluator, group, trade_id_hash};
use crate::cells::Cells;
use crate::currency;
use crate::decimal::{self, Decimal, Notation};
use crate::limits::FIELD_BYTES_MAX;
use crate::plan::{AmountForm, Checks, Id, Plan, RowOrder, TextSource};
use crate::row::{self, Status};

/// Which slots the quick path reads; None in `Evaluator` when the plan needs more than it can do.
#[derive(Debug, Clone)]
pub(super) enum Quick {
    Trades { symbol: Fixed, price: usize, volume: usize, time: usize, sequence: Option<usize>, trade_id: Option<usize> },
    Transactions { id: usize, amount: usize, currency: Fixed, time: usize, merchant: Fixed, status: Fixed },
}

/// The fields of a row as they stand in the input. All must be valid UTF-8 without NUL.
pub(crate) trait QuickFields<'a> {
    /// The text of a slot; None when it is not in the input as it stands.
    fn text(&self, slot: usize) -> Option<&'a [u8]>;

    /// The number of the name in a slot.
    #[inline(always)]
    fn name(&self, slot: usize, names: &mut Names) -> Option<u32> {
        Some(names.number(self.text(slot)?))
    }

    /// Appends the text of a slot, for whoever looks into the same input later.
    #[inline(always)]
    fn keep(&self, slot: usize, cells: &mut Cells) {
        cells.push_owned(self.text(slot).unwrap_or_default());
    }

    /// The plain number in a slot, in units of 1e-9; None when there is none to be had quickly.
    #[inline(always)]
    fn nano(&self, slot: usize) -> Option<i64> {
        decimal::quick(self.text(slot)?)
    }
}

/// A value that is taken from a slot as it stands, or is the same for every row.
#[derive(Debug, Clone)]
pub(super) enum Fixed {
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
    fn text<'a>(&'a self, fields: &impl QuickFields<'a>) -> Option<&'a [u8]> {
        match self {
            Fixed::Slot(slot) => fields.text(*slot),
            Fixed::Constant(value) => Some(value),
        }
    }

    #[inline(always)]
    fn number<'a>(&self, fields: &impl QuickFields<'a>, names: &mut Names) -> Option<u32> {
        match self {
            Fixed::Slot(slot) => fields.name(*slot, names),
            Fixed::Constant(value) => Some(names.number(value)),
        }
    }
}

impl Quick {
    pub fn of(plan: &Plan) -> Option<Quick> {
        if !plan.extras.is_empty() {
            return None;
        }
        match &plan.checks {
            Checks::Trades(checks) => Some(Quick::Trades {
                symbol: Fixed::of(&checks.symbol.source)?,
                price: checks.price.source.plain_slot()?,
                volume: checks.volume.source.plain_slot()?,
                time: checks.time.source.plain_slot()?,
                sequence: match &checks.sequence {
                    Some(sequence) => Some(sequence.source.plain_slot()?),
                    None => None,
                },
                trade_id: match &checks.trade_id {
                    Some(source) => Some(source.plain_slot()?),
                    None => None,
                },
            }),
            Checks::Transactions(checks) => {
                let (Id::Text(id), AmountForm::One(amount), None) =
                    (&checks.id, &checks.amount.form, &checks.amount.negative_when)
                else {
                    return None;
                };
                Some(Quick::Transactions {
                    id: id.source.plain_slot()?,
                    amount: amount.plain_slot()?,
                    currency: Fixed::of(&checks.currency.source)?,
                    time: checks.time.source.plain_slot()?,
                    merchant: Fixed::of(&checks.merchant.source)?,
                    status: Fixed::of(&checks.status.source)?,
                })
            }
            Checks::Bars(_) => None,
        }
    }
}

impl Evaluator<'_> {
    /// Takes the row if all its values are in order.
    #[inline(always)]
    pub fn quick<'a>(
        &'a mut self,
        fields: &impl QuickFields<'a>,
        span: (u32, u32),
        line: u64,
        batch: &mut Batch,
    ) -> bool {
        if (span.1 - span.0) as usize > FIELD_BYTES_MAX {
            return false;
        }
        match self.quick {
            Some(Quick::Trades { .. }) => self.quick_trade(fields, batch).is_some(),
            Some(Quick::Transactions { .. }) => self.quick_transaction(fields, span, line, batch).is_some(),
            None => false,
        }
    }

    #[inline(always)]
    fn quick_trade<'a>(&'a mut self, fields: &impl QuickFields<'a>, batch: &mut Batch) -> Option<()> {
        let Some(Quick::Trades { symbol, price, volume, time, sequence, trade_id }) = &self.quick else { return None };
        let Checks::Trades(checks) = &self.plan.checks else { return None };
        let price = number(fields, *price, &checks.price.notation).filter(|price| *price > 0)?;
        let volume = number(fields, *volume, &checks.volume.notation).filter(|volume| *volume >= 0)?;
        let time_text = fields.text(*time)?;
        let time = match self.iso.quick(time_text) {
            Some(time) if checks.time.reading.is_iso() => time,
            _ => checks.time.reading.parse(time_text).ok()?,
        };
        if symbol.text(fields)?.is_empty() {
            return None;
        }
        let sequence = match sequence {
            Some(slot) => row::whole(fields.text(*slot)?)?,
            None => 0,
        };
        let trade_id = match trade_id {
            Some(slot) => Some(fields.text(*slot)?),
            None => None,
        };
        let name = symbol.number(fields, &mut batch.names)?;
        if let Some(id) = trade_id {
            batch.trades.trade_ids.push(trade_id_hash(symbol.text(fields)?, id));
        }
        match self.plan.order {
            RowOrder::Position => {}
            RowOrder::Sequence => batch.trades.sequence.push(sequence),
            RowOrder::TradeId => batch.trades.sequence.push(trade_id.and_then(row::whole).unwrap_or(0)),
        }
        batch.trades.rows.push(TradeRow { time, price, volume, name });
        batch.counts.zero_volume += u64::from(volume == 0);
        batch.rows += 1;
        Some(())
    }

    #[inline(always)]
    fn quick_transaction<'a>(
        &'a mut self,
        fields: &impl QuickFields<'a>,
        span: (u32, u32),
        line: u64,
        batch: &mut Batch,
    ) -> Option<()> {
        let Some(Quick::Transactions { id, amount, currency, time, merchant, status }) = &self.quick else {
            return None;
        };
        let Checks::Transactions(checks) = &self.plan.checks else { return None };
        let id_text = fields.text(*id)?;
        let amount = number(fields, *amount, &checks.amount.notation)?;
        let currency = currency::check(currency.text(fields)?).ok()?;
        let time_text = fields.text(*time)?;
        let time = match self.iso.quick(time_text) {
            Some(time) if checks.time.reading.is_iso() => time,
            _ => checks.time.reading.parse(time_text).ok()?,
        };
        let status = Status::read(status.text(fields)?)?;
        if id_text.is_empty() || row::is_blank(merchant.text(fields)?) {
            return None;
        }
        let transactions = &mut batch.transactions;
        transactions.ids.push(xxhash_rust::xxh3::xxh3_128(id_text));
        fields.keep(*id, &mut transactions.id_text);
        transactions.id_owner.push(transactions.rows.len() as u32);
        transactions.rows.push(TransactionRow {
            amount,
            line,
            span,
            row: batch.rows,
            day: crate::time::day_of(time),
            merchant: merchant.number(fields, &mut batch.names)?,
            group: group(currency, status),
        });
        batch.counts.negative_amount += u64::from(amount < 0);
        batch.counts.zero_amount += u64::from(amount == 0);
        batch.rows += 1;
        Some(())
    }
}

/// In units of 1e-9, if it fits.
#[inline(always)]
fn number<'a>(fields: &impl QuickFields<'a>, slot: usize, notation: &Notation) -> Option<i64> {
    let quick = if notation.is_plain() { fields.nano(slot) } else { None };
    match quick {
        Some(nano) => Some(nano),
        None => notation.parse(fields.text(slot)?).ok().and_then(Decimal::nano),
    }
    .filter(|nano| *nano != WIDE)
}
