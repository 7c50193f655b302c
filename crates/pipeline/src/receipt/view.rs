//! The receipt as JSON for people and programs, with the fields that clients of the older systems look for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{Account, Outcome, Past, Progress, Receipt, Status};
use crate::Millis;
use crate::message::Feed;
use crate::object::{ObjectVersion, ReceiptId};
use crate::preset::{Preset, Stage};

/// Seconds for which status details are kept: 30 days.
pub(crate) const DETAILS_SECONDS: u64 = 30 * 24 * 60 * 60;

/// A receipt as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View<'a> {
    /// The key of the object, as uploaded.
    pub file_id: &'a str,
    /// Its id.
    pub receipt_id: ReceiptId,
    /// The stage word.
    pub status: Status,
    /// Who works on it, or did last: `validator`, `processor`, …
    pub stage: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// When it last changed: milliseconds since 1970, as text.
    pub timestamp: String,
    /// The same in seconds.
    pub last_updated: u64,
    /// The same as RFC 3339.
    pub updated_at: String,
    /// When the details expire, in seconds since 1970.
    pub expiration_time: u64,
    /// The bucket.
    pub bucket_name: &'a str,
    /// The key.
    pub object_key: &'a str,
    /// The version of the object.
    pub version_id: &'a str,
    /// The preset.
    pub preset: Preset,
    /// The feed.
    pub feed: &'a Feed,
    /// Other names.
    pub aliases: Vec<&'a str>,
    /// The trace.
    pub trace_id: &'a str,
    /// When it arrived, in milliseconds.
    pub received_at: Millis,
    /// What validation told.
    pub account: Option<&'a Account>,
    /// All attempts of all stages.
    pub attempts: u64,
    /// Times, attempts and failures of each stage.
    pub stages: &'a BTreeMap<Stage, Progress>,
    /// The file it waits for.
    pub blocked_by: Option<&'a ReceiptId>,
    /// The receipt of the same bytes.
    pub duplicate_of: Option<&'a ReceiptId>,
    /// The version it replaced.
    pub supersedes: Option<&'a ReceiptId>,
    /// The version that replaced it.
    pub superseded_by: Option<&'a ReceiptId>,
    /// How often it was begun anew: on purpose, or because of another file.
    pub generation: u32,
    /// How it had ended before that.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub past: Cow<'a, [Past]>,
    /// What was written for it.
    pub links: BTreeMap<&'a str, &'a ObjectVersion>,
    /// What happened, oldest first: the time and the word.
    pub history: Vec<(Millis, Status)>,
}

impl Receipt {
    /// As it is read.
    pub fn view(&self) -> View<'_> {
        let ObjectVersion { bucket, key, version } = &self.arrival.object;
        let seconds = self.updated_at / 1000;
        // times past the year 2262 are shown as the last instant that nanoseconds can tell
        let nanoseconds = i64::try_from(self.updated_at).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        View {
            file_id: key,
            receipt_id: self.id(),
            status: self.status(),
            stage: self.stage().actor(),
            outcome: self.outcome(),
            timestamp: self.updated_at.to_string(),
            last_updated: seconds,
            updated_at: rows::time::rfc3339(nanoseconds),
            expiration_time: seconds.saturating_add(DETAILS_SECONDS),
            bucket_name: bucket,
            object_key: key,
            version_id: version,
            preset: self.arrival.preset,
            feed: &self.arrival.feed,
            aliases: self.arrival.aliases.iter().map(String::as_str).collect(),
            trace_id: &self.arrival.trace,
            received_at: self.arrival.at,
            account: self.account(),
            attempts: self.stages.values().map(|progress| u64::from(progress.attempts)).sum(),
            stages: &self.stages,
            blocked_by: self.blocked_by(),
            duplicate_of: self.duplicate_of().map(|other| &other.receipt),
            supersedes: self.supersedes().map(|other| &other.receipt),
            superseded_by: self.superseded_by().map(|other| &other.receipt),
            generation: self.generation,
            past: Cow::Borrowed(&self.past),
            links: self.links.iter().filter_map(|(name, told)| Some((name.as_str(), told.agreed()?))).collect(),
            history: self.history(),
        }
    }

    /// When each word came to be true by the clock of the stage it is about.
    fn history(&self) -> Vec<(Millis, Status)> {
        let mut history = vec![(self.arrival.at, Status::Received)];
        for stage in self.arrival.preset.stages() {
            let Some(progress) = self.stages.get(&stage) else { continue };
            history.extend(progress.began_at.map(|at| (at, Status::begun(stage))));
            let ended = progress.ended_at.filter(|_| self.has_ended(stage));
            history.extend(ended.map(|at| (at, Status::ended(stage))));
        }
        history
    }
}
