//! The second stage of `transactions`: rows and totals of a file can be queried from now on.

use super::{Task, aggregate, process};
use crate::handle::Error;
use crate::message::{Message, Work};
use crate::ports::Committed;
use crate::records;

pub(crate) fn run(task: &Task<'_>, work: &Work) -> Result<Committed, Error> {
    let Some(receipt) = task.open_receipt(work)? else { return task.nothing_to_do() };
    let began_at = task.now();
    let (object, summary) = process::contribute(task, work, &receipt)?;
    task.decide(work, |mut draft| {
        let counted = aggregate::count(task, work, &mut draft, began_at, (&object, &summary))?;
        let Some(receipt) = counted else { return task.nothing_to_do() };
        if receipt.duplicate_of().is_none() {
            // it is at its end only when those who wait were told
            let arrival = receipt.arrival();
            draft.put_text(records::open(&arrival.feed, &arrival.order()), receipt.id().as_str());
            draft.send(Message::TransactionsNotify(work.clone()));
        }
        draft.commit(task.message.id())
    })
}
