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
    /// The trades of a batch that go to other bars than the last of their names: which they are, and where they go.
    others: Vec<(u32, Key)>,
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
        // First where each row goes, then all of them go there: so a core waits for several bars at a time.
        self.find_positions(trades, numbers);
        let fits = match trades.sequence.as_slice() {
            [] => self.add_at(trades, |_| 0),
            sequence => self.add_at(trades, |row| sequence.get(row).copied().unwrap_or(0)),
        };
        if fits { Ok(()) } else { Err(sum_out_of_range()) }
    }

    #[inline(always)]
    fn add_at(&mut self, trades: &Trades, sequence: impl Fn(usize) -> u64) -> bool {
        let mut wide = trades.wide.iter();
        let mut fits = true;
        for (row, (trade, position)) in trades.rows.iter().zip(&self.positions).enumerate() {
            let (group, at) = (self.groups.at(*position), (trade.time, sequence(row)));
            fits &= match wide_numbers(trade, &mut wide) {
                None => group.add_trade(at, trade.price, trade.volume),
                Some([price, volume]) => group.add_wide(at, [price; 4], volume),
            };
        }
        fits
    }

    fn find_positions(&mut self, trades: &Trades, numbers: &[u32]) {
        let Self { lasts, buckets, positions, others, prefix, .. } = self;
        positions.clear();
        others.clear();
        positions.extend(trades.rows.iter().zip(0..).map(|(trade, row)| {
            let (bucket, name) = (buckets.start_of(trade.time), numbers[trade.name as usize]);
            let (start, position) = lasts[name as usize];
            if start != bucket {
                others.push((row, Key { bucket, name, prefix: *prefix }));
            }
            position
        }));
        // What says where the others are is brought into the cache for all of them at once: one after the other would
        // each wait for memory.
        if others.len() > 1 {
            self.groups.touch(self.others.iter().map(|(_, key)| key.hash()));
        }
        let others = std::mem::take(&mut self.others);
        for (row, key) in &others {
            self.positions[*row as usize] = self.position(*key);
        }
        self.others = others;
    }

    fn add_bars(&mut self, bars: &[BarRow], numbers: &[u32]) -> Result<()> {
        for bar in bars {
            let (bucket, name) = (self.buckets.start_of(bar.time), numbers[bar.name as usize]);
            let position = self.position(Key { bucket, name, prefix: self.prefix });
            if !self.groups.at(position).add_wide((bar.time, bar.sequence), bar.prices, bar.volume) {
                return Err(sum_out_of_range());
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn position(&mut self, key: Key) -> u32 {
        let (start, position) = &mut self.lasts[key.name as usize];
        if *start != key.bucket {
            *start = key.bucket;
            *position = self.groups.position(key, key.hash());
        }
        *position
    }
}
