//! `millrace destroy`: shows what will go, empties the buckets, deletes the stacks, and says what is left.

use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use clap::Args;
use engine::pipeline::preset::Preset;
use infra::preset_name;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::program::Refusal;
use super::stack::{self, Stack};
use super::view::View;
use super::{Place, Target, code, confirm, existing, failed, outputs};
use crate::complain::Hint;
use crate::size;
use crate::table;

/// Versions that are deleted with one call; S3 takes no more.
const VERSIONS_MAX: usize = 1000;

/// Times a stack is deleted: a function that was still at work may have written into a bucket after it was emptied.
const TRIES: usize = 3;

const RED: Style = AnsiColor::Red.on_default();

/// Arguments of `millrace destroy`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  millrace destroy --env acme-dev                      # what would go\n  \
                        millrace destroy --env acme-dev --yes-delete-data")]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The role that CloudFormation takes on.
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Delete the stacks without asking, unless there is something in their buckets.
    #[arg(long)]
    yes: bool,
    /// Delete all versions of all files in the buckets too. They cannot be had back.
    #[arg(long)]
    yes_delete_data: bool,
}

#[derive(Debug, Deserialize)]
struct Resources {
    #[serde(rename = "StackResourceSummaries", default)]
    resources: Vec<Resource>,
}

#[derive(Debug, Clone, Deserialize)]
struct Resource {
    #[serde(rename = "PhysicalResourceId", default)]
    name: String,
    #[serde(rename = "ResourceType")]
    kind: String,
    #[serde(rename = "ResourceStatus", default)]
    status: String,
}

/// What is in a bucket: a page of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    #[serde(default)]
    versions: Vec<Version>,
    #[serde(default)]
    delete_markers: Vec<Version>,
    #[serde(rename = "NextToken")]
    next: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Version {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "VersionId")]
    version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Deleted {
    #[serde(rename = "Errors", default)]
    errors: Vec<Kept>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    key: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

/// A stack that will go, with what it holds.
struct Doomed {
    preset: Preset,
    stack: Stack,
    resources: Vec<Resource>,
    /// The buckets, with how many versions their first page has and whether there are more.
    buckets: Vec<(String, usize, bool)>,
}

#[derive(Debug, Serialize)]
struct Summary {
    environment: String,
    region: String,
    stacks: Vec<Gone>,
    left: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Gone {
    preset: Preset,
    stack: String,
    versions_deleted: usize,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let target = arguments.place.target()?;
    let caller = target.caller()?;
    let mut doomed = Vec::new();
    for (preset, stack) in existing(&target, &target.presets)? {
        doomed.push(look(&target, preset, stack)?);
    }
    show(&doomed)?;
    let is_data = doomed.iter().any(|one| one.buckets.iter().any(|(_, versions, _)| *versions > 0));
    if is_data && !arguments.yes_delete_data {
        let what = "nothing was deleted: there are files in the buckets, and they cannot be had back";
        return Err(Hint::new(what, "copy what you need (aws s3 sync), then say --yes-delete-data").into());
    }
    let is_asked = doomed.is_empty() || arguments.yes || arguments.yes_delete_data;
    if !is_asked && !confirm("delete all of this?", "--yes")? {
        return Err(Hint::new("nothing was deleted: the answer was no", "").into());
    }
    let mut stacks = Vec::new();
    // the last one that was made goes first
    for one in doomed.iter().rev() {
        let name = target.stack_name(one.preset);
        let versions_deleted = remove(&arguments, &target, one).with_context(|| format!("stack {name}"))?;
        writeln!(anstream::stderr(), "stack {name} is gone")?;
        stacks.push(Gone { preset: one.preset, stack: name, versions_deleted });
    }
    outputs::refresh(&target, &arguments.place.out)?;
    let left = left(&target, &caller.account)?;
    for what in &left {
        writeln!(anstream::stderr(), "left: {what}")?;
    }
    if arguments.place.json {
        let environment = target.environment.as_str().to_owned();
        let summary = Summary { environment, region: target.program.region().to_owned(), stacks, left };
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, &summary)?;
        writeln!(stdout)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a stack holds.
fn look(target: &Target, preset: Preset, stack: Stack) -> Result<Doomed> {
    let request = json!({ "StackName": stack.id });
    let Resources { mut resources } = target.program.ask("cloudformation", "list-stack-resources", &request)?;
    resources.retain(|resource| resource.status != "DELETE_COMPLETE" && !resource.name.is_empty());
    let mut buckets = Vec::new();
    for bucket in resources.iter().filter(|resource| resource.kind == "AWS::S3::Bucket") {
        let page = page(target, &bucket.name)?.unwrap_or_default();
        let is_more = page.next.is_some();
        buckets.push((bucket.name.clone(), page.versions.len() + page.delete_markers.len(), is_more));
    }
    Ok(Doomed { preset, stack, resources, buckets })
}

/// The first versions and markers of a bucket; none if there is no such bucket.
fn page(target: &Target, bucket: &str) -> Result<Option<Versions>> {
    let answer: Result<Option<Versions>, Refusal> =
        target.program.try_first("s3api", "list-object-versions", &json!({ "Bucket": bucket }), VERSIONS_MAX)?;
    match answer {
        Ok(page) => Ok(Some(page.unwrap_or_default())),
        Err(refusal) if refusal.is_missing() => Ok(None),
        Err(refusal) => Err(target.program.explain("s3api", "list-object-versions", &refusal))
            .with_context(|| format!("bucket {bucket}")),
    }
}

fn show(doomed: &[Doomed]) -> Result<()> {
    let mut stderr = anstream::stderr();
    if doomed.is_empty() {
        writeln!(stderr, "there is no stack to delete")?;
    }
    for one in doomed {
        let Doomed { stack, resources, buckets, .. } = one;
        let status = &stack.status;
        writeln!(
            stderr,
            "{RED}will go{RED:#}: stack {}, {} resources ({status})",
            preset_name(one.preset),
            resources.len()
        )?;
        let mut rows: Vec<Vec<table::Cell>> = Vec::new();
        for (bucket, versions, is_more) in buckets {
            let what = match versions {
                0 => "empty".to_owned(),
                count => format!("{}{} versions", size::count(*count as u64), if *is_more { " or more" } else { "" }),
            };
            rows.push(vec!["bucket".into(), bucket.as_str().into(), what.into()]);
        }
        for resource in resources.iter().filter(|resource| resource.kind == "AWS::DynamoDB::Table") {
            rows.push(vec!["table".into(), resource.name.as_str().into(), "with all that is in it".into()]);
        }
        for resource in resources.iter().filter(|resource| resource.kind == "AWS::SQS::Queue") {
            rows.push(vec!["queue".into(), resource.name.as_str().into(), "with all that waits in it".into()]);
        }
        if !rows.is_empty() {
            table::print(&mut stderr, &["kind", "name", "holds"], &rows)?;
        }
    }
    Ok(())
}

/// Empties the buckets of a stack and deletes it; answers how many versions were deleted.
fn remove(arguments: &Arguments, target: &Target, one: &Doomed) -> Result<usize> {
    let view = View::new(preset_name(one.preset), one.resources.len());
    let mut deleted = 0;
    let mut tried = 0;
    loop {
        if arguments.yes_delete_data {
            for (bucket, ..) in &one.buckets {
                deleted += empty(target, bucket, &view)?;
            }
        }
        let ended = stack::delete(&target.program, &one.stack, arguments.role_arn.as_deref(), &view, target.wait)?;
        if ended.stack.is_gone() {
            return Ok(deleted);
        }
        tried += 1;
        let is_filled = ended.failures.iter().any(|event| event.kind == "AWS::S3::Bucket");
        if tried == TRIES || !is_filled || !arguments.yes_delete_data {
            let next = if is_filled {
                "something is in the bucket again: see that nobody writes into it, then give the same command again"
            } else {
                "remove what is named by hand, or mend the reason, then give the same command again"
            };
            return Err(failed(one.preset, &ended, next));
        }
    }
}

/// Deletes every version and every delete marker of a bucket, page by page.
fn empty(target: &Target, bucket: &str, view: &View) -> Result<usize> {
    let mut deleted = 0;
    while let Some(page) = page(target, bucket)? {
        let objects: Vec<Version> = page.versions.into_iter().chain(page.delete_markers).collect();
        if objects.is_empty() {
            break;
        }
        for objects in objects.chunks(VERSIONS_MAX) {
            let request = json!({ "Bucket": bucket, "Delete": { "Objects": objects, "Quiet": true } });
            let answer: Option<Deleted> = target.program.ask_at_length("s3api", "delete-objects", &request)?;
            if let Some(kept) = answer.unwrap_or_default().errors.into_iter().next() {
                let said = |text: Option<String>| text.unwrap_or_default();
                let what = format!(
                    "{} of bucket {bucket} is kept: {} ({})",
                    said(kept.key),
                    said(kept.message),
                    said(kept.code)
                );
                return Err(
                    Hint::new(what, "what is gone is gone; mend the reason, then give the same command again").into()
                );
            }
            deleted += objects.len();
            view.count("versions deleted", deleted);
        }
    }
    Ok(deleted)
}

/// What costs money or stands in the way and is no part of a stack.
fn left(target: &Target, account: &str) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for (preset, stack) in existing(target, &Preset::ALL)? {
        left.push(format!("stack {} ({})", target.stack_name(preset), stack.status));
    }
    let bucket = code::default_bucket(&target.program, account);
    let request = json!({ "Bucket": bucket, "ExpectedBucketOwner": account });
    let there: Result<Value, Refusal> = target.program.try_ask("s3api", "head-bucket", &request)?;
    if there.is_ok() {
        left.push(format!(
            "bucket {bucket} with programs and templates, of all environments; without them: aws s3 rb --force s3://{bucket}"
        ));
    }
    Ok(left)
}
