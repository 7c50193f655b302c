//! Event buses, and the rules that say who gets which event, or is called when.

use crate::json::{Fields, Json};
use crate::reference::{Arn, HasArn, Ref, Text};
use crate::resources::Tags;
use crate::resources::queues::Queue;
use crate::resources::roles::Role;
use crate::template::Resource;

/// `AWS::Events::EventBus`. Its `Ref` is its name.
#[derive(Debug)]
pub struct EventBus {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: &'static str,
    /// Tags.
    pub tags: Tags,
}

impl HasArn for EventBus {}

impl Resource for EventBus {
    fn kind(&self) -> &'static str {
        "AWS::Events::EventBus"
    }

    fn properties(self) -> Json {
        Fields::new().with("Name", self.name).with("Description", self.description).with("Tags", self.tags).into()
    }
}

/// `AWS::Events::Rule`, with one target.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: &'static str,
    /// When it applies.
    pub on: On,
    /// Who is told.
    pub target: Target,
    /// Tags.
    pub tags: Tags,
}

/// When a rule applies.
#[derive(Debug)]
pub enum On {
    /// Again and again.
    Schedule(String),
    /// When an event of this pattern comes: on the default bus, or on one of ours.
    Pattern(Option<Ref<EventBus>>, Json),
}

/// Who is told.
#[derive(Debug)]
pub struct Target {
    /// The ARN.
    pub arn: Text,
    /// As whom the rule acts, where the target is no function or log group.
    pub role: Option<Arn<Role>>,
    /// Where events go that could not be delivered.
    pub failures: Option<Arn<Queue>>,
}

impl HasArn for Rule {}

impl Resource for Rule {
    fn kind(&self) -> &'static str {
        "AWS::Events::Rule"
    }

    fn properties(self) -> Json {
        let fields = Fields::new().with("Name", self.name).with("Description", self.description);
        let fields = match self.on {
            On::Schedule(expression) => fields.with("ScheduleExpression", expression),
            On::Pattern(bus, pattern) => fields.maybe("EventBusName", bus).with("EventPattern", pattern),
        };
        let target = Fields::new()
            .with("Id", "target")
            .with("Arn", self.target.arn)
            .maybe("RoleArn", self.target.role)
            .maybe("DeadLetterConfig", self.target.failures.map(|queue| Json::object([("Arn", queue.into())])));
        fields.with("State", "ENABLED").with("Targets", vec![target]).with("Tags", self.tags).into()
    }
}
