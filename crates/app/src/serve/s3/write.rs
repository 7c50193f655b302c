//! Objects come in: put, and what every way of writing shares.

use engine::objects::{Change, Upload};
use engine::runtime::Placed;
use s3s::dto::{ETag, ETagCondition, PutObjectInput, PutObjectOutput};
use s3s::{S3Request, S3Result, s3_error};

use super::attributes::Attributes;
use super::body::{Promised, Received, receive};
use super::{Storage, of_objects, refused};
use crate::serve::state::blocking;

/// What must be so for a write to happen.
#[derive(Default)]
pub(super) struct Conditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
}

impl Conditions {
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Refuses a write; `there` is the newest version, if it is no marker.
    fn check(&self, there: Option<&Attributes>) -> S3Result<()> {
        let is = |condition: &ETagCondition, tag: &ETag| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(wanted) => wanted.weak_cmp(tag),
        };
        if let Some(condition) = &self.if_none_match
            && there.is_some_and(|there| is(condition, &there.e_tag()))
        {
            return Err(s3_error!(PreconditionFailed, "the object is there, and If-None-Match does not want it to be"));
        }
        match (&self.if_match, there) {
            (Some(_), None) => Err(s3_error!(NoSuchKey, "If-Match wants an object that is not there")),
            (Some(condition), Some(there)) if !is(condition, &there.e_tag()) => {
                Err(s3_error!(PreconditionFailed, "the object is another one than If-Match wants"))
            }
            _ => Ok(()),
        }
    }
}

impl Storage {
    pub(super) async fn put(&self, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        self.writable(&request.input.bucket, &request.input.key).await?;
        if request.input.write_offset_bytes.is_some() {
            return Err(s3_error!(NotImplemented, "objects are written whole, not appended to"));
        }
        let algorithm = request.input.checksum_algorithm.as_ref().map(|name| name.as_str().to_owned());
        let sums = super::answers::sums!(request.input);
        let promised = Promised::new(&request, request.input.content_md5.clone(), sums, algorithm.as_deref());
        let input = request.input;
        let upload = self.engine().upload(&input.bucket, &input.key).map_err(refused)?;
        let Received { mut upload, e_tag, sums } =
            receive(upload, input.body, input.content_length, promised, &self.service.settings).await?;
        let mut attributes = Attributes { e_tag, sums, ..Attributes::default() };
        let said = [
            input.content_type,
            input.content_encoding,
            input.content_language,
            input.content_disposition,
            input.cache_control,
        ];
        attributes.say(said, input.metadata);
        upload.attributes(attributes.to_bytes()).map_err(of_objects)?;
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let placed = self.place(upload, &conditions, Vec::new()).await?;
        let attributes = attributes.tagged(&placed.sha256);
        let sums = &attributes.sums;
        Ok(PutObjectOutput {
            e_tag: Some(attributes.e_tag()),
            version_id: Some(placed.object.version),
            checksum_type: sums.kind(),
            checksum_crc32: sums.crc32.clone(),
            checksum_crc32c: sums.crc32c.clone(),
            checksum_crc64nvme: sums.crc64nvme.clone(),
            checksum_sha1: sums.sha1.clone(),
            checksum_sha256: sums.sha256.clone(),
            ..PutObjectOutput::default()
        })
    }

    /// Makes an object durable, if what it wants is so, together with other changes; then it starts its feed.
    pub(super) async fn place(&self, upload: Upload, conditions: &Conditions, beside: Vec<Change>) -> S3Result<Placed> {
        let engine = self.service.engine.clone();
        let (bucket, key) = (upload.bucket().to_owned(), upload.key().to_owned());
        let lock = self.service.locks.of(&bucket, &key);
        // One that wants something is alone from looking to being durable; the others only among themselves.
        let (_alone, _shared) = if conditions.is_empty() {
            (None, Some(lock.read().await))
        } else {
            let alone = lock.write().await;
            let there = engine.objects().newest(&bucket, &key).map_err(of_objects)?;
            let there = there.filter(|there| !there.head.is_marker).map(|there| Attributes::of(&there.head));
            conditions.check(there.as_ref())?;
            (Some(alone), None)
        };
        let _stays = self.stays(&bucket).await?;
        let placing = if upload.is_small() {
            engine.place_beside(upload, None, beside)
        } else {
            blocking(move || engine.place_beside(upload, None, beside)).await
        };
        placing.map_err(refused)?.done().await.map_err(refused)
    }
}
