//! What a stage decides, as plain data: a runtime commits it, all or nothing.

use serde::{Deserialize, Serialize};

use crate::message::Message;

/// What kind of record a key is about. Each kind is a table of its own, or a prefix in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A receipt, by its id.
    Receipt,
    /// Another name of a receipt: `name/order`, the newest version first.
    Alias,
    /// A receipt that is not at its end: `feed/order`.
    Open,
    /// Bytes that came before: `feed/sha256/order`.
    Content,
    /// What one file adds to the aggregates of its feed, and where its rows are: `feed/order`.
    Contribution,
    /// A transaction id that is taken by a file: `feed/hash/receipt`.
    Id,
    /// A file of many such ids: `feed/order`.
    Ids,
    /// Which of them a file has as records: `feed/receipt`.
    Taken,
    /// Which files took ids last: `feed`.
    Turn,
    /// A row of `market` that can be queried: `feed/symbol/time-and-sequence`.
    Row,
    /// A window of `market` whose rows changed since it was aggregated: `feed/symbol/start`.
    Due,
    /// A window of `market`: `feed/symbol/start`.
    Window,
    /// What is to be told to those who wait for a file, by its receipt.
    Notice,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Receipt,
        Self::Alias,
        Self::Open,
        Self::Content,
        Self::Contribution,
        Self::Id,
        Self::Ids,
        Self::Taken,
        Self::Turn,
        Self::Row,
        Self::Due,
        Self::Window,
        Self::Notice,
    ];
}

/// Where a record is. The id is parts with `/` between them; what is said of the parts stands at its kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    /// What it is about.
    pub kind: Kind,
    /// Which one.
    pub id: String,
}

/// One record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub key: RecordKey,
    /// Its new content; none removes it.
    pub value: Option<Vec<u8>>,
}

/// What a stage decides. The default is a step that does nothing but mark its message as done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Records to write; no key twice.
    pub writes: Vec<Write>,
    /// Messages to send, in this order.
    pub sends: Vec<Message>,
}
