//! Records and an outbox in memory, stricter than a store: broken promises are panics.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use pipeline::message::{Message, MessageId};
use pipeline::ports::{Commit, Committed, Error, Ledger, Loaded, Revision};
use pipeline::step::{Kind, RecordKey, Write};

use crate::faults::{Call, Faults};
use crate::lock;

/// Writes, messages and conditions of one commit, its source among them. The engine takes as many; what it adds of its
/// own it must find room for.
const PARTS_MAX: usize = 10_000;

/// Bytes of everything in one commit, as in the engine.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of the id of a record: the longest key that DynamoDB takes.
const ID_BYTES_MAX: usize = 2048;

/// Records and an outbox in memory. Clones are the same ledger.
#[derive(Clone, Default)]
pub struct MemoryLedger {
    kept: Arc<Mutex<Kept>>,
    faults: Faults,
}

#[derive(Default)]
struct Kept {
    records: BTreeMap<RecordKey, Vec<u8>>,
    sources: BTreeSet<MessageId>,
    outbox: Vec<Message>,
    /// Every message that was ever taken over, to tell one id with two contents.
    taken: BTreeMap<MessageId, Message>,
}

impl MemoryLedger {
    /// A ledger whose calls fail as planned.
    pub fn new(faults: &Faults) -> Self {
        Self { kept: Arc::default(), faults: faults.clone() }
    }

    /// The same ledger, asked by somebody else: its calls fail as planned there, and are counted there.
    pub fn with(&self, faults: &Faults) -> Self {
        Self { kept: Arc::clone(&self.kept), faults: faults.clone() }
    }

    /// The messages that were taken over since the last call, in the order of the commits. Never fails.
    pub fn take_outbox(&self) -> Vec<Message> {
        std::mem::take(&mut lock(&self.kept).outbox)
    }

    /// All records as they are, whatever faults are planned.
    pub fn records(&self) -> BTreeMap<RecordKey, Vec<u8>> {
        lock(&self.kept).records.clone()
    }

    /// Whether a commit from this source happened.
    pub fn has_seen(&self, source: &MessageId) -> bool {
        lock(&self.kept).sources.contains(source)
    }
}

impl fmt::Debug for MemoryLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLedger").field("records", &lock(&self.kept).records.len()).finish_non_exhaustive()
    }
}

#[track_caller]
fn check_key(key: &RecordKey) {
    let RecordKey { kind, id } = key;
    assert!(!id.is_empty(), "a record has an id: one of kind {kind:?} has none");
    assert!(
        id.len() <= ID_BYTES_MAX,
        "the id of a record has at most {ID_BYTES_MAX} bytes: {kind:?} {id:?} has {}",
        id.len()
    );
}

/// What a caller promises of a commit.
#[track_caller]
fn check_commit(commit: &Commit) {
    let source = commit.source.as_str();
    assert!(!source.is_empty(), "a commit has a source");
    let mut bytes = source.len();
    let mut written = BTreeSet::new();
    for Write { key, value } in &commit.step.writes {
        check_key(key);
        assert!(written.insert(key), "no record is written twice in one step: {source} writes {key:?} again");
        bytes += key.id.len() + value.as_ref().map_or(0, Vec::len);
    }
    let mut expected = BTreeSet::new();
    for (key, _) in &commit.expects {
        check_key(key);
        assert!(expected.insert(key), "no record is expected twice in one commit: {source} expects {key:?} again");
        bytes += key.id.len();
    }
    let mut sent = BTreeSet::new();
    for message in &commit.step.sends {
        let id = message.id();
        match message.to_json() {
            Ok(json) => bytes += json.len(),
            Err(error) => panic!("every message fits a queue: {source} sends one that does not: {error}"),
        }
        assert!(sent.insert(id.clone()), "no message is sent twice in one step: {source} sends {id:?} again");
    }
    let parts = 1 + written.len() + expected.len() + sent.len();
    assert!(parts <= PARTS_MAX, "a commit has at most {PARTS_MAX} parts: {source} has {parts}");
    assert!(bytes <= BYTES_MAX, "a commit has at most {BYTES_MAX} bytes: {source} has {bytes}");
}

impl Ledger for MemoryLedger {
    #[track_caller]
    fn load(&self, key: &RecordKey) -> Result<Loaded, Error> {
        check_key(key);
        let what = || format!("load {:?} {}", key.kind, key.id);
        self.faults.run(Call::Load, None, what, || {
            let value = lock(&self.kept).records.get(key).cloned();
            Ok(Loaded { revision: Revision::of(value.as_deref()), value })
        })
    }

    #[track_caller]
    fn page(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        assert!(records_max > 0, "a page is asked for at least one record: {kind:?} {within:?}");
        let what = || format!("list {kind:?} {within}");
        self.faults.run(Call::Page, None, what, || {
            let key = |id: &str| RecordKey { kind, id: id.to_owned() };
            let from = match after {
                Some(after) if after >= within => Bound::Excluded(key(after)),
                _ => Bound::Included(key(within)),
            };
            let kept = lock(&self.kept);
            let records = kept.records.range((from, Bound::Unbounded));
            let records = records.take_while(|(key, _)| key.kind == kind && key.id.starts_with(within));
            let records = records.take(records_max);
            Ok(records.map(|(key, value)| (key.id.clone(), value.clone())).collect())
        })
    }

    #[track_caller]
    fn commit(&self, commit: Commit) -> Result<Committed, Error> {
        check_commit(&commit);
        for message in &commit.step.sends {
            let earlier = lock(&self.kept).taken.get(&message.id()).cloned();
            assert!(
                earlier.is_none_or(|earlier| earlier == *message),
                "an id means one message: {:?} was taken over with another content",
                message.id()
            );
        }
        let what = || format!("commit {}", commit.source.as_str());
        self.faults.run(Call::Commit, None, what, || lock(&self.kept).apply(&commit))
    }
}

impl Kept {
    fn apply(&mut self, commit: &Commit) -> Result<Committed, Error> {
        if self.sources.contains(&commit.source) {
            return Ok(Committed::Before);
        }
        for (key, revision) in &commit.expects {
            if Revision::of(self.records.get(key).map(Vec::as_slice)) != *revision {
                return Err(Error::Changed(key.clone()));
            }
        }
        self.sources.insert(commit.source.clone());
        for Write { key, value } in &commit.step.writes {
            match value {
                Some(value) => self.records.insert(key.clone(), value.clone()),
                None => self.records.remove(key),
            };
        }
        for message in &commit.step.sends {
            self.taken.insert(message.id(), message.clone());
            self.outbox.push(message.clone());
        }
        Ok(Committed::Now)
    }
}
