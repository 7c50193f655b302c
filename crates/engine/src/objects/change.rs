//! What becomes of objects in a transaction of the queues.

use std::sync::Arc;

use super::clock::Clock;
use super::files::Placed;
use super::key;
use super::record::{Place, Record};
use crate::store::Table;
use pipeline::object::ObjectVersion;

/// Where in [`Table::Meta`] the last number of a version stands that may be gone.
pub(super) const LAST_KEY: &[u8] = b"objects/last";

/// An object that comes or goes with a transaction; [`crate::objects`] makes it. If the transaction is refused, the
/// bytes that would have come with it are gone.
#[derive(Debug, Clone)]
pub struct Change {
    key: Vec<u8>,
    condition: Condition,
    record: Option<Vec<u8>>,
    /// Contents of small objects, by number; none goes.
    contents: Vec<(u64, Option<Arc<[u8]>>)>,
    placed: Option<Arc<Placed>>,
    /// Versions must not come again after the last record of them is gone.
    clock: Option<Arc<Clock>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    /// Nobody else can have written this version.
    New,
    /// If it is there, it has the same bytes, and nothing happens.
    Absent,
    /// Else all of the transaction does not happen.
    Is(Vec<u8>),
}

impl PartialEq for Change {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, &self.condition, &self.record) == (&other.key, &other.condition, &other.record)
    }
}

impl Eq for Change {}

/// Bytes that are to be recorded: in memory, or in a file.
#[derive(Debug, Clone)]
pub(super) enum Bytes {
    Memory(Arc<[u8]>),
    File(Arc<Placed>),
}

impl Change {
    /// A version comes: an upload, or an object that was derived and may be there.
    pub(super) fn put(object: &ObjectVersion, record: &Record, bytes: Bytes, is_derived: bool) -> Self {
        let condition = if is_derived { Condition::Absent } else { Condition::New };
        let ObjectVersion { bucket, key, version } = object;
        Self::write(key::of_version(bucket, key, version), condition, record, bytes)
    }

    /// The bytes of a version come to lie in another place.
    pub(super) fn replace(key: Vec<u8>, from: &Record, to: &Record, bytes: Bytes) -> Self {
        let mut change = Self::write(key, Condition::Is(from.encode()), to, bytes);
        if let Place::Store(number) = from.place {
            change.contents.push((number, None));
        }
        change
    }

    fn write(key: Vec<u8>, condition: Condition, record: &Record, bytes: Bytes) -> Self {
        let (contents, placed) = match bytes {
            Bytes::Memory(content) => (vec![(record.place.number(), Some(content))], None),
            Bytes::File(placed) => (Vec::new(), Some(placed)),
        };
        Self { key, condition, record: Some(record.encode()), contents, placed, clock: None }
    }

    /// A version goes.
    pub(super) fn delete(key: Vec<u8>, record: &Record, clock: Arc<Clock>) -> Self {
        let contents = match record.place {
            Place::Store(number) => vec![(number, None)],
            Place::File(_) => Vec::new(),
        };
        let condition = Condition::Is(record.encode());
        Self { key, condition, record: None, contents, placed: None, clock: Some(clock) }
    }

    /// Bytes that it adds to a transaction.
    pub(crate) fn bytes(&self) -> usize {
        let contents = self.contents.iter().map(|(_, content)| content.as_ref().map_or(0, |content| content.len()));
        self.key.len() + self.record.as_ref().map_or(0, Vec::len) + contents.sum::<usize>()
    }

    /// The key of its record, and what the record must be, if anything.
    pub(crate) fn expects(&self) -> Option<(&[u8], &[u8])> {
        match &self.condition {
            Condition::Is(record) => Some((&self.key, record)),
            Condition::New | Condition::Absent => None,
        }
    }

    /// The key of its record if nothing shall happen when there is a record.
    pub(crate) fn yields_to(&self) -> Option<&[u8]> {
        (self.condition == Condition::Absent).then_some(&self.key)
    }

    /// Tells `set` everything that it changes. From here on its file stays.
    pub(crate) fn apply(self, mut set: impl FnMut(Table, &[u8], Option<&[u8]>)) {
        if let Some(placed) = &self.placed {
            placed.keep();
        }
        set(Table::Objects, &self.key, self.record.as_deref());
        for (number, content) in &self.contents {
            set(Table::Contents, &number.to_be_bytes(), content.as_deref());
        }
        if let Some(clock) = &self.clock {
            set(Table::Meta, LAST_KEY, Some(&clock.last().to_be_bytes()));
        }
    }
}
