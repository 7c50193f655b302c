//! `POST /upload`: a file into the bucket, or a place to upload to for one that is larger than a request may be.

use pipeline::feed::OUTPUTS;
use pipeline::object::{ObjectVersion, ReceiptId};
use serde_json::{Value, json};

use super::http::{Answer, Problem, body};
use crate::bucket::Buckets;
use crate::events::Request;
use crate::function::{Error, Function, chain};
use crate::limits::{S3_KEY_BYTES_MAX, UPLOAD_SECONDS};
use crate::tell::Told;

impl Function {
    /// The file is safe when the answer comes, and the bucket tells the first stage of it.
    pub(super) fn upload(&self, request: &Request, told: &mut Told) -> Answer {
        let (Some(buckets), Some(bucket)) = (&self.buckets, &self.files) else {
            return Err(Error::new("no_bucket", "this function takes no files").into());
        };
        let body = body(request)?;
        let kind = request.header("Content-Type").unwrap_or_default().to_owned();
        let answer = if kind.starts_with("application/json") {
            asked(buckets.as_ref(), bucket, &body)
        } else {
            let (key, bytes) = file(request, &kind, body)?;
            check_key(&key)?;
            put(buckets.as_ref(), bucket, &key, bytes)
        };
        answer.map_err(|failed| match failed {
            Failed::Refused(problem) => problem,
            Failed::Unavailable(error) => {
                told.failed(&error);
                error.into()
            }
        })
    }
}

enum Failed {
    Refused(Problem),
    Unavailable(Error),
}

fn put(buckets: &dyn Buckets, bucket: &str, key: &str, bytes: Vec<u8>) -> Result<(u16, Value), Failed> {
    let size = bytes.len();
    let version = buckets.put(bucket, key, bytes, None);
    let version = version.map_err(|cause| Failed::Unavailable(Error::new("unavailable", chain(cause.as_ref()))))?;
    let object = ObjectVersion { bucket: bucket.to_owned(), key: key.to_owned(), version };
    let receipt = ReceiptId::of(&object);
    let ObjectVersion { bucket, key, version } = object;
    Ok((
        202,
        json!({ "fileId": key, "receiptId": receipt, "bucketName": bucket, "objectKey": key,
        "versionId": version, "bytes": size }),
    ))
}

/// A place to upload to.
fn asked(buckets: &dyn Buckets, bucket: &str, body: &[u8]) -> Result<(u16, Value), Failed> {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(key) = asked["fileName"].as_str() else {
        let hint = "send {\"fileName\": \"transactions.csv\"}, or the file itself under another Content-Type";
        return Err(Failed::Refused(Problem::new(400, "no_key", "no fileName was given", hint)));
    };
    check_key(key).map_err(Failed::Refused)?;
    let place = buckets.place(bucket, key, UPLOAD_SECONDS);
    let place = place.map_err(|cause| Failed::Unavailable(Error::new("unavailable", chain(cause.as_ref()))))?;
    Ok((
        200,
        json!({ "fileId": key, "bucketName": bucket, "objectKey": key, "uploadUrl": place, "method": "PUT",
        "expiresInSeconds": UPLOAD_SECONDS }),
    ))
}

fn check_key(key: &str) -> Result<(), Problem> {
    if key.is_empty() || key.len() > S3_KEY_BYTES_MAX {
        let hint = format!("give it 1 to {S3_KEY_BYTES_MAX} bytes");
        return Err(Problem::new(422, "bad_key", format!("the key has {} bytes", key.len()), hint));
    }
    match OUTPUTS.iter().find(|output| key.starts_with(**output)) {
        None => Ok(()),
        Some(output) => {
            let detail = format!("keys that begin with {output} are for what stages write");
            Err(Problem::new(422, "key_of_stages", detail, "choose another key"))
        }
    }
}

/// The file that a request brings, with its key: a form with a part `file`, or bytes whose key is in the query.
fn file(request: &Request, kind: &str, body: Vec<u8>) -> Result<(String, Vec<u8>), Problem> {
    let key = request.query("key").or_else(|| request.query("fileName")).map(str::to_owned);
    let boundary = kind.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary="));
    let hint = "name it with ?key=, or send a form: curl -F file=@transactions.csv";
    let Some((_, boundary)) = boundary else {
        let key = key.ok_or_else(|| Problem::new(400, "no_key", "the body is a file without a name", hint))?;
        return Ok((key, body));
    };
    let boundary = boundary.split(';').next().unwrap_or_default().trim().trim_matches('"');
    let part =
        form_file(&body, boundary).ok_or_else(|| Problem::new(400, "no_file", "the form has no part `file`", hint))?;
    let key = key.or(part.0).ok_or_else(|| Problem::new(400, "no_key", "the part `file` has no name", hint))?;
    Ok((key, part.1.to_vec()))
}

/// The part `file` of a form: its name, if it has one, and its bytes.
fn form_file<'a>(body: &'a [u8], boundary: &str) -> Option<(Option<String>, &'a [u8])> {
    let mark = format!("--{boundary}");
    let mut rest = &body[find(body, mark.as_bytes())? + mark.len()..];
    loop {
        rest = rest.strip_prefix(b"\r\n")?;
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        let content = &rest[head_end + 4..];
        let end = find(content, format!("\r\n{mark}").as_bytes())?;
        let words = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"));
        let word = |name: &str| {
            let mut words = words?.split(';').map(str::trim);
            let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
            Some(value.trim_matches('"').to_owned())
        };
        if word("name").as_deref() == Some("file") {
            return Some((word("filename").filter(|name| !name.is_empty()), &content[..end]));
        }
        rest = &content[end + 2 + mark.len()..];
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len().max(1)).position(|window| window == wanted)
}
