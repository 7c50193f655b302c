//! Transactions become totals by currency, status, merchant and day; ids that came before are refused.

use std::io::Write;

use super::{MakeScratch, Settings, add_transactions, scratch_now};
use crate::Result;
use crate::batch::{Batch, Detail, FileNames, REFUSED, Reject, TransactionRow, Transactions, shown};
use crate::currency::Currency;
use crate::good::Known;
use crate::groups::{self, GroupOf, Groups, TotalGroup};
use crate::ids;
use crate::limits::REJECTS_LISTED_MAX;
use crate::plan::Plan;
use crate::reason::{ReasonId, Reasons};
use crate::row::Status;
use crate::unique::IdSet;

/// A finished total, as it is given out.
pub type TotalLine = groups::TotalGroup;

/// What a total is of.
#[derive(Debug, Clone, Copy)]
pub struct TotalKey<'a> {
    /// ISO 4217 code.
    pub currency: &'static str,
    /// completed, failed or pending.
    pub status: &'static str,
    /// As the sender writes it.
    pub merchant: &'a [u8],
    /// Days since 1970-01-01.
    pub day: i32,
}

/// Totals in the making.
pub(crate) struct TotalFold<'k> {
    ids: IdSet,
    repeated: ReasonId,
    known: Option<&'k mut dyn Known>,
    /// Whether it was told all the time which ids are taken.
    tells_taken: bool,
    fresh: Vec<bool>,
    /// Of ids of the batch, whether an earlier file took them; and those that good rows of this one take.
    taken_before: Vec<bool>,
    taken: Vec<u128>,
    /// Good rows of the batch that turned out to be repeats.
    pub repeats: Vec<u32>,
    merchants: FileNames,
    table: Option<Groups<TotalGroup>>,
    memory: usize,
    /// Bytes of the file; 0 once the ids that will come were guessed by it.
    file_bytes: u64,
}

/// What of its memory a file may take for ids. Without totals there is more for them, and they are put aside less often.
fn ids_memory(settings: &Settings) -> usize {
    settings.memory / 5 * if settings.totals { 2 } else { 3 }
}

impl<'k> TotalFold<'k> {
    pub fn new(
        plan: &Plan,
        settings: &Settings,
        known: Option<&'k mut dyn Known>,
        scratch: &mut MakeScratch<'_>,
    ) -> Result<Self> {
        let memory = settings.memory / 10 * 3;
        let table = match settings.totals {
            true => Some(Groups::new(memory, Some(scratch_now(scratch)?))),
            false => None,
        };
        Ok(Self {
            ids: IdSet::new(ids_memory(settings), Some(scratch_now(scratch)?)),
            repeated: plan.repeated().and_then(Reasons::first).expect("every transactions plan refuses repeats"),
            tells_taken: known.is_some(),
            known,
            fresh: Vec::new(),
            taken_before: Vec::new(),
            taken: Vec::new(),
            repeats: Vec::new(),
            merchants: FileNames::default(),
            table,
            memory,
            file_bytes: settings.input_bytes,
        })
    }

    /// The totals of a file that was read to its end: they know of nothing beyond it any more.
    pub fn ended(self) -> TotalFold<'static> {
        TotalFold { known: None, ..self }
    }

    /// Guesses by the first batch how many ids will come. A file that is packed, of which that says less, has more.
    fn expect(&mut self, batch: &Batch) {
        let (ids, bytes) = (batch.transactions.ids.len() as u64, batch.input.len() as u64);
        let file_bytes = std::mem::take(&mut self.file_bytes);
        if file_bytes > bytes && bytes > 0 {
            self.ids.expect((u128::from(ids) * u128::from(file_bytes) / u128::from(bytes)) as u64);
        }
    }

    /// Turns good rows whose id came before into refused ones, and tells refused ones that their id did.
    pub fn refuse_repeats(&mut self, batch: &mut Batch) -> Result<()> {
        self.repeats.clear();
        self.expect(batch);
        self.ids.insert_all(&batch.transactions.ids, &mut self.fresh)?;
        self.ask(&batch.transactions)?;
        let mut added = Vec::new();
        for (id, fresh) in self.fresh.iter().enumerate() {
            if *fresh {
                continue;
            }
            let owner = batch.transactions.id_owner[id];
            if owner & REFUSED != 0 {
                self.tell_refused(batch, (owner ^ REFUSED) as usize, id);
            } else {
                self.repeats.push(owner);
                added.push((self.refused(batch, owner as usize), id));
            }
        }
        if !added.is_empty() {
            insert_in_order(batch, added, self.repeated);
        }
        self.tell(&batch.transactions)
    }

    /// Ids that an earlier file took are not fresh. Those that are new to this file are taken by none of its rows.
    fn ask(&mut self, transactions: &Transactions) -> Result<()> {
        let Some(known) = &mut self.known else { return Ok(()) };
        self.taken_before.clear();
        known.known(&transactions.ids, &mut self.taken_before)?;
        let asked = transactions.ids.iter().zip(&self.fresh).zip(&self.taken_before);
        self.ids.leave_out(asked.filter(|((_, fresh), taken)| **fresh && **taken).map(|((id, _), _)| *id))?;
        self.fresh.iter_mut().zip(&self.taken_before).for_each(|(fresh, taken)| *fresh &= !taken);
        Ok(())
    }

    /// Tells the ids of rows that stay good; what is fresh otherwise belongs to refused ones.
    fn tell(&mut self, transactions: &Transactions) -> Result<()> {
        let Some(known) = &mut self.known else { return Ok(()) };
        let owned = transactions.ids.iter().zip(&transactions.id_owner).zip(&self.fresh);
        let fresh = owned.filter(|(_, fresh)| **fresh).map(|((id, owner), _)| (*id, owner & REFUSED != 0));
        self.ids.leave_out(fresh.clone().filter(|(_, is_refused)| *is_refused).map(|(id, _)| id))?;
        self.taken.clear();
        self.taken.extend(fresh.filter(|(_, is_refused)| !is_refused).map(|(id, _)| id));
        if self.taken.is_empty() {
            return Ok(());
        }
        Ok(known.taken(&self.taken)?)
    }

    /// The names of all merchants so far.
    pub fn file_names(&mut self) -> &mut FileNames {
        &mut self.merchants
    }

    fn tell_refused(&self, batch: &mut Batch, reject: usize, id: usize) {
        batch.rejects[reject].reasons.add(self.repeated);
        if let Some(detail) = batch.details.get_mut(reject) {
            let text = shown(batch.transactions.id_text.get(id, &batch.input));
            detail.values.push((self.repeated, text));
        }
    }

    fn refused(&self, batch: &Batch, good: usize) -> Reject {
        let TransactionRow { row, span, line, .. } = batch.transactions.rows[good];
        let mut reasons = Reasons::NONE;
        reasons.add(self.repeated);
        Reject { row, span, line, reasons }
    }

    /// Rows of the batch that were good but for their id.
    pub fn repeats_in_batch(&self) -> u64 {
        self.repeats.len() as u64
    }

    pub fn add(&mut self, batch: &mut Batch) -> Result<()> {
        let Some(table) = &mut self.table else {
            if self.merchants.names.memory() > self.memory / 4 {
                self.merchants.forget();
            }
            return Ok(());
        };
        let merchants = self.merchants.of(&mut batch.names);
        add_transactions(table, &batch.transactions, merchants, &self.repeats)?;
        if table.keep_within_budget(&self.merchants.names)? {
            self.merchants.forget();
        }
        Ok(())
    }

    /// Writes a file of the ids that good rows take; answers how many there are.
    pub fn write_ids(self, threads: usize, out: &mut dyn Write) -> Result<u64> {
        assert!(self.tells_taken, "without anybody to tell, nothing was kept of whose the ids are");
        drop(self.table);
        ids::write(self.ids, threads, out)
    }

    /// Gives every total, sorted by currency, status, merchant and day.
    pub fn finish(self, mut each: impl FnMut(TotalKey<'_>, &TotalLine) -> Result<()>) -> Result<()> {
        let Some(table) = self.table else { return Ok(()) };
        drop(self.ids);
        table.finish(&self.merchants.names, self.memory, |of, group| each(TotalKey::of(of), group))
    }

    /// Writes a line of every total, in the same order.
    pub fn print(
        self,
        threads: usize,
        line: impl Fn(TotalKey<'_>, &TotalLine, &mut Vec<u8>) + Sync,
        take: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
    ) -> Result<()> {
        let Some(table) = self.table else { return Ok(()) };
        drop(self.ids);
        let line = |of: GroupOf<'_>, group: &TotalGroup, text: &mut Vec<u8>| line(TotalKey::of(of), group, text);
        table.print(&self.merchants.names, self.memory, threads, line, take)
    }
}

impl<'a> TotalKey<'a> {
    fn of(GroupOf { prefix, name, bucket }: GroupOf<'a>) -> Self {
        let currency = Currency::by_index(usize::from(prefix >> 2)).map_or("", Currency::code);
        let status = Status::ALL[usize::from(prefix & 3).min(2)].name();
        TotalKey { currency, status, merchant: name, day: bucket as i32 }
    }
}

/// Refused rows stay in file order; so do the details of the first of them.
fn insert_in_order(batch: &mut Batch, added: Vec<(Reject, usize)>, repeated: ReasonId) {
    let mut details = std::mem::take(&mut batch.details).into_iter();
    let mut old = std::mem::take(&mut batch.rejects).into_iter().peekable();
    let mut new = added.into_iter().peekable();
    loop {
        let take_new = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(old), Some((new, _))) => new.row < old.row,
            (None, Some(_)) => true,
            (Some(_), None) => false,
        };
        let detail = if take_new {
            let Some((reject, id)) = new.next() else { break };
            batch.rejects.push(reject);
            let text = shown(batch.transactions.id_text.get(id, &batch.input));
            Some(Detail { values: vec![(repeated, text)] })
        } else {
            batch.rejects.extend(old.next());
            details.next()
        };
        if batch.details.len() < REJECTS_LISTED_MAX {
            batch.details.extend(detail);
        }
    }
}
