//! What a runtime tells a receipt beside what stages do: that a stage gave up, and that nobody waits for it any more.

use crate::draft::Draft;
use crate::handle::{Error, decide};
use crate::message::MessageId;
use crate::object::{ReceiptId, digest};
use crate::ports::Ledger;
use crate::receipt::{Event, Outcome};
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
