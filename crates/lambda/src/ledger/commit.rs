//! A commit carried out, again for as long as others are in the way, within reason.

use std::time::Duration;

use pipeline::ports::{Commit, Committed, Revision};
use pipeline::step::RecordKey;

use super::plan::Plan;
use super::{Failed, Ledger};
use crate::limits::COMMIT_TRIES_MAX;
use crate::table::Error;

/// Milliseconds before the second try; doubled with each.
const PAUSE_MS: u64 = 4;

impl Ledger {
    pub(super) fn try_commit(&self, commit: &Commit) -> Result<Committed, Failed> {
        let source = commit.source.as_str();
        let mut without = Vec::new();
        for attempt in 0..COMMIT_TRIES_MAX {
            let plan = self.plan(commit, &without)?;
            // what takes many calls is not begun for nothing
            if (plan.token.is_some() || !plan.before.is_empty()) && self.is_before(source)? {
                return Ok(Committed::Before);
            }
            let (mark, states) = (plan.mark.clone(), plan.states.clone());
            let refused = match self.carry_out(commit, plan) {
                Ok(None) => {
                    self.send(source, mark)?;
                    return Ok(Committed::Now);
                }
                Ok(Some(refused)) => refused,
                Err(Failed::Contended) => Vec::new(),
                Err(failed) => return Err(failed),
            };
            if self.is_before(source)? {
                return Ok(Committed::Before);
            }
            let older = states.into_iter().enumerate().filter(|(index, _)| refused.contains(&(index + 1)));
            // the state of a newer version stands there
            without.extend(older.map(|(_, key)| key));
            match self.look_again(commit) {
                Ok(()) | Err(Failed::Contended) => self.pause(attempt),
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
    fn carry_out(&self, commit: &Commit, plan: Plan<'_>) -> Result<Option<Vec<usize>>, Failed> {
        self.write_before(plan.before)?;
        if let Some(token) = &plan.token {
            self.prepare(&commit.source, token, &plan.prepared)?;
        }
        match self.table.transact(plan.main) {
            Ok(()) => Ok(None),
            Err(Error::Refused(refused)) => Ok(Some(refused)),
            Err(Error::Unavailable(cause)) => Err(Failed::Unavailable(cause)),
        }
    }

    /// Finds the first condition that does not hold, and settles what is in the way.
    fn look_again(&self, commit: &Commit) -> Result<(), Failed> {
        for (key, expected) in &commit.expects {
            if Revision::of(self.settled(key)?.as_deref()) != *expected {
                return Err(Failed::Changed(key.clone()));
            }
        }
        let expected = |key: &RecordKey| commit.expects.iter().any(|(expected, _)| expected == key);
        for write in commit.step.writes.iter().filter(|write| !expected(&write.key)).take(SETTLED_MAX) {
            self.settled(&write.key)?;
        }
        Ok(())
    }

    /// Waits a little, longer with each try, and not as long as others do.
    pub(super) fn pause(&self, attempt: u32) {
        let longest = PAUSE_MS << attempt.min(6);
        let share = (self.process ^ u64::from(attempt)).wrapping_mul(0x9e37_79b9_7f4a_7c15) % longest.max(1);
        std::thread::sleep(Duration::from_millis(longest / 2 + share / 2));
    }
}

/// Records that are looked at after a transaction was refused. Of more, each is settled when it is prepared.
const SETTLED_MAX: usize = crate::limits::TRANSACT_ITEMS_MAX;
