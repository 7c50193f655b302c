//! What one stage sends to the next: all messages of all presets, closed, so that the compiler lists what a new one needs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{FEED_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::object::{ObjectVersion, ReceiptId, digest};
use crate::preset::{Preset, Stage};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// A feed: the group in whose order its messages are handled. 1 to `FEED_BYTES_MAX` visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Feed(String);

impl Feed {
    /// The default feed of a preset.
    pub fn of_preset(preset: Preset) -> Self {
        Self(format!("{preset:?}").to_ascii_lowercase())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Feed {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        // what SQS takes as a message group
        let good = (1..=FEED_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        if good { Ok(Self(name)) } else { Err(Error::Feed(name.chars().take(40).collect())) }
    }
}

impl From<Feed> for String {
    fn from(feed: Feed) -> Self {
        feed.0
    }
}

/// One file to work on. Its rows are in objects, never here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The object version that came.
    pub object: ObjectVersion,
    /// The feed it belongs to.
    pub feed: Feed,
    /// How often it was begun anew on purpose: 0 when it came, one more with each replay.
    #[serde(default, skip_serializing_if = "is_first")]
    pub generation: u32,
}

fn is_first(generation: &u32) -> bool {
    *generation == 0
}

impl Work {
    /// The receipt of it.
    pub fn receipt(&self) -> ReceiptId {
        ReceiptId::of(&self.object)
    }
}

/// A file that was cut into messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The file.
    pub work: Work,
    /// How many messages there are of it.
    pub parts: u64,
    /// How many rows in all of them.
    pub rows: u64,
}

/// Market records that travel in the message, one [`crate::point::Point`] each: no number of theirs was ever a float.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// The feed.
    pub feed: Feed,
    /// What they came with: their receipt, or the id of the request; the door gives a repeated request the same.
    pub origin: String,
    /// The file they are from, if they are from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Share>,
    /// Which part of it this is, counted from 0.
    pub part: u64,
    /// One JSON object each.
    pub records: Vec<String>,
}

/// A tick of the schedule by which windows are aggregated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The feed whose windows are looked at.
    pub feed: Feed,
    /// When it was due, in seconds since 1970; a tick that is late or comes again says the same.
    pub due_seconds: u64,
}

/// The message, by what is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "about", rename_all = "kebab-case")]
pub enum Message {
    /// `files`: parse and check a file.
    FilesValidate(Work),
    /// `files`: compute what it contributes.
    FilesProcess(Work),
    /// `files`: fold that into windows.
    FilesAggregate(Work),
    /// `market`: parse and check a file.
    MarketIngest(Work),
    /// `market`: write records to the table.
    MarketProcess(Records),
    /// `market`: aggregate what is due.
    MarketAggregate(Tick),
    /// `transactions`: parse and check a file.
    TransactionsValidate(Work),
    /// `transactions`: write its rows to the table.
    TransactionsTransform(Work),
    /// `transactions`: tell who waits for it.
    TransactionsNotify(Work),
}

/// The id of a message: the same event delivered again gives the same. At most 128 bytes, as SQS wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(String);

impl MessageId {
    /// What the arrival of a file is committed under.
    pub(crate) fn of_arrival(receipt: &ReceiptId) -> Self {
        Self(format!("arrival:{receipt}"))
    }

    /// What an event that a runtime tells is committed under.
    pub(crate) fn of_event(receipt: &ReceiptId, event: &str) -> Self {
        Self(format!("event:{receipt}:{event}"))
    }

    /// What beginning a file anew is committed under.
    pub(crate) fn of_replay(receipt: &ReceiptId, generation: u32) -> Self {
        Self(format!("replay:{receipt}:{generation}"))
    }

    /// What a part of the work on a message is committed under.
    pub(crate) fn of_part(message: &Self, what: &str, which: &str) -> Self {
        Self(format!("{}:{what}:{which}", message.0))
    }

    /// As text, fit for a deduplication id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Message {
    /// The preset and the stage that handles it.
    pub fn stage(&self) -> (Preset, Stage) {
        match self {
            Self::FilesValidate(_) => (Preset::Files, Stage::Validate),
            Self::FilesProcess(_) => (Preset::Files, Stage::Process),
            Self::FilesAggregate(_) => (Preset::Files, Stage::Aggregate),
            Self::MarketIngest(_) => (Preset::Market, Stage::Ingest),
            Self::MarketProcess(_) => (Preset::Market, Stage::Process),
            Self::MarketAggregate(_) => (Preset::Market, Stage::Aggregate),
            Self::TransactionsValidate(_) => (Preset::Transactions, Stage::Validate),
            Self::TransactionsTransform(_) => (Preset::Transactions, Stage::Transform),
            Self::TransactionsNotify(_) => (Preset::Transactions, Stage::Notify),
        }
    }

    /// Whether it sends a file to its first stage again: because of another file, or because somebody wants it so.
    pub fn begins_anew(&self) -> bool {
        let (preset, stage) = self.stage();
        stage == preset.stages()[0] && self.work().is_some_and(|work| work.generation > 0)
    }

    /// The file it is about, if it is about one.
    pub fn work(&self) -> Option<&Work> {
        match self {
            Self::MarketProcess(_) | Self::MarketAggregate(_) => None,
            Self::FilesValidate(work)
            | Self::FilesProcess(work)
            | Self::FilesAggregate(work)
            | Self::MarketIngest(work)
            | Self::TransactionsValidate(work)
            | Self::TransactionsTransform(work)
            | Self::TransactionsNotify(work) => Some(work),
        }
    }

    /// The feed, which is the group.
    pub fn group(&self) -> &Feed {
        match self {
            Self::MarketProcess(records) => &records.feed,
            Self::MarketAggregate(tick) => &tick.feed,
            Self::FilesValidate(work)
            | Self::FilesProcess(work)
            | Self::FilesAggregate(work)
            | Self::MarketIngest(work)
            | Self::TransactionsValidate(work)
            | Self::TransactionsTransform(work)
            | Self::TransactionsNotify(work) => &work.feed,
        }
    }

    /// Its id: the stage and what it is about. The content of records does not count, their origin and part do.
    pub fn id(&self) -> MessageId {
        let (preset, stage) = self.stage();
        let about = match self {
            Self::MarketProcess(Records { feed, origin, part, of, .. }) => {
                let about = digest(&[feed.as_str(), origin, &part.to_string()]);
                match of.as_ref().map_or(0, |share| share.work.generation) {
                    0 => about,
                    generation => format!("{about}.{generation}"),
                }
            }
            Self::MarketAggregate(Tick { feed, due_seconds }) => digest(&[feed.as_str(), &due_seconds.to_string()]),
            Self::FilesValidate(work)
            | Self::FilesProcess(work)
            | Self::FilesAggregate(work)
            | Self::MarketIngest(work)
            | Self::TransactionsValidate(work)
            | Self::TransactionsTransform(work)
            | Self::TransactionsNotify(work) => match work.generation {
                0 => work.receipt().as_str().to_owned(),
                generation => format!("{}.{generation}", work.receipt()),
            },
        };
        MessageId(format!("{preset:?}:{stage:?}:{about}").to_ascii_lowercase())
    }

    /// As JSON. Refused past `MESSAGE_BYTES_MAX`.
    pub fn to_json(&self) -> Result<String, Error> {
        let json = serde_json::to_string(&Envelope { version: VERSION, message: self }).map_err(Error::Json)?;
        if json.len() > MESSAGE_BYTES_MAX {
            return Err(Error::Large { id: self.id(), bytes: json.len() });
        }
        Ok(json)
    }

    /// From JSON, with the version looked at first: a newer one may have changed everything else.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let Version { version } = serde_json::from_str(json).map_err(Error::Json)?;
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let Envelope { message, .. } = serde_json::from_str(json).map_err(Error::Json)?;
        Ok(message)
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<M> {
    version: u32,
    message: M,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Why there is no message.
#[derive(Debug)]
pub enum Error {
    /// It was written by another Millrace.
    Version(u32),
    /// It is no message, or one of a kind that is not known.
    Json(serde_json::Error),
    /// It is larger than a queue takes.
    Large {
        /// Which.
        id: MessageId,
        /// Its length.
        bytes: usize,
    },
    /// This is no name for a feed.
    Feed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(
                f,
                "message has version {version}, this program reads {VERSION}; finish it with the program that sent it"
            ),
            // the cause is the source: who prints the chain prints it once
            Self::Json(_) => write!(f, "message is not one that this program knows; look at its body"),
            Self::Large { id, bytes } => write!(
                f,
                "message {} has {bytes} bytes, more than {MESSAGE_BYTES_MAX}; send fewer records in one",
                id.as_str()
            ),
            Self::Feed(name) => write!(
                f,
                "feed `{}` has no good name; take 1 to {FEED_BYTES_MAX} visible ASCII characters",
                name.escape_debug()
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
