//! The S3 door: the objects of the engine as S3 clients expect them. A file that is written here starts its feed.
//!
//! `s3s` reads and checks requests; what they mean is here. A key is only ever a key. What the stages write is read here
//! like anything else, under the prefixes that name it, and is not written or deleted by clients.

mod answers;
mod attributes;
mod auth;
mod body;
mod buckets;
mod chunks;
mod copy;
mod counted;
mod form;
mod letters;
mod list;
mod multipart;
mod read;
mod remove;
mod versions;
mod write;

use std::sync::Arc;

use anyhow::{Context, Result};
use engine::objects;
use engine::pipeline::feed::{OUTPUTS, preset_of};
use engine::runtime::{self, Engine};
use s3s::service::S3ServiceBuilder;
use s3s::{S3Error, S3Result, s3_error};

use super::intake::unspeakable;
use super::state::Service;
pub(super) use auth::Guarded;

/// What answers the requests of the S3 port.
pub(super) fn door(service: &Arc<Service>) -> Result<Guarded> {
    let made = buckets::made(&service.engine).context("buckets that clients made")?;
    let mut builder = S3ServiceBuilder::new(Storage { service: service.clone(), made: Arc::new(made) });
    builder.set_auth(auth::Keys(service.clone()));
    builder.set_access(auth::Gate(service.clone()));
    builder.set_config(form::limits());
    Ok(Guarded { inner: builder.build(), service: service.clone() })
}

/// The buckets and objects of the engine.
#[derive(Clone)]
struct Storage {
    service: Arc<Service>,
    made: Arc<buckets::Made>,
}

impl Storage {
    fn engine(&self) -> &Engine {
        &self.service.engine
    }

    /// Refuses a key that clients may not write.
    async fn writable(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.removable(bucket, key).await?;
        match unspeakable(key) {
            Some(letter) => Err(s3_error!(
                InvalidArgument,
                "the key has the character {}, which no answer in XML 1.0 can tell; leave it out",
                letter.escape_unicode()
            )),
            None => Ok(()),
        }
    }

    /// Refuses a key that clients may not delete. One that they may not write can lie there all the same: from the command
    /// line, or from before it was refused.
    async fn removable(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.bucket(bucket).await?;
        match OUTPUTS.iter().find(|output| key.starts_with(**output)) {
            Some(output) if preset_of(bucket).is_some() => {
                Err(s3_error!(AccessDenied, "keys under {output} are written by the stages alone"))
            }
            _ => Ok(()),
        }
    }
}

/// The engine could not, as S3 says it.
fn refused(error: runtime::Error) -> S3Error {
    match error {
        runtime::Error::Objects(error) => of_objects(error),
        error => {
            let mut told = s3_error!(ServiceUnavailable, "{error}; try again");
            told.set_source(Box::new(error));
            told
        }
    }
}

fn of_objects(error: objects::Error) -> S3Error {
    let mut told = match &error {
        objects::Error::NotFound(_) => s3_error!(NoSuchVersion, "{error}"),
        objects::Error::Invalid { message, hint } if message.contains("key") => {
            s3_error!(KeyTooLongError, "{message}; {hint}")
        }
        objects::Error::Invalid { message, hint } => s3_error!(InvalidArgument, "{message}; {hint}"),
        error => s3_error!(ServiceUnavailable, "{error}; {}", error.hint()),
    };
    told.set_source(Box::new(error));
    told
}
