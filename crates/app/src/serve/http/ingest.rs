//! `POST /ingest`: market records, one or many, answered when they are durable.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use engine::pipeline::limits::RECORDS_PER_MESSAGE_MAX;
use engine::pipeline::message::{Feed, Message, Records};
use engine::pipeline::point::Point;
use engine::runtime::{Once, now};
use futures_util::StreamExt;
use ring::digest;
use rows::good::Row;
use rows::records::{Bad, Checked, Place};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::RequestId;
use super::ask::Asked;
use super::problem::Problem;
use super::shapes::{BadRequest, Conflict, NotFound, TimedOut, TooLarge, Unprocessable, Unsupported};
use crate::limits::{ERRORS_LISTED_MAX, IDEMPOTENCY_KEY_BYTES_MAX, SYMBOL_BYTES_MAX};
use crate::serve::access::Caller;
use crate::serve::access::held::Held;
use crate::serve::state::{Service, blocking, random_id};
use engine::pipeline::encoding::hex;

/// Up to here a body is checked where it is read; a larger one would keep others waiting.
const HERE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of the records in one message, so that it fits a queue with all that is around them.
const MESSAGE_RECORDS_BYTES_MAX: usize = 100 * 1024;
/// Bytes of all messages of one transaction.
const TRANSACTION_RECORDS_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Which feed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct To {
    /// A feed of preset market.
    #[serde(default = "market")]
    #[param(default = "market")]
    feed: String,
}

fn market() -> String {
    "market".to_owned()
}

/// A record that was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::serve) struct BadRecord {
    /// Its place among the records, from 0.
    index: usize,
    /// The line on which it begins, from 1; in an array its place, from 0.
    line: u64,
    /// The column of the first reason.
    #[schema(required = true, nullable = true)]
    column: Option<String>,
    /// Its value, cut; null when the record does not have it.
    #[schema(required = true, nullable = true)]
    value: Option<String>,
    /// All reasons.
    reasons: Vec<String>,
    /// What to do about the first.
    hint: String,
}

impl From<Bad> for BadRecord {
    fn from(bad: Bad) -> Self {
        let Bad { index, line, column, value, reasons, hint } = bad;
        Self { index, line, column, value, reasons, hint }
    }
}

/// What became of the records.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    /// Records that are durable and will be counted.
    accepted: usize,
    rejected: usize,
    /// Why, of the first 100 of them.
    errors: Vec<BadRecord>,
    request_id: String,
    /// What the bars name as their source.
    origin: String,
}

/// A market record. More fields may be there; what a feed's contract says holds.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is documentation; the row engine reads records")]
pub(super) struct Record {
    /// Text; of another value, how it is written.
    #[schema(value_type = serde_json::Value, example = "TSLA")]
    symbol: serde_json::Value,
    /// A number, or its text: exact either way.
    #[schema(value_type = serde_json::Value, example = 200.00)]
    price: serde_json::Value,
}

/// Takes records for the market: one object, an array of objects, or one object a line. Each is checked by the contract of
/// the feed; those that are good are durable when the answer comes, the others are told one by one. Without a volume it is
/// 0, without a timestamp the time of the request holds. A request that is repeated with the same `Idempotency-Key` counts
/// once, and is answered as the first was; with another body it is refused.
#[utoipa::path(post, path = "/ingest", tag = "market", operation_id = "ingest",
    params(To, ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request count once.",
        pattern = "^[!-~]{1,255}$")),
    request_body(content((Record = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 202, description = "Those that are good are durable.", body = Answer),
        BadRequest, NotFound, Conflict, TimedOut, TooLarge, Unsupported, Unprocessable))]
pub(super) async fn ingest(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Asked(to): Asked<To>,
    request: Request,
) -> Result<Response, Problem> {
    let feed = service.engine.pipeline().feeds.named(&to.feed);
    // a feed is a partner's when all its keys are
    let Some(feed) = feed.filter(|feed| caller.may_see(feed.keys.as_str())) else {
        let known = service.engine.pipeline().feeds.iter().filter(|feed| caller.may_see(feed.keys.as_str()));
        return Err(Problem::no_such_feed(&to.feed, &known.map(|feed| feed.name.as_str()).collect::<Vec<_>>()));
    };
    if !service.checkers.contains_key(&to.feed) {
        let detail = format!("feed `{}` takes files, not single records", to.feed);
        return Err(Problem::refused("wrong_feed", detail).hint("name a feed of preset market, or POST /upload"));
    }
    let feed = feed.name.clone();
    ingestible(&service, "/ingest", request.headers())?;
    if let Some(key) = origin_of(request.headers())? {
        return once(&service, feed, key, request).await;
    }
    let random = || random_id().ok_or_else(|| Problem::unavailable(&std::io::Error::other("no random numbers")));
    let origin = format!("q-{}", random()?);
    let request_id = id_of(&request, &origin);
    packed(request.headers())?;
    let (body, _held) = whole(&service, request).await?;
    let (answer, messages) = taken(&service, feed, origin, request_id, body).await?;
    for messages in messages {
        service.engine.send_all(&messages)?.await.map_err(engine::runtime::Error::from)?;
    }
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

fn id_of(request: &Request, origin: &str) -> String {
    request.extensions().get::<RequestId>().map_or_else(|| origin.to_owned(), |id| id.0.clone())
}

/// What is to be answered, and what is to be sent before.
async fn taken(
    service: &Arc<Service>,
    feed: Feed,
    origin: String,
    request_id: String,
    body: Bytes,
) -> Result<(Answer, Vec<Vec<Message>>), Problem> {
    let part = (feed, origin.clone(), service.settings.ingest_records_max);
    let (checked, messages) = if body.len() <= HERE_BYTES_MAX {
        check(service, part, &body)?
    } else {
        let service = service.clone();
        blocking(move || check(&service, part, &body)).await?
    };
    let errors: Vec<BadRecord> = checked.listed.into_iter().take(ERRORS_LISTED_MAX).map(Into::into).collect();
    if checked.good == 0 {
        let detail = format!("none of {} records is good", checked.refused);
        let hint = errors.first().map(|bad| bad.hint.clone()).unwrap_or_default();
        return Err(Problem::refused("no_good_record", detail).hint(hint).errors(errors));
    }
    Ok((Answer { accepted: checked.good, rejected: checked.refused, errors, request_id, origin }, messages))
}

/// Takes records under a key of the caller's: once, however often the same is sent; another body is refused. The first
/// answer is written down in the commit that makes the records safe.
async fn once(service: &Arc<Service>, feed: Feed, origin: String, request: Request) -> Result<Response, Problem> {
    let request_id = id_of(&request, &origin);
    packed(request.headers())?;
    let (body, _held) = whole(service, request).await?;
    let print = hex(digest::digest(&digest::SHA256, &body).as_ref());
    let key = engine::pipeline::object::digest(&[feed.as_str(), &origin]);
    let engine = &service.engine;
    let mut before = same(engine.once(&key)?, &print)?;
    if before.as_ref().is_none_or(|before| !before.is_whole) {
        let (answer, transactions) = taken(service, feed, origin, request_id, body).await?;
        let (mut answer, last) = (serde_json::to_string(&answer).unwrap_or_default(), transactions.len());
        let is_first = before.is_none();
        for (messages, place) in transactions.iter().zip(1..) {
            if let Some(before) = &before {
                answer.clone_from(&before.answer);
            }
            let at = before.as_ref().map_or_else(now, |before| before.at);
            let next = Once { at, print: print.clone(), answer: answer.clone(), is_whole: place == last };
            if !engine.send_once(&key, before.as_ref(), &next, messages).await? {
                // somebody else sends the same at this moment, or something else
                if let Some(once) = same(engine.once(&key)?, &print)?.filter(|once| once.is_whole) {
                    return Ok(replayed(once));
                }
                return Err(Problem::new(StatusCode::CONFLICT, "under_way", "the same request is being taken")
                    .hint("send it again in a moment"));
            }
            before = Some(next);
        }
        if is_first {
            return Ok((StatusCode::ACCEPTED, [(header::CONTENT_TYPE, "application/json")], answer).into_response());
        }
    }
    before.map(replayed).ok_or_else(|| Problem::unavailable(&std::io::Error::other("nothing was sent")))
}

/// The first answer, again.
fn replayed(once: Once) -> Response {
    let headers = [(header::CONTENT_TYPE.as_str(), "application/json"), (REPLAYED, "true")];
    (StatusCode::ACCEPTED, headers, once.answer).into_response()
}

/// Says of an answer that it was given before.
pub(super) const REPLAYED: &str = "idempotent-replayed";

/// What stands under a key, unless it is of another body.
fn same(once: Option<Once>, print: &str) -> Result<Option<Once>, Problem> {
    match once {
        Some(once) if once.print != print => {
            Err(Problem::refused("idempotency_key_reused", "this Idempotency-Key came with another body before")
                .hint("send other records with a key of their own; the same request again with the same body"))
        }
        once => Ok(once),
    }
}

/// The origin that a repeated request has again.
fn origin_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = idempotency_key(headers)? else { return Ok(None) };
    let digest = digest::digest(&digest::SHA256, key);
    Ok(Some(format!("i-{}", hex(&digest.as_ref()[..16]))))
}

/// What a sender calls a request by, so that it counts once.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.as_bytes();
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        let detail = format!("Idempotency-Key has {} bytes", key.len());
        return Err(Problem::bad("bad_idempotency_key", detail)
            .hint(format!("give it 1 to {IDEMPOTENCY_KEY_BYTES_MAX}; a UUID is fine")));
    }
    Ok(Some(key))
}

fn packed(headers: &HeaderMap) -> Result<(), Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    match encoding {
        None | Some("identity") => Ok(()),
        Some(encoding) => {
            let detail = format!("the body is encoded as `{encoding}`");
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "packed", detail)
                .hint("send records as they are; packed files go to POST /upload"))
        }
    }
}

/// Refuses records whose head says already that they are too many to be taken, before they are read.
pub(in crate::serve) fn ingestible(service: &Service, path: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let bytes_max = service.settings.ingest_bytes_max;
    match length {
        Some(length) if path == "/ingest" && length > bytes_max => Err(too_large(bytes_max)),
        _ => Ok(()),
    }
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("the body has more than {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
        .hint("send records in several requests, or as a file to POST /upload")
}

/// The whole body, up to a limit. Its bytes are counted until what comes with them is dropped: nothing, if they were before
/// the request was let in.
async fn whole(service: &Service, request: Request) -> Result<(Bytes, Option<Held>), Problem> {
    let settings = &service.settings;
    let bytes_max = settings.ingest_bytes_max;
    let is_counted = request.extensions().get::<Arc<Held>>().is_some();
    let mut place = (!is_counted).then(|| service.budgets.known.place());
    let mut pieces = request.into_body().into_data_stream();
    let (mut first, mut held) = (Bytes::new(), Vec::new());
    loop {
        let next = tokio::time::timeout(settings.patience(), pieces.next()).await;
        let piece = match next {
            Err(_) => {
                let detail = format!("nothing of the body came for {} seconds", settings.piece_seconds);
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail).hint("send it again"));
            }
            Ok(None) => return Ok((if held.is_empty() { first } else { held.into() }, place)),
            Ok(Some(Err(error))) => return Err(Problem::cut_off(&error)),
            Ok(Some(Ok(piece))) => piece,
        };
        if first.len() + held.len() + piece.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        place.as_mut().map_or(Ok(()), |place| place.grow(piece.len()))?;
        // most bodies come in one piece, which is taken as it is
        if first.is_empty() && held.is_empty() {
            first = piece;
        } else {
            if held.is_empty() {
                held.extend_from_slice(&first);
                first = Bytes::new();
            }
            held.extend_from_slice(&piece);
        }
    }
}

/// What is found wrong with records, and the good ones as messages, by the transaction that they go with.
type Sent = (Checked, Vec<Vec<Message>>);

fn check(service: &Service, (feed, origin, records_max): (Feed, String, usize), body: &[u8]) -> Result<Sent, Problem> {
    let arrived = i64::try_from(now()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let Some(checker) = service.checkers.get(feed.as_str()) else {
        return Err(Problem::refused("wrong_feed", "the feed takes no single records"));
    };
    let mut packer = Packer::new(feed, origin);
    let good = |row: Row<'_>, place: Place| packer.push(&row, place);
    let checked = checker.check(body, arrived, records_max, good);
    let mut checked = checked.map_err(|refusal| {
        let problem = if refusal.code == "too_many_records" {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, refusal.code, refusal.message)
        } else {
            Problem::refused(refusal.code, refusal.message)
        };
        problem.hint(refusal.hint)
    })?;
    packer.cut();
    checked.good -= packer.refused;
    checked.refused += packer.refused;
    checked.listed.append(&mut packer.listed);
    checked.listed.sort_by_key(|bad| bad.index);
    Ok((checked, packer.transactions))
}

/// Makes messages of records.
struct Packer {
    feed: Feed,
    origin: String,
    part: u64,
    records: Vec<String>,
    bytes: usize,
    transactions: Vec<Vec<Message>>,
    /// Bytes of the records of the last transaction.
    transaction_bytes: usize,
    refused: usize,
    listed: Vec<Bad>,
}

impl Packer {
    fn new(feed: Feed, origin: String) -> Self {
        let (records, transactions, listed) = (Vec::new(), vec![Vec::new()], Vec::new());
        Self { feed, origin, part: 0, records, bytes: 0, transactions, transaction_bytes: 0, refused: 0, listed }
    }

    fn push(&mut self, row: &Row<'_>, place: Place) {
        // the checker gives no other rows
        let Some(point) = Point::of(row) else { return };
        if point.symbol.len() > SYMBOL_BYTES_MAX {
            self.refuse(&point, place);
            return;
        }
        let json = serde_json::to_string(&point).unwrap_or_default();
        if self.records.len() >= RECORDS_PER_MESSAGE_MAX || self.bytes + json.len() > MESSAGE_RECORDS_BYTES_MAX {
            self.cut();
        }
        self.bytes += json.len();
        self.records.push(json);
    }

    /// A name that long is no instrument, and could not be kept.
    fn refuse(&mut self, point: &Point, place: Place) {
        self.refused += 1;
        if self.listed.len() < ERRORS_LISTED_MAX {
            self.listed.push(Bad {
                index: place.index,
                line: place.line,
                column: Some("symbol".to_owned()),
                value: Some(point.symbol.chars().take(60).collect()),
                reasons: vec!["symbol_too_long".to_owned()],
                hint: format!("a symbol may have {SYMBOL_BYTES_MAX} bytes"),
            });
        }
    }

    /// Makes a message of what is there.
    fn cut(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let message = Message::MarketProcess(Records {
            feed: self.feed.clone(),
            origin: self.origin.clone(),
            of: None,
            part: self.part,
            records: std::mem::take(&mut self.records),
        });
        self.part += 1;
        if self.transaction_bytes + self.bytes > TRANSACTION_RECORDS_BYTES_MAX {
            self.transactions.push(Vec::new());
            self.transaction_bytes = 0;
        }
        self.transaction_bytes += self.bytes;
        self.bytes = 0;
        if let Some(messages) = self.transactions.last_mut() {
            messages.push(message);
        }
    }
}
