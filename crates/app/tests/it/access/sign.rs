//! A second writing of signatures (SigV4), against which the first is held: plain, for requests that need no encoding.

use std::time::{SystemTime, UNIX_EPOCH};

use engine::pipeline::encoding::base64;
use ring::{digest, hmac};

use crate::client::{Answer, Request, send};

/// What a body is declared as that comes in chunks which are signed.
pub(crate) const CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

/// Who signs, for what, and when.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(super) access_key: String,
    pub(super) secret: String,
    pub(super) service: &'static str,
    /// Seconds by which the clock of the client is ahead.
    pub(super) ahead: i64,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn sha256(text: impl AsRef<[u8]>) -> String {
    hex(digest::digest(&digest::SHA256, text.as_ref()).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

impl Signer {
    /// `20260131T120000Z`, now by the clock of the client.
    fn date(&self) -> String {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 + self.ahead;
        let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
        let mut year = 1970;
        let length = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
        while days >= length(year) {
            days -= length(year);
            year += 1;
        }
        let february = if length(year) == 366 { 29 } else { 28 };
        let mut month = 0;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            month += 1;
            if days < length {
                break;
            }
            days -= length;
        }
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        format!("{year}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", days + 1)
    }

    fn scope(&self, date: &str) -> String {
        format!("{}/us-east-1/{}/aws4_request", &date[..8], self.service)
    }

    fn signature(&self, date: &str, canonical: &str) -> String {
        let scope = self.scope(date);
        let key = scope.split('/').fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| mac(&key, part));
        hex(&mac(&key, &format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical))))
    }

    /// The headers that sign a request.
    pub(crate) fn headers(&self, host: &str, request: &Request<'_>) -> Vec<(&'static str, String)> {
        self.declaring(host, request, sha256(request.body))
    }

    /// The same with something else said of the body.
    pub(crate) fn declaring(&self, host: &str, request: &Request<'_>, hash: String) -> Vec<(&'static str, String)> {
        let date = self.date();
        let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
        let names = "host;x-amz-content-sha256;x-amz-date";
        let canonical = format!(
            "{}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{hash}\nx-amz-date:{date}\n\n{names}\n{hash}",
            request.method
        );
        let (key, scope) = (&self.access_key, self.scope(&date));
        let signature = self.signature(&date, &canonical);
        let header = format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}");
        vec![("X-Amz-Date", date), ("X-Amz-Content-Sha256", hash), ("Authorization", header)]
    }

    /// The headers and the body of a request whose body comes in chunks that are signed, of so many bytes.
    pub(crate) fn in_chunks(
        &self,
        host: &str,
        request: &Request<'_>,
        bytes: usize,
    ) -> (Vec<(&'static str, String)>, Vec<u8>) {
        let mut headers = self.declaring(host, request, CHUNKS.to_owned());
        let (date, scope) = (headers[0].1.clone(), self.scope(&headers[0].1));
        let key = scope.split('/').fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| mac(&key, part));
        let mut signature = headers[2].1.rsplit('=').next().unwrap().to_owned();
        let mut body = Vec::new();
        for chunk in request.body.chunks(bytes).chain([&[][..]]) {
            let (before, hash) = (sha256(""), sha256(chunk));
            let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{signature}\n{before}\n{hash}");
            signature = hex(&mac(&key, &text));
            body.extend_from_slice(format!("{:x};chunk-signature={signature}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        headers.push(("x-amz-decoded-content-length", request.body.len().to_string()));
        (headers, body)
    }

    /// Signs a request, and sends it.
    pub fn send(&self, host: &str, request: &Request<'_>) -> Answer {
        self.send_changed(host, request, request)
    }

    /// Signs a request, and sends another.
    pub fn send_changed(&self, host: &str, signed: &Request<'_>, sent: &Request<'_>) -> Answer {
        let headers = self.headers(host, signed);
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let headers: Vec<(&str, &str)> = headers.chain(sent.headers.iter().copied()).collect();
        send(host, &Request { headers: &headers, ..*sent })
    }

    /// A path with a query that lets in for so many seconds.
    pub(super) fn presigned(&self, host: &str, path: &str, expires: u32) -> String {
        self.presigned_for("GET", host, path, ("", ""), expires)
    }

    /// The same for a method, and with parameters that stand before and behind those of the signature.
    pub(super) fn presigned_for(
        &self,
        method: &str,
        host: &str,
        path: &str,
        (before, behind): (&str, &str),
        expires: u32,
    ) -> String {
        let date = self.date();
        let scope = self.scope(&date).replace('/', "%2F");
        let query = format!(
            "{before}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{scope}&X-Amz-Date={date}\
             &X-Amz-Expires={expires}&X-Amz-SignedHeaders=host{behind}",
            self.access_key
        );
        let payload = if self.service == "s3" { "UNSIGNED-PAYLOAD".to_owned() } else { sha256("") };
        let canonical = format!("{method}\n{path}\n{query}\nhost:{host}\n\nhost\n{payload}");
        format!("{path}?{query}&X-Amz-Signature={}", self.signature(&date, &canonical))
    }
    /// A path with a query that lets in for so many seconds, signed in version 2.
    pub(super) fn link_of_version_2(&self, method: &str, path: &str, expires: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let until = now as i64 + expires;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.secret.as_bytes());
        let signature = hmac::sign(&key, format!("{method}\n\n\n{until}\n{path}").as_bytes());
        let signature = base64(signature.as_ref());
        let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("{path}?AWSAccessKeyId={}&Signature={signature}&Expires={until}", self.access_key)
    }
}
