//! Buckets of S3.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use pipeline::ports::Cause;

use super::{Buckets, Piece};
use crate::network::Network;

/// The name of the metadata that a note stands in.
const NOTE: &str = "millrace";

/// Buckets by their names.
#[derive(Debug)]
pub struct S3 {
    client: Client,
    network: Network,
}

impl S3 {
    /// Buckets that this client sees.
    pub fn new(client: Client, network: Network) -> Self {
        Self { client, network }
    }

    fn ask(&self, bucket: &str, key: &str, version: Option<&str>, range: Option<String>) -> Result<Answer, Cause> {
        let asked = self.client.get_object().bucket(bucket).key(key).set_range(range);
        let asked = asked.set_version_id(version.map(str::to_owned));
        match self.network.wait(asked.send()) {
            Ok(answer) => Ok(Answer::Found(Box::new(answer))),
            Err(error) => classify(error),
        }
    }

    fn read(&self, answer: GetObjectOutput) -> Result<Piece, Cause> {
        let note = answer.metadata.as_ref().and_then(|notes| notes.get(NOTE).cloned());
        let range_whole = answer.content_range().and_then(|range| range.rsplit('/').next()?.parse().ok());
        let bytes = self.network.wait(answer.body.collect())?.to_vec();
        Ok(Piece { whole_bytes: range_whole.unwrap_or(bytes.len() as u64), bytes, note })
    }
}

enum Answer {
    Found(Box<GetObjectOutput>),
    Gone,
    /// Nothing is at the range: the object is empty, or shorter.
    Behind,
}

/// What an answer that is no success means.
fn classify(error: SdkError<GetObjectError>) -> Result<Answer, Cause> {
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(|error| error.code()).unwrap_or_default();
    match (code, status) {
        ("InvalidRange", _) | (_, Some(416)) => Ok(Answer::Behind),
        // a version id that S3 never gave is refused as an argument; a mark of deletion is not there to be read
        ("NoSuchKey" | "NoSuchVersion" | "NotFound" | "MethodNotAllowed", _) | (_, Some(404)) => Ok(Answer::Gone),
        ("InvalidArgument", _) => Ok(Answer::Gone),
        _ => Err(error.into()),
    }
}

impl Buckets for S3 {
    fn get(&self, bucket: &str, key: &str, version: Option<&str>, range: Range<u64>) -> Result<Option<Piece>, Cause> {
        let text = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        match self.ask(bucket, key, version, Some(text))? {
            Answer::Found(answer) => self.read(*answer).map(Some),
            Answer::Gone => Ok(None),
            Answer::Behind if range.start == 0 => match self.ask(bucket, key, version, None)? {
                Answer::Found(answer) => self.read(*answer).map(Some),
                Answer::Gone | Answer::Behind => Ok(None),
            },
            Answer::Behind => Ok(Some(Piece { bytes: Vec::new(), whole_bytes: range.start, note: None })),
        }
    }

    fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>, note: Option<&str>) -> Result<String, Cause> {
        let asked = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(bytes));
        let asked = match note {
            Some(note) => asked.metadata(NOTE, note),
            None => asked,
        };
        let answer = self.network.wait(asked.send())?;
        answer.version_id.ok_or_else(|| format!("bucket {bucket} keeps no versions").into())
    }

    fn begin(&self, bucket: &str, key: &str) -> Result<String, Cause> {
        let answer = self.network.wait(self.client.create_multipart_upload().bucket(bucket).key(key).send())?;
        answer.upload_id.ok_or_else(|| "an upload has no id".into())
    }

    fn part(&self, bucket: &str, key: &str, upload: &str, number: usize, bytes: Vec<u8>) -> Result<String, Cause> {
        let asked = self.client.upload_part().bucket(bucket).key(key).upload_id(upload);
        let asked = asked.part_number(i32::try_from(number)?).body(ByteStream::from(bytes));
        let answer = self.network.wait(asked.send())?;
        answer.e_tag.ok_or_else(|| "a part has no tag".into())
    }

    fn complete(&self, bucket: &str, key: &str, upload: &str, parts: &[String]) -> Result<String, Cause> {
        let mut whole = CompletedMultipartUpload::builder();
        for (number, tag) in (1..).zip(parts) {
            whole = whole.parts(CompletedPart::builder().part_number(number).e_tag(tag).build());
        }
        let asked = self.client.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload);
        let answer = self.network.wait(asked.multipart_upload(whole.build()).send())?;
        answer.version_id.ok_or_else(|| format!("bucket {bucket} keeps no versions").into())
    }

    fn abort(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Cause> {
        let asked = self.client.abort_multipart_upload().bucket(bucket).key(key).upload_id(upload);
        self.network.wait(asked.send())?;
        Ok(())
    }

    fn place(&self, bucket: &str, key: &str, seconds: u64) -> Result<String, Cause> {
        let config = PresigningConfig::expires_in(Duration::from_secs(seconds))?;
        let asked = self.client.put_object().bucket(bucket).key(key).presigned(config);
        Ok(self.network.wait(asked)?.uri().to_owned())
    }
}
