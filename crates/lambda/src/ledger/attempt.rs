//! What this process has prepared for a commit of several transactions, so that trying again does not begin anew.
//!
//! A record that others are at as well stands in the last transaction, which is refused when they were quicker. What was
//! prepared before it is as good as it was then, for as long as nobody has taken the attempt's intent away. After a call
//! without an answer it is given up: what was asked for may still happen, and must not meet what was prepared later.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use pipeline::ports::Revision;
use pipeline::step::RecordKey;

use super::Ledger;
use super::plan::Entry;

/// An attempt at a commit that has not happened yet.
#[derive(Debug)]
pub(super) struct Attempt {
    pub source: String,
    pub token: String,
    /// Whether its intent is written down. It is written once: whoever takes it away ends the attempt.
    pub is_noted: bool,
    /// What was prepared: what the record must be, and what it will be.
    prepared: BTreeMap<RecordKey, (Option<Revision>, Revision)>,
}

impl Attempt {
    pub fn new(source: &str, token: String) -> Self {
        Self { source: source.to_owned(), token, is_noted: false, prepared: BTreeMap::new() }
    }

    /// Whether all that it has prepared is part of this commit too; else a record would get what is out of date.
    fn is_part_of(&self, entries: &[Entry<'_>]) -> bool {
        let found = entries.iter().filter(|entry| self.prepared.contains_key(entry.key)).count();
        found == self.prepared.len()
    }

    /// Whether this stands prepared already, just so.
    pub fn has(&self, entry: &Entry<'_>) -> bool {
        self.prepared.get(entry.key) == Some(&change(entry))
    }

    pub fn note(&mut self, entries: &[Entry<'_>]) {
        self.prepared.extend(entries.iter().map(|entry| (entry.key.clone(), change(entry))));
    }
}

/// What a record must be, and what it is when the attempt happens.
fn change(entry: &Entry<'_>) -> (Option<Revision>, Revision) {
    let looks = || entry.expected.unwrap_or_default();
    (entry.expected, entry.change.map_or_else(looks, |value| Revision::of(value.as_deref())))
}

impl Ledger {
    /// The attempt to go on with, if these are the records that are to be prepared for it.
    pub(super) fn attempt_at(&self, source: &str, entries: &[Entry<'_>]) -> Attempt {
        let last = self.attempt.lock().unwrap_or_else(PoisonError::into_inner).take();
        last.filter(|last| last.source == source && last.is_part_of(entries))
            .unwrap_or_else(|| Attempt::new(source, self.token(source)))
    }

    /// Keeps an attempt that may still happen.
    pub(super) fn keep(&self, attempt: Option<Attempt>) {
        *self.attempt.lock().unwrap_or_else(PoisonError::into_inner) = attempt;
    }
}
