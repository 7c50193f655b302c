//! Which sends were seen in the last minutes. Holds after the message is deleted as well.

use std::collections::{HashMap, VecDeque};

use xxhash_rust::xxh3::Xxh3;

use crate::limits::{COMMIT_CHANGES_MAX, DEDUPLICATION_MS};
use crate::queues::Millis;
use crate::scheduler::entry::{put, take, take_bytes, take_u32};
use crate::store::{Changes, Table};

/// A queue, and the hash of an id or a content.
pub(crate) type Key = (u32, u128);

/// What was sent, and when it was sent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    at: Millis,
    position: u64,
}

/// The sends of the last minutes. On disk they lie in the order of time, one entry for all of a commit.
#[derive(Debug, Default)]
pub(crate) struct Deduplication {
    seen: HashMap<Key, Seen>,
    entries: VecDeque<Entry>,
    /// Sends of this commit.
    fresh: Vec<(Key, u64)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    at: Millis,
    sends: Vec<(Key, u64)>,
}

impl Deduplication {
    /// The message with this key that was sent in the last minutes.
    pub(crate) fn find(&self, key: Key, now: Millis) -> Option<u64> {
        let seen = self.seen.get(&key)?;
        (now < seen.at.saturating_add(DEDUPLICATION_MS)).then_some(seen.position)
    }

    /// Remembers one send. [`Deduplication::write`] must follow in the same commit.
    pub(crate) fn remember(&mut self, key: Key, at: Millis, position: u64) {
        self.seen.insert(key, Seen { at, position });
        self.fresh.push((key, position));
    }

    /// Writes what was sent in this commit, the last of it at the time `at`.
    pub(crate) fn write(&mut self, at: Millis, changes: &mut Changes) {
        let Some((_, first)) = self.fresh.first() else { return };
        changes.put_with(Table::Deduplication, key_of(at, *first), |value| {
            for ((queue, hash), position) in &self.fresh {
                put(value, u64::from(*queue));
                value.extend_from_slice(&hash.to_be_bytes());
                put(value, *position);
            }
        });
        self.entries.push_back(Entry { at, sends: std::mem::take(&mut self.fresh) });
    }

    /// Forgets what is too long ago.
    pub(crate) fn forget(&mut self, now: Millis, changes: &mut Changes) {
        while changes.len() < COMMIT_CHANGES_MAX {
            let Some(entry) = self.entries.front() else { return };
            if now < entry.at.saturating_add(DEDUPLICATION_MS) {
                return;
            }
            let Some(entry) = self.entries.pop_front() else { return };
            for (key, position) in &entry.sends {
                if self.seen.get(key).is_some_and(|seen| seen.position == *position) {
                    self.seen.remove(key);
                }
            }
            if let Some((_, first)) = entry.sends.first() {
                changes.delete(Table::Deduplication, key_of(entry.at, *first));
            }
        }
    }

    /// Takes up what is on disk, in its order; false if it is damaged.
    pub(crate) fn restore(&mut self, key: &[u8], value: &[u8]) -> bool {
        let Some(entry) = decode(key, value) else { return false };
        for (key, position) in &entry.sends {
            self.seen.insert(*key, Seen { at: entry.at, position: *position });
        }
        self.entries.push_back(entry);
        true
    }
}

/// The hash under which a send is known.
pub(crate) fn hash(id: Option<&str>, body: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    // an id is no content, whatever its bytes
    hasher.update(&[u8::from(id.is_some())]);
    hasher.update(id.map_or(body, str::as_bytes));
    hasher.digest128()
}

fn key_of(at: Millis, position: u64) -> [u8; 16] {
    ((u128::from(at) << 64) | u128::from(position)).to_be_bytes()
}

fn decode(key: &[u8], mut value: &[u8]) -> Option<Entry> {
    let at = u64::from_be_bytes(*key.first_chunk()?);
    let value = &mut value;
    let mut sends = Vec::new();
    while !value.is_empty() {
        let queue = take_u32(value)?;
        let hash = u128::from_be_bytes(take_bytes(value, 16)?.try_into().ok()?);
        sends.push(((queue, hash), take(value)?));
    }
    Some(Entry { at, sends })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_known_for_five_minutes_across_a_restart() {
        let mut changes = Changes::new();
        let mut first = Deduplication::default();
        let keys = [(1, hash(Some("a"), b"")), (2, hash(None, b"a"))];
        for (position, key) in keys.into_iter().enumerate() {
            first.remember(key, 1000, position as u64);
        }
        first.write(1000, &mut changes);

        let mut second = Deduplication::default();
        for change in changes.iter() {
            assert!(second.restore(change.key, change.value.unwrap()));
        }
        assert_eq!(second.find(keys[0], 1000 + DEDUPLICATION_MS - 1), Some(0));
        assert_eq!(second.find(keys[1], 1000), Some(1));
        assert_eq!(second.find((2, keys[0].1), 1000), None);
        assert_eq!(second.find(keys[0], 1000 + DEDUPLICATION_MS), None);

        let mut forgetting = Changes::new();
        second.forget(1000 + DEDUPLICATION_MS - 1, &mut forgetting);
        assert!(forgetting.is_empty());
        second.forget(1000 + DEDUPLICATION_MS, &mut forgetting);
        assert_eq!(forgetting.get(0).unwrap().key, changes.get(0).unwrap().key);
        assert!(second.seen.is_empty());
    }

    #[test]
    fn an_id_is_no_content() {
        assert_ne!(hash(Some("a"), b"b"), hash(None, b"a"));
        assert_eq!(hash(Some("a"), b"b"), hash(Some("a"), b"c"));
    }
}
