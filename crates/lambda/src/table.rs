//! The seam to DynamoDB: what the ledger asks of a table, as plain data. The one that talks to the cloud is [`dynamo`];
//! tests have one in memory with faults.

use std::collections::BTreeMap;
use std::fmt;

use pipeline::ports::Cause;

pub use crate::limits::BATCH_ITEMS_MAX;

pub mod dynamo;
pub mod fill;
pub mod number;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Records, marks and outboxes.
    Ledger,
    /// One record for each file, for those who ask where it is.
    Status,
    /// Rows that people query.
    Rows,
}

/// A value in an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// Another number, as its one text ([`number::normal`]).
    Decimal(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Texts in order.
    Texts(Vec<String>),
}

/// An item by the names of its fields, those of its key among them.
pub type Item = BTreeMap<String, Field>;

/// Where an item of the ledger is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The partition.
    pub group: String,
    /// The place in it.
    pub id: String,
}

/// Where a row of `market` is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// The partition.
    pub symbol: String,
    /// The place in it, in units of 10 to the minus [`TIMESTAMP_PLACES`] seconds.
    pub timestamp: i128,
}

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the ledger.
    Ledger(Key),
    /// Among the rows.
    Row(RowKey),
}

impl From<Key> for Place {
    fn from(key: Key) -> Self {
        Self::Ledger(key)
    }
}

/// The name of the field with [`RowKey::symbol`].
pub const SYMBOL: &str = "symbol";
/// The name of the field with [`RowKey::timestamp`].
pub const TIMESTAMP: &str = "timestamp";
/// Digits behind the point of it.
pub const TIMESTAMP_PLACES: usize = 28;

/// The name of the field with [`Key::group`].
pub const GROUP: &str = "recordGroup";
/// The name of the field with [`Key::id`].
pub const ID: &str = "recordId";
/// The name of the field with the second in which an item expires.
pub const EXPIRES: &str = "expirationTime";

/// A condition on the item that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It has no such field, or there is no item.
    Missing(&'static str),
    /// The field has this value.
    Is(&'static str, Field),
    /// It has no such number, or one that is not more.
    AtMost(&'static str, u64),
    /// It has no such field, or one with this value.
    MissingOr(&'static str, Field),
}

/// A part of a transaction: it happens if all of its tests hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes an item.
    Put(Name, Item, Vec<Test>),
    /// Removes an item of the ledger.
    Delete(Key, Vec<Test>),
    /// Only looks.
    Check(Place, Vec<Test>),
}

/// Why a table gave no answer.
#[derive(Debug)]
pub enum Error {
    /// Nothing happened: tests of the actions of these numbers do not hold, or others were at it at the same time.
    Refused(Vec<usize>),
    /// It did not answer, or not in time: whether something happened is open.
    Unavailable(Cause),
}

/// A table of records with those of states and rows beside it.
pub trait Table: fmt::Debug + Send + Sync + 'static {
    /// The item, as of the last transaction that was answered, or a later one.
    fn get(&self, place: &Place) -> Result<Option<Item>, Cause>;

    /// Items of one group whose ids begin with `within`, in order, behind `after`; fewer than there are only if it
    /// gives the id behind which it goes on.
    fn query(
        &self,
        group: &str,
        within: &str,
        after: Option<&str>,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<String>), Cause>;

    /// Rows of one partition between two places, both included, in order; fewer than there are only if it gives the place
    /// from which on it goes on.
    fn query_rows(
        &self,
        symbol: &str,
        from: i128,
        to: i128,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<i128>), Cause>;

    /// All of it or nothing; no item twice.
    fn transact(&self, actions: Vec<Action>) -> Result<(), Error>;

    /// Writes at most [`BATCH_ITEMS_MAX`] items over what is there, none twice; those that were not written come back.
    /// After an error it is open which were.
    fn batch(&self, name: Name, items: Vec<Item>) -> Result<Vec<Item>, Cause>;
}

impl RowKey {
    /// An item here with these fields.
    pub fn item(&self, fields: impl IntoIterator<Item = (&'static str, Field)>) -> Item {
        let timestamp = number::field(&number::of_units(self.timestamp, TIMESTAMP_PLACES));
        let key = [(SYMBOL, Field::Text(self.symbol.clone())), (TIMESTAMP, timestamp)];
        key.into_iter().chain(fields).map(|(name, field)| (name.to_owned(), field)).collect()
    }

    /// Where an item is; none for one that is no row.
    pub fn of(item: &Item) -> Option<Self> {
        let timestamp = number::units(&number::text(item.get(TIMESTAMP)?)?, TIMESTAMP_PLACES)?;
        Some(Self { symbol: text(item, SYMBOL)?.to_owned(), timestamp })
    }
}

impl Place {
    /// The fields that say where it is.
    pub fn fields(&self) -> Item {
        match self {
            Self::Ledger(key) => key.item([]),
            Self::Row(key) => key.item([]),
        }
    }
}

impl Key {
    /// Where this is.
    pub fn new(group: impl Into<String>, id: impl Into<String>) -> Self {
        Self { group: group.into(), id: id.into() }
    }

    /// An item here with these fields.
    pub fn item(&self, fields: impl IntoIterator<Item = (&'static str, Field)>) -> Item {
        let key = [(GROUP, Field::Text(self.group.clone())), (ID, Field::Text(self.id.clone()))];
        key.into_iter().chain(fields).map(|(name, field)| (name.to_owned(), field)).collect()
    }

    /// Where an item is.
    pub fn of(item: &Item) -> Self {
        Self::new(text(item, GROUP).unwrap_or_default(), text(item, ID).unwrap_or_default())
    }
}

/// The text of a field.
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name) {
        Some(Field::Text(text)) => Some(text),
        _ => None,
    }
}

/// The bytes of a field.
pub fn bytes<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    match item.get(name) {
        Some(Field::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The texts of a field.
pub fn texts<'a>(item: &'a Item, name: &str) -> &'a [String] {
    match item.get(name) {
        Some(Field::Texts(texts)) => texts,
        _ => &[],
    }
}

/// The number of a field.
pub fn number(item: &Item, name: &str) -> Option<u64> {
    match item.get(name) {
        Some(Field::Number(number)) => Some(*number),
        _ => None,
    }
}

/// About how many bytes an item has.
pub fn size(item: &Item) -> usize {
    let of = |field: &Field| match field {
        Field::Text(text) => text.len(),
        Field::Number(_) => 21,
        Field::Decimal(text) => text.len(),
        Field::Bytes(bytes) => bytes.len(),
        Field::Texts(texts) => texts.iter().map(|text| text.len() + 4).sum(),
    };
    item.iter().map(|(name, field)| name.len() + of(field) + 4).sum()
}
