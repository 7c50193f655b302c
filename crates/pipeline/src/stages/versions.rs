//! The versions of a key around one of them: which it takes the place of, and which takes its place.

use super::standing::named;
use crate::draft::Draft;
use crate::handle::Error;
use crate::object::{Order, ReceiptId};
use crate::receipt::{Other, Receipt};
use crate::records;
use crate::step::Kind;

/// A version that has its place, and what its bytes are known by.
#[derive(Clone)]
pub(super) struct Version {
    pub receipt: Receipt,
    pub bytes: String,
}

/// Versions around one, in order. Those that have no place yet are held, too: when one of them takes it at the same time,
/// one of the two decides again.
pub(super) struct Around {
    /// The versions right before it, as many as have the same bytes.
    pub older: Vec<Version>,
    /// The versions behind it, up to the first that has other bytes than it and than those before it.
    pub newer: Vec<Version>,
}

pub(super) fn around(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<Around, Error> {
    let mine = receipt.arrival().order();
    let names = names(draft, receipt)?;
    let my_bytes = bytes(draft, receipt)?;
    let mut older: Vec<Version> = Vec::new();
    for (_, id) in names.iter().rev().filter(|(order, _)| *order < mine) {
        let Some(version) = version(draft, receipt, id)? else { continue };
        if older.last().is_some_and(|nearer| nearer.bytes != version.bytes) {
            break;
        }
        // of many repeats of the same bytes, what the nearest is decides
        if older.is_empty() || version.receipt.duplicate_of().is_none() {
            draft.hold_receipt(id);
        }
        older.push(version);
    }
    older.reverse();
    let mut newer: Vec<Version> = Vec::new();
    for (_, id) in names.iter().filter(|(order, _)| *order > mine) {
        let Some(version) = version(draft, receipt, id)? else { continue };
        draft.hold_receipt(id);
        let is_last = version.bytes != my_bytes && older.last().is_none_or(|older| older.bytes != version.bytes);
        newer.push(version);
        if is_last {
            break;
        }
    }
    Ok(Around { older, newer })
}

impl Around {
    /// Of each version that may have changed: what it is to the others, if `receipt` is one of them.
    pub fn told(&self, receipt: Option<Version>) -> Vec<(Version, Told)> {
        let mine = self.older.len();
        let has_place = receipt.is_some();
        let line: Vec<&Version> = self.older.iter().chain(&receipt).chain(&self.newer).collect();
        let first_newer = mine + usize::from(has_place);
        let tell = |(index, version): (usize, &&Version)| {
            let differs = |other: &&&Version| other.bytes != version.bytes;
            let told = Told {
                superseded_by: (index < first_newer)
                    .then(|| line[index + 1..].iter().find(differs).map(|other| other.receipt.as_other())),
                supersedes: (index >= mine).then(|| {
                    index.checked_sub(1).map(|at| &line[at]).filter(differs).map(|other| other.receipt.as_other())
                }),
            };
            ((*version).clone(), told)
        };
        line.iter().enumerate().take(first_newer + 1).map(tell).collect()
    }
}

/// What is known now of one version; nothing where it stays as it was.
pub(super) struct Told {
    pub superseded_by: Option<Option<Other>>,
    pub supersedes: Option<Option<Other>>,
}

/// Another version of the key, if it has its place.
fn version(draft: &mut Draft<'_>, receipt: &Receipt, id: &ReceiptId) -> Result<Option<Version>, Error> {
    let other = draft.peek_receipt(id)?;
    if !are_of_one_key(receipt, &other) {
        return Ok(None);
    }
    if !other.is_placed() {
        draft.hold_receipt(id);
        return Ok(None);
    }
    Ok(Some(Version { bytes: bytes(draft, &other)?, receipt: other }))
}

/// Whether two files are versions of one key of one feed.
pub(super) fn are_of_one_key(receipt: &Receipt, other: &Receipt) -> bool {
    let (mine, theirs) = (receipt.arrival(), other.arrival());
    let same_key = (&mine.object.bucket, &mine.object.key) == (&theirs.object.bucket, &theirs.object.key);
    same_key && mine.feed == theirs.feed
}

/// All files that have the name of its key, in order. Others may have it, too: names are many.
fn names(draft: &Draft<'_>, receipt: &Receipt) -> Result<Vec<(Order, ReceiptId)>, Error> {
    let object = &receipt.arrival().object;
    named(draft, Kind::Alias, &records::within(&[&format!("{}/{}", object.bucket, object.key)]))
}

/// What the bytes of a file are known by.
pub(super) fn bytes(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<String, Error> {
    if let Some(sha256) = receipt.sha256() {
        return Ok(sha256.to_owned());
    }
    // receipts of older programs do not say it of a copy, but its original does
    let original = match receipt.duplicate_of() {
        Some(original) => draft.peek::<Receipt>(&records::receipt(&original.receipt))?,
        None => None,
    };
    let sha256 = original.as_ref().and_then(Receipt::sha256).map(str::to_owned);
    Ok(sha256.unwrap_or_else(|| receipt.id().as_str().to_owned()))
}

/// The place of the first newer version of the key with other bytes that was validated, whether or not it has taken the
/// place yet.
pub(super) fn replaced_at(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<Option<Order>, Error> {
    let mine = receipt.arrival().order();
    first_other(draft, receipt, |order| *order > mine)
}

/// Whether there is one.
pub(super) fn is_replaced(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<bool, Error> {
    Ok(replaced_at(draft, receipt)?.is_some())
}

/// Whether an older version of the key with other bytes was validated.
pub(super) fn is_replacing(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<bool, Error> {
    let mine = receipt.arrival().order();
    Ok(first_other(draft, receipt, |order| *order < mine)?.is_some())
}

fn first_other(
    draft: &mut Draft<'_>,
    receipt: &Receipt,
    is_there: impl Fn(&Order) -> bool,
) -> Result<Option<Order>, Error> {
    for (order, id) in names(draft, receipt)?.into_iter().filter(|(order, _)| is_there(order)) {
        let other = draft.peek_receipt(&id)?;
        let differs = other.sha256().is_some_and(|sha256| receipt.sha256() != Some(sha256));
        if are_of_one_key(receipt, &other) && differs && !other.is_refused() {
            return Ok(Some(order));
        }
    }
    Ok(None)
}
