//! What is watched: failing functions, lines of logs, dead letters, and a workflow that ran out of time.

use pipeline::topology;

use super::{Stack, parameters};
use crate::json::Json;
use crate::names::{capitals, logical_id};
use crate::reference::{Handle, Text};
use crate::resources::alarms::{Alarm, Metric, Watched};
use crate::resources::logs::MetricFilter;
use crate::template::if_any;

pub(super) fn add(stack: &mut Stack<'_>) {
    for alarm in &stack.topology.alarms {
        match *alarm {
            topology::Alarm::ErrorsPercent { function, percent } => add_errors(stack, function, percent),
            topology::Alarm::LogMatches { function, pattern, namespace } => {
                let filter = MetricFilter {
                    name: stack.named(&format!("{function}-errors")),
                    logs: stack.logs(function).reference(),
                    pattern,
                    namespace,
                    metric: format!("{}ErrorCount", capitals(function)),
                };
                stack.template.add(&Handle::new(logical_id(function, "ErrorFilter")), filter);
            }
            topology::Alarm::DeadLetters { queue } => add_dead_letters(stack, queue),
            topology::Alarm::WorkflowLate => add_late(stack),
        }
    }
}

/// Whom an alarm tells.
fn actions() -> Json {
    if_any(parameters::HAS_ALARM_TOPIC, Json::List(vec![Text::parameter("AlarmTopicArn").into()]))
}

fn add_alarm(stack: &mut Stack<'_>, name: &str, description: String, watches: Watched, above: u32) {
    let alarm = Alarm { name: stack.named(name), description, watches, above, actions: actions(), tags: stack.tags() };
    stack.template.add(&Handle::new(logical_id(name, "Alarm")), alarm);
}

fn add_errors(stack: &mut Stack<'_>, function: &str, percent: u32) {
    let metric = |name| Metric {
        namespace: "AWS/Lambda",
        name,
        about: ("FunctionName", stack.function(function).reference().into()),
        statistic: "Sum",
    };
    let watches = Watched::Computed {
        expression: "IF(calls > 0, 100 * errors / calls, 0)",
        label: "calls that failed, in percent",
        from: vec![("errors", metric("Errors")), ("calls", metric("Invocations"))],
    };
    let description = format!("More than {percent} percent of the calls of {} fail", stack.named(function));
    add_alarm(stack, &format!("{function}-errors"), description, watches, percent);
}

fn add_dead_letters(stack: &mut Stack<'_>, queue: &str) {
    let handle = stack.queue(queue);
    let name = Json::object([("Fn::GetAtt", Json::list([handle.id(), "QueueName"]))]);
    let watches = Watched::One(Metric {
        namespace: "AWS/SQS",
        name: "ApproximateNumberOfMessagesVisible",
        about: ("QueueName", Text::from_json(name)),
        statistic: "Maximum",
    });
    let description = format!("{} has dead letters: look at them, mend, redrive", stack.named(queue));
    add_alarm(stack, &format!("{queue}-depth"), description, watches, 0);
}

fn add_late(stack: &mut Stack<'_>) {
    let Some(workflow) = stack.topology.workflow else { return };
    let watches = Watched::One(Metric {
        namespace: "AWS/States",
        name: "ExecutionsTimedOut",
        about: ("StateMachineArn", stack.workflow(&workflow).reference().into()),
        statistic: "Sum",
    });
    let name = stack.named(workflow.name);
    let description = format!("{name} ran out of time, so what it was at is no dead letter: replay those files");
    add_alarm(stack, &format!("{}-late", workflow.name), description, watches, 0);
}
