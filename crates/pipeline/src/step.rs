//! What a stage decides, as plain data: a runtime commits it, all or nothing.

use serde::{Deserialize, Serialize};

use crate::message::Message;

/// What kind of record a key is about. Each kind is a table of its own, or a prefix in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A receipt, by its id.
    Receipt,
    /// Another name of a receipt, with the newest version it stands for.
    Alias,
    /// A row that can be queried.
    Row,
    /// What one file adds to one window.
    Contribution,
    /// A window: a bar or a total.
    Window,
}

/// Where a record is.
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
