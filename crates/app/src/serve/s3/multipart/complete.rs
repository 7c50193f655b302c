//! An upload is put together from its parts.

use std::io::{Read, Write};

use engine::objects::{Listed, Objects, PARTS_BUCKET, Upload, Versions};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{ChecksumAlgorithm, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart};
use s3s::{S3Request, S3Result, s3_error};

use super::{Begun, key_of, number_of};
use crate::serve::s3::attributes::{Attributes, Sums};
use crate::serve::s3::write::Conditions;
use crate::serve::s3::{Storage, of_objects, refused};
use crate::serve::state::blocking;
use engine::pipeline::encoding::{base64, from_base64, from_hex, hex};

/// Bytes of a part that is not the last, as S3 has it.
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

impl Storage {
    pub(in crate::serve::s3) async fn complete(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let promised = Sums::of(super::super::answers::sums!(request.input));
        let input = request.input;
        let (begun_as, begun) = self.begun(&input.bucket, &input.key, &input.upload_id).await?;
        let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let upload = self.engine().upload(&input.bucket, &input.key).map_err(refused)?;
        let objects = self.engine().objects().clone();
        let (id, of) = (input.upload_id.clone(), begun.clone());
        let together = blocking(move || {
            let parts = chosen(&wanted, all(&objects, &id)?)?;
            let made = Together::new(&parts, &of)?;
            made.copy(&objects, &parts, upload)
        });
        let (mut upload, e_tag, sums, parts) = together.await?;
        agrees(&promised, &sums)?;
        if let Some(size) = input.mpu_object_size
            && u64::try_from(size).ok() != Some(upload.bytes())
        {
            let bytes = upload.bytes();
            return Err(s3_error!(InvalidRequest, "the parts have {bytes} bytes together, and {size} were promised"));
        }
        let attributes = Attributes { e_tag, sums, parts, ..begun.attributes };
        upload.attributes(attributes.to_bytes()).map_err(of_objects)?;
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let ended = self.engine().objects().removal(&begun_as.object).map_err(of_objects)?;
        let ended = ended.ok_or_else(|| s3_error!(NoSuchUpload, "the upload was ended meanwhile"))?;
        let placed = self.place(upload, &conditions, vec![ended]).await?;
        // the object is there: parts that stay behind are swept later
        let _ = self.forget(&input.upload_id).await;
        let sums = &attributes.sums;
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(attributes.e_tag()),
            version_id: Some(placed.object.version),
            checksum_type: sums.kind(),
            checksum_crc32: sums.crc32.clone(),
            checksum_crc32c: sums.crc32c.clone(),
            checksum_crc64nvme: sums.crc64nvme.clone(),
            checksum_sha1: sums.sha1.clone(),
            checksum_sha256: sums.sha256.clone(),
            ..CompleteMultipartUploadOutput::default()
        })
    }
}

/// All parts of an upload in their order.
fn all(objects: &Objects, id: &str) -> S3Result<Vec<Listed>> {
    let within = key_of(id);
    let mut parts: Vec<Listed> = Vec::new();
    let mut after = within.clone();
    loop {
        let page = objects.list(PARTS_BUCKET, &within, Versions::Newest(Some(&after)), 1000).map_err(of_objects)?;
        let Some(last) = page.last() else { return Ok(parts) };
        after = last.object.key.clone();
        parts.extend(page);
    }
}

/// The parts that are to be put together, as they were named.
fn chosen(wanted: &[CompletedPart], there: Vec<Listed>) -> S3Result<Vec<Listed>> {
    if wanted.is_empty() {
        return Err(s3_error!(MalformedXML, "no parts are named"));
    }
    let mut parts: Vec<Listed> = Vec::with_capacity(wanted.len());
    let mut there = there.into_iter();
    let mut before = 0;
    for part in wanted {
        let number = part.part_number.unwrap_or(0);
        if number <= before {
            return Err(s3_error!(InvalidPartOrder, "part {number} is named behind part {before}"));
        }
        before = number;
        let found = there.find(|listed| number_of(listed) >= number).filter(|listed| number_of(listed) == number);
        let Some(found) = found else { return Err(s3_error!(InvalidPart, "part {number} was not uploaded")) };
        let attributes = Attributes::of(&found.head);
        let is = attributes.e_tag();
        if part.e_tag.as_ref().is_none_or(|tag| tag.value() != is.value()) {
            return Err(s3_error!(InvalidPart, "part {number} has the ETag {}, another is named", is.value()));
        }
        agrees(&of_part(part), &attributes.sums)?;
        parts.push(found);
    }
    let short = parts.iter().rev().skip(1).find(|part| part.head.bytes < PART_BYTES_MIN);
    if let Some(part) = short {
        let (number, bytes) = (number_of(part), part.head.bytes);
        return Err(s3_error!(
            EntityTooSmall,
            "part {number} has {bytes} bytes; all but the last have {PART_BYTES_MIN} at least"
        ));
    }
    Ok(parts)
}

fn of_part(part: &CompletedPart) -> Sums {
    Sums {
        crc32: part.checksum_crc32.clone(),
        crc32c: part.checksum_crc32c.clone(),
        crc64nvme: part.checksum_crc64nvme.clone(),
        sha1: part.checksum_sha1.clone(),
        sha256: part.checksum_sha256.clone(),
        of_parts: false,
    }
}

/// Refuses checksums that are not those that were promised.
fn agrees(promised: &Sums, sums: &Sums) -> S3Result<()> {
    let pairs = [
        (&promised.crc32, &sums.crc32),
        (&promised.crc32c, &sums.crc32c),
        (&promised.crc64nvme, &sums.crc64nvme),
        (&promised.sha1, &sums.sha1),
        (&promised.sha256, &sums.sha256),
    ];
    for (promised, is) in pairs {
        if let (Some(promised), Some(is)) = (promised, is)
            && promised != is
        {
            return Err(s3_error!(BadDigest, "the checksum is {is}, and {promised} was promised"));
        }
    }
    Ok(())
}

/// What the parts come to together.
struct Together {
    e_tag: String,
    sums: Sums,
    hasher: ChecksumHasher,
    is_whole: bool,
}

impl Together {
    fn new(parts: &[Listed], begun: &Begun) -> S3Result<Self> {
        let mut md5 = Md5::new();
        let of_parts: Vec<Attributes> = parts.iter().map(|part| Attributes::of(&part.head)).collect();
        for attributes in &of_parts {
            // of a large part it is no MD5, and has a mark behind it that says so
            let tag = attributes.e_tag.split('-').next().and_then(from_hex);
            md5.update(&tag.ok_or_else(|| s3_error!(InternalError, "a part has the ETag {}", attributes.e_tag))?);
        }
        let e_tag = format!("{}-{}", hex(&md5.finalize()), parts.len());
        let algorithm = begun.algorithm.as_deref();
        let hasher = if begun.is_whole { hasher(algorithm) } else { ChecksumHasher::default() };
        let mut sums = Sums::default();
        if !begun.is_whole {
            sums.of_parts = algorithm.is_some();
            let told = |pick: fn(&Sums) -> &Option<String>| -> Vec<Vec<u8>> {
                of_parts.iter().filter_map(|part| from_base64(pick(&part.sums).as_deref()?)).collect()
            };
            let of = |sum: &[u8]| Some(format!("{}-{}", base64(sum), parts.len()));
            match algorithm {
                Some(ChecksumAlgorithm::CRC32) => sums.crc32 = of(&Crc32::checksum(&told(|sums| &sums.crc32).concat())),
                Some(ChecksumAlgorithm::CRC32C) => {
                    sums.crc32c = of(&Crc32c::checksum(&told(|sums| &sums.crc32c).concat()));
                }
                Some(ChecksumAlgorithm::SHA1) => {
                    sums.sha1 = of(Sha1::checksum(&told(|sums| &sums.sha1).concat()).as_ref());
                }
                Some(ChecksumAlgorithm::SHA256) => {
                    sums.sha256 = of(Sha256::checksum(&told(|sums| &sums.sha256).concat()).as_ref());
                }
                _ => sums.of_parts = false,
            }
        }
        Ok(Self { e_tag, sums, hasher, is_whole: begun.is_whole })
    }

    /// Copies the parts one behind the other. Blocks.
    fn copy(
        mut self,
        objects: &Objects,
        parts: &[Listed],
        mut upload: Upload,
    ) -> S3Result<(Upload, String, Sums, usize)> {
        let failed = |error: std::io::Error| {
            s3_error!(error, ServiceUnavailable, "the parts could not be put together; try again")
        };
        let mut piece = vec![0; 256 * 1024];
        for part in parts {
            let mut input = objects.read(&part.object).map_err(of_objects)?.into_input();
            loop {
                let read = input.read(&mut piece).map_err(failed)?;
                if read == 0 {
                    break;
                }
                self.hasher.update(&piece[..read]);
                upload.write_all(&piece[..read]).map_err(failed)?;
            }
        }
        let sums = if self.is_whole { Sums::of(self.hasher.finalize()) } else { self.sums };
        Ok((upload, self.e_tag, sums, parts.len()))
    }
}

fn hasher(algorithm: Option<&str>) -> ChecksumHasher {
    let is = |name: &str| algorithm == Some(name);
    ChecksumHasher {
        crc32: is(ChecksumAlgorithm::CRC32).then(Crc32::new),
        crc32c: is(ChecksumAlgorithm::CRC32C).then(Crc32c::new),
        crc64nvme: is(ChecksumAlgorithm::CRC64NVME).then(Crc64Nvme::new),
        sha1: is(ChecksumAlgorithm::SHA1).then(Sha1::new),
        sha256: is(ChecksumAlgorithm::SHA256).then(Sha256::new),
    }
}
