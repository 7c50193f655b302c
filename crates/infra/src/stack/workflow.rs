//! The workflow in which stages call each other, and the rules that start it: when a file was written, or is begun anew.
//!
//! A function is given what the one before it answered, the first the event that started it. It answers `{"message": …}` with
//! the message of the next stage, or with null when nothing is to follow: a file that was refused, or is a duplicate. With
//! `"more": true` beside its own message it says that it came to its time, and is called again. What a stage gave up is put
//! to the dead letters first, and then told to the receipt of its file.

use pipeline::topology::{self, Trigger, Use, Workflow};

use super::{Stack, events, rights};
use crate::json::{Fields, Json};
use crate::names::{capitals, logical_id};
use crate::policy::{Statement, no_destruction};
use crate::reference::{Handle, Text};
use crate::resources::events::{On, Rule, Target};
use crate::resources::roles::Role;
use crate::resources::workflows::StateMachine;

/// What delivering the logs of a workflow takes; none of it is of a resource.
const DELIVER_LOGS: [&str; 8] = [
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
];
const TRACE_SAMPLED: [&str; 2] = ["xray:GetSamplingRules", "xray:GetSamplingTargets"];
/// Seconds before the second attempt; twice as long before the third.
const RETRY_SECONDS: u32 = 2;

pub(super) fn add(stack: &mut Stack<'_>) {
    let Some(workflow) = stack.topology.workflow else { return };
    let stages: Vec<&topology::Function> =
        stack.functions().iter().filter(|function| function.triggers.contains(&Trigger::Workflow)).collect();
    let logs = stack.logs(workflow.name);
    let log_name = format!("/aws/vendedlogs/states/{}", stack.named(workflow.name));
    stack.add_logs(&logs, log_name);
    let role = stack.role(workflow.name);
    let functions: Vec<Text> = stages.iter().map(|function| stack.function(function.name).arn().into()).collect();
    let resource = Role {
        name: stack.named(&format!("{}-role", workflow.name)),
        service: "states.amazonaws.com",
        statements: vec![
            Statement::allow("CallStages", &["lambda:InvokeFunction"], functions),
            rights::send(stack, workflow.dead_letters),
            Statement::allow("WriteLogs", &["logs:CreateLogStream", "logs:PutLogEvents"], vec![logs.arn().into()]),
            Statement::allow("DeliverLogs", &DELIVER_LOGS, vec!["*".into()]),
            rights::trace(),
            Statement::allow("TraceSampled", &TRACE_SAMPLED, vec!["*".into()]),
            no_destruction(),
        ],
        managed: None,
        tags: stack.tags(),
    };
    stack.template.add(&role, resource);
    let dead = stack.queue(workflow.dead_letters);
    let mut substitutions: Vec<(String, Text)> = Vec::new();
    for function in &stages {
        let handle = stack.function(function.name);
        substitutions.push((handle.id().to_owned(), handle.arn().into()));
    }
    substitutions.push((dead.id().to_owned(), dead.reference().into()));
    let machine = StateMachine {
        name: stack.named(workflow.name),
        role: role.arn(),
        definition: definition(stack, &workflow, &stages),
        substitutions,
        logs: logs.arn(),
        tags: stack.tags(),
    };
    let handle = stack.workflow(&workflow);
    stack.template.add(&handle, machine);
    add_start(stack, &workflow, &handle);
}

fn definition(stack: &Stack<'_>, workflow: &Workflow, stages: &[&topology::Function]) -> Json {
    let name = |function: &topology::Function| function.stage.map_or_else(String::new, |stage| format!("{stage:?}"));
    let mut states: Vec<(String, Json)> = Vec::new();
    for (index, function) in stages.iter().enumerate() {
        let seconds = workflow.stage_seconds.get(index).copied().unwrap_or_default();
        let id = stack.function(function.name).id().to_owned();
        let next = stages.get(index + 1);
        let after = if next.is_some() { format!("After{}", name(function)) } else { "Done".to_owned() };
        states.push((name(function), call(&id, seconds, workflow.attempts_max, &after)));
        if let Some(next) = next {
            let is = |test: &str, holds: bool| Json::object([("Variable", "$.message".into()), (test, holds.into())]);
            let both = Json::List(vec![is("IsPresent", true), is("IsNull", false)]);
            let choice = Json::object([("And", both), ("Next", name(next).into())]);
            let again = goes_on(function).then(|| {
                let both = Json::List(vec![
                    Json::object([("Variable", "$.more".into()), ("IsPresent", true.into())]),
                    Json::object([("Variable", "$.more".into()), ("BooleanEquals", true.into())]),
                ]);
                Json::object([("And", both), ("Next", name(function).into())])
            });
            let choices = again.into_iter().chain([choice]).collect();
            let fields =
                Fields::new().with("Type", "Choice").with("Choices", Json::List(choices)).with("Default", "Done");
            states.push((after, fields.into()));
        }
    }
    states.push(("Done".to_owned(), Json::object([("Type", "Succeed".into())])));
    states.push(("PutToDeadLetters".to_owned(), put_to_dead_letters(stack.queue(workflow.dead_letters).id())));
    let teller = stack.function(workflow.failures_told_by);
    states.push(("TellReceipt".to_owned(), tell_receipt(teller.id(), workflow)));
    let failed = Fields::new()
        .with("Type", "Fail")
        .with("Error", "DeadLetter")
        .with("Cause", "A stage failed for good; what it was given is a dead letter");
    states.push(("Failed".to_owned(), failed.into()));
    Fields::new()
        .with("Comment", "A file is validated, its rows become records, and those who wait for it are told")
        .with("StartAt", stages.first().map_or_else(String::new, |function| name(function)))
        .with("States", Json::Object(states))
        .into()
}

/// Whether a function may come to its time with a file half done, and is called again to go on with it.
fn goes_on(function: &topology::Function) -> bool {
    function.uses.iter().any(|need| matches!(need, Use::Fill(_)))
}

/// A state in which a function is called. It is told when the workflow began, for that has an end, and how often it was called
/// before for the same.
fn call(function: &str, seconds: u32, attempts_max: u32, next: &str) -> Json {
    let payload = Json::object([
        ("input.$", "$".into()),
        ("startedAt.$", "$$.Execution.StartTime".into()),
        ("retries.$", "$$.State.RetryCount".into()),
    ]);
    let parameters = Fields::new().with("FunctionName", format!("${{{function}}}")).with("Payload", payload);
    // an attempt that took all its time leaves none for another
    let never = Json::object([("ErrorEquals", vec!["States.Timeout"].into()), ("MaxAttempts", 0.into())]);
    let again = Fields::new()
        .with("ErrorEquals", vec!["States.ALL"])
        .with("IntervalSeconds", RETRY_SECONDS)
        .with("MaxAttempts", attempts_max.saturating_sub(1))
        .with("BackoffRate", 2)
        .with("JitterStrategy", "FULL");
    let caught = Fields::new()
        .with("ErrorEquals", vec!["States.ALL"])
        .with("ResultPath", "$.error")
        .with("Next", "PutToDeadLetters");
    Fields::new()
        .with("Type", "Task")
        .with("Resource", "arn:aws:states:::lambda:invoke")
        .with("Parameters", parameters)
        .with("OutputPath", "$.Payload")
        .with("TimeoutSeconds", seconds)
        .with("Retry", Json::List(vec![never, again.into()]))
        .with("Catch", vec![caught])
        .with("Next", next)
        .into()
}

fn put_to_dead_letters(queue: &str) -> Json {
    let body = Fields::new()
        .with("execution.$", "$$.Execution.Id")
        .with("startedAt.$", "$$.Execution.StartTime")
        .with("input.$", "$");
    let parameters = Fields::new().with("QueueUrl", format!("${{{queue}}}")).with("MessageBody", body);
    let again = Fields::new()
        .with("ErrorEquals", vec!["States.ALL"])
        .with("IntervalSeconds", 1)
        .with("MaxAttempts", 2)
        .with("BackoffRate", 2);
    Fields::new()
        .with("Type", "Task")
        .with("Resource", "arn:aws:states:::sqs:sendMessage")
        .with("Parameters", parameters)
        .with("Retry", vec![again])
        // beside what it was given, which is told after it; none would be better, but templates take no null
        .with("ResultPath", "$.deadLetter")
        .with("Next", "TellReceipt")
        .into()
}

/// The receipt of the file says that a stage gave up. The dead letter is in its queue already, whatever becomes of this.
fn tell_receipt(function: &str, workflow: &Workflow) -> Json {
    let payload = Json::object([("failed.$", "$".into())]);
    let parameters = Fields::new().with("FunctionName", format!("${{{function}}}")).with("Payload", payload);
    let again = Fields::new()
        .with("ErrorEquals", vec!["States.ALL"])
        .with("IntervalSeconds", 1)
        .with("MaxAttempts", workflow.attempts_max.saturating_sub(1))
        .with("BackoffRate", 2);
    let caught = Fields::new().with("ErrorEquals", vec!["States.ALL"]).with("Next", "Failed");
    Fields::new()
        .with("Type", "Task")
        .with("Resource", "arn:aws:states:::lambda:invoke")
        .with("Parameters", parameters)
        .with("TimeoutSeconds", workflow.failure_seconds)
        .with("Retry", vec![again])
        .with("Catch", vec![caught])
        .with("Next", "Failed")
        .into()
}

/// A file that was written starts the workflow, and so does one that is begun anew.
fn add_start(stack: &mut Stack<'_>, workflow: &Workflow, machine: &Handle<StateMachine>) {
    let role = stack.role(&format!("{}-start", workflow.name));
    let resource = Role {
        name: stack.named(&format!("{}-start", workflow.name)),
        service: "events.amazonaws.com",
        statements: vec![Statement::allow("Start", &["states:StartExecution"], vec![machine.reference().into()])],
        managed: None,
        tags: stack.tags(),
    };
    stack.template.add(&role, resource);
    let bucket = Json::object([("name", vec![stack.named(stack.topology.bucket.name)].into())]);
    let pattern = Json::object([
        ("source", vec!["aws.s3"].into()),
        ("detail-type", vec!["Object Created"].into()),
        ("detail", Json::object([("bucket", bucket)])),
    ]);
    let rule = Rule {
        name: stack.named(&format!("{}-start", workflow.name)),
        description: "A file that was written starts the workflow",
        on: On::Pattern(None, pattern),
        target: Target {
            arn: machine.reference().into(),
            role: Some(role.arn()),
            failures: Some(stack.queue(workflow.dead_letters).arn()),
        },
        tags: stack.tags(),
    };
    stack.template.add(&Handle::new(logical_id(workflow.name, "StartRule")), rule);
    events::add_anew(stack, machine.reference().into(), Some(role.arn()), Some(workflow.dead_letters));
}

impl Stack<'_> {
    pub(super) fn workflow(&self, workflow: &Workflow) -> Handle<StateMachine> {
        Handle::new(capitals(workflow.name) + "Workflow")
    }
}
