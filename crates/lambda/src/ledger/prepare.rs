//! What does not fit the transaction of a commit is written before it, beside what is there.

use std::time::Instant;

use pipeline::ports::Revision;

use super::attempt::Attempt;
use super::place::{self, NEXT_TOKEN, Next};
use super::plan::Entry;
use super::{Failed, Ledger};
use crate::limits::{COMMIT_TRIES_MAX, TRANSACT_BYTES_MAX, TRANSACT_ITEMS_MAX};
use crate::table::{Action, EXPIRES, Error, Field, Item, Name, Test, size};

/// A record with what it is now, as far as is known.
struct Known<'a> {
    entry: Entry<'a>,
    value: Option<Vec<u8>>,
    /// What is prepared on it, by this attempt or by one that is decided.
    token: Option<String>,
}

impl Ledger {
    /// Notes that an attempt is under way, then prepares those of its records that are not prepared yet.
    pub(super) fn prepare(&self, source: &str, attempt: &mut Attempt, entries: &[Entry<'_>]) -> Result<(), Failed> {
        if !attempt.is_noted {
            let token = Field::Text(attempt.token.clone());
            let fields = [(NEXT_TOKEN, token), (EXPIRES, Field::Number(self.expires()))];
            self.write_before(vec![place::intent(&attempt.token).item(fields)])?;
            attempt.is_noted = true;
        }
        let entries: Vec<Entry<'_>> = entries.iter().filter(|entry| !attempt.has(entry)).copied().collect();
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |entry: &&Entry<'_>| {
                bytes += 2 * entry.bytes();
                bytes <= TRANSACT_BYTES_MAX
            };
            let count = rest.iter().take(TRANSACT_ITEMS_MAX).take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count);
            self.prepare_some(source, &attempt.token, now)?;
            attempt.note(now);
            rest = later;
        }
        Ok(())
    }

    fn prepare_some(&self, source: &str, token: &str, entries: &[Entry<'_>]) -> Result<(), Failed> {
        let mut known = Vec::new();
        for &entry in entries {
            // most are new: what is there is looked at when the table says that something is
            let is_there = entry.change.is_none() || entry.expected.is_some_and(|revision| revision.0 != 0);
            let mut one = Known { entry, value: None, token: None };
            if is_there {
                self.look(&mut one, token)?;
            }
            known.push(one);
        }
        for number in 0..COMMIT_TRIES_MAX {
            let began = Instant::now();
            let mut actions = Vec::new();
            for known in &known {
                let revision = Revision::of(known.value.as_deref());
                if known.entry.expected.is_some_and(|expected| expected != revision) {
                    return Err(Failed::Changed(known.entry.key.clone()));
                }
                let value = known.entry.change.unwrap_or(&known.value).clone();
                let next = Next { source: source.to_owned(), token: token.to_owned(), value };
                // what is prepared there does not change any more, so its token stands for all of the record
                let there = |token: &String| vec![Test::Is(NEXT_TOKEN, Field::Text(token.clone()))];
                let tests = known.token.as_ref().map_or_else(|| place::is_at(revision), there);
                actions.push(self.spot(known.entry.key).write_beside(&next, known.value.as_deref(), tests));
            }
            let refused = match self.table.transact(actions) {
                Ok(()) => return Ok(()),
                Err(Error::Refused(refused)) => refused,
                Err(Error::Unavailable(cause)) => return Err(Failed::Unavailable(cause)),
            };
            if refused.is_empty() {
                self.pause(number, began.elapsed());
            }
            for index in refused {
                self.look(&mut known[index], token)?;
            }
        }
        Err(Failed::Contended)
    }

    /// Looks at a record, and decides what is prepared on it, unless that is of this attempt.
    fn look(&self, known: &mut Known<'_>, own: &str) -> Result<(), Failed> {
        let item = self.item(known.entry.key)?.unwrap_or_default();
        known.value = self.decided(&item, Some(own))?;
        known.token = Next::of(&item).map(|next| next.token);
        Ok(())
    }

    /// Writes items that nobody looks at yet.
    pub(super) fn write_before(&self, items: Vec<Item>) -> Result<(), Failed> {
        let (mut actions, mut bytes) = (Vec::new(), 0);
        let mut items = items.into_iter().peekable();
        while let Some(item) = items.next() {
            bytes += size(&item);
            actions.push(Action::Put(Name::Ledger, item, vec![]));
            let next = items.peek().map_or(usize::MAX, size);
            if actions.len() < TRANSACT_ITEMS_MAX && bytes.saturating_add(next) <= TRANSACT_BYTES_MAX {
                continue;
            }
            bytes = 0;
            self.write(std::mem::take(&mut actions))?;
        }
        Ok(())
    }

    /// Writes without conditions: it is refused only for as long as others are at the same items.
    pub(super) fn write(&self, actions: Vec<Action>) -> Result<(), Failed> {
        for number in 0..COMMIT_TRIES_MAX {
            let began = Instant::now();
            match self.table.transact(actions.clone()) {
                Ok(()) => return Ok(()),
                Err(Error::Refused(_)) => self.pause(number, began.elapsed()),
                Err(Error::Unavailable(cause)) => return Err(Failed::Unavailable(cause)),
            }
        }
        Err(Failed::Contended)
    }
}
