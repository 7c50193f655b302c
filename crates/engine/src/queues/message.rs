//! What goes into the queues and comes out of them.

use std::fmt;

use crate::objects::Change;
use crate::queues::Millis;

/// A queue of this engine, by number. Comes from [`crate::queues::Queues::queue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue(pub(crate) u32);

/// The id of a message for its whole life, whichever queue it is in. Ids grow in the order of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(crate) u64);

impl MessageId {
    /// As a number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The id with this number, which need not exist.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a sender gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The content; the engine does not look into it.
    pub body: Vec<u8>,
    /// FIFO only, and needed there: messages of one group are delivered in order.
    pub group: Option<String>,
    /// FIFO only: sends with the same id are one message, for 5 minutes.
    pub deduplication: Option<String>,
    /// Standard only: not delivered before so much time has passed; the queue's own delay when nothing is said.
    pub delay_ms: Option<Millis>,
}

impl Message {
    /// A message for a standard queue.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// A message of a group, for a FIFO queue, known by its deduplication id.
    pub fn of_group(group: impl Into<String>, id: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), group: Some(group.into()), deduplication: Some(id.into()), delay_ms: None }
    }
}

/// What a sender gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The message: for a duplicate, the one that was sent first.
    pub id: MessageId,
    /// Whether it was sent before and is therefore not delivered again.
    pub duplicate: bool,
}

/// The right to acknowledge a message: good until the message is received again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub(crate) queue: Queue,
    pub(crate) id: MessageId,
    pub(crate) number: u64,
}

impl Lease {
    /// The message it is for.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The queue it was received from.
    pub fn queue(&self) -> Queue {
        self.queue
    }
}

/// What a receiver gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// To acknowledge it, or to hold it for longer.
    pub lease: Lease,
    /// The content.
    pub body: Vec<u8>,
    /// Its group, in a FIFO queue.
    pub group: Option<String>,
    /// The id that its sender gave.
    pub deduplication: Option<String>,
    /// When it was sent.
    pub sent_at: Millis,
    /// How often it was received, this time included; since it was redriven, if it was.
    pub receives: u32,
    /// From when on others may receive it.
    pub visible_at: Millis,
}

/// Where a message in a queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It can be received; in a FIFO queue, when its turn in the group comes.
    Ready,
    /// It waits for its time.
    Delayed,
    /// A receiver has it.
    InFlight,
}

/// A message as a listing shows it, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The message.
    pub id: MessageId,
    /// Where it stands.
    pub phase: Phase,
    /// Its group, in a FIFO queue.
    pub group: Option<String>,
    /// When it was sent.
    pub sent_at: Millis,
    /// When it came into this queue: for a dead letter, when it died.
    pub entered_at: Millis,
    /// From when on it can be received, if that is to come.
    pub visible_at: Millis,
    /// How often it was received in this queue.
    pub receives: u32,
    /// When it was received, the latest last; for a dead letter, in the queue it came from.
    pub attempts: Vec<Millis>,
    /// The queue it came from, if it is a dead letter.
    pub origin: Option<Queue>,
    /// The dead letter that its group waits for, if the group is parked.
    pub blocked_by: Option<MessageId>,
}

/// What a receiver said about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When it said so.
    pub at: Millis,
    /// What it said; the engine does not look into it.
    pub text: Vec<u8>,
}

/// A message with everything there is to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// As a listing shows it.
    pub listed: Listed,
    /// The content.
    pub body: Vec<u8>,
    /// The id that its sender gave.
    pub deduplication: Option<String>,
    /// What its receivers said, the latest last.
    pub notes: Vec<Note>,
}

/// What is in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Messages that can be received, at once or when their turn in the group comes.
    pub visible: usize,
    /// Messages that receivers have.
    pub in_flight: usize,
    /// Messages that wait for their time.
    pub delayed: usize,
    /// How long ago the oldest of them was sent; 0 when there is none.
    pub oldest_age_ms: Millis,
    /// Groups that wait for a dead letter to be redriven or purged.
    pub parked_groups: usize,
}

/// Puts and deletes of the caller's records, acknowledgements and sends that happen together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Records that must have this value, or none, else nothing happens: see [`crate::queues::Error::Changed`].
    pub expects: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Keys of records with their new values; no value deletes. A later one of the same key wins.
    pub records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Messages that are done. If one lease is lost, nothing happens: see [`crate::queues::Error::LeaseLost`].
    pub acknowledges: Vec<Lease>,
    /// Messages to send, in order.
    pub sends: Vec<(Queue, Message)>,
    /// Objects that come or go.
    pub objects: Vec<Change>,
}
