//! The OpenAPI document, made from the handlers.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ComponentsBuilder, PathItem};

use super::shapes::{problem, problem_schema};
use super::{aggregates, dead_letters, events, files, ingest, page, replay, shapes, status, upload, watched};

#[derive(OpenApi)]
#[openapi(
    info(title = "Millrace", description = "Files and records that partners send, validated row by row and added up exactly. \
        Errors are problems by RFC 9457, with a stable `code` and a `hint`.", license(name = "MIT OR Apache-2.0")),
    paths(
        status::by_query, status::by_path, files::list, files::receipt, files::rejects, upload::upload, events::events,
        ingest::ingest, aggregates::bars, aggregates::totals, aggregates::transactions, replay::replay, replay::tick,
        dead_letters::list, dead_letters::show, dead_letters::redrive, dead_letters::redrive_all, dead_letters::purge,
        dead_letters::purge_all, watched::metrics, watched::alarms, super::healthz, document, page::page
    ),
    components(schemas(
        super::problem::Problem, ingest::BadRecord, shapes::Receipt, shapes::Account, shapes::Counts, shapes::OutcomeName,
        shapes::PresetName
    )),
    tags(
        (name = "files", description = "Files go in, and what became of them."),
        (name = "market", description = "Records, one or many."),
        (name = "results", description = "What rows came to."),
        (name = "dead letters", description = "What could not be finished."),
        (name = "service", description = "About the service itself.")
    )
)]
struct Document;

/// What any route may answer.
const EVERYWHERE: [(&str, &str); 5] = [
    ("401", "Nobody is known by this key or signature."),
    ("403", "Not with this key, by this host, or for a page of this origin."),
    ("405", "Other methods mean nothing here."),
    ("429", "Too many requests; `Retry-After` says when to come back."),
    ("503", "It could not be done now; nothing that was answered is lost. `Retry-After` may say when to come back."),
];

/// The document as it is served.
pub(super) static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(|| {
    let mut document = Document::openapi();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            for (status, said) in EVERYWHERE {
                operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(said));
            }
        }
    }
    let components = document.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    let mut components = components;
    components.schemas.entry("Problem".to_owned()).or_insert_with(problem_schema);
    document.components = Some(components);
    document
});

static JSON: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_pretty_json().unwrap_or_default());

/// The operations of a path.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, .. } = item;
    [get, put, post, delete].into_iter().flatten()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "service", operation_id = "openapi", responses(
    (status = 200, description = "OpenAPI 3.1.", content_type = "application/json", body = serde_json::Value)))]
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], JSON.as_str()).into_response()
}
