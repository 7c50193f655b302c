//! Who may come in by the S3 door, as whom, to what, and how often.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode, Uri};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{
    CopyObjectInput, CopySource, DeleteObjectsInput, ListMultipartUploadsInput, ListObjectVersionsInput,
    ListObjectsInput, ListObjectsV2Input, PostObjectInput, UploadPartCopyInput,
};
use s3s::path::S3Path;
use s3s::service::S3Service;
use s3s::{Body, S3Request, S3Result, s3_error};

use super::counted::{self, Broken};
use super::{Service, chunks, form, letters};
use crate::limits::XML_BYTES_MAX;
use crate::serve::access::Caller;
use crate::serve::access::admit::request_id;
use crate::serve::access::browser;
use crate::serve::access::held::Budget;
use crate::serve::access::limits::TooOften;
use crate::serve::access::paced::Paced;
use crate::serve::access::sigv4::{CONTENT_SHA256, Refused, Signed, UNSIGNED, is_text, pairs, signs_in_query};
use crate::serve::listen::Origin;
use crate::serve::metrics::Request as Counted;
use crate::serve::settings::{Access, Settings};
use crate::serve::state::LOCAL_KEY;

/// Finds the secret that a request must have been signed with.
pub(super) struct Keys(pub Arc<Service>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.secret_of(access_key) {
            Some(secret) => Ok(SecretKey::from(secret)),
            None => {
                Err(s3_error!(InvalidAccessKeyId, "no key is known as {access_key}; `millrace keys create` makes one"))
            }
        }
    }
}

/// Lets a request in, or does not.
pub(super) struct Gate(pub Arc<Service>);

/// What keys of partners may do with a bucket; which keys of objects are meant is looked at where they are known.
const OF_BUCKETS: [&str; 9] = [
    "HeadBucket",
    "GetBucketLocation",
    "GetBucketVersioning",
    "ListObjects",
    "ListObjectsV2",
    "ListObjectVersions",
    "ListMultipartUploads",
    "DeleteObjects",
    "PostObject",
];

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if self.0.settings.access == Access::None {
            return Ok(());
        }
        let Some(credentials) = context.credentials() else {
            return Err(s3_error!(
                AccessDenied,
                "the request is not signed; sign it with a key of `millrace keys create`"
            ));
        };
        let caller = self.0.keys.by_access_key(&credentials.access_key);
        let caller = caller.ok_or_else(|| s3_error!(InvalidAccessKeyId, "the key was revoked"))?;
        if let Err(refused) = self.0.limits.caller(&caller, Instant::now()) {
            let mut error = s3_error!(SlowDown, "there are too many {}", refused.what);
            error.set_headers(HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from(refused.seconds()))]));
            return Err(error);
        }
        let name = context.s3_op().name();
        let may = match context.s3_path() {
            _ if caller.is_admin() => true,
            S3Path::Root => name == "ListBuckets",
            S3Path::Bucket { .. } => OF_BUCKETS.contains(&name),
            S3Path::Object { key, .. } => caller.may_see(key),
        };
        if !may {
            return Err(foreign(&caller));
        }
        context.extensions_mut().insert(caller);
        Ok(())
    }

    async fn list_objects(&self, request: &mut S3Request<ListObjectsInput>) -> S3Result<()> {
        theirs(request, request.input.prefix.as_deref().unwrap_or_default())
    }

    async fn list_objects_v2(&self, request: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        theirs(request, request.input.prefix.as_deref().unwrap_or_default())
    }

    async fn list_object_versions(&self, request: &mut S3Request<ListObjectVersionsInput>) -> S3Result<()> {
        theirs(request, request.input.prefix.as_deref().unwrap_or_default())
    }

    async fn list_multipart_uploads(&self, request: &mut S3Request<ListMultipartUploadsInput>) -> S3Result<()> {
        theirs(request, request.input.prefix.as_deref().unwrap_or_default())
    }

    async fn delete_objects(&self, request: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        request.input.delete.objects.iter().try_for_each(|object| theirs(request, &object.key))
    }

    async fn post_object(&self, request: &mut S3Request<PostObjectInput>) -> S3Result<()> {
        theirs(request, &request.input.key)
    }

    async fn copy_object(&self, request: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        source(request, &request.input.copy_source)
    }

    async fn upload_part_copy(&self, request: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        source(request, &request.input.copy_source)
    }
}

/// Refuses a key of an object, or the beginning of some, that is not the caller's.
fn theirs<T>(request: &S3Request<T>, key: &str) -> S3Result<()> {
    match request.extensions.get::<Caller>() {
        Some(caller) if !caller.may_see(key) => Err(foreign(caller)),
        _ => Ok(()),
    }
}

fn source<T>(request: &S3Request<T>, source: &CopySource) -> S3Result<()> {
    match source {
        CopySource::Bucket { key, .. } => theirs(request, key),
        // of no bucket of this service: for those alone who see everything
        _ => theirs(request, ""),
    }
}

/// The same whether or not there is something.
fn foreign(caller: &Caller) -> s3s::S3Error {
    let prefix = caller.prefix().unwrap_or_default();
    s3_error!(AccessDenied, "this key is for what lies under {prefix}; list with that prefix, and write there")
}

/// The door with what comes before `s3s` reads a request, and after it has answered.
#[derive(Clone)]
pub(in crate::serve) struct Guarded {
    pub(super) inner: S3Service,
    pub(super) service: Arc<Service>,
}

/// What the door answers.
pub(super) type Answer = <S3Service as hyper::service::Service<hyper::Request<Incoming>>>::Response;
type Failure = <S3Service as hyper::service::Service<hyper::Request<Incoming>>>::Error;

impl hyper::service::Service<hyper::Request<Incoming>> for Guarded {
    type Response = Answer;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        let (service, began) = (self.service.clone(), Instant::now());
        let from = request.extensions().get::<Origin>().map(|origin| origin.0.ip());
        let id = request_id(request.headers());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let received = length(request.headers());
        let signed = Signed::of(&uri, request.headers());
        let too_often = from.and_then(|from| service.limits.source(from, began).err());
        let refused = match too_often {
            Some(refused) => Some(slow_down(&refused)),
            None if service.settings.access == Access::Keys => tampered(&signed, &uri, request.headers()),
            None => foreign_page(&service.settings, &method, &uri, request.headers()),
        };
        let signer = signed.ok().flatten();
        let form = form::is_form(&method, request.headers()).then(form::place);
        let refused = refused.or_else(|| match form {
            Some(None) => Some(slow_down(&FORMS)),
            Some(Some(_)) => None,
            None => too_long(&method, received),
        });
        let answer = match refused {
            Some(refused) => Err(refused),
            None => {
                if service.settings.access == Access::None {
                    as_local(&service, &mut request, signer.as_ref());
                }
                // a form is read before anybody knows who sends it
                let budgets = &service.budgets;
                let budget = if form.is_some() { &budgets.unproven } else { &budgets.s3 };
                let (request, why) = limited(request, service.settings.grace(), budget);
                Ok((self.inner.clone(), request, why))
            }
        };
        Box::pin(async move {
            let _form = form;
            let mut response = match answer {
                Ok((inner, request, why)) => {
                    let response = inner.call(request).await?;
                    match why.get() {
                        Some(why) if !response.status().is_success() => unread(why),
                        _ => response,
                    }
                }
                Err(response) => response,
            };
            letters::refer(&mut response);
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert("x-amz-request-id", value);
            }
            let sent = response.body().size_hint().exact().unwrap_or_else(|| length(response.headers()));
            service.metrics.bytes("s3", received, sent);
            let caller = signer.and_then(|signed| service.keys.by_access_key(&signed.access_key));
            let key = caller.filter(|_| response.status() != StatusCode::FORBIDDEN).and_then(|caller| caller.key);
            service.observed(&Counted {
                door: "s3",
                method: method.as_str(),
                route: route(uri.path()),
                path: uri.path(),
                status: response.status().as_u16(),
                took: began.elapsed(),
                id: &id,
                key: key.as_deref(),
                from,
            });
            Ok(response)
        })
    }
}

/// A request whose body must come in some time, and of which only so much is held in memory.
fn limited(
    request: hyper::Request<Incoming>,
    grace: Duration,
    budget: &Arc<Budget>,
) -> (hyper::Request<Body>, counted::Why) {
    let is_cut = chunks::are_in(request.headers());
    let (head, body) = request.into_parts();
    let body = Paced::new(body, grace);
    let (body, why) = if is_cut {
        let (body, why) = counted::Counted::new(chunks::Cut::new(body), budget);
        (Body::http_body(body), why)
    } else {
        let (body, why) = counted::Counted::new(body, budget);
        (Body::http_body(body), why)
    };
    (hyper::Request::from_parts(head, body), why)
}

/// What a request is answered whose body was not read on.
fn unread(why: &Broken) -> Answer {
    match why {
        Broken::Full(full) => later(&full.to_string(), 1),
        Broken::Slow(slow) => told(StatusCode::BAD_REQUEST, "RequestTimeout", &slow.to_string()),
    }
}

/// Refuses what a page in a browser could make of a door at which nobody is asked for a signature. Where everybody is, a page
/// can send what somebody signed for it: a form with its policy.
fn foreign_page(settings: &Settings, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Answer> {
    let is_foreign = browser::host(settings, settings.s3, uri, headers);
    let foreign = is_foreign.and_then(|()| browser::page(settings, method, uri, headers)).err()?;
    Some(told(StatusCode::FORBIDDEN, "AccessDenied", &format!("{}; {}", foreign.detail, foreign.hint)))
}

/// There are too many forms at a time.
const FORMS: TooOften = TooOften { what: "forms at a time", wait: Duration::from_secs(1) };

/// Refuses more XML than is read; `s3s` would say that it was its own fault.
fn too_long(method: &Method, bytes: u64) -> Option<Answer> {
    let is_so = *method == Method::POST && bytes > XML_BYTES_MAX as u64;
    let message = format!("the request has {bytes} bytes, and what is asked for in XML has {XML_BYTES_MAX} at most");
    is_so.then(|| told(StatusCode::BAD_REQUEST, "MaxMessageLengthExceeded", &message))
}

fn length(headers: &HeaderMap) -> u64 {
    let text = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn route(path: &str) -> &'static str {
    match path.trim_start_matches('/').split_once('/') {
        Some((_, key)) if !key.is_empty() => "/{bucket}/{key}",
        _ if path == "/" => "/",
        _ => "/{bucket}",
    }
}

fn slow_down(refused: &TooOften) -> Answer {
    later(&format!("there are too many {}", refused.what), refused.seconds())
}

/// An error of which it is said when to try again.
fn later(message: &str, seconds: u64) -> Answer {
    let mut response = told(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// An error as S3 tells it.
fn told(status: StatusCode, code: &str, message: &str) -> Answer {
    let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = hyper::Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Refuses a request whose signature leaves open what must not be changed on the way; `s3s` looks at what is signed, and
/// then obeys every header. What it could read otherwise than it is read here is refused as well: it takes any word for the
/// algorithm, looks for a signature in one place after the other, and leaves out what is no text or is there twice.
fn tampered(signed: &Result<Option<Signed>, Refused>, uri: &Uri, headers: &HeaderMap) -> Option<Answer> {
    let in_header = headers.contains_key(AUTHORIZATION);
    if [in_header, signs_in_query(uri), has_parameter(uri, OLD)].iter().filter(|there| **there).count() > 1 {
        // one of the two would be looked at here, and the other there
        let message =
            "Only one auth mechanism allowed; the query has a signature, and another, or the Authorization header";
        return Some(told(StatusCode::BAD_REQUEST, "InvalidArgument", message));
    }
    match signed {
        Err(Refused(_, what)) => {
            let code = if in_header { "AuthorizationHeaderMalformed" } else { "AuthorizationQueryParametersError" };
            Some(told(StatusCode::BAD_REQUEST, code, what))
        }
        Ok(Some(signed)) => {
            // the hash of the body is signed as such
            let is_said = |name: &str| name == CONTENT_SHA256 || signed.has_in_query(name, uri, headers);
            signed.open(headers).find(|name| !is_said(name)).map(unsigned)
        }
        Ok(None) if in_header => {
            let message =
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
            Some(told(StatusCode::BAD_REQUEST, "InvalidRequest", message))
        }
        Ok(None) if has_parameter(uri, OLD) => of_version_2(uri, headers),
        Ok(None) => None,
    }
}

/// The parameter by which a link is known that is signed in version 2.
const OLD: &str = "Signature";

/// The same of a link that is signed in version 2, which has all headers of AWS that are text, and each parameter that
/// says what is to be done, if it is there once.
fn of_version_2(uri: &Uri, headers: &HeaderMap) -> Option<Answer> {
    let names: Vec<String> = pairs(uri.query().unwrap_or_default()).into_iter().map(|(name, _)| name).collect();
    if let Some((_, name)) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        let message = format!("the query has the parameter {name} twice");
        return Some(told(StatusCode::BAD_REQUEST, "InvalidArgument", &message));
    }
    let of_aws = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
    of_aws.filter(|name| !is_text(name, headers)).map(unsigned).next()
}

fn unsigned(name: &str) -> Answer {
    let message = format!("There were headers present in the request which were not signed: {name}");
    told(StatusCode::FORBIDDEN, "AccessDenied", &message)
}

fn has_parameter(uri: &Uri, wanted: &str) -> bool {
    pairs(uri.query().unwrap_or_default()).iter().any(|(name, _)| name == wanted)
}

/// What a body is declared as that comes in chunks which are not signed.
const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// Where nobody is asked who they are, a signature with a key of elsewhere says nothing, but how the body is to be read is
/// said with it: the request is signed anew with the local pair. Chunks that are signed themselves cannot be, and are
/// refused as what they are, signed with an unknown key.
fn as_local(service: &Service, request: &mut hyper::Request<Incoming>, signed: Option<&Signed>) {
    let Some(signed) = signed else { return of_old(request) };
    if service.secret_of(&signed.access_key).is_some() {
        return;
    }
    if signed.is_presigned() {
        if let Some(uri) = without_signature(request.uri()) {
            *request.uri_mut() = uri;
        }
        return;
    }
    match signed.declared.as_deref() {
        None => drop(request.headers_mut().remove(AUTHORIZATION)),
        Some(declared) if declared == UNSIGNED || declared == UNSIGNED_CHUNKS || declared.len() == 64 => {
            let header = signed.signed_by(LOCAL_KEY, request.method(), request.uri(), request.headers());
            if let Some(value) = header.and_then(|header| HeaderValue::from_str(&header).ok()) {
                request.headers_mut().insert(AUTHORIZATION, value);
            }
        }
        Some(_) => {}
    }
}

/// The same for signatures of version 2, which say nothing of a body. `aws s3 presign` still makes them.
fn of_old(request: &mut hyper::Request<Incoming>) {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if header.is_some_and(|header| header.starts_with("AWS ")) {
        request.headers_mut().remove(AUTHORIZATION);
    }
    if let Some(uri) = without_signature(request.uri()) {
        *request.uri_mut() = uri;
    }
}

/// What signs in a query, in version 2.
const OLD_SIGNATURE: [&str; 3] = ["AWSAccessKeyId=", "Signature=", "Expires="];

fn without_signature(uri: &Uri) -> Option<Uri> {
    let query = uri.query()?;
    let is_old = OLD_SIGNATURE.iter().all(|name| query.split('&').any(|part| part.starts_with(name)));
    let signs =
        |part: &str| part.starts_with("X-Amz-") || (is_old && OLD_SIGNATURE.iter().any(|name| part.starts_with(name)));
    let kept: Vec<&str> = query.split('&').filter(|part| !signs(part)).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{}{query}", uri.path()).parse().ok()
}
