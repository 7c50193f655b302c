//! From the values of a row to an entry in a batch. The quick path takes rows with nothing odd about them; whatever
//! it does not take goes to `row`, which explains.

mod quick;

use super::{BarRow, Batch, Detail, REFUSED, Reject, TradeRow, TransactionRow, WIDE, names};
use crate::currency::Currency;
use crate::decimal::Decimal;
use crate::limits::{FIELD_BYTES_MAX, REJECTS_LISTED_MAX, VALUE_SHOWN_CHARS_MAX};
use crate::plan::{Checks, Fetched, Plan, RowOrder};
use crate::reason::{ReasonId, Reasons, structure};
use crate::row::{self, Status};
use crate::time;

use quick::Quick;
pub(crate) use quick::{Columns, Field, QuickFields, QuickRows};

/// Evaluates rows against one plan. Holds nothing that outlives a row but caches.
pub(crate) struct Evaluator<'p> {
    pub plan: &'p Plan,
    quick: Option<Quick>,
    iso: time::IsoCache,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub span: (u32, u32),
    pub line: u64,
}

impl<'p> Evaluator<'p> {
    pub fn new(plan: &'p Plan) -> Self {
        Self { plan, quick: Quick::of(plan), iso: plan.iso_cache() }
    }

    /// Whether `quick` can take rows of this plan at all.
    pub fn has_quick(&self) -> bool {
        self.quick.is_some()
    }

    /// Takes a row whose structure was sound, with every reason that speaks against it.
    pub fn row(&mut self, fetched: Fetched<'_>, place: Place, batch: &mut Batch) {
        let values = || (0..fetched.cells.len()).map(|slot| fetched.slot(slot));
        let faults = values().fold(Reasons::NONE, |all, value| all.with(value_faults(value)));
        if !faults.is_empty() {
            // Of each fault the first value that has it.
            let first = |reason| values().find(|value| value_faults(value).iter().any(|fault| fault == reason));
            let told = |reason| (reason, shown(first(reason).unwrap_or_default()));
            self.tell(faults, told, batch);
            push_reject(faults, place, batch);
            return;
        }
        let mut reasons = Reasons::NONE;
        match &self.plan.checks {
            Checks::Trades(_) => self.trade(fetched, &mut reasons, batch),
            Checks::Bars(_) => self.bar(fetched, &mut reasons, batch),
            Checks::Transactions(_) => self.transaction(fetched, &mut reasons, place, batch),
        }
        if reasons.is_empty() {
            batch.rows += 1;
        } else {
            let told = |reason| {
                let column = self.plan.reasons.get(reason).column.as_deref().unwrap_or_default();
                (reason, shown(&self.plan.shown_value(column, fetched)))
            };
            self.tell(reasons, told, batch);
            push_reject(reasons, place, batch);
        }
    }

    /// Takes a row that cannot be read; no value of it is looked at. `raw` is the row as it stands.
    pub fn refuse(&self, reasons: Reasons, place: Place, raw: &[u8], batch: &mut Batch) {
        self.tell(reasons, |reason| (reason, shown(raw)), batch);
        push_reject(reasons, place, batch);
    }

    /// Keeps what a report shows of a refused row, for as many as it lists.
    fn tell(&self, reasons: Reasons, told: impl Fn(ReasonId) -> (ReasonId, String), batch: &mut Batch) {
        if batch.details.len() < REJECTS_LISTED_MAX {
            batch.details.push(Detail { values: reasons.iter().map(told).collect() });
        }
    }

    fn trade(&mut self, fetched: Fetched<'_>, reasons: &mut Reasons, batch: &mut Batch) {
        let Checks::Trades(checks) = &self.plan.checks else { return };
        let trade = row::trade(checks, fetched, reasons);
        row::extras(&self.plan.extras, fetched, reasons);
        let volume = trade.volume.unwrap_or_default();
        batch.counts.zero_volume += u64::from(trade.volume == Some(Decimal::ZERO));
        let trades = &mut batch.trades;
        if let Some(id) = &trade.trade_id {
            trades.trade_ids.push(trade_id_hash(&trade.symbol, id));
        }
        if !reasons.is_empty() {
            return;
        }
        let (price, volume) = match (trade.price.nano(), volume.nano()) {
            (Some(price), Some(volume)) if price != WIDE => (price, volume),
            _ => {
                trades.wide.push((trades.rows.len() as u32, [trade.price, volume]));
                (WIDE, 0)
            }
        };
        trades.rows.push(TradeRow { time: trade.time, price, volume, name: batch.names.number(&trade.symbol) });
        if let (true, Some(id)) = (self.plan.keeps_trade_ids, &trade.trade_id) {
            trades.id_text.push_owned(id);
        }
        match self.plan.order {
            RowOrder::Position => {}
            RowOrder::Sequence => trades.sequence.push(trade.sequence),
            RowOrder::TradeId => {
                let number = trade.trade_id.as_deref().and_then(row::whole).unwrap_or(0);
                trades.sequence.push(number);
            }
        }
    }

    fn bar(&mut self, fetched: Fetched<'_>, reasons: &mut Reasons, batch: &mut Batch) {
        let Checks::Bars(checks) = &self.plan.checks else { return };
        let bar = row::bar(checks, fetched, reasons);
        row::extras(&self.plan.extras, fetched, reasons);
        batch.counts.zero_volume += u64::from(bar.volume == Some(Decimal::ZERO));
        if let (Some(volume), true) = (bar.volume, reasons.is_empty()) {
            let name = batch.names.number(&bar.symbol);
            let sequence = if self.plan.order == RowOrder::Sequence { bar.sequence } else { 0 };
            batch.bars.push(BarRow { name, time: bar.time, sequence, prices: bar.prices, volume });
        }
    }

    fn transaction(&mut self, fetched: Fetched<'_>, reasons: &mut Reasons, place: Place, batch: &mut Batch) {
        let Checks::Transactions(checks) = &self.plan.checks else { return };
        let transaction = row::transaction(checks, fetched, reasons);
        row::extras(&self.plan.extras, fetched, reasons);
        batch.counts.negative_amount += u64::from(transaction.amount.is_some_and(|amount| amount < Decimal::ZERO));
        batch.counts.zero_amount += u64::from(transaction.amount == Some(Decimal::ZERO));
        let row = batch.rows;
        let transactions = &mut batch.transactions;
        if let Some(id) = transaction.id.as_deref().filter(|id| !id.is_empty()) {
            let owner =
                if reasons.is_empty() { transactions.rows.len() as u32 } else { batch.rejects.len() as u32 | REFUSED };
            transactions.ids.push(xxhash_rust::xxh3::xxh3_128(id));
            transactions.id_text.push_owned(id);
            transactions.id_owner.push(owner);
        }
        let (true, Some(amount), Some(currency), Some(status)) =
            (reasons.is_empty(), transaction.amount, transaction.currency, transaction.status)
        else {
            return;
        };
        let amount = amount.nano().filter(|nano| *nano != WIDE).unwrap_or_else(|| {
            transactions.wide.push((transactions.rows.len() as u32, amount));
            WIDE
        });
        transactions.times.push(transaction.time);
        transactions.rows.push(TransactionRow {
            amount,
            line: place.line,
            span: place.span,
            row,
            day: time::day_of(transaction.time),
            merchant: batch.names.number(&transaction.merchant),
            group: group(currency, status),
        });
    }
}

/// What no value may be, whatever its column is.
fn value_faults(value: &[u8]) -> Reasons {
    let mut faults = Reasons::NONE;
    if value.len() > FIELD_BYTES_MAX {
        faults.add(structure::FIELD_TOO_LONG);
    }
    if memchr::memchr(0, value).is_some() {
        faults.add(structure::NUL_BYTE);
    }
    if std::str::from_utf8(value).is_err() {
        faults.add(structure::INVALID_UTF8);
    }
    faults
}

fn push_reject(reasons: Reasons, place: Place, batch: &mut Batch) {
    let Place { span, line } = place;
    batch.rejects.push(Reject { row: batch.rows, span, line, reasons });
    batch.rows += 1;
}

/// Currency and status as one number, which sorts as they do.
#[inline]
fn group(currency: Currency, status: Status) -> u16 {
    (currency.index() as u16) << 2 | status as u16
}

/// Instrument and trade id as one hash; the length keeps `("ab", "c")` and `("a", "bc")` apart.
pub(super) fn trade_id_hash(symbol: &[u8], id: &[u8]) -> u128 {
    let seed = names::hash(symbol) ^ (symbol.len() as u64).rotate_left(32);
    xxhash_rust::xxh3::xxh3_128_with_seed(id, seed)
}

/// A value as reports show it: cut, control characters escaped.
pub(crate) fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&value[..value.len().min(VALUE_SHOWN_CHARS_MAX * 4 + 4)]);
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == VALUE_SHOWN_CHARS_MAX {
            shown.push('…');
            break;
        }
        match character {
            '\u{20}'.. if !character.is_control() => shown.push(character),
            _ => shown.extend(character.escape_default()),
        }
    }
    shown
}
