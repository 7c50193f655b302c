//! The first stage of `files` and `transactions`: a file is parsed once; its good rows, its refused rows and what is known
//! of it are written.

use super::parse::{self, Parsed};
use super::{Task, standing};
use crate::draft::Draft;
use crate::handle::{Error, decide};
use crate::limits::BEGUN_TOLD_BYTES_MIN;
use crate::message::{Message, Work};
use crate::ports::Committed;
use crate::preset::Preset;
use crate::receipt::{Account, Event, Other, Receipt, What};
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
    written: impl FnOnce(&mut Parsed) -> Result<(), Error>,
    next: impl Fn(&mut Draft<'_>, &Account),
) -> Result<Committed, Error> {
    let Some(receipt) = task.open_receipt(work)? else { return task.nothing_to_do() };
    let began_at = task.now();
    let Some(content) = parse::open(task, &work.object)? else {
        let parsed = Parsed { account: parse::gone(work), links: Vec::new(), claim: None };
        return commit(task, work, began_at, parsed, next);
    };
    let sha256 = content.sha256.clone();
    if let Some(original) = standing::original(&mut task.draft(), &receipt, &sha256)? {
        return duplicate(task, work, began_at, &sha256, original);
    }
    if content.opened.bytes >= BEGUN_TOLD_BYTES_MIN {
        task.tell_begun(work, began_at)?;
    }
    let mut parsed = parse::parse(task, work, &receipt, content)?;
    written(&mut parsed)?;
    commit(task, work, began_at, parsed, next)
}

/// Ends a file whose bytes came before.
fn duplicate(
    task: &Task<'_>,
    work: &Work,
    began_at: Millis,
    sha256: &str,
    original: Other,
) -> Result<Committed, Error> {
    decide(|| {
        let mut draft = task.draft();
        let mut receipt = draft.receipt(&work.receipt())?;
        task.begun_and_ended(began_at, task.now()).into_iter().for_each(|event| receipt.apply(event));
        receipt.apply(Event { at: task.now(), what: What::DuplicateOf(original.clone()) });
        claim_names(&mut draft, &receipt, sha256);
        end_without_rows(&mut draft, &receipt)?;
        draft.commit(task.message.id())
    })
}

fn commit(
    task: &Task<'_>,
    work: &Work,
    began_at: Millis,
    parsed: Parsed,
    next: impl Fn(&mut Draft<'_>, &Account),
) -> Result<Committed, Error> {
    let Parsed { account, links, claim } = parsed;
    decide(|| {
        let mut draft = task.draft();
        let mut receipt = draft.receipt(&work.receipt())?;
        let now = task.now();
        receipt.apply(Event { at: now, what: What::Checked(Box::new(account.clone())) });
        task.begun_and_ended(began_at, now).into_iter().for_each(|event| receipt.apply(event));
        for (name, to) in &links {
            receipt.apply(Event { at: now, what: What::Linked { name: (*name).to_owned(), to: to.clone() } });
        }
        claim_names(&mut draft, &receipt, &account.sha256);
        if let Some(claim) = &claim {
            claim.put(task, &receipt, &mut draft);
        }
        if account.refused.is_some() {
            end_without_rows(&mut draft, &receipt)?;
        } else {
            draft.put_receipt(&receipt)?;
            next(&mut draft, &account);
        }
        draft.commit(task.message.id())
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
