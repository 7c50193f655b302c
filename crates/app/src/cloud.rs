//! `millrace deploy`, `destroy` and `outputs`: the stacks of an environment, by way of the AWS CLI.

mod changes;
mod code;
mod deploy;
mod destroy;
mod outputs;
mod program;
mod stack;
mod view;

use std::ffi::OsString;
use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use engine::pipeline::preset::Preset;
use infra::{Environment, preset_name, stack_name};
use serde::Deserialize;
use serde_json::json;

use crate::complain::Hint;
use crate::synth::{self, Which};
use program::Program;

pub(crate) use deploy::{Arguments as DeployArguments, run as deploy};
pub(crate) use destroy::{Arguments as DestroyArguments, run as destroy};
pub(crate) use outputs::{Arguments as OutputsArguments, run as outputs};

/// Which stacks are meant, and how the cloud is reached.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The environment; else $ENVIRONMENT_SUFFIX, else dev.
    #[arg(long, value_name = "NAME")]
    env: Option<Environment>,
    /// The preset whose stack is meant.
    #[arg(long, value_enum, default_value_t)]
    preset: Which,
    /// The region; else that of the AWS CLI's settings, else us-east-1.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The profile of the AWS CLI's settings.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The AWS CLI, version 1.32 or later, or 2.
    #[arg(long, value_name = "PROGRAM", env = "MILLRACE_AWS", default_value = "aws")]
    aws: OsString,
    /// Seconds after which a call without an answer is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    call_seconds: u64,
    /// Minutes that one stack is waited for.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1440))]
    wait_minutes: u64,
    /// Where names, URLs and ARNs of the stacks are written to.
    #[arg(long, value_name = "FILE", default_value = "cfn-outputs/flat-outputs.json")]
    out: std::path::PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// The same, found out.
#[derive(Debug)]
struct Target {
    environment: Environment,
    presets: Vec<Preset>,
    program: Program,
    wait: Duration,
}

/// Failures of one stack that are told; the others follow from them more often than not.
const FAILURES_TOLD: usize = 5;

/// Who asks.
#[derive(Debug, Deserialize)]
struct Caller {
    #[serde(rename = "Account")]
    account: String,
    #[serde(rename = "Arn")]
    arn: String,
}

impl Place {
    fn target(&self) -> Result<Target> {
        let limit = Duration::from_secs(self.call_seconds);
        Ok(Target {
            environment: synth::environment(self.env.clone())?,
            presets: self.preset.presets(),
            program: Program::new(self.aws.clone(), self.profile.clone(), self.region.clone(), limit)?,
            wait: Duration::from_secs(self.wait_minutes * 60),
        })
    }
}

impl Target {
    fn stack_name(&self, preset: Preset) -> String {
        stack_name(preset, &self.environment)
    }

    /// Who asks; told, so that nobody changes another account than they mean.
    fn caller(&self) -> Result<Caller> {
        let caller: Caller = self.program.ask("sts", "get-caller-identity", &json!({}))?;
        let Caller { account, arn } = &caller;
        writeln!(anstream::stderr(), "account {account}, region {}, as {arn}", self.program.region())?;
        Ok(caller)
    }
}

/// The stack of each preset that has one.
fn existing(target: &Target, presets: &[Preset]) -> Result<Vec<(Preset, stack::Stack)>> {
    let mut found = Vec::new();
    for preset in presets {
        if let Some(stack) = stack::find(&target.program, &target.stack_name(*preset))? {
            found.push((*preset, stack));
        }
    }
    Ok(found)
}

/// Asks whether to go on; without a terminal nobody can be asked.
fn confirm(question: &str, flag: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let what = "nothing was changed: there is no terminal to ask on whether to go on";
        return Err(Hint::new(what, format!("say it beforehand with {flag}")).into());
    }
    let mut stderr = anstream::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

/// `NAME=VALUE` of a command line.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

/// What failed in a stack, as one sentence, and what to do.
fn failed(preset: Preset, ended: &stack::Ended, next: &str) -> anyhow::Error {
    let mut what = format!("preset {} is {}", preset_name(preset), ended.stack.status);
    if let Some(reason) = ended.stack.reason.as_deref().filter(|_| ended.failures.is_empty()) {
        what.push_str(&format!(": {reason}"));
    }
    for event in ended.failures.iter().take(FAILURES_TOLD) {
        let reason = event.reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or("no reason was given");
        what.push_str(&format!("; {} ({}) is {}: {reason}", event.resource, event.kind, event.status));
    }
    Hint::new(what, next).into()
}
