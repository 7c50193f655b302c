//! Transaction ids across the files of a feed: which were taken by earlier files, and which this one takes.
//!
//! A file with few ids has them as records, one with many as one object. Which file an id belongs to is decided by who
//! was validated first, which is the order of the feed where messages come in order.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use rows::good::Known;
use rows::ids::{Ids, Writer};
use serde::{Deserialize, Serialize};

use super::Task;
use super::outputs::Output;
use super::standing::content_counts;
use crate::draft::{Draft, each_record, parsed};
use crate::handle::Error;
use crate::limits::IDS_AS_RECORDS_MAX;
use crate::object::{ObjectVersion, ReceiptId};
use crate::receipt::Receipt;
use crate::records;
use crate::step::Kind;

/// A file of ids.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct IdFile {
    receipt: ReceiptId,
    object: ObjectVersion,
}

/// What is known of the ids of a feed while a file of it is parsed.
pub(super) struct Taken<'a> {
    task: &'a Task<'a>,
    receipt: &'a Receipt,
    sha256: &'a str,
    /// Whether any file of the feed has its ids as records.
    has_records: bool,
    files: Vec<Ids>,
    /// Whether the ids of another file count against this one, by its receipt.
    standing: BTreeMap<ReceiptId, bool>,
    few: Vec<u128>,
    many: Option<Writer>,
}

/// The ids that a file takes, to be committed with its receipt.
pub(super) enum Claim {
    Few(Vec<u128>),
    Many(ObjectVersion),
}

impl<'a> Taken<'a> {
    pub fn new(task: &'a Task<'a>, receipt: &'a Receipt, sha256: &'a str) -> Result<Self, Error> {
        let within = records::within(&[task.feed.name.as_str()]);
        let ledger = task.call.ledger;
        let has_records = !ledger.page(Kind::Id, &within, None, 1)?.is_empty();
        let (few, many, standing, files) = (Vec::new(), None, BTreeMap::new(), Vec::new());
        let mut taken = Self { task, receipt, sha256, has_records, files, standing, few, many };
        let mut found: Vec<IdFile> = Vec::new();
        each_record(ledger, Kind::Ids, &within, |id, value| {
            found.push(parsed(Kind::Ids, id, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        for IdFile { receipt, object } in found {
            if taken.counts(&receipt)? {
                let opened = task.call.objects.open(&object)?;
                taken.files.push(Ids::open(opened.input).map_err(|cause| super::unreadable(&object, cause))?);
            }
        }
        Ok(taken)
    }

    /// Whether ids of that file are taken for this one: not its own, not those of an older version of its key, nor of the
    /// same bytes; and of a file that was replaced only if a copy of it stands.
    fn counts(&mut self, other: &ReceiptId) -> Result<bool, Error> {
        if let Some(counts) = self.standing.get(other) {
            return Ok(*counts);
        }
        let mut draft = self.task.draft();
        let theirs = draft.peek_receipt(other)?;
        let counts = theirs.sha256() != Some(self.sha256) && content_counts(&mut draft, &theirs, self.receipt)?;
        self.standing.insert(other.clone(), counts);
        Ok(counts)
    }

    /// Whether a file that counts has this id as a record. More than one may: a newer version of a key, and a copy, take the
    /// ids of the file they turn out to be a version or a copy of.
    fn in_records(&mut self, id: u128) -> Result<bool, Error> {
        let mut owners: Vec<ReceiptId> = Vec::new();
        each_record(self.task.call.ledger, Kind::Id, &records::ids_within(&self.task.feed.name, id), |id, value| {
            owners.push(parsed(Kind::Id, id, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        for owner in owners {
            if self.counts(&owner)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What this file takes, once all of it was parsed.
    pub fn claim(self, receipt: &Receipt) -> Result<Claim, Error> {
        let Some(writer) = self.many else { return Ok(Claim::Few(self.few)) };
        let (id, generation) = (receipt.id(), receipt.generation());
        let key = super::output_key("validated", &id, generation, "ids");
        let bucket = &receipt.arrival().object.bucket;
        let output = Output::create(self.task.call.objects, bucket, &key)?;
        let told = |cause| Error::Bytes { what: format!("object {bucket}/{key}"), cause };
        writer.finish(&mut output.sink()).map_err(told)?;
        let object = output.finish()?.ok_or(Error::Missing { what: "ids", receipt: id })?;
        Ok(Claim::Many(object))
    }
}

impl Claim {
    pub fn put(&self, task: &Task<'_>, receipt: &Receipt, draft: &mut Draft<'_>) {
        let feed = &task.feed.name;
        match self {
            Self::Few(ids) => ids.iter().for_each(|id| draft.put(records::id(feed, *id, &receipt.id()), &receipt.id())),
            Self::Many(object) => {
                let file = IdFile { receipt: receipt.id(), object: object.clone() };
                draft.put(records::ids(feed, &receipt.arrival().order()), &file);
            }
        }
    }
}

impl Known for Taken<'_> {
    fn known(&mut self, ids: &[u128], known: &mut Vec<bool>) -> io::Result<()> {
        known.clear();
        known.resize(ids.len(), false);
        for file in &mut self.files {
            file.contains_all(ids, known)?;
        }
        if self.has_records {
            for (id, known) in ids.iter().zip(known).filter(|(_, known)| !**known) {
                *known = self.in_records(*id).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    fn taken(&mut self, ids: &[u128]) -> io::Result<()> {
        if let Some(writer) = &mut self.many {
            return writer.push(ids);
        }
        self.few.extend_from_slice(ids);
        if self.few.len() > IDS_AS_RECORDS_MAX {
            let scratch = (self.task.call.scratch)()?;
            let mut writer = Writer::new(self.task.pipeline.budget.memory_bytes / 8, scratch);
            writer.push(&std::mem::take(&mut self.few))?;
            self.many = Some(writer);
        }
        Ok(())
    }
}
