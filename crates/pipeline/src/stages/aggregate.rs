//! The last stage of `files`: what a file adds counts from now on, in place of what an older version of its key added.

use rows::contribution::{Reader, Summary};

use super::{Task, linked, standing, unreadable, validate};
use crate::Millis;
use crate::draft::Draft;
use crate::handle::{Error, decide};
use crate::message::Work;
use crate::object::ObjectVersion;
use crate::ports::Committed;
use crate::receipt::{Event, What};
use crate::records::Contribution;
use crate::replay::replayed_at;

pub(crate) fn run(task: &Task<'_>, work: &Work) -> Result<Committed, Error> {
    let Some(receipt) = task.open_receipt(work)? else { return task.nothing_to_do() };
    let began_at = task.now();
    let object = linked(&receipt, "contribution")?;
    let opened = task.call.objects.open(&object)?;
    let reader = Reader::open(opened.input).map_err(|cause| unreadable(&object, cause))?;
    let summary = reader.summary().clone();
    decide(|| {
        let mut draft = task.draft();
        count(task, work, &mut draft, began_at, (&object, &summary))?;
        draft.commit(task.message.id())
    })
}

/// Makes a file count. This is the small commit that comes last: before it nothing of the file can be seen in any
/// aggregate, after it all of it (invariant 5).
pub(super) fn count(
    task: &Task<'_>,
    work: &Work,
    draft: &mut Draft<'_>,
    began_at: Millis,
    (object, summary): (&ObjectVersion, &Summary),
) -> Result<(), Error> {
    let mut receipt = draft.receipt(&work.receipt())?;
    let now = task.now();
    if let Some(sha256) = receipt.account().map(|account| account.sha256.clone())
        && let Some(original) = standing::original(draft, &receipt, &sha256)?
    {
        receipt.apply(Event { at: now, what: What::DuplicateOf(original) });
        return validate::end(draft, &receipt);
    }
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
    standing::settle(draft, &mut receipt, contribution)?;
    validate::end(draft, &receipt)
}
