//! The whole pipeline on one machine: a data folder, the stages, and workers that keep the cores busy.
//!
//! [`Engine::open`] recovers by itself and says what it found. Files come in by [`Engine::put`]; what becomes of them is
//! read through [`Engine::ports`], which see everything that was answered. Work goes on between [`Engine::start`] and
//! [`Engine::stop`]; what is in hand when it stops, or when the process is killed, is handed out again.

mod clock;
mod dead;
mod doctor;
mod error;
mod keep;
mod live;
mod once;
mod put;
mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use pipeline::feed::{Declared, Feeds};
use pipeline::handle::{Budget, Call, Pipeline};
use pipeline::memory::Memory;
use pipeline::message::Message;
use pipeline::object::ReceiptId;
use pipeline::rows::source::Scratch;
use pipeline::topology::Topology;

use crate::objects::Objects;
use crate::plan::{Line, Plan};
use crate::queues::{self, Millis, Queue, Queues};
use crate::session::{Route, Session};
use crate::store::Store;

pub use dead::{DeadLetter, Shown};
pub use doctor::{Finding, Findings};
pub use error::{Error, Result};
pub use keep::Kept;
pub use live::{Live, Tally, Watcher, Working};
pub use once::Once;
pub use put::{Placed, Placing};

/// Makes scratch space for what does not fit the memory budget.
pub type MakeScratch = Arc<dyn Fn() -> io::Result<Box<dyn Scratch>> + Send + Sync>;

/// What an engine is opened with.
#[derive(Clone)]
pub struct Options {
    /// The data folder.
    pub folder: PathBuf,
    /// The feeds.
    pub feeds: Feeds,
    /// The suffix of the buckets' names.
    pub environment: String,
    /// Threads that parse one file.
    pub threads: usize,
    /// Bytes that all stages may take.
    pub memory_bytes: usize,
    /// Makes scratch space.
    pub scratch: MakeScratch,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What was found when a data folder was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Messages that wait.
    pub messages: usize,
    /// Messages that somebody had in hand when the program ended; they are handed out again.
    pub released: usize,
    /// Queues that are not declared any more.
    pub undeclared: Vec<String>,
    /// Objects.
    pub objects: usize,
    /// Files that were not written to their end or never confirmed; they are gone.
    pub swept: usize,
}

/// A data folder at work.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What all threads share.
pub(crate) struct Shared {
    pub pipeline: Pipeline,
    pub environment: String,
    pub queues: Arc<Queues>,
    pub objects: Objects,
    pub route: Route,
    pub plan: Plan,
    pub scratch: MakeScratch,
    pub live: Arc<Live>,
    pub stopping: AtomicBool,
    /// How often `market` aggregates; with 0 as often as its topology says.
    tick_seconds: AtomicU32,
    /// Whether each batch of rows that is kept is told of.
    announces: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Workers of one queue: one waits for the disk while the other works.
const WORKERS_PER_LINE: usize = 2;

impl Engine {
    /// Opens a data folder, or makes one. It is this program's alone until the engine is dropped.
    pub fn open(options: Options) -> Result<(Self, Found)> {
        let plan = Plan::new(&options.feeds).map_err(|unfit| Error::Topology(unfit.0, unfit.1))?;
        let store = Arc::new(Store::open(&options.folder.join("store"))?);
        let (queues, recovery) = Queues::open_on(store, &plan.queues)?;
        let queues = Arc::new(queues);
        // nobody else is left who could have received anything
        let released = queues.release(now()).wait()?;
        let (objects, found) = Objects::open(queues.clone(), &options.folder.join("objects"))?;
        let route = plan.route(&queues)?;
        let budget = Budget { threads: options.threads, memory: Memory::of_many(options.memory_bytes) };
        let shared = Shared {
            pipeline: Pipeline { feeds: options.feeds, budget },
            environment: options.environment,
            queues,
            objects,
            route,
            plan,
            scratch: options.scratch,
            live: Arc::default(),
            stopping: AtomicBool::new(false),
            tick_seconds: AtomicU32::new(0),
            announces: AtomicBool::new(false),
        };
        let found = Found {
            messages: recovery.messages,
            released,
            undeclared: recovery.undeclared,
            objects: found.objects,
            swept: found.unfinished + found.unnamed,
        };
        Ok((Self { shared: Arc::new(shared), threads: Vec::new() }, found))
    }

    /// Starts the workers and the clock.
    pub fn start(&mut self) -> Result<()> {
        self.shared.stopping.store(false, Ordering::SeqCst);
        let spawn = |name: String, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name).spawn(work).map_err(Error::Thread)
        };
        for line in &self.shared.plan.lines {
            for _ in 0..WORKERS_PER_LINE {
                let (shared, line) = (self.shared.clone(), line.clone());
                let name = line.name.chars().take(15).collect();
                self.threads.push(spawn(name, Box::new(move || worker::run(&shared, &line)))?);
            }
        }
        let shared = self.shared.clone();
        self.threads.push(spawn("millrace-clock".to_owned(), Box::new(move || clock::run(&shared)))?);
        Ok(())
    }

    /// Stops: what is in hand is finished first, what waits stays.
    pub fn stop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if self.threads.is_empty() {
            return;
        }
        // those who sleep need not find out by themselves, which takes a while
        let _ = self.shared.queues.wake(now()).wait();
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        for thread in self.threads.drain(..) {
            // a panic in a thread was told by the thread
            let _ = thread.join();
        }
    }

    /// Both ports. Everything that was answered can be seen through them.
    pub fn ports(&self) -> Session {
        self.shared.ports()
    }

    /// The stages and feeds.
    pub fn pipeline(&self) -> &Pipeline {
        &self.shared.pipeline
    }

    /// The queues that workers read.
    pub fn lines(&self) -> &[Line] {
        &self.shared.plan.lines
    }

    /// The queue of what is on its way to those who want to hear of files.
    pub fn notifications(&self) -> &Line {
        &self.shared.plan.notifications
    }

    /// The queues.
    pub fn queues(&self) -> &Queues {
        &self.shared.queues
    }

    /// The objects.
    pub fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    /// What is worked on right now, and what was done.
    pub fn live(&self) -> &Arc<Live> {
        &self.shared.live
    }

    /// The name of the bucket of a feed.
    pub fn bucket_of(&self, feed: &Declared) -> String {
        format!("{}-{}", Topology::of(feed.preset).bucket.name, self.shared.environment)
    }

    /// The folder of the store.
    pub fn folder(&self) -> &Path {
        self.shared.queues.store().folder()
    }

    /// Carries out something that the pipeline does with both ports.
    pub fn with_call<T>(&self, work: impl FnOnce(&Pipeline, &Call<'_>) -> T) -> T {
        let ports = self.ports();
        self.shared.with_call(&ports, 1, work)
    }

    /// Has each batch of rows of `market` that is kept told of from now on, or not any more: that costs a record each.
    pub fn announce(&self, wanted: bool) {
        self.shared.announces.store(wanted, Ordering::Relaxed);
    }

    /// Begins a file anew; its receipt says so.
    pub fn replay(&self, id: &ReceiptId) -> Result<()> {
        self.with_call(|pipeline, call| pipeline::replay::replay(pipeline, call, id)).map_err(Error::Stage)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn ports(&self) -> Session {
        Session::immediate(&self.objects, self.route.clone(), now())
    }

    fn with_call<T>(&self, session: &Session, attempt: u32, work: impl FnOnce(&Pipeline, &Call<'_>) -> T) -> T {
        let progress = |id: &ReceiptId, counter, total| self.live.reads(id, counter, total);
        let call = Call {
            attempt,
            now: &now,
            objects: session,
            ledger: session,
            scratch: &*self.scratch,
            progress: &progress,
            announces: self.announces.load(Ordering::Relaxed),
            receipt: None,
        };
        work(&self.pipeline, &call)
    }

    /// Where a message goes.
    fn routed(&self, message: &Message) -> Result<(Queue, queues::Message)> {
        (self.route)(message).map_err(|cause| Error::Input(io::Error::other(cause.to_string())))
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// Now: the one place where the engine reads the clock.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
