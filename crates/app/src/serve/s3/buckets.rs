//! Buckets: those of the presets, there from the start, and those that clients make, if the settings let them.
//!
//! A bucket that a client made is written down as an object of its name in a bucket that no client sees. What lies in it
//! starts no feed; it is kept, with all its versions, until it is deleted.

use std::collections::BTreeMap;

use engine::objects::{Objects, Versions};
use engine::pipeline::feed::preset_of;
use engine::runtime::{Engine, now};
use s3s::dto::{Bucket, ListBucketsOutput};
use s3s::{S3Result, s3_error};
use tokio::sync::{RwLock, RwLockReadGuard};

use super::list::owner;
use super::read::modified;
use super::{Storage, of_objects, refused};
use crate::limits::{LISTED_KEYS_MAX, OWN_BUCKETS_MAX};
use crate::serve::state::blocking;

/// Where the buckets that clients made are written down.
const MADE_BUCKET: &str = ".buckets";

/// When each bucket was made that a client made. Who writes into one keeps it from going meanwhile.
pub(super) type Made = RwLock<BTreeMap<String, u64>>;

/// Those of the folder, whether or not more may be made.
pub(super) fn made(engine: &Engine) -> engine::objects::Result<Made> {
    let listed = engine.objects().list(MADE_BUCKET, "", Versions::Newest(None), OWN_BUCKETS_MAX)?;
    let made = listed.into_iter().filter(|listed| !listed.head.is_marker);
    Ok(RwLock::new(made.map(|listed| (listed.object.key, listed.head.at)).collect()))
}

impl Storage {
    /// Refuses a bucket that is not there.
    pub(super) async fn bucket(&self, name: &str) -> S3Result<()> {
        if self.is_of_preset(name) || self.made.read().await.contains_key(name) {
            return Ok(());
        }
        let there = self.service.buckets().join(", ");
        Err(s3_error!(NoSuchBucket, "there is no bucket {name}; there are {there}"))
    }

    fn is_of_preset(&self, name: &str) -> bool {
        self.service.buckets().iter().any(|bucket| bucket == name)
    }

    /// Keeps a bucket from going, if it is one that could.
    pub(super) async fn stays(&self, name: &str) -> S3Result<Option<RwLockReadGuard<'_, BTreeMap<String, u64>>>> {
        if preset_of(name).is_some() {
            return Ok(None);
        }
        let made = self.made.read().await;
        if made.contains_key(name) {
            return Ok(Some(made));
        }
        Err(s3_error!(NoSuchBucket, "the bucket {name} was deleted meanwhile"))
    }

    pub(super) async fn list_all_buckets(&self) -> ListBucketsOutput {
        let of_presets = self.service.buckets().into_iter().map(|name| (name, 0));
        let made = self.made.read().await.clone();
        let buckets = of_presets.chain(made).map(|(name, at)| Bucket {
            name: Some(name),
            creation_date: Some(modified(at)),
            ..Bucket::default()
        });
        let buckets = Some(buckets.collect());
        ListBucketsOutput { buckets, owner: Some(owner()), ..ListBucketsOutput::default() }
    }

    pub(super) async fn make_bucket(&self, name: &str) -> S3Result<()> {
        if self.is_of_preset(name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "the bucket {name} is there from the start"));
        }
        if !self.service.settings.own_buckets {
            return Err(s3_error!(
                AccessDenied,
                "there is one bucket for each preset; others can be made with own_buckets = true of [serve]"
            ));
        }
        if preset_of(name).is_some() {
            return Err(s3_error!(AccessDenied, "the name {name} is that of a preset in another environment"));
        }
        let mut made = self.made.write().await;
        if made.contains_key(name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "the bucket {name} is there already"));
        }
        if made.len() >= OWN_BUCKETS_MAX {
            return Err(s3_error!(TooManyBuckets, "there are {OWN_BUCKETS_MAX} buckets already; delete one"));
        }
        let upload = self.engine().upload(MADE_BUCKET, name).map_err(refused)?;
        let (objects, at) = (self.engine().objects().clone(), now());
        blocking(move || objects.put_alone(upload, at)).await.map_err(of_objects)?;
        made.insert(name.to_owned(), at);
        Ok(())
    }

    /// Deletes a bucket in which nothing is listed, with the old versions in it.
    pub(super) async fn delete_made_bucket(&self, name: &str) -> S3Result<()> {
        self.bucket(name).await?;
        if self.is_of_preset(name) {
            return Err(s3_error!(AccessDenied, "the buckets of the presets stay"));
        }
        // who writes into it is waited for, and who comes then finds it gone
        let mut made = self.made.write().await;
        let (objects, bucket) = (self.engine().objects().clone(), name.to_owned());
        let is_gone = blocking(move || -> engine::objects::Result<bool> {
            if !objects.list(&bucket, "", Versions::Newest(None), 1)?.is_empty() {
                return Ok(false);
            }
            // of each key the oldest version goes first and its marker last, so that nothing appears again
            remove_all(&objects, &bucket, "", |_| true)?;
            remove_all(&objects, MADE_BUCKET, &bucket, |key| key == bucket)?;
            Ok(true)
        });
        if !is_gone.await.map_err(of_objects)? {
            return Err(s3_error!(BucketNotEmpty, "objects are in the bucket {name}; delete them first"));
        }
        made.remove(name);
        Ok(())
    }
}

/// Removes all versions of the keys that begin so and are meant.
fn remove_all(
    objects: &Objects,
    bucket: &str,
    prefix: &str,
    is_meant: impl Fn(&str) -> bool,
) -> engine::objects::Result<()> {
    let mut after: Option<(String, String)> = None;
    loop {
        let from = after.as_ref().map(|(key, version)| (key.as_str(), version.as_str()));
        let listed = objects.list(bucket, prefix, Versions::All(from), LISTED_KEYS_MAX)?;
        let Some(last) = listed.last() else { return Ok(()) };
        after = Some((last.object.key.clone(), last.object.version.clone()));
        for object in listed.iter().map(|listed| &listed.object).filter(|object| is_meant(&object.key)) {
            objects.delete(object, now())?;
        }
    }
}
