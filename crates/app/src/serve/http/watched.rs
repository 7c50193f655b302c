//! What people and programs look at who run the service: metrics and alarms.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa::ToSchema;

use crate::serve::metrics;
use crate::serve::state::{Service, blocking};

/// Metrics in the text form of Prometheus; what they mean is in docs/metrics.md.
#[utoipa::path(get, path = "/metrics", tag = "service", operation_id = "metrics", responses(
    (status = 200, description = "All metrics.", content_type = "text/plain", body = String)))]
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let page = blocking(move || metrics::exported(&service)).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response()
}

/// What is looked at, and what of it is alarming.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is documentation; what is answered is written below")]
pub(super) struct Alarms {
    /// `ok`, or `alarm` when one of them is on.
    state: String,
    /// Alarms that are on.
    on: u64,
    alarms: Vec<Alarm>,
}

/// One alarm, on or off.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is documentation; what is answered is the state of an alarm")]
pub(super) struct Alarm {
    /// `errors/file-validator`, `dead-letters/validator-dlq`, `oldest-message/…`, `quota/…`.
    name: String,
    /// `ok` or `alarm`.
    state: String,
    /// Since when it is so, in milliseconds since 1970.
    since: u64,
    /// What was seen last.
    value: f64,
    /// Above this it is on.
    threshold: f64,
    unit: String,
    /// For people.
    reason: String,
}

/// All that is looked at, and what of it is alarming.
#[utoipa::path(get, path = "/alarms", tag = "service", operation_id = "alarms", responses(
    (status = 200, description = "Every alarm, on or off.", body = Alarms)))]
pub(super) async fn alarms(State(service): State<Arc<Service>>) -> Response {
    let states = service.alarms.states();
    let on = states.iter().filter(|state| state.is_on).count();
    let state = if on > 0 { "alarm" } else { "ok" };
    let body = json!({ "state": state, "on": on, "alarms": states }).to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
