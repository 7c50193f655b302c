//! Records that say what is to be told: kept where somebody can be told, and taken away when it was.
//!
//! What this process has written down it remembers, and tells at the end of the call. What others have left is looked
//! for when there may be some: when the process is new, when a message comes again, after what failed, and by the clock.

use std::sync::PoisonError;
use std::time::Instant;

use pipeline::ports::{self, Commit, Committed, Revision};
use pipeline::step::{Kind, RecordKey};

use super::{Failed, Ledger, place, unavailable};
use crate::limits::{COMMIT_TRIES_MAX, TRANSACT_ITEMS_MAX};
use crate::table::{Action, Error};

/// A record that says what is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Its id.
    pub id: String,
    /// What it says.
    pub value: Vec<u8>,
}

impl Untold {
    fn key(&self) -> RecordKey {
        RecordKey { kind: Kind::Notice, id: self.id.clone() }
    }
}

/// What is to be told, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What it has written down itself.
    own: Vec<Untold>,
    /// Whether there may be more.
    looks: bool,
}

impl Known {
    /// What a process knows that is new.
    pub fn of_new_process() -> Self {
        Self { own: Vec::new(), looks: true }
    }
}

impl Ledger {
    /// What a commit writes down to be told. Where nobody can be told it is taken out: nobody would ever take it away.
    pub(super) fn to_tell(&self, commit: &mut Commit) -> Vec<Untold> {
        let is_notice = |key: &RecordKey| key.kind == Kind::Notice;
        if !self.tells {
            commit.step.writes.retain(|write| !is_notice(&write.key));
            return Vec::new();
        }
        let notices = commit.step.writes.iter().filter(|write| is_notice(&write.key));
        notices.filter_map(|write| Some(Untold { id: write.key.id.clone(), value: write.value.clone()? })).collect()
    }

    /// Remembers what a commit came to.
    pub(super) fn remember_untold(&self, untold: Vec<Untold>, committed: &Result<Committed, Failed>) {
        let mut known = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        match committed {
            Ok(Committed::Now) => {
                // what is written down anew says what is true now
                known.own.retain(|before| !untold.iter().any(|untold| untold.id == before.id));
                known.own.extend(untold);
            }
            Err(Failed::Changed(_)) => {}
            // another call has committed it, and may have ended there; or it is open whether it happened
            Ok(Committed::Before) | Err(_) => known.looks = true,
        }
    }

    /// Takes what this process has written down to be told since it was asked last.
    pub fn take_untold(&self) -> Vec<Untold> {
        std::mem::take(&mut self.untold.lock().unwrap_or_else(PoisonError::into_inner).own)
    }

    /// Has it looked for what others have left.
    pub fn look_for_untold(&self) {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner).looks = true;
    }

    /// Whether it is to be looked for.
    pub fn is_untold_looked_for(&self) -> bool {
        self.tells && self.untold.lock().unwrap_or_else(PoisonError::into_inner).looks
    }

    /// Everything was found.
    pub fn found_untold(&self) {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner).looks = false;
    }

    /// What is to be told, whoever wrote it down, in the order of ids.
    pub fn untold(&self, after: Option<&str>, records_max: usize) -> Result<Vec<Untold>, ports::Error> {
        let page = ports::Ledger::page(self, Kind::Notice, "", after, records_max)?;
        Ok(page.into_iter().map(|(id, value)| Untold { id, value }).collect())
    }

    /// Takes away what was told. A record that says something else by now stays.
    pub fn told(&self, told: &[Untold]) -> Result<(), ports::Error> {
        told.chunks(TRANSACT_ITEMS_MAX)
            .try_for_each(|some| self.told_some(some))
            .map_err(|cause| unavailable("take away", "what was told", cause))
    }

    fn told_some(&self, told: &[Untold]) -> Result<(), ports::Cause> {
        let delete =
            |told: &&Untold| Action::Delete(place::of(&told.key()), place::is_at(Revision::of(Some(&told.value))));
        let mut rest: Vec<&Untold> = told.iter().collect();
        while !rest.is_empty() {
            match self.table.transact(rest.iter().map(delete).collect()) {
                Ok(()) => return Ok(()),
                Err(Error::Unavailable(cause)) => return Err(cause),
                Err(Error::Refused(refused)) if refused.is_empty() => {
                    return rest.into_iter().try_for_each(|told| self.told_one(told));
                }
                Err(Error::Refused(refused)) => {
                    refused.iter().try_for_each(|index| self.told_one(rest[*index]))?;
                    let others = rest.iter().enumerate().filter(|(index, _)| !refused.contains(index));
                    rest = others.map(|(_, told)| *told).collect();
                }
            }
        }
        Ok(())
    }

    fn told_one(&self, told: &Untold) -> Result<(), ports::Cause> {
        let key = told.key();
        for number in 0..COMMIT_TRIES_MAX {
            let began = Instant::now();
            match self.settled(&key, None) {
                Ok(Some(value)) if value == told.value => {}
                Ok(_) => return Ok(()),
                Err(Failed::Unavailable(cause)) => return Err(cause),
                Err(_) => {
                    self.pause(number, began.elapsed());
                    continue;
                }
            }
            let tests = place::is_at(Revision::of(Some(&told.value)));
            match self.table.transact(vec![Action::Delete(place::of(&key), tests)]) {
                Ok(()) => return Ok(()),
                Err(Error::Refused(_)) => self.pause(number, began.elapsed()),
                Err(Error::Unavailable(cause)) => return Err(cause),
            }
        }
        Err(format!("others are at what is told of {} all the time", told.id).into())
    }
}
