//! Queues: always encrypted.

use crate::json::{Fields, Json};
use crate::reference::{Arn, HasArn, Ref};
use crate::resources::Tags;
use crate::template::Resource;

/// `AWS::SQS::Queue`.
#[derive(Debug)]
pub struct Queue {
    /// Its name; that of a FIFO queue ends with `.fifo`.
    pub name: String,
    /// Whether it keeps the order of each group.
    pub fifo: bool,
    /// Seconds for which a received message is nobody else's.
    pub visibility_seconds: u32,
    /// Seconds for which a message is kept.
    pub retention_seconds: u32,
    /// Where a message goes that was received so often.
    pub redrive: Option<(Arn<Queue>, u32)>,
    /// Of a queue of dead letters: the queues that may put theirs here.
    pub takes_from: Option<Vec<Arn<Queue>>>,
    /// Tags.
    pub tags: Tags,
}

impl HasArn for Queue {}

impl Queue {
    /// The ARN of a queue of this name: a queue and its dead letters name each other, so one of the two is put together.
    pub fn arn(name: &str) -> Arn<Self> {
        Arn::composed(&format!("sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}"))
    }
}

impl Resource for Queue {
    fn kind(&self) -> &'static str {
        "AWS::SQS::Queue"
    }

    fn properties(self) -> Json {
        let redrive = self.redrive.map(|(to, receives)| {
            Json::object([("deadLetterTargetArn", to.into()), ("maxReceiveCount", receives.into())])
        });
        let takes_from = self.takes_from.map(|queues| match queues.is_empty() {
            // what comes here is sent by functions, not moved from queues
            true => Json::object([("redrivePermission", "denyAll".into())]),
            false => Json::object([("redrivePermission", "byQueue".into()), ("sourceQueueArns", queues.into())]),
        });
        let fifo = |value: &str| self.fifo.then(|| Json::from(value));
        Fields::new()
            .with("QueueName", self.name)
            .maybe("FifoQueue", self.fifo.then_some(true))
            // messages are sent with their own ids; whatever comes without one is told apart by its content
            .maybe("ContentBasedDeduplication", self.fifo.then_some(true))
            .maybe("DeduplicationScope", fifo("messageGroup"))
            .maybe("FifoThroughputLimit", fifo("perMessageGroupId"))
            .with("VisibilityTimeout", self.visibility_seconds)
            .with("MessageRetentionPeriod", self.retention_seconds)
            .with("SqsManagedSseEnabled", true)
            .maybe("RedrivePolicy", redrive)
            .maybe("RedriveAllowPolicy", takes_from)
            .with("Tags", self.tags)
            .into()
    }
}

/// `AWS::SQS::QueuePolicy`.
#[derive(Debug)]
pub struct QueuePolicy {
    /// Of which queue.
    pub queue: Ref<Queue>,
    /// What it says.
    pub policy: Json,
}

impl Resource for QueuePolicy {
    fn kind(&self) -> &'static str {
        "AWS::SQS::QueuePolicy"
    }

    fn properties(self) -> Json {
        Json::object([("Queues", Json::list([self.queue])), ("PolicyDocument", self.policy)])
    }
}
