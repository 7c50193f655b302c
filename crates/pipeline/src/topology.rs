//! What runs where, as data: the engine runs it, the template renders it, the dashboard and the docs draw it.
//!
//! Names are without the suffix of the environment; who makes a thing of them appends `-dev` or the like.

mod check;
mod presets;
#[cfg(test)]
mod tests;
mod uses;

use crate::preset::{Preset, Stage};

pub use check::Fault;
pub use uses::{FUNCTION_VARIABLE, Holds, Use, Variable};

/// Everything one preset needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The preset.
    pub preset: Preset,
    /// Where its files come in.
    pub bucket: Bucket,
    /// Where stages write what they make of them, in the cloud. Apart from the files, because there every object that is
    /// written to their bucket sets the first stage to work, and because an archived object cannot be read at once.
    pub results: Bucket,
    /// What runs.
    pub functions: Vec<Function>,
    /// Queues, those of dead letters among them.
    pub queues: Vec<Queue>,
    /// What happens by the clock.
    pub schedules: Vec<Schedule>,
    /// Tables of records.
    pub tables: Vec<Table>,
    /// The workflow in which stages call each other, if they do.
    pub workflow: Option<Workflow>,
    /// Where rows that can be queried are announced, if they are.
    pub bus: Option<&'static str>,
    /// Where those who wait for files are told, if they are.
    pub topic: Option<&'static str>,
    /// The bus by which files that are begun anew get to their first stage. Nothing else is on it.
    pub anew: &'static str,
    /// The name of the door that the routes are ways through.
    pub api: &'static str,
    /// Ways in by HTTP.
    pub routes: Vec<Route>,
    /// What is watched.
    pub alarms: Vec<Alarm>,
    /// For how many days logs are kept.
    pub log_days: u32,
    /// Tags of everything, and where a value is none of ours to know, none.
    pub tags: Vec<(&'static str, Option<&'static str>)>,
}

/// A bucket: always versioned and encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: &'static str,
    /// What becomes of old objects.
    pub lifecycle: Option<Lifecycle>,
}

/// What becomes of old objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// After so many days they go where storage is cheap and reading is slow.
    Archive(u32),
    /// After so many days they are deleted.
    Expire(u32),
}

/// Something that runs when it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The stage it does; none for one that only answers requests.
    pub stage: Option<Stage>,
    /// Memory in MB.
    pub memory_mb: u32,
    /// Seconds it may take.
    pub timeout_seconds: u32,
    /// What calls it.
    pub triggers: Vec<Trigger>,
    /// What it sends, and how.
    pub sends: Vec<(Stage, Via)>,
    /// What it reads, writes and tells.
    pub uses: Vec<Use>,
    /// Where calls go that failed for good, unless they came from a queue, which has its own.
    pub dead_letters: Option<&'static str>,
}

/// What calls a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// An object was written; tried so often.
    ObjectCreated {
        /// Attempts, the first included.
        attempts_max: u32,
    },
    /// Messages of a queue.
    Queue {
        /// Which.
        name: &'static str,
        /// So many at a time at most.
        batch_max: u32,
    },
    /// A schedule, by name.
    Schedule(&'static str),
    /// A route of the same topology, by its path.
    Route(&'static str),
    /// The workflow in which stages call each other in order; an object that was written starts it, and so does an event
    /// about a file that is begun anew.
    Workflow,
    /// An event about a file that is begun anew.
    Anew,
}

/// How a message gets to its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Through a queue.
    Queue(&'static str),
    /// As the next state of the workflow.
    Workflow,
    /// As an event that begins a file anew.
    Anew,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: &'static str,
    /// Whether it keeps the order of each group.
    pub fifo: bool,
    /// Seconds for which a received message is nobody else's.
    pub visibility_seconds: u32,
    /// Days for which a message is kept.
    pub retention_days: u32,
    /// What it is for.
    pub role: Role,
}

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Messages between stages.
    Work {
        /// Receives after which a message is a dead letter.
        receives_max: u32,
        /// Where it goes then.
        dead_letters: &'static str,
    },
    /// Dead letters: read by people.
    DeadLetters,
}

/// The source that our events name.
pub const EVENT_SOURCE: &str = "millrace";

/// What an event is called that begins a file anew; its detail is the message.
pub const ANEW_EVENT: &str = "file.begun_anew";

/// Seconds that a workflow may take, as the cloud limits it.
pub const WORKFLOW_SECONDS_MAX: u32 = 300;

/// Seconds that a function of the workflow has more than its stage: it is the workflow that ends an attempt, for what the
/// workflow ends it does not try again; and what it has given up does not go on for longer.
pub const OUTLIVES_SECONDS: u32 = 1;

/// Stages that call each other in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workflow {
    /// Its name.
    pub name: &'static str,
    /// Attempts at one stage, the first included.
    pub attempts_max: u32,
    /// Seconds that an attempt at each stage may take, in order. All stages together, and what is to be done when one fails,
    /// have [`WORKFLOW_SECONDS_MAX`]: past that the workflow ends without a dead letter, past one of these with one.
    pub stage_seconds: [u32; 3],
    /// Where what failed for good goes.
    pub dead_letters: &'static str,
    /// The function that tells the receipt of a file that a stage has given it up.
    pub failures_told_by: &'static str,
    /// Seconds that it may take for that.
    pub failure_seconds: u32,
}

/// Something that happens again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name.
    pub name: &'static str,
    /// Seconds from one time to the next.
    pub every_seconds: u32,
}

/// The type of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// Text.
    Text,
    /// A decimal number.
    Number,
}

/// A key of a table or of an index: a name and its type.
pub type Key = (&'static str, KeyType);

/// A table of records: paid by use, encrypted, can be restored to any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub holds: Holds,
    /// The key that decides where a record is.
    pub partition: Key,
    /// The key that orders records of one partition.
    pub sort: Option<Key>,
    /// The field with the second in which a record expires.
    pub expires_by: Option<&'static str>,
    /// Indexes: their name, partition and sort key. A range of times needs a partition beside the time.
    pub indexes: Vec<(&'static str, Key, Key)>,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As the service says for all.
    Open,
    /// Requests signed with credentials of the cloud.
    Signed,
    /// An API key.
    ApiKey,
}

/// How often a route may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Requests in a second, by all callers together.
    PerSecond(u32),
    /// Requests in a day, by each key.
    PerDayAndKey(u32),
}

/// A way in by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// How often.
    pub rate: Rate,
    /// Whether pages of other origins may call it.
    pub cors: bool,
    /// What a request must have.
    pub requires: &'static [Required],
}

/// What a request must have to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// A query parameter.
    Query(&'static str),
    /// A header.
    Header(&'static str),
    /// If the body is JSON, these fields, which are text.
    Fields(&'static [&'static str]),
}

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// A function that fails in more than so many percent of its calls.
    ErrorsPercent {
        /// The function.
        function: &'static str,
        /// The threshold.
        percent: u32,
    },
    /// Lines of a function's log that match are counted.
    LogMatches {
        /// The function.
        function: &'static str,
        /// What is looked for.
        pattern: &'static str,
        /// Where the count is kept.
        namespace: &'static str,
    },
    /// A dead letter that nobody has looked at.
    DeadLetters {
        /// The queue.
        queue: &'static str,
    },
    /// The workflow ran out of its time.
    WorkflowLate,
}
