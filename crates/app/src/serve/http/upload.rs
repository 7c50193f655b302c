//! `POST /upload`: a file of any size, streamed to disk, answered when it is safe.

mod repeated;

use std::io;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use engine::objects::Upload;
use engine::pipeline::feed::{Declared, OUTPUTS, preset_of};
use engine::pipeline::preset::Preset;
use engine::runtime::{Engine, Placed};
use futures_util::StreamExt;
use ring::digest;
use s3s::crypto::{Checksum as _, Md5};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ask::Asked;
use super::ingest::REPLAYED;
use super::problem::Problem;
use super::promise::Promise;
use super::shapes::{BadRequest, NotFound, TimedOut, TooLarge, Unprocessable};
use crate::limits::FORM_FIELD_BYTES_MAX;
use crate::serve::access::Caller;
use crate::serve::access::paced::too_slow;
use crate::serve::intake::{Intake, Take, Taken, unspeakable};
use crate::serve::settings::Settings;
use crate::serve::state::{Service, blocking, random_id};

/// Where a file is to go.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct To {
    /// Its key. A form may name it in a field `key`, or else the file's own name is taken; a raw body needs it here.
    #[param(example = "2026/01/transactions.csv")]
    key: Option<String>,
    /// The feed, when another one than that which takes the key of `transactions`.
    feed: Option<String>,
    /// The bucket, instead of a feed.
    bucket: Option<String>,
}

/// A file that is safe.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Received {
    #[schema(example = "upload-0123456789abcdef0123456789abcdef")]
    upload_id: String,
    receipt_id: String,
    /// Its key.
    file_id: String,
    /// `received`
    #[schema(value_type = String)]
    status: &'static str,
    bucket_name: String,
    version_id: String,
    bytes: u64,
    sha256: String,
    links: Links,
}

/// Where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Links {
    /// What became of it.
    status: String,
    /// Its refused rows, once it is validated.
    rejects: String,
}

/// A form with a file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is documentation; the parts are read one by one")]
pub(super) struct Form {
    /// The feed; before the file.
    feed: Option<String>,
    /// The key; before the file.
    key: Option<String>,
    /// The file; its name is the key unless one was given.
    #[schema(content_media_type = "application/octet-stream", format = Binary)]
    file: String,
}

/// Takes a file: as a form with a part `file`, or as the body itself. It goes to disk as it comes, whatever its size, and
/// is answered once it is safe. Digests in `Content-MD5`, `Digest` or `Content-Digest` (MD5, sha256) are held against the
/// bytes, of a form those in the head of its part; a file that is not as promised is not kept. A file that is sent again with
/// the same `Idempotency-Key` is taken once, and answered as the first was; another file is refused.
#[utoipa::path(post, path = "/upload", tag = "files", operation_id = "upload",
    params(To, ("Idempotency-Key" = Option<String>, Header, description = "Makes a file that is sent again count once.",
        pattern = "^[!-~]{1,255}$")),
    request_body(content((Form = "multipart/form-data"), (Vec<u8> = "application/octet-stream"), (String = "text/csv"))),
    responses((status = 202, description = "The file is safe, and will be worked on.", body = Received),
        BadRequest, NotFound, TimedOut, TooLarge, Unprocessable))]
pub(super) async fn upload(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Asked(to): Asked<To>,
    request: Request,
) -> Result<Response, Problem> {
    let once = repeated::upload_id(&caller, request.headers())?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        form(&service, &caller, to, request).await?.end(&service, once).await
    } else {
        raw(&service, &caller, to, request).await?.end(&service, once).await
    }
}

async fn raw(service: &Arc<Service>, caller: &Caller, to: To, request: Request) -> Result<Making, Problem> {
    let Some(key) = to.key.clone() else {
        return Err(Problem::bad("no_key", "the body is a file without a name")
            .hint("name it with ?key=, or send a form: curl -F file=@transactions.csv"));
    };
    let (parts, body) = request.into_parts();
    let promise = Promise::of(&parts.headers)?;
    theirs(caller, &key)?;
    let mut making = Making::begin(service, &to, &key, promise)?;
    // who waits to be told to go on need not send it in vain
    making.must_fit(HttpBody::size_hint(&body).lower())?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = in_time(&service.settings, pieces.next()).await? {
        making.push(&piece.map_err(|error| Problem::cut_off(&error))?).await?;
    }
    Ok(making)
}

/// Refuses a key that is not the caller's to write.
fn theirs(caller: &Caller, key: &str) -> Result<(), Problem> {
    if caller.may_see(key) {
        return Ok(());
    }
    let prefix = caller.prefix().unwrap_or_default();
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_key", format!("the key `{key}` is not under {prefix}"))
        .hint(format!("name the file {prefix}{key}")))
}

async fn form(service: &Arc<Service>, caller: &Caller, mut to: To, request: Request<Body>) -> Result<Making, Problem> {
    if Promise::of(request.headers())?.is_some() {
        return Err(Problem::bad("digest_of_form", "the digest in the head is that of the whole form")
            .hint("put it into the head of the part `file`, or send the file as the body"));
    }
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| {
        Problem::bad("bad_form", error.body_text()).hint("send multipart/form-data with a boundary")
    })?;
    let mut making = None;
    while let Some(mut field) =
        in_time(&service.settings, form.next_field()).await?.map_err(|error| bad_form(&error))?
    {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            if making.is_some() {
                return Err(Problem::bad("two_files", "there are two parts `file`").hint("send one file a request"));
            }
            let own = field.file_name().map(file_name).filter(|name| !name.is_empty());
            let own = own.map(|name| caller.prefix().unwrap_or_default() + &name);
            let Some(key) = to.key.clone().or(own) else {
                return Err(Problem::bad("no_key", "the part `file` has no name").hint("send a field `key` before it"));
            };
            theirs(caller, &key)?;
            let mut file = Making::begin(service, &to, &key, Promise::of(field.headers())?)?;
            while let Some(piece) =
                in_time(&service.settings, field.chunk()).await?.map_err(|error| bad_form(&error))?
            {
                file.push(&piece).await?;
            }
            making = Some(file);
            continue;
        }
        let mut text = Vec::new();
        while let Some(piece) = in_time(&service.settings, field.chunk()).await?.map_err(|error| bad_form(&error))? {
            text.extend_from_slice(&piece);
            if text.len() > FORM_FIELD_BYTES_MAX {
                let detail = format!("field `{name}` has more than {FORM_FIELD_BYTES_MAX} bytes");
                return Err(Problem::bad("bad_form", detail).hint("the file goes into a part called `file`"));
            }
        }
        let text =
            String::from_utf8(text).map_err(|_| Problem::bad("bad_form", format!("field `{name}` is no UTF-8")))?;
        match name.as_str() {
            "key" => to.key = Some(text),
            "feed" => to.feed = Some(text),
            "bucket" => to.bucket = Some(text),
            // forms have fields of their own
            _ => continue,
        }
        if making.is_some() {
            return Err(Problem::bad("bad_form", format!("field `{name}` comes behind the file"))
                .hint("send the fields before the file"));
        }
    }
    making.ok_or_else(|| Problem::bad("no_file", "the form has no part `file`").hint("curl -F file=@transactions.csv"))
}

/// The last part of a name: browsers of old send whole paths.
fn file_name(name: &str) -> String {
    name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

async fn in_time<T>(settings: &Settings, next: impl Future<Output = T>) -> Result<T, Problem> {
    let next = tokio::time::timeout(settings.patience(), next).await;
    next.map_err(|_| {
        let detail = format!("nothing of the body came for {} seconds", settings.piece_seconds);
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail).hint("send it again; nothing was kept")
    })
}

fn bad_form(error: &axum::extract::multipart::MultipartError) -> Problem {
    if too_slow(error).is_some() {
        return Problem::cut_off(error);
    }
    Problem::bad("bad_form", format!("the form is not whole: {}", error.body_text()))
        .hint("send it again; nothing was kept")
}

/// A file on its way in.
struct Making {
    intake: Intake<File>,
    promise: Option<Promise>,
    bytes: u64,
    bytes_max: u64,
}

struct File {
    upload: Upload,
    md5: Option<Md5>,
    sha256: Option<digest::Context>,
}

impl Take for File {
    fn take(mut self, piece: Vec<u8>) -> io::Result<Taken<Self>> {
        if let Some(md5) = &mut self.md5 {
            md5.update(&piece);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(&piece);
        }
        let spare = self.upload.give(piece)?;
        Ok((self, spare))
    }
}

impl Making {
    fn begin(service: &Service, to: &To, key: &str, promise: Option<Promise>) -> Result<Self, Problem> {
        if let Some(letter) = unspeakable(key) {
            let detail = format!("the key has the character {}, which S3 could not tell", letter.escape_unicode());
            return Err(Problem::refused("bad_key", detail).hint("leave it out"));
        }
        let feed = taking(&service.engine, to, key)?;
        let upload = service.engine.upload(&service.engine.bucket_of(feed), key)?;
        let md5 = promise.as_ref().and_then(|promise| promise.md5.as_ref()).map(|_| Md5::new());
        let sha256 = promise.as_ref().and_then(|promise| promise.sha256.as_ref());
        let sha256 = sha256.map(|_| digest::Context::new(&digest::SHA256));
        let bytes_max = service.settings.upload_bytes_max;
        Ok(Self { intake: Intake::new(File { upload, md5, sha256 }), promise, bytes: 0, bytes_max })
    }

    async fn push(&mut self, piece: &Bytes) -> Result<(), Problem> {
        self.must_fit(piece.len() as u64)?;
        self.bytes += piece.len() as u64;
        self.intake.push(piece).await.map_err(unwritten)
    }

    fn must_fit(&self, more: u64) -> Result<(), Problem> {
        if self.bytes.saturating_add(more) > self.bytes_max {
            let detail = format!("the file has more than {} bytes", self.bytes_max);
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
                .hint("split it, or raise upload_bytes_max of [serve]"));
        }
        Ok(())
    }

    /// Makes it safe, under an upload id of its own, or that of all requests which are the same.
    async fn end(self, service: &Arc<Service>, once: Option<String>) -> Result<Response, Problem> {
        let File { upload, md5, sha256 } = self.intake.end().await.map_err(unwritten)?;
        if let Some(promise) = self.promise {
            let md5 = md5.map(|md5| md5.finalize().to_vec());
            promise.keep(md5.as_deref(), sha256.map(digest::Context::finish).as_ref().map(AsRef::as_ref))?;
        }
        let Some(id) = once else {
            let id = random_id().map(|id| format!("upload-{id}"));
            let id = id.ok_or_else(|| Problem::unavailable(&io::Error::other("the system has no random numbers")))?;
            let placed = place(service, upload, id.clone()).await?;
            return Ok(Received::of(id, placed).into_response());
        };
        // of those who send the same at this moment, the second sees what became of the first
        let _alone = service.repeated.of("", &id).write().await;
        if let Some(receipt) = repeated::before(service, &id)? {
            let placed = repeated::again(service, upload, receipt).await?;
            return Ok(([(REPLAYED, "true")], Received::of(id, placed)).into_response());
        }
        let placed = place(service, upload, id.clone()).await?;
        Ok(Received::of(id, placed).into_response())
    }
}

impl Received {
    fn of(id: String, placed: Placed) -> (StatusCode, Json<Self>) {
        let Placed { object, receipt, bytes, sha256 } = placed;
        let received = Self {
            links: Links { status: format!("/status/{id}"), rejects: format!("/files/{id}/rejects") },
            upload_id: id,
            receipt_id: receipt.map(|receipt| receipt.as_str().to_owned()).unwrap_or_default(),
            file_id: object.key,
            status: "received",
            bucket_name: object.bucket,
            version_id: object.version,
            bytes,
            sha256,
        };
        (StatusCode::ACCEPTED, Json(received))
    }
}

async fn place(service: &Arc<Service>, upload: Upload, id: String) -> Result<Placed, Problem> {
    let engine = service.engine.clone();
    // who writes on a condition, through the other door, is alone meanwhile
    let _shared = service.locks.of(upload.bucket(), upload.key()).read().await;
    let placing = if upload.is_small() {
        engine.place(upload, Some(id))
    } else {
        blocking(move || engine.place(upload, Some(id))).await
    };
    Ok(placing?.done().await?)
}

fn unwritten(error: io::Error) -> Problem {
    match error.downcast::<engine::objects::Error>() {
        Ok(error) => error.into(),
        Err(error) => Problem::unavailable(&error),
    }
}

/// The feed that takes the key.
fn taking<'e>(engine: &'e Engine, to: &To, key: &str) -> Result<&'e Declared, Problem> {
    if let Some(output) = OUTPUTS.iter().find(|output| key.starts_with(**output)) {
        let detail = format!("keys under `{output}` are written by the stages alone");
        return Err(Problem::refused("key_of_stages", detail).hint("choose another key"));
    }
    let feeds = &engine.pipeline().feeds;
    let named = match &to.feed {
        Some(name) => Some(feeds.named(name).ok_or_else(|| super::aggregates::no_such_feed(engine, name))?),
        None => None,
    };
    let preset = match (&to.bucket, named) {
        (None, None) => Preset::Transactions,
        (None, Some(feed)) => feed.preset,
        (Some(bucket), named) => {
            let preset = preset_of(bucket).filter(|preset| {
                let mut own = feeds.iter().filter(|feed| feed.preset == *preset);
                own.any(|feed| engine.bucket_of(feed) == *bucket)
            });
            match preset {
                Some(preset) if named.is_none_or(|feed| feed.preset == preset) => preset,
                Some(_) => {
                    let detail = format!("bucket `{bucket}` is not that of the feed");
                    return Err(Problem::refused("wrong_bucket", detail).hint("leave the bucket out"));
                }
                None => {
                    let detail = format!("there is no bucket `{bucket}`");
                    return Err(
                        Problem::new(StatusCode::NOT_FOUND, "no_such_bucket", detail).hint("name a feed instead")
                    );
                }
            }
        }
    };
    match feeds.taking(preset, key) {
        Some(feed) if named.is_none_or(|named| named.name == feed.name) => Ok(feed),
        _ => {
            let detail = match named {
                Some(feed) => {
                    format!(
                        "feed `{}` takes keys such as `{}`, and `{key}` is none of its",
                        feed.name.as_str(),
                        feed.keys.as_str()
                    )
                }
                None => format!("no feed takes the key `{key}`"),
            };
            Err(Problem::refused("no_feed_takes_it", detail)
                .hint("choose a key that fits, or change `keys` of the feed"))
        }
    }
}
