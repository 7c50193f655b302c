//! A runtime in a few lines: queues that deliver at least once, on one thread, as a seed says.
//!
//! A message of `files` or `transactions` waits behind those of its stage and feed; of `market`, each is on its own.
//! Who comes next is chosen; what was handled may come again at once, because the acknowledgement was lost, or later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use pipeline::Millis;
use pipeline::arrive::{Arrived, arrive};
use pipeline::find::by_id;
use pipeline::handle::{Budget, Call, Pipeline};
use pipeline::memory::Memory;
use pipeline::message::{Feed, Message, Tick};
use pipeline::object::ReceiptId;
use pipeline::ports::Commit;
use pipeline::preset::{Preset, Stage};
use pipeline::query::At;
use pipeline::receipt::Receipt;
use pipeline::replay::{is_for, replay};
use pipeline::rows::source::{MemoryScratch, Scratch};
use pipeline::sha256::Sha256;
use pipeline::step::Kind;

use super::answers::answers;
use super::ending::Ending;
use super::random::Random;
use super::world::{START, World, bucket};
use crate::{Faults, MemoryLedger, MemoryObjects};

/// How events and messages come.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// In order and once.
    InOrder,
    /// As this seed says.
    Shuffled(u64),
}

/// When a run is looked at.
pub const END: Millis = START + 48 * 60 * 60 * 1000;

/// Everything of a run that outlives a process, and how it goes on.
struct Runtime<'a> {
    world: &'a World,
    pipeline: Pipeline,
    objects: MemoryObjects,
    ledger: MemoryLedger,
    faults: &'a Faults,
    lines: Vec<Line>,
    /// None: nothing is shuffled or repeated.
    random: Option<Random>,
    clock: AtomicU64,
    ticks: u64,
    /// Of the files, in their order.
    receipts: Vec<ReceiptId>,
}

/// Who waits behind whom; nobody else can be behind what has no name.
type Name = Option<(Preset, Option<Stage>, String)>;

struct Line {
    name: Name,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    body: Body,
    attempts: u32,
}

#[derive(Debug, Clone)]
enum Body {
    Event(Arrived),
    Message(Message),
    /// A file is begun anew, unless it is of that generation.
    Replay {
        id: ReceiptId,
        generation: u32,
        preset: Preset,
        feed: String,
    },
}

/// Attempts after which something does not get through at all.
const ATTEMPTS_MAX: u32 = 200;

/// Runs a world to its end.
pub fn run(world: &World, manner: Manner, faults: &Faults) -> Ending {
    let runtime = ended(world, manner, faults);
    // a stage writes the same object again, however often it works
    let mut written_once = BTreeSet::new();
    for version in runtime.objects.versions().into_iter().filter(|version| version.version.starts_with('c')) {
        let key = format!("{}/{}", version.bucket, version.key);
        assert!(written_once.insert(key.clone()), "an output was written with two contents: {key}");
    }
    // who looks at the end is not part of the run
    let (objects, ledger) = (runtime.objects.with(&Faults::default()), runtime.ledger.with(&Faults::default()));
    Ending::of(world, &objects, &ledger, END)
}

/// What a world that was run in order and in memory answers; other runtimes answer the same.
pub fn answers_in_memory(world: &World) -> BTreeMap<String, String> {
    let faults = Faults::default();
    let runtime = ended(world, Manner::InOrder, &faults);
    let receipts: Vec<ReceiptId> = runtime.receipts.clone();
    answers(world, &receipts, At { objects: &runtime.objects, ledger: &runtime.ledger, now: END })
}

fn ended<'a>(world: &'a World, manner: Manner, faults: &'a Faults) -> Runtime<'a> {
    let budget = Budget { threads: 1, memory: Memory::of_one(64 * 1024 * 1024) };
    let random = match manner {
        Manner::InOrder => None,
        Manner::Shuffled(seed) => Some(Random::new(seed)),
    };
    let mut runtime = Runtime {
        world,
        pipeline: Pipeline { feeds: world.feeds.clone(), budget },
        objects: MemoryObjects::new(faults),
        ledger: MemoryLedger::new(faults),
        faults,
        lines: Vec::new(),
        random,
        clock: AtomicU64::new(START + 24 * 60 * 60 * 1000),
        ticks: 0,
        receipts: Vec::new(),
    };
    runtime.let_in();
    // two ticks when all is quiet: what the first finds half done, the second ends; then some files are looked at again
    runtime.work_and_tick();
    runtime.replay();
    runtime.work_and_tick();
    runtime
}

impl Runtime<'_> {
    /// Writes all files, and has their events and the requests come.
    fn let_in(&mut self) {
        let mut events = Vec::new();
        for upload in &self.world.uploads {
            let object = self.objects.put(bucket(upload.preset), &upload.key, &upload.bytes);
            self.receipts.push(ReceiptId::of(&object));
            if upload.is_gone {
                self.objects.remove(&object);
            }
            let knows = self.random.as_mut().is_some_and(|random| random.once_in(2));
            let sha256 = (knows && !upload.is_gone).then(|| {
                let mut digest = Sha256::default();
                digest.update(&upload.bytes);
                digest.finish()
            });
            events.push(Body::Event(Arrived { object, at: upload.at, upload: None, sha256 }));
        }
        let requests =
            self.world.requests.iter().cloned().map(|records| Body::Message(Message::MarketProcess(records)));
        let mut repeated: Vec<Body> = Vec::new();
        if let Some(random) = &mut self.random {
            for event in &events {
                repeated.extend(std::iter::repeat_n(event.clone(), random.below(3)));
            }
            repeated.extend(requests.clone().filter(|_| random.once_in(2)));
            let ticks = if self.world.is_over { 0 } else { random.below(4) };
            let market = Feed::of_preset(Preset::Market);
            repeated.extend((0..ticks).map(|number| Body::Message(tick(&market, number as u64))));
            random.shuffle(&mut repeated);
        }
        for body in events.into_iter().chain(requests) {
            self.enqueue(body);
        }
        for body in repeated {
            self.lines.push(Line { name: None, waiting: VecDeque::from([Waiting { body, attempts: 0 }]) });
        }
    }

    fn work_and_tick(&mut self) {
        for _ in 0..2 {
            self.work();
            self.ticks += 1;
            let of_market = self.world.feeds.iter().filter(|feed| feed.preset == Preset::Market);
            for feed in of_market {
                self.enqueue(Body::Message(tick(&feed.name, 1_000_000 + self.ticks)));
            }
        }
        self.work();
    }

    /// Begins the files anew that the world says, of those that can be.
    fn replay(&mut self) {
        let ledger = self.ledger.with(&Faults::default());
        let receipts = ledger.records().into_iter().filter(|(key, _)| key.kind == Kind::Receipt);
        let receipts = receipts.map(|(_, value)| serde_json::from_slice::<Receipt>(&value).unwrap());
        let mut replayable: Vec<Receipt> = receipts.filter(is_for).collect();
        replayable.sort_by_cached_key(|receipt| receipt.arrival().order());
        for number in &self.world.replays {
            let Some(receipt) = replayable.get(number % replayable.len().max(1)) else { return };
            let (preset, feed) = (receipt.arrival().preset, receipt.arrival().feed.as_str().to_owned());
            let body = Body::Replay { id: receipt.id(), generation: receipt.generation() + 1, preset, feed };
            self.enqueue(body);
        }
    }

    fn name(&self, body: &Body) -> Name {
        match body {
            Body::Event(Arrived { object, .. }) => {
                let preset = pipeline::feed::preset_of(&object.bucket).unwrap();
                let feed = self.pipeline.feeds.taking(preset, &object.key)?.name.as_str().to_owned();
                self.name_of_event(preset, feed)
            }
            Body::Replay { preset, feed, .. } => self.name_of_event(*preset, feed.clone()),
            Body::Message(message) => {
                let (preset, stage) = message.stage();
                let feed = message.group().as_str().to_owned();
                (preset != Preset::Market).then_some((preset, Some(stage), feed))
            }
        }
    }

    fn name_of_event(&self, preset: Preset, feed: String) -> Name {
        self.random.is_none().then_some((preset, None, feed))
    }

    fn enqueue(&mut self, body: Body) {
        let name = self.name(&body);
        let waiting = Waiting { body, attempts: 0 };
        let line = self.lines.iter_mut().find(|line| line.name.is_some() && line.name == name);
        match line {
            Some(line) => line.waiting.push_back(waiting),
            None => self.lines.push(Line { name, waiting: VecDeque::from([waiting]) }),
        }
    }

    /// Delivers until nothing waits.
    fn work(&mut self) {
        while !self.lines.is_empty() {
            // in order, what came of the first event is done before the next
            let chosen = match &mut self.random {
                Some(random) => random.below(self.lines.len()),
                None => {
                    self.lines.iter().rposition(|line| matches!(line.waiting[0].body, Body::Message(_))).unwrap_or(0)
                }
            };
            self.deliver(chosen);
        }
    }

    fn deliver(&mut self, chosen: usize) {
        let waiting = &mut self.lines[chosen].waiting[0];
        waiting.attempts += 1;
        let (body, attempt) = (waiting.body.clone(), waiting.attempts);
        assert!(attempt <= ATTEMPTS_MAX, "it never gets through: {body:?}");
        let before = self.faults.left();
        let done = self.handle(&body, attempt);
        if let Err(error) = &done {
            assert!(self.faults.left() < before, "an error without a fault: {error} of {body:?}");
        }
        if self.faults.is_lost() {
            self.faults.restart();
        }
        // what was committed is sent, whatever came of the answer
        for message in self.ledger.take_outbox() {
            self.enqueue(Body::Message(message));
        }
        let comes_again = done.is_err() || self.random.as_mut().is_some_and(|random| random.once_in(6));
        if comes_again {
            return;
        }
        let line = &mut self.lines[chosen];
        line.waiting.pop_front();
        if line.waiting.is_empty() {
            self.lines.swap_remove(chosen);
        }
        if self.random.as_mut().is_some_and(|random| random.once_in(8)) {
            self.lines.push(Line { name: None, waiting: VecDeque::from([Waiting { body, attempts: 0 }]) });
        }
    }

    fn handle(&self, body: &Body, attempt: u32) -> Result<(), String> {
        let now = || -> Millis { self.clock.fetch_add(1, Ordering::Relaxed) };
        let scratch = || Ok(Box::new(MemoryScratch::default()) as Box<dyn Scratch>) as io::Result<Box<dyn Scratch>>;
        let call = Call {
            attempt,
            now: &now,
            objects: &self.objects,
            ledger: &self.ledger,
            scratch: &scratch,
            progress: &|_, _, _| {},
            announces: true,
            receipt: None,
        };
        match body {
            Body::Event(arrived) => {
                let Some(arriving) = arrive(&self.pipeline.feeds, arrived.clone()) else { return Ok(()) };
                let commit = Commit { source: arriving.source, expects: Vec::new(), step: arriving.step };
                pipeline::ports::Ledger::commit(&self.ledger, commit).map(drop).map_err(|error| told(&error))
            }
            Body::Replay { id, generation, .. } => {
                let ledger = self.ledger.with(&Faults::default());
                let known = by_id(&ledger, id).unwrap().unwrap();
                if known.generation() >= *generation {
                    return Ok(());
                }
                replay(&self.pipeline, &call, id).map_err(|error| told(&error))
            }
            Body::Message(message) => self.pipeline.handle(message, &call).map(drop).map_err(|error| told(&error)),
        }
    }
}

fn tick(feed: &Feed, due_seconds: u64) -> Message {
    Message::MarketAggregate(Tick { feed: feed.clone(), due_seconds })
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
