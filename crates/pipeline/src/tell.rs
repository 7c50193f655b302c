//! What a runtime tells a receipt beside what stages do: that a stage gave up, and that nobody waits for it any more.

use crate::Millis;
use crate::draft::Draft;
use crate::find::{self, Wanted};
use crate::handle::{Error, decide};
use crate::message::MessageId;
use crate::object::{ReceiptId, digest};
use crate::ports::Ledger;
use crate::receipt::{DETAILS_SECONDS, Event, Outcome, Receipt};
use crate::records;

/// Tells a receipt what happened. Told again, it changes nothing.
pub fn tell(ledger: &dyn Ledger, id: &ReceiptId, event: Event) -> Result<(), Error> {
    let text = serde_json::to_string(&event).expect("an event has text for keys and no way to fail");
    let source = MessageId::of_event(id, &digest(&[&text]));
    decide(|| {
        let mut draft = Draft::new(ledger);
        let mut receipt = draft.receipt(id)?;
        receipt.apply(event.clone());
        draft.put_receipt(&receipt)?;
        draft.commit(source.clone())
    })
    .map(drop)
}

/// Forgets the details of receipts that have expired, of files at their end; says how many. What it looks at is all files,
/// the newest first, so call it seldom.
pub fn forget_details(ledger: &dyn Ledger, now: Millis) -> Result<usize, Error> {
    let before = now.saturating_sub(DETAILS_SECONDS * 1000);
    let (mut forgotten, mut mark) = (0, None);
    loop {
        let (files, next) = find::list(ledger, &Wanted::default(), mark.as_deref(), FILES_AT_ONCE)?;
        for receipt in files.iter().filter(|receipt| has_expired(receipt, before)) {
            let id = receipt.id();
            let source = MessageId::of_event(&id, &format!("details.{}", receipt.updated_at()));
            forgotten += decide(|| {
                let mut draft = Draft::new(ledger);
                let mut receipt = draft.receipt(&id)?;
                if !has_expired(&receipt, before) || !receipt.forget_details() {
                    return Ok(0);
                }
                draft.put_receipt(&receipt)?;
                draft.commit(source.clone())?;
                Ok(1)
            })?;
        }
        match next {
            Some(next) => mark = Some(next),
            None => return Ok(forgotten),
        }
    }
}

const FILES_AT_ONCE: usize = 500;

fn has_expired(receipt: &Receipt, before: Millis) -> bool {
    let is_over = !matches!(receipt.outcome(), Outcome::InProgress | Outcome::Failed);
    is_over && receipt.updated_at() < before
}

/// Gives a file up that failed: windows do not wait for it any more. Redriven or replayed, it may still complete.
pub fn abandon(ledger: &dyn Ledger, id: &ReceiptId) -> Result<(), Error> {
    decide(|| {
        let mut draft = Draft::new(ledger);
        let receipt = draft.receipt(id)?;
        if matches!(receipt.outcome(), Outcome::Failed | Outcome::InProgress) {
            let arrival = receipt.arrival();
            draft.remove(records::open(&arrival.feed, &arrival.order()));
        }
        draft.commit(MessageId::of_event(id, &format!("abandoned.{}", receipt.generation())))
    })
    .map(drop)
}
