//! The seam to DynamoDB: what the ledger asks of a table, as plain data. The one that talks to the cloud is [`dynamo`];
//! tests have one in memory with faults.

use std::collections::BTreeMap;
use std::fmt;

use pipeline::ports::Cause;

pub mod dynamo;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Records, marks and outboxes.
    Ledger,
    /// One record for each file, for those who ask where it is.
    Status,
}

/// A value in an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Text.
    Text(String),
    /// A whole number.
    Number(u64),
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
}

/// A part of a transaction: it happens if all of its tests hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes an item.
    Put(Name, Item, Vec<Test>),
    /// Removes an item of the ledger.
    Delete(Key, Vec<Test>),
    /// Only looks, at the ledger.
    Check(Key, Vec<Test>),
}

/// Why a table gave no answer.
#[derive(Debug)]
pub enum Error {
    /// Nothing happened: tests of the actions of these numbers do not hold, or others were at it at the same time.
    Refused(Vec<usize>),
    /// It did not answer, or not in time: whether something happened is open.
    Unavailable(Cause),
}

/// A table of records with the one of states beside it.
pub trait Table: fmt::Debug + Send + Sync + 'static {
    /// The item of the ledger, as of the last transaction that was answered, or a later one.
    fn get(&self, key: &Key) -> Result<Option<Item>, Cause>;

    /// Items of one group whose ids begin with `within`, in order, behind `after`; fewer than there are only if it
    /// gives the id behind which it goes on.
    fn query(
        &self,
        group: &str,
        within: &str,
        after: Option<&str>,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<String>), Cause>;

    /// All of it or nothing; no item twice.
    fn transact(&self, actions: Vec<Action>) -> Result<(), Error>;
}

/// The tests of a key.
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
        Field::Bytes(bytes) => bytes.len(),
        Field::Texts(texts) => texts.iter().map(|text| text.len() + 4).sum(),
    };
    item.iter().map(|(name, field)| name.len() + of(field) + 4).sum()
}
