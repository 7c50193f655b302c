//! What does not fit the transaction of a commit is written before it, beside what is there.

use pipeline::message::MessageId;
use pipeline::ports::Revision;

use super::place::{self, NEXT_TOKEN, Next};
use super::plan::Entry;
use super::{Failed, Ledger};
use crate::limits::{COMMIT_TRIES_MAX, TRANSACT_BYTES_MAX, TRANSACT_ITEMS_MAX};
use crate::table::{Action, EXPIRES, Error, Field, Item, Name, size};

/// A record with what it is now, as far as is known.
struct Known<'a> {
    entry: Entry<'a>,
    value: Option<Vec<u8>>,
}

impl Ledger {
    /// Notes that an attempt is under way, then prepares its records.
    pub(super) fn prepare(&self, source: &MessageId, token: &str, entries: &[Entry<'_>]) -> Result<(), Failed> {
        let fields = [(NEXT_TOKEN, Field::Text(token.to_owned())), (EXPIRES, Field::Number(self.expires()))];
        self.write_before(vec![place::intent(token).item(fields)])?;
        let mut rest = entries;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |entry: &&Entry<'_>| {
                bytes += 2 * entry.bytes();
                bytes <= TRANSACT_BYTES_MAX
            };
            let count = rest.iter().take(TRANSACT_ITEMS_MAX).take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count);
            self.prepare_some(source, token, now)?;
            rest = later;
        }
        Ok(())
    }

    fn prepare_some(&self, source: &MessageId, token: &str, entries: &[Entry<'_>]) -> Result<(), Failed> {
        let mut known = Vec::new();
        for &entry in entries {
            // most are new: what is there is looked at when the table says that something is
            let is_there = entry.change.is_none() || entry.expected.is_some_and(|revision| revision.0 != 0);
            let value = if is_there { self.settled(entry.key)? } else { None };
            known.push(Known { entry, value });
        }
        for attempt in 0..COMMIT_TRIES_MAX {
            let mut actions = Vec::new();
            for known in &known {
                let revision = Revision::of(known.value.as_deref());
                if known.entry.expected.is_some_and(|expected| expected != revision) {
                    return Err(Failed::Contended);
                }
                let place = place::of(known.entry.key);
                let value = known.entry.change.map_or(known.value.as_deref(), Option::as_deref);
                let next = Next { source: source.as_str(), token, value };
                let item = next.beside(&place, &known.entry.key.id, known.value.as_deref());
                actions.push(Action::Put(Name::Ledger, item, place::is_at(revision)));
            }
            let refused = match self.table.transact(actions) {
                Ok(()) => return Ok(()),
                Err(Error::Refused(refused)) => refused,
                Err(Error::Unavailable(cause)) => return Err(Failed::Unavailable(cause)),
            };
            if refused.is_empty() {
                self.pause(attempt);
            }
            for index in refused {
                known[index].value = self.settled(known[index].entry.key)?;
            }
        }
        Err(Failed::Contended)
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
        for attempt in 0..COMMIT_TRIES_MAX {
            match self.table.transact(actions.clone()) {
                Ok(()) => return Ok(()),
                Err(Error::Refused(_)) => self.pause(attempt),
                Err(Error::Unavailable(cause)) => return Err(Failed::Unavailable(cause)),
            }
        }
        Err(Failed::Contended)
    }
}
