//! What a file is to the others of its feed: the same bytes that came before, an older or a newer version of its key.
//!
//! All of it follows from the files of the feed and their order (docs/decisions/0009-standing-of-files.md), not from the
//! order in which they are worked on. Whoever takes a place, or loses it, decides for all to whom that makes a difference.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::versions::{self, Version, bytes, is_replaced, replaced_at};
use super::{Task, copies};
use crate::Millis;
use crate::draft::{Draft, each_record, parsed};
use crate::handle::Error;
use crate::limits::RELATIVES_PER_COMMIT_MAX;
use crate::message::MessageId;
use crate::object::{Order, ReceiptId, digest};
use crate::preset::Preset;
use crate::receipt::{Other, Outcome, Receipt, Relations};
use crate::records::{self, Contribution};
use crate::step::Kind;

/// The first file of the feed with the same bytes that came before this one and stands, by all that was validated: a
/// file that has one need not be read.
pub(super) fn original(draft: &mut Draft<'_>, receipt: &Receipt, sha256: &str) -> Result<Option<Other>, Error> {
    let mine = receipt.arrival().order();
    for (order, id) in with_content(draft, receipt, sha256)? {
        if order >= mine {
            return Ok(None);
        }
        let other = draft.peek_receipt(&id)?;
        let is_copy = other.duplicate_of().is_some();
        if is_copy || !may_stand(&other) || other.superseded_by().is_some() || is_replaced(draft, &other)? {
            continue;
        }
        draft.hold_receipt(&id);
        return Ok(Some(Other { order, receipt: id }));
    }
    Ok(None)
}

/// Whether a file can be the original of others: it has its place, or is on its way there.
pub(super) fn may_stand(receipt: &Receipt) -> bool {
    let is_coming = || receipt.account().is_some() && receipt.outcome() != Outcome::Failed;
    !receipt.is_refused() && (receipt.is_placed() || is_coming())
}

/// Whose the ids of a file are, as seen from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// They are taken: a file with these bytes came before it, and stands at its place.
    Before,
    /// They are its own if it has them, and these files behind it have them no more.
    Behind(Vec<ReceiptId>),
    /// They make no difference: nobody else holds them, at its place.
    Nobody,
}

/// Whose the ids are that `file` took, as seen from another: they stay taken for as long as what is in the file stands,
/// in it or in copies of it, under another key than that of the other.
pub(super) fn holder(draft: &mut Draft<'_>, file: &Receipt, seen_from: &Receipt) -> Result<Holder, Error> {
    let place = seen_from.arrival().order();
    let same = with_same_content(draft, file)?;
    if file.arrival().order() < place && are_taken(draft, file, &same, seen_from)? {
        return Ok(Holder::Before);
    }
    let mut behind = Vec::new();
    for (_, id) in same.into_iter().filter(|(order, _)| *order > place) {
        let other = draft.peek_receipt(&id)?;
        if !versions::are_of_one_key(&other, seen_from) && !other.is_refused() && other.duplicate_of().is_none() {
            behind.push(id);
        }
    }
    Ok(if behind.is_empty() { Holder::Nobody } else { Holder::Behind(behind) })
}

fn with_same_content(draft: &mut Draft<'_>, file: &Receipt) -> Result<Vec<(Order, ReceiptId)>, Error> {
    let bytes = bytes(draft, file)?;
    let mut same = with_content(draft, file, &bytes)?;
    if same.iter().all(|(_, id)| *id != file.id()) {
        same.push((file.arrival().order(), file.id()));
    }
    Ok(same)
}

/// Whether what `file` took is taken at the place of another. Files with `same` bytes that come while one of them stands are
/// copies, and take nothing; who comes when none stands is read anew.
fn are_taken(
    draft: &mut Draft<'_>,
    file: &Receipt,
    same: &[(Order, ReceiptId)],
    seen_from: &Receipt,
) -> Result<bool, Error> {
    let place = seen_from.arrival().order();
    let mut standing: Vec<Option<Order>> = Vec::new();
    let mut is_of_file = false;
    for (order, id) in same.iter().filter(|(order, _)| *order < place) {
        let other = draft.peek_receipt(id)?;
        if other.is_refused() {
            continue;
        }
        let until = replaced_at(draft, &other)?;
        standing.retain(|until| until.as_ref().is_none_or(|until| until > order));
        if standing.is_empty() {
            is_of_file = *id == file.id();
        }
        let stands = until.as_ref().is_none_or(|until| *until >= place);
        if is_of_file && stands && !versions::are_of_one_key(&other, seen_from) {
            return Ok(true);
        }
        standing.push(until);
    }
    Ok(false)
}

/// Files with the same bytes, in order.
pub(super) fn with_content(
    draft: &Draft<'_>,
    receipt: &Receipt,
    sha256: &str,
) -> Result<Vec<(Order, ReceiptId)>, Error> {
    named(draft, Kind::Content, &records::within(&[receipt.arrival().feed.as_str(), sha256]))
}

/// Receipts that records under `within` name, in the order of the files.
pub(super) fn named(draft: &Draft<'_>, kind: Kind, within: &str) -> Result<Vec<(Order, ReceiptId)>, Error> {
    let mut found = Vec::new();
    each_record(draft.ledger(), kind, within, |id, value| {
        let order: Order = parsed(kind, id, &serde_json::to_vec(records::last_part(id)).unwrap_or_default())?;
        let receipt: ReceiptId = match kind {
            // names are text, for they are written before there is a receipt to speak of
            Kind::Alias => parsed(kind, id, &serde_json::to_vec(&String::from_utf8_lossy(value)).unwrap_or_default())?,
            _ => parsed(kind, id, value)?,
        };
        found.push((order, receipt));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// What came of a file that took its place or lost it.
pub(super) struct Settled {
    /// Its receipt.
    pub receipt: Receipt,
    /// Others whose rows do not count because of it, also those of whom that was known.
    pub others: Vec<Receipt>,
}

/// Decides what a file is to others, and they to it, and writes all of it to the draft. Whether it has its place is in the
/// receipt; its contribution, if it adds one, is in the draft.
pub(super) fn settle(task: &Task<'_>, draft: &mut Draft<'_>, receipt: Receipt) -> Result<Settled, Error> {
    let (me, bytes) = (receipt.id(), bytes(draft, &receipt)?);
    let mut settling = Settling { task, draft, me: me.clone(), at: task.now(), files: BTreeMap::new() };
    settling.files.insert(me.clone(), (receipt.clone(), None));
    let around = versions::around(settling.draft, &receipt)?;
    let has_place = receipt.is_placed();
    let version = has_place.then(|| Version { receipt: receipt.clone(), bytes: bytes.clone() });
    let mut touched: BTreeMap<String, Order> = BTreeMap::from([(bytes, receipt.arrival().order())]);
    let mut others: Vec<ReceiptId> = Vec::new();
    for (version, told) in around.told(version) {
        let (id, order) = (version.receipt.id(), version.receipt.arrival().order());
        let mut relations = version.receipt.relations();
        let superseded_by = told.superseded_by.unwrap_or_else(|| relations.superseded_by.clone());
        if superseded_by != relations.superseded_by {
            let from = touched.entry(version.bytes).or_insert_with(|| order.clone());
            *from = std::cmp::min(&*from, &order).clone();
        }
        others.extend(superseded_by.is_some().then(|| id.clone()).filter(|id| *id != me));
        relations.superseded_by = superseded_by;
        relations.supersedes = told.supersedes.unwrap_or(relations.supersedes);
        settling.relate(version.receipt, relations);
    }
    if !has_place {
        settling.relate(receipt, Relations::default());
    }
    for (bytes, from) in &touched {
        others.extend(copies::settle(&mut settling, &me, bytes, from)?);
    }
    let files = settling.write(&me)?;
    let receipt = files.get(&me).cloned().ok_or(Error::NoReceipt(me))?;
    let mut stopped = Vec::new();
    for id in others {
        let other = files.get(&id).cloned().map_or_else(|| draft.peek_receipt(&id), Ok)?;
        stopped.push(other);
    }
    Ok(Settled { receipt, others: stopped })
}

/// A decision about several files.
pub(super) struct Settling<'s, 't, 'd> {
    pub task: &'s Task<'t>,
    pub draft: &'s mut Draft<'d>,
    /// The file it is all about.
    pub me: ReceiptId,
    pub at: Millis,
    /// Files that are to be written, each with whether it was a duplicate before; none of the file it is all about.
    files: BTreeMap<ReceiptId, (Receipt, Option<bool>)>,
}

impl Settling<'_, '_, '_> {
    /// A receipt as it is decided so far.
    pub fn receipt(&mut self, id: &ReceiptId) -> Result<Receipt, Error> {
        match self.files.get(id) {
            Some((receipt, _)) => Ok(receipt.clone()),
            None => self.draft.peek_receipt(id),
        }
    }

    /// Notes what a file is to others, if that is new.
    pub fn relate(&mut self, mut receipt: Receipt, relations: Relations) {
        if receipt.relations() != relations {
            let was_duplicate = receipt.duplicate_of().is_some();
            receipt.relate(relations, self.at);
            self.note(receipt, was_duplicate);
        }
    }

    pub fn note(&mut self, receipt: Receipt, was_duplicate: bool) {
        match self.files.entry(receipt.id()) {
            std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().0 = receipt,
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert((receipt, Some(was_duplicate)))),
        }
    }

    /// Writes all to the draft, or where there are too many for one commit, those to commits before it for which little
    /// changes: they were no originals and are none.
    fn write(self, me: &ReceiptId) -> Result<BTreeMap<ReceiptId, Receipt>, Error> {
        let Self { task, draft, files, .. } = self;
        let (minor, major): (Vec<_>, Vec<_>) = files
            .values()
            .partition(|(receipt, was_duplicate)| *was_duplicate == Some(true) && receipt.duplicate_of().is_some());
        let mut together: Vec<&Receipt> = major.into_iter().map(|(receipt, _)| receipt).collect();
        let minor: Vec<&Receipt> = minor.into_iter().map(|(receipt, _)| receipt).collect();
        if minor.len() <= RELATIVES_PER_COMMIT_MAX {
            together.extend(minor);
        } else {
            for some in minor.chunks(RELATIVES_PER_COMMIT_MAX) {
                write_before(task, draft, some)?;
            }
        }
        for receipt in together {
            draft.hold_receipt(&receipt.id());
            draft.put_receipt(receipt)?;
            // of market, it is the receipts that say whose rows count
            let arrival = receipt.arrival();
            let key = records::contribution(&arrival.feed, &arrival.order());
            let adds = arrival.preset != Preset::Market && receipt.duplicate_of().is_none();
            let contribution: Option<Contribution> = if adds { draft.load(&key)? } else { None };
            if let Some(mut contribution) =
                contribution.filter(|found| found.superseded_by.as_ref() != receipt.superseded_by())
            {
                contribution.superseded_by = receipt.superseded_by().cloned();
                draft.put(key, &contribution);
            }
        }
        debug_assert!(files.contains_key(me));
        Ok(files.into_iter().map(|(id, (receipt, _))| (id, receipt)).collect())
    }
}

fn write_before(task: &Task<'_>, seen: &Draft<'_>, receipts: &[&Receipt]) -> Result<(), Error> {
    let mut draft = task.draft();
    let mut texts = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        draft.hold_as_seen_by(seen, &records::receipt(&receipt.id()));
        draft.put_receipt(receipt)?;
        texts.push(format!("{} {:?} {}", receipt.id(), receipt.relations(), receipt.updated_at()));
    }
    let what = digest(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    draft.commit(MessageId::of_part(&task.message.id(), "relatives", &what)).map(drop)
}
