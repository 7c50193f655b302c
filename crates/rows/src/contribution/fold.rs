//! Good rows in file order become groups, and groups the entries of a contribution.

use super::Settings;
use super::write::{Writer, frame};
use crate::Result;
use crate::batch::{Batch, FileNames, TransactionRow, Transactions, WIDE};
use crate::contract::Kind;
use crate::fold::{BarTable, MakeScratch, scratch_now};
use crate::groups::{GroupOf, Groups, Key, Partial, TotalGroup, sum_out_of_range};
use crate::time::{Buckets, Zone};

/// Groups in the making.
pub(super) struct Fold {
    names: FileNames,
    memory: usize,
    rows: u64,
    groups: Kinds,
}

enum Kinds {
    Bars(BarTable),
    Totals(Groups<TotalGroup>),
}

/// Rows whose totals are fetched at once: more than a core can wait for at a time, few enough to stay in its cache.
const TOUCHED_ROWS: usize = 512;

impl Fold {
    pub fn new(kind: Kind, settings: &Settings, zone: &Zone, scratch: &mut MakeScratch<'_>) -> Result<Self> {
        // Their index grows by doubling, and their order needs room in the end.
        let memory = settings.memory / 5 * 3;
        let scratch = Some(scratch_now(scratch)?);
        let groups = match kind {
            Kind::Transactions => Kinds::Totals(Groups::new(memory, scratch)),
            Kind::Trades | Kind::Bars => {
                let buckets = Buckets::new(settings.interval, zone.clone());
                // 1 for bars made of trades.
                Kinds::Bars(BarTable::new(Groups::new(memory, scratch), buckets, u16::from(kind == Kind::Trades)))
            }
        };
        Ok(Self { names: FileNames::default(), memory, rows: 0, groups })
    }

    /// Takes the next batch of the file.
    pub fn add(&mut self, batch: &mut Batch) -> Result<()> {
        self.rows += batch.good_rows();
        let names = self.names.of(&mut batch.names);
        let flushed = match &mut self.groups {
            Kinds::Bars(bars) => {
                bars.add(&batch.trades, &batch.bars, names, &self.names.names)?;
                bars.keep_within_budget(&self.names.names)?
            }
            Kinds::Totals(groups) => {
                add_transactions(groups, &batch.transactions, names)?;
                groups.keep_within_budget(&self.names.names)?
            }
        };
        if flushed {
            self.names.forget();
        }
        Ok(())
    }

    /// Writes all groups in the order of their keys; answers how many rows there were.
    pub fn write(self, threads: usize, writer: &mut Writer<'_>) -> Result<u64> {
        match self.groups {
            Kinds::Bars(bars) => write_groups(bars.groups, &self.names, self.memory, threads, writer)?,
            Kinds::Totals(groups) => write_groups(groups, &self.names, self.memory, threads, writer)?,
        }
        Ok(self.rows)
    }
}

fn add_transactions(groups: &mut Groups<TotalGroup>, transactions: &Transactions, merchants: &[u32]) -> Result<()> {
    let key_of = |row: &TransactionRow| Key {
        bucket: i64::from(row.day),
        name: merchants[row.merchant as usize],
        prefix: row.group,
    };
    let mut wide = transactions.wide.iter();
    let mut fits = true;
    for rows in transactions.rows.chunks(TOUCHED_ROWS) {
        groups.touch(rows.iter().map(key_of));
        for row in rows {
            let full = if row.amount == WIDE { wide.next().map(|(_, amount)| *amount) } else { None };
            let position = groups.position(key_of(row));
            fits &= match full {
                None => groups.at(position).add(row.amount),
                Some(amount) => groups.at(position).add_wide(amount),
            };
        }
    }
    if fits { Ok(()) } else { Err(sum_out_of_range()) }
}

fn write_groups<P: Partial + Sync>(
    groups: Groups<P>,
    names: &FileNames,
    memory: usize,
    threads: usize,
    writer: &mut Writer<'_>,
) -> Result<()> {
    let line = |of: GroupOf<'_>, group: &P, frames: &mut Vec<u8>| frame(of, group, frames);
    groups.print(&names.names, memory, threads, line, &mut |frames| writer.take(frames))
}
