//! Trades and bars become bars of one interval, and the oddities of their order and repetition are counted.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::{MakeScratch, Settings, scratch_now};
use crate::batch::{BarRow, Batch, Names, WIDE};
use crate::decimal::Decimal;
use crate::groups::{BarGroup, Groups, Key, sum_out_of_range};
use crate::limits::REPEATS_ROWS_MAX;
use crate::plan::Plan;
use crate::time::{Buckets, Interval};
use crate::{Result, groups};

/// A finished bar, as it is given out.
pub type BarLine = groups::BarGroup;

/// Bars in the making.
pub(crate) struct BarFold {
    names: Names,
    /// Latest time seen of each instrument.
    latest: Vec<i64>,
    /// Where the bar stands that an instrument's last row went to.
    current: Vec<(i64, u32)>,
    /// Numbers of the batch's names in `names`.
    mapped: Vec<u32>,
    table: Option<Table>,
    repeats: Repeats,
    pub stats: OrderStats,
}

struct Table {
    groups: Groups<BarGroup>,
    buckets: Buckets,
    memory: usize,
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

/// No bar stands here.
const NOWHERE: (i64, u32) = (i64::MAX, 0);

impl BarFold {
    pub fn new(plan: &Plan, settings: &Settings, scratch: &mut MakeScratch<'_>) -> Result<Self> {
        let table = match settings.interval {
            None => None,
            Some(interval) => Some(Table::new(interval, plan, settings, scratch)?),
        };
        Ok(Self {
            names: Names::default(),
            latest: Vec::new(),
            current: Vec::new(),
            mapped: Vec::new(),
            table,
            repeats: Repeats::default(),
            stats: OrderStats::default(),
        })
    }

    pub fn add(&mut self, batch: &Batch) -> Result<()> {
        self.map_names(&batch.names);
        self.add_trades(batch)?;
        self.add_bars(&batch.bars)?;
        for id in &batch.trades.trade_ids {
            if self.repeats.ids_looked_at < REPEATS_ROWS_MAX {
                self.repeats.ids_looked_at += 1;
                self.stats.repeated_trade_id += u64::from(!self.repeats.trade_ids.insert(*id as u64));
            }
        }
        if let Some(table) = &mut self.table
            && table.groups.keep_within_budget(&self.names)?
        {
            self.current.fill(NOWHERE);
            if self.names.memory() > table.memory / 4 {
                // Endless distinct instruments: forget them. Their order is then judged afresh.
                self.names.clear();
                self.latest.clear();
                self.current.clear();
            }
        }
        Ok(())
    }

    fn map_names(&mut self, batch: &Names) {
        self.mapped.clear();
        for number in 0..batch.len() as u32 {
            self.mapped.push(self.names.number(batch.get(number)));
        }
        self.latest.resize(self.names.len(), i64::MIN);
        self.current.resize(self.names.len(), NOWHERE);
    }

    fn add_trades(&mut self, batch: &Batch) -> Result<()> {
        let trades = &batch.trades;
        let mut wide = trades.wide.iter();
        for row in 0..trades.time.len() {
            let name = self.mapped[trades.name[row] as usize];
            let (time, price, volume) = (trades.time[row], trades.price[row], trades.volume[row]);
            let sequence = trades.sequence.get(row).copied().unwrap_or(0);
            let full = if price == WIDE { wide.next().map(|(_, numbers)| *numbers) } else { None };
            self.watch_order(name, time);
            if self.repeats.looked_at < REPEATS_ROWS_MAX {
                let (price, volume) = match full {
                    None => (price.unsigned_abs(), volume.unsigned_abs()),
                    Some([price, volume]) => (fold_units(price), fold_units(volume)),
                };
                self.watch_repeats([u64::from(name), time as u64, price, volume]);
            }
            let Some(table) = &mut self.table else { continue };
            let group = table.group(name, time, &mut self.current);
            let fits = match full {
                None => group.add((time, sequence), [price; 4], volume),
                Some([price, volume]) => group.add_wide((time, sequence), [price; 4], volume),
            };
            if !fits {
                return Err(sum_out_of_range());
            }
        }
        Ok(())
    }

    fn add_bars(&mut self, bars: &[BarRow]) -> Result<()> {
        for bar in bars {
            let name = self.mapped[bar.name as usize];
            self.watch_order(name, bar.time);
            if self.repeats.looked_at < REPEATS_ROWS_MAX {
                let [open, high, low, close] = bar.prices.map(fold_units);
                let prices = mix(mix(open, high), mix(low, close));
                self.watch_repeats([u64::from(name), bar.time as u64, prices, fold_units(bar.volume)]);
            }
            let Some(table) = &mut self.table else { continue };
            let group = table.group(name, bar.time, &mut self.current);
            if !group.add_wide((bar.time, bar.sequence), bar.prices, bar.volume) {
                return Err(sum_out_of_range());
            }
        }
        Ok(())
    }

    #[inline]
    fn watch_order(&mut self, name: u32, time: i64) {
        let latest = &mut self.latest[name as usize];
        self.stats.out_of_order += u64::from(time < *latest);
        *latest = time.max(*latest);
    }

    fn watch_repeats(&mut self, row: [u64; 4]) {
        self.repeats.looked_at += 1;
        let hash = mix(mix(row[0], row[1]), mix(row[2], row[3].rotate_left(17)));
        self.stats.exact_duplicate_rows += u64::from(!self.repeats.rows.insert(hash));
    }

    /// Gives every bar, sorted by instrument and start.
    pub fn finish(self, mut each: impl FnMut(&[u8], i64, &BarLine) -> Result<()>) -> Result<()> {
        let Some(table) = self.table else { return Ok(()) };
        table.groups.finish(&self.names, table.memory, |_, name, start, group| each(name, start, group))
    }
}

impl Table {
    fn new(interval: Interval, plan: &Plan, settings: &Settings, scratch: &mut MakeScratch<'_>) -> Result<Self> {
        let memory = settings.memory / 5 * 3;
        let groups = Groups::new(memory, Some(scratch_now(scratch)?));
        Ok(Self { groups, buckets: Buckets::new(interval, plan.bars_zone.clone()), memory })
    }

    #[inline]
    fn group(&mut self, name: u32, time: i64, current: &mut [(i64, u32)]) -> &mut BarGroup {
        let start = self.buckets.start_of(time);
        let known = &mut current[name as usize];
        if known.0 != start {
            *known = (start, self.groups.position(Key { bucket: start, name, prefix: 0 }));
        }
        self.groups.at(known.1)
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
