//! The HTTP API: its routes, and what they have in common.

mod problem;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use hyper_util::service::TowerToHyperService;

use super::state::Service;

/// What answers the requests of the HTTP port.
pub(super) fn routes(service: &Arc<Service>) -> TowerToHyperService<Router> {
    let router = Router::new()
        .route("/status", get(status::by_query))
        .route("/status/{*name}", get(status::by_path))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(problem::no_such_path)
        .with_state(service.clone());
    TowerToHyperService::new(router)
}
