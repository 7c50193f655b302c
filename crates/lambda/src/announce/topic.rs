//! The topic: one message for each event, which the name of the event can be chosen by.

use std::time::Instant;

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use pipeline::ports::Cause;

use super::{Announcer, Event, answered};
use crate::network::Network;

/// A topic of SNS.
#[derive(Debug)]
pub struct Topic {
    client: Client,
    network: Network,
    arn: String,
}

impl Topic {
    /// The topic of this ARN.
    pub fn new(client: Client, network: Network, arn: String) -> Self {
        Self { client, network, arn }
    }
}

impl Announcer for Topic {
    fn announce(&self, events: &[Event], until: Instant) -> Result<(), Cause> {
        for event in events {
            let attribute =
                |text: &str| MessageAttributeValue::builder().data_type("String").string_value(text).build();
            let asked = self.client.publish().topic_arn(&self.arn).message(&event.payload).subject(&event.name);
            let asked = asked.message_attributes("type", attribute(&event.name)?);
            let asked = asked.message_attributes("id", attribute(&event.id)?);
            answered(&self.network, until, asked.send())?;
        }
        Ok(())
    }
}
