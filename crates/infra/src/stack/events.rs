//! The event bus, the topic, and what happens by the clock.

use pipeline::topology::{ANEW_EVENT, EVENT_SOURCE, Trigger};

use super::{Stack, parameters};
use crate::json::{Fields, Json};
use crate::names::logical_id;
use crate::policy::{document, tls_only};
use crate::reference::{Arn, Handle, Text};
use crate::resources::events::{EventBus, On, Rule, Target};
use crate::resources::functions::Permission;
use crate::resources::logs::LogPolicy;
use crate::resources::roles::Role;
use crate::resources::topics::{EmailSubscription, Topic, TopicPolicy};

/// The event bus, and one who listens: a log of everything that comes.
pub(super) fn add_bus(stack: &mut Stack<'_>) {
    let Some(name) = stack.topology.bus else { return };
    let bus = stack.bus(name);
    let description = "Rows that can be queried are announced here";
    let resource = EventBus { name: stack.named(name), description, tags: stack.tags() };
    stack.template.add(&bus, resource);
    let logs = stack.logs(name);
    let log_name = format!("/aws/events/{}", stack.named(name));
    stack.add_logs(&logs, log_name.as_str());
    let rule = Handle::new(logical_id(name, "LogRule"));
    let resource = Rule {
        name: stack.named(&format!("{name}-log")),
        description: "Everything that is announced is logged",
        on: On::Pattern(Some(bus.reference()), Json::object([("source", vec![EVENT_SOURCE].into())])),
        target: Target { arn: log_arn(&log_name), role: None, failures: None },
        tags: stack.tags(),
    };
    stack.template.add(&rule, resource);
    let policy = LogPolicy { name: stack.named(&format!("{name}-log")), document: log_policy(&log_name) };
    stack.template.add(&Handle::new(logical_id(name, "LogPolicy")), policy);
}

/// The ARN of a log group, without the `:*` that its attribute ends with and targets of rules do not take.
fn log_arn(name: &str) -> Text {
    Text::substituted(format!("arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{name}"))
}

/// A document as text, as policies of log groups are. The condition on the rule is not one that they take.
fn log_policy(log_name: &str) -> Text {
    let services = vec!["events.amazonaws.com", "delivery.logs.amazonaws.com"];
    let resource = format!("arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{log_name}:*");
    let statement = Fields::new()
        .with("Sid", "LogEvents")
        .with("Effect", "Allow")
        .with("Principal", Json::object([("Service", services.into())]))
        .with("Action", vec!["logs:CreateLogStream", "logs:PutLogEvents"])
        .with("Resource", resource);
    let document = Json::object([("Version", "2012-10-17".into()), ("Statement", vec![statement].into())]);
    Text::substituted(document.compact())
}

/// The topic on which those who wait for files are told.
pub(super) fn add_topic(stack: &mut Stack<'_>) {
    let Some(name) = stack.topology.topic else { return };
    let topic = stack.topic(name);
    let resource = Topic { name: stack.named(name), tags: stack.tags() };
    stack.template.add(&topic, resource);
    let policy = document(vec![tls_only("sns:Publish", vec![topic.reference().into()])]);
    stack.template.add(&Handle::new(logical_id(name, "TopicPolicy")), TopicPolicy { topic: topic.reference(), policy });
    let address = Text::parameter("NotificationEmail");
    stack
        .template
        .add(
            &Handle::new(logical_id(name, "EmailSubscription")),
            EmailSubscription { topic: topic.reference(), address },
        )
        .only_if(parameters::HAS_EMAIL);
}

/// The bus for files that are begun anew, and the rule by which their first stage gets them: `to` says who that is. What could
/// not be delivered goes to those dead letters.
pub(super) fn add_anew(stack: &mut Stack<'_>, to: Text, role: Option<Arn<Role>>, dead_letters: Option<&str>) {
    let name = stack.topology.anew;
    let bus = stack.bus(name);
    let description = "Files that are begun anew because of others go to their first stage";
    let resource = EventBus { name: stack.named(name), description, tags: stack.tags() };
    stack.template.add(&bus, resource);
    let pattern = Json::object([("source", vec![EVENT_SOURCE].into()), ("detail-type", vec![ANEW_EVENT].into())]);
    let rule = Rule {
        name: stack.named(name),
        description: "A file that is begun anew goes to its first stage",
        on: On::Pattern(Some(bus.reference()), pattern),
        target: Target { arn: to, role, failures: dead_letters.map(|queue| stack.queue(queue).arn()) },
        tags: stack.tags(),
    };
    let handle = stack.anew_rule();
    stack.template.add(&handle, rule);
}

/// Files that are begun anew, where no workflow begins with them: their first function is called.
pub(super) fn add_anew_calls(stack: &mut Stack<'_>) {
    let Some(function) = stack.functions().iter().find(|function| function.triggers.contains(&Trigger::Anew)) else {
        return;
    };
    let called = stack.function(function.name);
    add_anew(stack, called.arn().into(), None, function.dead_letters);
    let source = stack.anew_rule().arn().into();
    let permission = Permission { function: called.arn(), principal: "events.amazonaws.com", source };
    stack.template.add(&Handle::new(logical_id(stack.topology.anew, "Permission")), permission);
}

/// What happens by the clock.
pub(super) fn add_schedules(stack: &mut Stack<'_>) {
    for schedule in &stack.topology.schedules {
        let trigger = Trigger::Schedule(schedule.name);
        for function in stack.functions().iter().filter(|function| function.triggers.contains(&trigger)) {
            let called = stack.function(function.name);
            let rule: Handle<Rule> = Handle::new(logical_id(schedule.name, "Schedule"));
            let target = Target {
                arn: called.arn().into(),
                role: None,
                failures: function.dead_letters.map(|queue| stack.queue(queue).arn()),
            };
            let resource = Rule {
                name: stack.named(schedule.name),
                description: "What is due is aggregated",
                on: On::Schedule(rate(schedule.every_seconds)),
                target,
                tags: stack.tags(),
            };
            stack.template.add(&rule, resource);
            let permission =
                Permission { function: called.arn(), principal: "events.amazonaws.com", source: rule.arn().into() };
            stack.template.add(&Handle::new(logical_id(schedule.name, "SchedulePermission")), permission);
        }
    }
}

/// Every so many seconds, in whole minutes, as the cloud counts.
fn rate(seconds: u32) -> String {
    let minutes = seconds.div_ceil(60).max(1);
    format!("rate({minutes} minute{})", if minutes == 1 { "" } else { "s" })
}

impl Stack<'_> {
    pub(super) fn bus(&self, name: &str) -> Handle<EventBus> {
        Handle::new(logical_id(name, "Bus"))
    }

    /// The rule by which files that are begun anew get to their first stage.
    pub(super) fn anew_rule(&self) -> Handle<Rule> {
        Handle::new(logical_id(self.topology.anew, "Rule"))
    }

    pub(super) fn topic(&self, name: &str) -> Handle<Topic> {
        Handle::new(logical_id(name, "Topic"))
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn schedules_are_in_minutes() {
        assert_eq!(
            [rate(300), rate(60), rate(61), rate(0)].map(|rate| rate.to_owned()),
            ["rate(5 minutes)", "rate(1 minute)", "rate(2 minutes)", "rate(1 minute)"]
        );
    }
}
