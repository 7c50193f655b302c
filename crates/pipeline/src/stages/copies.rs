//! Files of the same bytes: which of them count, and what becomes of the others.
//!
//! A file is a duplicate if another of the same bytes came before it and stands at least as long: until a newer version of
//! its key takes its place, or for good. So exactly one of them counts for as long as any of them stands.

use super::standing::{Settling, may_stand, with_content};
use crate::arrive::first_message;
use crate::handle::Error;
use crate::limits::RELATIVES_PER_COMMIT_MAX;
use crate::object::{Order, ReceiptId};
use crate::preset::Preset;
use crate::receipt::{Receipt, Relations};
use crate::records::{self, Contribution};
use crate::replay::replayed_at;

/// Decides anew about the files with these bytes from one place in the feed on. The answer is those of them, beside the
/// file it is all about, that are duplicates and have rows of their own.
pub(super) fn settle(
    settling: &mut Settling<'_, '_, '_>,
    me: &ReceiptId,
    bytes: &str,
    from: &Order,
) -> Result<Vec<ReceiptId>, Error> {
    let about = settling.receipt(me)?;
    let mut files = with_content(settling.draft, &about, bytes)?;
    let mine = (about.arrival().order(), me.clone());
    if about.sha256() == Some(bytes) && !files.contains(&mine) {
        // a copy that was not read says what it holds in the commit that is being made
        files.push(mine);
        files.sort();
    }
    let are_few = files.iter().filter(|(order, _)| order >= from).count() <= RELATIVES_PER_COMMIT_MAX;
    // each stands longer than those before it; all others are duplicates of one of these
    let mut standing: Vec<Receipt> = Vec::new();
    let mut with_rows = Vec::new();
    for (order, id) in &files {
        if order < from && standing.last().is_some_and(|last| last.superseded_by().is_none()) {
            continue;
        }
        let receipt = settling.receipt(id)?;
        let is_later = order >= from;
        if is_later && (are_few || !receipt.is_placed()) {
            settling.draft.hold_receipt(id);
        }
        if !may_stand(&receipt) {
            continue;
        }
        let original = standing.iter().find(|other| stands_as_long(other, &receipt));
        if is_later && receipt.is_placed() {
            let relations = Relations { duplicate_of: original.map(Receipt::as_other), ..receipt.relations() };
            let used = original.or(standing.last());
            used.into_iter().for_each(|used| settling.draft.hold_receipt(&used.id()));
            let has_rows = relations.duplicate_of.is_some() && receipt.link("rows").is_some();
            with_rows.extend((has_rows && id != me).then(|| id.clone()));
            let donor = standing.last().cloned();
            change(settling, receipt.clone(), relations, donor)?;
        }
        if original.is_none() {
            standing.push(settling.receipt(id)?);
        }
    }
    Ok(with_rows)
}

fn stands_as_long(other: &Receipt, as_long_as: &Receipt) -> bool {
    match (other.superseded_by(), as_long_as.superseded_by()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(two)) => one >= two,
    }
}

fn change(
    settling: &mut Settling<'_, '_, '_>,
    receipt: Receipt,
    relations: Relations,
    donor: Option<Receipt>,
) -> Result<(), Error> {
    let was_duplicate = receipt.duplicate_of().is_some();
    let is_duplicate = relations.duplicate_of.is_some();
    let mut receipt = receipt;
    let is_new = receipt.relations() != relations;
    receipt.relate(relations, settling.at);
    match (was_duplicate, is_duplicate) {
        (false, true) => {
            // nobody waits for it any more, and it adds nothing
            let arrival = receipt.arrival();
            settling.draft.remove(records::contribution(&arrival.feed, &arrival.order()));
            settling.draft.remove(records::open(&arrival.feed, &arrival.order()));
        }
        (true, false) => stand(settling, &mut receipt, donor)?,
        _ => {}
    }
    if is_new {
        settling.note(receipt, was_duplicate);
    }
    Ok(())
}

/// Whether what was written for a file is what would be written for its copy, too.
fn takes_over(donor: &Receipt, copy: &Receipt) -> bool {
    let is_as_written = match copy.arrival().preset {
        Preset::Files => true,
        // rows say where they came from
        Preset::Market => false,
        // behind what replaced the other, ids may be taken that were not before
        Preset::Transactions => donor.superseded_by().is_none_or(|by| by.order > copy.arrival().order()),
    };
    is_as_written && donor.can_be_taken_over()
}

/// A duplicate comes to count, because its original does not any more. What that added is what this one adds, so at no
/// moment neither of them counts. Rows of `market` say where they came from; there, the file is worked on.
fn stand(settling: &mut Settling<'_, '_, '_>, receipt: &mut Receipt, donor: Option<Receipt>) -> Result<(), Error> {
    let at = settling.at;
    let (feed, order) = (receipt.arrival().feed.clone(), receipt.arrival().order());
    let contribution: Option<Contribution> = match &donor {
        Some(donor) if takes_over(donor, receipt) => {
            settling.draft.load(&records::contribution(&feed, &donor.arrival().order()))?
        }
        _ => None,
    };
    let (Some(contribution), Some(donor)) = (contribution, donor) else {
        receipt.begin_again(at, Some(&settling.me));
        let (object, generation) = (receipt.arrival().object.clone(), receipt.generation());
        let preset = receipt.arrival().preset;
        settling.draft.send(first_message(preset, settling.task.feed, object, generation));
        settling.draft.put_text(records::open(&feed, &order), receipt.id().as_str());
        return Ok(());
    };
    receipt.take_over(&donor, at);
    let contribution = Contribution {
        receipt: receipt.id(),
        counted_at: at,
        superseded_by: receipt.superseded_by().cloned(),
        replayed_at: replayed_at(receipt),
        ..contribution
    };
    settling.draft.put(records::contribution(&feed, &order), &contribution);
    settling.draft.remove(records::open(&feed, &order));
    Ok(())
}
