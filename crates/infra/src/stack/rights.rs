//! What each function may do: exactly what its topology says that it reads, writes, sends, receives and tells.

use pipeline::preset::Preset;
use pipeline::topology::{self, Holds, Trigger, Use, Via};

use super::{Stack, functions};
use crate::names::capitals;
use crate::policy::{Statement, no_destruction};
use crate::reference::Text;
use crate::resources::buckets::Bucket;

/// What sending a message takes.
pub(super) const SEND: [&str; 1] = ["sqs:SendMessage"];
/// What a mapping does in the name of the function.
const RECEIVE: [&str; 4] =
    ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"];
/// What traces take, which are of no resource.
const TRACE: [&str; 2] = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
const READ_OBJECTS: [&str; 2] = ["s3:GetObject", "s3:GetObjectVersion"];
const WRITE_OBJECTS: [&str; 2] = ["s3:PutObject", "s3:AbortMultipartUpload"];

/// Traces, which every role of ours that runs anything may write.
pub(super) fn trace() -> Statement {
    Statement::allow("Trace", &TRACE, vec!["*".into()])
}

/// The statements of the role of a function.
pub(super) fn of_function(stack: &Stack<'_>, function: &topology::Function) -> Vec<Statement> {
    let logs = stack.logs(function.name).arn();
    let mut statements =
        vec![Statement::allow("WriteLogs", &["logs:CreateLogStream", "logs:PutLogEvents"], vec![logs.into()]), trace()];
    for trigger in &function.triggers {
        if let Trigger::Queue { name, .. } = trigger {
            let sid = format!("Receive{}", capitals(name));
            statements.push(Statement::allow(sid, &RECEIVE, vec![stack.queue(name).arn().into()]));
        }
    }
    for (_, via) in &function.sends {
        match via {
            Via::Queue(name) => statements.push(send(stack, name)),
            // the bus is for nothing else, so its name narrows it as far as can be
            Via::Anew => {
                let bus = stack.bus(stack.topology.anew).arn();
                statements.push(Statement::allow("BeginAnew", &["events:PutEvents"], vec![bus.into()]));
            }
            Via::Workflow => {}
        }
    }
    if functions::attempts(function).is_some() {
        statements.extend(function.dead_letters.map(|name| send(stack, name)));
    }
    if functions::tells_own_failures(function) {
        // the function names its role, so the role has the name of the function
        let own = format!(
            "arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{}",
            stack.named(function.name)
        );
        statements.push(Statement::allow("TellOwnFailures", &["lambda:InvokeFunction"], vec![Text::substituted(own)]));
    }
    statements.extend(on_objects(stack, function));
    statements.extend(on_tables(stack, function));
    for need in &function.uses {
        match (need, stack.topology.bus, stack.topology.topic) {
            (Use::Announce, Some(bus), _) => {
                let bus = stack.bus(bus).arn();
                statements.push(Statement::allow("Announce", &["events:PutEvents"], vec![bus.into()]));
            }
            (Use::Notify, _, Some(topic)) => {
                let topic = stack.topic(topic).reference();
                statements.push(Statement::allow("Notify", &["sns:Publish"], vec![topic.into()]));
            }
            _ => {}
        }
    }
    statements.push(no_destruction());
    statements
}

/// Sending to a queue.
pub(super) fn send(stack: &Stack<'_>, queue: &str) -> Statement {
    Statement::allow(format!("Send{}", capitals(queue)), &SEND, vec![stack.queue(queue).arn().into()])
}

/// Objects: files as a whole, results by their folder.
fn on_objects(stack: &Stack<'_>, function: &topology::Function) -> Vec<Statement> {
    let files = stack.named(stack.topology.bucket.name);
    let results = stack.named(stack.topology.results.name);
    let folders = |wanted: fn(&Use) -> Option<&'static str>| -> Vec<Text> {
        function.uses.iter().filter_map(wanted).map(|name| Bucket::objects(&results, &format!("{name}/"))).collect()
    };
    let read = folders(|need| if let Use::ReadResults(folder) = need { Some(folder) } else { None });
    let written = folders(|need| if let Use::WriteResults(folder) = need { Some(folder) } else { None });
    let reads_files = function.uses.contains(&Use::ReadFiles);
    let mut statements = Vec::new();
    if reads_files {
        statements.push(Statement::allow("ReadFiles", &READ_OBJECTS, vec![Bucket::objects(&files, "")]));
    }
    if function.uses.contains(&Use::WriteFiles) {
        statements.push(Statement::allow("WriteFiles", &WRITE_OBJECTS, vec![Bucket::objects(&files, "")]));
    }
    // without it, an object that is gone is told as one that must not be read
    let mut seen: Vec<Text> = Vec::new();
    seen.extend(reads_files.then(|| Bucket::arn(&files).into()));
    seen.extend((!read.is_empty()).then(|| Bucket::arn(&results).into()));
    if !read.is_empty() {
        statements.push(Statement::allow("ReadResults", &READ_OBJECTS, read));
    }
    if !written.is_empty() {
        statements.push(Statement::allow("WriteResults", &WRITE_OBJECTS, written));
    }
    if !seen.is_empty() {
        statements.push(Statement::allow("SeeWhatIsGone", &["s3:ListBucket"], seen));
    }
    statements
}

fn on_tables(stack: &Stack<'_>, function: &topology::Function) -> Vec<Statement> {
    let mut statements = Vec::new();
    for need in &function.uses {
        let (holds, verb, actions): (_, _, &[&'static str]) = match *need {
            // pages are queries
            Use::Read(Holds::Ledger) => (Holds::Ledger, "Read", &["dynamodb:GetItem", "dynamodb:Query"]),
            // a commit is a transaction of these, under conditions; bulk goes before it in batches
            Use::Write(Holds::Ledger) => (
                Holds::Ledger,
                "Write",
                &[
                    "dynamodb:GetItem",
                    "dynamodb:Query",
                    "dynamodb:ConditionCheckItem",
                    "dynamodb:PutItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:BatchWriteItem",
                ],
            ),
            Use::Read(Holds::Status) => (Holds::Status, "Read", &["dynamodb:GetItem"]),
            Use::Write(Holds::Status) => (Holds::Status, "Write", &["dynamodb:PutItem"]),
            Use::Read(Holds::Rows) => (Holds::Rows, "Read", &["dynamodb:Query"]),
            // they are part of the commit, which looks at what is in its way
            Use::Write(Holds::Rows) if stack.topology.preset == Preset::Market => {
                (Holds::Rows, "Write", &["dynamodb:GetItem", "dynamodb:PutItem"])
            }
            Use::Write(Holds::Rows) => (Holds::Rows, "Write", &["dynamodb:PutItem"]),
            Use::Fill(Holds::Rows) => (Holds::Rows, "Fill", &["dynamodb:PutItem", "dynamodb:BatchWriteItem"]),
            _ => continue,
        };
        if let Some(table) = stack.topology.table(holds) {
            let arn = stack.table(table).arn();
            statements.push(Statement::allow(format!("{verb}{holds:?}"), actions, vec![arn.into()]));
        }
    }
    statements
}
