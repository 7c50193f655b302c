//! What is told of a call: lines of JSON on the standard output, which the cloud keeps as a log, and one in the
//! embedded metric format, from which it makes metrics.

use std::io::Write;
use std::time::Duration;

use pipeline::message::Message;
use serde_json::{Value, json};

use crate::function::Error;

/// The namespace of the metrics.
const NAMESPACE: &str = "Millrace";

/// What was done in a call.
#[derive(Debug, Default)]
pub struct Told {
    messages: Vec<Value>,
    failures: Vec<Value>,
}

impl Told {
    /// A message was taken up.
    pub fn message(&mut self, message: &Message) {
        let work = message.work();
        self.messages.push(json!({
            "id": message.id().as_str(),
            "group": message.group().as_str(),
            "file": work.map(|work| work.object.key.as_str()),
            "receipt": work.map(|work| work.receipt()),
        }));
    }

    /// Something failed, and will come again.
    pub fn failed(&mut self, error: &Error) {
        self.failures.push(json!({ "code": error.code, "error": error.text }));
    }

    /// How much failed.
    pub fn failures(&self) -> usize {
        self.failures.len()
    }
}

/// Who tells.
#[derive(Debug, Clone)]
pub struct Teller {
    /// The function.
    pub function: &'static str,
    /// The id of the call.
    pub request: String,
    /// The trace that the call is part of, as X-Ray names it.
    pub trace: Option<String>,
    /// When, in milliseconds.
    pub at: u64,
}

impl Teller {
    /// The lines about a call.
    pub fn lines(&self, told: &Told, result: Result<(), &Error>, took: Duration, is_first: bool) -> Vec<Value> {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let mut lines: Vec<Value> = told.failures.iter().map(|failure| self.failure(failure)).collect();
        if let Err(error) = result {
            lines.push(self.failure(&json!({ "code": error.code, "error": error.text })));
        }
        let failed = u64::from(result.is_err());
        let text = format!("{} handled {} messages in {took_ms} ms", self.function, told.messages.len());
        let mut line = self.line("INFO", &text);
        line["messages"] = json!(told.messages);
        line["durationMs"] = json!(took_ms);
        line["coldStart"] = json!(is_first);
        lines.push(line);
        let metric = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
        let metrics = [
            metric("Duration", "Milliseconds"),
            metric("Messages", "Count"),
            metric("Failures", "Count"),
            metric("FailedCalls", "Count"),
            metric("ColdStarts", "Count"),
        ];
        lines.push(json!({
            "_aws": { "Timestamp": self.at, "CloudWatchMetrics": [
                { "Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": metrics } ] },
            "function": self.function, "Duration": took_ms, "Messages": told.messages.len(),
            "Failures": told.failures.len(), "FailedCalls": failed, "ColdStarts": u64::from(is_first),
        }));
        lines
    }

    fn failure(&self, failure: &Value) -> Value {
        let text = format!(
            "{}: {}",
            failure["code"].as_str().unwrap_or_default(),
            failure["error"].as_str().unwrap_or_default()
        );
        let mut line = self.line("ERROR", &text);
        line["code"] = failure["code"].clone();
        line
    }

    fn line(&self, level: &str, text: &str) -> Value {
        let time = i64::try_from(self.at).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        json!({
            "timestamp": pipeline::rows::time::rfc3339(time),
            "level": level,
            "message": text,
            "function": self.function,
            "requestId": self.request,
            "traceId": self.trace,
        })
    }
}

/// Writes lines to the standard output. If nobody takes them, there is nobody to tell.
pub fn write(lines: &[Value]) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        drop(writeln!(out, "{line}"));
    }
    drop(out.flush());
}
