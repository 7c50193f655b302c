//! The HTTP API: its routes, and what they have in common.

mod problem;
mod status;
mod watched;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use hyper_util::service::TowerToHyperService;

use super::access::admit::admit;
use super::state::Service;
pub(in crate::serve) use problem::Problem;

/// The id of a request: in its extensions, in the log, and in the answer.
#[derive(Debug, Clone)]
pub(in crate::serve) struct RequestId(pub String);

/// What answers the requests of the HTTP port.
pub(super) fn routes(service: &Arc<Service>) -> TowerToHyperService<Router> {
    let router = Router::new()
        .route("/status", get(status::by_query))
        .route("/status/{*name}", get(status::by_path))
        .route("/metrics", get(watched::metrics))
        .route("/alarms", get(watched::alarms))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(problem::no_such_path)
        .layer(axum::middleware::from_fn_with_state(service.clone(), admit))
        .with_state(service.clone());
    TowerToHyperService::new(router)
}
