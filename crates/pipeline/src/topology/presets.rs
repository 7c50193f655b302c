//! The topologies of the three presets: every figure stands here once.

use super::{
    Access, Alarm, Bucket, Function, KeyType, Lifecycle, Queue, Rate, Role, Route, Schedule, Table, Topology, Trigger,
    Via,
};
use crate::preset::{Preset, Stage};

/// Receives after which a message is a dead letter, and attempts at a call that no queue is in front of.
const ATTEMPTS_MAX: u32 = 3;
/// Seconds a function that works on files may take.
const WORK_SECONDS: u32 = 300;
/// Messages that a function gets at once.
const BATCH_MAX: u32 = 10;

impl Topology {
    /// The topology of a preset.
    pub fn of(preset: Preset) -> Self {
        match preset {
            Preset::Files => files(),
            Preset::Market => market(),
            Preset::Transactions => transactions(),
        }
    }
}

fn work(name: &'static str, fifo: bool, visibility_seconds: u32, dead_letters: &'static str) -> Queue {
    let role = Role::Work { receives_max: ATTEMPTS_MAX, dead_letters };
    Queue { name, fifo, visibility_seconds, retention_days: 4, role }
}

fn dead(name: &'static str, fifo: bool) -> Queue {
    Queue { name, fifo, visibility_seconds: 30, retention_days: 14, role: Role::DeadLetters }
}

/// A function of 512 MB and 300 s that sends nothing.
fn function(name: &'static str, stage: Option<Stage>, triggers: Vec<Trigger>) -> Function {
    let (memory_mb, timeout_seconds) = (512, WORK_SECONDS);
    Function { name, stage, memory_mb, timeout_seconds, triggers, sends: Vec::new(), dead_letters: None }
}

fn files() -> Topology {
    // a message must not come again while a function may still be at it: six times as long, as the cloud advises
    let visibility_seconds = 6 * WORK_SECONDS;
    let batch = |name| vec![Trigger::Queue { name, batch_max: BATCH_MAX }];
    let route = |path| Route { method: "GET", path, access: Access::Open, rate: Rate::PerSecond(1000) };
    Topology {
        preset: Preset::Files,
        bucket: Bucket { name: "file-processing-bucket", lifecycle: Some(Lifecycle::Archive(90)) },
        functions: vec![
            Function {
                sends: vec![(Stage::Process, Via::Queue("validator-to-processor"))],
                dead_letters: Some("validator-dlq"),
                ..function(
                    "file-validator",
                    Some(Stage::Validate),
                    vec![Trigger::ObjectCreated { attempts_max: ATTEMPTS_MAX }],
                )
            },
            Function {
                sends: vec![(Stage::Aggregate, Via::Queue("processor-to-aggregator"))],
                ..function("data-processor", Some(Stage::Process), batch("validator-to-processor"))
            },
            function("result-aggregator", Some(Stage::Aggregate), batch("processor-to-aggregator")),
            Function {
                timeout_seconds: 30,
                ..function("status-query", None, vec![Trigger::Route("/status"), Trigger::Route("/status/{proxy+}")])
            },
        ],
        queues: vec![
            work("validator-to-processor", true, visibility_seconds, "processor-dlq"),
            work("processor-to-aggregator", true, visibility_seconds, "aggregator-dlq"),
            // events of the object store come without a group, so these dead letters have no order to keep
            dead("validator-dlq", false),
            dead("processor-dlq", true),
            dead("aggregator-dlq", true),
        ],
        schedules: Vec::new(),
        tables: vec![Table {
            name: "processing-status",
            partition: ("fileId", KeyType::Text),
            sort: None,
            expires_by: Some("expirationTime"),
            indexes: Vec::new(),
        }],
        routes: vec![route("/status"), route("/status/{proxy+}")],
        alarms: Vec::new(),
        log_days: 7,
        tags: vec![("Environment", Some("Production")), ("Team", Some("Analytics"))],
    }
}

fn market() -> Topology {
    let names = ["DataIngestion", "DataProcessor", "DataAggregator"];
    let large = |name, stage, triggers| Function { memory_mb: 3072, ..function(name, Some(stage), triggers) };
    let (pattern, namespace) = ("?ERROR ?Exception", "MarketAnalytics");
    Topology {
        preset: Preset::Market,
        bucket: Bucket { name: "market-data", lifecycle: Some(Lifecycle::Expire(30)) },
        functions: vec![
            Function {
                sends: vec![(Stage::Process, Via::Queue("ProcessingQueue"))],
                dead_letters: Some("ProcessingDLQ"),
                ..large(
                    names[0],
                    Stage::Ingest,
                    vec![Trigger::ObjectCreated { attempts_max: ATTEMPTS_MAX }, Trigger::Route("/ingest")],
                )
            },
            large(names[1], Stage::Process, vec![Trigger::Queue { name: "ProcessingQueue", batch_max: BATCH_MAX }]),
            Function {
                dead_letters: Some("ProcessingDLQ"),
                ..large(names[2], Stage::Aggregate, vec![Trigger::Schedule("aggregate")])
            },
        ],
        queues: vec![work("ProcessingQueue", false, WORK_SECONDS, "ProcessingDLQ"), dead("ProcessingDLQ", false)],
        schedules: vec![Schedule { name: "aggregate", every_seconds: 300 }],
        tables: vec![Table {
            name: "MarketDataState",
            partition: ("symbol", KeyType::Text),
            sort: Some(("timestamp", KeyType::Number)),
            expires_by: None,
            indexes: Vec::new(),
        }],
        routes: vec![Route { method: "POST", path: "/ingest", access: Access::Signed, rate: Rate::PerSecond(10_000) }],
        alarms: names.map(|function| Alarm::LogMatches { function, pattern, namespace }).to_vec(),
        log_days: 7,
        tags: vec![("Environment", Some("Production")), ("Project", Some("MarketAnalytics"))],
    }
}

fn transactions() -> Topology {
    let in_workflow = |name, stage| Function {
        dead_letters: Some("transactions-dlq"),
        ..function(name, Some(stage), vec![Trigger::Workflow])
    };
    let names = ["csv-validator", "data-transformer", "notification-sender", "upload"];
    let by_time = |name, partition| (name, (partition, KeyType::Text), ("timestamp", KeyType::Text));
    Topology {
        preset: Preset::Transactions,
        bucket: Bucket { name: "transactions", lifecycle: None },
        functions: vec![
            Function { sends: vec![(Stage::Transform, Via::Workflow)], ..in_workflow(names[0], Stage::Validate) },
            Function { sends: vec![(Stage::Notify, Via::Workflow)], ..in_workflow(names[1], Stage::Transform) },
            in_workflow(names[2], Stage::Notify),
            function(names[3], None, vec![Trigger::Route("/upload")]),
        ],
        queues: vec![dead("transactions-dlq", false)],
        schedules: Vec::new(),
        tables: vec![
            Table {
                name: "transactions",
                partition: ("transaction_id", KeyType::Text),
                sort: None,
                expires_by: None,
                // partitioned by day, so that a range of times is a few queries and not a scan
                indexes: vec![by_time("by-day", "day")],
            },
            Table {
                name: "transaction-status",
                partition: ("file_id", KeyType::Text),
                sort: None,
                expires_by: Some("expirationTime"),
                indexes: vec![by_time("by-day", "day")],
            },
        ],
        routes: vec![Route { method: "POST", path: "/upload", access: Access::ApiKey, rate: Rate::PerDayAndKey(1000) }],
        alarms: names.map(|function| Alarm::ErrorsPercent { function, percent: 5 }).to_vec(),
        log_days: 7,
        tags: vec![("Environment", None), ("Application", None), ("CostCenter", None)],
    }
}
