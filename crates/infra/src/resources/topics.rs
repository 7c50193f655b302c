//! Topics: always encrypted.

use crate::json::{Fields, Json};
use crate::reference::{Ref, Text};
use crate::resources::Tags;
use crate::template::Resource;

/// `AWS::SNS::Topic`. Its `Ref` is its ARN.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Tags.
    pub tags: Tags,
}

impl Resource for Topic {
    fn kind(&self) -> &'static str {
        "AWS::SNS::Topic"
    }

    fn properties(self) -> Json {
        Fields::new()
            .with("TopicName", self.name)
            .with("KmsMasterKeyId", "alias/aws/sns")
            .with("Tags", self.tags)
            .into()
    }
}

/// `AWS::SNS::TopicPolicy`.
#[derive(Debug)]
pub struct TopicPolicy {
    /// Of which topic.
    pub topic: Ref<Topic>,
    /// What it says.
    pub policy: Json,
}

impl Resource for TopicPolicy {
    fn kind(&self) -> &'static str {
        "AWS::SNS::TopicPolicy"
    }

    fn properties(self) -> Json {
        Json::object([("Topics", Json::list([self.topic])), ("PolicyDocument", self.policy)])
    }
}

/// `AWS::SNS::Subscription`, by email.
#[derive(Debug)]
pub struct EmailSubscription {
    /// To which topic.
    pub topic: Ref<Topic>,
    /// Whose.
    pub address: Text,
}

impl Resource for EmailSubscription {
    fn kind(&self) -> &'static str {
        "AWS::SNS::Subscription"
    }

    fn properties(self) -> Json {
        Fields::new().with("TopicArn", self.topic).with("Protocol", "email").with("Endpoint", self.address).into()
    }
}
