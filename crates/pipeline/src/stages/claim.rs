//! The ids that a file takes, and which other files that makes a difference to.
//!
//! A file that comes late takes ids that files behind it in the feed have already, or ends what they were refused for:
//! those are begun anew, in their order. And while a file was parsed, another may have taken ids: each commit that takes some
//! has its turn, and one whose turn has passed looks at what the others took.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

use rows::ids::Ids;
use serde::{Deserialize, Serialize};

use super::versions::is_replacing;
use super::{Task, unreadable};
use crate::arrive::first_message;
use crate::draft::{Draft, each_record_after, parsed};
use crate::handle::Error;
use crate::limits::TURNS_KEPT_MAX;
use crate::object::{ObjectVersion, Order, ReceiptId};
use crate::preset::Preset;
use crate::receipt::Receipt;
use crate::records::{self, Contribution};
use crate::step::Kind;

/// The ids that a file takes, to be committed with its receipt.
pub(super) struct Claim {
    /// Which files had taken ids when the file was begun.
    pub turn: u64,
    /// Files behind it that have some of its ids.
    pub displaced: BTreeSet<ReceiptId>,
    /// Whether it has rows whose ids were taken by others.
    pub lacks: bool,
    pub claimed: Claimed,
}

/// The ids themselves.
pub(super) enum Claimed {
    Few(Vec<u128>),
    Many(ObjectVersion),
}

/// A file of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdFile {
    pub receipt: ReceiptId,
    object: ObjectVersion,
}

/// What a file took, and what it did not get.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Own {
    /// Ids that it has as records, in hexadecimal.
    ids: Vec<String>,
    /// Whether it has rows whose ids were taken by others.
    lacks: bool,
}

/// Who took ids of a feed, one after the other.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Turn {
    number: u64,
    last: VecDeque<Took>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Took {
    receipt: ReceiptId,
    order: Order,
    /// Whether some ids may be nobody's because of it.
    gave: bool,
}

impl IdFile {
    pub fn open(&self, task: &Task<'_>) -> Result<Ids, Error> {
        ids_of(task, &self.object)
    }
}

fn ids_of(task: &Task<'_>, object: &ObjectVersion) -> Result<Ids, Error> {
    let opened = task.call.objects.open(object)?;
    Ids::open(opened.input).map_err(|cause| unreadable(object, cause))
}

impl Turn {
    pub fn of(draft: &mut Draft<'_>, task: &Task<'_>) -> Result<Self, Error> {
        Ok(draft.load(&records::turn(&task.feed.name))?.unwrap_or_default())
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    fn pass(mut self, draft: &mut Draft<'_>, receipt: &Receipt, gave: bool) {
        let arrival = receipt.arrival();
        self.number += 1;
        self.last.push_back(Took { receipt: receipt.id(), order: arrival.order(), gave });
        if self.last.len() > TURNS_KEPT_MAX {
            self.last.pop_front();
        }
        draft.put(records::turn(&arrival.feed), &self);
    }

    /// Who had a turn since that one; none if that is not known any more.
    fn since(&self, number: u64) -> Option<impl Iterator<Item = &Took>> {
        let count = usize::try_from(self.number.saturating_sub(number)).unwrap_or(usize::MAX);
        (count <= self.last.len()).then(|| self.last.iter().skip(self.last.len() - count))
    }
}

/// Writes to the draft what a file of transactions takes, and begins those anew to whom that makes a difference. `claim`
/// is none for a file that is refused. False if others took ids meanwhile that make a difference to what was found in the
/// file: then it must be parsed again.
pub(super) fn settle(
    task: &Task<'_>,
    draft: &mut Draft<'_>,
    receipt: &Receipt,
    claim: Option<&Claim>,
) -> Result<bool, Error> {
    let turn = Turn::of(draft, task)?;
    let mut anew = claim.map(|claim| claim.displaced.clone()).unwrap_or_default();
    if let Some(claim) = claim {
        let Some(since) = turn.since(claim.turn) else { return Ok(false) };
        for took in since.filter(|took| took.receipt != receipt.id()) {
            let is_before = took.order < receipt.arrival().order();
            if is_before && took.gave {
                return Ok(false);
            }
            if claim.claimed.meets(task, draft, took)? {
                if is_before {
                    return Ok(false);
                }
                anew.insert(took.receipt.clone());
            }
        }
    }
    let lost = put(task, draft, receipt, claim)?;
    // when a file is refused that was not before, others stand again, and who has their ids is not known
    let made_way = claim.is_none() && receipt.generation() > 0;
    let gave = lost || made_way || claim.is_some() && is_replacing(draft, receipt)?;
    if gave {
        anew.extend(behind(task, draft, receipt, made_way)?);
    }
    begin_anew(task, draft, anew, &receipt.id())?;
    turn.pass(draft, receipt, gave);
    Ok(true)
}

/// As [`settle`], for a copy that is not read: it takes nothing, and may replace what others were refused for.
pub(super) fn settle_copy(task: &Task<'_>, draft: &mut Draft<'_>, copy: &Receipt) -> Result<(), Error> {
    if copy.arrival().preset != Preset::Transactions || !is_replacing(draft, copy)? {
        return Ok(());
    }
    let anew = behind(task, draft, copy, false)?;
    begin_anew(task, draft, anew, &copy.id())?;
    Turn::of(draft, task)?.pass(draft, copy, true);
    Ok(())
}

/// Whether a file has rows whose ids were taken by others.
fn lacks(task: &Task<'_>, draft: &mut Draft<'_>, receipt: &Receipt) -> Result<bool, Error> {
    let own: Option<Own> = draft.peek(&records::taken(&task.feed.name, &receipt.id()))?;
    // older programs did not write that down
    let had_duplicates = || receipt.account().is_some_and(|account| account.counts.duplicate > 0);
    Ok(own.map_or_else(had_duplicates, |own| own.lacks))
}

/// Writes the ids, in the place of those that the file had before it was begun anew. Says whether it may have had some
/// that it has no more.
fn put(task: &Task<'_>, draft: &mut Draft<'_>, receipt: &Receipt, claim: Option<&Claim>) -> Result<bool, Error> {
    let (feed, me) = (&task.feed.name, receipt.id());
    let (list, file) = (records::taken(feed, &me), records::ids(feed, &receipt.arrival().order()));
    let mut lost = false;
    let claimed = claim.map(|claim| &claim.claimed);
    let few: BTreeSet<u128> = match claimed {
        Some(Claimed::Few(ids)) => ids.iter().copied().collect(),
        _ => BTreeSet::new(),
    };
    let object = match claimed {
        Some(Claimed::Many(object)) => Some(IdFile { receipt: me.clone(), object: object.clone() }),
        _ => None,
    };
    if receipt.generation() > 0 {
        let before: Own = draft.load(&list)?.unwrap_or_default();
        for id in before.ids().filter(|id| !few.contains(id)) {
            draft.remove(records::id(feed, id, &me));
            lost = true;
        }
        let before: Option<IdFile> = draft.load(&file)?;
        lost |= before.is_some() && before != object;
        draft.remove(list.clone());
        draft.remove(file.clone());
    }
    few.iter().for_each(|id| draft.put(records::id(feed, *id, &me), &me));
    if let Some(claim) = claim {
        draft.put(list, &Own { ids: few.iter().map(|id| format!("{id:032x}")).collect(), lacks: claim.lacks });
    }
    object.iter().for_each(|object| draft.put(file.clone(), object));
    Ok(lost)
}

impl Own {
    fn ids(&self) -> impl Iterator<Item = u128> {
        self.ids.iter().filter_map(|id| u128::from_str_radix(id, 16).ok())
    }
}

impl Claimed {
    /// Whether another file took an id that this one takes; if both have very many, they may have.
    fn meets(&self, task: &Task<'_>, draft: &mut Draft<'_>, took: &Took) -> Result<bool, Error> {
        let feed = &task.feed.name;
        let theirs: Option<IdFile> = draft.peek(&records::ids(feed, &took.order))?;
        let contains = |mut ids: Ids, few: &[u128], object: &ObjectVersion| {
            let mut known = vec![false; few.len()];
            ids.contains_all(few, &mut known).map_err(|cause| unreadable(object, cause))?;
            Ok(known.contains(&true))
        };
        match (self, theirs) {
            (Self::Many(_), Some(_)) => Ok(true),
            (Self::Few(mine), Some(theirs)) => contains(theirs.open(task)?, mine, &theirs.object),
            (mine, None) => {
                let theirs: Own = draft.peek(&records::taken(feed, &took.receipt))?.unwrap_or_default();
                match mine {
                    Self::Few(mine) => {
                        let theirs: BTreeSet<u128> = theirs.ids().collect();
                        Ok(mine.iter().any(|id| theirs.contains(id)))
                    }
                    Self::Many(object) => contains(ids_of(task, object)?, &theirs.ids().collect::<Vec<_>>(), object),
                }
            }
        }
    }
}

/// Files of the feed behind this one that were validated: all, or those that lack ids.
fn behind(task: &Task<'_>, draft: &mut Draft<'_>, receipt: &Receipt, all: bool) -> Result<BTreeSet<ReceiptId>, Error> {
    let (feed, order) = (&task.feed.name, receipt.arrival().order());
    let within = records::within(&[feed.as_str()]);
    let mut found = BTreeSet::new();
    // who counts or did, and who is on the way there
    let after = Some(records::contribution(feed, &order).id);
    each_record_after(draft.ledger(), Kind::Contribution, &within, after, |id, value| {
        let contribution: Contribution = parsed(Kind::Contribution, id, value)?;
        found.insert(contribution.receipt);
        Ok(ControlFlow::Continue(()))
    })?;
    let after = Some(records::open(feed, &order).id);
    each_record_after(draft.ledger(), Kind::Open, &within, after, |_, value| {
        found.insert(ReceiptId::named(String::from_utf8_lossy(value)));
        Ok(ControlFlow::Continue(()))
    })?;
    let mut behind = BTreeSet::new();
    for id in found {
        let other = draft.peek_receipt(&id)?;
        if other.account().is_some() && !other.is_refused() && (all || lacks(task, draft, &other)?) {
            behind.insert(id);
        }
    }
    Ok(behind)
}

/// Begins files anew in their order, so that each sees what those before it take then; those that are on their way anyhow
/// will. What a file added stays until what it adds then takes its place.
fn begin_anew(
    task: &Task<'_>,
    draft: &mut Draft<'_>,
    files: BTreeSet<ReceiptId>,
    because_of: &ReceiptId,
) -> Result<(), Error> {
    let mut receipts = files.iter().map(|id| draft.receipt(id)).collect::<Result<Vec<_>, _>>()?;
    receipts.sort_by_cached_key(|receipt| receipt.arrival().order());
    for mut receipt in receipts {
        if receipt.account().is_none() || receipt.is_refused() || receipt.duplicate_of().is_some() {
            continue;
        }
        receipt.begin_again(task.now(), Some(because_of));
        let arrival = receipt.arrival();
        draft.send(first_message(arrival.preset, task.feed, arrival.object.clone(), receipt.generation()));
        draft.put_text(records::open(&arrival.feed, &arrival.order()), receipt.id().as_str());
        draft.put_receipt(&receipt)?;
    }
    Ok(())
}
