//! What is counted, as Prometheus reads it. docs/metrics.md tells people what each is.
//!
//! Counters begin at 0 with the process, as Prometheus expects; what a queue or the disk holds is looked up when asked.

mod look;
pub(super) mod names;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::pipeline::preset::Preset;
use engine::pipeline::receipt::{Counts, Outcome};

use crate::limits::SERIES_MAX;
pub(super) use look::{dead_queues, exported, lines, statistics};
use names::NAMES;

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// `http` or `s3`.
    pub door: &'static str,
    pub method: &'a str,
    /// The route as it is written in the program, so that there are few.
    pub route: &'a str,
    /// The path as it came.
    pub path: &'a str,
    pub status: u16,
    pub took: Duration,
    pub id: &'a str,
    pub key: Option<&'a str>,
    pub from: Option<IpAddr>,
}

/// Upper ends of the buckets of a histogram, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Debug, Clone, Default)]
struct Histogram {
    /// Not cumulative; the last is for what is above all.
    counts: [u64; BUCKETS.len() + 1],
    seconds: f64,
}

/// Door, method, route and status.
type Series = (&'static str, String, String, u16);

/// Everything that is counted as it happens.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    requests: Mutex<BTreeMap<Series, Histogram>>,
    files: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    rows: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    file_bytes: Mutex<BTreeMap<&'static str, u64>>,
    received_bytes: [AtomicU64; 2],
    sent_bytes: [AtomicU64; 2],
    pub log_lines_lost: AtomicU64,
    pub spans_lost: AtomicU64,
}

/// Both doors, in the order of their counters.
const DOORS: [&str; 2] = ["http", "s3"];

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    /// Counts a request.
    pub fn request(&self, request: &Request<'_>) {
        let mut requests = lock(&self.requests);
        let method = if METHODS.contains(&request.method) { request.method } else { "other" };
        let mut series = (request.door, method.to_owned(), request.route.to_owned(), request.status);
        if requests.len() >= SERIES_MAX && !requests.contains_key(&series) {
            series = (request.door, "other".to_owned(), "other".to_owned(), 0);
        }
        let histogram = requests.entry(series).or_default();
        let seconds = request.took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|end| seconds <= *end).unwrap_or(BUCKETS.len());
        histogram.counts[bucket] += 1;
        histogram.seconds += seconds;
    }

    /// Counts bytes of bodies.
    pub fn bytes(&self, door: &str, received: u64, sent: u64) {
        let Some(index) = DOORS.iter().position(|known| *known == door) else { return };
        self.received_bytes[index].fetch_add(received, Ordering::Relaxed);
        self.sent_bytes[index].fetch_add(sent, Ordering::Relaxed);
    }

    /// Counts a file that came to its end.
    pub fn file(&self, preset: Preset, outcome: Outcome, counts: Option<&Counts>, bytes: u64) {
        let preset = preset_word(preset);
        *lock(&self.files).entry((preset, outcome_word(outcome))).or_default() += 1;
        *lock(&self.file_bytes).entry(preset).or_default() += bytes;
        let Some(counts) = counts else { return };
        let mut rows = lock(&self.rows);
        for (result, count) in [("good", counts.good), ("rejected", counts.rejected), ("duplicate", counts.duplicate)] {
            *rows.entry((preset, result)).or_default() += count;
        }
    }

    /// Requests of a route that were answered, and those of them that this side could not answer.
    pub fn answered(&self, route_begins: &str) -> (u64, u64) {
        let (mut all, mut failed) = (0, 0);
        for ((door, _, route, status), histogram) in &*lock(&self.requests) {
            if *door == "http" && route.starts_with(route_begins) {
                let count: u64 = histogram.counts.iter().sum();
                all += count;
                failed += if *status >= 500 { count } else { 0 };
            }
        }
        (all, failed)
    }

    fn write(&self, page: &mut Page) {
        page.head("millrace_requests_total");
        let requests = lock(&self.requests).clone();
        for ((door, method, route, status), histogram) in &requests {
            let labels =
                format!("door=\"{door}\",method=\"{method}\",route=\"{}\",status=\"{status}\"", escaped(route));
            page.value("millrace_requests_total", &labels, histogram.counts.iter().sum::<u64>() as f64);
        }
        page.head("millrace_request_seconds");
        let mut merged: BTreeMap<(&str, &str), Histogram> = BTreeMap::new();
        for ((door, _, route, _), histogram) in &requests {
            let sum = merged.entry((door, route.as_str())).or_default();
            sum.counts.iter_mut().zip(&histogram.counts).for_each(|(sum, count)| *sum += count);
            sum.seconds += histogram.seconds;
        }
        for ((door, route), histogram) in &merged {
            page.histogram(
                "millrace_request_seconds",
                &format!("door=\"{door}\",route=\"{}\"", escaped(route)),
                histogram,
            );
        }
        page.head("millrace_files_total");
        for ((preset, outcome), count) in &*lock(&self.files) {
            page.value("millrace_files_total", &format!("preset=\"{preset}\",outcome=\"{outcome}\""), *count as f64);
        }
        page.head("millrace_rows_total");
        for ((preset, result), count) in &*lock(&self.rows) {
            page.value("millrace_rows_total", &format!("preset=\"{preset}\",result=\"{result}\""), *count as f64);
        }
        page.head("millrace_file_bytes_total");
        for (preset, bytes) in &*lock(&self.file_bytes) {
            page.value("millrace_file_bytes_total", &format!("preset=\"{preset}\""), *bytes as f64);
        }
        let both =
            [("millrace_received_bytes_total", &self.received_bytes), ("millrace_sent_bytes_total", &self.sent_bytes)];
        for (name, counters) in both {
            page.head(name);
            for (door, counter) in DOORS.iter().zip(counters) {
                page.value(name, &format!("door=\"{door}\""), counter.load(Ordering::Relaxed) as f64);
            }
        }
        let lost =
            [("millrace_log_lines_lost_total", &self.log_lines_lost), ("millrace_spans_lost_total", &self.spans_lost)];
        for (name, counter) in lost {
            page.head(name);
            page.value(name, "", counter.load(Ordering::Relaxed) as f64);
        }
    }
}

/// Methods that are told apart.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];

/// A preset as labels and logs say it.
pub(super) fn preset_word(preset: Preset) -> &'static str {
    match preset {
        Preset::Files => "files",
        Preset::Market => "market",
        Preset::Transactions => "transactions",
    }
}

/// An outcome as labels and logs say it.
pub(super) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::InProgress => "in_progress",
        Outcome::Failed => "failed",
        Outcome::Completed => "completed",
        Outcome::CompletedWithRejects => "completed_with_rejects",
        Outcome::Rejected => "rejected",
        Outcome::Duplicate => "duplicate",
        Outcome::Superseded => "superseded",
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The page that is written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str) {
        let known = NAMES.iter().find(|known| known.name == name);
        debug_assert!(known.is_some(), "{name} is not among the names");
        if let Some(known) = known {
            let _ = writeln!(self.0, "# HELP {name} {}\n# TYPE {name} {}", known.help, known.kind);
        }
    }

    fn value(&mut self, name: &str, labels: &str, value: f64) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let mut sum = 0;
        let ends = BUCKETS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(histogram.counts) {
            sum += count;
            self.value(&format!("{name}_bucket"), &format!("{labels},le=\"{end}\""), sum as f64);
        }
        self.value(&format!("{name}_sum"), labels, histogram.seconds);
        self.value(&format!("{name}_count"), labels, sum as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(route: &str, status: u16, took: Duration) -> Request<'_> {
        let (path, method, id) = ("/", "GET", "1");
        Request { door: "http", method, route, path, status, took, id, key: None, from: None }
    }

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let metrics = Metrics::default();
        metrics.request(&request("/status", 200, Duration::from_millis(2)));
        metrics.request(&request("/status", 503, Duration::from_secs(60)));
        metrics.request(&request("/a\"b", 200, Duration::ZERO));
        let mut page = Page::default();
        metrics.write(&mut page);
        for line in [
            "millrace_requests_total{door=\"http\",method=\"GET\",route=\"/status\",status=\"200\"} 1",
            "millrace_requests_total{door=\"http\",method=\"GET\",route=\"/a\\\"b\",status=\"200\"} 1",
            "millrace_request_seconds_bucket{door=\"http\",route=\"/status\",le=\"0.0025\"} 1",
            "millrace_request_seconds_bucket{door=\"http\",route=\"/status\",le=\"+Inf\"} 2",
            "millrace_request_seconds_count{door=\"http\",route=\"/status\"} 2",
        ] {
            assert!(page.0.lines().any(|found| found == line), "{line} is not in\n{}", page.0);
        }
        assert_eq!(metrics.answered("/status"), (2, 1));
    }

    #[test]
    fn labels_that_come_from_outside_are_bounded() {
        let metrics = Metrics::default();
        (0..3 * SERIES_MAX).for_each(|number| metrics.request(&request(&format!("/{number}"), 200, Duration::ZERO)));
        assert!(lock(&metrics.requests).len() <= SERIES_MAX + 1);
    }
}
