//! What callers from outside send once, under a key of their own: what they sent, and what they were answered.

use pipeline::message::Message;
use serde::{Deserialize, Serialize};

use super::{Engine, Result, Shared, now};
use crate::limits::{PAGE_ENTRIES_MAX, SOURCE_KEPT_MS};
use crate::queues::{self, Millis, Transaction};

const PREFIX: &str = "once/";

/// What was sent under a key, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// When.
    pub at: Millis,
    /// What tells one content from another.
    pub print: String,
    /// What was answered, or is to be.
    pub answer: String,
    /// Whether all of it is sent; else it is to be sent again, which changes nothing where it was.
    pub is_whole: bool,
}

fn record_key(key: &str) -> Vec<u8> {
    format!("{PREFIX}{key}").into_bytes()
}

impl Engine {
    /// What was sent under a key. It is known for as long as a message that was handled is.
    pub fn once(&self, key: &str) -> Result<Option<Once>> {
        let found = self.shared.queues.record(&record_key(key))?;
        Ok(found.and_then(|value| serde_json::from_slice(&value).ok()))
    }

    /// Sends messages, and writes down under `key` what they were; all or nothing. `before` is what must stand there; false
    /// when something else does, and nothing was sent.
    pub async fn send_once(&self, key: &str, before: Option<&Once>, once: &Once, messages: &[Message]) -> Result<bool> {
        let value = |once: &Once| serde_json::to_vec(once).unwrap_or_default();
        let sends = messages.iter().map(|message| self.shared.routed(message)).collect::<Result<_>>()?;
        let transaction = Transaction {
            expects: vec![(record_key(key), before.map(value))],
            records: vec![(record_key(key), Some(value(once)))],
            sends,
            ..Transaction::default()
        };
        match self.shared.queues.transact(transaction, now()).await {
            Ok(_) => Ok(true),
            Err(queues::Error::Changed { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Forgets what was sent so long ago that its messages are forgotten too; how many.
pub(super) fn forget(shared: &Shared, at: Millis) -> Result<usize> {
    let before = at.saturating_sub(SOURCE_KEPT_MS);
    let (mut forgotten, mut after) = (0, None);
    loop {
        let page = shared.queues.records(PREFIX.as_bytes(), after.as_deref(), PAGE_ENTRIES_MAX)?;
        let is_old = |value: &[u8]| serde_json::from_slice::<Once>(value).is_ok_and(|once| once.at < before);
        let old = page.iter().filter(|(_, value)| is_old(value));
        let records: Vec<_> = old.map(|(key, _)| (key.clone(), None)).collect();
        if !records.is_empty() {
            forgotten += records.len();
            shared.queues.transact(Transaction { records, ..Transaction::default() }, at).wait()?;
        }
        let Some((last, _)) = page.into_iter().next_back() else { return Ok(forgotten) };
        after = Some(last);
    }
}
