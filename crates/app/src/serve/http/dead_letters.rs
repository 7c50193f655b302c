//! `/dead-letters`: what could not be finished, sent back or thrown away.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engine::runtime::{DeadLetter, Engine};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::ask::{Asked, Name};
use super::problem::Problem;
use super::shapes::{BadRequest, DeadLetters, NotFound};
use crate::serve::state::{Service, blocking};

/// Which dead letters.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only of this feed.
    feed: Option<String>,
    /// Only of this queue.
    queue: Option<String>,
}

impl Which {
    fn is_all(&self) -> bool {
        self.feed.is_none() && self.queue.is_none()
    }

    fn fits(&self, letter: &DeadLetter) -> bool {
        self.feed.as_ref().is_none_or(|feed| letter.feed.as_ref() == Some(feed))
            && self.queue.as_ref().is_none_or(|queue| letter.queue == *queue)
    }

    fn letters(&self, engine: &Engine) -> Result<Vec<DeadLetter>, Problem> {
        Ok(engine.dead_letters()?.into_iter().filter(|letter| self.fits(letter)).collect())
    }
}

/// How many.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    /// Dead letters that it was done with.
    count: usize,
}

/// Dead letters, the first that died first.
#[utoipa::path(get, path = "/dead-letters", tag = "dead letters", operation_id = "listDeadLetters", params(Which), responses(
    (status = 200, description = "All that fit.", body = DeadLetters), BadRequest))]
pub(super) async fn list(State(service): State<Arc<Service>>, Asked(which): Asked<Which>) -> Result<Response, Problem> {
    let engine = service.engine.clone();
    let letters = blocking(move || which.letters(&engine)).await?;
    Ok(Json(json!({ "deadLetters": letters })).into_response())
}

/// Everything there is to know about one.
#[utoipa::path(get, path = "/dead-letters/{id}", tag = "dead letters", operation_id = "getDeadLetter",
    params(("id" = String, Path, min_length = 1)), responses(
    (status = 200, description = "It.", body = super::shapes::DeadLetter), BadRequest, NotFound))]
pub(super) async fn show(State(service): State<Arc<Service>>, Name(id): Name) -> Result<Response, Problem> {
    let engine = service.engine.clone();
    let shown = blocking(move || engine.dead_letter(&id)).await?;
    Ok(Json(shown).into_response())
}

/// Sends one back to where it came from.
#[utoipa::path(post, path = "/dead-letters/{id}/redrive", tag = "dead letters", operation_id = "redriveDeadLetter",
    params(("id" = String, Path, min_length = 1)), responses(
    (status = 200, description = "It is on its way.", body = Done), BadRequest, NotFound))]
pub(super) async fn redrive(State(service): State<Arc<Service>>, Name(id): Name) -> Result<Json<Done>, Problem> {
    let engine = service.engine.clone();
    blocking(move || engine.redrive(&id)).await?;
    Ok(Json(Done { count: 1 }))
}

/// Sends all of them back, or those of a feed or a queue.
#[utoipa::path(post, path = "/dead-letters/redrive", tag = "dead letters", operation_id = "redriveDeadLetters", params(Which),
    responses((status = 200, description = "They are on their way.", body = Done), BadRequest))]
pub(super) async fn redrive_all(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Done>, Problem> {
    let engine = service.engine.clone();
    let redriven = blocking(move || {
        if which.is_all() {
            return Ok(engine.redrive_all()?);
        }
        let letters = which.letters(&engine)?;
        letters.iter().try_for_each(|letter| engine.redrive(&letter.id))?;
        Ok::<usize, Problem>(letters.len())
    });
    Ok(Json(Done { count: redriven.await? }))
}

/// Throws one away: its file stays failed.
#[utoipa::path(delete, path = "/dead-letters/{id}", tag = "dead letters", operation_id = "purgeDeadLetter",
    params(("id" = String, Path, min_length = 1)), responses(
    (status = 200, description = "It is gone.", body = Done), BadRequest, NotFound))]
pub(super) async fn purge(State(service): State<Arc<Service>>, Name(id): Name) -> Result<Json<Done>, Problem> {
    let engine = service.engine.clone();
    blocking(move || engine.purge(&id)).await?;
    Ok(Json(Done { count: 1 }))
}

/// Throws all of them away, or those of a feed or a queue.
#[utoipa::path(delete, path = "/dead-letters", tag = "dead letters", operation_id = "purgeDeadLetters", params(Which),
    responses((status = 200, description = "They are gone.", body = Done), BadRequest))]
pub(super) async fn purge_all(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Done>, Problem> {
    let engine = service.engine.clone();
    let purged = blocking(move || {
        let letters = which.letters(&engine)?;
        letters.iter().try_for_each(|letter| engine.purge(&letter.id))?;
        Ok::<usize, Problem>(letters.len())
    });
    Ok(Json(Done { count: purged.await? }))
}
