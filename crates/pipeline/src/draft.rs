//! A step in the making: what was loaded to decide it, what it writes and what it sends.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::handle::Error;
use crate::message::{Message, MessageId};
use crate::object::ReceiptId;
use crate::ports::{Commit, Committed, Ledger, Loaded, Revision};
use crate::receipt::{Outcome, Receipt};
use crate::records::{self, Contribution, Notice};
use crate::step::{RecordKey, Step, Write};

/// A step in the making.
pub(crate) struct Draft<'a> {
    ledger: &'a dyn Ledger,
    expects: BTreeMap<RecordKey, Revision>,
    /// What was looked at without being decided by, yet.
    seen: BTreeMap<RecordKey, Revision>,
    writes: BTreeMap<RecordKey, Option<Vec<u8>>>,
    sends: Vec<Message>,
    /// How the files that were loaded had ended.
    outcomes: BTreeMap<ReceiptId, Outcome>,
    /// A record that was looked at before.
    known: Option<(RecordKey, Loaded)>,
}

impl<'a> Draft<'a> {
    pub fn new(ledger: &'a dyn Ledger) -> Self {
        let (expects, seen, writes, outcomes) = Default::default();
        Self { ledger, expects, seen, writes, sends: Vec::new(), outcomes, known: None }
    }

    /// Takes a record for what it was when it was looked at before. As with all that is loaded, the commit fails if it is not
    /// that any more.
    pub fn knowing(self, known: Option<(RecordKey, Loaded)>) -> Self {
        Self { known, ..self }
    }

    fn look(&self, key: &RecordKey) -> Result<Loaded, Error> {
        match &self.known {
            Some((known, loaded)) if known == key => Ok(loaded.clone()),
            _ => Ok(self.ledger.load(key)?),
        }
    }

    pub fn ledger(&self) -> &'a dyn Ledger {
        self.ledger
    }

    /// What a record says, with what this draft wrote seen; the commit fails if somebody else changes it meanwhile.
    pub fn load<T: DeserializeOwned>(&mut self, key: &RecordKey) -> Result<Option<T>, Error> {
        if let Some(written) = self.writes.get(key) {
            return written.as_deref().map(|value| read(key, value)).transpose();
        }
        let loaded = self.look(key)?;
        self.hold(key);
        // what was read first stays what is decided by
        self.expects.entry(key.clone()).or_insert(loaded.revision);
        loaded.value.as_deref().map(|value| read(key, value)).transpose()
    }

    /// What a record says, for those who look at many to find the few that they decide by; [`Draft::hold`] says which.
    pub fn peek<T: DeserializeOwned>(&mut self, key: &RecordKey) -> Result<Option<T>, Error> {
        if self.expects.contains_key(key) || self.writes.contains_key(key) {
            return self.load(key);
        }
        let loaded = self.look(key)?;
        self.seen.entry(key.clone()).or_insert(loaded.revision);
        loaded.value.as_deref().map(|value| read(key, value)).transpose()
    }

    /// The commit fails if somebody else changes this record from what was peeked at.
    pub fn hold(&mut self, key: &RecordKey) {
        if let Some(revision) = self.seen.remove(key) {
            self.expects.entry(key.clone()).or_insert(revision);
        }
    }

    /// As [`Draft::hold`], by what another draft has seen.
    pub fn hold_as_seen_by(&mut self, other: &Self, key: &RecordKey) {
        self.expects.extend(other.seen.get(key).map(|revision| (key.clone(), *revision)));
    }

    /// As [`Draft::peek`], a receipt.
    pub fn peek_receipt(&mut self, id: &ReceiptId) -> Result<Receipt, Error> {
        let receipt: Option<Receipt> = self.peek(&records::receipt(id))?;
        self.remembered(receipt, id)
    }

    /// As [`Draft::hold`], a receipt.
    pub fn hold_receipt(&mut self, id: &ReceiptId) {
        self.hold(&records::receipt(id));
    }

    /// The receipt of a file, which there must be: it is written when the file arrives.
    pub fn receipt(&mut self, id: &ReceiptId) -> Result<Receipt, Error> {
        let receipt: Option<Receipt> = self.load(&records::receipt(id))?;
        self.remembered(receipt, id)
    }

    fn remembered(&mut self, receipt: Option<Receipt>, id: &ReceiptId) -> Result<Receipt, Error> {
        let receipt = receipt.ok_or_else(|| Error::NoReceipt(id.clone()))?;
        self.outcomes.entry(id.clone()).or_insert_with(|| receipt.outcome());
        Ok(receipt)
    }

    pub fn put<T: Serialize>(&mut self, key: RecordKey, value: &T) {
        let value = serde_json::to_vec(value).expect("records have text for keys and no way to fail");
        self.writes.insert(key, Some(value));
    }

    /// Writes plain text, which names are.
    pub fn put_text(&mut self, key: RecordKey, text: &str) {
        self.writes.insert(key, Some(text.as_bytes().to_vec()));
    }

    /// Writes a receipt, unless what it says does not add up (invariants 1 and 5). A file that has come to another end
    /// than it had is told of, by the same commit.
    pub fn put_receipt(&mut self, receipt: &Receipt) -> Result<(), Error> {
        receipt.adds_up().map_err(Error::Unaccounted)?;
        let (id, outcome) = (receipt.id(), receipt.outcome());
        let before = self.outcomes.get(&id).copied().unwrap_or(Outcome::InProgress);
        let key = records::notice(&id, receipt.generation());
        match Notice::of(receipt).filter(|_| outcome != before) {
            Some(notice) => self.put(key, &notice),
            // it was written down by this draft, which has thought better of it
            None => drop(self.writes.remove(&key)),
        }
        if before.counts() && outcome == Outcome::Superseded {
            self.tell_restated(receipt)?;
        }
        self.put(records::receipt(&id), receipt);
        Ok(())
    }

    /// Windows that a file had added to are told anew, because another took its place.
    fn tell_restated(&mut self, receipt: &Receipt) -> Result<(), Error> {
        let arrival = receipt.arrival();
        let contribution = records::contribution(&arrival.feed, &arrival.order());
        let counted = self.ledger.load(&contribution)?.value;
        let counted: Option<Contribution> = counted.map(|value| read(&contribution, &value)).transpose()?;
        if let (Some(Contribution { summary, .. }), Some(notice)) = (counted, Notice::of(receipt)) {
            let window = Some([summary.from, summary.to].map(rows::time::rfc3339));
            let notice = Notice { event: "window.restated".to_owned(), window, ..notice };
            self.put(records::restated(&receipt.id(), receipt.generation()), &notice);
        }
        Ok(())
    }

    pub fn remove(&mut self, key: RecordKey) {
        self.writes.insert(key, None);
    }

    pub fn send(&mut self, message: Message) {
        self.sends.push(message);
    }

    pub fn commit(self, source: MessageId) -> Result<Committed, Error> {
        let writes = self.writes.into_iter().map(|(key, value)| Write { key, value }).collect();
        let step = Step { writes, sends: self.sends };
        let expects = self.expects.into_iter().collect();
        Ok(self.ledger.commit(Commit { source, expects, step })?)
    }
}

fn read<T: DeserializeOwned>(key: &RecordKey, value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|cause| Error::Unreadable { key: key.clone(), cause })
}

/// All records of one kind under `within`, page by page, until `each` breaks off.
pub(crate) fn each_record(
    ledger: &dyn Ledger,
    kind: crate::step::Kind,
    within: &str,
    each: impl FnMut(&str, &[u8]) -> Result<std::ops::ControlFlow<()>, Error>,
) -> Result<(), Error> {
    each_record_after(ledger, kind, within, None, each)
}

/// As [`each_record`], those behind an id.
pub(crate) fn each_record_after(
    ledger: &dyn Ledger,
    kind: crate::step::Kind,
    within: &str,
    mut after: Option<String>,
    mut each: impl FnMut(&str, &[u8]) -> Result<std::ops::ControlFlow<()>, Error>,
) -> Result<(), Error> {
    loop {
        let page = ledger.page(kind, within, after.as_deref(), PAGE_RECORDS)?;
        let is_last = page.len() < PAGE_RECORDS;
        for (id, value) in &page {
            if each(id, value)?.is_break() {
                return Ok(());
            }
        }
        match page.into_iter().last() {
            Some((id, _)) if !is_last => after = Some(id),
            _ => return Ok(()),
        }
    }
}

/// Records that are asked for at once.
const PAGE_RECORDS: usize = 500;

/// A record that [`each_record`] gave, read.
pub(crate) fn parsed<T: DeserializeOwned>(kind: crate::step::Kind, id: &str, value: &[u8]) -> Result<T, Error> {
    read(&RecordKey { kind, id: id.to_owned() }, value)
}
