//! Who wants to hear of files is told, by signed webhooks.
//!
//! A stage that ends a file writes down what is to be told, in the commit that ends it. From there it goes into a durable
//! queue, once for every webhook that wants it, in the commit that takes the note away; and from the queue it is sent
//! until it is taken, or is a dead letter like any other.

mod deliver;
pub(crate) mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::pipeline::object::digest;
use engine::pipeline::ports::Ledger;
use engine::pipeline::records::{self, Measured, Notice};
use engine::pipeline::step::{Kind, RecordKey};
use engine::queues::{self, Message, Transaction};
use engine::runtime::{Engine, now};
use engine::session::record_key;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::alarms::State;
use super::state::Service;
use webhook::Webhook;

/// How often notes are looked for when nothing seems to happen.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it rests at least.
const REST: Duration = Duration::from_millis(20);
/// Notes that are taken at once.
const NOTES_AT_ONCE: usize = 100;
/// Threads that send; each webhook has one at most, so that its events come in order.
const SENDING_THREADS_MAX: usize = 8;

/// An event on its way to one webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Delivery {
    webhook: String,
    /// The same for every attempt and every webhook: receivers know by it what they have seen.
    id: String,
    /// The body as it is sent.
    payload: String,
}

/// What sends, until it is dropped.
pub(super) struct Notifier {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Notifier {
    /// Starts to tell the webhooks of the settings, and all who listen to events. Without any, notes are taken away: nobody
    /// waits for them.
    pub fn start(service: &Arc<Service>) -> std::io::Result<Self> {
        let engine = &service.engine;
        engine.announce(wants_rows(&service.settings.webhooks));
        let (stop, webhooks): (Arc<AtomicBool>, Arc<[Webhook]>) =
            (Arc::default(), service.settings.webhooks.as_slice().into());
        let mut threads = Vec::new();
        let mut spawn = |name: &str, work: Box<dyn FnOnce() + Send>| -> std::io::Result<()> {
            threads.push(std::thread::Builder::new().name(name.to_owned()).spawn(work)?);
            Ok(())
        };
        let (with, to, until) = (service.clone(), webhooks.clone(), stop.clone());
        spawn("millrace-notes", Box::new(move || take_notes(&with, &to, &until)))?;
        for _ in 0..webhooks.len().min(SENDING_THREADS_MAX) {
            let (with, to, until) = (engine.clone(), webhooks.clone(), stop.clone());
            spawn("millrace-hooks", Box::new(move || deliver::run(&with, &to, &until)))?;
        }
        Ok(Self { stop, threads })
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Whether a webhook wants to hear of each batch of rows.
pub(super) fn wants_rows(webhooks: &[Webhook]) -> bool {
    webhooks.iter().any(|webhook| webhook.wants(records::ROWS_KEPT))
}

/// Has an alarm told that went on or off.
pub(super) fn tell_alarm(engine: &Engine, alarm: &State) {
    let event = if alarm.is_on { "alarm.raised" } else { "alarm.cleared" };
    let key = records::notice_about("alarm", &format!("{}.{}", alarm.name, alarm.since));
    let number = |value| Number::from_f64(value).unwrap_or_else(|| 0.into());
    let measured = Measured {
        alarm: alarm.name.clone(),
        value: number(alarm.value),
        threshold: number(alarm.threshold),
        unit: alarm.unit.clone(),
    };
    let notice = Notice::about(event, alarm.since, format!("{}: {}", alarm.name, alarm.reason));
    let note = serde_json::to_vec(&Notice { measured: Some(measured), ..notice }).unwrap_or_default();
    // what was told is kept with it: after a restart it is not told again
    let records = vec![(record_key(&key), Some(note)), alarm.record()];
    // `/alarms` has it
    drop(engine.queues().transact(Transaction { records, ..Transaction::default() }, now()));
}

/// Moves notes into the queue until told to stop.
fn take_notes(service: &Service, webhooks: &[Webhook], stop: &AtomicBool) {
    let watcher = service.engine.live().watch();
    while !stop.load(Ordering::SeqCst) {
        // what fails now is there the next time
        let _ = take_all(service, webhooks, stop);
        watcher.touched(LOOK_EVERY);
        // what comes meanwhile is taken together
        std::thread::sleep(REST);
    }
}

/// Takes what is there, from the first note to the last: what was taken is not looked at again.
fn take_all(service: &Service, webhooks: &[Webhook], stop: &AtomicBool) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    while !stop.load(Ordering::SeqCst) {
        let notes = service.engine.ports().page(Kind::Notice, "", after.as_deref(), NOTES_AT_ONCE)?;
        let Some((last, _)) = notes.last() else { break };
        after = Some(last.clone());
        if !take(service, webhooks, &notes).unwrap_or(false) && notes.len() > 1 {
            // one of them says something else by now, or cannot be taken: the others are, without it
            for note in &notes {
                let _ = take(service, webhooks, std::slice::from_ref(note));
            }
        }
    }
    Ok(())
}

/// Takes notes away in one commit, which also puts them into the queue; false when one of them has changed.
fn take(service: &Service, webhooks: &[Webhook], notes: &[(String, Vec<u8>)]) -> anyhow::Result<bool> {
    let engine = &service.engine;
    let queue = engine.queues().queue(&engine.notifications().name)?;
    let (mut transaction, mut told) = (Transaction::default(), Vec::<(String, Notice)>::new());
    for (id, value) in notes {
        let key = record_key(&RecordKey { kind: Kind::Notice, id: id.clone() });
        transaction.expects.push((key.clone(), Some(value.clone())));
        transaction.records.push((key, None));
        let Ok(notice) = serde_json::from_slice::<Notice>(value) else { continue };
        // batches of rows can come by the thousand: those that wait are told together
        match told.iter_mut().find_map(|(ids, before)| before.takes_in(&notice).then_some(ids)) {
            Some(ids) => *ids = digest(&[ids, id]),
            None => told.push((id.clone(), notice)),
        }
    }
    for (id, notice) in &told {
        let event_id = notice.event_id(id);
        let payload = notice.payload(&event_id);
        for webhook in webhooks.iter().filter(|webhook| webhook.wants(&notice.event)) {
            let delivery = Delivery { webhook: webhook.name.clone(), id: event_id.clone(), payload: payload.clone() };
            let dedup = digest(&[&webhook.name, &event_id]);
            let message = Message::of_group(webhook.name.clone(), dedup, serde_json::to_vec(&delivery)?);
            transaction.sends.push((queue, message));
        }
    }
    match engine.queues().transact(transaction, now()).wait() {
        Ok(_) => told.iter().for_each(|(id, notice)| {
            service.events.tell(&notice.event, || notice.payload(&notice.event_id(id)));
        }),
        Err(queues::Error::Changed { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}
