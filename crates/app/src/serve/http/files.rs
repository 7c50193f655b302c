//! `GET /files`, and what there is about one file: its receipt, and its refused rows.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use engine::pipeline::find::{self, Wanted};
use engine::pipeline::object::ObjectVersion;
use engine::pipeline::ports::Objects;
use engine::pipeline::preset::Preset;
use engine::pipeline::receipt::Outcome;
use engine::pipeline::records;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::ask::{Asked, Name, mark, place};
use super::problem::Problem;
use super::shapes::{BadRequest, Conflict, Files, NotFound, Receipt, Rejects, Unprocessable};
use super::{status, stream};
use crate::data::status::view_for;
use crate::limits::{PAGE_FILES_MAX, PAGE_LOOKED_MAX};
use crate::serve::access::Caller;
use crate::serve::state::{Service, blocking};

/// Which files.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only of this feed.
    feed: Option<String>,
    /// Only of this preset.
    #[param(inline, value_type = Option<super::shapes::PresetName>)]
    preset: Option<Preset>,
    /// Only with this outcome.
    #[param(inline, value_type = Option<super::shapes::OutcomeName>)]
    outcome: Option<Outcome>,
    /// Only with keys that begin so.
    prefix: Option<String>,
    /// At most so many.
    #[serde(default = "files_default")]
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: usize,
    /// Goes on behind a page: its `next`.
    #[param(pattern = "^([0-9a-f]{2})+$")]
    next: Option<String>,
}

fn files_default() -> usize {
    50
}

/// Files, the newest first. A page looks at 10,000 files at most: it may have fewer than were asked for, even none, and a
/// `next` behind which it goes on; the last has none.
#[utoipa::path(get, path = "/files", tag = "files", operation_id = "listFiles", params(Which), responses(
    (status = 200, description = "A page of receipts.", body = Files), BadRequest))]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Which>,
) -> Result<Response, Problem> {
    let limit = limited(asked.limit, PAGE_FILES_MAX)?;
    let after = listed_behind(asked.next.as_deref())?;
    let Some(key_prefix) = caller.within(asked.prefix) else {
        return Ok(Json(json!({ "files": [], "next": null })).into_response());
    };
    let wanted = Wanted { feed: asked.feed, preset: asked.preset, outcome: asked.outcome, key_prefix };
    let engine = service.engine.clone();
    let listed = blocking(move || -> Result<_, Problem> {
        let ports = engine.ports();
        let (files, next) = find::list_among(&ports, &wanted, after.as_deref(), limit, PAGE_LOOKED_MAX)?;
        let shown = files.iter().map(|receipt| json!(view_for(receipt, |other| caller.knows(&ports, other))));
        Ok((shown.collect::<Vec<_>>(), next))
    });
    let (files, next) = listed.await?;
    Ok(Json(json!({ "files": files, "next": next.map(|next| mark(next.as_bytes())) })).into_response())
}

/// Where a page of the list of all files goes on, from its mark.
pub(super) fn listed_behind(next: Option<&str>) -> Result<Option<String>, Problem> {
    let all = records::all_listed();
    match next.map(place).transpose()?.map(String::from_utf8) {
        Some(Ok(after)) if after.starts_with(&all) => Ok(Some(after)),
        None => Ok(None),
        _ => Err(Problem::bad("bad_mark", "this is not a mark of this list").hint("leave `next` out")),
    }
}

/// A number of entries, within bounds.
pub(super) fn limited(limit: usize, max: usize) -> Result<usize, Problem> {
    if (1..=max).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad("bad_query", format!("limit is {limit}")).hint(format!("ask for 1 to {max}")))
}

/// The receipt of a file.
#[utoipa::path(get, path = "/files/{name}", tag = "files", operation_id = "getFile",
    params(("name" = String, Path, min_length = 1, description = "A receipt id, or any name that /status takes; `/` as `%2F`.")),
    responses((status = 200, description = "Its receipt.", body = Receipt), BadRequest, NotFound))]
pub(super) async fn receipt(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Response {
    status::by_name(&service, &caller, &name).into_response()
}

/// The refused rows of a file: in the sender's own form, with line, reasons and hint, so that they are valid input once they
/// are mended; with `Accept: application/json`, the report with exact totals and the first rows.
#[utoipa::path(get, path = "/files/{name}/rejects", tag = "files", operation_id = "getRejects",
    params(("name" = String, Path, min_length = 1, description = "A receipt id, or any name that /status takes; `/` as `%2F`.")),
    responses(
        (status = 200, description = "The refused rows, or the report about them.", content(
            (Rejects = "application/json"), (String = "text/csv"), (String = "application/x-ndjson"),
            (Vec<u8> = "application/octet-stream"))),
        (status = 204, description = "No row was refused."),
        BadRequest, NotFound, Conflict, Unprocessable))]
pub(super) async fn rejects(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let receipt = status::found(&service, &caller, &name)?;
    let Some(account) = receipt.account() else {
        return Err(Problem::new(StatusCode::CONFLICT, "not_validated", format!("`{name}` was not validated yet"))
            .hint("ask again in a moment; /status says where it is"));
    };
    if let Some(refused) = &account.refused {
        let detail = format!("`{name}` was refused as a whole: {}", refused.message);
        return Err(Problem::refused("file_refused", detail).hint(refused.hint.clone()));
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wants_report = accept.contains("application/json");
    let object = receipt.link(if wants_report { "report" } else { "rejects" }).cloned();
    let Some(object) = object else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let kind = if wants_report { "application/json" } else { kind_of(&object.key) };
    Ok(copied(&service, object, kind).await)
}

/// The type of rows in the sender's form, by the name of the sender's file.
fn kind_of(key: &str) -> &'static str {
    match key.rsplit('.').next() {
        Some("csv" | "gz" | "zst" | "txt" | "zip") => "text/csv",
        Some("json" | "ndjson" | "jsonl") => "application/x-ndjson",
        _ => "application/octet-stream",
    }
}

async fn copied(service: &Arc<Service>, object: ObjectVersion, kind: &'static str) -> Response {
    let engine = service.engine.clone();
    stream::answer(kind, move |to| {
        let ports = engine.ports();
        let mut opened = ports.open(&object).map_err(|error| Problem::unavailable(&error))?;
        std::io::copy(&mut opened.input, to).map_err(stream::gone)?;
        Ok(())
    })
    .await
}
