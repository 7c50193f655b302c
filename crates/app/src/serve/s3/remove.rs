//! Objects go: behind a marker, or a version for good.

use engine::objects::Listed;
use engine::pipeline::object::ObjectVersion;
use engine::runtime::{self, now};
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition,
    Error as Failed,
};
use s3s::{S3Request, S3Result, s3_error};

use super::attributes::Attributes;
use super::{Storage, refused};
use crate::limits::DELETED_MAX;
use crate::serve::state::blocking;

/// What became of an object.
struct Removed {
    /// The marker that was made or removed.
    is_marker: bool,
    version: Option<String>,
}

impl Storage {
    pub(super) async fn delete(&self, request: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
        let DeleteObjectInput { bucket, key, version_id, if_match, .. } = request.input;
        if let Some(condition) = if_match {
            let Listed { head, .. } = self.find(&bucket, &key, version_id.as_deref()).await?;
            let is = match condition {
                ETagCondition::Any => true,
                ETagCondition::ETag(wanted) => wanted.weak_cmp(&Attributes::of(&head).e_tag()),
            };
            if !is {
                return Err(s3_error!(PreconditionFailed, "the object is another one than If-Match wants"));
            }
        }
        let Removed { is_marker, version } = self.remove(&bucket, &key, version_id).await?;
        Ok(DeleteObjectOutput {
            delete_marker: is_marker.then_some(true),
            version_id: version,
            ..DeleteObjectOutput::default()
        })
    }

    pub(super) async fn delete_many(&self, request: S3Request<DeleteObjectsInput>) -> S3Result<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        self.bucket(&bucket).await?;
        if delete.objects.len() > DELETED_MAX {
            let count = delete.objects.len();
            return Err(s3_error!(MalformedXML, "{count} objects are to be deleted at once, more than {DELETED_MAX}"));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in delete.objects {
            match self.remove(&bucket, &object.key, object.version_id.clone()).await {
                Ok(Removed { is_marker, version }) => deleted.push(DeletedObject {
                    key: Some(object.key),
                    delete_marker: is_marker.then_some(true),
                    delete_marker_version_id: version.filter(|_| is_marker),
                    version_id: object.version_id,
                }),
                Err(error) => errors.push(Failed {
                    key: Some(object.key),
                    version_id: object.version_id,
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                }),
            }
        }
        let deleted = if delete.quiet.unwrap_or(false) { Vec::new() } else { deleted };
        Ok(DeleteObjectsOutput {
            deleted: (!deleted.is_empty()).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            ..DeleteObjectsOutput::default()
        })
    }

    async fn remove(&self, bucket: &str, key: &str, version: Option<String>) -> S3Result<Removed> {
        self.removable(bucket, key).await?;
        let lock = self.service.locks.of(bucket, key);
        let _shared = lock.read().await;
        let _stays = self.stays(bucket).await?;
        let engine = self.service.engine.clone();
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let removed = blocking(move || -> runtime::Result<_> {
            let Some(version) = version else {
                let marker = engine.objects().hide(&bucket, &key, now())?;
                return Ok((true, Some(marker.version)));
            };
            let object = ObjectVersion { bucket, key, version };
            let was_marker = engine.objects().head(&object)?.is_some_and(|head| head.is_marker);
            engine.remove(&object)?;
            Ok((was_marker, Some(object.version)))
        });
        let (is_marker, version) = removed.await.map_err(refused)?;
        Ok(Removed { is_marker, version })
    }
}
