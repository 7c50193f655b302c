//! The three presets and their stages.

use serde::{Deserialize, Serialize};

/// One of the three systems that run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Market data files, in order per feed.
    Files,
    /// Market data points, one by one or in files.
    Market,
    /// Card transactions.
    Transactions,
}

/// A step of a preset. Declared in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// `files`, `transactions`: the file is parsed once, good rows and rejects are written.
    Validate,
    /// `market`: as validate, for files and for single records.
    Ingest,
    /// `files`, `market`: what the file contributes is computed.
    Process,
    /// `transactions`: rows become records that can be queried.
    Transform,
    /// `files`, `market`: contributions become windows.
    Aggregate,
    /// `transactions`: who waits for the result is told.
    Notify,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Files, Self::Market, Self::Transactions];

    /// Its stages in order.
    pub fn stages(self) -> [Stage; 3] {
        match self {
            Self::Files => [Stage::Validate, Stage::Process, Stage::Aggregate],
            Self::Market => [Stage::Ingest, Stage::Process, Stage::Aggregate],
            Self::Transactions => [Stage::Validate, Stage::Transform, Stage::Notify],
        }
    }

    /// Whether a stage may begin other files anew, which the commit then sends to their first stage: those that decide what
    /// files are to each other, and whose ids are whose.
    pub fn may_begin_anew(self, stage: Stage) -> bool {
        let [first, second, third] = self.stages();
        stage == first || stage == if self == Self::Transactions { second } else { third }
    }
}

impl Stage {
    /// Who does it, as the field `stage` of a receipt tells.
    pub fn actor(self) -> &'static str {
        match self {
            Self::Validate => "validator",
            Self::Ingest => "ingester",
            Self::Process => "processor",
            Self::Transform => "transformer",
            Self::Aggregate => "aggregator",
            Self::Notify => "notifier",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_a_preset_are_in_the_order_of_their_declaration() {
        for preset in Preset::ALL {
            assert!(preset.stages().is_sorted(), "{preset:?}");
        }
    }
}
