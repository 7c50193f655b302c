//! Listing objects by the beginning of their keys.

use std::ops::{Bound, ControlFlow};

use pipeline::object::ObjectVersion;

use super::record::{Head, Record};
use super::{Objects, Result, corrupt, key};
use crate::limits::PAGE_ENTRIES_MAX;
use crate::queues;
use crate::store::Table;

/// One version in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub object: ObjectVersion,
    /// What is known of it.
    pub head: Head,
}

/// Which versions a listing has, and behind what it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions<'a> {
    /// The newest of each key, behind this key. A key whose newest version is a marker is left out.
    Newest(Option<&'a str>),
    /// All, markers too, those of one key in the order of their versions, behind this key and version.
    All(Option<(&'a str, &'a str)>),
}

impl Objects {
    /// The objects of a bucket whose keys begin with `prefix`, in the order of the bytes of their keys. A page has at
    /// most 1000, and at most `entries_max`.
    pub fn list(&self, bucket: &str, prefix: &str, versions: Versions<'_>, entries_max: usize) -> Result<Vec<Listed>> {
        let entries_max = entries_max.min(PAGE_ENTRIES_MAX);
        let within = key::of_prefix(bucket, prefix);
        let after = match versions {
            Versions::Newest(after) => after.map(|after| key::behind_key(bucket, after)),
            Versions::All(after) => after.map(|(after, version)| key::of_version(bucket, after, version)),
        };
        let is_newest = matches!(versions, Versions::Newest(_));
        let mut listed: Vec<Listed> = Vec::new();
        self.scan(&within, after.as_deref(), |object, record| {
            let Record { head, .. } = record;
            let next = Listed { object, head };
            match listed.last_mut().filter(|last| is_newest && last.object.key == next.object.key) {
                // versions of objects that are derived are not in the order of time
                Some(last) if next.head.at < last.head.at => return ControlFlow::Continue(()),
                Some(last) => *last = next,
                None => {
                    let is_gone = |last: &mut Listed| is_newest && last.head.is_marker;
                    listed.pop_if(is_gone);
                    if listed.len() == entries_max {
                        return ControlFlow::Break(());
                    }
                    listed.push(next);
                }
            }
            ControlFlow::Continue(())
        })?;
        listed.pop_if(|last| is_newest && last.head.is_marker);
        Ok(listed)
    }

    /// The newest version of a key, which may be a marker.
    pub fn newest(&self, bucket: &str, key: &str) -> Result<Option<Listed>> {
        let mut newest: Option<Listed> = None;
        self.scan(&key::of_key(bucket, key), None, |object, Record { head, .. }| {
            if newest.as_ref().is_none_or(|newest| head.at >= newest.head.at) {
                newest = Some(Listed { object, head });
            }
            ControlFlow::Continue(())
        })?;
        Ok(newest)
    }

    /// The buckets that have objects.
    pub fn buckets(&self) -> Result<Vec<String>> {
        let mut buckets = Vec::new();
        let mut after = None;
        loop {
            let mut next = None;
            self.scan(b"", after.as_deref(), |object, _| {
                next = Some(object.bucket);
                ControlFlow::Break(())
            })?;
            let Some(bucket) = next else { return Ok(buckets) };
            after = Some(key::behind_bucket(&bucket));
            buckets.push(bucket);
        }
    }

    /// Shows `see` the versions whose keys in the store begin with `within`, behind `after`, until it breaks off.
    pub(super) fn scan(
        &self,
        within: &[u8],
        after: Option<&[u8]>,
        mut see: impl FnMut(ObjectVersion, Record) -> ControlFlow<()>,
    ) -> Result<()> {
        let from = match after {
            Some(after) if after >= within => Bound::Excluded(after),
            _ => Bound::Included(within),
        };
        let mut damaged = None;
        let look = |key: &[u8], value: &[u8]| {
            if !key.starts_with(within) {
                return ControlFlow::Break(());
            }
            match (key::decode(key), Record::decode(value)) {
                (Some(object), Some(record)) => see(object, record),
                _ => {
                    damaged = Some(key.to_vec());
                    ControlFlow::Break(())
                }
            }
        };
        let store = self.queues().store();
        store.scan(Table::Objects, (from, Bound::Unbounded), look).map_err(queues::Error::Store)?;
        damaged.map_or(Ok(()), |key| Err(corrupt(self.queues(), &key)))
    }
}
