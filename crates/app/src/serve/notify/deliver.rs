//! Events leave the queue: sent until they are taken, ten times at most.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::queues::{Lease, Queue, Received};
use engine::runtime::{Engine, now};
use serde_json::json;

use super::Delivery;
use super::webhook::{Answer, Webhook, agent};

/// How long to wait when nothing is to be sent, or the disk takes nothing.
const PATIENCE: Duration = Duration::from_millis(200);
/// The wait after the first attempt; it doubles with each.
const BACKOFF_MS: u64 = 1000;
/// The longest wait between two attempts.
const BACKOFF_MS_MAX: u64 = 60_000;

/// Sends until told to stop.
pub(super) fn run(engine: &Engine, webhooks: &[Webhook], stop: &AtomicBool) {
    let agent = agent();
    while !stop.load(Ordering::SeqCst) {
        let Ok(queue) = engine.queues().queue(&engine.notifications().name) else { return };
        let received = engine.queues().receive(queue, 1, None, now()).wait().unwrap_or_default();
        let Some(message) = received.into_iter().next() else {
            wait(engine, queue, stop);
            continue;
        };
        one(engine, webhooks, &agent, &message);
    }
}

/// Waits until there is something to send, which is heard of at once, or until told to stop.
fn wait(engine: &Engine, queue: Queue, stop: &AtomicBool) {
    let mut ready = engine.queues().ready(queue, now());
    while !stop.load(Ordering::SeqCst) {
        match ready.wait_for(PATIENCE) {
            None => {}
            Some(Ok(())) => return,
            Some(Err(_)) => return std::thread::sleep(PATIENCE),
        }
    }
}

fn one(engine: &Engine, webhooks: &[Webhook], agent: &ureq::Agent, message: &Received) {
    let delivery: Option<Delivery> = serde_json::from_slice(&message.body).ok();
    let webhook = delivery.as_ref().and_then(|delivery| webhooks.iter().find(|of| of.name == delivery.webhook));
    // a webhook that is not declared any more wants to hear nothing
    let Some((delivery, webhook)) = delivery.as_ref().zip(webhook) else { return done(engine, message.lease) };
    match webhook.send(agent, &delivery.id, now() / 1000, &delivery.payload) {
        Answer::Taken(_) => done(engine, message.lease),
        Answer::Refused(why) => again(engine, message, &why),
    }
}

fn done(engine: &Engine, lease: Lease) {
    // if this fails it is sent once more, and its id says that it was seen
    let _ = engine.queues().acknowledge(vec![lease], now()).wait();
}

/// Gives it back, with what went wrong; after the last attempt it is a dead letter.
fn again(engine: &Engine, message: &Received, why: &str) {
    let is_last = message.receives >= engine.notifications().receives_max;
    let wait = BACKOFF_MS << message.receives.saturating_sub(1).min(10);
    let wait = if is_last { 0 } else { wait.min(BACKOFF_MS_MAX) };
    let note = json!({
        "class": "error", "code": "not_delivered", "error": why, "stage": "notify", "attempt": message.receives,
        "at": now(), "receipt": null, "version": env!("CARGO_PKG_VERSION"),
    });
    let _ = engine.queues().hold(message.lease, wait, Some(note.to_string().into_bytes()), now()).wait();
}
