//! The thread that looks on: stages that are done and files that come to their end are counted, logged and traced, and
//! every few seconds what is alarming is found out.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::pipeline::find;
use engine::pipeline::object::ReceiptId;
use engine::pipeline::preset::{Preset, Stage};
use engine::pipeline::receipt::{Outcome, Receipt};
use engine::pipeline::topology::{Topology, Trigger};
use engine::runtime::{Watcher, now};
use serde_json::json;

use super::alarms::{Sample, State};
use super::log::{Level, Line};
use super::metrics::{dead_queues, lines, outcome_word, preset_word, statistics};
use super::state::Service;

/// How often it is found out what is alarming.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long nothing is looked at after something was.
const REST: Duration = Duration::from_millis(50);
/// Files that are remembered, so that nothing is told twice; a file that was forgotten may be.
const FILES_KEPT_MAX: usize = 20_000;

/// The thread; dropped, it ends.
pub(super) struct Watch {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Begins to look on. `changed` is called with every alarm that goes on or off.
pub(super) fn start(
    service: &Arc<Service>,
    changed: impl Fn(&Service, &State) + Send + 'static,
) -> std::io::Result<Watch> {
    let ends = Arc::new(AtomicBool::new(false));
    // from now on, not from when the thread comes to it
    let watcher = service.engine.live().watch();
    let mut looking = Looking { service: service.clone(), files: HashMap::new(), order: VecDeque::new() };
    let is_end = ends.clone();
    let run = move || {
        let mut last: Option<Instant> = None;
        while !is_end.load(Ordering::SeqCst) {
            looking.files(&watcher);
            // a file that goes through all its stages meanwhile is looked at once
            std::thread::sleep(REST);
            if last.is_none_or(|last| last.elapsed() >= LOOK_EVERY) {
                let service = &looking.service;
                let changes = service.alarms.evaluate(&sample(service), &service.settings.alarms);
                for state in changes {
                    tell_alarm(service, &state);
                    changed(service, &state);
                }
                last = Some(Instant::now());
            }
        }
        looking.files(&watcher);
    };
    let thread = std::thread::Builder::new().name("millrace-watch".to_owned()).spawn(run)?;
    Ok(Watch { ends, thread: Some(thread) })
}

fn tell_alarm(service: &Service, state: &State) {
    let (level, word) = if state.is_on { (Level::Error, "alarm") } else { (Level::Info, "over") };
    let message = format!("{word}: {}", state.reason);
    let fields = json!({ "alarm": state.name, "value": state.value, "threshold": state.threshold, "unit": state.unit });
    service.log.tell(Line { at: now(), level, message, fields: fields.as_object().cloned().unwrap_or_default() });
}

/// What was told of a file.
#[derive(Default)]
struct Told {
    generation: u32,
    stages: BTreeSet<Stage>,
    failures: BTreeSet<(Stage, u64)>,
    outcome: Option<Outcome>,
}

struct Looking {
    service: Arc<Service>,
    files: HashMap<ReceiptId, Told>,
    /// Ids in the order in which they were first seen.
    order: VecDeque<ReceiptId>,
}

impl Looking {
    fn files(&mut self, watcher: &Watcher) {
        let ids: BTreeSet<ReceiptId> = watcher.touched(Duration::from_millis(200)).into_iter().collect();
        for id in ids {
            // a receipt that cannot be read now is seen with the next stage, or by who asks for it
            if let Ok(Some(receipt)) = find::by_id(&self.service.engine.ports(), &id) {
                self.file(id, &receipt);
            }
        }
    }

    fn file(&mut self, id: ReceiptId, receipt: &Receipt) {
        if !self.files.contains_key(&id) {
            self.order.push_back(id.clone());
            if self.order.len() > FILES_KEPT_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.files.remove(&oldest);
            }
        }
        let told = self.files.entry(id).or_default();
        if told.generation != receipt.generation() {
            *told = Told { generation: receipt.generation(), ..Told::default() };
        }
        let view = receipt.view();
        let about = json!({
            "trace.id": view.trace_id, "receipt.id": view.receipt_id, "file.key": view.file_id, "feed": view.feed,
        });
        let line = |at, level, message: String, more: serde_json::Value| {
            let mut fields = about.as_object().cloned().unwrap_or_default();
            fields.extend(more.as_object().cloned().unwrap_or_default());
            Line { at, level, message, fields }
        };
        for (stage, progress) in view.stages {
            let word = format!("{stage:?}").to_lowercase();
            if let Some(failure) =
                progress.failure.as_ref().filter(|failure| told.failures.insert((*stage, failure.at)))
            {
                let more = json!({ "stage": word, "attempts": failure.attempt, "error": failure.error });
                let message = format!("{word} gave up on {}: {}", view.file_id, failure.error);
                self.service.log.tell(line(failure.at, Level::Error, message, more));
            }
            let Some(ended) = progress.ended_at.filter(|_| told.stages.insert(*stage)) else { continue };
            let took = ended.saturating_sub(progress.began_at.unwrap_or(ended));
            let more = json!({ "stage": word, "attempts": progress.attempts, "duration_ms": took });
            self.service.log.tell(line(ended, Level::Info, format!("{word} is done with {}", view.file_id), more));
        }
        if view.outcome == Outcome::InProgress || told.outcome == Some(view.outcome) {
            return;
        }
        // a file that is replaced later came to its end before
        let counts = receipt.account().map(|account| &account.counts).filter(|_| told.outcome.is_none());
        let bytes = receipt.account().filter(|_| told.outcome.is_none()).map_or(0, |account| account.bytes);
        told.outcome = Some(view.outcome);
        self.service.metrics.file(view.preset, view.outcome, counts, bytes);
        let took = view.last_updated.saturating_mul(1000).saturating_sub(view.received_at);
        let more =
            json!({ "outcome": outcome_word(view.outcome), "preset": preset_word(view.preset), "duration_ms": took });
        let level = if view.outcome == Outcome::Failed { Level::Error } else { Level::Info };
        let message = format!("{} {}", view.file_id, outcome_word(view.outcome));
        self.service.log.tell(line(receipt.updated_at(), level, message, more));
        self.service.traces.file(receipt);
    }
}

/// What there is to see now. Blocks.
fn sample(service: &Service) -> Sample {
    let engine = &service.engine;
    let tallies = engine.live().tallies();
    let mut sample = Sample { at: now(), ..Sample::default() };
    for preset in Preset::ALL {
        for function in &Topology::of(preset).functions {
            let (done, failed) = match function.stage {
                Some(stage) => tallies.get(&(preset, stage)).map_or((0, 0), |tally| (tally.done, tally.failed)),
                None => requests_of(service, &function.triggers),
            };
            sample.functions.push((function.name.to_owned(), done, failed));
        }
    }
    for (name, _) in lines(engine) {
        sample.oldest.push((name.to_owned(), statistics(engine, name).oldest_age_ms));
    }
    for name in dead_queues(engine) {
        let found = statistics(engine, name);
        sample.dead.push((name.to_owned(), (found.visible + found.in_flight + found.delayed) as u64));
    }
    let most = service.quotas.per_day;
    sample.quotas = service.quotas.used(sample.at).into_iter().map(|(key, used)| (key, used, most)).collect();
    sample
}

/// What a function that answers requests did, and failed to do.
fn requests_of(service: &Service, triggers: &[Trigger]) -> (u64, u64) {
    let path = triggers.iter().find_map(|trigger| match trigger {
        Trigger::Route(path) => Some(*path),
        _ => None,
    });
    let (all, failed) = path.map_or((0, 0), |path| service.metrics.answered(path));
    (all - failed, failed)
}
