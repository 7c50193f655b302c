//! Objects that come in parts: begun, sent in any order, put together at the end, all or nothing.
//!
//! An upload and its parts are objects in a bucket of their own that no client sees, so they survive what objects survive.
//! The object appears and the upload goes in one commit: an upload that was completed cannot be completed again.

mod complete;

use engine::objects::{Head, Listed, PARTS_BUCKET, Upload, Versions};
use engine::runtime::now;
use s3s::dto::{
    AbortMultipartUploadInput, ChecksumAlgorithm, ChecksumType, CopyPartResult, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Part, Range, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Request, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::body::{Promised, Received, receive};
use super::copy::{Copied, OfSource, copy};
use super::list::{Encoding, entries_max, owner};
use super::read::modified;
use super::{Storage, of_objects, refused};
use crate::limits::LISTED_KEYS_MAX;
use crate::serve::state::blocking;
use engine::pipeline::encoding::hex;

/// Parts of an upload, as S3 has it.
const PARTS_MAX: i32 = 10_000;

/// An upload that was begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Begun {
    bucket: String,
    key: String,
    attributes: Attributes,
    /// Of which the sender wants checksums.
    algorithm: Option<String>,
    /// Whether a checksum is of the whole; else of those of the parts.
    is_whole: bool,
}

/// The key under which an upload is kept; its parts lie behind it.
fn key_of(id: &str) -> String {
    format!("{id}/")
}

fn key_of_part(id: &str, part: i32) -> String {
    format!("{id}/{part:05}")
}

fn number_of(part: &Listed) -> i32 {
    part.object.key.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

impl Storage {
    pub(super) async fn begin(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let input = request.input;
        self.writable(&input.bucket, &input.key).await?;
        // the key is looked at now, not after gigabytes have come
        drop(self.engine().upload(&input.bucket, &input.key).map_err(refused)?);
        let mut attributes = Attributes::default();
        let said = [
            input.content_type,
            input.content_encoding,
            input.content_language,
            input.content_disposition,
            input.cache_control,
        ];
        attributes.say(said, input.metadata);
        let algorithm = input.checksum_algorithm.as_ref().map(|name| name.as_str().to_owned());
        let is_whole = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
            Some(kind) => kind == ChecksumType::FULL_OBJECT,
            None => algorithm.as_deref() == Some(ChecksumAlgorithm::CRC64NVME),
        };
        let begun = Begun { bucket: input.bucket, key: input.key, attributes, algorithm, is_whole };
        let id = crate::serve::state::random_id().ok_or_else(|| s3_error!(InternalError, "no random numbers"))?;
        let mut upload = self.engine().upload(PARTS_BUCKET, &key_of(&id)).map_err(refused)?;
        upload.attributes(serde_json::to_vec(&begun).unwrap_or_default()).map_err(of_objects)?;
        let objects = self.engine().objects().clone();
        blocking(move || objects.put_alone(upload, now())).await.map_err(of_objects)?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(begun.bucket),
            key: Some(begun.key),
            upload_id: Some(id),
            checksum_algorithm: begun.algorithm.map(ChecksumAlgorithm::from),
            checksum_type: input.checksum_type,
            ..CreateMultipartUploadOutput::default()
        })
    }

    /// An upload that was begun for this object.
    async fn begun(&self, bucket: &str, key: &str, id: &str) -> S3Result<(Listed, Begun)> {
        self.bucket(bucket).await?;
        let objects = self.engine().objects().clone();
        let of = key_of(id);
        let found = blocking(move || objects.newest(PARTS_BUCKET, &of)).await.map_err(of_objects)?;
        let begun = found.and_then(|found| Some((serde_json::from_slice(&found.head.attributes).ok()?, found)));
        match begun {
            Some((begun, found)) if is_for(&begun, bucket, key) => Ok((found, begun)),
            _ => Err(s3_error!(NoSuchUpload, "no upload {id} of this object is under way; begin it anew")),
        }
    }

    fn part(&self, id: &str, part: i32) -> S3Result<Upload> {
        if !(1..=PARTS_MAX).contains(&part) {
            return Err(s3_error!(InvalidArgument, "part number {part} is not from 1 to {PARTS_MAX}"));
        }
        self.engine().upload(PARTS_BUCKET, &key_of_part(id, part)).map_err(refused)
    }

    async fn keep_part(&self, mut upload: Upload, attributes: &Attributes) -> S3Result<Head> {
        upload.attributes(attributes.to_bytes()).map_err(of_objects)?;
        let objects = self.engine().objects().clone();
        blocking(move || {
            let object = objects.put_alone(upload, now())?;
            objects.head(&object)?.ok_or(engine::objects::Error::NotFound(object))
        })
        .await
        .map_err(of_objects)
    }

    pub(super) async fn take_part(&self, request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
        let (bucket, key, id) = (&request.input.bucket, &request.input.key, &request.input.upload_id);
        let (_, begun) = self.begun(bucket, key, id).await?;
        let upload = self.part(id, request.input.part_number)?;
        let sums = super::answers::sums!(request.input);
        let promised = Promised::new(&request, request.input.content_md5.clone(), sums, begun.algorithm.as_deref());
        let input = request.input;
        let Received { upload, e_tag, sums } =
            receive(upload, input.body, input.content_length, promised, &self.service.settings).await?;
        let attributes = Attributes { e_tag, sums, ..Attributes::default() };
        let attributes = Attributes::of(&self.keep_part(upload, &attributes).await?);
        let sums = &attributes.sums;
        Ok(UploadPartOutput {
            e_tag: Some(attributes.e_tag()),
            checksum_crc32: sums.crc32.clone(),
            checksum_crc32c: sums.crc32c.clone(),
            checksum_crc64nvme: sums.crc64nvme.clone(),
            checksum_sha1: sums.sha1.clone(),
            checksum_sha256: sums.sha256.clone(),
            ..UploadPartOutput::default()
        })
    }

    pub(super) async fn copy_part(&self, request: S3Request<UploadPartCopyInput>) -> S3Result<UploadPartCopyOutput> {
        let (_, begun) = self.begun(&request.input.bucket, &request.input.key, &request.input.upload_id).await?;
        let promised = Promised::new(&request, None, Default::default(), begun.algorithm.as_deref());
        let input = request.input;
        let upload = self.part(&input.upload_id, input.part_number)?;
        let wanted = OfSource {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let Listed { object, head } = self.source(&input.copy_source, wanted).await?;
        let range = match input.copy_source_range.as_deref().map(Range::parse) {
            None => 0..head.bytes,
            Some(Ok(range)) => range
                .check(head.bytes)
                .map_err(|error| s3_error!(error, InvalidRange, "the source has {} bytes", head.bytes))?,
            Some(Err(error)) => return Err(s3_error!(error, InvalidArgument, "the range of the copy cannot be read")),
        };
        let (objects, of) = (self.engine().objects().clone(), object.clone());
        let Copied { upload, md5, sums } =
            blocking(move || copy(&objects, &of, range, upload, promised.hasher())).await?;
        let attributes = Attributes { e_tag: hex(&md5), sums, ..Attributes::default() };
        let kept = self.keep_part(upload, &attributes).await?;
        let result = CopyPartResult {
            e_tag: Some(attributes.e_tag()),
            last_modified: Some(modified(kept.at)),
            ..CopyPartResult::default()
        };
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: Some(object.version),
            ..UploadPartCopyOutput::default()
        })
    }

    pub(super) async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
        let input = request.input;
        let (_, begun) = self.begun(&input.bucket, &input.key, &input.upload_id).await?;
        let wanted = entries_max(input.max_parts)?;
        let from: i32 = input.part_number_marker.unwrap_or(0);
        let objects = self.engine().objects().clone();
        let (within, after) = (key_of(&input.upload_id), key_of_part(&input.upload_id, from.clamp(0, PARTS_MAX)));
        let listed =
            blocking(move || objects.list(PARTS_BUCKET, &within, Versions::Newest(Some(&after)), LISTED_KEYS_MAX));
        let listed = listed.await.map_err(of_objects)?;
        let parts: Vec<Part> = listed.iter().take(wanted).map(part_entry).collect();
        let is_truncated = parts.len() < listed.len() || (parts.len() == LISTED_KEYS_MAX);
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            max_parts: i32::try_from(wanted).ok(),
            part_number_marker: Some(from),
            next_part_number_marker: parts.last().and_then(|part| part.part_number),
            is_truncated: Some(is_truncated),
            parts: (!parts.is_empty()).then_some(parts),
            checksum_algorithm: begun.algorithm.map(ChecksumAlgorithm::from),
            owner: Some(owner()),
            ..ListPartsOutput::default()
        })
    }

    pub(super) async fn list_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let input = request.input;
        self.bucket(&input.bucket).await?;
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let objects = self.engine().objects().clone();
        let listed = blocking(move || {
            let (mut begun, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = objects.list(PARTS_BUCKET, "", Versions::Newest(after.as_deref()), 1)?;
                let Some(listed) = page.into_iter().next() else { return Ok(begun) };
                let id = listed.object.key.split('/').next().unwrap_or_default().to_owned();
                after = Some(super::list::behind(&key_of(&id)));
                begun.push((id, listed));
            }
        });
        let prefix = input.prefix.clone().unwrap_or_default();
        let mut uploads: Vec<(String, MultipartUpload)> = Vec::new();
        for (id, listed) in listed.await.map_err(of_objects)? {
            let Ok(begun) = serde_json::from_slice::<Begun>(&listed.head.attributes) else { continue };
            if begun.bucket == input.bucket && begun.key.starts_with(&prefix) {
                let upload = MultipartUpload {
                    key: Some(encoding.text(&begun.key)),
                    upload_id: Some(id),
                    initiated: Some(modified(listed.head.at)),
                    owner: Some(owner()),
                    ..MultipartUpload::default()
                };
                uploads.push((begun.key, upload));
            }
        }
        uploads.sort_by(|left, right| left.0.cmp(&right.0));
        let uploads: Vec<MultipartUpload> = uploads.into_iter().map(|(_, upload)| upload).collect();
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix.map(|prefix| encoding.text(&prefix)),
            is_truncated: Some(false),
            uploads: (!uploads.is_empty()).then_some(uploads),
            encoding_type: encoding.kind(),
            ..ListMultipartUploadsOutput::default()
        })
    }

    pub(super) async fn abort(&self, request: S3Request<AbortMultipartUploadInput>) -> S3Result<()> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
        self.begun(&bucket, &key, &upload_id).await?;
        self.forget(&upload_id).await
    }

    /// Takes an upload and its parts away.
    async fn forget(&self, id: &str) -> S3Result<()> {
        let (objects, within) = (self.engine().objects().clone(), key_of(id));
        let gone = blocking(move || {
            loop {
                let listed = objects.list(PARTS_BUCKET, &within, Versions::All(None), LISTED_KEYS_MAX)?;
                if listed.is_empty() {
                    return Ok(());
                }
                for Listed { object, .. } in &listed {
                    objects.delete(object, now())?;
                }
            }
        });
        gone.await.map_err(of_objects)
    }
}

fn is_for(begun: &Begun, bucket: &str, key: &str) -> bool {
    begun.bucket == bucket && begun.key == key
}

fn part_entry(listed: &Listed) -> Part {
    let attributes = Attributes::of(&listed.head);
    let sums = &attributes.sums;
    Part {
        part_number: Some(number_of(listed)),
        size: i64::try_from(listed.head.bytes).ok(),
        last_modified: Some(modified(listed.head.at)),
        e_tag: Some(attributes.e_tag()),
        checksum_crc32: sums.crc32.clone(),
        checksum_crc32c: sums.crc32c.clone(),
        checksum_crc64nvme: sums.crc64nvme.clone(),
        checksum_sha1: sums.sha1.clone(),
        checksum_sha256: sums.sha256.clone(),
    }
}
