//! What of a call takes how long, as subsegments of X-Ray: each stage, and within it each call to a service but those that
//! write rows, which are any number and are told together. They go to the
//! daemon beside the function, by UDP, when the call is one of those that are traced.
//!
//! Nobody waits for the daemon, and what it does not get is missing in a picture and nowhere else.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pipeline::Millis;
use pipeline::message::Message;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::clients::now;
use crate::limits::SUBSEGMENTS_MAX;

mod services;

/// The variable with the address of the daemon.
pub const DAEMON_VARIABLE: &str = "AWS_XRAY_DAEMON_ADDRESS";

/// What every datagram begins with.
const HEAD: &str = "{\"format\": \"json\", \"version\": 1}\n";

/// Where subsegments go; clones are the same one. The default goes nowhere, and costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Daemon>>);

#[derive(Debug)]
struct Daemon {
    socket: UdpSocket,
    process: u64,
    ids: AtomicU64,
    /// The call that is traced.
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    root: String,
    /// The segment of the call.
    parent: String,
    /// The part of it that is under way: a stage, or rows.
    part: Option<String>,
    done: Vec<String>,
}

/// What came of something: nothing, or what went wrong.
type Came = Option<String>;

impl Tracer {
    /// To the daemon at this address, by a process with this number; to nowhere if nothing can be sent there.
    pub fn new(address: Option<&str>, process: u64) -> Self {
        let socket = address.and_then(|address| {
            let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
            socket.connect(address).ok()?;
            socket.set_nonblocking(true).ok()?;
            Some(socket)
        });
        let daemon = |socket| Daemon { socket, process, ids: AtomicU64::new(0), current: Mutex::new(None) };
        Self(socket.map(|socket| Arc::new(daemon(socket))))
    }

    /// Whether anything is ever sent.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a call: `header` is the trace as the cloud names it, which says whether it is one of those that are traced.
    pub fn begin(&self, header: Option<&str>) {
        let Some(daemon) = &self.0 else { return };
        let part = |name: &str| {
            let mut parts = header.unwrap_or_default().split(';').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let is_traced = part("Sampled").as_deref() == Some("1");
        let current = part("Root").zip(part("Parent")).filter(|_| is_traced);
        *daemon.lock() = current.map(|(root, parent)| Current { root, parent, part: None, done: Vec::new() });
    }

    /// Ends a call, and sends what was seen of it.
    pub fn end(&self) {
        let Some(daemon) = &self.0 else { return };
        let current = daemon.lock().take();
        for subsegment in current.into_iter().flat_map(|current| current.done) {
            // what does not go out now is left out
            let _ = daemon.socket.send(format!("{HEAD}{subsegment}").as_bytes());
        }
    }

    /// Does a stage on a message.
    pub(crate) fn stage<T, E: std::fmt::Display>(
        &self,
        message: &Message,
        attempt: u32,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let name = format!("{:?}", message.stage().1).to_ascii_lowercase();
        self.part(&name, message, json!({ "attempt": attempt }), work)
    }

    /// Writes rows for a message: so many calls that they are told as one.
    pub(crate) fn rows<T, E: std::fmt::Display>(
        &self,
        message: &Message,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.part("rows", message, json!({}), work)
    }

    /// A part of the call that is of a message, with what it asks of services within it.
    fn part<T, E: std::fmt::Display>(
        &self,
        name: &str,
        message: &Message,
        mut annotations: Value,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(id) = self.id() else { return work() };
        let began = now();
        self.set_part(Some(id.clone()));
        let done = work();
        self.set_part(None);
        annotations["message"] = json!(message.id().as_str());
        if let Some(work) = message.work() {
            annotations["receipt"] = json!(work.receipt());
        }
        let failed = done.as_ref().err().map(ToString::to_string);
        self.note(&id, name, began, failed, json!({ "annotations": annotations }));
        done
    }

    /// Asks a service for something.
    fn service<T>(&self, name: &str, operation: &str, ask: impl FnOnce() -> T, came: impl FnOnce(&T) -> Came) -> T {
        let Some(id) = self.id() else { return ask() };
        let began = now();
        let answer = ask();
        let more = json!({ "namespace": "aws", "aws": { "operation": operation } });
        self.note(&id, name, began, came(&answer), more);
        answer
    }

    /// An id that nothing else has; none if the call is not traced.
    fn id(&self) -> Option<String> {
        let daemon = self.0.as_ref()?;
        let current = daemon.lock();
        let root = &current.as_ref()?.root;
        let number = daemon.ids.fetch_add(1, Ordering::Relaxed);
        Some(format!("{:016x}", xxh3_64(format!("{root} {} {number}", daemon.process).as_bytes())))
    }

    fn set_part(&self, part: Option<String>) {
        let Some(daemon) = &self.0 else { return };
        if let Some(current) = daemon.lock().as_mut() {
            current.part = part;
        }
    }

    fn note(&self, id: &str, name: &str, began: Millis, failed: Came, more: Value) {
        let Some(daemon) = &self.0 else { return };
        let mut current = daemon.lock();
        let Some(current) = current.as_mut() else { return };
        // of what is asked of services there may be any number; parts are few
        if more.get("namespace").is_some() && current.done.len() >= SUBSEGMENTS_MAX {
            return;
        }
        let parent = current.part.as_ref().unwrap_or(&current.parent);
        let mut subsegment = more;
        let mut put = |name: &str, value: Value| subsegment[name] = value;
        put("type", json!("subsegment"));
        put("name", json!(name));
        put("id", json!(id));
        put("trace_id", json!(current.root));
        put("parent_id", json!(parent));
        put("start_time", seconds(began));
        put("end_time", seconds(now()));
        if let Some(failed) = failed {
            let text: String = failed.chars().take(CAUSE_CHARS).collect();
            put("fault", json!(true));
            put("cause", json!({ "exceptions": [{ "id": id, "message": text }] }));
        }
        current.done.push(subsegment.to_string());
    }
}

/// What is told of an error; a datagram has 64 KB.
const CAUSE_CHARS: usize = 1000;

/// Seconds since 1970 with their fraction, as X-Ray reads them.
fn seconds(at: Millis) -> Value {
    serde_json::from_str(&format!("{}.{:03}", at / 1000, at % 1000)).unwrap_or_default()
}

impl Daemon {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
