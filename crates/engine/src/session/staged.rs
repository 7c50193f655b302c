//! What the steps of a batch want, until it is committed at once; looked at by the steps that come later.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use pipeline::object::ObjectVersion;
use pipeline::ports::{Commit, Committed, Error, Revision};

use super::key::{record_key, source_key};
use super::{Route, unavailable};
use crate::limits::{SESSION_BYTES_MAX, SESSION_PARTS_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_PARTS_MAX};
use crate::objects::{Change, Head, Stored};
use crate::queues::{self, Lease, Millis, Queues, Transaction};

/// Parts of the transaction that are left for the messages that are acknowledged with it.
const ACKNOWLEDGED_MAX: usize = 1000;

/// Everything that is staged.
#[derive(Debug, Default)]
pub(super) struct Staged {
    records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What records must be in the store, in the order in which that was asked for, each once.
    expects: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    expected: HashSet<Vec<u8>>,
    sends: Vec<(queues::Queue, queues::Message)>,
    objects: BTreeMap<ObjectVersion, Small>,
    bytes: usize,
}

/// A small object that is staged.
#[derive(Debug, Clone)]
pub(super) struct Small {
    pub(super) head: Head,
    /// As they will lie in the store.
    pub(super) bytes: Arc<[u8]>,
    change: Change,
}

/// What a step adds, checked as a whole before any of it is staged.
struct Addition {
    records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    expects: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    sends: Vec<(queues::Queue, queues::Message)>,
}

impl Staged {
    /// The value of a record, as staged or else as committed.
    pub(super) fn load(&self, queues: &Queues, key: &[u8]) -> queues::Result<Option<Vec<u8>>> {
        match self.records.get(key) {
            Some(value) => Ok(value.clone()),
            None => queues.record(key),
        }
    }

    /// Records whose keys begin with `prefix` behind `after`, at most so many, as staged or else as committed.
    pub(super) fn page(
        &self,
        queues: &Queues,
        prefix: &[u8],
        after: Option<&[u8]>,
        records_max: usize,
    ) -> queues::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let staged = self.records.range::<[u8], _>((from, Bound::Unbounded));
        let staged: Vec<_> = staged.take_while(|(key, _)| key.starts_with(prefix)).collect();
        if staged.is_empty() {
            return queues.records(prefix, after, records_max);
        }
        // each that is staged hides one record at most, so what is left is enough
        let committed = queues.records(prefix, after, records_max.saturating_add(staged.len()))?;
        let mut page: BTreeMap<Vec<u8>, Vec<u8>> = committed.into_iter().collect();
        for (key, value) in staged {
            match value {
                Some(value) => page.insert(key.clone(), value.clone()),
                None => page.remove(key),
            };
        }
        Ok(page.into_iter().take(records_max).collect())
    }

    /// Stages a step, all or nothing.
    pub(super) fn commit(
        &mut self,
        queues: &Queues,
        route: &Route,
        commit: &Commit,
        now: Millis,
    ) -> Result<Committed, Error> {
        let source = source_key(&commit.source);
        let read = |error| unavailable("read the records of a commit", error);
        if self.load(queues, &source).map_err(read)?.is_some() {
            return Ok(Committed::Before);
        }
        let mut expects = vec![(source.clone(), None)];
        for (key, revision) in &commit.expects {
            let at = record_key(key);
            let value = self.load(queues, &at).map_err(read)?;
            if Revision::of(value.as_deref()) != *revision {
                return Err(Error::Changed(key.clone()));
            }
            // what was staged itself need not be in the store
            if !self.records.contains_key(&at) {
                expects.push((at, value));
            }
        }
        let mut records = vec![(source, Some(now.to_be_bytes().to_vec()))];
        let write = |write: &pipeline::step::Write| (record_key(&write.key), write.value.clone());
        records.extend(commit.step.writes.iter().map(write));
        let sends: Result<Vec<_>, _> = commit.step.sends.iter().map(|message| route(message)).collect();
        let sends = sends.map_err(|cause| unavailable("send a message", cause))?;
        self.add(Addition { records, expects, sends })?;
        Ok(Committed::Now)
    }

    fn add(&mut self, addition: Addition) -> Result<(), Error> {
        let Addition { records, expects, sends } = addition;
        let of_records = records.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len));
        let bytes = of_records.chain(sends.iter().map(|(_, message)| message.body.len())).sum();
        self.must_fit(bytes, records.len() + expects.len() + sends.len())?;
        self.bytes += bytes;
        for (key, value) in expects {
            if self.expected.insert(key.clone()) {
                self.expects.push((key, value));
            }
        }
        self.records.extend(records);
        self.sends.extend(sends);
        Ok(())
    }

    /// Stages a small object.
    pub(super) fn put(&mut self, stored: Stored, bytes: Arc<[u8]>) -> Result<ObjectVersion, Error> {
        let Stored { object, head, change } = stored;
        if !self.objects.contains_key(&object) {
            self.must_fit(change.bytes(), 1)?;
            self.bytes += change.bytes();
            self.objects.insert(object.clone(), Small { head, bytes, change });
        }
        Ok(object)
    }

    /// A small object that is staged.
    pub(super) fn object(&self, object: &ObjectVersion) -> Option<&Small> {
        self.objects.get(object)
    }

    /// Whether there is so much that it should be committed before the next step.
    pub(super) fn wants_flush(&self) -> bool {
        self.bytes >= SESSION_BYTES_MAX || self.parts() >= SESSION_PARTS_MAX
    }

    fn parts(&self) -> usize {
        self.records.len() + self.expects.len() + self.sends.len() + self.objects.len()
    }

    fn must_fit(&self, bytes: usize, parts: usize) -> Result<(), Error> {
        let (bytes, parts) = (self.bytes.saturating_add(bytes), self.parts().saturating_add(parts));
        if bytes <= TRANSACTION_BYTES_MAX && parts <= TRANSACTION_PARTS_MAX - ACKNOWLEDGED_MAX {
            return Ok(());
        }
        let what =
            format!("a step would make {bytes} bytes and {parts} parts in one transaction, more than there may be");
        Err(unavailable("stage a step", what))
    }

    /// All of it, with the acknowledgements.
    pub(super) fn into_transaction(self, acknowledges: Vec<Lease>) -> Transaction {
        let objects = self.objects.into_values().map(|small| small.change).collect();
        let records = self.records.into_iter().collect();
        Transaction { expects: self.expects, records, acknowledges, sends: self.sends, objects }
    }
}
