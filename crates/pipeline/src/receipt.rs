//! The receipt: the one record of what became of one object version.
//!
//! A receipt keeps *facts*, and status and outcome follow from them. Each fact only grows — the earliest time, the
//! highest attempt, the union — so the order in which events come and how often they come cannot matter (invariant 3),
//! and nothing ever moves back. What people and machines read is a [`View`].

mod account;
mod event;
mod outcome;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::message::Feed;
use crate::object::{ObjectVersion, ReceiptId};
use crate::preset::{Preset, Stage};

pub use account::{Account, Counts, Drift, RefusedFile, Unaccounted};
pub use event::{Event, What};
pub use outcome::{Outcome, Status};
pub use view::View;

/// What is known when an object version arrives; the same for every delivery of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The object version.
    pub object: ObjectVersion,
    /// The preset of its feed.
    pub preset: Preset,
    /// Its feed.
    pub feed: Feed,
    /// Other names it is found by, as upload ids; its keys and its sha256 need not be here.
    pub aliases: BTreeSet<String>,
    /// The trace that its upload began.
    pub trace: String,
    /// When the object was written, as its store says.
    pub at: Millis,
}

/// How far one stage has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// When it was first begun.
    pub began_at: Option<Millis>,
    /// When it was first done.
    pub ended_at: Option<Millis>,
    /// The highest attempt that was begun or failed.
    pub attempts: u32,
    /// The last failure, by attempt, then time: what was wrong.
    pub failure: Option<Failure>,
    /// The last dead letter in front of it that keeps its feed waiting, by time.
    pub blocked: Option<Blocked>,
}

/// A stage that gave up: its message is a dead letter. Ordered by attempt, then time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// The attempt.
    pub attempt: u32,
    /// When.
    pub at: Millis,
    /// What was wrong.
    pub error: String,
}

/// Waiting for another file of the feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blocked {
    /// Since when.
    pub at: Millis,
    /// The file that is waited for.
    pub by: ReceiptId,
}

/// A fact that must be told alike each time. Two ends are kept, so that a contradiction is seen whoever came first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told<T> {
    least: T,
    most: T,
}

impl<T: Ord + Clone> Told<T> {
    fn tell(slot: &mut Option<Self>, value: T) {
        match slot {
            None => *slot = Some(Self { least: value.clone(), most: value }),
            Some(told) if value < told.least => told.least = value,
            Some(told) if value > told.most => told.most = value,
            Some(_) => {}
        }
    }

    /// The fact, unless it was told in two ways.
    fn agreed(&self) -> Option<&T> {
        (self.least == self.most).then_some(&self.least)
    }
}

/// What became of one object version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The version of this form of it.
    version: u32,
    arrival: Arrival,
    account: Option<Told<Account>>,
    /// How many rows can be queried.
    rows_committed: Option<Told<u64>>,
    /// Since when the aggregates can be queried.
    aggregates_committed_at: Option<Millis>,
    stages: BTreeMap<Stage, Progress>,
    /// Of several, the one with the smallest id.
    duplicate_of: Option<ReceiptId>,
    supersedes: Option<ReceiptId>,
    superseded_by: Option<ReceiptId>,
    links: BTreeMap<String, Told<ObjectVersion>>,
    updated_at: Millis,
}

impl Receipt {
    /// The receipt of an object version that arrived, with nothing done yet.
    pub fn new(arrival: Arrival) -> Self {
        Self {
            version: 1,
            updated_at: arrival.at,
            arrival,
            account: None,
            rows_committed: None,
            aggregates_committed_at: None,
            stages: BTreeMap::new(),
            duplicate_of: None,
            supersedes: None,
            superseded_by: None,
            links: BTreeMap::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> ReceiptId {
        ReceiptId::of(&self.arrival.object)
    }

    /// What was known when it arrived.
    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// What validation told, unless it told two different things.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()?.agreed()
    }

    /// How far a stage has come.
    pub fn progress(&self, stage: Stage) -> Option<&Progress> {
        self.stages.get(&stage)
    }

    /// The stage whose work is next or under way; the last one once all are done.
    pub fn stage(&self) -> Stage {
        let stages = self.arrival.preset.stages();
        stages.into_iter().find(|stage| !self.has_ended(*stage)).unwrap_or(stages[2])
    }

    /// The file it waits for, while it does: as soon as the stage is begun it does not any more.
    pub fn blocked_by(&self) -> Option<&ReceiptId> {
        let progress = self.stages.get(&self.stage())?;
        let waits = progress.began_at.is_none() && progress.ended_at.is_none();
        progress.blocked.as_ref().filter(|_| waits).map(|blocked| &blocked.by)
    }

    /// The receipt of the same bytes that came before.
    pub fn duplicate_of(&self) -> Option<&ReceiptId> {
        self.duplicate_of.as_ref()
    }
}
