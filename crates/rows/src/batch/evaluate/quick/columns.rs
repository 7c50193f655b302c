//! The quick path for many rows at a time, column by column: short loops that do one thing are quicker than a long one
//! that does all.

use std::ops::Range;

use super::super::{Evaluator, Place, trade_id_hash};
use super::{
    Field, Fixed, Moment, Number, Quick, QuickTrades, QuickTransactions, group_of, id_of, is_merchant, is_symbol,
};
use crate::batch::{Batch, Sought, TradeRow, TransactionRow, Transactions, WorkerNames};
use crate::cells::Cells;
use crate::decimal::{self, Notation};
use crate::plan::{Checks, Plan, RowOrder, TradeChecks, TransactionChecks};
use crate::row;
use crate::time::{self, IsoCache, Reading};

/// Many rows whose fields are as those of `QuickFields`.
pub(crate) trait QuickRows<'a> {
    type Row: 'a;

    fn rows(&self) -> &'a [Self::Row];

    /// What the fields in a slot are found by.
    fn column(&self, slot: usize) -> u32;

    /// A field; None when it is not in the input as it stands.
    fn field(&self, row: &Self::Row, column: u32) -> Option<Field<'a>>;

    /// Puts the text of a field that is there, but not as it stands, in place of what is in `into`.
    fn other_text(&self, row: &Self::Row, column: u32, into: &mut Vec<u8>) -> bool;
}

/// What was read of many rows, reused from piece to piece.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    /// Whether all values of the row are in order; if not, it does not matter what the other columns hold.
    fine: Vec<bool>,
    trades: Vec<TradeRow>,
    /// What trades are ordered by, if that is not their place.
    sequence: Vec<u64>,
    trade_ids: Vec<u128>,
    transactions: Vec<TransactionRow>,
    times: Vec<i64>,
    ids: Vec<u128>,
}

impl Columns {
    /// Begins anew: as many rows are fine as were asked for.
    fn begin(&mut self, rows: usize) {
        self.fine.clear();
        self.fine.resize(rows, true);
        self.sequence.clear();
        self.trade_ids.clear();
    }

    /// The first of these rows that is not fine.
    pub fn first_not_fine(&self, rows: Range<usize>) -> Option<usize> {
        self.fine[rows.clone()].iter().position(|fine| !fine).map(|row| rows.start + row)
    }
}

impl Evaluator<'_> {
    /// Reads rows; `take` then takes those that are fine.
    pub fn read_columns<'a>(&'a mut self, rows: &impl QuickRows<'a>, names: &mut WorkerNames, columns: &mut Columns) {
        columns.begin(rows.rows().len());
        let Self { plan, quick, iso } = self;
        match (quick, &plan.checks) {
            (Some(Quick::Trades(quick)), Checks::Trades(checks)) => {
                quick.read_columns(rows, checks, iso, plan, names, columns);
            }
            (Some(Quick::Transactions(quick)), Checks::Transactions(checks)) => {
                quick.read_columns(rows, checks, iso, names, columns);
            }
            _ => columns.fine.fill(false),
        }
    }

    /// Takes those of the rows read, all of which are fine. `place` tells where each stands.
    pub fn take<'a>(
        &self,
        columns: &Columns,
        taken: Range<usize>,
        rows: &impl QuickRows<'a>,
        place: impl FnMut(usize) -> Place,
        batch: &mut Batch,
    ) {
        match &self.quick {
            Some(Quick::Trades(quick)) => quick.take(columns, taken, rows, self.plan, batch),
            Some(Quick::Transactions(quick)) => quick.take(columns, taken, rows, place, batch),
            None => {}
        }
    }
}

/// One column of many rows: `part` tells where in `values` it goes. A row of which there is no value is not fine.
#[inline(always)]
fn fill<'a, R: QuickRows<'a>, V, T>(
    rows: &R,
    slot: usize,
    fine: &mut [bool],
    values: &mut [V],
    part: impl Fn(&mut V) -> &mut T,
    mut read: impl FnMut(Field<'a>) -> Option<T>,
) {
    let column = rows.column(slot);
    for (row, (fine, value)) in rows.rows().iter().zip(fine.iter_mut().zip(values)) {
        match rows.field(row, column) {
            Some(field) => match read(field) {
                Some(read) => *part(value) = read,
                None => *fine = false,
            },
            None => *fine = false,
        }
    }
}

/// Where a value that may be the same for every row is found.
#[derive(Clone, Copy)]
enum Found<'a> {
    Column(u32),
    Constant(&'a [u8]),
}

impl Fixed {
    fn found_in<'a>(&'a self, rows: &impl QuickRows<'a>) -> Found<'a> {
        match self {
            Fixed::Slot(slot) => Found::Column(rows.column(*slot)),
            Fixed::Constant(text) => Found::Constant(text),
        }
    }
}

impl<'a> Found<'a> {
    #[inline(always)]
    fn field<R: QuickRows<'a>>(self, rows: &R, row: &R::Row) -> Option<Field<'a>> {
        match self {
            Found::Column(column) => rows.field(row, column),
            Found::Constant(text) => Some(Field::whole(text)),
        }
    }
}

impl Number {
    /// As `fill`, in units of 1e-9; a row is not fine if its number is not `wanted`.
    #[inline(always)]
    fn fill<'a, V>(
        self,
        rows: &impl QuickRows<'a>,
        fine: &mut [bool],
        values: &mut [V],
        part: impl Fn(&mut V) -> &mut i64,
        notation: &Notation,
        wanted: impl Fn(i64) -> bool,
    ) {
        if !self.plain {
            let read = |field| self.read_field(field, notation).filter(|nano| wanted(*nano));
            return fill(rows, self.slot, fine, values, part, read);
        }
        fill(rows, self.slot, fine, values, part, |field: Field<'a>| {
            let nano = match decimal::quick_short(field.around, field.start, field.end) {
                Some(nano) => nano,
                None => self.read_field(field, notation)?,
            };
            wanted(nano).then_some(nano)
        });
    }
}

impl Moment {
    /// As `fill`.
    #[inline(always)]
    fn fill<'a, V>(
        self,
        rows: &impl QuickRows<'a>,
        fine: &mut [bool],
        values: &mut [V],
        part: impl Fn(&mut V) -> &mut i64,
        cache: &mut IsoCache,
        reading: &Reading,
    ) {
        if !self.iso {
            return fill(rows, self.slot, fine, values, part, |field| reading.parse(field.text()).ok());
        }
        fill(rows, self.slot, fine, values, part, |field| match cache.quick(field.text()) {
            Some(time) => Some(time),
            None => reading.parse(field.text()).ok(),
        });
    }
}

/// Names that are looked for at a time.
const NAMES_AHEAD: usize = 64;

/// The column of names, as `fill`: `put` is told each row and the number of its name. A row is not fine if its name is
/// not `wanted`.
#[inline(always)]
fn fill_names<'a>(
    name: &'a Fixed,
    rows: &impl QuickRows<'a>,
    fine: &mut [bool],
    names: &mut WorkerNames,
    wanted: impl Fn(&[u8]) -> bool,
    mut put: impl FnMut(usize, u32),
) {
    let slot = match name {
        Fixed::Slot(slot) => *slot,
        Fixed::Constant(text) if wanted(text) => {
            let number = names.number(text);
            return (0..fine.len()).for_each(|row| put(row, number));
        }
        Fixed::Constant(_) => return fine.fill(false),
    };
    if names.are_near() {
        return each_name(rows, slot, fine, names, wanted, &mut put, |names, put, field, row| {
            put(row, field.number_in(names));
        });
    }
    let (mut sought, mut count, mut buffer) = ([Sought::default(); NAMES_AHEAD], 0, [].as_slice());
    each_name(rows, slot, fine, names, wanted, &mut put, |names, put, Field { around, start, end }, row| {
        sought[count] = Sought::at(around, start, end, row);
        buffer = around;
        count += 1;
        if count == NAMES_AHEAD {
            names.numbers(buffer, &sought, &mut *put);
            count = 0;
        }
    });
    names.numbers(buffer, &sought[..count], put);
}

/// Gives the names that stand in the input to `take`, and `put` the numbers of those that are there in another way.
#[inline(always)]
fn each_name<'a, P: FnMut(usize, u32)>(
    rows: &impl QuickRows<'a>,
    slot: usize,
    fine: &mut [bool],
    names: &mut WorkerNames,
    wanted: impl Fn(&[u8]) -> bool,
    put: &mut P,
    mut take: impl FnMut(&mut WorkerNames, &mut P, Field<'a>, usize),
) {
    let (column, mut other) = (rows.column(slot), Vec::new());
    for (row, (one, fine)) in rows.rows().iter().zip(fine).enumerate() {
        match rows.field(one, column) {
            Some(field) if wanted(field.text()) => take(names, put, field, row),
            None if rows.other_text(one, column, &mut other) && wanted(&other) => put(row, names.number(&other)),
            _ => *fine = false,
        }
    }
}

/// Keeps the fields of some rows, all of which are there, in cells that are for the whole batch.
#[inline(always)]
fn keep<'a>(rows: &impl QuickRows<'a>, slot: usize, taken: Range<usize>, cells: &mut Cells) {
    let column = rows.column(slot);
    for row in &rows.rows()[taken] {
        if let Some(field) = rows.field(row, column) {
            cells.push_span(field.start, field.end);
        }
    }
}

impl QuickTrades {
    fn read_columns<'a>(
        &'a self,
        rows: &impl QuickRows<'a>,
        checks: &TradeChecks,
        iso: &mut IsoCache,
        plan: &Plan,
        names: &mut WorkerNames,
        Columns { fine, trades, sequence, trade_ids, .. }: &mut Columns,
    ) {
        let count = rows.rows().len();
        trades.resize(count, TradeRow::default());
        self.price.fill(rows, fine, trades, |trade| &mut trade.price, &checks.price.notation, |price| price > 0);
        self.volume.fill(rows, fine, trades, |trade| &mut trade.volume, &checks.volume.notation, |volume| volume >= 0);
        self.time.fill(rows, fine, trades, |trade| &mut trade.time, iso, &checks.time.reading);
        fill_names(&self.symbol, rows, fine, names, is_symbol, |row, name| trades[row].name = name);
        if let Some(slot) = self.sequence {
            sequence.resize(count, 0);
            fill(rows, slot, fine, sequence, |number| number, |field| row::whole(field.text()));
        }
        let Some(slot) = self.trade_id else { return };
        if plan.order == RowOrder::TradeId {
            sequence.resize(count, 0);
            fill(rows, slot, fine, sequence, |number| number, |id| Some(row::whole(id.text()).unwrap_or(0)));
        }
        trade_ids.resize(count, 0);
        match &self.symbol {
            Fixed::Constant(symbol) => {
                fill(rows, slot, fine, trade_ids, |hash| hash, |id| Some(trade_id_hash(symbol, id.text())));
            }
            Fixed::Slot(symbol) => {
                let (symbol, id) = (rows.column(*symbol), rows.column(slot));
                for (row, (fine, hash)) in rows.rows().iter().zip(fine.iter_mut().zip(trade_ids)) {
                    match rows.field(row, symbol).zip(rows.field(row, id)) {
                        Some((symbol, id)) => *hash = trade_id_hash(symbol.text(), id.text()),
                        None => *fine = false,
                    }
                }
            }
        }
    }

    fn take<'a>(
        &self,
        columns: &Columns,
        taken: Range<usize>,
        rows: &impl QuickRows<'a>,
        plan: &Plan,
        batch: &mut Batch,
    ) {
        let (new, trades) = (&columns.trades[taken.clone()], &mut batch.trades);
        trades.rows.extend_from_slice(new);
        if plan.order != RowOrder::Position {
            trades.sequence.extend_from_slice(&columns.sequence[taken.clone()]);
        }
        if let Some(slot) = self.trade_id {
            trades.trade_ids.extend_from_slice(&columns.trade_ids[taken.clone()]);
            if plan.keeps_trade_ids {
                keep(rows, slot, taken, &mut trades.id_text);
            }
        }
        batch.counts.zero_volume += new.iter().filter(|trade| trade.volume == 0).count() as u64;
        batch.rows += new.len() as u32;
    }
}

impl QuickTransactions {
    fn read_columns<'a>(
        &'a self,
        rows: &impl QuickRows<'a>,
        checks: &TransactionChecks,
        iso: &mut IsoCache,
        names: &mut WorkerNames,
        Columns { fine, transactions, times, ids, .. }: &mut Columns,
    ) {
        let count = rows.rows().len();
        transactions.resize(count, TransactionRow::default());
        times.resize(count, 0);
        ids.resize(count, 0);
        fill(rows, self.id, fine, ids, |id| id, id_of);
        self.amount.fill(rows, fine, transactions, |row| &mut row.amount, &checks.amount.notation, |_| true);
        self.time.fill(rows, fine, times, |time| time, iso, &checks.time.reading);
        let (currency, status) = (self.currency.found_in(rows), self.status.found_in(rows));
        for (row, (fine, new)) in rows.rows().iter().zip(fine.iter_mut().zip(&mut *transactions)) {
            let group = currency.field(rows, row).zip(status.field(rows, row));
            match group.and_then(|(currency, status)| group_of(currency, status)) {
                Some(group) => new.group = group,
                None => *fine = false,
            }
        }
        fill_names(&self.merchant, rows, fine, names, is_merchant, |row, name| transactions[row].merchant = name);
    }

    fn take<'a>(
        &self,
        columns: &Columns,
        taken: Range<usize>,
        rows: &impl QuickRows<'a>,
        mut place: impl FnMut(usize) -> Place,
        batch: &mut Batch,
    ) {
        let Transactions { rows: kept, times, ids, id_text, id_owner, .. } = &mut batch.transactions;
        let new = &columns.transactions[taken.clone()];
        keep(rows, self.id, taken.clone(), id_text);
        ids.extend_from_slice(&columns.ids[taken.clone()]);
        times.extend_from_slice(&columns.times[taken.clone()]);
        id_owner.extend(kept.len() as u32..(kept.len() + new.len()) as u32);
        let times = &columns.times[taken.clone()];
        kept.extend(taken.zip(batch.rows..).zip(new.iter().zip(times)).map(|((number, row), (new, time))| {
            let Place { span, line } = place(number);
            TransactionRow { line, span, row, day: time::day_of(*time), ..*new }
        }));
        batch.counts.negative_amount += new.iter().filter(|row| row.amount < 0).count() as u64;
        batch.counts.zero_amount += new.iter().filter(|row| row.amount == 0).count() as u64;
        batch.rows += new.len() as u32;
    }
}
