//! What functions read, write and tell, and by which variables they are told where it is. Rights follow from this, and
//! nothing else gives them.

use super::{Function, Topology, Trigger, Via};

/// The variable that says which function a process is: the name of [`Function`], without the suffix.
pub const FUNCTION_VARIABLE: &str = "MILLRACE_FUNCTION";

/// What is in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// What the port `Ledger` keeps: records by kind and id, sources that were committed, messages not yet sent. The
    /// partition is the kind and the first part of the id, so that one page is one query; sources and sent messages expire.
    Ledger,
    /// One record for each file, for those who ask where it is: written in the transaction that changes the receipt.
    Status,
    /// Rows that can be queried. Those of `market` are records of the ledger, written with the commit that they are part of;
    /// those of `transactions` are written before the commit that makes them count, which says so in an item beside them.
    Rows,
}

/// What a function needs. What it receives is among its triggers, what it sends to stages among its sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Reads files as they came.
    ReadFiles,
    /// Takes files in.
    WriteFiles,
    /// Reads results in a folder.
    ReadResults(&'static str),
    /// Writes results into a folder.
    WriteResults(&'static str),
    /// Reads a table.
    Read(Holds),
    /// Writes a table in the transaction of a commit; the ledger is read too, for a commit depends on what stands there.
    Write(Holds),
    /// Writes many items of a table before the commit that makes them count, and what says so with that.
    Fill(Holds),
    /// Announces rows on the event bus.
    Announce,
    /// Tells those who wait for files.
    Notify,
}

/// What a variable of a function stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// The name of the bucket of files.
    Files,
    /// The name of the bucket of results.
    Results,
    /// The name of a table.
    Table(Holds),
    /// The URL of the queue, by its name, that the function sends to.
    Queue(&'static str),
    /// The name of the event bus.
    Bus,
    /// The ARN of the topic.
    Topic,
    /// The name of the bus for files that are begun anew.
    Anew,
    /// The origin whose pages may read answers, of a function that answers on a route with CORS.
    Origin,
}

impl Variable {
    /// What the variable is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "MILLRACE_FILES_BUCKET",
            Self::Results => "MILLRACE_RESULTS_BUCKET",
            Self::Table(Holds::Ledger) => "MILLRACE_LEDGER_TABLE",
            Self::Table(Holds::Status) => "MILLRACE_STATUS_TABLE",
            Self::Table(Holds::Rows) => "MILLRACE_ROWS_TABLE",
            Self::Queue(_) => "MILLRACE_QUEUE_URL",
            Self::Bus => "MILLRACE_EVENT_BUS",
            Self::Topic => "MILLRACE_TOPIC_ARN",
            Self::Anew => "MILLRACE_ANEW_BUS",
            Self::Origin => "MILLRACE_ALLOWED_ORIGIN",
        }
    }
}

impl Use {
    /// The variable that says where it is.
    fn variable(self) -> Variable {
        match self {
            Self::ReadFiles | Self::WriteFiles => Variable::Files,
            Self::ReadResults(_) | Self::WriteResults(_) => Variable::Results,
            Self::Read(holds) | Self::Write(holds) | Self::Fill(holds) => Variable::Table(holds),
            Self::Announce => Variable::Bus,
            Self::Notify => Variable::Topic,
        }
    }
}

impl Topology {
    /// The variables by which a function is told where things are, in order.
    pub fn variables(&self, function: &Function) -> Vec<Variable> {
        let ways = function.sends.iter().filter_map(|(_, via)| match via {
            Via::Queue(name) => Some(Variable::Queue(name)),
            Via::Anew => Some(Variable::Anew),
            Via::Workflow => None,
        });
        let mut variables: Vec<Variable> = function.uses.iter().map(|need| need.variable()).chain(ways).collect();
        let answers = |path: &'static str| function.triggers.contains(&Trigger::Route(path));
        let cors = self.routes.iter().any(|route| route.cors && answers(route.path));
        variables.extend(cors.then_some(Variable::Origin));
        variables.sort_unstable();
        variables.dedup();
        variables
    }

    /// The table that holds this, if there is one.
    pub fn table(&self, holds: Holds) -> Option<&super::Table> {
        self.tables.iter().find(|table| table.holds == holds)
    }
}
