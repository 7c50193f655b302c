//! The log: lines of JSON in a file a day, and the same on standard error as people or programs want it.
//!
//! Who tells something never waits for a disk or a terminal, and wakes nobody: a thread comes by many times a second and
//! writes what waits. What it cannot take in time is counted and dropped. Keys are named by their ids; no secret is ever a
//! field.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::metrics::{Metrics, Request};
use super::settings::LogFormat;
use crate::data::times;
use crate::limits::LINES_WAITING_MAX;

/// How often lines are written.
const WRITE_EVERY: Duration = Duration::from_millis(50);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const PREFIX: &str = "millrace-";
const SUFFIX: &str = ".jsonl";

/// How much somebody should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Milliseconds since 1970.
    pub at: u64,
    pub level: Level,
    pub message: String,
    pub fields: Map<String, Value>,
}

/// Fields that say again what messages say to people.
const IN_MESSAGE: [&str; 7] = ["method", "path", "route", "status", "file.key", "stage", "outcome"];

/// A request that was answered, as it waits to be written. There are so many that each is written as it stands.
#[derive(Serialize)]
struct Answered {
    #[serde(rename = "timestamp", serialize_with = "rfc3339")]
    at: u64,
    level: Level,
    message: String,
    door: &'static str,
    method: String,
    path: String,
    route: String,
    status: u16,
    duration_ms: f64,
    #[serde(rename = "request.id")]
    id: String,
    #[serde(rename = "key.id")]
    key: Option<String>,
    from: Option<std::net::IpAddr>,
}

fn rfc3339<S: Serializer>(at: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rows::time::rfc3339(i64::try_from(*at).unwrap_or(0).saturating_mul(1_000_000)))
}

impl Answered {
    fn to_json(&self) -> String {
        // it has nothing that could not be written
        serde_json::to_string(self).unwrap_or_default()
    }

    fn to_line(&self) -> Line {
        let mut fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        for own in ["timestamp", "level", "message"] {
            fields.remove(own);
        }
        Line { at: self.at, level: self.level, message: self.message.clone(), fields }
    }
}

/// What waits to be written.
enum Entry {
    Line(Line),
    Answered(Answered),
}

impl Line {
    fn to_json(&self) -> String {
        let at = i64::try_from(self.at).unwrap_or(0).saturating_mul(1_000_000);
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), json!(rows::time::rfc3339(at)));
        line.insert("level".to_owned(), json!(self.level.word()));
        line.insert("message".to_owned(), json!(self.message));
        line.extend(self.fields.clone());
        Value::Object(line).to_string()
    }

    fn to_text(&self) -> String {
        let fields =
            self.fields.iter().filter(|(name, value)| !value.is_null() && !IN_MESSAGE.contains(&name.as_str()));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields: String = fields.map(|(name, value)| format!(" {name}={}", text(value))).collect();
        // a message or a path may hold what a terminal would obey
        let text: String =
            format!("{}{fields}", self.message).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        format!("{} {:<5} {text}", times::clock(self.at), self.level.word())
    }
}

/// Where lines go. Dropped, it writes what waits and ends.
pub(super) struct Log {
    waiting: Arc<Mutex<Vec<Entry>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
}

impl Log {
    /// Opens the log in a folder, which is made; older files than `days` are deleted, now and with each new day.
    pub fn open(folder: &Path, format: LogFormat, days: u32, metrics: Arc<Metrics>) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("log folder {}", folder.display()))?;
        let (waiting, ends): (Arc<Mutex<Vec<Entry>>>, Arc<AtomicBool>) = Default::default();
        let (from, is_end) = (waiting.clone(), ends.clone());
        let writer = Writer { folder: folder.to_owned(), format, days, day: 0, file: None };
        let thread =
            std::thread::Builder::new().name("millrace-log".to_owned()).spawn(move || writer.run(&from, &is_end))?;
        Ok(Self { waiting, ends, thread: Some(thread), metrics })
    }

    /// Tells of something.
    pub fn tell(&self, line: Line) {
        self.push(Entry::Line(line));
    }

    fn push(&self, entry: Entry) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < LINES_WAITING_MAX {
            waiting.push(entry);
        } else {
            self.metrics.log_lines_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells of a request that was answered.
    pub fn request(&self, request: &Request<'_>, at: u64) {
        let level = match request.status {
            500.. => Level::Error,
            401 | 403 | 429 => Level::Warn,
            _ => Level::Info,
        };
        self.push(Entry::Answered(Answered {
            at,
            level,
            message: format!("{} {} {}", request.method, request.path, request.status),
            door: request.door,
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            route: request.route.to_owned(),
            status: request.status,
            duration_ms: request.took.as_micros() as f64 / 1000.0,
            id: request.id.to_owned(),
            key: request.key.map(str::to_owned),
            from: request.from,
        }));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

struct Writer {
    folder: PathBuf,
    format: LogFormat,
    days: u32,
    /// The day of the file that is open, since 1970.
    day: u64,
    file: Option<BufWriter<File>>,
}

impl Writer {
    fn run(mut self, from: &Mutex<Vec<Entry>>, ends: &AtomicBool) {
        loop {
            // asked first: what is told before the end is written
            let is_end = ends.load(Ordering::SeqCst);
            let entries = std::mem::take(&mut *from.lock().unwrap_or_else(PoisonError::into_inner));
            for entry in entries {
                match entry {
                    Entry::Line(line) => self.write(line.at, &line.to_json(), || line.to_text()),
                    Entry::Answered(line) => self.write(line.at, &line.to_json(), || line.to_line().to_text()),
                }
            }
            self.flush();
            if is_end {
                return;
            }
            std::thread::park_timeout(WRITE_EVERY);
        }
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.file {
            let _ = file.flush();
        }
    }

    fn write(&mut self, at: u64, json: &str, text: impl FnOnce() -> String) {
        if self.file.is_none() || self.day != at / DAY_MS {
            self.flush();
            self.day = at / DAY_MS;
            let path = self.folder.join(format!("{PREFIX}{}{SUFFIX}", date(self.day)));
            // a log that cannot be written stops nothing; standard error still tells
            self.file = OpenOptions::new().create(true).append(true).open(path).ok().map(BufWriter::new);
            self.forget();
        }
        if let Some(file) = &mut self.file {
            let _ = writeln!(file, "{json}");
        }
        let _ = match self.format {
            LogFormat::Off => Ok(()),
            LogFormat::Json => writeln!(std::io::stderr().lock(), "{json}"),
            LogFormat::Pretty => writeln!(std::io::stderr().lock(), "{}", text()),
        };
    }

    /// Deletes the files of days that are not kept.
    fn forget(&self) {
        let first = date(self.day.saturating_sub(u64::from(self.days.max(1)) - 1));
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let day = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
            if day.is_some_and(|day| day.len() == first.len() && day < first.as_str()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn date(day: u64) -> String {
    times::clock(day.saturating_mul(DAY_MS)).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_a_day_for_seven_days() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), LogFormat::Off, 7, Arc::default()).unwrap();
        for day in 0..10 {
            let fields = json!({"trace.id": "t"}).as_object().cloned().unwrap();
            log.tell(Line { at: day * DAY_MS + 1, level: Level::Info, message: format!("day {day}"), fields });
        }
        drop(log);
        let mut names: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names.len(), 7, "{names:?}");
        assert_eq!((names[0].as_str(), names[6].as_str()), ("millrace-1970-01-04.jsonl", "millrace-1970-01-10.jsonl"));
        let text = fs::read_to_string(folder.path().join(&names[6])).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((line["message"].as_str(), line["trace.id"].as_str()), (Some("day 9"), Some("t")));
        assert!(line["timestamp"].as_str().unwrap().starts_with("1970-01-10T00:00:00.001"));
    }

    #[test]
    fn a_terminal_obeys_nothing() {
        let message = "GET /\u{1b}[31m 404".to_owned();
        let line = Line { at: 0, level: Level::Warn, message, fields: Map::new() };
        assert_eq!(line.to_text(), "1970-01-01 00:00:00 warn  GET /\u{fffd}[31m 404");
    }
}
