//! Functions: each with a role and a log group of its own, and what calls it.

use pipeline::topology::{self, FUNCTION_VARIABLE, Trigger, Variable};

use super::{Stack, rights, stores};
use crate::names::logical_id;
use crate::reference::{Handle, Text};
use crate::resources::buckets::Bucket;
use crate::resources::functions::{Code, EventInvokeConfig, EventSourceMapping, Function, Permission};
use crate::resources::roles::Role;
use crate::settings::Package;

pub(super) fn add(stack: &mut Stack<'_>) {
    for function in stack.functions() {
        let logs = stack.logs(function.name);
        let log_name = format!("/aws/lambda/{}", stack.named(function.name));
        stack.add_logs(&logs, log_name);
        let role = stack.role(function.name);
        let resource = Role {
            name: stack.named(&format!("{}-role", function.name)),
            service: "lambda.amazonaws.com",
            statements: rights::of_function(stack, function),
            managed: None,
            tags: stack.tags(),
        };
        stack.template.add(&role, resource);
        let resource = Function {
            name: stack.named(function.name),
            description: description(function),
            role: role.arn(),
            code: code(stack),
            architecture: stack.settings.architecture.name(),
            memory_mb: function.memory_mb,
            timeout_seconds: function.timeout_seconds,
            variables: variables(stack, function),
            logs: logs.reference(),
            dead_letters: function
                .dead_letters
                .filter(|_| tells_own_failures(function))
                .map(|name| stack.queue(name).arn()),
            tags: stack.tags(),
        };
        let handle = stack.function(function.name);
        stack.template.add(&handle, resource);
    }
}

fn description(function: &topology::Function) -> String {
    match function.stage {
        Some(stage) => format!("Millrace: stage {}", format!("{stage:?}").to_ascii_lowercase()),
        None => "Millrace: answers requests".to_owned(),
    }
}

fn code(stack: &Stack<'_>) -> Code {
    match stack.settings.package {
        Package::Zip => Code::Zip { bucket: Text::parameter("CodeBucket"), key: Text::parameter("CodeKey") },
        Package::Image => Code::Image(Text::parameter("ImageUri")),
    }
}

fn variables(stack: &Stack<'_>, function: &topology::Function) -> Vec<(&'static str, Text)> {
    let topology = stack.topology;
    let value = |variable| -> Option<Text> {
        Some(match variable {
            // the bucket of files names the function, so the function cannot refer to the bucket
            Variable::Files => stack.named(topology.bucket.name).into(),
            Variable::Results => stack.named(topology.results.name).into(),
            Variable::Table(holds) => stack.table(topology.table(holds)?).reference().into(),
            Variable::Queue(name) => stack.queue(name).reference().into(),
            Variable::Bus => stack.bus(topology.bus?).reference().into(),
            Variable::Topic => stack.topic(topology.topic?).reference().into(),
            Variable::Anew => stack.bus(topology.anew).reference().into(),
            Variable::Origin => Text::parameter("AllowedOrigin"),
        })
    };
    let which = (FUNCTION_VARIABLE, Text::from(function.name));
    let others = topology.variables(function);
    std::iter::once(which)
        .chain(others.into_iter().filter_map(|variable| Some((variable.name(), value(variable)?))))
        .collect()
}

/// What calls functions, other than routes, rules and the workflow.
pub(super) fn add_triggers(stack: &mut Stack<'_>) {
    for function in stack.functions() {
        let handle = stack.function(function.name);
        for trigger in &function.triggers {
            match *trigger {
                Trigger::Queue { name, batch_max } => {
                    let queue = stack.queue(name);
                    let mapping = EventSourceMapping {
                        queue: queue.arn(),
                        function: handle.arn(),
                        batch_max,
                        tags: stack.tags(),
                    };
                    stack.template.add(&Handle::new(format!("{}Mapping", queue.id())), mapping);
                }
                Trigger::ObjectCreated { .. } => {
                    let permission = Permission {
                        function: handle.arn(),
                        principal: "s3.amazonaws.com",
                        source: Bucket::arn(&stack.named(stack.topology.bucket.name)).into(),
                    };
                    stack.template.add(&Handle::new(stores::permission_id(function.name)), permission);
                }
                Trigger::Schedule(_) | Trigger::Route(_) | Trigger::Workflow | Trigger::Anew => {}
            }
        }
        if let (Some(attempts_max), Some(dead)) = (attempts(function), function.dead_letters) {
            let config = EventInvokeConfig {
                function: handle.reference(),
                retries_max: attempts_max.saturating_sub(1),
                failures: if tells_own_failures(function) {
                    // its dead letters have a place of their own
                    handle.arn().into()
                } else {
                    stack.queue(dead).arn().into()
                },
            };
            stack.template.add(&Handle::new(logical_id(function.name, "InvokeConfig")), config);
        }
    }
}

/// Whether a function is called again when a call of it has failed for good, to tell the receipt of the file: it may have
/// died of the call, and the cloud does not.
pub(super) fn tells_own_failures(function: &topology::Function) -> bool {
    function.triggers.iter().any(|trigger| matches!(trigger, Trigger::ObjectCreated { .. }))
}

/// Attempts at a call that nobody waits for; none if all calls of this function are waited for.
pub(super) fn attempts(function: &topology::Function) -> Option<u32> {
    function.triggers.iter().find_map(|trigger| match trigger {
        Trigger::ObjectCreated { attempts_max } => Some(*attempts_max),
        // as often as the cloud tries unless it is told
        Trigger::Schedule(_) => Some(3),
        Trigger::Queue { .. } | Trigger::Route(_) | Trigger::Workflow | Trigger::Anew => None,
    })
}
