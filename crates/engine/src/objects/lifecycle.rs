//! What becomes of objects with time: they expire, or they are archived, which packs them.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use pipeline::object::ObjectVersion;
use xxhash_rust::xxh3::xxh3_64;

use super::blocks::{Table as BlockTable, packed};
use super::change::{Bytes, Change};
use super::digest::Digest;
use super::error::{Error, Result, name_of};
use super::record::{Head, Place, Record};
use super::{Objects, key, key_of};
use crate::limits::PAGE_ENTRIES_MAX;
use crate::queues::{self, Millis, Transaction};

/// What expired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Object versions.
    pub objects: usize,
    /// Bytes that they took.
    pub stored_bytes: u64,
}

/// What was archived.
#[derive(Debug, Default)]
pub struct Archived {
    /// Object versions.
    pub objects: usize,
    /// Bytes that they took before.
    pub bytes_before: u64,
    /// Bytes that they take now.
    pub bytes_after: u64,
    /// Objects that are left as they were, because they are damaged.
    pub damaged: Vec<Error>,
}

/// A page of versions, and behind what the next page begins.
struct Page {
    old: Vec<(ObjectVersion, Record)>,
    next: Option<Vec<u8>>,
}

impl Objects {
    /// Deletes the versions of a bucket that were written before this time. Blocks, and works in steps.
    pub fn expire(&self, bucket: &str, before: Millis, now: Millis) -> Result<Expired> {
        let mut expired = Expired::default();
        let mut after = None;
        loop {
            let Page { old, next } = self.old(bucket, after.as_deref(), |head| head.at < before)?;
            let mut count = |record: &Record| {
                expired.objects += 1;
                expired.stored_bytes += record.head.stored_bytes;
            };
            let delete = |(object, record): &(ObjectVersion, Record)| {
                Change::delete(key_of(object), record, self.0.clock.clone())
            };
            let transaction = Transaction { objects: old.iter().map(delete).collect(), ..Transaction::default() };
            match self.queues().transact(transaction, now).wait() {
                Ok(_) => old.iter().for_each(|(_, record)| {
                    self.remove_file(record);
                    count(record);
                }),
                // one of them was archived or deleted meanwhile
                Err(queues::Error::Changed { .. }) => {
                    for (object, record) in &old {
                        if self.delete(object, now)? {
                            count(record);
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if next.is_none() {
                return Ok(expired);
            }
            after = next;
        }
    }

    /// Packs the versions of a bucket that were written before this time: same bytes, same version, less space, slower
    /// to read. Blocks; readers go on meanwhile.
    pub fn archive(&self, bucket: &str, before: Millis, now: Millis) -> Result<Archived> {
        let mut archived = Archived::default();
        let mut after = None;
        loop {
            let Page { old, next } =
                self.old(bucket, after.as_deref(), |head| head.at < before && !head.is_archived && !head.is_marker)?;
            for (object, record) in old {
                match self.archive_one(&object, &record, now) {
                    Ok(stored_bytes) => {
                        archived.objects += 1;
                        archived.bytes_before += record.head.stored_bytes;
                        archived.bytes_after += stored_bytes;
                    }
                    // deleted meanwhile, which is no problem
                    Err(Error::NotFound(_) | Error::Queues(queues::Error::Changed { .. })) => {}
                    Err(error @ Error::Damaged { .. }) => archived.damaged.push(error),
                    Err(error) => return Err(error),
                }
            }
            if next.is_none() {
                return Ok(archived);
            }
            after = next;
        }
    }

    /// A page of the versions of a bucket that are old enough.
    fn old(&self, bucket: &str, after: Option<&[u8]>, is_old: impl Fn(&Head) -> bool) -> Result<Page> {
        let mut old = Vec::new();
        let mut next = None;
        self.scan(&key::of_prefix(bucket, ""), after, |object, record| {
            if !is_old(&record.head) {
                return ControlFlow::Continue(());
            }
            if old.len() == PAGE_ENTRIES_MAX {
                next = old.last().map(|(object, _)| key_of(object));
                return ControlFlow::Break(());
            }
            old.push((object, record));
            ControlFlow::Continue(())
        })?;
        Ok(Page { old, next })
    }

    fn archive_one(&self, object: &ObjectVersion, record: &Record, now: Millis) -> Result<u64> {
        let number = self.number(0);
        let (bytes, table, place) = match record.place {
            Place::Store(_) => {
                let mut content = Vec::new();
                let table = self.pack(object, record, &mut content)?;
                content.extend(&table.encoded);
                (Bytes::Memory(content.into()), table, Place::Store(number))
            }
            Place::File(_) => {
                let tried = format!("archive {} in {}", name_of(object), self.files().folder().display());
                let failed = |error| Error::from_io(tried.clone(), error);
                let mut unfinished = self.files().create(number).map_err(failed)?;
                let table = self.pack(object, record, &mut unfinished.file)?;
                let placed = self.files().step().and_then(|()| unfinished.file.write_all(&table.encoded));
                let placed = placed.and_then(|()| self.files().place(unfinished)).map_err(failed)?;
                (Bytes::File(Arc::new(placed)), table, Place::File(number))
            }
        };
        let head = Head { stored_bytes: table.stored_bytes(), is_archived: true, ..record.head.clone() };
        let to = Record { head, place, check: table.check() };
        self.commit(Change::replace(key_of(object), record, &to, bytes), now)?;
        self.remove_file(record);
        Ok(to.head.stored_bytes)
    }

    /// Writes the blocks of an object packed; what is read is verified once more against its digest.
    fn pack(&self, object: &ObjectVersion, record: &Record, into: &mut dyn Write) -> Result<BlockTable> {
        let failed = |error| Error::from_io(format!("archive {}", name_of(object)), error);
        let mut blocks = self.open_at(object, record)?;
        let (mut table, mut digest) = (BlockTable::default(), Digest::like(&record.head.digest));
        loop {
            let plain = blocks.next_block().map_err(from_reader)?;
            if plain.is_empty() {
                break;
            }
            digest.update(plain);
            let packed = packed(plain).map_err(failed)?;
            let kept = packed.as_deref().unwrap_or(plain);
            self.files().step().and_then(|()| into.write_all(kept)).map_err(failed)?;
            table.push(kept.len(), xxh3_64(plain));
        }
        if digest.finish() != record.head.digest {
            let what = format!("{} has other bytes than when it was written", self.place_of(object, record));
            return Err(Error::Damaged { what });
        }
        Ok(table)
    }
}

/// The error that a reader has wrapped.
pub(super) fn from_reader(error: std::io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::from_io("read an object".to_owned(), error),
    }
}
