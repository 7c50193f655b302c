//! The receipt: the one record of what became of one object version.
//!
//! A receipt keeps *facts*, and status and outcome follow from them. Each fact only grows — the earliest time, the
//! highest attempt, the union — so the order in which events come and how often they come cannot matter (invariant 3),
//! and nothing ever moves back. What a file is to the others of its feed is no such fact: it follows from all of them and
//! is set by whoever decides it ([`Relations`]). What people and machines read is a [`View`].

mod account;
mod event;
mod outcome;
mod relations;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::limits::GENERATIONS_KEPT_MAX;
use crate::message::Feed;
use crate::object::{ObjectVersion, Order, ReceiptId};
use crate::preset::{Preset, Stage};

pub use account::{Account, Counts, Drift, RefusedFile, Unaccounted};
pub use event::{Event, What};
pub use outcome::{Outcome, Status};
pub use relations::{Other, Relations};
pub(crate) use view::DETAILS_SECONDS;
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

impl Arrival {
    /// Its place among the files of its feed.
    pub fn order(&self) -> Order {
        Order::of(&self.object, self.at)
    }
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
    /// Parts that are done, where a stage works on a file in parts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub parts: BTreeSet<u64>,
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
    // three fields as they have always been written, read and set together as [`Relations`]
    duplicate_of: Option<Other>,
    supersedes: Option<Other>,
    superseded_by: Option<Other>,
    links: BTreeMap<String, Told<ObjectVersion>>,
    updated_at: Millis,
    /// How often it was begun anew on purpose.
    #[serde(default)]
    generation: u32,
    /// How it had ended before that, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    past: Vec<Past>,
    /// Of its bytes, once they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Whether it has its place among the files of its feed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    placed: bool,
}

/// How a file had ended before it was begun anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// When it was begun anew.
    pub until: Millis,
    /// How it had ended by then.
    pub outcome: Outcome,
    /// What validation had told.
    pub account: Option<Account>,
    /// The file because of which it was; none if somebody wanted it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because_of: Option<ReceiptId>,
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
            generation: 0,
            past: Vec::new(),
            sha256: None,
            placed: false,
        }
    }

    /// Forgets what the stages found, because somebody wants them to look again: what they say from now on is of the
    /// next generation. Its place among other files stays. The only way back there is. If another file is why, it is named.
    pub fn begin_again(&mut self, at: Millis, because_of: Option<&ReceiptId>) {
        let (outcome, account) = (self.outcome(), self.account().cloned());
        self.past.push(Past { until: at, outcome, account, because_of: because_of.cloned() });
        self.past.drain(..self.past.len().saturating_sub(GENERATIONS_KEPT_MAX));
        self.generation = self.generation.saturating_add(1);
        (self.account, self.rows_committed, self.aggregates_committed_at) = (None, None, None);
        (self.duplicate_of, self.stages) = (None, BTreeMap::new());
        self.links.clear();
        self.updated_at = self.updated_at.max(at);
    }

    /// Forgets the details that expire: what failed on the way, and how it had ended before it was begun anew. What became
    /// of its rows stays, and so do the hash and the times. Says whether there was anything to forget.
    pub fn forget_details(&mut self) -> bool {
        let mut forgot = !self.past.is_empty();
        self.past.clear();
        for progress in self.stages.values_mut() {
            forgot |= progress.failure.is_some() || progress.blocked.is_some() || !progress.parts.is_empty();
            (progress.failure, progress.blocked) = (None, None);
            progress.parts.clear();
        }
        forgot
    }

    /// When it last changed.
    pub fn updated_at(&self) -> Millis {
        self.updated_at
    }

    /// How often it was begun anew.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// How it had ended before it was begun anew, the oldest first.
    pub fn past(&self) -> &[Past] {
        &self.past
    }

    /// Whether a stage is done, and all that its word promises.
    pub fn is_done(&self, stage: Stage) -> bool {
        self.has_ended(stage)
    }

    /// Where something lies that was written for it.
    pub fn link(&self, name: &str) -> Option<&ObjectVersion> {
        self.links.get(name)?.agreed()
    }

    /// Since when its aggregates can be queried.
    pub fn aggregated_at(&self) -> Option<Millis> {
        self.aggregates_committed_at
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
}
