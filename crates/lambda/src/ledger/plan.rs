//! A commit cut into what happens in its transaction and what is prepared before it.

use std::collections::BTreeMap;

use pipeline::ports::{Cause, Commit, Revision};
use pipeline::receipt::Receipt;
use pipeline::step::{Kind, RecordKey};

use super::mark::Mark;
use super::place::{self, NEXT_TOKEN};
use super::{Ledger, mark};
use crate::limits::{ITEM_BYTES_MAX, OUTBOX_BYTES_MAX, TRANSACT_BYTES_MAX, TRANSACT_ITEMS_MAX};
use crate::table::{Action, Field, ID, Item, Name, Test, size};

/// A commit, ready to be carried out.
pub(super) struct Plan<'a> {
    /// What the mark will say.
    pub mark: Mark,
    /// Items to write before, which nobody looks at until the mark names them.
    pub before: Vec<Item>,
    /// Records to prepare before.
    pub prepared: Vec<Entry<'a>>,
    /// The transaction. Behind the mark come the states, of these keys.
    pub main: Vec<Action>,
    pub states: Vec<String>,
    /// The attempt, if it is one of several transactions.
    pub token: Option<String>,
}

/// A record that a commit rests on or writes.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub key: &'a RecordKey,
    pub expected: Option<Revision>,
    pub change: Option<&'a Option<Vec<u8>>>,
}

impl Entry<'_> {
    fn action(&self) -> Action {
        let place = place::of(self.key);
        let tests = self.expected.map_or_else(|| vec![Test::Missing(NEXT_TOKEN)], place::is_at);
        match self.change {
            None => Action::Check(place, tests),
            Some(None) => Action::Delete(place, tests),
            Some(Some(value)) => Action::Put(Name::Ledger, place::settled(&place, &self.key.id, value), tests),
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

impl Ledger {
    /// How to carry a commit out, without the states of these keys.
    pub(super) fn plan<'a>(&self, commit: &'a Commit, without: &[String]) -> Result<Plan<'a>, Cause> {
        let entries = entries(commit);
        if let Some(large) = entries.iter().find(|entry| entry.bytes() > ITEM_BYTES_MAX) {
            return Err(format!("record {} has more than {ITEM_BYTES_MAX} bytes", large.key.id).into());
        }
        let source = commit.source.as_str();
        let (mut mark, before) = self.outbox(commit)?;
        let states = self.states(commit, without);
        let fixed = states.iter().map(|(_, item)| size(item)).sum::<usize>() + size(&mark.item(source, 0));
        let bytes = fixed + entries.iter().map(Entry::bytes).sum::<usize>();
        let is_large = 1 + states.len() + entries.len() > TRANSACT_ITEMS_MAX || bytes > TRANSACT_BYTES_MAX;
        let token = is_large.then(|| self.token(&commit.source));
        mark.token.clone_from(&token);
        let put = Action::Put(Name::Ledger, mark.item(source, self.expires()), vec![Test::Missing(ID)]);
        let mut main = vec![put];
        main.extend(
            states
                .iter()
                .map(|(at, item)| Action::Put(Name::Status, item.clone(), vec![Test::AtMost("receivedAt", *at)])),
        );
        let mut prepared = entries;
        if let Some(token) = &token {
            main.push(Action::Delete(place::intent(token), vec![Test::Is(NEXT_TOKEN, Field::Text(token.clone()))]));
            // what is only looked at is looked at in the transaction, as far as that goes
            let mut room = TRANSACT_ITEMS_MAX.saturating_sub(main.len());
            prepared.retain(|entry| {
                let looks = entry.change.is_none() && room > 0;
                if looks {
                    room -= 1;
                    main.push(entry.action());
                }
                !looks
            });
        } else {
            main.extend(prepared.drain(..).map(|entry| entry.action()));
        }
        let states = states.into_iter().map(|(_, item)| self.state_key(&item)).collect();
        Ok(Plan { mark, before, prepared, main, states, token })
    }

    /// What goes out with a commit: in its mark, or in items of their own.
    fn outbox(&self, commit: &Commit) -> Result<(Mark, Vec<Item>), Cause> {
        let mut mark = Mark::default();
        for message in &commit.step.sends {
            let json = message.to_json()?;
            let goes = self.sends.contains(&message.stage().1);
            if goes { mark.unsent.push(json) } else { mark.kept.push(json) }
        }
        if mark.unsent.iter().map(String::len).sum::<usize>() <= OUTBOX_BYTES_MAX {
            return Ok((mark, Vec::new()));
        }
        let token = self.token(&commit.source);
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
