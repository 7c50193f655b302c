//! Rows of `market` in a table of their own, which people read: by instrument and time, with a field for each value.
//!
//! A row has its place by what its id says. The partition is the instrument. The place in it is the time in seconds with
//! nine digits of a fraction, and behind them 19 that tell rows of one time apart, in the order of their ids: thirteen
//! for where the row came from, six for its place there. Together that is what a number of DynamoDB holds. Should two rows
//! get one place all the same, the second stays in the ledger, as a row does that has no place here; whoever reads looks
//! into both.

mod page;
#[cfg(test)]
mod tests;

pub(super) use page::Page;
use pipeline::message::Feed;
use pipeline::object::digest;
use pipeline::point::{Kept, Point, RowId};
use pipeline::ports::Revision;
use pipeline::preset::Preset;
use pipeline::records::{escaped, unescaped};

use super::place::{NEXT, NEXT_SOURCE, NEXT_TOKEN, Next, REVISION, VALUE};
use crate::table::{Field, Item, RowKey, Test, number, text};

/// Places of one nanosecond.
pub(super) const PLACES: i128 = 10_i128.pow(19);
/// Places of one origin.
const OF_ORIGIN: i128 = 1_000_000;
/// What a message has at most, so that a part and an index make one number.
const PER_PART: u64 = pipeline::limits::RECORDS_PER_MESSAGE_MAX as u64;
/// Bytes of the parts of an id that name a partition.
const PARTITION_BYTES_MAX: usize = 900;

/// The file or the request that a row came with: together with its key, it says which row it is.
const ORIGIN: &str = "origin";
const TIME: &str = "time";
const PRICE: &str = "price";
const VOLUME: &str = "volume";
const BAR: [&str; 3] = ["open", "high", "low"];
const SEQUENCE: &str = "sequence";

/// A row that has a place in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub key: RowKey,
    origin: String,
}

impl Row {
    /// The row of an id; none if it has no place in the table.
    pub fn of(id: &str) -> Option<Self> {
        let row = RowId::parse(id)?;
        let index = u64::try_from(row.index).ok().filter(|index| *index < PER_PART)?;
        let position = i128::from(row.part.checked_mul(PER_PART)?.checked_add(index)?);
        let has_place = position < OF_ORIGIN && !row.origin.is_empty() && !row.symbol.is_empty();
        if !has_place || within(&row.feed, &row.symbol).len() > PARTITION_BYTES_MAX {
            return None;
        }
        let timestamp = i128::from(row.time) * PLACES + rank(&row.origin) * OF_ORIGIN + position;
        Some(Self { key: RowKey { symbol: partition(&row.feed, &row.symbol), timestamp }, origin: row.origin })
    }

    /// The test that nobody else has this place.
    pub fn is_ours(&self) -> Test {
        Test::MissingOr(ORIGIN, Field::Text(self.origin.clone()))
    }

    /// Whether the item that has this place is this row.
    pub fn is(&self, item: &Item) -> bool {
        text(item, ORIGIN) == Some(&self.origin)
    }

    /// The row as it is when nothing is to come.
    pub fn settled(&self, value: &[u8]) -> Item {
        let mut item = self.with(value, VALUE);
        item.insert(REVISION.to_owned(), Field::Number(Revision::of(Some(value)).0));
        item
    }

    /// The place of a row that was removed: it stays this row's.
    pub fn removed(&self) -> Item {
        self.key.item([(ORIGIN, Field::Text(self.origin.clone()))])
    }

    /// What is to come, beside what is there. Of a row that is not there yet, its fields are what is to come.
    pub fn beside(&self, next: &Next, now: Option<&[u8]>) -> Item {
        let mut item = match (now, &next.value) {
            (None, Some(value)) => self.with(value, NEXT),
            _ => self.removed(),
        };
        if let Some(now) = now {
            item.insert(VALUE.to_owned(), Field::Bytes(now.to_vec()));
            item.insert(REVISION.to_owned(), Field::Number(Revision::of(Some(now)).0));
            item.extend(next.value.as_ref().map(|value| (NEXT.to_owned(), Field::Bytes(value.clone()))));
        }
        item.insert(NEXT_SOURCE.to_owned(), Field::Text(next.source.clone()));
        item.insert(NEXT_TOKEN.to_owned(), Field::Text(next.token.clone()));
        item
    }

    /// The row with a field for each value, or if that is not all there is to it, with its bytes under this name.
    fn with(&self, value: &[u8], name: &str) -> Item {
        let told = serde_json::from_slice::<Kept>(value).ok().map(|kept| {
            let mut item = self.removed();
            item.extend(fields(&kept).map(|(name, field)| (name.to_owned(), field)));
            item
        });
        // what is read back must be what was written, to the byte
        told.filter(|item| composed(item).as_deref() == Some(value)).unwrap_or_else(|| {
            let mut item = self.removed();
            item.insert(name.to_owned(), Field::Bytes(value.to_vec()));
            item
        })
    }
}

/// The id of a row in the table.
pub(super) fn id(item: &Item) -> Option<String> {
    let (key, origin) = (RowKey::of(item)?, text(item, ORIGIN)?.to_owned());
    let (feed, symbol) = named(&key.symbol);
    let time = i64::try_from(key.timestamp.div_euclid(PLACES)).ok()?;
    let position = u64::try_from(key.timestamp.rem_euclid(OF_ORIGIN)).ok()?;
    let index = usize::try_from(position % PER_PART).ok()?;
    Some(RowId { feed, symbol, time, origin, part: position / PER_PART, index }.id())
}

/// The content that the fields of a row make.
pub(super) fn composed(item: &Item) -> Option<Vec<u8>> {
    let value = |name: &str| number::text(item.get(name)?);
    let [open, high, low] = BAR.map(value);
    let point = Point {
        symbol: named(text(item, crate::table::SYMBOL)?).1,
        timestamp: text(item, TIME)?.to_owned(),
        price: value(PRICE)?,
        volume: value(VOLUME)?,
        bar: open.zip(high).zip(low).map(|((open, high), low)| [open, high, low]),
        sequence: crate::table::number(item, SEQUENCE),
    };
    serde_json::to_vec(&Kept { point, origin: text(item, ORIGIN)?.to_owned() }).ok()
}

fn fields(kept: &Kept) -> impl Iterator<Item = (&'static str, Field)> {
    let Point { timestamp, price, volume, bar, sequence, .. } = &kept.point;
    let mut fields = vec![
        (TIME, Field::Text(timestamp.clone())),
        (PRICE, number::field(price)),
        (VOLUME, number::field(volume)),
        (ORIGIN, Field::Text(kept.origin.clone())),
    ];
    fields.extend(bar.iter().flat_map(|bar| BAR.into_iter().zip(bar)).map(|(name, text)| (name, number::field(text))));
    fields.extend(sequence.map(|sequence| (SEQUENCE, Field::Number(sequence))));
    fields.into_iter()
}

/// The partition of an instrument: its name, as people ask for it. Of a feed that is not the default one, the feed stands
/// before it, with `//` between them, which no other name of a partition has.
pub(super) fn partition(feed: &str, symbol: &str) -> String {
    if feed != Feed::of_preset(Preset::Market).as_str() {
        return format!("{}//{}", escaped(feed), escaped(symbol));
    }
    if symbol.contains("//") || symbol.contains('%') { escaped(symbol) } else { symbol.to_owned() }
}

/// The feed and the instrument of a partition.
fn named(partition: &str) -> (String, String) {
    match partition.split_once("//") {
        Some((feed, symbol)) => (unescaped(feed), unescaped(symbol)),
        None => (Feed::of_preset(Preset::Market).as_str().to_owned(), unescaped(partition)),
    }
}

/// What the ids of an instrument begin with.
pub(super) fn within(feed: &str, symbol: &str) -> String {
    pipeline::records::within(&[feed, symbol])
}

/// Where rows came from as a number of thirteen digits that is not less for an origin that compares greater: one for what
/// it is, a request with a key of its own, another request or a file, and twelve for the hash behind that. What is named
/// otherwise comes last, by a hash of its name.
fn rank(origin: &str) -> i128 {
    let kinds = [("i-", 0), ("q-", 1), ("r-", 2)];
    let known = kinds.into_iter().find_map(|(start, kind)| Some((kind, hash(origin.strip_prefix(start)?)?)));
    let (kind, hash) = known.or_else(|| Some((3, hash(&digest(&[origin]))?))).unwrap_or((3, 0));
    kind * SHARES + ((u128::from(hash) * SHARES.unsigned_abs()) >> 64).cast_signed()
}

/// How fine the place of an origin is.
const SHARES: i128 = 10_i128.pow(12);

/// What a text begins with as a hexadecimal number of 64 bits; `-` is passed over. None if it is no such number.
fn hash(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|letter| *letter != '-').take(16).collect();
    let is_hash = digits.len() >= 8 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then(|| u64::from_str_radix(&format!("{digits:0<16}"), 16).ok()).flatten()
}
