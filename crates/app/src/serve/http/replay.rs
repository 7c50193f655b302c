//! `POST /replay`: files begun anew, or what that would change. `POST /tick`: the market aggregation, now.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::pipeline::find::{self, Wanted};
use engine::pipeline::receipt::Receipt;
use engine::pipeline::replay;
use engine::runtime::Engine;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::problem::Problem;
use super::shapes::{BadRequest, NotFound, Replayed, TooLarge, Unprocessable};
use crate::limits::PREVIEWS_MAX;
use crate::serve::state::{Service, blocking};

/// Which files: one by its name, or all of a feed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Which {
    /// A file by key, `bucket/key`, receipt id, upload id or sha256.
    #[schema(min_length = 1)]
    name: Option<String>,
    /// All files of this feed.
    #[schema(min_length = 1)]
    feed: Option<String>,
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
}

/// Begins files anew, after their contract or the program was mended.
#[utoipa::path(post, path = "/replay", tag = "results", operation_id = "replay", request_body = Which, responses(
    (status = 200, description = "What would change; nothing was written.", body = Replayed),
    (status = 202, description = "They are begun anew.", body = Replayed),
    BadRequest, NotFound, TooLarge, Unprocessable))]
pub(super) async fn replay(State(service): State<Arc<Service>>, body: Bytes) -> Result<Response, Problem> {
    let which: Which = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad("bad_body", format!("the body is not understood: {error}"))
            .hint("send {\"name\": \"day.csv\", \"dryRun\": true}")
    })?;
    let engine = service.engine.clone();
    blocking(move || begin(&engine, &which)).await
}

fn begin(engine: &Engine, which: &Which) -> Result<Response, Problem> {
    let chosen = replay::replayable(chosen(engine, which)?);
    if which.dry_run {
        if chosen.len() > PREVIEWS_MAX {
            let detail = format!("{} files would be looked at, more than {PREVIEWS_MAX}", chosen.len());
            return Err(Problem::refused("too_many_files", detail).hint("use `millrace replay --dry-run`"));
        }
        let look = |receipt: &Receipt| engine.with_call(|pipeline, call| replay::preview(pipeline, call, receipt));
        let previews = chosen.iter().map(look).collect::<Result<Vec<_>, _>>()?;
        let count = previews.iter().filter(|preview| preview.changes).count();
        let told = json!({ "dryRun": true, "count": count, "previews": previews, "receipts": [] });
        return Ok(Json(told).into_response());
    }
    let receipts: Vec<_> = chosen.iter().map(Receipt::id).collect();
    receipts.iter().try_for_each(|id| engine.replay(id))?;
    let told = json!({ "dryRun": false, "count": receipts.len(), "previews": [], "receipts": receipts });
    Ok((StatusCode::ACCEPTED, Json(told)).into_response())
}

fn chosen(engine: &Engine, which: &Which) -> Result<Vec<Receipt>, Problem> {
    let ports = engine.ports();
    match (&which.name, &which.feed) {
        (Some(name), None) => {
            let found = find::by_name(&ports, name)?.ok_or_else(|| Problem::no_such_file(name))?;
            Ok(vec![found.receipt])
        }
        (None, Some(feed)) => {
            if engine.pipeline().feeds.named(feed).is_none() {
                return Err(super::aggregates::no_such_feed(engine, feed));
            }
            let wanted = Wanted { feed: Some(feed.clone()), ..Wanted::default() };
            Ok(find::list(&ports, &wanted, None, usize::MAX)?.0)
        }
        _ => Err(Problem::refused("which_files", "neither one name nor one feed was given")
            .hint("give `name` or `feed`, not both")),
    }
}

/// That it is on its way.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ticked {
    ticked: bool,
}

/// Has all feeds of `market` aggregate now, whatever the clock says.
#[utoipa::path(post, path = "/tick", tag = "results", operation_id = "tick", responses(
    (status = 202, description = "They will.", body = Ticked)))]
pub(super) async fn tick(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    let engine = service.engine.clone();
    blocking(move || engine.tick()).await?;
    Ok((StatusCode::ACCEPTED, Json(Ticked { ticked: true })).into_response())
}
