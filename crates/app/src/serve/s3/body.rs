//! The bytes of a request on their way into an object, with every checksum that was promised looked at before anybody can
//! see the object.

use engine::objects::Upload;
use futures_util::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::header::{
    X_AMZ_CHECKSUM_CRC32, X_AMZ_CHECKSUM_CRC32C, X_AMZ_CHECKSUM_CRC64NVME, X_AMZ_CHECKSUM_SHA1, X_AMZ_CHECKSUM_SHA256,
};
use s3s::{S3Request, S3Result, TrailingHeaders, s3_error};

use super::attributes::Sums;
use crate::limits::MD5_BYTES_MAX;
use crate::serve::access::paced::too_slow;
use crate::serve::intake::{Intake, Take, Taken};
use crate::serve::settings::Settings;
use engine::pipeline::encoding::{base64, hex};

/// What the sender promises about the bytes.
#[derive(Default)]
pub(super) struct Promised {
    pub md5: Option<String>,
    pub sums: Sums,
    /// Those that come behind the bytes.
    trailers: Option<TrailingHeaders>,
    /// Algorithms that are wanted, promised or not.
    wanted: [bool; 5],
}

impl Promised {
    /// What a request promises in its head, and what it says that will come behind.
    pub fn new<T>(request: &S3Request<T>, md5: Option<String>, sum: Checksum, algorithm: Option<&str>) -> Self {
        let sums = Sums::of(sum);
        let behind = request.headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let names = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];
        let there = [&sums.crc32, &sums.crc32c, &sums.crc64nvme, &sums.sha1, &sums.sha256].map(Option::is_some);
        let mut wanted = there;
        for (index, name) in names.iter().enumerate() {
            let is_behind = behind.split(',').any(|header| header.trim() == format!("x-amz-checksum-{name}"));
            wanted[index] |= is_behind || algorithm.is_some_and(|algorithm| algorithm.eq_ignore_ascii_case(name));
        }
        Self { md5, sums, trailers: request.trailing_headers.clone(), wanted }
    }

    /// What computes the checksums that are wanted.
    pub fn hasher(&self) -> ChecksumHasher {
        let [crc32, crc32c, crc64nvme, sha1, sha256] = self.wanted;
        ChecksumHasher {
            crc32: crc32.then(Crc32::new),
            crc32c: crc32c.then(Crc32c::new),
            crc64nvme: crc64nvme.then(Crc64Nvme::new),
            sha1: sha1.then(Sha1::new),
            sha256: sha256.then(Sha256::new),
        }
    }

    /// Refuses bytes that are not those that were promised.
    fn keep(self, md5: Option<&[u8; 16]>, sums: &Sums) -> S3Result<()> {
        if let Some((promised, md5)) = self.md5.as_ref().zip(md5) {
            let is = base64(md5);
            if *promised != is {
                return Err(s3_error!(BadDigest, "the body has the MD5 {is}, and Content-MD5 promises {promised}"));
            }
        }
        let behind = self.trailers.and_then(|trailers| trailers.take()).unwrap_or_default();
        let pairs = [
            (X_AMZ_CHECKSUM_CRC32, &self.sums.crc32, &sums.crc32),
            (X_AMZ_CHECKSUM_CRC32C, &self.sums.crc32c, &sums.crc32c),
            (X_AMZ_CHECKSUM_CRC64NVME, &self.sums.crc64nvme, &sums.crc64nvme),
            (X_AMZ_CHECKSUM_SHA1, &self.sums.sha1, &sums.sha1),
            (X_AMZ_CHECKSUM_SHA256, &self.sums.sha256, &sums.sha256),
        ];
        for (name, promised, is) in pairs {
            let trailer = behind.get(&name).and_then(|value| value.to_str().ok());
            let promised = promised.as_deref().or(trailer);
            let (Some(promised), Some(is)) = (promised, is) else { continue };
            if promised != is {
                return Err(s3_error!(BadDigest, "the body has {name} {is}, and {promised} was promised"));
            }
        }
        Ok(())
    }
}

/// Bytes that came whole and as promised.
pub(super) struct Received {
    pub upload: Upload,
    /// The MD5 in hexadecimal, which is the ETag; empty for a large object, whose ETag follows from its sha256.
    pub e_tag: String,
    pub sums: Sums,
}

/// An object in the making, and what its bytes come to.
struct Making {
    upload: Upload,
    md5: Option<Md5>,
    hasher: ChecksumHasher,
}

impl Take for Making {
    fn take(mut self, piece: Vec<u8>) -> std::io::Result<Taken<Self>> {
        if let Some(md5) = &mut self.md5 {
            md5.update(&piece);
        }
        self.hasher.update(&piece);
        let spare = self.upload.give(piece)?;
        Ok((self, spare))
    }
}

/// Takes the body of a request in. What is not whole or not as promised is gone again.
pub(super) async fn receive(
    upload: Upload,
    body: Option<StreamingBlob>,
    length: Option<i64>,
    promised: Promised,
    settings: &Settings,
) -> S3Result<Received> {
    let wants_md5 = promised.md5.is_some() || length.is_none_or(|length| length <= MD5_BYTES_MAX);
    let mut intake = Intake::new(Making { upload, md5: wants_md5.then(Md5::new), hasher: promised.hasher() });
    let mut body = body;
    while let Some(bytes) = piece(&mut body, settings).await? {
        intake.push(&bytes).await.map_err(unwritten)?;
    }
    let Making { upload, md5, hasher } = intake.end().await.map_err(unwritten)?;
    if let Some(length) = length.and_then(|length| u64::try_from(length).ok())
        && length != upload.bytes()
    {
        return Err(s3_error!(IncompleteBody, "the body has {} bytes, and {length} were promised", upload.bytes()));
    }
    let (md5, sums) = (md5.map(Md5::finalize), Sums::of(hasher.finalize()));
    promised.keep(md5.as_ref(), &sums)?;
    let e_tag = md5.map(|md5| hex(&md5)).unwrap_or_default();
    Ok(Received { upload, e_tag, sums })
}

async fn piece(body: &mut Option<StreamingBlob>, settings: &Settings) -> S3Result<Option<bytes::Bytes>> {
    let Some(stream) = body else { return Ok(None) };
    let next = tokio::time::timeout(settings.patience(), stream.next()).await;
    match next {
        Err(_) => Err(s3_error!(RequestTimeout, "nothing of the body came for {} seconds", settings.piece_seconds)),
        Ok(None) => Ok(None),
        Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
        Ok(Some(Err(error))) => Err(broken(error)),
    }
}

/// Why a body ended before its end.
fn broken(error: s3s::StdError) -> s3s::S3Error {
    let message = error.to_string();
    let mut told = if let Some(slow) = too_slow(&*error) {
        s3_error!(RequestTimeout, "{slow}")
    } else if message.to_ascii_lowercase().contains("signature") {
        s3_error!(SignatureDoesNotMatch, "a piece of the body is not as it was signed: {message}")
    } else if message.to_ascii_lowercase().contains("mismatch") {
        s3_error!(BadDigest, "the body is not as it was signed: {message}")
    } else {
        s3_error!(IncompleteBody, "the body did not come whole: {message}")
    };
    told.set_source(error);
    told
}

fn unwritten(error: std::io::Error) -> s3s::S3Error {
    match error.downcast::<engine::objects::Error>() {
        Ok(error) => super::of_objects(error),
        Err(error) => s3_error!(error, ServiceUnavailable, "the body could not be written; try again"),
    }
}
