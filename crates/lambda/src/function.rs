//! One function of a preset: what it was given, and how it does its stage on a message.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pipeline::Millis;
use pipeline::feed::Feeds;
use pipeline::handle::{Budget, Call, Pipeline};
use pipeline::memory::Memory;
use pipeline::message::Message;
use pipeline::ports::{self, Committed};
use pipeline::preset::Preset;
use pipeline::rows::records::Checker;
use pipeline::topology::{self, Holds, Topology, Trigger, Use, Via};

use crate::announce::Announcer;
use crate::bucket::Buckets;
use crate::ledger::{self, Ledger};
use crate::objects::Objects;
use crate::queue::Queue;
use crate::scratch;
use crate::table::Table;
use crate::trace::Tracer;

/// What a function is made of: what it does not use is not there, and costs nothing when it starts.
pub struct Parts {
    /// Its tables.
    pub table: Option<Box<dyn Table>>,
    /// The queue of the next stage.
    pub queue: Option<Arc<dyn Queue>>,
    /// The topic or the event bus, of a function that tells people.
    pub announcer: Option<Arc<dyn Announcer>>,
    /// The bus for files begun anew, of a function that may begin some.
    pub anew: Option<Arc<dyn Announcer>>,
    /// Its buckets.
    pub buckets: Option<Arc<dyn Buckets>>,
    /// The bucket that files come into.
    pub files: Option<String>,
    /// The bucket of results.
    pub results: Option<String>,
    /// Whose pages may read its answers.
    pub origin: Option<String>,
    /// The feeds.
    pub feeds: Feeds,
    /// Tells the time.
    pub now: fn() -> Millis,
    /// A number that no other process has.
    pub process: u64,
    /// Threads that parse.
    pub threads: usize,
    /// Where it is told what takes how long.
    pub tracer: Tracer,
}

/// A function, ready to be called.
pub struct Function {
    pub(crate) preset: Preset,
    pub(crate) function: &'static topology::Function,
    pub(crate) topology: &'static Topology,
    pub(crate) pipeline: Pipeline,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) queue: Option<Arc<dyn Queue>>,
    pub(crate) announcer: Option<Arc<dyn Announcer>>,
    pub(crate) buckets: Option<Arc<dyn Buckets>>,
    pub(crate) files: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) checker: Option<Checker>,
    pub(crate) now: fn() -> Millis,
    pub(crate) tracer: Tracer,
    objects: Option<Objects>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("name", &self.function.name).finish_non_exhaustive()
    }
}

/// Why a call failed: the cloud calls again, or puts it among the dead letters.
#[derive(Debug)]
pub struct Error {
    /// A stable name for what went wrong.
    pub code: &'static str,
    /// What went wrong, with its causes.
    pub text: String,
}

impl Error {
    /// An error of this name.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// What a panic said, which is a fault of ours.
    pub fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no more is known");
        Self::new("fault_of_millrace", text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl std::error::Error for Error {}

impl From<pipeline::handle::Error> for Error {
    fn from(error: pipeline::handle::Error) -> Self {
        Self { code: error.code(), text: chain(&error) }
    }
}

impl From<ports::Error> for Error {
    fn from(error: ports::Error) -> Self {
        pipeline::handle::Error::Port(error).into()
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The function of this name, and what it is part of.
pub fn find(name: &str) -> Option<(&'static Topology, &'static topology::Function)> {
    Preset::ALL.into_iter().map(Topology::of).find_map(|topology| {
        let function = topology.functions.iter().find(|function| function.name == name)?;
        Some((topology, function))
    })
}

impl Function {
    /// The function of this name; none if there is no such function.
    pub fn new(name: &str, parts: Parts) -> Option<Self> {
        let (topology, function) = find(name)?;
        let Parts { table, queue, announcer, anew, buckets, files, results, origin, feeds, .. } = parts;
        let Parts { now, process, threads, tracer, .. } = parts;
        let table = table.map(|table| tracer.table(table));
        let queue = queue.map(|queue| tracer.queue(queue));
        let to_topic = function.uses.contains(&Use::Notify);
        let asked = if to_topic { ("SNS", "Publish") } else { ("EventBridge", "PutEvents") };
        let announcer = announcer.map(|announcer| tracer.announcer(announcer, asked));
        let begins_anew = function.sends.iter().any(|(_, via)| *via == Via::Anew);
        let anew = anew.filter(|_| begins_anew).map(|bus| tracer.announcer(bus, ("EventBridge", "PutEvents")));
        let buckets = buckets.map(|buckets| tracer.buckets(buckets));
        let memory_bytes = usize::try_from(function.memory_mb).unwrap_or(512) * 1024 * 1024 / MEMORY_SHARE;
        let pipeline = Pipeline { feeds, budget: Budget { threads, memory: Memory::of_one(memory_bytes) } };
        let sends = function.sends.iter().filter(|(_, via)| matches!(via, Via::Queue(_))).map(|(stage, _)| *stage);
        let keeps_states = function.uses.contains(&Use::Write(Holds::Status));
        let status = topology.table(Holds::Status).filter(|_| keeps_states).map(|table| table.partition.0);
        let (of_ledger, sends) = (queue.clone(), sends.collect());
        let announcer =
            announcer.filter(|_| function.uses.iter().any(|need| matches!(need, Use::Announce | Use::Notify)));
        let tells = announcer.is_some();
        let is_rows =
            |need: &Use| matches!(need, Use::Read(Holds::Rows) | Use::Write(Holds::Rows) | Use::Fill(Holds::Rows));
        let uses_rows = function.uses.iter().any(is_rows);
        let keeps_rows = uses_rows && topology.preset == Preset::Market;
        let keeps_standings = uses_rows && topology.preset == Preset::Transactions;
        let parts = |table| {
            let queue = of_ledger;
            ledger::Parts { table, queue, sends, anew, status, keeps_rows, keeps_standings, now, process, tells }
        };
        let ledger = table.map(|table| Ledger::new(parts(table)));
        let objects =
            buckets.clone().map(|buckets| Objects::new(buckets, files.clone(), results.clone().unwrap_or_default()));
        let ingests = function.triggers.contains(&Trigger::Route("/ingest"));
        let checker = ingests.then(|| {
            let feed = pipeline.feeds.iter().find(|feed| feed.preset == Preset::Market);
            Checker::new(feed.and_then(|feed| feed.contract.as_ref()))
        });
        let preset = topology.preset;
        Some(Self {
            preset,
            function,
            topology,
            pipeline,
            ledger,
            queue,
            announcer,
            buckets,
            files,
            origin,
            checker,
            now,
            tracer,
            objects,
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.function.name
    }

    pub(crate) fn ledger(&self) -> Result<&Ledger, Error> {
        self.ledger.as_ref().ok_or_else(|| Error::new("no_ledger", format!("{} has no ledger", self.name())))
    }

    pub(crate) fn objects(&self) -> Result<&Objects, Error> {
        self.objects.as_ref().ok_or_else(|| Error::new("no_objects", format!("{} has no buckets", self.name())))
    }

    /// Does the stage on a message. A panic is an error: the next call finds the function as it was.
    pub(crate) fn handle(&self, message: &Message, attempt: u32) -> Result<Committed, Error> {
        self.handle_knowing(None, message, attempt)
    }

    /// The same, with the receipt of its file if that was committed just now.
    pub(crate) fn handle_knowing(
        &self,
        receipt: Option<&[u8]>,
        message: &Message,
        attempt: u32,
    ) -> Result<Committed, Error> {
        let stage = message.stage();
        if stage != (self.preset, self.function.stage.unwrap_or(stage.1)) || self.function.stage.is_none() {
            let text = format!("{} does not do {stage:?}; look at what sends to it", self.name());
            return Err(Error::new("wrong_stage", text));
        }
        let ledger = self.ledger()?;
        let none = || Error::new("no_objects", format!("{} has no buckets", self.name()));
        let nothing = NoObjects;
        let objects: &dyn ports::Objects = match &self.objects {
            Some(objects) => objects,
            // a stage that needs none has none
            None if self.function.uses.iter().all(|need| !is_of_objects(*need)) => &nothing,
            None => return Err(none()),
        };
        let (now, scratch) = (self.now, scratch::make);
        // where files are announced rows are too
        let announces = self.announcer.is_some() && self.function.uses.contains(&Use::Announce);
        let progress = &|_: &_, _, _| {};
        let call = Call { attempt, now: &now, objects, ledger, scratch: &scratch, progress, announces, receipt };
        self.tracer.stage(message, attempt, || {
            let handled = catch_unwind(AssertUnwindSafe(|| self.pipeline.handle(message, &call)));
            match handled {
                Ok(handled) => Ok(handled?),
                Err(panic) => Err(Error::of_panic(panic.as_ref())),
            }
        })
    }
}

/// The share of its memory that a function gives to what stages may fill: the rest is code, buffers and pieces under
/// way.
const MEMORY_SHARE: usize = 4;

fn is_of_objects(need: Use) -> bool {
    matches!(need, Use::ReadFiles | Use::WriteFiles | Use::ReadResults(_) | Use::WriteResults(_))
}

/// What a function without buckets has of them.
#[derive(Debug)]
struct NoObjects;

impl ports::Objects for NoObjects {
    fn open(&self, object: &pipeline::object::ObjectVersion) -> Result<ports::Opened, ports::Error> {
        Err(ports::Error::NotFound(object.clone()))
    }

    fn create(&self, _: &str, key: &str) -> Result<Box<dyn ports::Writing>, ports::Error> {
        let cause = "this function has no buckets".into();
        Err(ports::Error::Unavailable { what: format!("begin object {key}"), cause })
    }
}
