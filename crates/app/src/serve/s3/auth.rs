//! Who may come in by the S3 door, and as whom.

use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::S3Service;
use s3s::{S3Result, s3_error};

use super::Service;
use crate::serve::settings::Access;

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

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_some() || self.0.settings.access == Access::None {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "the request is not signed; sign it with a key of `millrace keys create`"))
    }
}

/// The door with what comes before `s3s` reads a request.
#[derive(Clone)]
pub(in crate::serve) struct Guarded {
    pub(super) inner: S3Service,
    pub(super) service: Arc<Service>,
}

type Answer = <S3Service as hyper::service::Service<hyper::Request<Incoming>>>::Response;
type Failure = <S3Service as hyper::service::Service<hyper::Request<Incoming>>>::Error;

impl hyper::service::Service<hyper::Request<Incoming>> for Guarded {
    type Response = Answer;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        if self.service.settings.access == Access::None {
            unsigned(&self.service, &mut request);
        }
        let answer = hyper::service::Service::call(&self.inner, request);
        Box::pin(answer)
    }
}

/// Where nobody is asked who they are, a signature with a key of elsewhere says nothing: the request is as good without.
fn unsigned(service: &Service, request: &mut hyper::Request<Incoming>) {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(header) = header else { return };
    let key = header.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next());
    if key.is_some_and(|key| service.secret_of(key).is_none()) {
        request.headers_mut().remove(AUTHORIZATION);
    }
}
