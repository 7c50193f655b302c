//! Where things are at rest: buckets, tables and queues.

use pipeline::topology::{self, KeyType, Lifecycle, Role, Trigger};

use super::Stack;
use crate::names::{logical_id, queue_name};
use crate::policy::{Statement, document, tls_only};
use crate::reference::{Arn, Handle};
use crate::resources::buckets::{self, Bucket, BucketPolicy};
use crate::resources::events::Rule;
use crate::resources::queues::{Queue, QueuePolicy};
use crate::resources::tables::Table;

const DAY_SECONDS: u32 = 24 * 60 * 60;

pub(super) fn add(stack: &mut Stack<'_>) {
    let topology = stack.topology;
    add_bucket(stack, &topology.bucket, true);
    add_bucket(stack, &topology.results, false);
    topology.tables.iter().for_each(|table| add_table(stack, table));
    topology.queues.iter().for_each(|queue| add_queue(stack, queue));
}

/// The permission by which the bucket of files calls the first function.
pub(super) fn permission_id(function: &str) -> String {
    logical_id(function, "BucketPermission")
}

fn add_bucket(stack: &mut Stack<'_>, bucket: &topology::Bucket, takes_files: bool) {
    let name = stack.named(bucket.name);
    let handle: Handle<Bucket> = Handle::new(logical_id(bucket.name, "Bucket"));
    let called = stack.functions().iter().find(|function| {
        takes_files && function.triggers.iter().any(|trigger| matches!(trigger, Trigger::ObjectCreated { .. }))
    });
    let resource = Bucket {
        name: name.clone(),
        lifecycle: bucket.lifecycle.map(|lifecycle| match lifecycle {
            Lifecycle::Archive(days) => buckets::Lifecycle::Glacier(days),
            Lifecycle::Expire(days) => buckets::Lifecycle::Expire(days),
        }),
        notifies: called.map(|function| stack.function(function.name).arn()),
        has_events: takes_files && stack.topology.workflow.is_some(),
        tags: stack.tags(),
    };
    let added = stack.template.add(&handle, resource);
    if let Some(function) = called {
        // the bucket asks whether it may call when it is made
        added.after(&[&permission_id(function.name)]);
    }
    let everything = || vec![Bucket::arn(&name).into(), Bucket::objects(&name, "")];
    let old_tls = Statement::deny("DenyOldTls", &["s3:*"], everything()).to_everybody().when(
        "NumericLessThan",
        "s3:TlsVersion",
        "1.2",
    );
    let policy = document(vec![tls_only("s3:*", everything()), old_tls]);
    let policy_handle = Handle::new(format!("{}Policy", handle.id()));
    stack.template.add(&policy_handle, BucketPolicy { bucket: handle.reference(), policy });
}

fn add_table(stack: &mut Stack<'_>, table: &topology::Table) {
    let key = |(name, kind): topology::Key| match kind {
        KeyType::Text => (name, "S"),
        KeyType::Number => (name, "N"),
    };
    let resource = Table {
        name: stack.named(table.name),
        partition: key(table.partition),
        sort: table.sort.map(key),
        expires_by: table.expires_by,
        indexes: table.indexes.iter().map(|(name, partition, sort)| (*name, key(*partition), key(*sort))).collect(),
        tags: stack.tags(),
    };
    let handle = stack.table(table);
    stack.template.add(&handle, resource);
}

fn add_queue(stack: &mut Stack<'_>, queue: &topology::Queue) {
    let handle = stack.queue(queue.name);
    let fills =
        |other: &&topology::Queue| matches!(other.role, Role::Work { dead_letters, .. } if dead_letters == queue.name);
    let sources = || -> Vec<Arn<Queue>> {
        let sources = stack.topology.queues.iter().filter(fills);
        sources.map(|source| Queue::arn(&queue_name(source, &stack.settings.environment))).collect()
    };
    let (redrive, takes_from) = match queue.role {
        Role::Work { receives_max, dead_letters } => (Some((stack.queue(dead_letters).arn(), receives_max)), None),
        Role::DeadLetters => (None, Some(sources())),
    };
    let resource = Queue {
        name: queue_name(queue, &stack.settings.environment),
        fifo: queue.fifo,
        visibility_seconds: queue.visibility_seconds,
        retention_seconds: queue.retention_days * DAY_SECONDS,
        redrive,
        takes_from,
        tags: stack.tags(),
    };
    stack.template.add(&handle, resource);
    let mut statements = vec![tls_only("sqs:*", vec![handle.arn().into()])];
    statements.extend(rules_with(stack, queue.name).into_iter().map(|rule| {
        Statement::allow(format!("Allow{}", rule.id()), &["sqs:SendMessage"], vec![handle.arn().into()])
            .to_service("events.amazonaws.com")
            .from_source(rule.arn())
    }));
    let policy_handle = Handle::new(format!("{}Policy", handle.id()));
    let policy = QueuePolicy { queue: handle.reference(), policy: document(statements) };
    stack.template.add(&policy_handle, policy);
}

/// The rules that put here what they could not deliver.
fn rules_with(stack: &Stack<'_>, queue: &str) -> Vec<Handle<Rule>> {
    let mut rules = Vec::new();
    for function in stack.functions().iter().filter(|function| function.dead_letters == Some(queue)) {
        for trigger in &function.triggers {
            match trigger {
                Trigger::Schedule(name) => rules.push(Handle::new(logical_id(name, "Schedule"))),
                Trigger::Anew => rules.push(stack.anew_rule()),
                _ => {}
            }
        }
    }
    if let Some(workflow) = stack.topology.workflow.filter(|workflow| workflow.dead_letters == queue) {
        rules.push(Handle::new(logical_id(workflow.name, "StartRule")));
        rules.push(stack.anew_rule());
    }
    rules
}
