//! Every role has the rights that its work needs: for mappings, failures, logs, workflows and rules; and what a function
//! is told of is what it may use.

use super::Fault;
use super::model::{Model, Resource, glob, plain};
use crate::json::Json;

const FUNCTION: &str = "AWS::Lambda::Function";
const RECEIVE: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

pub(super) fn check(model: &Model<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for mapping in model.of_kind("AWS::Lambda::EventSourceMapping") {
        let source = mapping.at("EventSourceArn");
        RECEIVE.iter().for_each(|action| faults.extend(needs(model, called(model, &mapping), action, source)));
    }
    for config in model.of_kind("AWS::Lambda::EventInvokeConfig") {
        let to = config.at("DestinationConfig.OnFailure.Destination");
        let is_function = to.and_then(|to| model.resource(to)).is_some_and(|to| to.kind == FUNCTION);
        let action = if is_function { "lambda:InvokeFunction" } else { "sqs:SendMessage" };
        faults.extend(needs(model, called(model, &config), action, to));
    }
    for function in model.of_kind(FUNCTION) {
        let logs = function.at("LoggingConfig.LogGroup").and_then(|group| model.resource(group));
        let arn = logs.map(|logs| Json::Text(format!("${{{}.Arn}}", logs.id)));
        faults.extend(needs(model, Some(function), "logs:PutLogEvents", arn.as_ref()));
        if function.text("TracingConfig.Mode") == Some("Active") {
            faults.extend(needs(model, Some(function), "xray:PutTraceSegments", Some(&"*".into())));
        }
        if let Some(queue) = function.at("DeadLetterConfig.TargetArn") {
            faults.extend(needs(model, Some(function), "sqs:SendMessage", Some(queue)));
        }
        faults.extend(told_and_allowed(model, &function));
    }
    faults.extend(model.of_kind("AWS::StepFunctions::StateMachine").flat_map(|machine| of_workflow(model, &machine)));
    faults.extend(model.of_kind("AWS::Events::Rule").flat_map(|rule| of_rule(model, &rule)));
    faults.extend(model.of_kind("AWS::SQS::Queue").filter_map(|queue| not_taken(model, &queue)));
    faults
}

fn called<'a>(model: &Model<'a>, resource: &Resource<'a>) -> Option<Resource<'a>> {
    resource.at("FunctionName").and_then(|name| model.resource(name))
}

/// The role that something acts as.
fn role<'a>(model: &Model<'a>, resource: &Resource<'a>) -> Option<Resource<'a>> {
    let role = resource.at("Role").or_else(|| resource.at("RoleArn"));
    role.and_then(|role| model.resource(role))
}

/// A fault if the role of `by` may not do this.
fn needs<'a>(model: &Model<'a>, by: Option<Resource<'a>>, action: &'static str, on: Option<&Json>) -> Option<Fault> {
    let on = on.map(|on| model.arn(on)).unwrap_or_default();
    let by = by?;
    let may = !on.is_empty() && role(model, &by).is_some_and(|role| model.may(role, action, &on));
    (!may).then(|| Fault::Powerless(by.id.to_owned(), action, on))
}

/// What the states of a workflow do.
fn of_workflow<'a>(model: &Model<'a>, machine: &Resource<'a>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let substituted = |text: &str| {
        let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))?;
        machine.at("DefinitionSubstitutions").and_then(|all| all.get(name))
    };
    for (_, state) in machine.at("Definition.States").map(Json::fields).unwrap_or_default() {
        let resource = state.get("Resource").and_then(Json::text).unwrap_or_default();
        let parameter = |name: &str| state.at(&format!("Parameters.{name}")).and_then(Json::text).and_then(substituted);
        if resource.ends_with(":lambda:invoke") {
            faults.extend(needs(model, Some(*machine), "lambda:InvokeFunction", parameter("FunctionName")));
        } else if resource.ends_with(":sqs:sendMessage") {
            // a queue is named by its URL there, and by its ARN in rights
            let queue = parameter("QueueUrl").and_then(|url| model.resource(url));
            let arn = queue.map(|queue| Json::Text(format!("${{{}.Arn}}", queue.id)));
            faults.extend(needs(model, Some(*machine), "sqs:SendMessage", arn.as_ref()));
        } else if state.get("Type").and_then(Json::text) == Some("Task") {
            faults.push(Fault::Powerless(machine.id.to_owned(), "a known task", resource.to_owned()));
        }
    }
    if machine.at("LoggingConfiguration.Destinations").is_some() {
        faults.extend(needs(model, Some(*machine), "logs:CreateLogDelivery", Some(&"*".into())));
    }
    if machine.at("TracingConfiguration.Enabled") == Some(&Json::Bool(true)) {
        for action in ["xray:PutTraceSegments", "xray:GetSamplingRules"] {
            faults.extend(needs(model, Some(*machine), action, Some(&"*".into())));
        }
    }
    faults
}

/// What a rule starts, and where it puts what it could not deliver.
fn of_rule(model: &Model<'_>, rule: &Resource<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for target in rule.list("Targets") {
        let Some(to) = target.get("Arn").and_then(|arn| model.resource(arn)) else { continue };
        if to.kind == "AWS::StepFunctions::StateMachine" {
            let arn = format!("${{{}.Arn}}", to.id);
            let role = target.get("RoleArn").and_then(|role| model.resource(role));
            if !role.is_some_and(|role| model.may(role, "states:StartExecution", &arn)) {
                faults.push(Fault::Powerless(rule.id.to_owned(), "states:StartExecution", arn));
            }
        }
        if to.kind == "AWS::Logs::LogGroup" && !logs_take_events(model, &to) {
            faults.push(Fault::NoEntry(rule.id.to_owned(), to.id.to_owned()));
        }
        if let Some(queue) = target.at("DeadLetterConfig.Arn").and_then(|arn| model.resource(arn))
            && !takes_from(model, &queue, rule)
        {
            faults.push(Fault::NoEntry(rule.id.to_owned(), queue.id.to_owned()));
        }
    }
    faults
}

/// Whether the policy of a queue lets this rule in.
fn takes_from(model: &Model<'_>, queue: &Resource<'_>, rule: &Resource<'_>) -> bool {
    let arn = format!("${{{}.Arn}}", queue.id);
    let source = format!("${{{}.Arn}}", rule.id);
    model.of_kind("AWS::SQS::QueuePolicy").any(|policy| {
        model.statements(policy.at("PolicyDocument")).iter().any(|statement| {
            let service = statement.principal.and_then(|principal| principal.get("Service")).and_then(Json::text);
            let from = statement.condition.and_then(|condition| condition.at("ArnEquals.aws:SourceArn"));
            statement.allows
                && service == Some("events.amazonaws.com")
                && statement.actions.contains(&"sqs:SendMessage")
                && statement.resources.contains(&arn)
                && from.is_some_and(|from| plain(from) == source)
        })
    })
}

/// Whether a policy of log groups lets events into this one. Such policies are texts, so its name is looked for in them.
fn logs_take_events(model: &Model<'_>, logs: &Resource<'_>) -> bool {
    let name = logs.text("LogGroupName").unwrap_or_default();
    model.of_kind("AWS::Logs::ResourcePolicy").any(|policy| {
        let text = policy.at("PolicyDocument").map(plain).unwrap_or_default();
        text.contains(&format!("log-group:{name}:*")) && text.contains("events.amazonaws.com")
    })
}

/// Whether the queue of the dead letters takes them from this queue.
fn not_taken(model: &Model<'_>, queue: &Resource<'_>) -> Option<Fault> {
    let dead = queue.at("RedrivePolicy.deadLetterTargetArn").and_then(|arn| model.resource(arn))?;
    let arn = format!("${{{}.Arn}}", queue.id);
    let takes = dead.list("RedriveAllowPolicy.sourceQueueArns").iter().any(|source| model.arn(source) == arn);
    (!takes).then(|| Fault::NotTaken(dead.id.to_owned(), queue.id.to_owned()))
}

/// A function is told of exactly the stores and queues that it may use itself. What its mapping receives, and where its
/// failures go, is the business of the cloud.
fn told_and_allowed(model: &Model<'_>, function: &Resource<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Some(role) = role(model, function) else { return faults };
    let rights = model.rights(role);
    let allowed: Vec<&String> = rights.iter().filter(|right| right.allows).flat_map(|right| &right.resources).collect();
    let variables = function.at("Environment.Variables").map(Json::fields).unwrap_or_default();
    let mut told = Vec::new();
    for (name, value) in variables {
        let Some(thing) = model.resource(value).or_else(|| named_bucket(model, value)) else { continue };
        told.push(thing.id);
        if thing.kind == "AWS::Events::EventBus" {
            faults.extend(needs(
                model,
                Some(*function),
                "events:PutEvents",
                Some(&format!("${{{}.Arn}}", thing.id).into()),
            ));
        }
        // to see what is in a bucket is no use of it
        let inside = if thing.kind == "AWS::S3::Bucket" { "/" } else { "" };
        let arn = format!("${{{}.Arn}}{inside}", thing.id);
        if !allowed.iter().any(|resource| resource.starts_with(&arn)) {
            faults.push(Fault::Idly(function.id.to_owned(), name.clone()));
        }
    }
    let is_own = |right: &super::model::Statement<'_>| {
        let of_mapping = right.actions.iter().any(|action| glob("sqs:Receive*", action));
        right.allows && !of_mapping
    };
    let failures: Vec<&str> = model
        .of_kind("AWS::Lambda::EventInvokeConfig")
        .filter(|config| called(model, config).is_some_and(|other| other.id == function.id))
        .filter_map(|config| config.at("DestinationConfig.OnFailure.Destination").and_then(|to| model.resource(to)))
        .chain(function.at("DeadLetterConfig.TargetArn").and_then(|to| model.resource(to)))
        .map(|to| to.id)
        .collect();
    for resource in rights.iter().filter(|right| is_own(right)).flat_map(|right| &right.resources) {
        let Some(thing) = model.resource(&Json::Text(resource.clone())) else { continue };
        let is_store = thing.kind != "AWS::Logs::LogGroup";
        if is_store && !told.contains(&thing.id) && !failures.contains(&thing.id) {
            faults.push(Fault::Untold(function.id.to_owned(), thing.id.to_owned()));
        }
    }
    faults
}

/// The bucket that a plain text names.
fn named_bucket<'a>(model: &Model<'a>, value: &Json) -> Option<Resource<'a>> {
    let name = value.text()?;
    model.of_kind("AWS::S3::Bucket").find(|bucket| bucket.text("BucketName") == Some(name))
}
