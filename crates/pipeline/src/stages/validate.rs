//! The first stage of `files` and `transactions`: a file is parsed once; its good rows, its refused rows and what is known
//! of it are written.

use super::parse::{self, Parsed};
use super::{Task, claim, standing};
use crate::draft::Draft;
use crate::handle::Error;
use crate::limits::{BEGUN_TOLD_BYTES_MIN, PARSINGS_MAX};
use crate::message::{Message, Work};
use crate::ports::{self, Committed};
use crate::preset::Preset;
use crate::receipt::{Account, Event, Receipt, Relations, What};
use crate::{Millis, records};

pub(crate) fn run(task: &Task<'_>, work: &Work) -> Result<Committed, Error> {
    first(
        task,
        work,
        |_| Ok(()),
        |draft, _| {
            draft.send(match task.feed.preset {
                Preset::Transactions => Message::TransactionsTransform(work.clone()),
                Preset::Files | Preset::Market => Message::FilesProcess(work.clone()),
            });
        },
    )
}

/// What the first stage of every preset does. `written` has the parsed file before anything is said of it; `next` sends
/// what follows with the commit that says it, unless the file is refused.
pub(super) fn first(
    task: &Task<'_>,
    work: &Work,
    written: impl Fn(&mut Parsed) -> Result<(), Error>,
    next: impl Fn(&mut Draft<'_>, &Account),
) -> Result<Committed, Error> {
    for _ in 0..PARSINGS_MAX {
        if let Some(committed) = once(task, work, &written, &next)? {
            return Ok(committed);
        }
    }
    // others were quicker each time: the message comes again
    Err(Error::Port(ports::Error::Changed(records::turn(&task.feed.name))))
}

/// Parses a file and commits what came of it; nothing if others took ids meanwhile that make a difference to it.
fn once(
    task: &Task<'_>,
    work: &Work,
    written: &impl Fn(&mut Parsed) -> Result<(), Error>,
    next: &impl Fn(&mut Draft<'_>, &Account),
) -> Result<Option<Committed>, Error> {
    let Some(receipt) = task.open_receipt(work)? else { return task.nothing_to_do().map(Some) };
    let began_at = task.now();
    let Some(content) = parse::open(task, &work.object)? else {
        let parsed = Parsed { account: parse::gone(work), links: Vec::new(), claim: None };
        return commit(task, work, began_at, &parsed, next);
    };
    if let Some(committed) = copy(task, work, began_at, &content.sha256)? {
        return Ok(Some(committed));
    }
    if content.opened.bytes >= BEGUN_TOLD_BYTES_MIN {
        task.tell_begun(work, began_at)?;
    }
    let mut parsed = parse::parse(task, work, &receipt, content)?;
    written(&mut parsed)?;
    commit(task, work, began_at, &parsed, next)
}

/// Ends a file whose bytes came before, if they did: it is not read.
fn copy(task: &Task<'_>, work: &Work, began_at: Millis, sha256: &str) -> Result<Option<Committed>, Error> {
    task.decide(work, |mut draft| {
        let mut receipt = draft.receipt(&work.receipt())?;
        let original = standing::original(&mut draft, &receipt, sha256)?;
        let Some(original) = original.filter(|_| task.is_open(&receipt, work)) else { return Ok(None) };
        task.begun_and_ended(began_at, task.now()).into_iter().for_each(|event| receipt.apply(event));
        receipt.know_content(sha256);
        claim_names(&mut draft, &receipt, sha256);
        if receipt.arrival().preset == Preset::Market {
            // the clock gives it its place: whose rows do not count because of it must be aggregated anew
            let relations = Relations { duplicate_of: Some(original), ..receipt.relations() };
            receipt.relate(relations, task.now());
            draft.put_receipt(&receipt)?;
            return draft.commit(task.message.id()).map(Some);
        }
        receipt.set_placed(true);
        claim::settle_copy(task, &mut draft, &receipt)?;
        let settled = standing::settle(task, &mut draft, receipt)?;
        if settled.receipt.duplicate_of().is_none() {
            return Ok(None);
        }
        end_without_rows(&mut draft, &settled.receipt)?;
        draft.commit(task.message.id()).map(Some)
    })
}

fn commit(
    task: &Task<'_>,
    work: &Work,
    began_at: Millis,
    parsed: &Parsed,
    next: &impl Fn(&mut Draft<'_>, &Account),
) -> Result<Option<Committed>, Error> {
    let Parsed { account, links, claim } = parsed;
    task.decide(work, |mut draft| {
        let mut receipt = draft.receipt(&work.receipt())?;
        if !task.is_open(&receipt, work) {
            return task.nothing_to_do().map(Some);
        }
        let now = task.now();
        receipt.know_content(&account.sha256);
        receipt.apply(Event { at: now, what: What::Checked(Box::new(account.clone())) });
        task.begun_and_ended(began_at, now).into_iter().for_each(|event| receipt.apply(event));
        for (name, to) in links {
            receipt.apply(Event { at: now, what: What::Linked { name: (*name).to_owned(), to: to.clone() } });
        }
        claim_names(&mut draft, &receipt, &account.sha256);
        if task.feed.preset == Preset::Transactions && !claim::settle(task, &mut draft, &receipt, claim.as_ref())? {
            return Ok(None);
        }
        if account.refused.is_some() {
            if receipt.is_placed() {
                // begun anew, it does not fit any more: versions and copies of it count in its place
                receipt.set_placed(false);
                receipt = standing::settle(task, &mut draft, receipt)?.receipt;
            }
            end_without_rows(&mut draft, &receipt)?;
        } else {
            draft.put_receipt(&receipt)?;
            next(&mut draft, account);
        }
        draft.commit(task.message.id()).map(Some)
    })
}

/// A file is known by what is in it.
fn claim_names(draft: &mut Draft<'_>, receipt: &Receipt, sha256: &str) {
    if sha256.is_empty() {
        return;
    }
    let (arrival, order) = (receipt.arrival(), receipt.arrival().order());
    draft.put(records::content(&arrival.feed, sha256, &order), &receipt.id());
    draft.put_text(records::alias(sha256, &order), receipt.id().as_str());
}

/// Ends a file none of whose rows count. If some did before it was begun anew, they do not any more.
fn end_without_rows(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<(), Error> {
    if receipt.generation() > 0 {
        draft.remove(records::contribution(&receipt.arrival().feed, &receipt.arrival().order()));
    }
    end(draft, receipt)
}

/// Writes a receipt that is at its end: nobody waits for it any more.
pub(super) fn end(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<(), Error> {
    let arrival = receipt.arrival();
    draft.remove(records::open(&arrival.feed, &arrival.order()));
    draft.put_receipt(receipt)
}
