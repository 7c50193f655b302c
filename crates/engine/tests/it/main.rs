//! The engine through its doors: queues, objects, sessions, store.
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod crash;
mod fifo;
mod folder;
mod model;
mod objects;
mod rules;
mod runtime;
mod session;
mod standard;
mod store;
mod transactions;

use std::sync::Arc;

use engine::queues::{Message, Millis, Phase, Queue, Queues, Received, Settings};
use engine::store::Store;

/// A point in time to begin with.
pub(crate) const T: Millis = 1_700_000_000_000;
pub(crate) const SECOND: Millis = 1000;
pub(crate) const MINUTE: Millis = 60 * SECOND;

/// Queues on a store in memory that can be opened again, and a clock that the test moves.
pub(crate) struct Bench {
    pub(crate) queues: Queues,
    pub(crate) now: Millis,
    pub(crate) store: Arc<Store>,
    settings: Vec<Settings>,
}

impl Bench {
    /// The queue under test is `q`.
    pub(crate) fn new(settings: &[Settings]) -> Self {
        let store = Arc::new(Store::in_memory());
        let (queues, _) = Queues::open_on(store.clone(), settings).unwrap();
        Self { queues, now: T, store, settings: settings.to_vec() }
    }

    pub(crate) fn reopen(self) -> Self {
        let Self { queues, now, store, settings } = self;
        drop(queues);
        let (queues, _) = Queues::open_on(store.clone(), &settings).unwrap();
        Self { queues, now, store, settings }
    }

    pub(crate) fn q(&self) -> Queue {
        self.queues.queue("q").unwrap()
    }

    pub(crate) fn dead(&self) -> Queue {
        self.queues.queue("dead").unwrap()
    }

    /// Sends to `q`: bodies of a standard queue, or `group/body` of a FIFO queue, where the body is the id too.
    pub(crate) fn send(&self, what: &str) {
        let message = match what.split_once('/') {
            Some((group, body)) => Message::of_group(group, body, body),
            None => Message::new(what),
        };
        let sent = self.queues.send(self.q(), message, self.now).wait().unwrap();
        assert!(!sent[0].duplicate, "{what} was sent before");
    }

    pub(crate) fn receive(&self, messages_max: usize) -> Vec<Received> {
        self.queues.receive(self.q(), messages_max, None, self.now).wait().unwrap()
    }

    /// Receives from `q`, and says only what.
    pub(crate) fn bodies(&self, messages_max: usize) -> Vec<String> {
        self.receive(messages_max).into_iter().map(|received| body(&received)).collect()
    }

    pub(crate) fn acknowledge(&self, received: &Received) -> bool {
        self.queues.acknowledge(vec![received.lease], self.now).wait().is_ok()
    }

    /// Visible, in flight, delayed.
    pub(crate) fn counts(&self, queue: Queue) -> [usize; 3] {
        let statistics = self.queues.statistics(queue, self.now).wait().unwrap();
        [statistics.visible, statistics.in_flight, statistics.delayed]
    }

    /// Bodies of all messages of a queue, in order, with their phases.
    pub(crate) fn all(&self, queue: Queue) -> Vec<(String, Phase)> {
        let listed = self.queues.list(queue, None, 1000, self.now).wait().unwrap();
        let body = |id| String::from_utf8(self.queues.show(queue, id, self.now).unwrap().body).unwrap();
        listed.into_iter().map(|listed| (body(listed.id), listed.phase)).collect()
    }
}

pub(crate) fn body(received: &Received) -> String {
    String::from_utf8(received.body.clone()).unwrap()
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}
