//! The last stage of `transactions`: who waits for the file is told. What is to be said is a record; a runtime that can
//! reach people delivers it.

use super::{Task, validate};
use crate::Millis;
use crate::handle::{Error, decide};
use crate::message::Work;
use crate::ports::Committed;
use crate::receipt::{Account, Outcome, Receipt};
use crate::records::{self, Notice};

pub(crate) fn run(task: &Task<'_>, work: &Work) -> Result<Committed, Error> {
    if task.open_receipt(work)?.is_none() {
        return task.nothing_to_do();
    }
    let began_at = task.now();
    decide(|| {
        let mut draft = task.draft();
        let mut receipt = draft.receipt(&work.receipt())?;
        if !task.is_open(&receipt, work) {
            return task.nothing_to_do();
        }
        let now = task.now();
        task.begun_and_ended(began_at, now).into_iter().for_each(|event| receipt.apply(event));
        draft.put(records::notice(&receipt.id(), work.generation), &notice(&receipt, now));
        validate::end(&mut draft, &receipt)?;
        draft.commit(task.message.id())
    })
}

/// What is to be told of a file.
pub(super) fn notice(receipt: &Receipt, at: Millis) -> Notice {
    let event = match receipt.outcome() {
        Outcome::Superseded => "file.superseded",
        Outcome::CompletedWithRejects => "file.completed_with_rejects",
        _ => "file.completed",
    };
    let counts = receipt.account().map(|Account { counts, .. }| counts.clone()).unwrap_or_default();
    let arrival = receipt.arrival();
    Notice {
        event: event.to_owned(),
        receipt_id: receipt.id(),
        file_id: arrival.object.key.clone(),
        feed: arrival.feed.clone(),
        at,
        rows: [counts.rows, counts.good, counts.rejected, counts.duplicate],
    }
}
