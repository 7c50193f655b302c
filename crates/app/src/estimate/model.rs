//! How much of each service a month takes: from the topology, the template, the volumes and what is assumed.

use anyhow::Result;
use engine::pipeline::preset::Preset;
use engine::pipeline::topology::{self, Topology};
use infra::json::Json;
use infra::{Architecture, Package, Settings, synth};

use super::{Line, List};
use crate::complain::Hint;

const GB: f64 = 1e9;

/// Files of `files` are archived after so many months, and those of `market` expire after one.
const MONTHS_TO_ARCHIVE: f64 = 3.0;

/// What comes in a month.
#[derive(Debug, Clone)]
pub(super) struct Volumes {
    pub(super) files: f64,
    pub(super) file_bytes: f64,
    pub(super) rows: f64,
    pub(super) requests: f64,
    pub(super) month: f64,
    pub(super) architecture: Architecture,
}

/// A bill in the making.
struct Draft<'a> {
    preset: Preset,
    list: &'a List,
    lines: Vec<Line>,
}

impl Draft<'_> {
    fn assumed(&self, name: &str) -> Result<f64> {
        self.list.assumptions.get(name).copied().ok_or_else(|| missing("assumption", name))
    }

    fn line(&mut self, service: &'static str, what: &'static str, price: &str, quantity: f64) -> Result<()> {
        let price = self.list.prices.get(price).copied().ok_or_else(|| missing("price", price))?;
        if quantity > 0.0 {
            self.lines.push(Line { preset: self.preset, service, what, quantity, price, cost: quantity * price });
        }
        Ok(())
    }
}

fn missing(what: &str, name: &str) -> anyhow::Error {
    Hint::new(format!("the list has no {what} {name}"), "begin with what --print-prices prints").into()
}

/// What is counted first, because several services follow from it.
struct Work {
    stages: f64,
    records: f64,
    messages: f64,
    calls: f64,
    gb_seconds: f64,
}

/// The lines of one preset.
pub(super) fn lines(preset: Preset, volumes: &Volumes, list: &List) -> Result<Vec<Line>> {
    let topology = Topology::of(preset);
    let environment = "dev".parse().map_err(|error: infra::settings::Error| anyhow::anyhow!("{error}"))?;
    let settings = Settings { environment, architecture: volumes.architecture, package: Package::Zip };
    let template = synth(preset, &settings);
    let mut draft = Draft { preset, list, lines: Vec::new() };
    let work = work(&draft, topology, volumes)?;
    compute(&mut draft, topology, volumes, &work)?;
    storage(&mut draft, volumes, &work)?;
    messages(&mut draft, topology, volumes, &work)?;
    tables(&mut draft, &template, volumes, &work)?;
    watch(&mut draft, topology, &template, volumes, &work)?;
    Ok(draft.lines)
}

fn work(draft: &Draft<'_>, topology: &Topology, volumes: &Volumes) -> Result<Work> {
    let stages = 3.0;
    // of market, rows of files and requests become records, each written for itself
    let is_market = draft.preset == Preset::Market;
    let records = if is_market { volumes.files * volumes.rows + volumes.requests } else { 0.0 };
    let per_message = draft.assumed("records_per_message")?.max(1.0);
    let messages = if is_market {
        volumes.files * (volumes.rows / per_message).ceil() + volumes.requests
    } else {
        volumes.files * 2.0
    };
    let of_schedule: f64 =
        topology.schedules.iter().map(|one| 30.0 * 86_400.0 / f64::from(one.every_seconds.max(1))).sum();
    let of_stages = if is_market { volumes.files + messages } else { volumes.files * stages };
    let calls = of_stages + of_schedule + volumes.requests;
    let speed = draft.assumed("stage_bytes_per_second")?.max(1.0);
    let base = draft.assumed("stage_seconds_base")?;
    let reads = if is_market { 2.0 } else { stages };
    let seconds = calls * base + volumes.files * volumes.file_bytes / speed * reads;
    let memory = topology.functions.first().map_or(512, |function| function.memory_mb);
    Ok(Work { stages, records, messages, calls, gb_seconds: seconds * f64::from(memory) / 1024.0 })
}

fn compute(draft: &mut Draft<'_>, topology: &Topology, volumes: &Volumes, work: &Work) -> Result<()> {
    let price = match volumes.architecture {
        Architecture::Arm64 => "lambda_gb_second_arm64",
        Architecture::X86 => "lambda_gb_second_x86_64",
    };
    draft.line("Lambda", "calls", "lambda_request", work.calls)?;
    draft.line("Lambda", "GB-seconds", price, work.gb_seconds)?;
    if !topology.routes.is_empty() {
        draft.line("API Gateway", "requests", "api_request", volumes.requests)?;
    }
    if topology.workflow.is_some() {
        let base = draft.assumed("stage_seconds_base")?;
        let speed = draft.assumed("stage_bytes_per_second")?.max(1.0);
        let seconds = volumes.files * work.stages * (base + volumes.file_bytes / speed);
        draft.line("Step Functions", "executions", "states_request", volumes.files)?;
        // an execution is counted with 64 MB
        draft.line("Step Functions", "GB-seconds", "states_gb_second", seconds * 64.0 / 1024.0)?;
    }
    Ok(())
}

fn storage(draft: &mut Draft<'_>, volumes: &Volumes, work: &Work) -> Result<()> {
    let monthly = volumes.files * volumes.file_bytes / GB;
    let results = monthly * draft.assumed("results_share_of_file")?;
    let (standard, archived) = match draft.preset {
        Preset::Files => (volumes.month.min(MONTHS_TO_ARCHIVE), (volumes.month - MONTHS_TO_ARCHIVE).max(0.0)),
        Preset::Market => (1.0, 0.0),
        Preset::Transactions => (volumes.month, 0.0),
    };
    draft.line("S3", "GB of files", "s3_gb_month", monthly * standard)?;
    draft.line("S3", "GB of results", "s3_gb_month", results * volumes.month)?;
    draft.line("S3", "GB archived", "s3_archive_gb_month", monthly * archived)?;
    if archived > 0.0 {
        draft.line("S3", "files archived", "s3_archive_transition", volumes.files)?;
    }
    draft.line("S3", "writes", "s3_put", volumes.files * (1.0 + work.stages))?;
    // a function reads in pieces of 8 MiB
    let pieces = (volumes.file_bytes / (8.0 * 1024.0 * 1024.0)).ceil().max(1.0);
    draft.line("S3", "reads", "s3_get", volumes.files * pieces * work.stages)
}

fn messages(draft: &mut Draft<'_>, topology: &Topology, volumes: &Volumes, work: &Work) -> Result<()> {
    let polled = topology.queues.iter().filter(|queue| matches!(queue.role, topology::Role::Work { .. }));
    let (fifo, standard): (Vec<_>, Vec<_>) = polled.partition(|queue| queue.fifo);
    let empty = draft.assumed("empty_receives_per_queue")?;
    // sent, received, deleted
    let of = |queues: usize| if queues == 0 { 0.0 } else { work.messages * 3.0 + empty * queues as f64 };
    draft.line("SQS", "requests to FIFO queues", "sqs_fifo_request", of(fifo.len()))?;
    draft.line("SQS", "requests to standard queues", "sqs_request", of(standard.len()))?;
    if topology.bus.is_some() {
        // one for each message of rows, one for the end of each file
        draft.line("EventBridge", "events", "events_event", work.messages + volumes.files)?;
    }
    if topology.topic.is_some() {
        draft.line("SNS", "messages", "sns_publish", volumes.files)?;
    }
    Ok(())
}

fn tables(draft: &mut Draft<'_>, template: &Json, volumes: &Volumes, work: &Work) -> Result<()> {
    let steps = match draft.preset {
        Preset::Market => volumes.files + work.messages,
        _ => volumes.files * work.stages,
    };
    let per_record = draft.assumed("write_units_per_record")?;
    let writes = steps * draft.assumed("ledger_write_units_per_stage")? + work.records * per_record;
    let reads = steps * draft.assumed("ledger_read_units_per_stage")? + volumes.requests;
    let bytes =
        volumes.files * draft.assumed("ledger_bytes_per_file")? + work.records * draft.assumed("bytes_per_record")?;
    draft.line("DynamoDB", "write units", "dynamodb_write_unit", writes)?;
    draft.line("DynamoDB", "read units", "dynamodb_read_unit", reads)?;
    draft.line("DynamoDB", "GB", "dynamodb_gb_month", bytes / GB * volumes.month)?;
    draft.line("DynamoDB", "GB of backups", "dynamodb_backup_gb_month", bytes / GB * volumes.month)?;
    // one rule for what is asked most and one for what is throttled, for each part of the key
    let keys = |table: &Json| table.at("Properties.KeySchema").map_or(0, |schema| schema.values().len());
    let rules: usize = of_type(template, "AWS::DynamoDB::Table").map(|table| keys(table) * 2).sum();
    draft.line("DynamoDB", "rules of contributor insights", "dynamodb_insight_rule_month", rules as f64)
}

fn watch(draft: &mut Draft<'_>, topology: &Topology, template: &Json, volumes: &Volumes, work: &Work) -> Result<()> {
    let log_bytes = (work.calls + volumes.requests) * draft.assumed("log_bytes_per_call")?;
    draft.line("CloudWatch", "GB of logs", "logs_gb", log_bytes / GB)?;
    let filters = of_type(template, "AWS::Logs::MetricFilter").count() as f64;
    let buckets = of_type(template, "AWS::S3::Bucket").count() as f64;
    let metrics = topology.functions.len() as f64 * draft.assumed("metrics_per_function")?
        + buckets * draft.assumed("s3_request_metrics_per_bucket")?
        + filters;
    draft.line("CloudWatch", "metrics", "metric_month", metrics)?;
    let of_alarm = |alarm: &Json| alarm.at("Properties.Metrics").map_or(1, |metrics| metrics.values().len());
    let alarms: usize = of_type(template, "AWS::CloudWatch::Alarm").map(of_alarm).sum();
    draft.line("CloudWatch", "metrics of alarms", "alarm_metric_month", alarms as f64)?;
    // one call in twenty and the first of each second are traced
    draft.line("X-Ray", "traces", "trace", work.calls * 0.05)
}

fn of_type<'a>(template: &'a Json, kind: &'a str) -> impl Iterator<Item = &'a Json> {
    let resources = template.get("Resources").map(Json::fields).unwrap_or_default();
    let is_it = move |resource: &&Json| resource.get("Type").and_then(Json::text) == Some(kind);
    resources.iter().map(|(_, resource)| resource).filter(is_it)
}

#[cfg(test)]
mod tests {
    use infra::preset_name;

    use super::*;

    fn list() -> List {
        serde_json::from_str(super::super::PRICES).unwrap()
    }

    fn total(preset: Preset, volumes: &Volumes) -> f64 {
        lines(preset, volumes, &list()).unwrap().iter().map(|line| line.cost).sum()
    }

    fn volumes() -> Volumes {
        let architecture = Architecture::Arm64;
        Volumes { files: 1e4, file_bytes: 1e6, rows: 1e4, requests: 1e5, month: 1.0, architecture }
    }

    #[test]
    fn more_of_anything_costs_more() {
        for preset in Preset::ALL {
            let base = total(preset, &volumes());
            assert!(base > 1.0 && base < 10_000.0, "{}: {base}", preset_name(preset));
            let more = [
                Volumes { files: 2e4, ..volumes() },
                Volumes { file_bytes: 2e6, ..volumes() },
                Volumes { requests: 2e5, ..volumes() },
                Volumes { month: 12.0, ..volumes() },
                Volumes { architecture: Architecture::X86, ..volumes() },
            ];
            for more in more {
                assert!(total(preset, &more) > base, "{}: {more:?}", preset_name(preset));
            }
        }
        assert!(total(Preset::Market, &Volumes { rows: 2e4, ..volumes() }) > total(Preset::Market, &volumes()));
    }

    #[test]
    fn every_line_is_its_quantity_times_its_price() {
        let nothing = Volumes { files: 0.0, requests: 0.0, ..volumes() };
        for line in lines(Preset::Files, &nothing, &list()).unwrap() {
            assert_eq!(line.cost, line.quantity * line.price, "{}: {}", line.service, line.what);
            assert!(!["S3", "API Gateway"].contains(&line.service), "nothing came, and {} costs", line.service);
        }
        let known = lines(Preset::Files, &volumes(), &list()).unwrap();
        let found = known.iter().find(|line| line.what == "GB of files").unwrap();
        assert_eq!((found.quantity, found.price), (10.0, 0.023));
        let found = known.iter().find(|line| line.service == "API Gateway").unwrap();
        assert!((found.cost - 0.35).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_list_without_a_price_is_refused() {
        let mut short = list();
        short.prices.remove("s3_put");
        let error = lines(Preset::Files, &volumes(), &short).unwrap_err();
        assert_eq!(error.to_string(), "the list has no price s3_put");
    }
}
