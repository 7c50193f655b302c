//! A plain ledger with one bug at a time: each is found by the check that is there for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use pipeline::message::Message;
use pipeline::ports::{Commit, Committed, Error, Ledger, Loaded, Revision};
use pipeline::step::{Kind, RecordKey, Write};
use testkit::contract::LedgerHome;
use testkit::contract::ledger::CHECKS;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bug {
    MakesEmptyRecords,
    CutsValues,
    TakesEmptyForNone,
    HasOneKind,
    FoldsCase,
    TrimsIds,
    /// Takes rows of one time for one row.
    KeepsOneRowOfATime,
    CountsRevisions,
    KeepsRemoved,
    LosesRecords,
    ForgetsRemovals,
    OrdersByLength,
    TakesPrefixForFolder,
    IgnoresPrefix,
    ShowsTheIdAgain,
    IgnoresTheMaximum,
    /// Gives what it finds in one go.
    CutsPages,
    /// What many scans do when they go on at an id.
    LosesOneBetweenPages,
    NeedsTheIdItGoesOnFrom,
    ShowsRemoved,
    WritesBeforeConditions,
    SkipsEmptySteps,
    KnowsNoSources,
    KnowsSourcesByContent,
    LooksAtConditionsFirst,
    ForgetsSources,
    RefusalTakesTheSource,
    LooksOnlyAtWhatIsWritten,
    NamesTheLastCondition,
    NothingAlwaysHolds,
    OrdersMessages,
    TurnsMessages,
    SendsBeforeConditions,
    SendsEachTime,
    LosesMessages,
    /// Looks, waits, and writes.
    LetsOthersBetween,
}

/// No kind if there is one table for all.
type Place = (Option<Kind>, String);

#[derive(Debug, Default)]
struct Kept {
    records: BTreeMap<Place, Option<Vec<u8>>>,
    changes: BTreeMap<Place, u64>,
    sources: BTreeSet<String>,
    outbox: Vec<Message>,
    /// What was removed, to come back.
    removed: Vec<(Place, Vec<u8>)>,
}

#[derive(Debug)]
struct Broken {
    bug: Option<Bug>,
    kept: Mutex<Kept>,
}

impl Broken {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn place(&self, key: &RecordKey) -> Place {
        let id = match self.bug {
            Some(Bug::FoldsCase) => key.id.to_lowercase(),
            Some(Bug::TrimsIds) => key.id.trim().to_owned(),
            Some(Bug::KeepsOneRowOfATime) => key.id.split('.').next().unwrap_or_default().to_owned(),
            _ => key.id.clone(),
        };
        ((!self.has(Bug::HasOneKind)).then_some(key.kind), id)
    }

    fn loaded(&self, kept: &Kept, key: &RecordKey) -> Loaded {
        let place = self.place(key);
        let value = kept.records.get(&place).cloned().flatten();
        let value = match self.bug {
            Some(Bug::MakesEmptyRecords) => Some(value.unwrap_or_default()),
            Some(Bug::TakesEmptyForNone) => value.filter(|value| !value.is_empty()),
            _ => value,
        };
        let changes = kept.changes.get(&place).copied().unwrap_or_default();
        let revision = if self.has(Bug::CountsRevisions) { Revision(changes) } else { Revision::of(value.as_deref()) };
        Loaded { revision, value }
    }

    fn source(&self, commit: &Commit) -> String {
        let source = commit.source.as_str().to_owned();
        if self.has(Bug::KnowsSourcesByContent) { format!("{source} {:?}", commit.step) } else { source }
    }

    /// The first condition that does not hold.
    fn violated(&self, kept: &Kept, commit: &Commit) -> Option<RecordKey> {
        let holds = |(key, revision): &&(RecordKey, Revision)| {
            let is_written = commit.step.writes.iter().any(|write| write.key == *key);
            self.loaded(kept, key).revision == *revision
                || (self.has(Bug::LooksOnlyAtWhatIsWritten) && !is_written)
                || (self.has(Bug::NothingAlwaysHolds) && *revision == Revision(0))
        };
        let mut violated: Vec<_> = commit.expects.iter().filter(|condition| !holds(condition)).collect();
        if self.has(Bug::NamesTheLastCondition) {
            violated.reverse();
        }
        violated.first().map(|(key, _)| key.clone())
    }

    fn write(&self, kept: &mut Kept, commit: &Commit) {
        for Write { key, value } in &commit.step.writes {
            let place = self.place(key);
            *kept.changes.entry(place.clone()).or_default() += 1;
            let mut value = value.clone();
            if self.has(Bug::CutsValues) {
                value = value.map(|value| value.into_iter().take(65_536).collect());
            }
            match value {
                Some(value) => drop(kept.records.insert(place, Some(value))),
                None if self.has(Bug::KeepsRemoved) => {}
                None if self.has(Bug::ShowsRemoved) => drop(kept.records.insert(place, None)),
                None => {
                    if let Some(Some(value)) = kept.records.remove(&place) {
                        kept.removed.push((place, value));
                    }
                }
            }
        }
    }

    fn send(&self, kept: &mut Kept, commit: &Commit) {
        let mut sends = commit.step.sends.clone();
        match self.bug {
            Some(Bug::OrdersMessages) => sends.sort_by_key(Message::id),
            Some(Bug::TurnsMessages) => sends.reverse(),
            _ => {}
        }
        kept.outbox.extend(sends);
    }
}

impl Ledger for Broken {
    fn load(&self, key: &RecordKey) -> Result<Loaded, Error> {
        Ok(self.loaded(&self.kept.lock().unwrap(), key))
    }

    fn page(&self, kind: Kind, within: &str, after: Option<&str>, max: usize) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let kept = self.kept.lock().unwrap();
        let is_within = |id: &str| match self.bug {
            Some(Bug::IgnoresPrefix) => true,
            Some(Bug::TakesPrefixForFolder) => {
                let folder = within.trim_end_matches('/');
                within.is_empty() || id == folder || id.starts_with(&format!("{folder}/"))
            }
            _ => id.starts_with(within),
        };
        let kind = (!self.has(Bug::HasOneKind)).then_some(kind);
        let ids = kept.records.iter().filter(|((other, id), _)| *other == kind && is_within(id));
        let mut all: Vec<_> = ids.map(|((_, id), value)| (id.clone(), value.clone().unwrap_or_default())).collect();
        if self.has(Bug::OrdersByLength) {
            all.sort_by_key(|(id, _)| (id.len(), id.clone()));
        }
        let behind = |id: &str| match after {
            Some(after) if self.has(Bug::ShowsTheIdAgain) => id >= after,
            Some(after) => id > after,
            None => true,
        };
        let is_known = after.is_none_or(|after| all.iter().any(|(id, _)| id == after));
        let skipped = usize::from(self.has(Bug::LosesOneBetweenPages) && after.is_some());
        let max = match self.bug {
            Some(Bug::IgnoresTheMaximum) => usize::MAX,
            Some(Bug::CutsPages) => max.min(100),
            _ => max,
        };
        let page = all.iter().filter(|(id, _)| behind(id)).skip(skipped).take(max).cloned().collect();
        Ok(if self.has(Bug::NeedsTheIdItGoesOnFrom) && !is_known { Vec::new() } else { page })
    }

    fn commit(&self, commit: Commit) -> Result<Committed, Error> {
        let source = self.source(&commit);
        let mut kept = self.kept.lock().unwrap();
        let is_known = kept.sources.contains(&source) && !self.has(Bug::KnowsNoSources);
        if is_known && !self.has(Bug::LooksAtConditionsFirst) {
            if self.has(Bug::SendsEachTime) {
                self.send(&mut kept, &commit);
            }
            return Ok(Committed::Before);
        }
        if self.has(Bug::WritesBeforeConditions) {
            self.write(&mut kept, &commit);
        }
        if self.has(Bug::SendsBeforeConditions) {
            self.send(&mut kept, &commit);
        }
        if let Some(key) = self.violated(&kept, &commit) {
            if self.has(Bug::RefusalTakesTheSource) {
                kept.sources.insert(source);
            }
            return Err(Error::Changed(key));
        }
        if is_known {
            return Ok(Committed::Before);
        }
        if self.has(Bug::LetsOthersBetween) {
            drop(kept);
            thread::sleep(Duration::from_micros(200));
            kept = self.kept.lock().unwrap();
        }
        let is_empty = commit.step.writes.is_empty() && commit.step.sends.is_empty();
        if !(self.has(Bug::SkipsEmptySteps) && is_empty) {
            kept.sources.insert(source);
        }
        self.write(&mut kept, &commit);
        self.send(&mut kept, &commit);
        Ok(Committed::Now)
    }
}

impl LedgerHome for Broken {
    fn ledger(&self) -> &dyn Ledger {
        self
    }

    fn receive(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.kept.lock().unwrap().outbox)
    }

    fn restart(&mut self) {
        let mut kept = self.kept.lock().unwrap();
        match self.bug {
            Some(Bug::LosesRecords) => drop(kept.records.pop_last()),
            Some(Bug::ForgetsRemovals) => {
                let removed = std::mem::take(&mut kept.removed);
                kept.records.extend(removed.into_iter().map(|(place, value)| (place, Some(value))));
            }
            Some(Bug::ForgetsSources) => kept.sources.clear(),
            Some(Bug::LosesMessages) => kept.outbox.clear(),
            _ => {}
        }
    }
}

const BUGS: [(Bug, &str); 45] = [
    (Bug::MakesEmptyRecords, "nothing_is_loaded_before_it_is_written"),
    (Bug::CutsValues, "what_is_written_is_loaded"),
    (Bug::TakesEmptyForNone, "what_is_written_is_loaded"),
    (Bug::HasOneKind, "every_kind_and_id_is_its_own_record"),
    (Bug::FoldsCase, "every_kind_and_id_is_its_own_record"),
    (Bug::TrimsIds, "every_kind_and_id_is_its_own_record"),
    (Bug::CountsRevisions, "a_revision_follows_from_the_content"),
    (Bug::KeepsRemoved, "what_is_removed_is_gone"),
    (Bug::ForgetsRemovals, "what_is_removed_is_gone"),
    (Bug::LosesRecords, "records_survive_a_restart"),
    (Bug::OrdersByLength, "a_page_is_in_the_order_of_ids"),
    (Bug::TakesPrefixForFolder, "a_page_is_within_a_prefix"),
    (Bug::IgnoresPrefix, "a_page_is_within_a_prefix"),
    (Bug::HasOneKind, "a_page_has_one_kind"),
    (Bug::ShowsTheIdAgain, "pages_give_every_record_once"),
    (Bug::IgnoresTheMaximum, "pages_give_every_record_once"),
    (Bug::CutsPages, "pages_give_every_record_once"),
    (Bug::LosesOneBetweenPages, "pages_give_every_record_once"),
    (Bug::NeedsTheIdItGoesOnFrom, "a_page_goes_on_behind_an_id_that_is_gone"),
    (Bug::ShowsRemoved, "a_page_sees_what_load_sees"),
    (Bug::ForgetsRemovals, "a_page_sees_what_load_sees"),
    (Bug::KeepsOneRowOfATime, "rows_of_an_instrument_are_paged_by_time"),
    (Bug::LosesOneBetweenPages, "rows_of_an_instrument_are_paged_by_time"),
    (Bug::WritesBeforeConditions, "a_commit_is_whole"),
    (Bug::SendsBeforeConditions, "a_commit_is_whole"),
    (Bug::SkipsEmptySteps, "a_commit_that_does_nothing_counts"),
    (Bug::KnowsNoSources, "a_source_commits_once"),
    (Bug::KnowsSourcesByContent, "a_source_commits_once"),
    (Bug::SendsEachTime, "a_source_commits_once"),
    (Bug::LooksAtConditionsFirst, "a_source_is_looked_at_before_conditions"),
    (Bug::ForgetsSources, "a_source_is_remembered_after_a_restart"),
    (Bug::WritesBeforeConditions, "a_condition_holds_or_nothing_happens"),
    (Bug::RefusalTakesTheSource, "a_condition_holds_or_nothing_happens"),
    (Bug::LooksOnlyAtWhatIsWritten, "a_condition_holds_or_nothing_happens"),
    (Bug::NamesTheLastCondition, "the_first_condition_that_does_not_hold_is_named"),
    (Bug::NothingAlwaysHolds, "a_condition_can_be_that_there_is_nothing"),
    (Bug::TakesEmptyForNone, "a_condition_can_be_that_there_is_nothing"),
    (Bug::CountsRevisions, "a_record_that_changed_back_is_the_same"),
    (Bug::OrdersMessages, "messages_are_in_order_within_their_group"),
    (Bug::TurnsMessages, "messages_are_in_order_within_their_group"),
    (Bug::SendsBeforeConditions, "messages_of_a_commit_that_did_not_happen_are_not_sent"),
    (Bug::LosesMessages, "messages_survive_a_restart"),
    (Bug::LetsOthersBetween, "threads_that_count_lose_nothing"),
    (Bug::LetsOthersBetween, "threads_with_one_source_commit_once"),
    (Bug::LetsOthersBetween, "threads_that_create_one_record_create_it_once"),
];

#[test]
fn every_check_of_ledgers_can_fail() {
    let make = |bug| Box::new(Broken { bug, kept: Mutex::default() }) as Box<dyn LedgerHome>;
    crate::expect_caught(CHECKS, &BUGS, make);
}
