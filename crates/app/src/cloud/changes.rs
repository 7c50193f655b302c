//! Change sets: what would change is made by the cloud, shown, and then carried out or thrown away.

use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::program::Program;
use super::stack;
use crate::complain::Hint;
use crate::table::{self, Cell};

const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(3);

const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();

/// A change set that can be carried out.
#[derive(Debug)]
pub(super) struct ChangeSet {
    id: String,
    stack_id: String,
    creates: bool,
    /// What it would change.
    pub(super) changes: Vec<Change>,
}

/// One change, as it is shown and told.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    action: String,
    resource: String,
    #[serde(rename = "type")]
    kind: String,
    replaces: bool,
    properties: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Made {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "StackId")]
    stack_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    status: String,
    status_reason: Option<String>,
    #[serde(default)]
    changes: Vec<Wrapped>,
}

#[derive(Debug, Deserialize)]
struct Wrapped {
    #[serde(rename = "ResourceChange")]
    change: Option<ResourceChange>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceChange {
    action: String,
    #[serde(rename = "LogicalResourceId")]
    resource: String,
    #[serde(rename = "ResourceType")]
    kind: String,
    replacement: Option<String>,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
struct Detail {
    #[serde(rename = "Target")]
    target: Option<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    #[serde(rename = "Attribute")]
    attribute: Option<String>,
    #[serde(rename = "Name")]
    name: Option<String>,
}

impl From<ResourceChange> for Change {
    fn from(change: ResourceChange) -> Self {
        let named = change.details.into_iter().filter_map(|detail| detail.target);
        let mut properties: Vec<String> = named.filter_map(|target| target.name.or(target.attribute)).collect();
        properties.sort();
        properties.dedup();
        Self {
            replaces: change.replacement.is_some_and(|word| word != "False"),
            action: change.action.to_lowercase(),
            resource: change.resource,
            kind: change.kind,
            properties,
        }
    }
}

/// Has the cloud work out what a request would change; none if nothing would.
pub(super) fn make(
    program: &Program,
    name: &str,
    creates: bool,
    mut request: Value,
    limit: Duration,
) -> Result<Option<ChangeSet>> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    request["StackName"] = name.into();
    request["ChangeSetName"] = format!("millrace-{}", since.as_millis()).into();
    request["ChangeSetType"] = if creates { "CREATE" } else { "UPDATE" }.into();
    let Made { id, stack_id } = program.ask("cloudformation", "create-change-set", &request)?;
    let mut set = ChangeSet { id, stack_id, creates, changes: Vec::new() };
    let described = match settled(program, &set.id, limit) {
        Ok(described) => described,
        Err(error) => {
            set.discard(program);
            return Err(error);
        }
    };
    if described.status == "FAILED" {
        set.discard(program);
        let reason = described.status_reason.unwrap_or_else(|| "the cloud gave no reason".to_owned());
        if reason.contains("didn't contain changes") || reason.contains("No updates are to be performed") {
            return Ok(None);
        }
        let hint = "nothing was changed. If the reason names a parameter, give it with --parameter; if it names a right, \
                    take another --profile or --role-arn";
        return Err(Hint::new(format!("the change set failed: {reason}"), hint).into());
    }
    set.changes = described.changes.into_iter().filter_map(|wrapped| wrapped.change).map(Change::from).collect();
    Ok(Some(set))
}

/// The change set when the cloud has worked it out.
fn settled(program: &Program, id: &str, limit: Duration) -> Result<Described> {
    let began = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        let described: Described =
            program.ask("cloudformation", "describe-change-set", &json!({ "ChangeSetName": id }))?;
        match described.status.as_str() {
            "CREATE_COMPLETE" | "FAILED" => return Ok(described),
            "CREATE_PENDING" | "CREATE_IN_PROGRESS" if began.elapsed() < limit => {}
            status => {
                let what = format!("change set {id} is {status} after {} s", began.elapsed().as_secs());
                return Err(Hint::new(what, "nothing was changed; give the same command again").into());
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(PAUSE_MAX);
    }
}

impl ChangeSet {
    /// Throws it away, and the stack with it that exists only for it. What cannot be thrown away does no harm.
    pub(super) fn discard(&self, program: &Program) {
        let request = json!({ "ChangeSetName": self.id });
        let _: Result<Value> = program.ask("cloudformation", "delete-change-set", &request);
        if self.creates
            && stack::find(program, &self.stack_id).is_ok_and(|found| found.is_some_and(|one| one.is_empty()))
        {
            let _: Result<Value> =
                program.ask("cloudformation", "delete-stack", &json!({ "StackName": self.stack_id }));
        }
    }

    /// Begins to carry it out; answers what follows the events of its stack from before that on.
    pub(super) fn execute<'a>(&self, program: &'a Program) -> Result<stack::Following<'a>> {
        let following = stack::follow(program, &self.stack_id)?;
        let _: Value =
            program.ask("cloudformation", "execute-change-set", &json!({ "ChangeSetName": self.id })).context(
                "nothing \
                was changed",
            )?;
        Ok(following)
    }
}

/// Shows what would change.
pub(super) fn show(to: &mut dyn Write, changes: &[Change]) -> std::io::Result<()> {
    let row = |change: &Change| {
        let (word, style) = match change.action.as_str() {
            "add" | "import" => ("add", GREEN),
            "remove" => ("remove", RED),
            _ if change.replaces => ("REPLACE", RED),
            _ => ("change", YELLOW),
        };
        vec![
            Cell::styled(word, style),
            change.resource.as_str().into(),
            change.kind.as_str().into(),
            change.properties.join(" ").into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = changes.iter().map(row).collect();
    table::print(to, &["change", "resource", "type", "of what"], &rows)?;
    if changes.iter().any(|change| change.replaces || change.action == "remove") {
        writeln!(to, "{RED}what is replaced or removed loses what is in it{RED:#}")?;
    }
    Ok(())
}
