//! Where is my file? Receipts by any of their names, and the list of all.

use std::ops::ControlFlow;

use crate::draft::{each_record, parsed};
use crate::handle::Error;
use crate::message::Feed;
use crate::object::{Order, ReceiptId};
use crate::ports::Ledger;
use crate::preset::Preset;
use crate::receipt::{Outcome, Receipt};
use crate::records;
use crate::step::Kind;

/// A receipt that was found by a name.
#[derive(Debug, Clone)]
pub struct Found {
    /// The newest version that has the name.
    pub receipt: Receipt,
    /// All versions that have it, the newest first.
    pub versions: Vec<ReceiptId>,
}

/// The receipt of an id.
pub fn by_id(ledger: &dyn Ledger, id: &ReceiptId) -> Result<Option<Receipt>, Error> {
    recorded(ledger, id)?.map(|value| read(id, &value)).transpose()
}

/// The receipt of an id as its record has it: who knows what it said knows whether it says that still.
pub fn recorded(ledger: &dyn Ledger, id: &ReceiptId) -> Result<Option<Vec<u8>>, Error> {
    Ok(ledger.load(&records::receipt(id))?.value)
}

/// What [`recorded`] gave, read.
pub fn read(id: &ReceiptId, value: &[u8]) -> Result<Receipt, Error> {
    parsed(Kind::Receipt, id.as_str(), value)
}

/// Finds a file by receipt id, object key, `bucket/key`, upload id or sha256.
pub fn by_name(ledger: &dyn Ledger, name: &str) -> Result<Option<Found>, Error> {
    let versions = versions(ledger, name)?;
    let Some(newest) = versions.first() else { return Ok(None) };
    Ok(by_id(ledger, newest)?.map(|receipt| Found { receipt, versions }))
}

/// All files of such a name, the newest first.
pub fn versions(ledger: &dyn Ledger, name: &str) -> Result<Vec<ReceiptId>, Error> {
    let id = ReceiptId::named(name);
    if recorded(ledger, &id)?.is_some() {
        return Ok(vec![id]);
    }
    let mut versions = Vec::new();
    each_record(ledger, Kind::Alias, &records::within(&[name]), |id, value| {
        versions.push(receipt_id(Kind::Alias, id, value)?);
        Ok(ControlFlow::Continue(()))
    })?;
    versions.reverse();
    Ok(versions)
}

/// A receipt id that stands in a record as plain text.
pub(crate) fn receipt_id(kind: Kind, id: &str, value: &[u8]) -> Result<ReceiptId, Error> {
    match std::str::from_utf8(value) {
        Ok(text) => Ok(ReceiptId::named(text)),
        Err(_) => parsed(kind, id, value),
    }
}

/// Which files of a list are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only of this feed.
    pub feed: Option<String>,
    /// Only of this preset.
    pub preset: Option<Preset>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only with keys that begin so.
    pub key_prefix: Option<String>,
}

impl Wanted {
    fn fits(&self, receipt: &Receipt) -> bool {
        let arrival = receipt.arrival();
        self.feed.as_deref().is_none_or(|feed| feed == arrival.feed.as_str())
            && self.preset.is_none_or(|preset| preset == arrival.preset)
            && self.outcome.is_none_or(|outcome| outcome == receipt.outcome())
            && self.key_prefix.as_deref().is_none_or(|prefix| arrival.object.key.starts_with(prefix))
    }
}

/// Files, the newest first, behind `after` (the last answer's mark), at most so many; with the mark of the last.
pub fn list(
    ledger: &dyn Ledger,
    wanted: &Wanted,
    after: Option<&str>,
    files_max: usize,
) -> Result<(Vec<Receipt>, Option<String>), Error> {
    list_among(ledger, wanted, after, files_max, usize::MAX)
}

/// The same of so many files at most that are looked at: there may be fewer files than are wanted, even none, and a mark
/// behind which it goes on.
pub fn list_among(
    ledger: &dyn Ledger,
    wanted: &Wanted,
    after: Option<&str>,
    files_max: usize,
    looked_max: usize,
) -> Result<(Vec<Receipt>, Option<String>), Error> {
    let (mut files, mut mark, mut looked) = (Vec::new(), after.map(str::to_owned), 0);
    loop {
        let page = ledger.page(Kind::Alias, &records::all_listed(), mark.as_deref(), PAGE_FILES)?;
        let is_last = page.len() < PAGE_FILES;
        for (id, value) in &page {
            if let Some(receipt) = by_id(ledger, &receipt_id(Kind::Alias, id, value)?)?.filter(|file| wanted.fits(file))
            {
                files.push(receipt);
            }
            looked += 1;
            if files.len() >= files_max || looked >= looked_max {
                return Ok((files, Some(id.clone())));
            }
            mark = Some(id.clone());
        }
        if is_last {
            return Ok((files, None));
        }
    }
}

const PAGE_FILES: usize = 200;

/// Files of a feed that are not at their end, in the order of the feed; of all feeds when none is named.
pub fn open(ledger: &dyn Ledger, feed: Option<&Feed>) -> Result<Vec<(Order, ReceiptId)>, Error> {
    let within = feed.map_or_else(String::new, |feed| records::within(&[feed.as_str()]));
    let mut open = Vec::new();
    each_record(ledger, Kind::Open, &within, |id, value| {
        let order: Order = parsed(Kind::Open, id, &serde_json::to_vec(records::last_part(id)).unwrap_or_default())?;
        open.push((order, receipt_id(Kind::Open, id, value)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(open)
}
