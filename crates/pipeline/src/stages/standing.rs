//! What a file is to the others of its feed: the same bytes that came before, an older or a newer version of its key.
//!
//! All of it follows from the order of the files, not from the order in which they are worked on: whoever comes late finds
//! what he is to those who were quicker, and tells them.

use std::ops::ControlFlow;

use crate::Millis;
use crate::draft::{Draft, each_record, parsed};
use crate::handle::Error;
use crate::object::{Order, ReceiptId};
use crate::preset::{Preset, Stage};
use crate::receipt::{Event, Other, Outcome, Receipt, What};
use crate::records::{self, Contribution};
use crate::step::Kind;

/// The first file of the feed with the same bytes that still stood when this one came.
pub(super) fn original(draft: &mut Draft<'_>, receipt: &Receipt, sha256: &str) -> Result<Option<Other>, Error> {
    let mine = receipt.arrival().order();
    for (order, id) in with_content(draft, receipt, sha256)? {
        if order >= mine {
            return Ok(None);
        }
        let other = draft.receipt(&id)?;
        let replaced = other.superseded_by().is_some_and(|newer| newer.order < mine);
        let counts = other.duplicate_of().is_none() && !matches!(other.outcome(), Outcome::Rejected | Outcome::Failed);
        if counts && !replaced {
            return Ok(Some(Other { order, receipt: id }));
        }
    }
    Ok(None)
}

fn with_content(draft: &Draft<'_>, receipt: &Receipt, sha256: &str) -> Result<Vec<(Order, ReceiptId)>, Error> {
    let within = records::within(&[receipt.arrival().feed.as_str(), sha256]);
    named(draft, Kind::Content, &within)
}

/// Receipts that records under `within` name, in the order of the files.
fn named(draft: &Draft<'_>, kind: Kind, within: &str) -> Result<Vec<(Order, ReceiptId)>, Error> {
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

/// Makes a file count: it takes the place of the next older version of its key, or leaves it to the next newer one; and
/// files of the same bytes that came later and were quicker turn out to be its duplicates.
pub(super) fn settle(
    draft: &mut Draft<'_>,
    receipt: &mut Receipt,
    mut contribution: Contribution,
) -> Result<(), Error> {
    let (at, me) = (contribution.counted_at, other_of(receipt));
    if let Some(older) = take_place(draft, receipt, at)? {
        supersede(draft, &older)?;
    }
    contribution.superseded_by = receipt.superseded_by().cloned();
    for copy in tell_copies(draft, receipt, at)? {
        draft.remove(records::contribution(&receipt.arrival().feed, &copy.arrival().order()));
    }
    draft.put(records::contribution(&receipt.arrival().feed, &me.order), &contribution);
    Ok(())
}

/// Tells files of the same bytes that came later and were quicker that they are duplicates of this one. The answer is all
/// that are, also those that knew it.
pub(super) fn tell_copies(draft: &mut Draft<'_>, receipt: &Receipt, at: Millis) -> Result<Vec<Receipt>, Error> {
    let me = other_of(receipt);
    let sha256 = receipt.account().map(|account| account.sha256.clone()).unwrap_or_default();
    let mut copies = Vec::new();
    for (order, id) in with_content(draft, receipt, &sha256)? {
        let stood = receipt.superseded_by().is_none_or(|newer| newer.order > order);
        if order <= me.order || !stood {
            continue;
        }
        let mut later = draft.receipt(&id)?;
        let is_known = counts(&later) || later.duplicate_of().is_some();
        if !is_known || later.duplicate_of().is_some_and(|first| *first < me) {
            continue;
        }
        if later.duplicate_of() != Some(&me) {
            later.apply(Event { at, what: What::DuplicateOf(me.clone()) });
            // nobody waits for it any more, and its last stage has nothing left to do
            super::validate::end(draft, &later)?;
        }
        copies.push(later);
    }
    Ok(copies)
}

/// Whether rows of a file count, or did. Those of `market` do as soon as they are kept, and it is known which they are.
fn counts(receipt: &Receipt) -> bool {
    let kept = || receipt.is_done(Stage::Ingest) && receipt.is_done(Stage::Process);
    receipt.aggregated_at().is_some() || (receipt.arrival().preset == Preset::Market && kept())
}

/// Takes the place of the next older version of the key, which is the answer, and leaves it to the next newer one. The
/// receipts of those two are written; that of this file is the caller's to write.
pub(super) fn take_place(draft: &mut Draft<'_>, receipt: &mut Receipt, at: Millis) -> Result<Option<Receipt>, Error> {
    let me = other_of(receipt);
    let (older, newer) = neighbours(draft, receipt)?;
    if let Some(mut newer) = newer {
        receipt.apply(Event { at, what: What::SupersededBy(other_of(&newer)) });
        newer.apply(Event { at, what: What::Supersedes(me.clone()) });
        draft.put_receipt(&newer)?;
    }
    let Some(mut older) = older else { return Ok(None) };
    receipt.apply(Event { at, what: What::Supersedes(other_of(&older)) });
    older.apply(Event { at, what: What::SupersededBy(me) });
    draft.put_receipt(&older)?;
    Ok(Some(older))
}

/// Has the contribution of a file say who took its place, as its receipt does.
fn supersede(draft: &mut Draft<'_>, older: &Receipt) -> Result<(), Error> {
    let key = records::contribution(&older.arrival().feed, &older.arrival().order());
    if let Some(mut contribution) = draft.load::<Contribution>(&key)? {
        contribution.superseded_by = older.superseded_by().cloned();
        draft.put(key, &contribution);
    }
    Ok(())
}

/// The next older and the next newer version of the same key that count, or did. Those in between that do not count yet
/// are part of the decision: when one of them comes to count at the same time, one of the two decides again.
fn neighbours(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<(Option<Receipt>, Option<Receipt>), Error> {
    let object = &receipt.arrival().object;
    let name = format!("{}/{}", object.bucket, object.key);
    let versions = named(draft, Kind::Alias, &records::within(&[&name]))?;
    let mine = receipt.arrival().order();
    let older = versions.iter().rev().filter(|(order, _)| *order < mine);
    let newer = versions.iter().filter(|(order, _)| *order > mine);
    Ok((first_that_counts(draft, receipt, older)?, first_that_counts(draft, receipt, newer)?))
}

fn first_that_counts<'i>(
    draft: &mut Draft<'_>,
    receipt: &Receipt,
    versions: impl Iterator<Item = &'i (Order, ReceiptId)>,
) -> Result<Option<Receipt>, Error> {
    for (_, id) in versions {
        let other = draft.receipt(id)?;
        let same_feed = other.arrival().feed == receipt.arrival().feed;
        if same_feed && counts(&other) && other.duplicate_of().is_none() {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn other_of(receipt: &Receipt) -> Other {
    Other { order: receipt.arrival().order(), receipt: receipt.id() }
}
