//! Requests by HTTP, as API Gateway hands them on.

use pipeline::encoding::from_base64;
use pipeline::find::{self, Found};
use serde_json::{Value, json};

use crate::events::{Request, decoded};
use crate::function::{Error, Function};
use crate::limits::REQUEST_BYTES_MAX;
use crate::tell::Told;

/// What went wrong, as `application/problem+json`, in the form that `millrace serve` gives it.
pub(super) struct Problem {
    pub status: u16,
    pub code: &'static str,
    pub detail: String,
    pub hint: String,
    pub errors: Vec<Value>,
}

impl Problem {
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), hint: hint.into(), errors: Vec::new() }
    }

    fn title(&self) -> &'static str {
        match self.status {
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            413 => "Payload Too Large",
            422 => "Unprocessable Entity",
            _ => "Service Unavailable",
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        // what the log keeps is not for everybody
        let detail = format!("it could not be done now ({})", error.code);
        Self::new(503, "unavailable", detail, "try again in a moment")
    }
}

/// A status and a body of JSON.
pub(super) type Answer = Result<(u16, Value), Problem>;

impl Function {
    pub(super) fn request(&self, request: &Request, told: &mut Told) -> Value {
        let answer = match (request.http_method.as_str(), request.resource.as_str()) {
            ("GET", "/status" | "/status/{proxy+}") => self.status(request, told),
            ("POST", "/ingest") => self.ingest(request, told),
            ("POST", "/upload") => self.upload(request, told),
            (method, path) => {
                let detail = format!("{method} {path} is no way in");
                Err(Problem::new(405, "no_such_route", detail, "look at the outputs of the stack"))
            }
        };
        self.written(answer, request)
    }

    fn written(&self, answer: Answer, request: &Request) -> Value {
        let (status, kind, body) = match answer {
            Ok((status, body)) => (status, "application/json", body),
            Err(problem) => {
                let mut body = json!({ "code": problem.code, "title": problem.title(), "status": problem.status,
                    "detail": problem.detail, "hint": problem.hint });
                if !problem.errors.is_empty() {
                    body["errors"] = Value::Array(problem.errors);
                }
                (problem.status, "application/problem+json", body)
            }
        };
        let mut headers = json!({ "Content-Type": kind, "Cache-Control": "no-store", "X-Request-Id": request.id() });
        if let Some(origin) = &self.origin {
            headers["Access-Control-Allow-Origin"] = json!(origin);
        }
        json!({ "statusCode": status, "headers": headers, "body": body.to_string(), "isBase64Encoded": false })
    }

    /// The newest file of a name: its key, `bucket/key`, receipt id, upload id or sha256.
    fn status(&self, request: &Request, told: &mut Told) -> Answer {
        let asked = request.open_path().or_else(|| request.query("fileId")).filter(|name| !name.is_empty());
        let Some(asked) = asked else {
            let hint = "ask /status?fileId=NAME, with a key, bucket/key, receipt id, upload id or sha256";
            return Err(Problem::new(400, "no_file_id", "no fileId was given", hint));
        };
        // a path may come as it was written, and many clients do not write `+` as %2B
        let mut names = vec![asked.to_owned()];
        for other in [decoded(asked), asked.replace(' ', "+")] {
            if !names.contains(&other) {
                names.push(other);
            }
        }
        for name in &names {
            match self.ledger().and_then(|ledger| Ok(find::by_name(ledger, name)?)) {
                Ok(Some(found)) => return Ok((200, shown(&found))),
                Ok(None) => {}
                Err(error) => {
                    told.failed(&error);
                    return Err(error.into());
                }
            }
        }
        let hint = "give its key, bucket/key, receipt id, upload id or sha256";
        Err(Problem::new(404, "no_such_file", format!("no file is known as `{asked}`"), hint))
    }
}

fn shown(found: &Found) -> Value {
    let mut json = serde_json::to_value(found.receipt.view()).unwrap_or_default();
    json["versions"] = json!(found.versions);
    json
}

/// The body of a request as bytes.
pub(super) fn body(request: &Request) -> Result<Vec<u8>, Problem> {
    let text = request.body.as_deref().unwrap_or_default();
    let bytes = if request.is_base64_encoded { from_base64(text) } else { Some(text.as_bytes().to_vec()) };
    let Some(bytes) = bytes else {
        return Err(Problem::new(400, "body_cut_off", "the body did not come whole", "send it again"));
    };
    if bytes.len() > REQUEST_BYTES_MAX {
        let detail = format!("the body has more than {REQUEST_BYTES_MAX} bytes");
        let hint = "ask for a place to upload to: POST /upload with {\"fileName\": …} as application/json";
        return Err(Problem::new(413, "too_large", detail, hint));
    }
    Ok(bytes)
}
