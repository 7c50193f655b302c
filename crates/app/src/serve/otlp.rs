//! Traces for a collector: when a file comes to its end, one span for it and one for each of its stages.
//!
//! Sent as JSON by HTTP (OTLP), by a thread of its own. A collector that is away holds nothing up: what cannot wait is
//! dropped and counted.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::pipeline::receipt::{Outcome, Receipt};
use serde_json::{Value, json};

use super::metrics::{Metrics, outcome_word, preset_word};
use super::settings::Collector;
use crate::data::keys::book::sha256;
use crate::limits::TRACES_WAITING_MAX;

/// Files whose spans go at once.
const FILES_SENT_MAX: usize = 200;
/// Time for each of connecting, sending and the answer; and at the end, in which it still begins to send.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tries to send the same spans.
const TRIES_MAX: u32 = 3;

/// Where spans go; nowhere, if no collector is set. Dropped, it sends what waits, unless the collector is away, and ends.
pub(super) struct Traces {
    to: Option<SyncSender<Vec<Value>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
}

impl Traces {
    /// Begins to send to a collector.
    pub fn start(collector: Option<&Collector>, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let Some(Collector(host)) = collector.cloned() else {
            return Ok(Self { to: None, ends: Arc::default(), thread: None, metrics });
        };
        let (to, from) = sync_channel(TRACES_WAITING_MAX);
        let (counted, ends) = (metrics.clone(), Arc::<AtomicBool>::default());
        let is_end = ends.clone();
        let run = move || send_all(&host, &from, &is_end, &counted);
        let thread = std::thread::Builder::new().name("millrace-otlp".to_owned()).spawn(run)?;
        Ok(Self { to: Some(to), ends, thread: Some(thread), metrics })
    }

    /// Tells of a file that came to its end.
    pub fn file(&self, receipt: &Receipt) {
        let Some(to) = &self.to else { return };
        let spans = spans(receipt);
        let count = spans.len() as u64;
        if to.try_send(spans).is_err() {
            self.metrics.spans_lost.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        self.to = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn attribute(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

/// The spans of a file. Their ids follow from what they are about, so that what is sent twice is one.
fn spans(receipt: &Receipt) -> Vec<Value> {
    let view = receipt.view();
    let id_of = |what: &str| -> String {
        sha256(format!("{}/{}/{what}", view.receipt_id.as_str(), view.generation).as_bytes()).chars().take(16).collect()
    };
    let nanoseconds = |at: u64| at.saturating_mul(1_000_000).to_string();
    let failed = |is_failed: bool, why: &str| {
        if is_failed { json!({ "code": 2, "message": why }) } else { json!({ "code": 1 }) }
    };
    let root = id_of("file");
    let mut spans = vec![json!({
        "traceId": view.trace_id, "spanId": root, "name": format!("file {}", view.feed.as_str()), "kind": 5,
        "startTimeUnixNano": nanoseconds(view.received_at), "endTimeUnixNano": nanoseconds(receipt.updated_at()),
        "status": failed(view.outcome == Outcome::Failed, "a stage gave up"),
        "attributes": [
            attribute("file.key", view.object_key), attribute("file.bucket", view.bucket_name),
            attribute("receipt.id", view.receipt_id.as_str()), attribute("feed", view.feed.as_str()),
            attribute("preset", preset_word(view.preset)), attribute("outcome", outcome_word(view.outcome)),
        ],
    })];
    for (stage, progress) in view.stages {
        let word = format!("{stage:?}").to_lowercase();
        let failure = progress.failure.as_ref();
        let end = progress.ended_at.or(failure.map(|failure| failure.at));
        let Some(end) = end else { continue };
        let why = failure.filter(|_| progress.ended_at.is_none()).map(|failure| failure.error.as_str());
        spans.push(json!({
            "traceId": view.trace_id, "spanId": id_of(&word), "parentSpanId": root, "name": word, "kind": 1,
            "startTimeUnixNano": nanoseconds(progress.began_at.unwrap_or(end)), "endTimeUnixNano": nanoseconds(end),
            "status": failed(why.is_some(), why.unwrap_or_default()),
            "attributes": [json!({ "key": "attempts", "value": { "intValue": progress.attempts.to_string() } })],
        }));
    }
    spans
}

fn send_all(host: &str, from: &Receiver<Vec<Value>>, ends: &AtomicBool, metrics: &Metrics) {
    let is_end = || ends.load(Ordering::SeqCst);
    let (mut is_away, mut until) = (false, None);
    while let Ok(mut spans) = from.recv() {
        for _ in 1..FILES_SENT_MAX {
            match from.try_recv() {
                Ok(more) => spans.extend(more),
                Err(_) => break,
            }
        }
        let count = spans.len() as u64;
        // who ends does not wait for a collector that is away, and not long for one that is slow
        if is_end() && (is_away || Instant::now() > *until.get_or_insert_with(|| Instant::now() + PATIENCE)) {
            metrics.spans_lost.fetch_add(count, Ordering::Relaxed);
            continue;
        }
        let resource = json!({ "attributes": [attribute("service.name", "millrace")] });
        let scope = json!({ "scope": { "name": "millrace" }, "spans": spans });
        let body = json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [scope] }] }).to_string();
        let sent = (0..TRIES_MAX).take_while(|tried| *tried == 0 || !is_end()).any(|tried| {
            std::thread::sleep(Duration::from_millis(200) * tried);
            post(host, &body).is_ok_and(|status| (200..300).contains(&status))
        });
        is_away = !sent;
        if !sent {
            metrics.spans_lost.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// Sends one request, and reads the status of its answer.
fn post(host: &str, body: &str) -> std::io::Result<u16> {
    let address = if host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:4318")
    };
    let found = address.to_socket_addrs()?.next();
    let found = found.ok_or_else(|| std::io::Error::other(format!("{address} has no address")))?;
    let mut stream = TcpStream::connect_timeout(&found, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    // "HTTP/1.1 200"
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|status| status.parse().ok());
    status.ok_or_else(|| std::io::Error::other("the collector does not speak HTTP"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Ends with as much to tell a collector as can wait: how long that took, how many were lost, and of how many.
    fn ended(address: &str) -> (Duration, u64, u64) {
        let metrics: Arc<Metrics> = Arc::default();
        let traces = Traces::start(Some(&Collector(address.to_owned())), metrics.clone()).unwrap();
        let to = traces.to.clone().unwrap();
        let count = (0..TRACES_WAITING_MAX).filter(|_| to.try_send(vec![Value::Null]).is_ok()).count();
        drop(to);
        let began = Instant::now();
        drop(traces);
        (began.elapsed(), metrics.spans_lost.load(Ordering::Relaxed), count as u64)
    }

    #[test]
    fn the_end_does_not_wait_for_a_collector_that_is_away() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (took, lost, count) = ended(&address.to_string());
        assert!(took < Duration::from_secs(4), "{took:?}");
        assert_eq!(lost, count);
    }

    #[test]
    fn the_end_does_not_wait_long_for_a_collector_that_is_slow() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                std::thread::sleep(Duration::from_secs(1));
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        });
        // 20 times what goes at once
        let (took, lost, count) = ended(&address.to_string());
        assert!(took < Duration::from_secs(14), "{took:?}");
        assert!((1..count).contains(&lost), "{lost} of {count}");
    }
}
