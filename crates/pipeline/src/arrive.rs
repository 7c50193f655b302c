//! A file arrives: its receipt, its names, its place in the feed, and the message that sets the first stage to work.

use std::collections::BTreeSet;

use crate::Millis;
use crate::feed::{Declared, Feeds, preset_of};
use crate::message::{Message, MessageId, Work};
use crate::object::{ObjectVersion, ReceiptId};
use crate::preset::Preset;
use crate::receipt::{Arrival, Receipt};
use crate::records;
use crate::step::{RecordKey, Step, Write};

/// What is known of an object that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The object.
    pub object: ObjectVersion,
    /// When it was written, as its store says.
    pub at: Millis,
    /// The id that its sender was given, if so.
    pub upload: Option<String>,
    /// Its sha256, if it is known already; else it is found by it once it was read.
    pub sha256: Option<String>,
}

/// What an arrival sets going. Commit the step once, under the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arriving {
    /// The receipt.
    pub receipt: ReceiptId,
    /// What to commit it under: an event that comes again changes nothing.
    pub source: MessageId,
    /// The records, and the first message.
    pub step: Step,
}

impl Arriving {
    /// The receipt as the step writes it.
    pub fn written(&self) -> Option<&[u8]> {
        let key = records::receipt(&self.receipt);
        self.step.writes.iter().find(|write| write.key == key)?.value.as_deref()
    }
}

/// What an object that was written sets going; none if no feed takes it.
pub fn arrive(feeds: &Feeds, arrived: Arrived) -> Option<Arriving> {
    let preset = preset_of(&arrived.object.bucket)?;
    let feed = feeds.taking(preset, &arrived.object.key)?;
    let receipt = Receipt::new(Arrival {
        trace: trace(&arrived.object),
        preset,
        feed: feed.name.clone(),
        aliases: BTreeSet::from_iter(arrived.upload.clone()),
        at: arrived.at,
        object: arrived.object.clone(),
    });
    let id = receipt.id();
    let text = serde_json::to_vec(&receipt).expect("a receipt has text for keys and no way to fail");
    let mut writes = vec![Write { key: records::receipt(&id), value: Some(text) }];
    let order = receipt.arrival().order();
    let mut name = |key: RecordKey| writes.push(Write { key, value: Some(id.as_str().as_bytes().to_vec()) });
    name(records::open(&feed.name, &order));
    name(records::listed(arrived.at, &id));
    let ObjectVersion { bucket, key, .. } = &arrived.object;
    let full = format!("{bucket}/{key}");
    let names: BTreeSet<&str> =
        [Some(key.as_str()), Some(full.as_str()), arrived.upload.as_deref(), arrived.sha256.as_deref()]
            .into_iter()
            .flatten()
            .collect();
    for alias in names {
        name(records::alias(alias, &order));
    }
    let first = first_message(preset, feed, arrived.object, 0);
    let source = MessageId::of_arrival(&id);
    Some(Arriving { receipt: id, source, step: Step { writes, sends: vec![first] } })
}

/// The message that sets the first stage to work on a file.
pub(crate) fn first_message(preset: Preset, feed: &Declared, object: ObjectVersion, generation: u32) -> Message {
    let work = Work { object, feed: feed.name.clone(), generation };
    match preset {
        Preset::Files => Message::FilesValidate(work),
        Preset::Market => Message::MarketIngest(work),
        Preset::Transactions => Message::TransactionsValidate(work),
    }
}

/// The trace of a file: 128 bits in hexadecimal, as traces are. It follows from the object version.
fn trace(object: &ObjectVersion) -> String {
    crate::object::digest(&["trace", &object.bucket, &object.key, &object.version])
}
