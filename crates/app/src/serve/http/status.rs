//! `GET /status`: where is my file?

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use engine::pipeline::find::{self, Found};
use engine::pipeline::receipt::Receipt;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answers::Answer;
use super::ask::{Asked, Name};
use super::problem::Problem;
use super::shapes::{self, BadRequest, NotFound};
use crate::data::status::as_json;
use crate::serve::access::Caller;
use crate::serve::state::Service;

/// `?fileId=`
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct File {
    /// A key, `bucket/key`, receipt id, upload id or sha256.
    #[param(required = true, value_type = String, min_length = 1)]
    file_id: Option<String>,
}

/// The newest file of a name, by query.
#[utoipa::path(get, path = "/status", tag = "files", operation_id = "statusByQuery", params(File), responses(
    (status = 200, description = "Its receipt.", body = shapes::Receipt), BadRequest, NotFound))]
pub(super) async fn by_query(
    State(service): State<Arc<Service>>,
    RawQuery(raw): RawQuery,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<File>,
) -> Response {
    let Some(name) = asked.file_id.filter(|name| !name.is_empty()) else {
        return Problem::bad("no_file_id", "no fileId was given")
            .hint("ask /status?fileId=NAME, with a key, bucket/key, receipt id, upload id or sha256")
            .into_response();
    };
    let answer = by_name(&service, &caller, &name);
    // many clients do not write `+` as %2B
    match answer {
        Err(problem) if raw.is_some_and(|raw| raw.contains('+')) && name.contains(' ') => {
            by_name(&service, &caller, &name.replace(' ', "+")).map_err(|_| problem).into_response()
        }
        answer => answer.into_response(),
    }
}

/// The newest file of a name: its key, `bucket/key`, receipt id, upload id or sha256. Slashes of a key may stand in the
/// path as they are, or as `%2F`.
#[utoipa::path(get, path = "/status/{name}", tag = "files", operation_id = "statusByPath",
    params(("name" = String, Path, min_length = 1, description = "A key, `bucket/key`, receipt id, upload id or sha256.")),
    responses((status = 200, description = "Its receipt.", body = shapes::Receipt), BadRequest, NotFound))]
pub(super) async fn by_path(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Response {
    by_name(&service, &caller, &name).into_response()
}

/// The receipt of a file.
pub(super) fn by_name(service: &Service, caller: &Caller, name: &str) -> Result<Response, Problem> {
    let (engine, ports) = (&service.engine, service.engine.ports());
    let named = find::versions(&ports, name)?;
    // a partner is not told of the files of others, so who asks belongs to the question
    let asked = format!("{}\0{name}", caller.prefix().unwrap_or_default());
    if let Some(last) = service.answers.last(&asked)
        && last.named == named
        && find::recorded(&ports, &last.shown)?.as_ref() == Some(&last.record)
        && engine.blocked_by(&last.receipt)?.is_none()
    {
        return Ok(json(last.json.clone()));
    }
    let versions = caller.theirs(&ports, named.clone())?;
    let Some(shown) = versions.first().cloned() else { return Err(Problem::no_such_file(name)) };
    let Some(record) = find::recorded(&ports, &shown)? else { return Err(Problem::no_such_file(name)) };
    let found = Found { receipt: find::read(&shown, &record)?, versions };
    let by = engine.blocked_by(&found.receipt)?;
    let told = Bytes::from(as_json(&found, by.as_ref(), |other| caller.knows(&ports, other))?);
    // by whom it is blocked stands in no record
    if by.is_none() {
        let answer = Answer { named, shown, record, receipt: found.receipt, json: told.clone() };
        service.answers.keep(asked, answer);
    }
    Ok(json(told))
}

fn json(text: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The newest file of a name that the caller may see.
pub(super) fn found(service: &Service, caller: &Caller, name: &str) -> Result<Receipt, Problem> {
    let ports = service.engine.ports();
    let theirs = caller.theirs(&ports, find::versions(&ports, name)?)?;
    let newest = theirs.first().map(|id| find::by_id(&ports, id)).transpose()?.flatten();
    newest.ok_or_else(|| Problem::no_such_file(name))
}
