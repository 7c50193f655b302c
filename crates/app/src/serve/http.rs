//! The HTTP API: its routes, and what they have in common.

mod aggregates;
mod answers;
mod ask;
mod dead_letters;
mod events;
mod files;
mod ingest;
mod openapi;
mod page;
mod problem;
mod promise;
mod replay;
mod shapes;
mod status;
mod stream;
mod upload;
mod watched;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::service::TowerToHyperService;

use super::access::admit::admit;
use super::state::Service;
pub(super) use answers::Answers;
pub(super) use events::Events;
pub(super) use ingest::ingestible;
pub(in crate::serve) use problem::Problem;

/// The id of a request: in its extensions, in the log, and in the answer.
#[derive(Debug, Clone)]
pub(in crate::serve) struct RequestId(pub String);

/// What answers the requests of the HTTP port.
pub(super) fn routes(service: &Arc<Service>) -> TowerToHyperService<Router> {
    let large = DefaultBodyLimit::disable();
    let router = Router::new()
        .route("/", get(page::page))
        .route("/openapi.json", get(openapi::document))
        .route("/healthz", get(healthz))
        .route("/status", get(status::by_query))
        .route("/status/{*name}", get(status::by_path))
        .route("/metrics", get(watched::metrics))
        .route("/alarms", get(watched::alarms))
        .route("/files", get(files::list))
        .route("/files/{name}", get(files::receipt))
        .route("/files/{name}/rejects", get(files::rejects))
        .route("/upload", post(upload::upload).layer(large))
        .route("/ingest", post(ingest::ingest).layer(large))
        .route("/bars", get(aggregates::bars))
        .route("/totals", get(aggregates::totals))
        .route("/transactions", get(aggregates::transactions))
        .route("/dead-letters", get(dead_letters::list).delete(dead_letters::purge_all))
        .route("/dead-letters/redrive", post(dead_letters::redrive_all))
        .route("/dead-letters/{id}", get(dead_letters::show).delete(dead_letters::purge))
        .route("/dead-letters/{id}/redrive", post(dead_letters::redrive))
        .route("/replay", post(replay::replay))
        .route("/tick", post(replay::tick))
        .route("/events", get(events::events))
        .method_not_allowed_fallback(problem::no_such_method)
        .fallback(problem::no_such_path)
        .layer(axum::middleware::from_fn_with_state(service.clone(), admit))
        .with_state(service.clone());
    TowerToHyperService::new(router)
}

/// Whether files are worked on. While the service ends, those who send requests here are told to go elsewhere.
#[utoipa::path(get, path = "/healthz", tag = "service", operation_id = "health", responses(
    (status = 200, description = "`ok`", content_type = "text/plain", body = String)))]
async fn healthz(State(service): State<Arc<Service>>) -> Response {
    if service.stopping().is_told() {
        let detail = "the service is ending";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail)
            .hint("go elsewhere, or come back")
            .into_response();
    }
    "ok\n".into_response()
}
