//! Where records are in the table, and what stands in an item.
//!
//! A group is a kind and a hash of the first part of the id, so what is within a first part is one query, and what is
//! not is one query for each of a few groups. What is to be told has groups by the whole id.

use std::fmt::Write as _;

use pipeline::object::digest;
use pipeline::ports::Revision;
use pipeline::step::{Kind, RecordKey};
use xxhash_rust::xxh3::xxh3_64;

use super::rows::{self, Row};
use crate::table::{Action, Field, GROUP, Item, Key, Name, Place, Test, bytes, text};

/// Groups of one kind.
const GROUPS: u64 = 16;
/// Bytes of an id that is its own sort key, of which DynamoDB takes 1024.
const PLAIN_BYTES_MAX: usize = 900;

/// The content of a record.
pub(super) const VALUE: &str = "value";
/// What [`Revision::of`] says of it.
pub(super) const REVISION: &str = "revision";
/// What it will be when a commit happens that is too large for one transaction; none if it will be removed.
pub(super) const NEXT: &str = "next";
/// The source of that commit.
pub(super) const NEXT_SOURCE: &str = "nextSource";
/// Which attempt at it: an attempt whose token does not stand in the mark of the source has not happened.
pub(super) const NEXT_TOKEN: &str = "nextToken";
/// The id, where the sort key is not it.
const NAME: &str = "name";

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Receipt => "receipt",
        Kind::Alias => "alias",
        Kind::Open => "open",
        Kind::Content => "content",
        Kind::Contribution => "contribution",
        Kind::Id => "id",
        Kind::Ids => "ids",
        Kind::Taken => "taken",
        Kind::Turn => "turn",
        Kind::Row => "row",
        Kind::Due => "due",
        Kind::Window => "window",
        Kind::Notice => "notice",
    }
}

/// The group of ids with this first part; none where ids are spread however they begin: what is to be told is never asked
/// for by its first part, which is the same for each batch of rows.
pub(super) fn group(kind: Kind, first: &str) -> Option<String> {
    (kind != Kind::Notice).then(|| hashed(kind, first))
}

/// The group of this id.
pub(super) fn group_of(kind: Kind, id: &str) -> String {
    let first = id.split_once('/').map_or(id, |(first, _)| first);
    group(kind, first).unwrap_or_else(|| hashed(kind, id))
}

fn hashed(kind: Kind, text: &str) -> String {
    format!("{}/{:x}", kind_name(kind), xxh3_64(text.as_bytes()) % GROUPS)
}

/// All groups of a kind.
pub(super) fn groups(kind: Kind) -> impl Iterator<Item = String> {
    (0..GROUPS).map(move |number| format!("{}/{number:x}", kind_name(kind)))
}

/// An id, or the beginning of one, as the table sorts it: long first parts, which names of files are, go by their hash.
pub(super) fn sorted(id: &str) -> String {
    match id.split_once('/') {
        Some((first, rest)) if first.len() > PLAIN_BYTES_MAX => format!("~{}/{rest}", digest(&[first])),
        None if id.len() > PLAIN_BYTES_MAX => format!("~{}", digest(&[id])),
        _ => id.to_owned(),
    }
}

/// Where a record is in the ledger.
pub(super) fn of(key: &RecordKey) -> Key {
    Key::new(group_of(key.kind, &key.id), sorted(&key.id))
}

/// The id of a record of the ledger.
pub(super) fn id(item: &Item) -> String {
    text(item, NAME).map_or_else(|| Key::of(item).id, str::to_owned)
}

/// Whether an item is one of the table of rows.
fn is_row(item: &Item) -> bool {
    !item.contains_key(GROUP)
}

/// The content of a record, without what is to come.
pub(super) fn value(item: &Item) -> Option<Vec<u8>> {
    let whole = || rows::composed(item).filter(|_| is_row(item) && item.contains_key(REVISION));
    bytes(item, VALUE).map(<[u8]>::to_vec).or_else(whole)
}

/// Where a record is, and how it is written there.
pub(super) enum Spot<'a> {
    /// In the ledger.
    Record(Key, &'a str),
    /// Among the rows.
    Row(Row),
}

impl Spot<'_> {
    pub fn place(&self) -> Place {
        match self {
            Self::Record(key, _) => key.clone().into(),
            Self::Row(row) => Place::Row(row.key.clone()),
        }
    }

    /// Writes it with this content, or removes it.
    pub fn write(&self, value: Option<&[u8]>, tests: Vec<Test>) -> Action {
        match (self, value) {
            (Self::Record(key, name), Some(value)) => Action::Put(Name::Ledger, settled(key, name, value), tests),
            (Self::Record(key, _), None) => Action::Delete(key.clone(), tests),
            (Self::Row(row), Some(value)) => Action::Put(Name::Rows, row.settled(value), self.and_ours(tests)),
            (Self::Row(row), None) => Action::Put(Name::Rows, row.removed(), self.and_ours(tests)),
        }
    }

    /// Writes what is to come beside what is there.
    pub fn write_beside(&self, next: &Next, now: Option<&[u8]>, tests: Vec<Test>) -> Action {
        match self {
            Self::Record(key, name) => Action::Put(Name::Ledger, next.beside(key, name, now), tests),
            Self::Row(row) => Action::Put(Name::Rows, row.beside(next, now), self.and_ours(tests)),
        }
    }

    /// Only looks.
    pub fn check(&self, tests: Vec<Test>) -> Action {
        Action::Check(self.place(), self.and_ours(tests))
    }

    fn and_ours(&self, mut tests: Vec<Test>) -> Vec<Test> {
        if let Self::Row(row) = self {
            tests.push(row.is_ours());
        }
        tests
    }
}

/// A record with this content and nothing that is to come.
fn settled(key: &Key, name: &str, value: &[u8]) -> Item {
    let revision = Field::Number(Revision::of(Some(value)).0);
    let mut item = key.item([(VALUE, Field::Bytes(value.to_vec())), (REVISION, revision)]);
    if key.id != name {
        item.insert(NAME.to_owned(), Field::Text(name.to_owned()));
    }
    item
}

/// What is to come of a record.
pub(super) struct Next {
    pub source: String,
    pub token: String,
    pub value: Option<Vec<u8>>,
}

impl Next {
    pub fn of(item: &Item) -> Option<Self> {
        let [source, token] = [NEXT_SOURCE, NEXT_TOKEN].map(|name| text(item, name).map(str::to_owned));
        // of a row that is not there yet, the fields are what is to come
        let whole = || rows::composed(item).filter(|_| is_row(item) && !item.contains_key(REVISION));
        let value = bytes(item, NEXT).map(<[u8]>::to_vec).or_else(whole);
        Some(Self { source: source?, token: token?, value })
    }

    /// Writes it beside what is there.
    fn beside(&self, key: &Key, name: &str, now: Option<&[u8]>) -> Item {
        let mut item = match now {
            Some(value) => settled(key, name, value),
            None => {
                settled(key, name, &[]).into_iter().filter(|(field, _)| field != VALUE && field != REVISION).collect()
            }
        };
        let mut put = |name: &str, field| item.insert(name.to_owned(), field);
        put(NEXT_SOURCE, Field::Text(self.source.clone()));
        put(NEXT_TOKEN, Field::Text(self.token.clone()));
        if let Some(value) = &self.value {
            put(NEXT, Field::Bytes(value.clone()));
        }
        item
    }
}

/// The tests that a record is settled and has this revision.
pub(super) fn is_at(revision: Revision) -> Vec<Test> {
    let revision = match revision.0 {
        0 => Test::Missing(REVISION),
        number => Test::Is(REVISION, Field::Number(number)),
    };
    vec![Test::Missing(NEXT_TOKEN), revision]
}

/// The group with the instruments of a feed; its name as it stands in ids.
pub(super) fn instruments(feed: &str) -> String {
    format!("instruments/{:x}", xxh3_64(feed.as_bytes()) % GROUPS)
}

/// The groups with those of all feeds.
pub(super) fn all_instruments() -> impl Iterator<Item = String> {
    (0..GROUPS).map(|number| format!("instruments/{number:x}"))
}

/// The place of the note that there are rows whose ids begin with this.
pub(super) fn instrument(within: &str) -> Key {
    Key::new(instruments(within.split('/').next().unwrap_or_default()), within)
}

/// The place of the note how many rows of a set are in their table.
pub(super) fn stored(set: &str) -> Key {
    Key::new(format!("stored/{set}"), "rows")
}

/// The place of the mark that a source has committed.
pub(super) fn mark(source: &str) -> Key {
    Key::new(format!("source/{source}"), "mark")
}

/// The place of the note that an attempt at a large commit is under way.
pub(super) fn intent(token: &str) -> Key {
    Key::new(format!("intent/{token}"), "intent")
}

/// The place of messages of a commit that do not fit its mark.
pub(super) fn outbox(source: &str, token: &str, number: usize) -> Key {
    Key::new(format!("outbox/{source}"), format!("{token}/{number:06}"))
}

/// A token that no other attempt has.
pub(super) fn token(source: &str, process: u64, number: u64) -> String {
    let mut token = digest(&[source]);
    // a string takes what is written to it
    let _ = write!(token, ".{process:x}.{number:x}");
    token
}
