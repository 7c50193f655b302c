//! Batches in file order become the result: counts, reasons, rejects, bars and totals.
//!
//! Everything that depends on what came before in the file happens here and nowhere else, one batch after the other;
//! that is why the result is the same whatever the number of threads.

mod bars;
mod rejects;
mod totals;

use crate::batch::{Batch, Counts};
use crate::plan::Plan;
use crate::reason::Reasons;
use crate::source::Scratch;
use crate::time::Interval;
use crate::{Error, Result};

pub use bars::BarLine;
pub(crate) use bars::{BarFold, wide_numbers};
pub use rejects::{ListedReject, ListedValue};
pub(crate) use rejects::{REPORT_COLUMNS, RejectForm, RejectShape, Rejects, ends_in_report, unwrapped};
pub(crate) use totals::TotalFold;
pub use totals::{TotalKey, TotalLine};

/// What to work out beyond the counts, and with what.
pub(crate) struct Settings {
    pub interval: Option<Interval>,
    pub totals: bool,
    pub memory: usize,
}

/// Makes scratch space when it is first needed.
pub type MakeScratch<'a> = dyn FnMut() -> std::io::Result<Box<dyn Scratch>> + Send + 'a;

/// The result of a file in the making.
pub(crate) struct Fold {
    pub counts: Counts,
    pub rows: u64,
    pub good: u64,
    pub rejected: u64,
    pub duplicate: u64,
    /// Rows that have a reason, and rows whose first reason it is, by reason.
    pub having: Vec<u64>,
    pub first: Vec<u64>,
    pub rejects: Rejects,
    pub bars: Option<BarFold>,
    pub totals: Option<TotalFold>,
}

impl Fold {
    pub fn new(plan: &Plan, settings: &Settings, rejects: Rejects, scratch: &mut MakeScratch<'_>) -> Result<Self> {
        let reasons = plan.reasons.len();
        let bars = match plan.kind {
            crate::contract::Kind::Transactions => None,
            _ => Some(BarFold::new(plan, settings, scratch)?),
        };
        let totals = match plan.kind {
            crate::contract::Kind::Transactions => Some(TotalFold::new(plan, settings, scratch)?),
            _ => None,
        };
        Ok(Self {
            counts: Counts::default(),
            rows: 0,
            good: 0,
            rejected: 0,
            duplicate: 0,
            having: vec![0; reasons],
            first: vec![0; reasons],
            rejects,
            bars,
            totals,
        })
    }

    /// Takes the next batch of the file.
    pub fn add(&mut self, plan: &Plan, batch: &mut Batch) -> Result<()> {
        self.rows += u64::from(batch.rows);
        self.good += batch.good_rows();
        if let Some(totals) = &mut self.totals {
            totals.refuse_repeats(batch)?;
            self.good -= totals.repeats_in_batch();
        }
        for reject in &batch.rejects {
            self.count(plan, reject.reasons);
        }
        self.rejects.add(plan, batch)?;
        if let Some(bars) = &mut self.bars {
            bars.add(batch)?;
        }
        if let Some(totals) = &mut self.totals {
            totals.add(batch)?;
        }
        add_counts(&mut self.counts, &batch.counts);
        Ok(())
    }

    fn count(&mut self, plan: &Plan, reasons: Reasons) {
        for reason in reasons.iter() {
            self.having[usize::from(reason.0)] += 1;
        }
        if let Some(first) = reasons.first() {
            self.first[usize::from(first.0)] += 1;
        }
        match plan.repeated() {
            Some(repeated) if reasons == repeated => self.duplicate += 1,
            _ => self.rejected += 1,
        }
    }
}

fn add_counts(sum: &mut Counts, more: &Counts) {
    sum.lines += more.lines;
    sum.row_lines += more.row_lines;
    sum.header_lines += more.header_lines;
    sum.blank_lines += more.blank_lines;
    sum.comment_lines += more.comment_lines;
    sum.other_lines += more.other_lines;
    sum.ignored += more.ignored;
    sum.zero_volume += more.zero_volume;
    sum.negative_amount += more.negative_amount;
    sum.zero_amount += more.zero_amount;
}

/// Scratch for one structure.
pub(crate) fn scratch_now(make: &mut MakeScratch<'_>) -> Result<Box<dyn Scratch>> {
    make().map_err(Error::Io)
}
