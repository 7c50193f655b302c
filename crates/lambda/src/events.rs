//! What the cloud calls a function with, told apart by its shape.

use std::collections::BTreeMap;

use pipeline::arrive::Arrived;
use pipeline::message::Message;
use pipeline::object::ObjectVersion;
use pipeline::rows::time::{Format, Reading};
use pipeline::topology::ANEW_EVENT;
use serde::Deserialize;
use serde_json::Value;

use crate::function::Error;

/// A call.
#[derive(Debug)]
pub enum Event {
    /// Objects were written.
    Files(Vec<Arrived>),
    /// Messages of a queue.
    Batch(Vec<Received>),
    /// An object was written, and the workflow was started by it.
    Started(Arrived),
    /// A step of the workflow, or a file that is begun anew.
    Task(Message),
    /// The schedule, with the second for which it is.
    Tick(u64),
    /// A call, or a step of the workflow, was tried for the last time.
    Failed(Failure),
    /// Somebody asks by HTTP.
    Request(Box<Request>),
    /// Something the cloud tries out when a function is connected.
    Nothing,
}

/// What was tried for the last time.
#[derive(Debug)]
pub struct Failure {
    /// The call.
    pub of: Box<Event>,
    /// What it came to, as far as the cloud knows: a function that died says nothing.
    pub error: String,
    /// How often it was tried at least, if that is known.
    pub attempts: Option<u32>,
}

/// A message as a queue gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// By which it is given back.
    pub message_id: String,
    /// The message.
    pub body: String,
    /// What the queue knows of it.
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Option<String>,
    message_group_id: Option<String>,
}

impl Received {
    /// How often it was received, this time included.
    pub fn receives(&self) -> u32 {
        self.attributes.approximate_receive_count.as_deref().and_then(|count| count.parse().ok()).unwrap_or(1)
    }

    /// The group whose order it keeps, if it is of a queue that does.
    pub fn group(&self) -> Option<&str> {
        self.attributes.message_group_id.as_deref()
    }
}

/// A request as API Gateway hands it on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// The method.
    pub http_method: String,
    /// The route: `/status/{proxy+}`.
    pub resource: String,
    /// The path.
    pub path: String,
    headers: Option<BTreeMap<String, String>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    path_parameters: Option<BTreeMap<String, String>>,
    /// The body, in base64 if the next says so.
    pub body: Option<String>,
    /// Whether the body is bytes in base64.
    pub is_base64_encoded: bool,
    request_context: Value,
}

impl Request {
    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().flatten();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query_string_parameters.as_ref()?.get(name).map(String::as_str)
    }

    /// What the route leaves open.
    pub fn open_path(&self) -> Option<&str> {
        self.path_parameters.as_ref()?.get("proxy").map(String::as_str)
    }

    /// The id that API Gateway gave the request.
    pub fn id(&self) -> &str {
        self.request_context.get("requestId").and_then(Value::as_str).unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notified {
    event_time: String,
    s3: Written,
}

#[derive(Deserialize)]
struct Written {
    bucket: Named,
    object: Object,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    /// In the words of the bucket's own events, and of those of EventBridge.
    #[serde(rename = "versionId", alias = "version-id")]
    version: Option<String>,
}

/// What a workflow says of itself beside what a stage is given.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// When the workflow began, if it says so.
    pub began: Option<u64>,
    /// Which attempt at the stage this is.
    pub attempt: u32,
}

/// What a stage of the workflow is given, and what the workflow says of itself; other calls are as they are.
pub fn of_workflow(mut value: Value) -> (Value, Turn) {
    let first = Turn { began: None, attempt: 1 };
    let Some(input) = value.get_mut("input").map(Value::take) else { return (value, first) };
    let began = value["startedAt"].as_str().and_then(|text| milliseconds(text).ok());
    let retries = value["retries"].as_u64().and_then(|retries| u32::try_from(retries).ok());
    (input, Turn { began, attempt: retries.map_or(1, |retries| retries.saturating_add(1)) })
}

impl Event {
    /// What a call is about.
    pub fn read(value: Value) -> Result<Self, Error> {
        let record = value.pointer("/Records/0");
        let kind = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        match record.and_then(|record| record.get("eventSource")).and_then(Value::as_str) {
            Some("aws:s3") => {
                let records: Vec<Notified> = parsed(value["Records"].clone())?;
                return records.into_iter().map(Notified::arrived).collect::<Result<_, _>>().map(Self::Files);
            }
            Some("aws:sqs") => return parsed(value["Records"].clone()).map(Self::Batch),
            _ => {}
        }
        if let Some(payload) = value.get("requestPayload") {
            return Ok(Self::Failed(Failure::of_call(&value, payload)));
        }
        if let Some(input) = value.get("failed") {
            return Failure::of_step(input).map(Self::Failed);
        }
        if value.get("httpMethod").is_some() {
            return parsed(value).map(|request| Self::Request(Box::new(request)));
        }
        if let Some(message) = value.get("message") {
            let read = Message::from_json(&message.to_string());
            return read.map(Self::Task).map_err(|error| unknown(&error));
        }
        match kind("detail-type") {
            "Object Created" => {
                let detail: Written = parsed(value["detail"].clone())?;
                arrived(detail, kind("time"), str::to_owned).map(Self::Started)
            }
            // as the workflow hands a message to its first stage
            ANEW_EVENT => {
                let read = Message::from_json(&value["detail"].to_string());
                read.map(Self::Task).map_err(|error| unknown(&error))
            }
            "Scheduled Event" => Ok(Self::Tick(milliseconds(kind("time"))? / 1000)),
            _ if kind("Event") == "s3:TestEvent" => Ok(Self::Nothing),
            _ => Err(Error::new("unknown_event", "this is no event that any function is called with")),
        }
    }
}

impl Failure {
    /// As the cloud tells of a call that nobody waited for. What fails here comes back in the same form, so it must come to
    /// an end: of a call that nobody can read nothing is told, and of one like this neither.
    fn of_call(told: &Value, payload: &Value) -> Self {
        let of = Event::read(payload.clone()).unwrap_or(Event::Nothing);
        let text = |path: &str| told.pointer(path).and_then(Value::as_str);
        let why = text("/requestContext/condition").unwrap_or("Failed");
        let said = text("/responsePayload/errorMessage").unwrap_or("it gave no answer");
        let attempts = told.pointer("/requestContext/approximateInvokeCount").and_then(Value::as_u64);
        Self {
            of: Box::new(of),
            error: format!("{why}: {said}"),
            attempts: attempts.and_then(|attempts| u32::try_from(attempts).ok()),
        }
    }

    /// As the workflow tells of a step: its input, and why it was caught beside it.
    fn of_step(input: &Value) -> Result<Self, Error> {
        let text = |name: &str| input["error"][name].as_str().unwrap_or_default();
        let (name, cause) = (text("Error"), text("Cause"));
        // what a function said of its failure is JSON within the text
        let said: Value = serde_json::from_str(cause).unwrap_or_default();
        let said = said["errorMessage"].as_str().unwrap_or(cause);
        // what took all its time is not tried again; whether it was tried before, and came to an error, nobody says
        let is_late = name == "States.Timeout";
        let said =
            if is_late { "it took all the time of its stage; attempts before that are not counted" } else { said };
        Ok(Self {
            of: Box::new(Event::read(input.clone())?),
            error: format!("{name}: {said}"),
            attempts: is_late.then_some(1),
        })
    }
}

impl Notified {
    fn arrived(self) -> Result<Arrived, Error> {
        // a space is written `+` there
        arrived(self.s3, &self.event_time, |key| decoded(&key.replace('+', " ")))
    }
}

fn arrived(written: Written, at: &str, key: impl Fn(&str) -> String) -> Result<Arrived, Error> {
    let Written { bucket: Named { name: bucket }, object } = written;
    let version = object
        .version
        .ok_or_else(|| Error::new("no_versions", format!("bucket {bucket} keeps no versions; switch versioning on")))?;
    let object = ObjectVersion { bucket, key: key(&object.key), version };
    Ok(Arrived { object, at: milliseconds(at)?, upload: None, sha256: None })
}

fn milliseconds(text: &str) -> Result<u64, Error> {
    let reading = Reading { format: Format::Iso { space: false, date_only: false }, naive_zone: None };
    let time = reading.parse(text.as_bytes()).ok().and_then(|nanoseconds| u64::try_from(nanoseconds / 1_000_000).ok());
    time.ok_or_else(|| Error::new("unknown_event", format!("`{text}` is no time")))
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| unknown(&error))
}

fn unknown(error: &dyn std::error::Error) -> Error {
    Error::new("unknown_event", crate::function::chain(error))
}

/// Text with its `%XX` as the bytes that they stand for.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
