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

use super::ask::mark;
use super::files::{limited, listed_behind};
use super::problem::Problem;
use super::shapes::{BadRequest, NotFound, Replayed, TooLarge, Unprocessable};
use crate::limits::{PAGE_LOOKED_MAX, REPLAYS_MAX};
use crate::serve::state::{Service, blocking};

/// Which files: one by its name, or those of a feed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Which {
    /// A file by key, `bucket/key`, receipt id, upload id or sha256.
    #[schema(min_length = 1)]
    name: Option<String>,
    /// The files of this feed, page by page.
    #[schema(min_length = 1)]
    feed: Option<String>,
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// Of a feed, at most so many files at once.
    #[serde(default = "replays_max")]
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    limit: usize,
    /// Goes on behind a page: its `next`.
    #[schema(pattern = "^([0-9a-f]{2})+$")]
    next: Option<String>,
}

fn replays_max() -> usize {
    REPLAYS_MAX
}

/// Files of a page, and behind what the next begins.
type Page = (Vec<Receipt>, Option<String>);

/// Begins files anew, after their contract or the program was mended.
///
/// Those of a feed come in pages, the newest first: of 10,000 files that are looked at and as many begun anew as `limit` says,
/// at most. Ask again with `next` until there is none.
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
    let (mut chosen, next) = chosen(engine, which)?;
    chosen.retain(replay::is_for);
    chosen.sort_by_cached_key(|receipt| receipt.arrival().order());
    let next = next.map(|next| mark(next.as_bytes()));
    if which.dry_run {
        let look = |receipt: &Receipt| engine.with_call(|pipeline, call| replay::preview(pipeline, call, receipt));
        let previews = chosen.iter().map(look).collect::<Result<Vec<_>, _>>()?;
        let count = previews.iter().filter(|preview| preview.changes).count();
        let told = json!({ "dryRun": true, "count": count, "previews": previews, "receipts": [], "next": next });
        return Ok(Json(told).into_response());
    }
    let receipts: Vec<_> = chosen.iter().map(Receipt::id).collect();
    receipts.iter().try_for_each(|id| engine.replay(id))?;
    let told = json!({ "dryRun": false, "count": receipts.len(), "previews": [], "receipts": receipts, "next": next });
    Ok((StatusCode::ACCEPTED, Json(told)).into_response())
}

fn chosen(engine: &Engine, which: &Which) -> Result<Page, Problem> {
    let ports = engine.ports();
    match (&which.name, &which.feed) {
        (Some(name), None) if which.next.is_none() => {
            let found = find::by_name(&ports, name)?.ok_or_else(|| Problem::no_such_file(name))?;
            Ok((vec![found.receipt], None))
        }
        (None, Some(feed)) => {
            if engine.pipeline().feeds.named(feed).is_none() {
                return Err(super::aggregates::no_such_feed(engine, feed));
            }
            let (limit, after) = (limited(which.limit, REPLAYS_MAX)?, listed_behind(which.next.as_deref())?);
            let wanted = Wanted { feed: Some(feed.clone()), ..Wanted::default() };
            Ok(find::list_among(&ports, &wanted, after.as_deref(), limit, PAGE_LOOKED_MAX)?)
        }
        _ => Err(Problem::refused("which_files", "neither one name nor one feed was given")
            .hint("give `name` or `feed`, not both; `next` goes with `feed`")),
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
