//! Objects go out: get and head, whole or a part, if the conditions hold.

use std::io::SeekFrom;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use engine::objects::{Head, Listed};
use engine::pipeline::object::ObjectVersion;
use futures_util::Stream;
use rows::source::Input;
use s3s::dto::{
    ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use tokio::task::JoinHandle;

use super::attributes::{Attributes, Sums};
use super::{Storage, of_objects};
use crate::serve::state::blocking;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// What must be so for an object to be given.
pub(super) struct Wanted {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

impl Wanted {
    /// As HTTP has it: a tag counts for more than a time.
    pub fn check(&self, head: &Head, attributes: &Attributes) -> S3Result<()> {
        let tag = attributes.e_tag();
        let is = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(wanted) => wanted.weak_cmp(&tag),
        };
        let failed = || Err(s3_error!(PreconditionFailed, "the object is not as the request wants it to be"));
        // HTTP tells whole seconds
        let at = modified(head.at / 1000 * 1000);
        match &self.if_match {
            Some(condition) if !is(condition) => return failed(),
            None if self.if_unmodified_since.as_ref().is_some_and(|since| at > *since) => return failed(),
            _ => {}
        }
        let unchanged = match &self.if_none_match {
            Some(condition) => is(condition),
            None => self.if_modified_since.as_ref().is_some_and(|since| at <= *since),
        };
        if unchanged { Err(s3_error!(NotModified)) } else { Ok(()) }
    }
}

/// What get and head ask alike.
struct Asked {
    bucket: String,
    key: String,
    version: Option<String>,
    wanted: Wanted,
    range: Option<s3s::dto::Range>,
    part: Option<i32>,
    wants_sums: bool,
}

/// The same from the input of either.
macro_rules! asked {
    ($input:expr) => {
        Asked {
            bucket: $input.bucket,
            key: $input.key,
            version: $input.version_id,
            wanted: Wanted {
                if_match: $input.if_match,
                if_none_match: $input.if_none_match,
                if_modified_since: $input.if_modified_since,
                if_unmodified_since: $input.if_unmodified_since,
            },
            range: $input.range,
            part: $input.part_number,
            wants_sums: $input.checksum_mode.is_some(),
        }
    };
}

/// What both answer from.
struct Seen {
    object: ObjectVersion,
    head: Head,
    attributes: Attributes,
    range: Range<u64>,
    /// How the range is told, if it is not the whole.
    told: Option<String>,
    sums: Sums,
    parts: Option<i32>,
}

/// When an object was written, as S3 says it.
pub(super) fn modified(at: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH.checked_add(Duration::from_millis(at)).unwrap_or(SystemTime::UNIX_EPOCH))
}

impl Storage {
    /// A version of an object, or the newest.
    pub(super) async fn find(&self, bucket: &str, key: &str, version: Option<&str>) -> S3Result<Listed> {
        self.bucket(bucket).await?;
        let objects = self.engine().objects().clone();
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let Some(version) = version.map(str::to_owned) else {
            let newest = blocking(move || objects.newest(&bucket, &key)).await.map_err(of_objects)?;
            return match newest {
                Some(newest) if newest.head.is_marker => {
                    let mut error = s3_error!(NoSuchKey, "the object was deleted; its older versions are listed");
                    error.set_headers(marked(&newest.object.version));
                    Err(error)
                }
                Some(newest) => Ok(newest),
                None => Err(s3_error!(NoSuchKey, "there is no such object")),
            };
        };
        let object = ObjectVersion { bucket, key, version };
        let of = object.clone();
        match blocking(move || objects.head(&of)).await.map_err(of_objects)? {
            Some(head) if head.is_marker => {
                let mut error = s3_error!(MethodNotAllowed, "the version is a delete marker");
                error.set_headers(marked(&object.version));
                Err(error)
            }
            Some(head) => Ok(Listed { object, head }),
            None => Err(s3_error!(NoSuchVersion, "the object has no version {}", object.version)),
        }
    }

    /// What is asked for, if it may be given.
    async fn look(&self, asked: Asked) -> S3Result<Seen> {
        let Asked { bucket, key, version, wanted, range, part, wants_sums } = asked;
        let Listed { object, head } = self.find(&bucket, &key, version.as_deref()).await?;
        let attributes = Attributes::of(&head);
        wanted.check(&head, &attributes)?;
        let (range, told) = part_of(range, part, &attributes, head.bytes)?;
        // of a part of it, they say nothing
        let sums = if told.is_none() && wants_sums { attributes.sums.clone() } else { Sums::default() };
        let parts = part.and_then(|_| i32::try_from(attributes.parts).ok()).filter(|parts| *parts > 0);
        Ok(Seen { object, head, attributes, range, told, sums, parts })
    }

    pub(super) async fn get(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let Seen { object, head, attributes, range, told, sums, parts } = self.look(asked!(input)).await?;
        let length = range.end - range.start;
        let body = self.bytes_of(object.clone(), range).await?;
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(body),
            content_length: i64::try_from(length).ok(),
            content_range: told,
            e_tag: Some(attributes.e_tag()),
            last_modified: Some(modified(head.at)),
            metadata: attributes.metadata(),
            content_type: input.response_content_type.or(attributes.content_type),
            content_encoding: input.response_content_encoding.or(attributes.content_encoding),
            content_language: input.response_content_language.or(attributes.content_language),
            content_disposition: input.response_content_disposition.or(attributes.content_disposition),
            cache_control: input.response_cache_control.or(attributes.cache_control),
            parts_count: parts,
            checksum_type: sums.kind(),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            version_id: Some(object.version),
            ..GetObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn head(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let Seen { object, head, attributes, range, told, sums, parts } = self.look(asked!(input)).await?;
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(range.end - range.start).ok(),
            content_range: told,
            e_tag: Some(attributes.e_tag()),
            last_modified: Some(modified(head.at)),
            metadata: attributes.metadata(),
            content_type: attributes.content_type,
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            content_disposition: attributes.content_disposition,
            cache_control: attributes.cache_control,
            parts_count: parts,
            checksum_type: sums.kind(),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            version_id: Some(object.version),
            ..HeadObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    /// The bytes of a part of an object, read as fast as they are taken.
    async fn bytes_of(&self, object: ObjectVersion, range: Range<u64>) -> S3Result<StreamingBlob> {
        let objects = self.engine().objects().clone();
        let opened = blocking(move || -> S3Result<_> {
            let mut input = objects.read(&object).map_err(of_objects)?.into_input();
            input.seek(SeekFrom::Start(range.start)).map_err(unread)?;
            // an object that cannot be read is told before anything of it is sent
            Ok(read(input, range.end - range.start))
        });
        let Read { input, piece, left } = opened.await?;
        let first = Some(piece.map_err(unread)?);
        Ok(StreamingBlob::wrap(Pieces { first, coming: ahead(input, left) }))
    }
}

/// A piece that was read, and what the next is read from.
struct Read {
    input: Box<dyn Input>,
    piece: std::io::Result<Bytes>,
    left: u64,
}

fn read(mut input: Box<dyn Input>, left: u64) -> Read {
    let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES)];
    let got = input.read_exact(&mut piece);
    Read { input, left: left - piece.len() as u64, piece: got.map(|()| piece.into()) }
}

/// Reads one piece ahead on another thread: a client that takes nothing keeps none.
fn ahead(input: Box<dyn Input>, left: u64) -> Option<JoinHandle<Read>> {
    (left > 0).then(|| tokio::task::spawn_blocking(move || read(input, left)))
}

/// Pieces as they are taken.
struct Pieces {
    first: Option<Bytes>,
    coming: Option<JoinHandle<Read>>,
}

impl Stream for Pieces {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(coming) = &mut self.coming else { return Poll::Ready(None) };
        let read = match Pin::new(coming).poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(read) => read,
        };
        self.coming = None;
        let Ok(Read { input, piece, left }) = read else {
            return Poll::Ready(Some(Err(std::io::Error::other("the piece could not be read"))));
        };
        if piece.is_ok() {
            self.coming = ahead(input, left);
        }
        Poll::Ready(Some(piece))
    }
}

fn unread(error: std::io::Error) -> S3Error {
    match error.downcast::<engine::objects::Error>() {
        Ok(error) => of_objects(error),
        Err(error) => s3_error!(error, InternalError, "the object could not be read; run `millrace doctor`"),
    }
}

fn marked(version: &str) -> hyper::HeaderMap {
    let mut headers = hyper::HeaderMap::new();
    headers.insert("x-amz-delete-marker", hyper::header::HeaderValue::from_static("true"));
    if let Ok(version) = version.parse() {
        headers.insert("x-amz-version-id", version);
    }
    headers
}

/// Which bytes are wanted, and how that is told if they are not all.
fn part_of(
    range: Option<s3s::dto::Range>,
    part: Option<i32>,
    attributes: &Attributes,
    bytes: u64,
) -> S3Result<(Range<u64>, Option<String>)> {
    if part.is_some_and(|part| part != 1 || attributes.parts > 1) {
        return Err(s3_error!(NotImplemented, "objects are kept whole; ask for a range instead of a part"));
    }
    let Some(range) = range else { return Ok((0..bytes, None)) };
    let range = range.check(bytes).map_err(|error| {
        s3_error!(error, InvalidRange, "the object has {bytes} bytes, and the range is behind them")
    })?;
    let told = format!("bytes {}-{}/{bytes}", range.start, range.end - 1);
    Ok((range, Some(told)))
}
