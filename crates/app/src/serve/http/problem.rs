//! What went wrong, as `application/problem+json` (RFC 9457).

use std::num::NonZeroU32;

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use engine::pipeline::handle;
use engine::pipeline::query::Refused;
use engine::{objects, runtime};
use serde::Serialize;
use utoipa::ToSchema;

use super::ingest::BadRecord;
use crate::complain::Hint;
use crate::serve::access::paced::too_slow;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Problem {
    /// A stable name, for programs.
    #[schema(value_type = String, example = "no_such_file")]
    code: &'static str,
    /// The words of the status.
    #[schema(value_type = String, example = "Not Found")]
    title: &'static str,
    #[schema(example = 404)]
    status: u16,
    /// What happened, with the values.
    detail: String,
    /// What to do next.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    hint: String,
    /// Records that were refused, the first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<BadRecord>,
    /// When it may be tried again: seconds, in the head of the answer.
    #[serde(skip)]
    retry_after: Option<NonZeroU32>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("problem");
        let (hint, errors) = (String::new(), Vec::new());
        Self { code, title, status: status.as_u16(), detail: detail.into(), hint, errors, retry_after: None }
    }

    pub fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// What is well written, but cannot be taken.
    pub fn refused(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    pub fn no_such_feed(name: &str, known: &[&str]) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_feed", format!("there is no feed `{name}`"))
            .hint(format!("there are: {}", known.join(", ")))
    }

    pub fn no_such_file(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_file", format!("no file is known as `{name}`"))
            .hint("give its key, bucket/key, receipt id, upload id or sha256; /files lists all")
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub fn errors(mut self, errors: Vec<BadRecord>) -> Self {
        self.errors = errors;
        self
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = NonZeroU32::new(u32::try_from(seconds).unwrap_or(u32::MAX));
        self
    }

    /// A body did not come whole, or too slowly.
    pub fn cut_off(error: &(dyn std::error::Error + 'static)) -> Self {
        let problem = match too_slow(error) {
            Some(slow) => Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", slow.to_string()),
            None => Self::bad("body_cut_off", format!("the body did not come whole: {error}")),
        };
        problem.hint("send it again; nothing was kept")
    }

    /// The engine could not: what is promised is kept, and trying again may help.
    pub fn unavailable(error: &dyn std::error::Error) -> Self {
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            detail.push_str(": ");
            detail.push_str(&next.to_string());
            cause = next.source();
        }
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).hint("try again; nothing was lost")
    }
}

impl From<handle::Error> for Problem {
    fn from(error: handle::Error) -> Self {
        Self::unavailable(&error)
    }
}

impl From<objects::Error> for Problem {
    fn from(error: objects::Error) -> Self {
        match &error {
            objects::Error::Invalid { message, hint } => Self::refused("not_stored", message.clone()).hint(*hint),
            objects::Error::NotFound(_) => {
                Self::new(StatusCode::NOT_FOUND, "object_gone", error.to_string()).hint(error.hint())
            }
            _ => Self::unavailable(&error).hint(error.hint()),
        }
    }
}

impl From<runtime::Error> for Problem {
    fn from(error: runtime::Error) -> Self {
        match error {
            runtime::Error::Objects(error) => error.into(),
            runtime::Error::NoDeadLetter(_) => {
                Self::new(StatusCode::NOT_FOUND, "no_dead_letter", error.to_string()).hint("list them at /dead-letters")
            }
            error => Self::unavailable(&error),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Question { what, hint } => Self::refused("no_answer", what).hint(hint),
            Refused::Error(error) => Self::unavailable(&error),
        }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Hint>() {
            Ok(hint) => {
                let (message, hint) = hint.into_parts();
                Self::refused("no_answer", message).hint(hint)
            }
            Err(error) => Self::unavailable(&*error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.get()));
        }
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// A path that is not there.
pub(super) async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", format!("there is nothing at {}", uri.path()))
        .hint("see /openapi.json for what there is")
}

/// A path that is there, for other methods.
pub(super) async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} means nothing at {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", detail).hint("see /openapi.json for what there is")
}
