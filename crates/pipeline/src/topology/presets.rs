//! The topologies of the three presets: every figure stands here once.

use std::sync::LazyLock;

use super::{
    Access, Alarm, Bucket, Function, Holds, KeyType, Lifecycle, OUTLIVES_SECONDS, Queue, Rate, Required, Role, Route,
    Schedule, Table, Topology, Trigger, Use, Via, Workflow,
};
use crate::preset::{Preset, Stage};

/// Receives after which a message is a dead letter, and attempts at a call that no queue is in front of.
const ATTEMPTS_MAX: u32 = 3;
/// Seconds a function that works on files may take.
const WORK_SECONDS: u32 = 300;
/// Messages that a function gets at once.
const BATCH_MAX: u32 = 10;

impl Topology {
    /// The topology of a preset. Made once: it is asked for with every request.
    pub fn of(preset: Preset) -> &'static Self {
        static FILES: LazyLock<Topology> = LazyLock::new(files);
        static MARKET: LazyLock<Topology> = LazyLock::new(market);
        static TRANSACTIONS: LazyLock<Topology> = LazyLock::new(transactions);
        match preset {
            Preset::Files => &FILES,
            Preset::Market => &MARKET,
            Preset::Transactions => &TRANSACTIONS,
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
    let (sends, uses) = (Vec::new(), Vec::new());
    Function { name, stage, memory_mb, timeout_seconds, triggers, sends, uses, dead_letters: None }
}

/// What parsing a file needs: the file, and folders for what comes of it.
fn parsing(more: &[Use]) -> Vec<Use> {
    let folders = ["validated", "rejects", "reports"].map(Use::WriteResults);
    [&[Use::ReadFiles], &folders[..], &[Use::Write(Holds::Ledger)], more].concat()
}

/// What working out the contribution of a file needs.
fn contributing(more: &[Use]) -> Vec<Use> {
    let folders = [Use::ReadResults("validated"), Use::WriteResults("contributions")];
    [&folders[..], &[Use::Write(Holds::Ledger)], more].concat()
}

fn ledger(name: &'static str) -> Table {
    Table {
        name,
        holds: Holds::Ledger,
        partition: ("recordGroup", KeyType::Text),
        sort: Some(("recordId", KeyType::Text)),
        expires_by: Some("expirationTime"),
        indexes: Vec::new(),
    }
}

/// An alarm for every queue of dead letters.
fn dead_letter_alarms(queues: &[Queue]) -> impl Iterator<Item = Alarm> {
    let dead = queues.iter().filter(|queue| queue.role == Role::DeadLetters);
    dead.map(|queue| Alarm::DeadLetters { queue: queue.name })
}
fn files() -> Topology {
    // a message must not come again while a function may still be at it: six times as long, as the cloud advises
    let visibility_seconds = 6 * WORK_SECONDS;
    let batch = |name| vec![Trigger::Queue { name, batch_max: BATCH_MAX }];
    let route = |path, requires| {
        let (access, rate) = (Access::Open, Rate::PerSecond(1000));
        Route { method: "GET", path, access, rate, cors: true, requires }
    };
    let queues = vec![
        work("validator-to-processor", true, visibility_seconds, "processor-dlq"),
        work("processor-to-aggregator", true, visibility_seconds, "aggregator-dlq"),
        // events of the object store come without a group, so these dead letters have no order to keep
        dead("validator-dlq", false),
        dead("processor-dlq", true),
        dead("aggregator-dlq", true),
    ];
    Topology {
        preset: Preset::Files,
        bucket: Bucket { name: "file-processing-bucket", lifecycle: Some(Lifecycle::Archive(90)) },
        results: Bucket { name: "file-processing-results", lifecycle: None },
        functions: vec![
            Function {
                sends: vec![(Stage::Process, Via::Queue("validator-to-processor")), (Stage::Validate, Via::Anew)],
                uses: parsing(&[Use::Write(Holds::Status)]),
                dead_letters: Some("validator-dlq"),
                ..function(
                    "file-validator",
                    Some(Stage::Validate),
                    vec![Trigger::ObjectCreated { attempts_max: ATTEMPTS_MAX }, Trigger::Anew],
                )
            },
            Function {
                sends: vec![(Stage::Aggregate, Via::Queue("processor-to-aggregator"))],
                uses: contributing(&[Use::Write(Holds::Status)]),
                ..function("data-processor", Some(Stage::Process), batch("validator-to-processor"))
            },
            Function {
                sends: vec![(Stage::Validate, Via::Anew)],
                uses: vec![Use::ReadResults("contributions"), Use::Write(Holds::Ledger), Use::Write(Holds::Status)],
                ..function("result-aggregator", Some(Stage::Aggregate), batch("processor-to-aggregator"))
            },
            Function {
                timeout_seconds: 30,
                uses: vec![Use::Read(Holds::Ledger), Use::Read(Holds::Status)],
                ..function("status-query", None, vec![Trigger::Route("/status"), Trigger::Route("/status/{proxy+}")])
            },
        ],
        alarms: dead_letter_alarms(&queues).collect(),
        queues,
        schedules: Vec::new(),
        tables: vec![
            Table {
                name: "processing-status",
                holds: Holds::Status,
                partition: ("fileId", KeyType::Text),
                sort: None,
                expires_by: Some("expirationTime"),
                indexes: Vec::new(),
            },
            ledger("files-ledger"),
        ],
        workflow: None,
        bus: None,
        topic: None,
        anew: "files-anew",
        api: "processing-api",
        routes: vec![route("/status", &[Required::Query("fileId")]), route("/status/{proxy+}", &[])],
        log_days: 7,
        tags: vec![("Environment", Some("Production")), ("Team", Some("Analytics"))],
    }
}

fn market() -> Topology {
    let names = ["DataIngestion", "DataProcessor", "DataAggregator"];
    let (pattern, namespace) = ("?ERROR ?Exception", "MarketAnalytics");
    let queues = vec![work("ProcessingQueue", false, WORK_SECONDS, "ProcessingDLQ"), dead("ProcessingDLQ", false)];
    let watched = names.map(|function| Alarm::LogMatches { function, pattern, namespace });
    Topology {
        preset: Preset::Market,
        bucket: Bucket { name: "market-data", lifecycle: Some(Lifecycle::Expire(30)) },
        results: Bucket { name: "market-results", lifecycle: Some(Lifecycle::Expire(30)) },
        functions: market_functions(names),
        alarms: watched.into_iter().chain(dead_letter_alarms(&queues)).collect(),
        queues,
        schedules: vec![Schedule { name: "aggregate", every_seconds: 300 }],
        tables: vec![
            Table {
                name: "MarketDataState",
                holds: Holds::Rows,
                partition: ("symbol", KeyType::Text),
                sort: Some(("timestamp", KeyType::Number)),
                expires_by: None,
                indexes: Vec::new(),
            },
            ledger("market-ledger"),
        ],
        workflow: None,
        bus: Some("market-events"),
        topic: None,
        anew: "market-anew",
        api: "market-api",
        routes: vec![Route {
            method: "POST",
            path: "/ingest",
            access: Access::Signed,
            rate: Rate::PerSecond(10_000),
            cors: false,
            requires: &[],
        }],
        log_days: 7,
        tags: vec![("Environment", Some("Production")), ("Project", Some("MarketAnalytics"))],
    }
}

fn market_functions(names: [&'static str; 3]) -> Vec<Function> {
    let large = |name, stage, triggers| Function { memory_mb: 3072, ..function(name, Some(stage), triggers) };
    vec![
        Function {
            sends: vec![(Stage::Process, Via::Queue("ProcessingQueue")), (Stage::Ingest, Via::Anew)],
            // the rows it has written are what it sends
            uses: parsing(&[Use::ReadResults("validated"), Use::Announce]),
            dead_letters: Some("ProcessingDLQ"),
            ..large(
                names[0],
                Stage::Ingest,
                vec![Trigger::ObjectCreated { attempts_max: ATTEMPTS_MAX }, Trigger::Anew, Trigger::Route("/ingest")],
            )
        },
        Function {
            uses: vec![Use::Write(Holds::Ledger), Use::Write(Holds::Rows), Use::Announce],
            ..large(names[1], Stage::Process, vec![Trigger::Queue { name: "ProcessingQueue", batch_max: BATCH_MAX }])
        },
        Function {
            sends: vec![(Stage::Ingest, Via::Anew)],
            uses: vec![Use::ReadResults("validated"), Use::Write(Holds::Ledger), Use::Read(Holds::Rows), Use::Announce],
            dead_letters: Some("ProcessingDLQ"),
            ..large(names[2], Stage::Aggregate, vec![Trigger::Schedule("aggregate")])
        },
    ]
}

fn transactions() -> Topology {
    let names = ["csv-validator", "data-transformer", "notification-sender", "upload"];
    let stage_seconds = [150, 110, 20];
    let in_workflow = |at: usize, stage| Function {
        dead_letters: Some("transactions-dlq"),
        timeout_seconds: stage_seconds[at] + OUTLIVES_SECONDS,
        ..function(names[at], Some(stage), vec![Trigger::Workflow])
    };
    let queues = vec![dead("transactions-dlq", false)];
    let watched = names.map(|function| Alarm::ErrorsPercent { function, percent: 5 });
    Topology {
        preset: Preset::Transactions,
        bucket: Bucket { name: "transactions", lifecycle: None },
        results: Bucket { name: "transaction-results", lifecycle: None },
        functions: vec![
            Function {
                sends: vec![(Stage::Transform, Via::Workflow), (Stage::Validate, Via::Anew)],
                // the ids that other files of the feed have taken are results of theirs
                uses: parsing(&[
                    Use::ReadResults("validated"),
                    Use::Write(Holds::Status),
                    Use::Write(Holds::Rows),
                    Use::Notify,
                ]),
                ..in_workflow(0, Stage::Validate)
            },
            Function {
                sends: vec![(Stage::Notify, Via::Workflow), (Stage::Validate, Via::Anew)],
                uses: contributing(&[Use::Write(Holds::Status), Use::Fill(Holds::Rows), Use::Notify]),
                ..in_workflow(1, Stage::Transform)
            },
            Function {
                // each of them may change what files count
                uses: vec![Use::Write(Holds::Ledger), Use::Write(Holds::Status), Use::Write(Holds::Rows), Use::Notify],
                ..in_workflow(2, Stage::Notify)
            },
            Function {
                uses: vec![Use::WriteFiles, Use::Write(Holds::Status)],
                ..function(names[3], None, vec![Trigger::Route("/upload")])
            },
        ],
        alarms: watched.into_iter().chain([Alarm::WorkflowLate]).chain(dead_letter_alarms(&queues)).collect(),
        queues,
        schedules: Vec::new(),
        tables: transaction_tables(),
        workflow: Some(Workflow {
            name: "transaction-processing",
            attempts_max: ATTEMPTS_MAX,
            stage_seconds,
            dead_letters: "transactions-dlq",
            failures_told_by: names[2],
            failure_seconds: 10,
        }),
        bus: None,
        topic: Some("transaction-notifications"),
        anew: "transactions-anew",
        api: "transactions-api",
        routes: vec![Route {
            method: "POST",
            path: "/upload",
            access: Access::ApiKey,
            rate: Rate::PerDayAndKey(1000),
            cors: false,
            // a JSON body asks for a place to upload to, for what is larger than a request may be
            requires: &[Required::Header("Content-Type"), Required::Fields(&["fileName"])],
        }],
        log_days: 7,
        tags: vec![("Environment", None), ("Application", None), ("CostCenter", None)],
    }
}

fn transaction_tables() -> Vec<Table> {
    // partitioned by day, so that a range of times is a few queries and not a scan
    let by_day = || vec![("by-day", ("day", KeyType::Text), ("timestamp", KeyType::Text))];
    vec![
        Table {
            name: "transactions",
            holds: Holds::Rows,
            partition: ("transaction_id", KeyType::Text),
            // one row for each file that had it: which of them counts is said beside them
            sort: Some(("file", KeyType::Text)),
            expires_by: None,
            indexes: by_day(),
        },
        Table {
            name: "transaction-status",
            holds: Holds::Status,
            partition: ("file_id", KeyType::Text),
            sort: None,
            expires_by: Some("expirationTime"),
            indexes: by_day(),
        },
        ledger("transactions-ledger"),
    ]
}
