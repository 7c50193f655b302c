//! The bars that rows go to, and for each instrument the one it was at last: most rows go where the one before went.

use std::slice::Iter;

use crate::Result;
use crate::batch::{BarRow, Names, TradeRow, Trades, WIDE};
use crate::decimal::Decimal;
use crate::groups::{BarGroup, Groups, Key, sum_out_of_range};
use crate::time::Buckets;

/// Bars of one interval in the making.
pub(crate) struct BarTable {
    pub groups: Groups<BarGroup>,
    buckets: Buckets,
    /// Of all keys.
    prefix: u16,
    /// By number of the name: start and position of the bar that its last row went to.
    lasts: Vec<(i64, u32)>,
    /// Of the trades of a batch, where their bars are.
    positions: Vec<u32>,
    /// Of the trades of a batch, those bars that are not the last of their names.
    others: Vec<Key>,
}

/// As a start: no bar is known.
const NOWHERE: i64 = i64::MAX;

/// The numbers of a trade that are in the side table.
#[inline(always)]
pub(super) fn wide_numbers(trade: &TradeRow, wide: &mut Iter<'_, (u32, [Decimal; 2])>) -> Option<[Decimal; 2]> {
    match trade.price {
        WIDE => wide.next().map(|(_, numbers)| *numbers),
        _ => None,
    }
}

impl BarTable {
    pub fn new(groups: Groups<BarGroup>, buckets: Buckets, prefix: u16) -> Self {
        Self { groups, buckets, prefix, lasts: Vec::new(), positions: Vec::new(), others: Vec::new() }
    }

    /// Adds the rows of a batch, whose names are `numbers` among `names`.
    pub fn add(&mut self, trades: &Trades, bars: &[BarRow], numbers: &[u32], names: &Names) -> Result<()> {
        self.lasts.resize(names.len(), (NOWHERE, 0));
        self.add_trades(trades, numbers)?;
        self.add_bars(bars, numbers)
    }

    /// As `Groups::keep_within_budget`.
    pub fn keep_within_budget(&mut self, names: &Names) -> Result<bool> {
        let flushed = self.groups.keep_within_budget(names)?;
        if flushed {
            self.lasts.clear();
        }
        Ok(flushed)
    }

    fn add_trades(&mut self, trades: &Trades, numbers: &[u32]) -> Result<()> {
        self.look_ahead(trades, numbers);
        // First where each row goes, then all of them go there: so a core waits for several bars at a time.
        let mut positions = std::mem::take(&mut self.positions);
        positions.clear();
        positions.extend(trades.rows.iter().map(|trade| self.position(numbers[trade.name as usize], trade.time)));
        let mut wide = trades.wide.iter();
        let mut fits = true;
        for (row, (trade, position)) in trades.rows.iter().zip(&positions).enumerate() {
            let group = self.groups.at(*position);
            let at = (trade.time, trades.sequence.get(row).copied().unwrap_or(0));
            fits &= match wide_numbers(trade, &mut wide) {
                None => group.add_trade(at, trade.price, trade.volume),
                Some([price, volume]) => group.add_wide(at, [price; 4], volume),
            };
        }
        self.positions = positions;
        if fits { Ok(()) } else { Err(sum_out_of_range()) }
    }

    /// Has what says where bars are brought into the cache, for all bars that must be looked for: one after the other
    /// would each wait for memory.
    fn look_ahead(&mut self, trades: &Trades, numbers: &[u32]) {
        let Self { lasts, buckets, others, prefix, .. } = self;
        others.clear();
        others.extend(trades.rows.iter().filter_map(|trade| {
            let (bucket, name) = (buckets.start_of(trade.time), numbers[trade.name as usize]);
            (lasts[name as usize].0 != bucket).then_some(Key { bucket, name, prefix: *prefix })
        }));
        if others.len() > 1 {
            self.groups.touch(self.others.iter().copied());
        }
    }

    fn add_bars(&mut self, bars: &[BarRow], numbers: &[u32]) -> Result<()> {
        for bar in bars {
            let position = self.position(numbers[bar.name as usize], bar.time);
            if !self.groups.at(position).add_wide((bar.time, bar.sequence), bar.prices, bar.volume) {
                return Err(sum_out_of_range());
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn position(&mut self, name: u32, time: i64) -> u32 {
        let bucket = self.buckets.start_of(time);
        let (start, position) = &mut self.lasts[name as usize];
        if *start != bucket {
            *start = bucket;
            *position = self.groups.position(Key { bucket, name, prefix: self.prefix });
        }
        *position
    }
}
