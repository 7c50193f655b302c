//! A commit carried out, again for as long as others are in the way, within reason.

use std::time::{Duration, Instant};

use pipeline::ports::{Commit, Committed, Revision};

use super::attempt::Attempt;
use super::plan::{Entry, Plan, Refused};
use super::{Failed, Ledger};
use crate::limits::COMMIT_TRIES_MAX;
use crate::table::Error;

/// Milliseconds before the second try; doubled with each.
const PAUSE_MS: u64 = 4;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 4_000;

impl Ledger {
    pub(super) fn try_commit(&self, commit: &Commit) -> Result<Committed, Failed> {
        let source = commit.source.as_str();
        let mut without = Vec::new();
        for number in 0..COMMIT_TRIES_MAX {
            let began = Instant::now();
            let mut plan = self.plan(commit, &without)?;
            // what takes many calls is not begun for nothing
            if (plan.attempt.is_some() || !plan.before.is_empty()) && self.is_before(source)? {
                return Ok(Committed::Before);
            }
            let mark = plan.mark.clone();
            let carried_out = self.carry_out(commit, &mut plan);
            let refused = match carried_out {
                Ok(None) => {
                    self.remember_kept(source, &mark.kept);
                    self.send(source, mark)?;
                    return Ok(Committed::Now);
                }
                Ok(Some(numbers)) => plan.refused(&numbers),
                Err(Failed::Contended | Failed::Changed(_)) => Refused::default(),
                // what is still on its way may happen later: another try must be another attempt
                Err(failed) => return Err(failed),
            };
            if self.is_before(source)? {
                return Ok(Committed::Before);
            }
            let attempt = plan.attempt.filter(|_| !refused.is_ended);
            let looked = self.look_again(commit, &refused.records, attempt.as_ref());
            self.keep(attempt);
            // the states of newer versions stand there
            without.extend(refused.states);
            match looked {
                Ok(()) | Err(Failed::Contended) => self.pause(number, began.elapsed()),
                Err(failed) => return Err(failed),
            }
        }
        Err(Failed::Contended)
    }

    /// Whether this source has committed; then what it took over is sent.
    fn is_before(&self, source: &str) -> Result<bool, Failed> {
        let Some(mark) = self.mark(source)? else { return Ok(false) };
        self.send(source, mark)?;
        Ok(true)
    }

    /// All transactions of a plan; the actions of the last that were refused, if it was.
    fn carry_out(&self, commit: &Commit, plan: &mut Plan<'_>) -> Result<Option<Vec<usize>>, Failed> {
        self.write_before(std::mem::take(&mut plan.before))?;
        if self.keeps_rows {
            self.list_instruments(&plan.prepared)?;
            self.list_instruments(&plan.records)?;
        }
        if let Some(attempt) = &mut plan.attempt {
            self.prepare(commit.source.as_str(), attempt, &plan.prepared)?;
        }
        match self.table.transact(std::mem::take(&mut plan.main)) {
            Ok(()) => Ok(None),
            Err(Error::Refused(refused)) => Ok(Some(refused)),
            Err(Error::Unavailable(cause)) => Err(Failed::Unavailable(cause)),
        }
    }

    /// Finds the first condition that does not hold, and settles what is in the way.
    fn look_again(&self, commit: &Commit, refused: &[Entry<'_>], own: Option<&Attempt>) -> Result<(), Failed> {
        let own = own.map(|own| own.token.as_str());
        for (key, expected) in &commit.expects {
            if Revision::of(self.settled(key, own)?.as_deref()) != *expected {
                return Err(Failed::Changed(key.clone()));
            }
        }
        for entry in refused.iter().filter(|entry| entry.expected.is_none()) {
            self.settled(entry.key, own)?;
        }
        Ok(())
    }

    /// Waits a little, longer with each try and after tries that took long, and not as long as others do.
    pub(super) fn pause(&self, number: u32, took: Duration) {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).min(PAUSE_MS_MAX);
        let longest = (PAUSE_MS << number.min(6)).max(took.saturating_mul(u64::from(number) + 1)).min(PAUSE_MS_MAX);
        let share = (self.process ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15) % longest.max(1);
        std::thread::sleep(Duration::from_millis(longest / 2 + share / 2));
    }
}
