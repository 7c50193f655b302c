//! What a file is to the others of its feed. It follows from the files of the feed alone, whoever came first
//! (docs/decisions/0009-standing-of-files.md), so unlike the facts of a receipt it may change when another file comes.

use serde::{Deserialize, Serialize};

use super::event::earliest;
use super::{Receipt, Told};
use crate::Millis;
use crate::object::{Order, ReceiptId};

/// Another file of the same feed, and its place there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Other {
    /// Its place: of two, the one with the smaller came first.
    pub order: Order,
    /// Its receipt.
    pub receipt: ReceiptId,
}

/// What a file is to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relations {
    /// The first file with the same bytes that came before and stands at least as long.
    pub duplicate_of: Option<Other>,
    /// The version of its key before it, if that has other bytes.
    pub supersedes: Option<Other>,
    /// The next version of its key with other bytes.
    pub superseded_by: Option<Other>,
}

impl Receipt {
    /// What it is to others.
    pub fn relations(&self) -> Relations {
        Relations {
            duplicate_of: self.duplicate_of.clone(),
            supersedes: self.supersedes.clone(),
            superseded_by: self.superseded_by.clone(),
        }
    }

    /// The first file with the same bytes that came before and stands at least as long.
    pub fn duplicate_of(&self) -> Option<&Other> {
        self.duplicate_of.as_ref()
    }

    /// The version of its key before it whose place it took.
    pub fn supersedes(&self) -> Option<&Other> {
        self.supersedes.as_ref()
    }

    /// The newer version of its key that took its place.
    pub fn superseded_by(&self) -> Option<&Other> {
        self.superseded_by.as_ref()
    }

    /// As others name it.
    pub fn as_other(&self) -> Other {
        Other { order: self.arrival.order(), receipt: self.id() }
    }

    /// The digest of its bytes, once they were read.
    pub fn sha256(&self) -> Option<&str> {
        let told = || self.account().map(|account| account.sha256.as_str());
        self.sha256.as_deref().or_else(told).filter(|sha256| !sha256.is_empty())
    }

    /// Whether it is refused as a whole.
    pub fn is_refused(&self) -> bool {
        self.account().is_some_and(|account| account.refused.is_some())
    }

    /// Whether it has its place among the files of its feed: it counts or did, or is known for a copy. It keeps the place
    /// while it is begun anew.
    pub fn is_placed(&self) -> bool {
        // receipts of older programs have no digest of their own, and say it by what happened
        let related = self.duplicate_of.is_some() || self.superseded_by.is_some();
        let was = || self.aggregates_committed_at.is_some() || related;
        self.placed || (self.sha256.is_none() && was())
    }

    /// Gives it its place among the files of its feed, or takes it.
    pub(crate) fn set_placed(&mut self, placed: bool) {
        // with it, what happened does not say it any more
        self.sha256 = self.sha256().map(str::to_owned);
        self.placed = placed;
    }

    /// Says what its bytes are known by.
    pub(crate) fn know_content(&mut self, sha256: &str) {
        // of a file that is gone by now it stays what it was
        if !sha256.is_empty() {
            self.sha256 = Some(sha256.to_owned());
        }
    }

    /// Says what it is to others from now on.
    pub(crate) fn relate(&mut self, relations: Relations, at: Millis) {
        if self.relations() != relations {
            self.updated_at = self.updated_at.max(at);
            let Relations { duplicate_of, supersedes, superseded_by } = relations;
            (self.duplicate_of, self.supersedes, self.superseded_by) = (duplicate_of, supersedes, superseded_by);
        }
    }

    /// Counts from now on with what was written for another file of the same bytes.
    pub(crate) fn take_over(&mut self, from: &Self, at: Millis) {
        self.account.clone_from(&from.account);
        self.rows_committed.clone_from(&from.rows_committed);
        self.links.clone_from(&from.links);
        earliest(&mut self.aggregates_committed_at, at);
        for stage in self.arrival.preset.stages() {
            let progress = self.stages.entry(stage).or_default();
            earliest(&mut progress.began_at, at);
            earliest(&mut progress.ended_at, at);
        }
        self.updated_at = self.updated_at.max(at);
    }

    /// Whether others can take over what was written for it.
    pub(crate) fn can_be_taken_over(&self) -> bool {
        self.account().is_some() && self.rows_committed.as_ref().is_some_and(|rows| Told::agreed(rows).is_some())
    }
}
