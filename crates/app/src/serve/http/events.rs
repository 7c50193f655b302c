//! `GET /events`: files whose receipt changed, and what else webhooks hear, as server-sent events.
//!
//! One thread hears of files and tells all who listen; whoever takes notes for the webhooks tells the rest. Who does not
//! keep up is let go: nothing is kept for anybody, and a client that comes back asks `/files` for what it missed.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use engine::pipeline::find;
use engine::pipeline::object::ReceiptId;
use engine::pipeline::receipt::Receipt;
use engine::runtime::{Engine, Watcher, now};
use serde_json::json;
use tokio::sync::broadcast;

use super::problem::Problem;
use crate::limits::EVENTS_BEHIND_MAX;
use crate::serve::notify::wants_rows;
use crate::serve::state::Service;

/// How often a client hears that the connection is alive.
const HEARTBEAT_SECONDS: u64 = 15;
/// How often the thread looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What files are told as. They are told whenever something changes, not only at their end.
const FILE: &str = "file";

/// Who listens.
#[derive(Default)]
pub(in crate::serve) struct Events(Mutex<Option<Telling>>);

/// What tells, once somebody has listened.
#[derive(Clone)]
struct Telling {
    to: broadcast::Sender<Told>,
    began: u64,
    number: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Told {
    event: Arc<str>,
    id: Arc<str>,
    data: Arc<str>,
}

impl Events {
    /// Hears from now on. The first who does sets the thread to work.
    fn listen(&self, service: &Service) -> std::io::Result<broadcast::Receiver<Told>> {
        let (engine, wants_rows) = (&service.engine, wants_rows(&service.settings.webhooks));
        let mut telling = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        engine.announce(true);
        if let Some(telling) = &*telling {
            return Ok(telling.to.subscribe());
        }
        let (to, heard) = broadcast::channel(EVENTS_BEHIND_MAX);
        let (watcher, engine) = (engine.live().watch(), Arc::downgrade(engine));
        let started = Telling { to, began: now(), number: Arc::default() };
        let files = started.clone();
        std::thread::Builder::new().name("millrace-events".to_owned()).spawn(move || {
            tell(&watcher, &engine, &files, wants_rows);
        })?;
        *telling = Some(started);
        Ok(heard)
    }

    /// Tells all who listen of what is no file; `data` is what webhooks are sent. Ends of files are told as `file` already.
    pub fn tell(&self, event: &str, data: impl FnOnce() -> String) {
        let telling = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(telling) = telling.filter(|telling| telling.to.receiver_count() > 0 && !event.starts_with("file."))
        {
            telling.tell(event, &data());
        }
    }
}

impl Telling {
    fn tell(&self, event: &str, data: &str) {
        let id = format!("{}-{}", self.began, self.number.fetch_add(1, Ordering::Relaxed));
        // nobody may be there to hear it
        let _ = self.to.send(Told { event: event.into(), id: id.into(), data: data.into() });
    }
}

fn tell(watcher: &Watcher, engine: &Weak<Engine>, files: &Telling, wants_rows: bool) {
    loop {
        let touched: BTreeSet<ReceiptId> = watcher.touched(LOOK_EVERY).into_iter().collect();
        let Some(engine) = engine.upgrade() else { return };
        let is_heard = files.to.receiver_count() > 0;
        // nobody is told of rows but who listens, or has a webhook for them
        engine.announce(is_heard || wants_rows);
        if !is_heard {
            continue;
        }
        for id in touched {
            // one that cannot be read now is told with its next change
            if let Ok(Some(receipt)) = find::by_id(&engine.ports(), &id) {
                files.tell(FILE, &short(&receipt));
            }
        }
    }
}

/// A receipt without its details.
fn short(receipt: &Receipt) -> String {
    let view = receipt.view();
    let counts = view.account.map(|account| &account.counts);
    json!({
        "receiptId": view.receipt_id, "fileId": view.file_id, "versionId": receipt.arrival().object.version, "feed": view.feed, "preset": view.preset,
        "status": view.status, "stage": view.stage, "outcome": view.outcome, "updatedAt": view.updated_at,
        "rows": counts.map(|counts| counts.rows), "good": counts.map(|counts| counts.good),
        "rejected": counts.map(|counts| counts.rejected), "duplicate": counts.map(|counts| counts.duplicate),
    })
    .to_string()
}

/// An event `file` for each file whose receipt changed, with the receipt in short as JSON. What else webhooks hear comes under
/// its own name, with the body that they get: `rows.kept` for market rows that are kept, each batch in one event, `window.restated`,
/// `dead_letter.created`, `alarm.raised`, `alarm.cleared`. A comment every 15 seconds. What happened while nobody listened is
/// not told again: `/files` has it.
#[utoipa::path(get, path = "/events", tag = "files", operation_id = "events", responses(
    (status = 200, description = "Events, until the client or the service ends.", content_type = "text/event-stream",
        body = String)))]
pub(super) async fn events(State(service): State<Arc<Service>>) -> Response {
    let heard = match service.events.listen(&service) {
        Ok(heard) => heard,
        Err(error) => return Problem::unavailable(&error).into_response(),
    };
    let stopping = service.stopping();
    let told = futures_util::stream::unfold((heard, stopping), |(mut heard, stopping)| async move {
        let told = tokio::select! {
            // who is too far behind is let go
            told = heard.recv() => told.ok()?,
            () = stopping.told() => return None,
        };
        let event = Event::default().event(&*told.event).id(&*told.id).data(&*told.data);
        Some((Ok::<Event, Infallible>(event), (heard, stopping)))
    });
    let heartbeat = KeepAlive::new().interval(Duration::from_secs(HEARTBEAT_SECONDS)).text("alive");
    Sse::new(told).keep_alive(heartbeat).into_response()
}
