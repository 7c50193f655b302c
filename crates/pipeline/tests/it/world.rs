//! A small runtime for tests: files come in, messages are handled one at a time in the order they were sent, and what came
//! of it is read as everybody reads it.

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use pipeline::arrive::{Arrived, arrive};
use pipeline::feed::Feeds;
use pipeline::find;
use pipeline::handle::{Budget, Call, Error, Pipeline};
use pipeline::memory::Memory;
use pipeline::message::{Feed, Message, Tick};
use pipeline::object::ReceiptId;
use pipeline::ports::{self, Commit, Committed, Ledger, Loaded};
use pipeline::query::{self, At, Of, Transactions};
use pipeline::receipt::{Outcome, Receipt};
use pipeline::rows::contribution::Filter;
use pipeline::rows::source::MemoryScratch;
use pipeline::rows::time::Interval;
use pipeline::step::{Kind, RecordKey};
use pipeline::window::State;
use testkit::{Faults, MemoryLedger, MemoryObjects};

/// 2026-01-02T00:00:00Z.
pub const START: u64 = 1_767_312_000_000;

pub struct World {
    pub pipeline: Pipeline,
    pub objects: MemoryObjects,
    pub ledger: MemoryLedger,
    pub clock: AtomicU64,
    pub waiting: VecDeque<Message>,
}

impl World {
    pub fn new() -> Self {
        Self::with(Feeds::default())
    }

    pub fn with(feeds: Feeds) -> Self {
        let faults = Faults::default();
        Self {
            pipeline: Pipeline { feeds, budget: Budget { threads: 1, memory: Memory::of_one(64_000_000) } },
            objects: MemoryObjects::new(&faults),
            ledger: MemoryLedger::new(&faults),
            clock: AtomicU64::new(START),
            waiting: VecDeque::new(),
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn pass(&self, milliseconds: u64) {
        self.clock.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// A file comes in and its event is delivered.
    pub fn arrives(&mut self, bucket: &str, key: &str, text: &str) -> ReceiptId {
        self.arrives_bytes(bucket, key, text.as_bytes())
    }

    pub fn arrives_bytes(&mut self, bucket: &str, key: &str, bytes: &[u8]) -> ReceiptId {
        let at = self.now();
        self.arrives_late(bucket, key, bytes, at)
    }

    /// A file that was written some time ago.
    pub fn arrives_late(&mut self, bucket: &str, key: &str, bytes: &[u8], at: u64) -> ReceiptId {
        let object = self.objects.put(bucket, key, bytes);
        let arrived = Arrived { object, at, upload: None, sha256: None };
        let arriving = arrive(&self.pipeline.feeds, arrived).expect("a feed takes it");
        let commit = Commit { source: arriving.source, expects: Vec::new(), step: arriving.step };
        assert_eq!(self.ledger.commit(commit).expect("no faults"), Committed::Now);
        self.collect();
        arriving.receipt
    }

    pub fn collect(&mut self) {
        self.waiting.extend(self.ledger.take_outbox());
    }

    pub fn handle(&self, message: &Message) -> Result<Committed, Error> {
        self.with_call(|call| self.pipeline.handle(message, call))
    }

    pub fn with_call<T>(&self, work: impl FnOnce(&Call<'_>) -> T) -> T {
        let now = || self.now();
        let scratch = || Ok(Box::new(MemoryScratch::default()) as _);
        let progress = |_: &ReceiptId, _, _| {};
        work(&Call {
            attempt: 1,
            now: &now,
            objects: &self.objects,
            ledger: &self.ledger,
            scratch: &scratch,
            progress: &progress,
            announces: true,
            receipt: None,
        })
    }

    pub fn hooked(
        &self,
        before_commit: impl Fn(&Commit) -> Result<(), ports::Error> + Send + Sync + 'static,
    ) -> Hooked {
        Hooked { ledger: self.ledger.clone(), before_commit: Box::new(before_commit) }
    }

    /// Handles everything that waits, each message twice: the second time changes nothing.
    pub fn run(&mut self) {
        while let Some(message) = self.waiting.pop_front() {
            self.handle(&message).unwrap_or_else(|error| panic!("{message:?}: {error}"));
            let before = self.ledger.records();
            let again = self.handle(&message).unwrap_or_else(|error| panic!("again {message:?}: {error}"));
            assert_eq!(again, Committed::Before, "{message:?}");
            assert_eq!(self.ledger.records(), before, "{message:?} a second time changed something");
            self.collect();
        }
    }

    /// A file comes in and everything about it is done.
    pub fn takes(&mut self, bucket: &str, key: &str, text: &str) -> ReceiptId {
        let id = self.arrives(bucket, key, text);
        self.run();
        id
    }

    pub fn takes_bytes(&mut self, bucket: &str, key: &str, bytes: &[u8]) -> ReceiptId {
        let id = self.arrives_bytes(bucket, key, bytes);
        self.run();
        id
    }

    pub fn tick(&mut self) {
        let due_seconds = self.now() / 1000;
        self.waiting.push_back(Message::MarketAggregate(Tick {
            feed: Feed::try_from("market".to_owned()).unwrap(),
            due_seconds,
        }));
        self.run();
    }

    pub fn receipt(&self, id: &ReceiptId) -> Receipt {
        find::by_id(&self.ledger, id).expect("no faults").expect("there is one")
    }

    pub fn outcome(&self, id: &ReceiptId) -> Outcome {
        self.receipt(id).outcome()
    }

    pub fn at(&self) -> At<'_> {
        At { objects: &self.objects, ledger: &self.ledger, now: self.now() }
    }

    /// Aggregates of a feed as text, with their state and revision.
    pub fn aggregates(&self, feed: &str, interval: Option<Interval>) -> Vec<(String, State, u32)> {
        let declared = self.pipeline.feeds.named(feed).expect("declared");
        let mut found = Vec::new();
        query::aggregates(self.at(), declared, interval, &Filter::default(), |aggregate| {
            let of = match &aggregate.of {
                Of::Bar { symbol, start, .. } => format!("{symbol},{}", pipeline::rows::time::rfc3339(*start)),
                Of::Total { currency, status, merchant, day } => format!("{currency},{status},{merchant},{day}"),
            };
            found.push((format!("{of},{}", aggregate.line), aggregate.state, aggregate.revision));
            ControlFlow::Continue(())
        })
        .unwrap_or_else(|error| panic!("{feed}: {error}"));
        found
    }

    pub fn lines(&self, feed: &str) -> Vec<String> {
        self.aggregates(feed, None).into_iter().map(|(line, ..)| line).collect()
    }

    pub fn transaction_ids(&self) -> Vec<String> {
        let declared = self.pipeline.feeds.named("transactions").expect("declared");
        let mut found = Vec::new();
        query::transactions(self.at(), declared, &Transactions::default(), |transaction| {
            found.push(transaction.transaction_id);
            ControlFlow::Continue(())
        })
        .expect("no faults");
        found
    }
}

/// What is looked at, or done, before a commit; after an error it does not happen.
type Hook = Box<dyn Fn(&Commit) -> Result<(), ports::Error> + Send + Sync>;

/// The ledger of a world with something that comes before each commit.
pub struct Hooked {
    ledger: MemoryLedger,
    before_commit: Hook,
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooked").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl Ledger for Hooked {
    fn load(&self, key: &RecordKey) -> Result<Loaded, ports::Error> {
        self.ledger.load(key)
    }

    fn page(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, ports::Error> {
        self.ledger.page(kind, within, after, records_max)
    }

    fn commit(&self, commit: Commit) -> Result<Committed, ports::Error> {
        (self.before_commit)(&commit)?;
        self.ledger.commit(commit)
    }
}
