//! The seam to SQS: messages that go to the queue of the next stage.

use std::fmt;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry as Entry;
use pipeline::message::Message;
use pipeline::ports::Cause;

use crate::limits::{SEND_BYTES_MAX, SEND_MESSAGES_MAX};
use crate::network::Network;

/// Takes messages over.
pub trait Queue: fmt::Debug + Send + Sync + 'static {
    /// Sends messages in their order. After an error it is open how many of the first of them were sent.
    fn send(&self, messages: &[(Message, String)]) -> Result<(), Cause>;
}

/// A queue of SQS.
#[derive(Debug)]
pub struct Sqs {
    client: Client,
    network: Network,
    url: String,
}

impl Sqs {
    /// The queue of this URL.
    pub fn new(client: Client, network: Network, url: String) -> Self {
        Self { client, network, url }
    }

    fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }

    fn send_one(&self, message: &Message, json: &str) -> Result<(), Cause> {
        let mut asked = self.client.send_message().queue_url(&self.url).message_body(json);
        // the group is the feed, and what is sent again within five minutes is the same message
        if self.is_fifo() {
            asked = asked.message_group_id(message.group().as_str());
            asked = asked.message_deduplication_id(message.id().as_str());
        }
        self.network.wait(asked.send())?;
        Ok(())
    }

    /// To a queue that keeps no order: of a batch, one may fail and those behind it not.
    fn send_batch(&self, messages: &[(Message, String)]) -> Result<(), Cause> {
        let entry = |(index, (_, json)): (usize, &(Message, String))| {
            Entry::builder().id(index.to_string()).message_body(json).build()
        };
        let entries = messages.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let asked = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = self.network.wait(asked.send())?;
        match answer.failed().first() {
            None => Ok(()),
            Some(failed) => Err(format!("{}: {}", failed.code(), failed.message().unwrap_or_default()).into()),
        }
    }
}

impl Queue for Sqs {
    fn send(&self, messages: &[(Message, String)]) -> Result<(), Cause> {
        let at_once = if self.is_fifo() { 1 } else { SEND_MESSAGES_MAX };
        batches(messages, at_once).try_for_each(|batch| match batch {
            [(message, json)] => self.send_one(message, json),
            batch => self.send_batch(batch),
        })
    }
}

/// Messages cut into what one call takes.
fn batches(messages: &[(Message, String)], at_once: usize) -> impl Iterator<Item = &[(Message, String)]> {
    let mut rest = messages;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |(_, json): &&(Message, String)| {
            bytes += json.len();
            bytes <= SEND_BYTES_MAX
        };
        // one message fits whatever its length: the queue has the last word
        let count = rest.iter().take(at_once).take_while(fits).count().max(1).min(rest.len());
        let (now, later) = rest.split_at(count);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}
