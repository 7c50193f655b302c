//! Finds in a finished template what the cloud would only notice at work, and no emulator notices at all: a source that may
//! not call what it names, a role without a right that its work needs, a right that is wider than it need be.
//!
//! It reads the JSON and not what the JSON was made from, so that it sees what came by the escape hatch too.

mod callers;
mod model;
mod references;
mod roles;
mod widths;

use std::fmt;

use crate::json::Json;
use model::Model;
pub(crate) use model::plain;

/// What is wrong with a template. The names are logical ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A resource refers to what is not declared: who, and to what.
    Dangling(String, String),
    /// A resource names something by an ARN that is put together, and nothing has that name: who, and what.
    Nameless(String, String),
    /// The source calls a function that does not let it: source, function.
    NotPermitted(String, String),
    /// A permission for a source that does not call.
    Idle(String),
    /// A permission, or a statement for a service, that holds for any source.
    AnySource(String),
    /// The bucket must be made after the permission by which it calls: bucket, permission.
    TooEarly(String, String),
    /// The role lacks a right: whose work needs it, which action, on what.
    Powerless(String, &'static str, String),
    /// The policy of a queue or a log group does not let a rule put something there: rule, queue or log group.
    NoEntry(String, String),
    /// Nobody gets what is put on this event bus.
    Unheard(String),
    /// A queue does not take the dead letters of another: which, of which.
    NotTaken(String, String),
    /// A wildcard where something narrower would do: where, and the action or resource.
    Wide(String, String),
    /// A function is told of a thing that it may do nothing with: function, variable.
    Idly(String, String),
    /// A function may use a thing that it is not told of: function, thing.
    Untold(String, String),
    /// A role that runs code may destroy something: role, action.
    Destructive(String, String),
    /// A method needs a key, and no usage plan gives one for its API.
    Keyless(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dangling(who, what) => write!(f, "{who} refers to {what}, which is not declared"),
            Self::Nameless(who, arn) => write!(f, "{who} names {arn}, and nothing in the template has that name"),
            Self::NotPermitted(source, function) => {
                write!(f, "{source} calls {function} without a permission; add an AWS::Lambda::Permission for it")
            }
            Self::Idle(permission) => write!(f, "{permission} is for a source that does not call; remove it"),
            Self::AnySource(who) => write!(f, "{who} holds for any source; name the one it is for"),
            Self::TooEarly(bucket, permission) => {
                write!(f, "{bucket} must be made after {permission}, by which it calls; add it to DependsOn")
            }
            Self::Powerless(who, action, what) => write!(f, "the role of {who} lacks {action} on {what}; grant it"),
            Self::NoEntry(rule, to) => write!(f, "the policy of {to} does not let {rule} in; allow it"),
            Self::Unheard(bus) => write!(f, "no rule leads from {bus} to anybody; what is put there is lost"),
            Self::NotTaken(queue, from) => write!(f, "{queue} does not take the dead letters of {from}; allow it"),
            Self::Wide(who, what) => write!(f, "{who} has `{what}`, where something narrower would do"),
            Self::Idly(function, variable) => {
                write!(f, "{function} is told {variable} and may do nothing with it; grant it or drop it")
            }
            Self::Untold(function, thing) => {
                write!(f, "{function} may use {thing} and is not told of it; tell it or drop the right")
            }
            Self::Destructive(role, action) => write!(f, "{role} does not deny {action}; deny it"),
            Self::Keyless(method) => write!(f, "{method} needs a key, and no usage plan gives one"),
        }
    }
}

impl std::error::Error for Fault {}

/// Everything that is wrong with the wiring of a template; empty when it will do.
pub fn check(template: &Json) -> Vec<Fault> {
    let model = Model::of(template);
    let mut faults = references::check(&model);
    faults.extend(callers::check(&model));
    faults.extend(roles::check(&model));
    faults.extend(widths::check(&model));
    faults.sort();
    faults.dedup();
    faults
}
