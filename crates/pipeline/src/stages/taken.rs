//! Transaction ids across the files of a feed, while a file is parsed: which were taken by files before it, and which it
//! takes.
//!
//! A file with few ids has them as records, one with many as one object. An id belongs to the first file of the feed, in
//! the order of the feed, that has it in a good row, for as long as what is in that file stands; a row is judged by what
//! stands at the place of its file (docs/decisions/0018-ids-by-place.md).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;

use rows::check::Checked;
use rows::good::Known;
use rows::ids::Ids;

use super::Task;
use super::claim::{Claim, Claimed, IdFile, Turn};
use super::outputs::Output;
use super::standing::{Holder, holder};
use crate::draft::{each_record, parsed};
use crate::handle::Error;
use crate::limits::IDS_AS_RECORDS_MAX;
use crate::object::ReceiptId;
use crate::receipt::Receipt;
use crate::records;
use crate::step::Kind;

/// What is known of the ids of a feed while a file of it is parsed.
pub(super) struct Taken<'a> {
    task: &'a Task<'a>,
    receipt: &'a Receipt,
    sha256: &'a str,
    /// Which files had taken ids when this was begun.
    turn: u64,
    /// Whether any file of the feed has its ids as records.
    has_records: bool,
    files: Vec<(Ids, Holder)>,
    /// What other files that took ids are to this one, by their receipts.
    holders: BTreeMap<ReceiptId, Holder>,
    /// Files behind this one that have ids which it takes.
    displaced: BTreeSet<ReceiptId>,
    /// Whether it has rows whose ids were taken by others.
    lacks: bool,
    /// The ids it takes, until they are too many.
    few: Option<Vec<u128>>,
}

impl<'a> Taken<'a> {
    pub fn new(task: &'a Task<'a>, receipt: &'a Receipt, sha256: &'a str) -> Result<Self, Error> {
        let within = records::within(&[task.feed.name.as_str()]);
        let ledger = task.call.ledger;
        let turn = Turn::of(&mut task.draft(), task)?.number();
        let has_records = !ledger.page(Kind::Id, &within, None, 1)?.is_empty();
        let (files, holders, displaced, lacks) = Default::default();
        let few = Some(Vec::new());
        let mut taken = Self { task, receipt, sha256, turn, has_records, files, holders, displaced, lacks, few };
        let mut found: Vec<IdFile> = Vec::new();
        each_record(ledger, Kind::Ids, &within, |id, value| {
            found.push(parsed(Kind::Ids, id, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        for file in found {
            match taken.holder(&file.receipt)? {
                Holder::Nobody => {}
                holder => taken.files.push((file.open(task)?, holder)),
            }
        }
        Ok(taken)
    }

    /// Whose the ids of a file are, as seen from this one; those of the same bytes are its own.
    fn holder(&mut self, other: &ReceiptId) -> Result<Holder, Error> {
        if let Some(holder) = self.holders.get(other) {
            return Ok(holder.clone());
        }
        let mut draft = self.task.draft();
        let theirs = draft.peek_receipt(other)?;
        let holder = match theirs.sha256() {
            Some(sha256) if sha256 == self.sha256 => Holder::Nobody,
            _ => holder(&mut draft, &theirs, self.receipt)?,
        };
        self.holders.insert(other.clone(), holder.clone());
        Ok(holder)
    }

    /// Whether a file before this one has this id as a record. More than one may have it: a newer version of a key, and a
    /// copy, take the ids of the file they turn out to be a version or a copy of.
    fn in_records(&mut self, id: u128) -> Result<bool, Error> {
        let mut owners: Vec<ReceiptId> = Vec::new();
        each_record(self.task.call.ledger, Kind::Id, &records::ids_within(&self.task.feed.name, id), |id, value| {
            owners.push(parsed(Kind::Id, id, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        let mut behind = Vec::new();
        for owner in owners {
            match self.holder(&owner)? {
                Holder::Before => return Ok(true),
                Holder::Behind(files) => behind.extend(files),
                Holder::Nobody => {}
            }
        }
        self.displaced.extend(behind);
        Ok(false)
    }

    fn in_files(&mut self, ids: &[u128], known: &mut [bool]) -> io::Result<()> {
        for (file, holder) in &mut self.files {
            if *holder == Holder::Before {
                file.contains_all(ids, known)?;
            }
        }
        for (file, holder) in &mut self.files {
            let Holder::Behind(files) = holder else { continue };
            let mut theirs = known.to_vec();
            file.contains_all(ids, &mut theirs)?;
            if theirs != known {
                self.displaced.extend(files.iter().cloned());
            }
        }
        Ok(())
    }

    /// What this file takes, once all of it was parsed.
    pub fn claim(self, receipt: &Receipt, checked: &mut Checked, threads: usize) -> Result<Claim, Error> {
        let (turn, displaced, lacks) = (self.turn, self.displaced, self.lacks);
        if let Some(few) = self.few {
            return Ok(Claim { turn, displaced, lacks, claimed: Claimed::Few(few) });
        }
        let (id, generation) = (receipt.id(), receipt.generation());
        let key = super::output_key("validated", &id, generation, "ids");
        let bucket = &receipt.arrival().object.bucket;
        let output = Output::create(self.task.call.objects, bucket, &key)?;
        let told = |cause| Error::Bytes { what: format!("object {bucket}/{key}"), cause };
        checked.write_ids(threads, &mut output.sink()).map_err(told)?;
        let object = output.finish()?.ok_or(Error::Missing { what: "ids", receipt: id })?;
        Ok(Claim { turn, displaced, lacks, claimed: Claimed::Many(object) })
    }
}

impl Known for Taken<'_> {
    fn known(&mut self, ids: &[u128], known: &mut Vec<bool>) -> io::Result<()> {
        known.clear();
        known.resize(ids.len(), false);
        self.in_files(ids, known)?;
        if self.has_records {
            for (id, known) in ids.iter().zip(known.iter_mut()).filter(|(_, known)| !**known) {
                *known = self.in_records(*id).map_err(io::Error::other)?;
            }
        }
        self.lacks |= known.contains(&true);
        Ok(())
    }

    fn taken(&mut self, ids: &[u128]) -> io::Result<()> {
        if let Some(few) = &mut self.few {
            few.extend_from_slice(ids);
        }
        self.few.take_if(|few| few.len() > IDS_AS_RECORDS_MAX);
        Ok(())
    }
}
