//! What people and programs look at who run the service: metrics and alarms.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::serve::metrics;
use crate::serve::state::{Service, blocking};

/// `GET /metrics`, for Prometheus.
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let page = blocking(move || metrics::exported(&service)).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response()
}

/// `GET /alarms`: all that is looked at, and what of it is alarming.
pub(super) async fn alarms(State(service): State<Arc<Service>>) -> Response {
    let states = service.alarms.states();
    let on = states.iter().filter(|state| state.is_on).count();
    let state = if on > 0 { "alarm" } else { "ok" };
    let body = json!({ "state": state, "on": on, "alarms": states }).to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
