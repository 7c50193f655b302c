//! What went wrong, as `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What went wrong.
#[derive(Debug, Serialize)]
pub(in crate::serve) struct Problem {
    /// A stable name, for programs.
    code: &'static str,
    title: &'static str,
    status: u16,
    /// What happened, with the values.
    detail: String,
    /// What to do next.
    #[serde(skip_serializing_if = "String::is_empty")]
    hint: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("problem");
        Self { code, title, status: status.as_u16(), detail: detail.into(), hint: String::new() }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// A path that is not there.
pub(super) async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", format!("there is nothing at {}", uri.path()))
        .hint("see /openapi.json for what there is")
}
