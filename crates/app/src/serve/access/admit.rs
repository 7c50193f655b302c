//! What every request of the HTTP port goes through before it is answered: an id, where it comes from, who it is of, how
//! often they ask.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::runtime::now;

use super::held::{self, Held, Unheld};
use super::limits::TooOften;
use super::paced::Paced;
use super::quota::Use;
use super::sigv4::{Refused, Signed, UNSIGNED, without_signature};
use super::{Caller, For, body, browser, cors, route_of};
use crate::data::keys::book::sha256;
use crate::limits::{REQUEST_ID_BYTES_MAX, SIGNED_BODY_BYTES_MAX};
use crate::serve::http::{self, Problem, RequestId};
use crate::serve::listen::Origin;
use crate::serve::metrics::Request as Counted;
use crate::serve::settings::Access;
use crate::serve::state::{Service, random_id};

const REQUEST_ID: &str = "x-request-id";
const API_KEY: &str = "x-api-key";

/// Lets a request in, or answers why not.
pub(in crate::serve) async fn admit(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = RequestId(request_id(request.headers()));
    let origin = cors::allowed(&service.settings.cors, request.headers());
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or("other", |path| path.as_str()).to_owned();
    let from = request.extensions().get::<Origin>().map(|origin| origin.0.ip());
    let received = length(request.headers());

    let mut caller = Caller::default();
    let (headers, settings) = (request.headers(), &service.settings);
    let mut response = if let Err(foreign) = browser::host(settings, settings.http, request.uri(), headers) {
        Problem::from(foreign).into_response()
    } else if cors::is_preflight(&method, headers) {
        cors::preflight(origin.as_ref())
    } else if let Err(foreign) = browser::page(settings, &method, request.uri(), headers) {
        Problem::from(foreign).into_response()
    } else {
        match entered(&service, request, begun).await {
            Ok((request, who)) => {
                caller = who;
                // what is in memory of its body is counted until it is answered
                let _held = request.extensions().get::<Arc<Held>>().cloned();
                next.run(request).await
            }
            Err(answer) => *answer,
        }
    };
    cors::mark(origin, response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let sent = response.body().size_hint().exact().unwrap_or_else(|| length(response.headers()));
    service.metrics.bytes("http", received, sent);
    service.observed(&Counted {
        door: "http",
        method: method.as_str(),
        route: &route,
        path: &path,
        status: response.status().as_u16(),
        took: begun.elapsed(),
        id: &id.0,
        key: caller.key.as_deref(),
        from,
    });
    response
}

/// How long a body is announced to be.
fn length(headers: &HeaderMap) -> u64 {
    let text = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The id that a client brought, when it can stand in a log, or one of our own.
pub(in crate::serve) fn request_id(headers: &HeaderMap) -> String {
    let is_sane = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    let brought = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_sane);
    brought.map(str::to_owned).or_else(random_id).unwrap_or_default()
}

async fn entered(service: &Service, request: Request, now: Instant) -> Result<(Request, Caller), Box<Response>> {
    let from = request.extensions().get::<Origin>().map(|origin| origin.0.ip());
    if let Some(from) = from {
        service.limits.source(from, now).map_err(too_often)?;
    }
    let grace = service.settings.grace();
    let request =
        if request.body().is_end_stream() { request } else { request.map(|body| Body::new(Paced::new(body, grace))) };
    let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
    let who = For::of(&method, &path);
    let (mut request, caller) = known(service, request, who).await?;
    if who == For::Admins && !caller.is_admin() {
        let problem =
            Problem::new(StatusCode::FORBIDDEN, "not_for_partners", format!("{path} is not for keys of partners"));
        return Err(Box::new(problem.hint("ask whoever runs this service").into_response()));
    }
    service.limits.caller(&caller, now).map_err(too_often)?;
    service.limits.route(&method, &path, &caller, from, now).map_err(too_often)?;
    counted(service, &caller, &method, &path).await?;
    request.extensions_mut().insert(caller.clone());
    Ok((request, caller))
}

/// Finds out who makes a request.
async fn known(service: &Service, mut request: Request, who: For) -> Result<(Request, Caller), Box<Response>> {
    if who == For::All || service.settings.access == Access::None {
        unsign(&mut request);
        return Ok((request, Caller::default()));
    }
    let signed = Signed::of(request.uri(), request.headers()).map_err(denied)?;
    if let Some(signed) = signed {
        let (mut request, caller) = checked(service, request, &signed).await?;
        unsign(&mut request);
        return Ok((request, caller));
    }
    let Some(api_key) = api_key(request.headers()) else {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "no_key", "the request has no key and is not signed");
        let mut response = problem.hint("send X-Api-Key, or sign it (SigV4, service execute-api)").into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return Err(Box::new(response));
    };
    let Some(caller) = service.keys.by_api_key(api_key) else {
        return Err(denied(Refused("unknown_key", "the API key is not known, or was revoked".to_owned())));
    };
    if who == For::Signers {
        let what = "the request has an API key, and must be signed";
        return Err(denied(Refused("not_signed", what.to_owned())));
    }
    Ok((request, caller))
}

/// Takes out of a query what signed it.
fn unsign(request: &mut Request) {
    if let Some(uri) = without_signature(request.uri()) {
        *request.uri_mut() = uri;
    }
}

fn api_key(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text(API_KEY).or_else(|| text(header::AUTHORIZATION.as_str())?.strip_prefix("Bearer ")).map(str::trim)
}

/// Checks a signature. The body of the request that comes back is what was signed, or fails at its end.
async fn checked(service: &Service, request: Request, signed: &Signed) -> Result<(Request, Caller), Box<Response>> {
    let unknown = || Refused("unknown_key", format!("no key is known as {}, or it was revoked", signed.access_key));
    let caller = service.keys.by_access_key(&signed.access_key);
    let secret = service.secret_of(&signed.access_key);
    let (Some(caller), Some(secret)) = (caller, secret) else { return Err(denied(unknown())) };
    if signed.service() != SERVICE {
        let what = format!("it was signed for the service {}, and this is {SERVICE}", signed.service());
        return Err(denied(Refused("wrong_service", what)));
    }
    let seconds = i64::try_from(now() / 1000).unwrap_or(i64::MAX);
    signed.in_time(seconds).map_err(denied)?;
    signed.covers(request.headers()).map_err(denied)?;

    let (parts, body) = request.into_parts();
    let fits = |payload: &str| signed.fits(&parts.method, &parts.uri, &parts.headers, &secret, payload);
    let differs = || {
        let what = "the signature is not that of this request: it, or its body, was changed, or the secret is another";
        denied(Refused("signature_mismatch", what.to_owned()))
    };
    let may_be_unsigned = is_private(service, &parts);
    let mut holds = None;
    let body = match signed.declared.as_deref() {
        Some(UNSIGNED) if !may_be_unsigned => {
            return Err(denied(Refused(
                "body_not_signed",
                "the body is not signed, and the connection is not encrypted".to_owned(),
            )));
        }
        Some(UNSIGNED) if fits(UNSIGNED) => body,
        Some(declared) if !fits(declared) => return Err(differs()),
        None if signed.is_presigned() && may_be_unsigned && fits(UNSIGNED) => body,
        Some(declared) if !body::is_short(&parts.headers) => body::checked(body, declared.to_owned()),
        declared => {
            http::ingestible(service, parts.uri.path(), &parts.headers).map_err(|problem| problem.into_response())?;
            // a hash that was declared is signed: somebody with the secret made the request
            let budgets = &service.budgets;
            let mut held = if declared.is_some() { budgets.known.place() } else { budgets.unproven.place() };
            let bytes = held::whole(body, &mut held).await.map_err(unread)?;
            holds = Some(Arc::new(held));
            let hash = sha256(&bytes);
            if declared.map_or_else(|| !fits(&hash), |declared| declared != hash) {
                return Err(differs());
            }
            Body::from(bytes)
        }
    };
    let mut request = Request::from_parts(parts, body);
    holds.and_then(|held| request.extensions_mut().insert(held));
    Ok((request, caller))
}

/// The service that requests to the HTTP API are signed for, as for any API behind a gateway.
const SERVICE: &str = "execute-api";

/// Whether nobody on the way can change a body.
fn is_private(service: &Service, parts: &Parts) -> bool {
    let is_local = parts.extensions.get::<Origin>().is_some_and(|origin| origin.0.ip().is_loopback());
    service.settings.tls.is_some() || is_local
}

/// Counts a use of what there is only so much of in a day.
async fn counted(service: &Service, caller: &Caller, method: &str, path: &str) -> Result<(), Box<Response>> {
    use engine::pipeline::topology::Rate;
    let Some(key) = &caller.key else { return Ok(()) };
    if !route_of(method, path).is_some_and(|(_, route)| matches!(route.rate, Rate::PerDayAndKey(_))) {
        return Ok(());
    }
    match service.quotas.take(key, now()).await {
        Ok(Use::Granted) => Ok(()),
        Ok(Use::Exhausted(wait)) => Err(too_often(TooOften { what: "uploads of this key today", wait })),
        Err(error) => Err(Box::new(Problem::unavailable(&error).into_response())),
    }
}

fn denied(Refused(code, what): Refused) -> Box<Response> {
    let hint = "see `millrace keys list`; sign with its access key id and secret, with a clock that is right";
    Box::new(Problem::new(StatusCode::FORBIDDEN, code, what).hint(hint).into_response())
}

fn unread(error: Unheld) -> Box<Response> {
    let problem = match error {
        Unheld::Full(full) => full.into(),
        Unheld::Broken(error) => Problem::cut_off(&error),
        Unheld::TooLong => {
            let what = format!("a signed body without a declared hash is longer than {SIGNED_BODY_BYTES_MAX} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "signed_body_too_long", what)
                .hint("send its sha256 in a signed X-Amz-Content-Sha256 header")
        }
    };
    Box::new(problem.into_response())
}

fn too_often(refused: TooOften) -> Box<Response> {
    let what = format!("there are too many {}", refused.what);
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", what);
    let seconds = refused.seconds();
    Box::new(problem.hint(format!("try again in {seconds} s")).retry_after(seconds).into_response())
}
