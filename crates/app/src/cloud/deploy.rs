//! `millrace deploy`: the program and the templates go up, the changes are shown, and then they are made.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use engine::pipeline::preset::Preset;
use infra::json::Json;
use infra::{Package, Settings, file_name, preset_name};
use serde::Serialize;
use serde_json::{Value, json};

use super::changes::{self, Change, ChangeSet};
use super::code::{self, Placed};
use super::program::Bucket;
use super::stack::{self, Stack};
use super::view::View;
use super::{Place, Target, confirm, failed, outputs, pair};
use crate::complain::{Hint, unreadable};
use crate::synth::{self, Arch};

/// The cloud works out a change set within this, or something is wrong.
const CHANGE_SET_WAIT: Duration = Duration::from_secs(10 * 60);

/// The parameter that says who makes the role by which API Gateway writes logs, of which an account has one.
const LOG_ROLE: &str = "ApiGatewayLogging";

/// Arguments of `millrace deploy`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The processor that functions run on; else that of the program.
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// The program of the functions, or a zip that holds it; else the file bootstrap beside this program.
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    bootstrap: Option<PathBuf>,
    /// The URI of an image in the place of a zip, with its digest.
    #[arg(long, value_name = "URI")]
    image: Option<String>,
    /// The bucket that the zip and the templates go to; else millrace-code-ACCOUNT-REGION, which is made.
    #[arg(long, value_name = "NAME")]
    code_bucket: Option<String>,
    /// A folder with templates that `millrace synth` wrote and somebody changed, in the place of those it would write.
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// A parameter of the stacks; may be given more than once. Those that are not given keep their value.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// A tag of the stacks and of all that is in them; may be given more than once.
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// The role that CloudFormation takes on.
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Make the changes without asking.
    #[arg(long)]
    yes: bool,
    /// Only show what would change.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

const EXAMPLES: &str = "Examples:\n  millrace deploy --env acme-dev --bootstrap target/function/bootstrap\n  \
                        millrace deploy --preset transactions --parameter NotificationEmail=ops@example.com --yes";

/// What was done.
#[derive(Debug, Serialize)]
struct Summary {
    environment: String,
    region: String,
    account: String,
    code: Option<Placed>,
    stacks: Vec<Done>,
    outputs: PathBuf,
}

#[derive(Debug, Serialize)]
struct Done {
    preset: Preset,
    stack: String,
    result: Outcome,
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Created,
    Updated,
    Unchanged,
    Shown,
}

/// What is to be done to one stack.
struct Plan {
    preset: Preset,
    name: String,
    creates: bool,
    set: Option<ChangeSet>,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let target = arguments.place.target()?;
    let asked = arguments.arch.map(Arch::architecture);
    let code = match &arguments.image {
        Some(_) => None,
        None => Some(code::read(arguments.bootstrap.as_deref(), asked)?),
    };
    let settings = Settings {
        environment: target.environment.clone(),
        architecture: code.as_ref().map_or(asked.unwrap_or_default(), |code| code.architecture),
        package: if code.is_some() { Package::Zip } else { Package::Image },
    };
    let templates = templates(&target, &settings, &arguments)?;
    let caller = target.caller()?;
    let name = code::bucket(&target.program, &caller.account, arguments.code_bucket.as_deref())?;
    let bucket = Bucket { name: &name, account: &caller.account };
    let placed = code.map(|code| code.upload(&target.program, &bucket)).transpose()?;
    if let Some(placed) = &placed {
        writeln!(anstream::stderr(), "{}", placed.told())?;
    }
    let mut plans: Vec<Plan> = Vec::new();
    for template in &templates {
        let made = plan(&arguments, &target, &bucket, template, placed.as_ref(), &plans);
        match made.with_context(|| format!("stack {}", target.stack_name(template.preset))) {
            Ok(made) => plans.push(made),
            Err(error) => {
                discard(&target, &plans);
                return Err(error);
            }
        }
    }
    show(&plans)?;
    let is_work = plans.iter().any(|plan| plan.set.is_some());
    let goes_on = !is_work || (!arguments.dry_run && (arguments.yes || asked_to(&target, &plans)?));
    if !goes_on {
        discard(&target, &plans);
    }
    let stacks = if goes_on { carry_out(&target, plans)? } else { plans.into_iter().map(Plan::shown).collect() };
    if goes_on {
        outputs::refresh(&target, &arguments.place.out)?;
    } else if !arguments.dry_run {
        return Err(Hint::new("nothing was changed: the answer was no", "").into());
    }
    if arguments.place.json {
        let summary = Summary {
            environment: target.environment.as_str().to_owned(),
            region: target.program.region().to_owned(),
            account: caller.account.clone(),
            code: placed,
            stacks,
            outputs: arguments.place.out,
        };
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, &summary)?;
        writeln!(stdout)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A template as it goes up, and the names of its parameters.
struct Template {
    preset: Preset,
    text: String,
    parameters: Vec<String>,
}

/// The templates; an error for a parameter that none of them has.
fn templates(target: &Target, settings: &Settings, arguments: &Arguments) -> Result<Vec<Template>> {
    let mut templates = Vec::new();
    for preset in &target.presets {
        let template = match &arguments.templates {
            None => {
                let template = synth::checked(*preset, settings)?;
                let fields = template.get("Parameters").map(Json::fields).unwrap_or_default();
                let parameters = fields.iter().map(|(name, _)| name.clone()).collect();
                Template { preset: *preset, text: template.compact(), parameters }
            }
            Some(folder) => {
                let path = folder.join(file_name(*preset));
                read_template(*preset, &path).with_context(|| format!("template {}", path.display()))?
            }
        };
        templates.push(template);
    }
    let ours = |name: &str| ["CodeBucket", "CodeKey", "ImageUri"].contains(&name);
    let mut known: Vec<&String> = templates.iter().flat_map(|template| &template.parameters).collect();
    known.retain(|name| !ours(name));
    known.sort();
    known.dedup();
    if let Some((name, _)) = arguments.parameters.iter().find(|(name, _)| !known.contains(&name)) {
        let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
        let what = format!("--parameter {name}: the stacks have no such parameter to give");
        return Err(Hint::new(what, format!("there are {}", known.join(", "))).into());
    }
    Ok(templates)
}

fn read_template(preset: Preset, path: &Path) -> Result<Template> {
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        Hint::new(format!("is no JSON: {error}"), "write it anew with `millrace synth`, and change that")
    })?;
    let parameters = value["Parameters"].as_object().map(|fields| fields.keys().cloned().collect());
    Ok(Template { preset, text: value.to_string(), parameters: parameters.unwrap_or_default() })
}

/// Works out what is to be done to one stack, once it can be changed.
fn plan(
    arguments: &Arguments,
    target: &Target,
    bucket: &Bucket<'_>,
    template: &Template,
    placed: Option<&Placed>,
    before: &[Plan],
) -> Result<Plan> {
    let preset = template.preset;
    let name = target.stack_name(preset);
    let found = ready(arguments, target, preset, &name)?;
    let creates = found.as_ref().is_none_or(Stack::is_empty);
    let url = code::place_template(&target.program, bucket, &name, &template.text)?;
    let mut parameters: Vec<Value> = Vec::new();
    for key in &template.parameters {
        let given = arguments.parameters.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let value = match (key.as_str(), placed) {
            ("CodeBucket", Some(_)) => Some(bucket.name.to_owned()),
            ("CodeKey", Some(placed)) => Some(placed.key().to_owned()),
            ("ImageUri", _) => arguments.image.clone(),
            _ => given,
        };
        let is_kept = found.as_ref().is_some_and(|found| found.has_parameter(key));
        match value {
            Some(value) => parameters.push(json!({ "ParameterKey": key, "ParameterValue": value })),
            None if is_kept => parameters.push(json!({ "ParameterKey": key, "UsePreviousValue": true })),
            None if key == LOG_ROLE => {
                let makes = !before.iter().any(|plan| plan.creates) && !has_log_role(target);
                let value = if makes { "create" } else { "present" };
                parameters.push(json!({ "ParameterKey": key, "ParameterValue": value }));
            }
            None => {}
        }
    }
    let mut request = json!({ "TemplateURL": url, "Capabilities": ["CAPABILITY_NAMED_IAM"], "Parameters": parameters });
    if !arguments.tags.is_empty() {
        let tag = |(key, value): &(String, String)| json!({ "Key": key, "Value": value });
        request["Tags"] = arguments.tags.iter().map(tag).collect();
    }
    if let Some(role) = &arguments.role_arn {
        request["RoleARN"] = role.as_str().into();
    }
    let set = changes::make(&target.program, &name, creates, request, CHANGE_SET_WAIT)?;
    Ok(Plan { preset, name, creates, set })
}

/// The stack, once nobody is changing it: one that never came up is removed first, because it cannot be changed.
fn ready(arguments: &Arguments, target: &Target, preset: Preset, name: &str) -> Result<Option<Stack>> {
    let program = &target.program;
    let Some(mut found) = stack::find(program, name)? else { return Ok(None) };
    if found.is_changing() {
        writeln!(anstream::stderr(), "stack {name} is {}: waiting for it", found.status)?;
        let view = View::new(preset_name(preset), 0);
        found = stack::follow(program, &found.id)?.until_settled(&view, target.wait)?.stack;
    }
    let stuck = match found.status.as_str() {
        "UPDATE_ROLLBACK_FAILED" => {
            Some(format!("run `aws cloudformation continue-update-rollback --stack-name {name}`, then deploy again"))
        }
        "DELETE_FAILED" => Some("finish it with `millrace destroy`, then deploy again".to_owned()),
        _ => None,
    };
    if let Some(hint) = stuck {
        let reason = found.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        return Err(Hint::new(format!("is {}{reason}", found.status), hint).into());
    }
    if !found.is_dead() {
        return Ok(Some(found).filter(|found| !found.is_gone()));
    }
    let question =
        format!("stack {name} never came up ({}) and must be removed before it can be made. Remove it?", found.status);
    writeln!(anstream::stderr(), "stack {name} is {}: it never came up, and holds nothing", found.status)?;
    if arguments.dry_run {
        let what = format!("is {}: what would change can only be shown when it is removed", found.status);
        return Err(Hint::new(what, "leave out --dry-run").into());
    }
    if !arguments.yes && !confirm(&question, "--yes")? {
        return Err(Hint::new("nothing was changed: the answer was no", "").into());
    }
    let view = View::new(preset_name(preset), 0);
    let ended = stack::delete(program, &found, arguments.role_arn.as_deref(), &view, target.wait)?;
    if !ended.stack.is_gone() {
        return Err(failed(preset, &ended, "remove what is named by hand, then deploy again"));
    }
    Ok(None)
}

/// Whether API Gateway has a role by which it writes logs, and that role is there. If that cannot be found out it is made.
fn has_log_role(target: &Target) -> bool {
    let account = target.program.try_ask::<Value>("apigateway", "get-account", &json!({}));
    let Ok(Ok(account)) = account else { return false };
    let Some(role) = account["cloudwatchRoleArn"].as_str().and_then(|arn| arn.rsplit('/').next()) else { return false };
    matches!(target.program.try_ask::<Value>("iam", "get-role", &json!({ "RoleName": role })), Ok(Ok(_)))
}

fn show(plans: &[Plan]) -> Result<()> {
    let mut stderr = anstream::stderr();
    for plan in plans {
        match &plan.set {
            None => writeln!(stderr, "stack {}: no changes", plan.name)?,
            Some(set) => {
                let what = if plan.creates { "is made" } else { "changes" };
                writeln!(stderr, "stack {} {what}, {} resources:", plan.name, set.changes.len())?;
                changes::show(&mut stderr, &set.changes)?;
            }
        }
    }
    Ok(())
}

fn asked_to(target: &Target, plans: &[Plan]) -> Result<bool> {
    confirm("make these changes?", "--yes").inspect_err(|_| discard(target, plans))
}

fn discard(target: &Target, plans: &[Plan]) {
    plans.iter().filter_map(|plan| plan.set.as_ref()).for_each(|set| set.discard(&target.program));
}

/// Makes the changes, one stack after the other. When one fails, those behind it are left as they are.
fn carry_out(target: &Target, plans: Vec<Plan>) -> Result<Vec<Done>> {
    let mut done = Vec::new();
    let mut plans = plans.into_iter();
    while let Some(plan) = plans.next() {
        let Some(set) = plan.set.as_ref() else {
            done.push(plan.done(Outcome::Unchanged));
            continue;
        };
        let ended = {
            let view = View::new(preset_name(plan.preset), set.changes.len());
            set.execute(&target.program).and_then(|mut following| following.until_settled(&view, target.wait))
        };
        let ended = ended.and_then(|ended| if ended.stack.is_well() { Ok(()) } else { Err(unwell(&plan, &ended)) });
        if let Err(error) = ended.with_context(|| format!("stack {}", plan.name)) {
            discard(target, plans.as_slice());
            return Err(error);
        }
        let outcome = if plan.creates { Outcome::Created } else { Outcome::Updated };
        let word = if plan.creates { "is made" } else { "is up to date" };
        writeln!(anstream::stderr(), "stack {} {word}", plan.name)?;
        done.push(plan.done(outcome));
    }
    Ok(done)
}

fn unwell(plan: &Plan, ended: &stack::Ended) -> anyhow::Error {
    let next = if plan.creates {
        "mend what is named and deploy again: what was made of it is removed"
    } else {
        "the stack is as it was before; mend what is named and deploy again"
    };
    failed(plan.preset, ended, next)
}

impl Plan {
    fn done(self, result: Outcome) -> Done {
        let changes = self.set.map(|set| set.changes).unwrap_or_default();
        Done { preset: self.preset, stack: self.name, result, changes }
    }

    fn shown(self) -> Done {
        let outcome = if self.set.is_some() { Outcome::Shown } else { Outcome::Unchanged };
        self.done(outcome)
    }
}
