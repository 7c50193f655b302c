//! Objects and parts that are copied from other objects.

use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

use engine::objects::{Listed, Objects, Upload};
use engine::pipeline::object::ObjectVersion;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETagCondition, MetadataDirective, Timestamp,
};
use s3s::{S3Request, S3Result, s3_error};

use super::attributes::{Attributes, Sums};
use super::body::Promised;
use super::read::{Wanted, modified};
use super::write::Conditions;
use super::{Storage, of_objects, refused};
use crate::serve::state::blocking;
use engine::pipeline::encoding::hex;

/// What must be so of the source.
pub(super) struct OfSource {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

/// Bytes that were copied, and what they come to.
pub(super) struct Copied {
    pub upload: Upload,
    pub md5: [u8; 16],
    pub sums: Sums,
}

impl Storage {
    /// The object that a copy is of.
    pub(super) async fn source(&self, source: &CopySource, wanted: OfSource) -> S3Result<Listed> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "a copy is of bucket/key, with a version if need be"));
        };
        let listed = self.find(bucket, key, version_id.as_deref()).await?;
        let OfSource { if_match, if_none_match, if_modified_since, if_unmodified_since } = wanted;
        let wanted = Wanted { if_match, if_none_match, if_modified_since, if_unmodified_since };
        // of a copy there is no "not modified": nothing was asked to be given
        let checked = wanted.check(&listed.head, &Attributes::of(&listed.head));
        checked.map_err(|_| s3_error!(PreconditionFailed, "the source is not as the request wants it to be"))?;
        Ok(listed)
    }

    pub(super) async fn copy(&self, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        self.writable(&request.input.bucket, &request.input.key).await?;
        let algorithm = request.input.checksum_algorithm.as_ref().map(|name| name.as_str().to_owned());
        let promised = Promised::new(&request, None, Default::default(), algorithm.as_deref());
        let input = request.input;
        let wanted = OfSource {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let source = self.source(&input.copy_source, wanted).await?;
        let replaces =
            input.metadata_directive.as_ref().map(MetadataDirective::as_str) == Some(MetadataDirective::REPLACE);
        let is_itself = source.object.bucket == input.bucket && source.object.key == input.key;
        if is_itself && !replaces && matches!(&input.copy_source, CopySource::Bucket { version_id: None, .. }) {
            return Err(s3_error!(InvalidRequest, "the object would be copied to itself with nothing changed"));
        }
        let upload = self.engine().upload(&input.bucket, &input.key).map_err(refused)?;
        let objects = self.engine().objects().clone();
        let mut attributes = Attributes::of(&source.head);
        let (object, range) = (source.object.clone(), 0..source.head.bytes);
        let copied = blocking(move || copy(&objects, &object, range, upload, promised.hasher())).await?;
        let Copied { mut upload, md5, sums } = copied;
        if replaces {
            let said = [
                input.content_type,
                input.content_encoding,
                input.content_language,
                input.content_disposition,
                input.cache_control,
            ];
            attributes.say(said, input.metadata);
        }
        // the copy is whole, whatever the source was made of
        (attributes.e_tag, attributes.parts) = (hex(&md5), 0);
        if !sums.is_empty() || attributes.sums.of_parts {
            attributes.sums = sums;
        }
        upload.attributes(attributes.to_bytes()).map_err(of_objects)?;
        let placed = self.place(upload, &Conditions::default(), Vec::new()).await?;
        let sums = &attributes.sums;
        Ok(CopyObjectOutput {
            copy_source_version_id: Some(source.object.version),
            version_id: Some(placed.object.version),
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(attributes.e_tag()),
                last_modified: Some(modified(engine::runtime::now())),
                checksum_type: sums.kind(),
                checksum_crc32: sums.crc32.clone(),
                checksum_crc32c: sums.crc32c.clone(),
                checksum_crc64nvme: sums.crc64nvme.clone(),
                checksum_sha1: sums.sha1.clone(),
                checksum_sha256: sums.sha256.clone(),
            }),
            ..CopyObjectOutput::default()
        })
    }
}

/// Copies a part of an object. Blocks.
pub(super) fn copy(
    objects: &Objects,
    object: &ObjectVersion,
    range: Range<u64>,
    mut upload: Upload,
    mut hasher: ChecksumHasher,
) -> S3Result<Copied> {
    let unread = |error: std::io::Error| s3_error!(error, ServiceUnavailable, "the copy could not be made; try again");
    let mut input = objects.read(object).map_err(of_objects)?.into_input();
    input.seek(SeekFrom::Start(range.start)).map_err(unread)?;
    let mut from = input.take(range.end - range.start);
    let (mut md5, mut piece) = (Md5::new(), vec![0; 256 * 1024]);
    loop {
        let read = from.read(&mut piece).map_err(unread)?;
        if read == 0 {
            let sums = Sums::of(hasher.finalize());
            return Ok(Copied { upload, md5: md5.finalize(), sums });
        }
        md5.update(&piece[..read]);
        hasher.update(&piece[..read]);
        upload.write_all(&piece[..read]).map_err(unread)?;
    }
}
