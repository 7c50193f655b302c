//! One stack as the cloud has it: its state, what it tells of itself, and its events while it changes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::program::{Program, Refusal};
use super::view::View;
use crate::complain::Hint;

/// Events that are asked for first; more while what is known already is not among them.
const EVENTS: usize = 100;
const EVENTS_MAX: usize = 6400;

/// Times between two looks: short at first, because small changes are quick.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// A stack may stand as it stood for a moment after it was told to change. One that nothing is heard of for so long has
/// nothing to tell.
const BEGIN_WAIT: Duration = Duration::from_secs(15);

/// A stack.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Stack {
    #[serde(rename = "StackId")]
    pub(super) id: String,
    #[serde(rename = "StackStatus")]
    pub(super) status: String,
    #[serde(rename = "StackStatusReason")]
    pub(super) reason: Option<String>,
    #[serde(default)]
    parameters: Vec<Parameter>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Debug, Clone, Deserialize)]
struct Parameter {
    #[serde(rename = "ParameterKey")]
    key: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Output {
    #[serde(rename = "OutputKey")]
    key: String,
    #[serde(rename = "OutputValue")]
    value: String,
}

#[derive(Debug, Deserialize)]
struct Stacks {
    #[serde(rename = "Stacks")]
    stacks: Vec<Stack>,
}

/// Something that happened to a resource of a stack.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "EventId")]
    id: String,
    #[serde(rename = "LogicalResourceId", default)]
    pub(super) resource: String,
    #[serde(rename = "ResourceType", default)]
    pub(super) kind: String,
    #[serde(rename = "ResourceStatus", default)]
    pub(super) status: String,
    #[serde(rename = "ResourceStatusReason")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Events {
    #[serde(rename = "StackEvents", default)]
    events: Vec<Event>,
}

impl Stack {
    /// Whether it is being changed.
    pub(super) fn is_changing(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// Whether it never came up, so that nothing of it can be used and it can only be removed.
    pub(super) fn is_dead(&self) -> bool {
        ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"].contains(&self.status.as_str())
    }

    /// Whether it is gone for good.
    pub(super) fn is_gone(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// Whether it is only a name under which a first change set waits.
    pub(super) fn is_empty(&self) -> bool {
        self.status == "REVIEW_IN_PROGRESS"
    }

    /// Whether what was asked for came about.
    pub(super) fn is_well(&self) -> bool {
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE"].contains(&self.status.as_str())
    }

    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.key == name)
    }

    pub(super) fn outputs(&self) -> BTreeMap<String, String> {
        self.outputs.iter().map(|output| (output.key.clone(), output.value.clone())).collect()
    }
}

impl Event {
    pub(super) fn is_failure(&self) -> bool {
        self.status.ends_with("_FAILED")
    }

    /// Whether it failed only because another resource did.
    fn is_aftermath(&self) -> bool {
        self.reason.as_deref().is_some_and(|reason| reason.contains("cancelled"))
    }
}

/// The stack of this name or id; none if there is none.
pub(super) fn find(program: &Program, name: &str) -> Result<Option<Stack>> {
    let answer: Result<Stacks, Refusal> =
        program.try_ask("cloudformation", "describe-stacks", &json!({ "StackName": name }))?;
    match answer {
        Ok(Stacks { stacks }) => Ok(stacks.into_iter().next()),
        Err(refusal) if refusal.is_missing() => Ok(None),
        Err(refusal) => Err(program.explain("cloudformation", "describe-stacks", &refusal)),
    }
}

/// Follows the events of a stack.
#[derive(Debug)]
pub(super) struct Following<'a> {
    program: &'a Program,
    stack: String,
    seen: Option<String>,
}

/// The end of waiting for a stack.
#[derive(Debug)]
pub(super) struct Ended {
    /// The stack, as it is now.
    pub(super) stack: Stack,
    /// What failed of itself, first things first.
    pub(super) failures: Vec<Event>,
}

/// Begins to follow a stack from now on: what happened before is not told.
pub(super) fn follow<'a>(program: &'a Program, id: &str) -> Result<Following<'a>> {
    let mut follow = Following { program, stack: id.to_owned(), seen: None };
    let latest: Events = program.first("cloudformation", "describe-stack-events", &follow.request(), 1)?;
    follow.seen = latest.events.into_iter().next().map(|event| event.id);
    Ok(follow)
}

impl Following<'_> {
    fn request(&self) -> Value {
        json!({ "StackName": self.stack })
    }

    /// What happened since the last look, in the order in which it did.
    fn new_ones(&mut self) -> Result<Vec<Event>> {
        let mut count = EVENTS;
        loop {
            let Events { mut events } =
                self.program.first("cloudformation", "describe-stack-events", &self.request(), count)?;
            let known = events.iter().position(|event| Some(&event.id) == self.seen.as_ref());
            if known.is_none() && events.len() >= count && count < EVENTS_MAX {
                count *= 4;
                continue;
            }
            events.truncate(known.unwrap_or(events.len()));
            events.reverse();
            if let Some(last) = events.last() {
                self.seen = Some(last.id.clone());
            }
            return Ok(events);
        }
    }

    /// Waits until the stack does not change any more, and tells what happens on the way.
    pub(super) fn until_settled(&mut self, view: &View, limit: Duration) -> Result<Ended> {
        let began = Instant::now();
        let (mut failures, mut is_heard_of) = (Vec::new(), false);
        let mut pause = PAUSE_MIN;
        loop {
            // the state first: what happened before it settled is then among the events
            let found = find(self.program, &self.stack)?;
            let Some(stack) = found else {
                let what = format!("stack {} is gone while it was waited for", self.stack);
                return Err(Hint::new(what, "somebody else has deleted it; give the same command again").into());
            };
            for event in self.new_ones()? {
                is_heard_of = true;
                view.event(&event);
                if event.is_failure() && !event.is_aftermath() {
                    failures.push(event);
                }
            }
            let has_begun = is_heard_of || stack.is_gone() || began.elapsed() >= BEGIN_WAIT;
            if !stack.is_changing() && !stack.is_empty() && has_begun {
                return Ok(Ended { stack, failures });
            }
            if began.elapsed() >= limit {
                let what =
                    format!("stack {} is still {} after {} minutes", self.stack, stack.status, limit.as_secs() / 60);
                let hint = "it goes on by itself; give the same command again to go on waiting, or more time with \
                            --wait-minutes";
                return Err(Hint::new(what, hint).into());
            }
            std::thread::sleep(pause);
            pause = (pause * 3 / 2).min(PAUSE_MAX);
        }
    }
}

/// Deletes a stack and waits until it is gone.
pub(super) fn delete(
    program: &Program,
    stack: &Stack,
    role: Option<&str>,
    view: &View,
    limit: Duration,
) -> Result<Ended> {
    let mut events = follow(program, &stack.id)?;
    let mut request = json!({ "StackName": stack.id });
    if let Some(role) = role {
        request["RoleARN"] = role.into();
    }
    let _: Value = program.ask("cloudformation", "delete-stack", &request)?;
    events.until_settled(view, limit).with_context(|| format!("deleting {}", stack.id))
}
