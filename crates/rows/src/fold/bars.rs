//! Trades and bars become bars of one interval, and the oddities of their order and repetition are counted.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::slice::Iter;

use super::{MakeScratch, Settings, scratch_now};
use crate::batch::{BarRow, Batch, FileNames, TradeRow, Trades, WIDE};
use crate::decimal::Decimal;
use crate::groups::{BarGroup, GroupOf, Groups, Key, sum_out_of_range};
use crate::limits::REPEATS_ROWS_MAX;
use crate::plan::Plan;
use crate::time::{Buckets, Interval};
use crate::{Result, groups};

/// A finished bar, as it is given out.
pub type BarLine = groups::BarGroup;

/// Bars in the making.
pub(crate) struct BarFold {
    names: FileNames,
    /// By number in `names`.
    instruments: Vec<Instrument>,
    table: Option<Table>,
    /// Budget of groups and names.
    memory: usize,
    repeats: Repeats,
    pub stats: OrderStats,
}

struct Table {
    groups: Groups<BarGroup>,
    buckets: Buckets,
}

/// Oddities that are no faults.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct OrderStats {
    pub out_of_order: u64,
    pub exact_duplicate_rows: u64,
    pub repeated_trade_id: u64,
}

/// Rows seen so far, as hashes, up to a limit.
#[derive(Default)]
struct Repeats {
    rows: HashSet<u64, BuildHasherDefault<AsItIs>>,
    trade_ids: HashSet<u64, BuildHasherDefault<AsItIs>>,
    looked_at: usize,
    ids_looked_at: usize,
}

/// What is hashed already needs no hashing.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What is known of an instrument while rows come.
#[derive(Debug, Clone, Copy)]
struct Instrument {
    /// Latest time seen.
    latest: i64,
    /// Start and position of the bar that the last row went to.
    start: i64,
    position: u32,
}

/// As a start: no bar is known.
const NOWHERE: i64 = i64::MAX;

impl Instrument {
    const NEW: Instrument = Instrument { latest: i64::MIN, start: NOWHERE, position: 0 };

    /// Takes note of a row; 1 if one before it was later, otherwise 0.
    #[inline]
    fn turns_back(&mut self, time: i64) -> u64 {
        let earlier = u64::from(time < self.latest);
        self.latest = time.max(self.latest);
        earlier
    }
}

/// The numbers of a trade that are in the side table.
#[inline(always)]
pub(crate) fn wide_numbers(trade: &TradeRow, wide: &mut Iter<'_, (u32, [Decimal; 2])>) -> Option<[Decimal; 2]> {
    match trade.price {
        WIDE => wide.next().map(|(_, numbers)| *numbers),
        _ => None,
    }
}

impl BarFold {
    pub fn new(plan: &Plan, settings: &Settings, scratch: &mut MakeScratch<'_>) -> Result<Self> {
        let memory = settings.memory / 5 * 3;
        let table = match settings.interval {
            None => None,
            Some(interval) => Some(Table::new(interval, plan, memory, scratch)?),
        };
        Ok(Self {
            names: FileNames::default(),
            instruments: Vec::new(),
            table,
            memory,
            repeats: Repeats::default(),
            stats: OrderStats::default(),
        })
    }

    /// The names of all instruments so far.
    pub fn file_names(&mut self) -> &mut FileNames {
        &mut self.names
    }

    pub fn add(&mut self, batch: &mut Batch) -> Result<()> {
        let names = self.names.of(&mut batch.names);
        self.instruments.resize(self.names.names.len(), Instrument::NEW);
        self.add_trades(&batch.trades, names)?;
        self.add_bars(&batch.bars, names)?;
        for id in &batch.trades.trade_ids {
            if self.repeats.ids_looked_at < REPEATS_ROWS_MAX {
                self.repeats.ids_looked_at += 1;
                self.stats.repeated_trade_id += u64::from(!self.repeats.trade_ids.insert(*id as u64));
            }
        }
        if let Some(table) = &mut self.table
            && table.groups.keep_within_budget(&self.names.names)?
        {
            self.instruments.iter_mut().for_each(|instrument| instrument.start = NOWHERE);
        }
        let in_memory = self.table.as_ref().is_some_and(|table| table.groups.has_some());
        if !in_memory && self.names.names.memory() > self.memory / 4 {
            // Endless distinct instruments: forget them. Their order is then judged afresh.
            self.names.forget();
            self.instruments.clear();
        }
        Ok(())
    }

    fn add_trades(&mut self, trades: &Trades, names: &[u32]) -> Result<()> {
        self.watch_trades(trades, names);
        let Self { instruments, stats, table, .. } = self;
        let Some(table) = table else {
            for trade in &trades.rows {
                let instrument = &mut instruments[names[trade.name as usize] as usize];
                stats.out_of_order += instrument.turns_back(trade.time);
            }
            return Ok(());
        };
        let mut wide = trades.wide.iter();
        let mut fits = true;
        for (row, trade) in trades.rows.iter().enumerate() {
            let name = names[trade.name as usize];
            let instrument = &mut instruments[name as usize];
            stats.out_of_order += instrument.turns_back(trade.time);
            let group = table.group(name, trade.time, instrument);
            let at = (trade.time, trades.sequence.get(row).copied().unwrap_or(0));
            fits &= match wide_numbers(trade, &mut wide) {
                None => group.add(at, [trade.price; 4], trade.volume),
                Some([price, volume]) => group.add_wide(at, [price; 4], volume),
            };
        }
        if fits { Ok(()) } else { Err(sum_out_of_range()) }
    }

    /// Looks for rows that came before.
    fn watch_trades(&mut self, trades: &Trades, names: &[u32]) {
        let mut wide = trades.wide.iter();
        for trade in &trades.rows {
            if self.repeats.looked_at >= REPEATS_ROWS_MAX {
                return;
            }
            let (price, volume) = match wide_numbers(trade, &mut wide) {
                None => (trade.price.unsigned_abs(), trade.volume.unsigned_abs()),
                Some([price, volume]) => (fold_units(price), fold_units(volume)),
            };
            self.watch_repeats([u64::from(names[trade.name as usize]), trade.time as u64, price, volume]);
        }
    }

    fn add_bars(&mut self, bars: &[BarRow], names: &[u32]) -> Result<()> {
        for bar in bars {
            let name = names[bar.name as usize];
            self.stats.out_of_order += self.instruments[name as usize].turns_back(bar.time);
            if self.repeats.looked_at < REPEATS_ROWS_MAX {
                let [open, high, low, close] = bar.prices.map(fold_units);
                let prices = mix(mix(open, high), mix(low, close));
                self.watch_repeats([u64::from(name), bar.time as u64, prices, fold_units(bar.volume)]);
            }
            let Some(table) = &mut self.table else { continue };
            let group = table.group(name, bar.time, &mut self.instruments[name as usize]);
            if !group.add_wide((bar.time, bar.sequence), bar.prices, bar.volume) {
                return Err(sum_out_of_range());
            }
        }
        Ok(())
    }

    fn watch_repeats(&mut self, row: [u64; 4]) {
        self.repeats.looked_at += 1;
        let hash = mix(mix(row[0], row[1]), mix(row[2], row[3].rotate_left(17)));
        self.stats.exact_duplicate_rows += u64::from(!self.repeats.rows.insert(hash));
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

impl Table {
    fn new(interval: Interval, plan: &Plan, memory: usize, scratch: &mut MakeScratch<'_>) -> Result<Self> {
        let groups = Groups::new(memory, Some(scratch_now(scratch)?));
        Ok(Self { groups, buckets: Buckets::new(interval, plan.bars_zone.clone()) })
    }

    #[inline(always)]
    fn group(&mut self, name: u32, time: i64, instrument: &mut Instrument) -> &mut BarGroup {
        let start = self.buckets.start_of(time);
        if instrument.start != start {
            instrument.start = start;
            instrument.position = self.groups.position(Key { bucket: start, name, prefix: 0 });
        }
        self.groups.at(instrument.position)
    }
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
