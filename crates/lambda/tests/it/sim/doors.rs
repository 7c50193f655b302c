//! What calls functions, in a few lines: events of buckets, queues with batches, workflows and the schedule, on one
//! thread as a seed says. Everything is delivered at least once, and what fails three times is lost, which no run may
//! have.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lambda::doors::Call;
use lambda::function::{Function, Parts};
use lambda::tell::Told;
use lambda::trace::Tracer;
use pipeline::message::Message;
use pipeline::object::{ObjectVersion, ReceiptId};
use pipeline::preset::Preset;
use pipeline::rows::time::rfc3339;
use serde_json::{Value, json};
use testkit::sim::{Random, Upload, World, bucket};

use super::now;
use crate::cloud::Cloud;
use crate::flow::{begun_anew, delivered};

/// The bucket of results, of all presets.
pub(super) const RESULTS: &str = "results";

/// How often the cloud tries before something is a dead letter.
const TRIES: u32 = 3;

/// Functions of a preset by the order of its stages.
fn functions(preset: Preset) -> [&'static str; 3] {
    match preset {
        Preset::Files => ["file-validator", "data-processor", "result-aggregator"],
        Preset::Market => ["DataIngestion", "DataProcessor", "DataAggregator"],
        Preset::Transactions => ["csv-validator", "data-transformer", "notification-sender"],
    }
}

struct Runtime<'a> {
    world: &'a World,
    cloud: &'a Cloud,
    random: Random,
    lines: Vec<Line>,
    /// Processes that are warm.
    processes: BTreeMap<&'static str, Function>,
    begun: u64,
}

/// What waits for each other: messages of one group.
struct Line {
    name: Option<(&'static str, String)>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug, Clone)]
struct Waiting {
    function: &'static str,
    body: Body,
    tries: u32,
}

#[derive(Debug, Clone)]
enum Body {
    /// Called without anybody who waits for the answer.
    Event(Value),
    /// A step of a workflow.
    Step(Value),
    Message(Message),
}

/// Brings everything in a world to its end; the receipts of its files, in their order.
pub(super) fn run(world: &World, cloud: &Cloud, seed: u64) -> Vec<ReceiptId> {
    let (random, lines, processes) = (Random::new(seed), Vec::new(), BTreeMap::new());
    let mut runtime = Runtime { world, cloud, random, lines, processes, begun: 0 };
    let receipts = runtime.let_in();
    for tick in 0..2 {
        runtime.work();
        let time = rfc3339((1_000_000 + tick) * 300_000_000_000);
        let event = json!({ "detail-type": "Scheduled Event", "time": time });
        runtime.push(None, functions(Preset::Market)[2], Body::Event(event));
    }
    runtime.work();
    receipts
}

/// A file was written: to the function that is first, or to its workflow.
fn written(upload: &Upload, object: &ObjectVersion) -> Value {
    let time = rfc3339(i64::try_from(upload.at).expect("a time") * 1_000_000);
    if upload.preset == Preset::Transactions {
        return json!({ "detail-type": "Object Created", "time": time, "detail": {
            "bucket": { "name": object.bucket },
            "object": { "key": object.key, "version-id": object.version } } });
    }
    let letter = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let key: String = object.key.bytes().map(letter).collect();
    json!({ "Records": [{ "eventSource": "aws:s3", "eventTime": time,
        "s3": { "bucket": { "name": object.bucket }, "object": { "key": key, "versionId": object.version } } }] })
}

impl Runtime<'_> {
    fn let_in(&mut self) -> Vec<ReceiptId> {
        let (mut again, mut receipts) = (Vec::new(), Vec::new());
        for (number, upload) in (1..).zip(&self.world.uploads) {
            // versions as the store in memory gives them, so that receipts have the same ids
            let version = format!("u{number:08}");
            let object = ObjectVersion { bucket: bucket(upload.preset).into(), key: upload.key.clone(), version };
            self.cloud.plant(&object, &upload.bytes);
            receipts.push(ReceiptId::of(&object));
            if upload.is_gone {
                self.cloud.remove(&object);
            }
            let event = written(upload, &object);
            let first = functions(upload.preset)[0];
            if upload.preset == Preset::Transactions {
                self.push(None, first, Body::Step(event.clone()));
                again.extend((0..self.random.below(3)).map(|_| (first, Body::Step(event.clone()))));
            } else {
                self.push(None, first, Body::Event(event.clone()));
                again.extend((0..self.random.below(3)).map(|_| (first, Body::Event(event.clone()))));
            }
        }
        for records in &self.world.requests {
            for _ in 0..1 + self.random.below(2) {
                self.push(None, functions(Preset::Market)[1], Body::Message(Message::MarketProcess(records.clone())));
            }
        }
        let ticks = if self.world.is_over { 0 } else { self.random.below(4) };
        for tick in 0..ticks {
            let event = json!({ "detail-type": "Scheduled Event", "time": rfc3339(tick as i64 * 300_000_000_000) });
            self.push(None, functions(Preset::Market)[2], Body::Event(event));
        }
        for (function, body) in again {
            self.push(None, function, body);
        }
        receipts
    }

    fn push(&mut self, name: Option<(&'static str, String)>, function: &'static str, body: Body) {
        let waiting = Waiting { function, body, tries: 0 };
        match self.lines.iter_mut().find(|line| line.name.is_some() && line.name == name) {
            Some(line) => line.waiting.push_back(waiting),
            None => self.lines.push(Line { name, waiting: VecDeque::from([waiting]) }),
        }
    }

    fn work(&mut self) {
        while !self.lines.is_empty() {
            let chosen = self.random.below(self.lines.len());
            match self.lines[chosen].waiting[0].body.clone() {
                Body::Event(event) => self.invoke(chosen, event, false),
                Body::Step(event) => self.invoke(chosen, event, true),
                Body::Message(_) => self.batch(chosen),
            }
            self.lines.retain(|line| !line.waiting.is_empty());
            for message in self.cloud.receive() {
                let (preset, stage) = message.stage();
                let place = preset.stages().iter().position(|known| *known == stage).expect("a stage of it");
                let function = functions(preset)[place];
                if message.begins_anew() {
                    let event = begun_anew(&message);
                    // the bus tells it at least once
                    for _ in 0..1 + usize::from(self.random.once_in(4)) {
                        let is_step = preset == Preset::Transactions;
                        let body = if is_step { Body::Step(event.clone()) } else { Body::Event(event.clone()) };
                        self.push(None, function, body);
                    }
                    continue;
                }
                let name = (preset == Preset::Files).then(|| (function, message.group().as_str().to_owned()));
                self.push(name, function, Body::Message(message));
            }
            if self.random.once_in(10) {
                self.cloud.forget();
            }
        }
    }

    /// Calls a function; one that fails is not called again in the same process.
    fn call(&mut self, name: &'static str, event: Value) -> Result<Value, String> {
        if self.random.once_in(20) {
            self.processes.remove(name);
        }
        if !self.processes.contains_key(name) {
            self.begun += 1;
            let preset = Preset::ALL.into_iter().find(|preset| functions(*preset).contains(&name));
            let parts = Parts {
                table: Some(Box::new(self.cloud.clone())),
                queue: Some(Arc::new(self.cloud.clone())),
                announcer: Some(Arc::new(self.cloud.clone())),
                anew: Some(Arc::new(self.cloud.clone())),
                buckets: Some(Arc::new(self.cloud.clone())),
                files: preset.map(|preset| bucket(preset).to_owned()),
                results: Some(RESULTS.to_owned()),
                origin: None,
                feeds: self.world.feeds.clone(),
                now,
                process: self.begun,
                threads: 1,
                tracer: Tracer::default(),
            };
            self.processes.insert(name, Function::new(name, parts).expect("there is such a function"));
        }
        // now and then the time is over before all is done
        let is_short = name == "data-transformer" && self.random.once_in(3);
        let seconds = if is_short { 0 } else { 300 };
        let call = Call::within(Duration::from_secs(seconds));
        let before = self.cloud.left();
        let answer = self.processes[name].call(event, &call, &mut Told::default()).map_err(|error| error.to_string());
        if self.cloud.left() < before {
            self.processes.remove(name);
        }
        answer
    }

    /// Counts a try, of those that there are.
    fn count_try(&mut self, line: usize, place: usize) {
        let waiting = &mut self.lines[line].waiting[place];
        waiting.tries += 1;
        assert!(waiting.tries <= TRIES, "it is lost: {waiting:?}");
    }

    fn invoke(&mut self, chosen: usize, event: Value, is_step: bool) {
        self.count_try(chosen, 0);
        let function = self.lines[chosen].waiting[0].function;
        let before = self.cloud.left();
        let answer = match self.call(function, event) {
            Ok(answer) => answer,
            Err(error) => {
                assert!(self.cloud.left() < before, "an error without a fault: {error} of {function}");
                return;
            }
        };
        let done = self.lines[chosen].waiting.pop_front().expect("it was there");
        if is_step && !answer["message"].is_null() {
            let steps = functions(Preset::Transactions);
            let place = steps.iter().position(|step| *step == function).expect("a step");
            // what is gone on with is called again
            let place = if answer["more"] == true { place } else { place + 1 };
            let next = Waiting { function: steps[place], body: Body::Step(answer), tries: 0 };
            self.lines[chosen].waiting.push_front(next);
        }
        if !is_step && self.random.once_in(8) {
            self.push(None, done.function, done.body);
        }
    }

    /// Delivers the first messages of a group, and of another group of the same queue.
    fn batch(&mut self, chosen: usize) {
        let function = self.lines[chosen].waiting[0].function;
        let mut taken = Vec::new();
        for line in 0..self.lines.len() {
            let of_queue =
                |waiting: &&Waiting| matches!(waiting.body, Body::Message(_)) && waiting.function == function;
            let there = self.lines[line].waiting.iter().take_while(of_queue).count();
            if there > 0 && (line == chosen || (taken.len() < 6 && self.random.once_in(2))) {
                taken.extend((0..1 + self.random.below(there.min(3))).map(|place| (line, place)));
            }
        }
        let mut messages = Vec::new();
        for &(line, place) in &taken {
            self.count_try(line, place);
            let waiting = &self.lines[line].waiting[place];
            let Body::Message(message) = &waiting.body else { panic!("no message: {waiting:?}") };
            messages.push((message.clone(), waiting.tries));
        }
        let mut event = delivered(&messages);
        if messages[0].0.stage().0 == Preset::Market {
            for record in event["Records"].as_array_mut().expect("records") {
                drop(record["attributes"].as_object_mut().expect("attributes").remove("MessageGroupId"));
            }
        }
        let before = self.cloud.left();
        let answer = self.call(function, event).expect("a batch is answered");
        let failed = answer["batchItemFailures"].as_array().expect("a list").iter();
        let failed: Vec<usize> =
            failed.map(|one| one["itemIdentifier"].as_str().and_then(|id| id.parse().ok()).expect("a place")).collect();
        assert!(failed.is_empty() || self.cloud.left() < before, "an error without a fault in {function}");
        // from behind, so that places stay what they are
        for (index, (line, place)) in taken.into_iter().enumerate().rev() {
            if failed.contains(&index) {
                continue;
            }
            let done = self.lines[line].waiting.remove(place).expect("it was there");
            if self.random.once_in(8) {
                self.lines.push(Line { name: None, waiting: VecDeque::from([Waiting { tries: 0, ..done }]) });
            }
        }
    }
}
