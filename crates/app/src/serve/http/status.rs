//! `GET /status`: where is my file?

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::pipeline::find;
use serde::Deserialize;

use super::problem::Problem;
use crate::data::status::as_json;
use crate::serve::access::Caller;
use crate::serve::state::Service;

/// `?fileId=`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    file_id: Option<String>,
}

/// By `?fileId=NAME`.
pub(super) async fn by_query(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Response {
    match asked.file_id.filter(|name| !name.is_empty()) {
        Some(name) => by_name(&service, &caller, &name),
        None => Problem::new(StatusCode::BAD_REQUEST, "no_file_id", "no fileId was given")
            .hint("ask /status?fileId=NAME, with a key, bucket/key, receipt id, upload id or sha256")
            .into_response(),
    }
}

/// By `/status/NAME`, in which slashes may be written as they are.
pub(super) async fn by_path(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Response {
    by_name(&service, &caller, &name)
}

fn by_name(service: &Service, caller: &Caller, name: &str) -> Response {
    let engine = &service.engine;
    let found = match find::by_name(&engine.ports(), name) {
        Ok(found) => found,
        Err(error) => return Problem::unavailable(&error).into_response(),
    };
    let theirs = found.map(|found| caller.theirs(&engine.ports(), found)).transpose();
    let found = match theirs {
        Ok(found) => found.flatten(),
        Err(error) => return Problem::unavailable(&error).into_response(),
    };
    let Some(found) = found else {
        return Problem::new(StatusCode::NOT_FOUND, "no_such_file", format!("no file is known as `{name}`"))
            .hint("give its key, bucket/key, receipt id, upload id or sha256; /files lists all")
            .into_response();
    };
    match as_json(engine, &found) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response(),
        Err(error) => Problem::unavailable(&*error).into_response(),
    }
}
