//! Status and outcome, which follow from the facts of a receipt.

use serde::{Deserialize, Serialize};

use super::{Receipt, Unaccounted};
use crate::preset::Stage;

/// The stage word. In the order of declaration they only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Status {
    Received,
    Validating,
    Validated,
    Processing,
    Processed,
    Transforming,
    Transformed,
    Aggregating,
    Aggregated,
    Notifying,
    Notified,
}

/// How it ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not there yet.
    InProgress,
    /// A stage gave up; redriven, it may still complete.
    Failed,
    /// Every row is good, and can be queried.
    Completed,
    /// Some rows were refused or repeated; the good ones can be queried.
    CompletedWithRejects,
    /// Refused as a whole; nothing counts.
    Rejected,
    /// The same bytes came before; nothing counts twice.
    Duplicate,
    /// A newer version of its key took its place.
    Superseded,
}

impl Outcome {
    /// Whether what the file has adds to aggregates.
    pub fn counts(self) -> bool {
        matches!(self, Self::Completed | Self::CompletedWithRejects)
    }
}

impl Status {
    pub(super) fn begun(stage: Stage) -> Self {
        match stage {
            Stage::Validate | Stage::Ingest => Self::Validating,
            Stage::Process => Self::Processing,
            Stage::Transform => Self::Transforming,
            Stage::Aggregate => Self::Aggregating,
            Stage::Notify => Self::Notifying,
        }
    }

    pub(super) fn ended(stage: Stage) -> Self {
        match stage {
            Stage::Validate | Stage::Ingest => Self::Validated,
            Stage::Process => Self::Processed,
            Stage::Transform => Self::Transformed,
            Stage::Aggregate => Self::Aggregated,
            Stage::Notify => Self::Notified,
        }
    }
}

impl Receipt {
    /// The stage word of the last stage that everything before it is done for. A file that was refused as a whole
    /// stays at `validating`: who looks at the status alone must not take it for validated.
    pub fn status(&self) -> Status {
        let mut status = Status::Received;
        for stage in self.arrival.preset.stages() {
            if self.has_ended(stage) {
                status = Status::ended(stage);
                continue;
            }
            // a stage that ended without what it needs beside it is under way
            let known = self.stages.get(&stage);
            let begun = known.is_some_and(|progress| progress.began_at.or(progress.ended_at).is_some());
            let told = self.account.is_some() && stage == self.arrival.preset.stages()[0];
            return if begun || told { Status::begun(stage) } else { status };
        }
        status
    }

    /// How it ended. Never `completed` unless every row is accounted for (invariant 1), and the good ones and the
    /// aggregates can be queried (invariant 5).
    pub fn outcome(&self) -> Outcome {
        if self.superseded_by().is_some() {
            return Outcome::Superseded;
        }
        if self.duplicate_of().is_some() {
            return Outcome::Duplicate;
        }
        let Some(account) = self.account() else { return self.unfinished() };
        if account.refused.is_some() {
            return Outcome::Rejected;
        }
        if !self.arrival.preset.stages().into_iter().all(|stage| self.has_ended(stage)) {
            return self.unfinished();
        }
        let counts = &account.counts;
        let clean = counts.rejected == 0 && counts.duplicate == 0;
        if clean { Outcome::Completed } else { Outcome::CompletedWithRejects }
    }

    /// Whether what is known so far adds up; if not, it never will, and who told the last of it made a mistake.
    pub fn adds_up(&self) -> Result<(), Unaccounted> {
        let Some(account) = &self.account else { return Ok(()) };
        let Some(account) = account.agreed() else { return Err(Unaccounted::Contradiction("what validation told")) };
        account.counts.add_up()?;
        let Some(committed) = &self.rows_committed else { return Ok(()) };
        let Some(committed) = committed.agreed() else {
            return Err(Unaccounted::Contradiction("the number of rows that can be queried"));
        };
        let good = account.counts.good;
        if *committed == good { Ok(()) } else { Err(Unaccounted::Committed { good, committed: *committed }) }
    }

    /// Whether a stage is done and so is what its word promises: for the first, an account that adds up of a file that
    /// is not refused; for the last, all that can be queried.
    pub(super) fn has_ended(&self, stage: Stage) -> bool {
        let [first, _, last] = self.arrival.preset.stages();
        if self.stages.get(&stage).is_none_or(|progress| progress.ended_at.is_none()) {
            return false;
        }
        if stage == first {
            return self.account().is_some_and(|told| told.refused.is_none() && told.counts.add_up().is_ok());
        }
        stage != last || (self.can_be_queried() && self.adds_up().is_ok())
    }

    fn can_be_queried(&self) -> bool {
        self.rows_committed.is_some() && self.aggregates_committed_at.is_some()
    }

    fn unfinished(&self) -> Outcome {
        // a failure of a stage that was done after all is history
        let gave_up = |stage| self.stages.get(&stage).is_some_and(|progress| progress.failure.is_some());
        let stages = self.arrival.preset.stages();
        let failed = stages.into_iter().any(|stage| !self.has_ended(stage) && gave_up(stage));
        if failed { Outcome::Failed } else { Outcome::InProgress }
    }
}
