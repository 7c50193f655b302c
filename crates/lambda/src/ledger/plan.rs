//! A commit cut into what happens in its transaction and what is prepared before it.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::message::Message;
use pipeline::ports::{Cause, Commit, Revision};
use pipeline::receipt::Receipt;
use pipeline::step::{Kind, RecordKey};

use super::attempt::Attempt;
use super::mark::Mark;
use super::place::{self, NEXT_TOKEN, Spot};
use super::{Ledger, mark};
use crate::limits::{ITEM_BYTES_MAX, OUTBOX_BYTES_MAX, STATES_PER_COMMIT_MAX, TRANSACT_BYTES_MAX, TRANSACT_ITEMS_MAX};
use crate::table::{Action, Field, ID, Item, Name, Test, size};

/// A commit, ready to be carried out.
pub(super) struct Plan<'a> {
    /// What the mark will say.
    pub mark: Mark,
    /// Items to write before, which nobody looks at until the mark names them.
    pub before: Vec<Item>,
    /// Records to prepare before.
    pub prepared: Vec<Entry<'a>>,
    /// The transaction: the mark, the states of these keys, the intent of an attempt, these records, and standings.
    pub main: Vec<Action>,
    pub states: Vec<String>,
    pub records: Vec<Entry<'a>>,
    /// The attempt, if it is one of several transactions.
    pub attempt: Option<Attempt>,
}

/// What of a transaction was refused.
#[derive(Default)]
pub(super) struct Refused<'a> {
    pub states: Vec<String>,
    /// Somebody has ended the attempt.
    pub is_ended: bool,
    pub records: Vec<Entry<'a>>,
}

impl<'a> Plan<'a> {
    /// What actions of these numbers are.
    pub fn refused(&self, numbers: &[usize]) -> Refused<'a> {
        let intent = 1 + self.states.len();
        let records = intent + usize::from(self.attempt.is_some());
        let mut refused = Refused::default();
        for &number in numbers {
            match number {
                0 => {}
                number if number < intent => refused.states.push(self.states[number - 1].clone()),
                number if number < records => refused.is_ended = true,
                number => refused.records.extend(self.records.get(number - records)),
            }
        }
        refused
    }
}

/// A record that a commit rests on or writes.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub key: &'a RecordKey,
    pub expected: Option<Revision>,
    pub change: Option<&'a Option<Vec<u8>>>,
}

impl Entry<'_> {
    fn action(&self, spot: &Spot<'_>) -> Action {
        let tests = self.expected.map_or_else(|| vec![Test::Missing(NEXT_TOKEN)], place::is_at);
        match self.change {
            None => spot.check(tests),
            Some(value) => spot.write(value.as_deref(), tests),
        }
    }

    /// In which order entries are taken into the transaction. What others are at as well comes first: they are found out
    /// by there, and not while both prepare.
    fn order(&self) -> u8 {
        let is_of_one_file = matches!(self.key.kind, Kind::Row | Kind::Id | Kind::Ids | Kind::Contribution);
        match (self.change, is_of_one_file, self.expected) {
            (None, ..) => 0,
            (Some(_), false, _) => 1,
            (Some(_), true, Some(_)) => 2,
            (Some(_), true, None) => 3,
        }
    }

    pub fn bytes(&self) -> usize {
        let value = self.change.and_then(Option::as_ref).map_or(0, Vec::len);
        value + 2 * self.key.id.len() + 300
    }
}

fn entries(commit: &Commit) -> Vec<Entry<'_>> {
    let mut entries: BTreeMap<&RecordKey, Entry<'_>> = BTreeMap::new();
    for (key, revision) in &commit.expects {
        entries.insert(key, Entry { key, expected: Some(*revision), change: None });
    }
    for write in &commit.step.writes {
        let entry = entries.entry(&write.key);
        entry.or_insert(Entry { key: &write.key, expected: None, change: None }).change = Some(&write.value);
    }
    entries.into_values().collect()
}

/// What is prepared, and what the transaction has room for beside its mark, its intent and so many others.
fn divided(mut entries: Vec<Entry<'_>>, fixed: usize, others: usize) -> (Vec<Entry<'_>>, Vec<Entry<'_>>) {
    entries.sort_by_key(Entry::order);
    let (mut room, mut bytes) = (TRANSACT_ITEMS_MAX.saturating_sub(2 + others), fixed);
    let mut fits = |entry: &Entry<'_>| {
        let fits = room > 0 && bytes + entry.bytes() <= TRANSACT_BYTES_MAX;
        if fits {
            room -= 1;
            bytes += entry.bytes();
        }
        fits
    };
    entries.into_iter().partition(|entry| !fits(entry))
}

impl Ledger {
    /// How to carry a commit out, without the states of these keys.
    pub(super) fn plan<'a>(&self, commit: &'a Commit, without: &[String]) -> Result<Plan<'a>, Cause> {
        let entries = entries(commit);
        self.part(&entries);
        if let Some(large) = entries.iter().find(|entry| entry.bytes() > ITEM_BYTES_MAX) {
            return Err(format!("record {} has more than {ITEM_BYTES_MAX} bytes", large.key.id).into());
        }
        let source = commit.source.as_str();
        let (mut mark, before) = self.outbox(commit)?;
        let (mut states, standings) = (self.states(commit, without), self.standings(commit)?);
        if states.len() > STATES_PER_COMMIT_MAX {
            // of files that are begun anew, what they say of themselves as soon as they are there is enough
            let anew: Vec<&str> = commit.step.sends.iter().filter_map(key_begun_anew).collect();
            states.retain(|(_, item)| !anew.contains(&self.state_key(item).as_str()));
        }
        let others = states.iter().map(|(_, item)| item).chain(&standings);
        let fixed = others.clone().map(size).sum::<usize>() + size(&mark.item(source, 0));
        let others = others.count();
        let bytes = fixed + entries.iter().map(Entry::bytes).sum::<usize>();
        let is_large = 1 + others + entries.len() > TRANSACT_ITEMS_MAX || bytes > TRANSACT_BYTES_MAX;
        let (prepared, records) = if is_large { divided(entries, fixed, others) } else { (Vec::new(), entries) };
        let attempt = is_large.then(|| self.attempt_at(source, &prepared));
        mark.token = attempt.as_ref().map(|attempt| attempt.token.clone());
        let mut main = vec![Action::Put(Name::Ledger, mark.item(source, self.expires()), vec![Test::Missing(ID)])];
        let put =
            |(at, item): &(u64, Item)| Action::Put(Name::Status, item.clone(), vec![Test::AtMost("receivedAt", *at)]);
        main.extend(states.iter().map(put));
        if let Some(Attempt { token, .. }) = &attempt {
            main.push(Action::Delete(place::intent(token), vec![Test::Is(NEXT_TOKEN, Field::Text(token.clone()))]));
        }
        main.extend(records.iter().map(|entry| entry.action(&self.spot(entry.key))));
        // what has no conditions comes last
        main.extend(standings.into_iter().map(|item| Action::Put(Name::Rows, item, Vec::new())));
        let states = states.into_iter().map(|(_, item)| self.state_key(&item)).collect();
        Ok(Plan { mark, before, prepared, main, states, records, attempt })
    }

    /// Of rows of one place, the first has it.
    fn part(&self, entries: &[Entry<'_>]) {
        let mut places = BTreeSet::new();
        for entry in entries {
            if let Spot::Row(row) = self.spot(entry.key)
                && !places.insert(row.key)
            {
                self.move_out(entry.key);
            }
        }
    }

    /// What goes out with a commit: in its mark, or in items of their own.
    fn outbox(&self, commit: &Commit) -> Result<(Mark, Vec<Item>), Cause> {
        let mut mark = Mark::default();
        for message in &commit.step.sends {
            let json = message.to_json()?;
            if message.begins_anew() && self.anew.is_none() {
                return Err(format!("{} has no way to its first stage from here", message.id().as_str()).into());
            }
            let goes = message.begins_anew() || self.sends.contains(&message.stage().1);
            if goes { mark.unsent.push(json) } else { mark.kept.push(json) }
        }
        if mark.unsent.iter().map(String::len).sum::<usize>() <= OUTBOX_BYTES_MAX {
            return Ok((mark, Vec::new()));
        }
        let token = self.token(commit.source.as_str());
        let chunks = cut(std::mem::take(&mut mark.unsent));
        let source = commit.source.as_str();
        let item =
            |(number, messages): (usize, &Vec<String>)| mark::chunk(source, &token, number, messages, self.expires());
        let before: Vec<Item> = chunks.iter().enumerate().map(item).collect();
        mark.chunks = Some((token, before.len() as u64));
        Ok((mark, before))
    }

    /// The states of files that a commit changes: of each file the newest version, with the time at which it came.
    fn states(&self, commit: &Commit, without: &[String]) -> Vec<(u64, Item)> {
        let Some(field) = self.status else { return Vec::new() };
        let mut newest: BTreeMap<String, (u64, Item)> = BTreeMap::new();
        for write in commit.step.writes.iter().filter(|write| write.key.kind == Kind::Receipt) {
            let receipt = write.value.as_deref().and_then(|value| serde_json::from_slice::<Receipt>(value).ok());
            let Some(receipt) = receipt else { continue };
            let (key, at) = (&receipt.arrival().object.key, receipt.arrival().at);
            let is_newer = newest.get(key).is_none_or(|(known, _)| *known <= at);
            if is_newer && !without.contains(key) {
                newest.insert(key.clone(), (at, state(field, &receipt)));
            }
        }
        newest.into_values().collect()
    }

    fn state_key(&self, item: &Item) -> String {
        let key = self.status.and_then(|field| crate::table::text(item, field));
        key.unwrap_or_default().to_owned()
    }
}

/// The key of the file that a message begins anew.
fn key_begun_anew(message: &Message) -> Option<&str> {
    message.work().filter(|_| message.begins_anew()).map(|work| work.object.key.as_str())
}

/// Where a file is, for those who look into the table.
fn state(field: &'static str, receipt: &Receipt) -> Item {
    let view = serde_json::to_value(receipt.view()).unwrap_or_default();
    let mut item = Item::new();
    let fields = view.as_object().into_iter().flatten();
    for (name, value) in fields {
        let told = match value {
            serde_json::Value::String(text) => Some(Field::Text(text.clone())),
            serde_json::Value::Number(number) => number.as_u64().map(Field::Number),
            _ => None,
        };
        item.extend(told.map(|told| (name.clone(), told)));
    }
    item.insert("day".to_owned(), Field::Text(receipt.view().updated_at.chars().take(10).collect()));
    item.insert(field.to_owned(), Field::Text(receipt.arrival().object.key.clone()));
    item
}

/// Messages in their order, cut into what an item takes.
fn cut(messages: Vec<String>) -> Vec<Vec<String>> {
    let mut chunks: Vec<Vec<String>> = Vec::new();
    let mut bytes = usize::MAX;
    for message in messages {
        if bytes.saturating_add(message.len()) > OUTBOX_BYTES_MAX {
            bytes = 0;
            chunks.push(Vec::new());
        }
        bytes += message.len();
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(message);
        }
    }
    chunks
}
