//! What happens to a receipt. Every event only adds to what is known.

use serde::{Deserialize, Serialize};

use super::{Account, Blocked, Failure, Receipt, Told};
use crate::Millis;
use crate::object::{ObjectVersion, ReceiptId};
use crate::preset::Stage;

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Millis,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A stage was begun.
    Began {
        /// Which.
        stage: Stage,
        /// Counted from 1.
        attempt: u32,
    },
    /// The first stage told what the file holds.
    Checked(Box<Account>),
    /// All rows of the file that count can be queried from now on, and are so many; said once, not for each part.
    RowsCommitted(u64),
    /// The aggregates can be queried from now on.
    AggregatesCommitted,
    /// A stage is done.
    Ended(Stage),
    /// The message of a stage became a dead letter.
    Failed {
        /// Which.
        stage: Stage,
        /// The last attempt.
        attempt: u32,
        /// What was wrong.
        error: String,
    },
    /// The stage waits for another file of the feed (policy `park`).
    Blocked {
        /// Which.
        stage: Stage,
        /// The file in front.
        by: ReceiptId,
    },
    /// A stage that works on a file in parts has done one of them.
    PartDone {
        /// Which stage.
        stage: Stage,
        /// Which part.
        part: u64,
    },
    /// Something was written for it: `rejects`, `validated`, …
    Linked {
        /// The name of the link.
        name: String,
        /// Where it leads.
        to: ObjectVersion,
    },
}

impl Receipt {
    /// Takes an event in. The same events in any order, each any number of times, make the same receipt.
    ///
    /// Who calls this asks [`Receipt::adds_up`] before it commits the receipt, and commits nothing if it does not: a fact
    /// that contradicts an earlier one is the only thing that could take a status back, and is never right.
    pub fn apply(&mut self, Event { at, what }: Event) {
        self.updated_at = self.updated_at.max(at);
        match what {
            What::Began { stage, attempt } => {
                let progress = self.stages.entry(stage).or_default();
                earliest(&mut progress.began_at, at);
                progress.attempts = progress.attempts.max(attempt);
            }
            What::Checked(account) => Told::tell(&mut self.account, *account),
            What::RowsCommitted(rows) => Told::tell(&mut self.rows_committed, rows),
            What::AggregatesCommitted => earliest(&mut self.aggregates_committed_at, at),
            What::Ended(stage) => earliest(&mut self.stages.entry(stage).or_default().ended_at, at),
            What::Failed { stage, attempt, error } => {
                let progress = self.stages.entry(stage).or_default();
                progress.attempts = progress.attempts.max(attempt);
                greatest(&mut progress.failure, Failure { attempt, at, error });
            }
            What::Blocked { stage, by } => {
                greatest(&mut self.stages.entry(stage).or_default().blocked, Blocked { at, by });
            }
            What::PartDone { stage, part } => {
                self.stages.entry(stage).or_default().parts.insert(part);
            }
            What::Linked { name, to } => {
                let mut told = self.links.remove(&name);
                Told::tell(&mut told, to);
                self.links.extend(told.map(|told| (name, told)));
            }
        }
    }
}

/// Keeps the smaller of what is there and what comes.
pub(super) fn earliest<T: Ord>(slot: &mut Option<T>, value: T) {
    if slot.as_ref().is_none_or(|kept| value < *kept) {
        *slot = Some(value);
    }
}

/// Keeps the greater of what is there and what comes.
fn greatest<T: Ord>(slot: &mut Option<T>, value: T) {
    if slot.as_ref().is_none_or(|kept| value > *kept) {
        *slot = Some(value);
    }
}
