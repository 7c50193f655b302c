//! Batches in file order become the result: counts, reasons, rejects, bars and totals.
//!
//! Everything that depends on what came before in the file happens here and nowhere else, one batch after the other;
//! that is why the result is the same whatever the number of threads.

mod bar_table;
mod bars;
mod rejects;
mod repeats;
mod total_table;
mod totals;

use crate::batch::{Batch, Counts};
use crate::good::{Known, Sinks, Writer};
use crate::plan::Plan;
use crate::reason::Reasons;
use crate::source::Scratch;
use crate::time::Interval;
use crate::{Error, Result};

pub(crate) use bar_table::BarTable;
pub(crate) use bars::BarFold;
pub use bars::BarLine;
pub use rejects::{ListedReject, ListedValue};
pub(crate) use rejects::{REPORT_COLUMNS, RejectForm, RejectShape, Rejects, ends_in_report, unwrapped};
pub(crate) use total_table::add_transactions;
pub(crate) use totals::TotalFold;
pub use totals::{TotalKey, TotalLine};

/// What to work out beyond the counts, and with what.
pub(crate) struct Settings {
    pub interval: Option<Interval>,
    pub totals: bool,
    pub memory: usize,
    /// How long the file is, as it lies there: by that, what comes is guessed from what came first.
    pub input_bytes: u64,
}

/// Where a file's good rows go, and what is known beyond it.
#[derive(Default)]
pub(crate) struct Beyond<'k> {
    pub good: Option<Sinks>,
    pub known: Option<&'k mut dyn Known>,
}

/// Makes scratch space when it is first needed.
pub type MakeScratch<'a> = dyn FnMut() -> std::io::Result<Box<dyn Scratch>> + Send + 'a;

/// The result of a file in the making.
pub(crate) struct Fold<'k> {
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
    pub totals: Option<TotalFold<'k>>,
    writer: Option<Writer>,
}

impl<'k> Fold<'k> {
    pub fn new(
        plan: &Plan,
        settings: &Settings,
        beyond: Beyond<'k>,
        rejects: Rejects,
        scratch: &mut MakeScratch<'_>,
    ) -> Result<Self> {
        let reasons = plan.reasons.len();
        let bars = match plan.kind {
            crate::contract::Kind::Transactions => None,
            _ => Some(BarFold::new(plan, settings, scratch)?),
        };
        let totals = match plan.kind {
            crate::contract::Kind::Transactions => Some(TotalFold::new(plan, settings, beyond.known, scratch)?),
            _ => None,
        };
        let writer = match beyond.good {
            Some(sinks) => Some(Writer::new(sinks, plan, scratch_now(scratch)?)?),
            None => None,
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
            writer,
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
        self.write(batch)?;
        if let Some(bars) = &mut self.bars {
            bars.add(batch)?;
        }
        if let Some(totals) = &mut self.totals {
            totals.add(batch)?;
        }
        add_counts(&mut self.counts, &batch.counts);
        Ok(())
    }

    /// Writes down what is still good.
    fn write(&mut self, batch: &mut Batch) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let member = self.rejects.member.as_deref();
        match (&mut self.bars, &mut self.totals) {
            (Some(bars), _) => writer.add(batch, bars.file_names(), &[], member),
            (None, Some(totals)) => {
                let repeats = std::mem::take(&mut totals.repeats);
                let written = writer.add(batch, totals.file_names(), &repeats, member);
                totals.repeats = repeats;
                written
            }
            (None, None) => Ok(()),
        }
    }

    /// Ends the files that were written to.
    pub fn finish(&mut self) -> Result<()> {
        self.rejects.finish()?;
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        assert_eq!(writer.rows, self.good, "invariant 1: other rows were written than are good");
        writer.finish()
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
