//! Files begun anew on purpose: because their contract was mended, or the program was. What they added stays until what
//! they add now takes its place.

use serde::Serialize;

use crate::Millis;
use crate::arrive::first_message;
use crate::draft::Draft;
use crate::handle::{Call, Error, Pipeline, decide};
use crate::message::MessageId;
use crate::object::ReceiptId;
use crate::receipt::{Account, Outcome, Receipt};
use crate::records;
use crate::stages;

/// Begins a file anew. Its receipt says so, and how it had ended before.
pub fn replay(pipeline: &Pipeline, call: &Call<'_>, id: &ReceiptId) -> Result<(), Error> {
    decide(|| {
        let mut draft = Draft::new(call.ledger);
        let mut receipt = draft.receipt(id)?;
        let (now, feed) = ((call.now)(), receipt.arrival().feed.clone());
        receipt.begin_again(now, None);
        let arrival = receipt.arrival();
        let declared = pipeline.feeds.named(feed.as_str()).ok_or_else(|| Error::NoFeed(feed.clone()))?;
        let generation = receipt.generation();
        draft.send(first_message(arrival.preset, declared, arrival.object.clone(), generation));
        draft.put_text(records::open(&feed, &arrival.order()), id.as_str());
        draft.put_receipt(&receipt)?;
        draft.commit(MessageId::of_replay(id, generation))
    })
    .map(drop)
}

/// What a replay would change in one file.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The file.
    pub receipt_id: ReceiptId,
    /// Its key.
    pub file_id: String,
    /// What its receipt says.
    pub before: Option<Account>,
    /// What it would say.
    pub after: Account,
    /// Whether anything but the version of the contract would change.
    pub changes: bool,
}

/// Looks at a file again and writes nothing.
pub fn preview(pipeline: &Pipeline, call: &Call<'_>, receipt: &Receipt) -> Result<Preview, Error> {
    let feed = &receipt.arrival().feed;
    let declared = pipeline.feeds.named(feed.as_str()).ok_or_else(|| Error::NoFeed(feed.clone()))?;
    let arrival = receipt.arrival();
    let message = first_message(arrival.preset, declared, arrival.object.clone(), receipt.generation());
    let after = stages::look(pipeline, declared, &message, call, receipt)?;
    let before = receipt.account().cloned();
    let numbers = |account: &Account| (account.counts.clone(), account.reasons.clone(), account.refused.clone());
    let changes = before.as_ref().map(&numbers) != Some(numbers(&after));
    Ok(Preview { receipt_id: receipt.id(), file_id: arrival.object.key.clone(), before, after, changes })
}

/// Whether a replay is for a file: for those at their end whose bytes count or were refused.
pub fn is_for(receipt: &Receipt) -> bool {
    !matches!(receipt.outcome(), Outcome::InProgress | Outcome::Superseded | Outcome::Duplicate)
}

/// When a file was begun anew.
pub(crate) fn replayed_at(receipt: &Receipt) -> Vec<Millis> {
    receipt.past().iter().map(|past| past.until).collect()
}
