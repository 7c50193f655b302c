//! The last stage of `files`: what a file adds counts from now on, in place of what an older version of its key added.

use rows::contribution::{Reader, Summary};

use super::{Task, linked, standing, unreadable, validate};
use crate::Millis;
use crate::draft::Draft;
use crate::handle::Error;
use crate::message::Work;
use crate::object::ObjectVersion;
use crate::ports::Committed;
use crate::receipt::{Event, Receipt, What};
use crate::records::{self, Contribution};
use crate::replay::replayed_at;

pub(crate) fn run(task: &Task<'_>, work: &Work) -> Result<Committed, Error> {
    let Some(receipt) = task.open_receipt(work)? else { return task.nothing_to_do() };
    let began_at = task.now();
    let object = linked(&receipt, "contribution")?;
    let opened = task.call.objects.open(&object)?;
    let reader = Reader::open(opened.input).map_err(|cause| unreadable(&object, cause))?;
    let summary = reader.summary().clone();
    task.decide(work, |mut draft| match count(task, work, &mut draft, began_at, (&object, &summary))? {
        Some(_) => draft.commit(task.message.id()),
        None => task.nothing_to_do(),
    })
}

/// Makes a file count, unless it is over; the answer is its receipt. This is the small commit that comes last: before it
/// nothing of the file can be seen in any aggregate, after it all of it (invariant 5).
pub(super) fn count(
    task: &Task<'_>,
    work: &Work,
    draft: &mut Draft<'_>,
    began_at: Millis,
    (object, summary): (&ObjectVersion, &Summary),
) -> Result<Option<Receipt>, Error> {
    let mut receipt = draft.receipt(&work.receipt())?;
    if !task.is_open(&receipt, work) {
        return Ok(None);
    }
    let now = task.now();
    let what = What::Linked { name: "contribution".to_owned(), to: object.clone() };
    receipt.apply(Event { at: now, what });
    receipt.apply(Event { at: now, what: What::RowsCommitted(summary.rows) });
    receipt.apply(Event { at: now, what: What::AggregatesCommitted });
    task.begun_and_ended(began_at, now).into_iter().for_each(|event| receipt.apply(event));
    let contribution = Contribution {
        receipt: receipt.id(),
        object: object.clone(),
        rows: linked(&receipt, "rows")?,
        summary: summary.clone(),
        counted_at: now,
        superseded_by: receipt.superseded_by().cloned(),
        replayed_at: replayed_at(&receipt),
    };
    draft.put(records::contribution(&receipt.arrival().feed, &receipt.arrival().order()), &contribution);
    receipt.set_placed(true);
    let settled = standing::settle(task, draft, receipt)?;
    validate::end(draft, &settled.receipt)?;
    Ok(Some(settled.receipt))
}
