//! Trades and bars become bars of one interval, and the oddities of their order and repetition are counted.

use super::bar_table::{BarTable, wide_numbers};
use super::repeats::Repeats;
use super::{MakeScratch, Settings, scratch_now};
use crate::batch::{BarRow, Batch, FileNames, Trades};
use crate::decimal::Decimal;
use crate::groups::{BarGroup, GroupOf, Groups};
use crate::plan::Plan;
use crate::time::Buckets;
use crate::{Result, groups};

/// A finished bar, as it is given out.
pub type BarLine = groups::BarGroup;

/// Bars in the making.
pub(crate) struct BarFold {
    names: FileNames,
    /// By number in `names`: the latest time seen.
    latest: Vec<i64>,
    table: Option<BarTable>,
    /// Budget of groups and names.
    memory: usize,
    rows: Repeats,
    trade_ids: Repeats,
    pub stats: OrderStats,
}

/// Oddities that are no faults.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct OrderStats {
    pub out_of_order: u64,
    pub exact_duplicate_rows: u64,
    pub repeated_trade_id: u64,
}

impl BarFold {
    pub fn new(plan: &Plan, settings: &Settings, scratch: &mut MakeScratch<'_>) -> Result<Self> {
        let memory = settings.memory / 5 * 3;
        let table = match settings.interval {
            None => None,
            Some(interval) => {
                let groups = Groups::new(memory, Some(scratch_now(scratch)?));
                Some(BarTable::new(groups, Buckets::new(interval, plan.bars_zone.clone()), 0))
            }
        };
        Ok(Self {
            names: FileNames::default(),
            latest: Vec::new(),
            table,
            memory,
            rows: Repeats::default(),
            trade_ids: Repeats::default(),
            stats: OrderStats::default(),
        })
    }

    /// The names of all instruments so far.
    pub fn file_names(&mut self) -> &mut FileNames {
        &mut self.names
    }

    pub fn add(&mut self, batch: &mut Batch) -> Result<()> {
        let numbers = self.names.of(&mut batch.names);
        let Batch { trades, bars, .. } = batch;
        self.latest.resize(self.names.names.len(), i64::MIN);
        let times = trades.rows.iter().map(|trade| (trade.name, trade.time));
        self.stats.out_of_order += turns_back(&mut self.latest, times, numbers);
        self.stats.out_of_order += turns_back(&mut self.latest, bars.iter().map(|bar| (bar.name, bar.time)), numbers);
        watch_trades(&mut self.rows, trades, numbers);
        watch_bars(&mut self.rows, bars, numbers);
        trades.trade_ids.iter().for_each(|id| self.trade_ids.look(*id as u64));
        let mut in_memory = false;
        if let Some(table) = &mut self.table {
            table.add(trades, bars, numbers, &self.names.names)?;
            table.keep_within_budget(&self.names.names)?;
            in_memory = table.groups.has_some();
        }
        if !in_memory && self.names.names.memory() > self.memory / 4 {
            // Endless distinct instruments: forget them. Their order is then judged afresh.
            self.names.forget();
            self.latest.clear();
        }
        Ok(())
    }

    /// Counts the rows and trade ids that came before.
    pub fn end(&mut self) {
        self.stats.exact_duplicate_rows = self.rows.count();
        self.stats.repeated_trade_id = self.trade_ids.count();
    }

    /// Gives every bar, sorted by instrument and start.
    pub fn finish(self, mut each: impl FnMut(&[u8], i64, &BarLine) -> Result<()>) -> Result<()> {
        let Some(table) = self.table else { return Ok(()) };
        table.groups.finish(&self.names.names, self.memory, |of, group| each(of.name, of.bucket, group))
    }

    /// Writes a line of every bar, in the same order.
    pub fn print(
        self,
        threads: usize,
        line: impl Fn(&[u8], i64, &BarLine, &mut Vec<u8>) + Sync,
        take: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
    ) -> Result<()> {
        let Some(table) = self.table else { return Ok(()) };
        let line = |of: GroupOf<'_>, group: &BarGroup, text: &mut Vec<u8>| line(of.name, of.bucket, group, text);
        table.groups.print(&self.names.names, self.memory, threads, line, take)
    }
}

/// How many rows, each a name and a time, are earlier than one before them.
fn turns_back(latest: &mut [i64], rows: impl Iterator<Item = (u32, i64)>, numbers: &[u32]) -> u64 {
    rows.map(|(name, time)| {
        let latest = &mut latest[numbers[name as usize] as usize];
        let earlier = time < *latest;
        *latest = time.max(*latest);
        u64::from(earlier)
    })
    .sum()
}

fn watch_trades(rows: &mut Repeats, trades: &Trades, numbers: &[u32]) {
    if !rows.wants_more() {
        return;
    }
    let mut wide = trades.wide.iter();
    for trade in &trades.rows {
        let (price, volume) = match wide_numbers(trade, &mut wide) {
            None => (trade.price.unsigned_abs(), trade.volume.unsigned_abs()),
            Some([price, volume]) => (fold_units(price), fold_units(volume)),
        };
        rows.look(hash_of([u64::from(numbers[trade.name as usize]), trade.time as u64, price, volume]));
    }
}

fn watch_bars(rows: &mut Repeats, bars: &[BarRow], numbers: &[u32]) {
    if !rows.wants_more() {
        return;
    }
    for bar in bars {
        let [open, high, low, close] = bar.prices.map(fold_units);
        let prices = mix(mix(open, high), mix(low, close));
        let name = u64::from(numbers[bar.name as usize]);
        rows.look(hash_of([name, bar.time as u64, prices, fold_units(bar.volume)]));
    }
}

#[inline]
fn hash_of(row: [u64; 4]) -> u64 {
    mix(mix(row[0], row[1]), mix(row[2], row[3].rotate_left(17)))
}

fn fold_units(number: Decimal) -> u64 {
    let units = number.units();
    mix(units as u64, (units >> 64) as u64)
}

#[inline]
fn mix(left: u64, right: u64) -> u64 {
    let folded = u128::from(left ^ 0xA076_1D64_78BD_642F) * u128::from(right ^ 0xE703_7ED1_A0B4_28DB);
    (folded as u64) ^ (folded >> 64) as u64
}
