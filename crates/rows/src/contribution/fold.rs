//! Good rows in file order become groups, and groups the entries of a contribution.

use super::Settings;
use super::write::{Writer, frame};
use crate::Result;
use crate::batch::{Batch, FileNames};
use crate::contract::Kind;
use crate::fold::{BarTable, MakeScratch, add_transactions, scratch_now};
use crate::groups::{GroupOf, Groups, Partial, TotalGroup};
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
                add_transactions(groups, &batch.transactions, names, &[])?;
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
