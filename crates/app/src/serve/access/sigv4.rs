//! Signatures of AWS, version 4: what was signed, made again from a request, and compared.
//!
//! Pure: the caller brings the secret, the time and the hash of the body. Two forms of one path and three of
//! one query are tried, because clients differ in how often they encode what is encoded already, and in whether they sort;
//! none of them means anything else.

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use ring::hmac;

use crate::data::keys::book::{same, sha256};
use crate::data::times;
use crate::limits::{LINK_SECONDS_MAX, SKEW_SECONDS_MAX};
use engine::pipeline::encoding::hex;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What a client says who does not sign the body.
pub(in crate::serve) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
pub(in crate::serve) const CONTENT_SHA256: &str = "x-amz-content-sha256";
const DATE: &str = "x-amz-date";

/// Why a signature lets nobody in: a name for programs, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct Refused(pub &'static str, pub String);

fn refuse<T>(code: &'static str, what: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(code, what.into()))
}

/// What a request says of its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct Signed {
    pub access_key: String,
    /// `20260131/us-east-1/execute-api/aws4_request`.
    scope: String,
    date: String,
    headers: Vec<String>,
    signature: String,
    /// Seconds for which it holds, of a presigned request.
    expires: Option<i64>,
    /// What the client says the sha256 of the body is, if it says so.
    pub declared: Option<String>,
}

/// How a service encodes paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Paths {
    /// As S3 does.
    Once,
    /// As everything else does.
    Twice,
}

impl Signed {
    /// What a request says, in its header or its query; none when it is not signed at all, or in another way.
    ///
    /// Whatever another reader could take for something else is refused: there is one header, of one form, with each field
    /// once, and no signature in the query beside it.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Result<Option<Self>, Refused> {
        let query = pairs(uri.query().unwrap_or_default());
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let header = given.next().map(HeaderValue::as_bytes).and_then(|bytes| bytes.strip_prefix(ALGORITHM.as_bytes()));
        if given.next().is_some() {
            return refuse("malformed_signature", "there is more than one Authorization header");
        }
        let Some(header) = header else {
            let signed = signs_in_query(uri).then(|| Self::of_query(&query, text(CONTENT_SHA256)));
            return signed.transpose();
        };
        if signs_in_query(uri) {
            return refuse("malformed_signature", "it is signed twice, in the Authorization header and in the query");
        }
        let text_of = std::str::from_utf8(header).ok().filter(|header| header.is_ascii());
        let Some(header) = text_of.and_then(|header| header.strip_prefix(' ')) else {
            return refuse("malformed_signature", format!("{ALGORITHM} is not followed by a space and plain ASCII"));
        };
        Self::of_header(header, text(DATE), text(CONTENT_SHA256)).map(Some)
    }

    /// Takes what stands behind the algorithm.
    fn of_header(header: &str, date: Option<String>, declared: Option<String>) -> Result<Self, Refused> {
        const FIELDS: [&str; 3] = ["Credential", "SignedHeaders", "Signature"];
        let mut found = [None; FIELDS.len()];
        for part in header.split(',').map(str::trim) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let known = FIELDS.iter().position(|known| *known == name);
            let Some(field) = known.and_then(|at| found.get_mut(at)) else {
                let what = format!("the Authorization header has the field {name:?}, which is none of {FIELDS:?}");
                return refuse("malformed_signature", what);
            };
            if field.replace(value).is_some() {
                return refuse("malformed_signature", format!("the Authorization header has the field {name} twice"));
            }
        }
        let [Some(credential), Some(names), Some(signature)] = found else {
            return refuse(
                "malformed_signature",
                "the Authorization header lacks Credential, SignedHeaders or Signature",
            );
        };
        let Some(date) = date else { return refuse("malformed_signature", "the request has no X-Amz-Date header") };
        Self::new(credential, date, names, signature.to_owned(), None, declared)
    }

    fn of_query(query: &[(String, String)], declared: Option<String>) -> Result<Self, Refused> {
        let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let twice = query.iter().filter(|(name, _)| name.starts_with("X-Amz-"));
        let names: Vec<&str> = twice.map(|(name, _)| name.as_str()).collect();
        if names.iter().enumerate().any(|(index, name)| names[..index].contains(name)) {
            return refuse("malformed_signature", "a parameter X-Amz-… is there twice");
        }
        if field("X-Amz-Algorithm").as_deref() != Some(ALGORITHM) {
            return refuse("malformed_signature", format!("X-Amz-Algorithm is not {ALGORITHM}"));
        }
        let (Some(credential), Some(date), Some(expires), Some(names), Some(signature)) = (
            field("X-Amz-Credential"),
            field("X-Amz-Date"),
            field("X-Amz-Expires"),
            field("X-Amz-SignedHeaders"),
            field("X-Amz-Signature"),
        ) else {
            return refuse(
                "malformed_signature",
                "one of X-Amz-Credential, -Date, -Expires, -SignedHeaders is missing",
            );
        };
        let expires = expires.parse().ok().filter(|seconds| (1..=LINK_SECONDS_MAX).contains(seconds));
        if expires.is_none() {
            return refuse("malformed_signature", format!("X-Amz-Expires is not between 1 and {LINK_SECONDS_MAX}"));
        }
        let declared = declared.or_else(|| field("X-Amz-Content-Sha256"));
        Self::new(&credential, date, &names, signature, expires, declared)
    }

    fn new(
        credential: &str,
        date: String,
        names: &str,
        signature: String,
        expires: Option<i64>,
        declared: Option<String>,
    ) -> Result<Self, Refused> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, day, region, service, "aws4_request"] = parts.as_slice() else {
            return refuse(
                "malformed_signature",
                format!("the credential {credential} is not KEY/DAY/REGION/SERVICE/aws4_request"),
            );
        };
        if date.get(..8) != Some(*day) {
            return refuse("malformed_signature", format!("the credential is of {day}, the request of {date}"));
        }
        // a name that is written otherwise is not found by whoever looks for it, and would only seem to be signed
        if names.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return refuse(
                "malformed_signature",
                format!("the names of the signed headers, {names}, are not lowercase"),
            );
        }
        let headers: Vec<String> = names.split(';').map(str::to_owned).collect();
        if let Some(twice) = headers.iter().enumerate().find(|(index, name)| headers[..*index].contains(name)) {
            return refuse("malformed_signature", format!("{} is twice among the signed headers", twice.1));
        }
        let scope = format!("{day}/{region}/{service}/aws4_request");
        Ok(Self { access_key: (*access_key).to_owned(), scope, date, headers, signature, expires, declared })
    }

    /// The service it was signed for.
    pub fn service(&self) -> &str {
        self.scope.split('/').nth(2).unwrap_or_default()
    }

    /// Whether it stands in the query.
    pub fn is_presigned(&self) -> bool {
        self.expires.is_some()
    }

    /// Refuses what was signed too long ago, or is to be sent later.
    pub fn in_time(&self, now_seconds: i64) -> Result<(), Refused> {
        let Some(at) = seconds(&self.date) else {
            return refuse("malformed_signature", format!("{} is no time such as 20260131T120000Z", self.date));
        };
        let age = now_seconds - at;
        if age < -SKEW_SECONDS_MAX {
            return refuse("signature_not_yet_valid", format!("it was signed for {}, which is to come", self.date));
        }
        match self.expires {
            Some(expires) if age > expires => {
                refuse("signature_expired", format!("it was signed at {} for {expires} seconds", self.date))
            }
            None if age > SKEW_SECONDS_MAX => {
                refuse("signature_expired", format!("it was signed at {}, more than 15 minutes ago", self.date))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a signature that leaves open what must not be changed on the way.
    pub fn covers(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let open = self.open(headers).next();
        open.map_or(Ok(()), |name| refuse("header_not_signed", format!("the header {name} is not signed")))
    }

    /// The headers of a request that anybody could have added or changed since it was signed, of those that must be signed.
    /// One that is no text counts as not signed: it is left out of what is signed by who cannot write it.
    pub fn open<'h>(&'h self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> {
        let names = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
        let is_signed = |name: &str| self.headers.iter().any(|signed| signed == name) && is_text(name, headers);
        std::iter::once("host").chain(names).filter(move |name| !is_signed(name))
    }

    /// Whether a header says what a parameter of the presigned query says, which is signed.
    pub fn has_in_query(&self, name: &str, uri: &Uri, headers: &HeaderMap) -> bool {
        let said: Vec<String> = pairs(uri.query().unwrap_or_default())
            .into_iter()
            .filter_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
            .collect();
        let values = || headers.get_all(name).iter();
        self.is_presigned() && said.len() == 1 && values().count() == 1 && values().all(|value| *value == *said[0])
    }

    /// Whether the request is what was signed, with a body of this hash.
    pub fn fits(&self, method: &Method, uri: &Uri, headers: &HeaderMap, secret: &str, payload: &str) -> bool {
        let key = self.key(secret);
        let paths = [path(uri.path(), Paths::Twice), Some(uri.path().to_owned()).filter(|path| !path.contains("%25"))];
        paths.into_iter().flatten().any(|path| {
            [self.query(uri, true), self.query(uri, false), self.unsorted(uri)].into_iter().any(|query| {
                let request = self.request(method, &path, &query, headers, payload);
                same(self.sign(&key, &request).as_bytes(), self.signature.as_bytes())
            })
        })
    }

    /// The value of the Authorization header if another pair had signed the same request.
    pub fn signed_by(&self, pair: (&str, &str), method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let (access_key, secret) = pair;
        let path = path(uri.path(), Paths::Once)?;
        let payload = self.declared.as_deref()?;
        let request = self.request(method, &path, &self.query(uri, true), headers, payload);
        let signature = self.sign(&self.key(secret), &request);
        let (scope, names) = (&self.scope, self.headers.join(";"));
        Some(format!("{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"))
    }

    fn key(&self, secret: &str) -> hmac::Key {
        let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        self.scope
            .split('/')
            .fold(first, |key, part| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref()))
    }

    fn sign(&self, key: &hmac::Key, request: &str) -> String {
        let text = format!("{ALGORITHM}\n{}\n{}\n{}", self.date, self.scope, sha256(request.as_bytes()));
        hex(hmac::sign(key, text.as_bytes()).as_ref())
    }

    /// The canonical request.
    fn request(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap, payload: &str) -> String {
        let mut request = format!("{method}\n{path}\n{query}\n");
        let mut names = self.headers.clone();
        names.sort_unstable();
        for name in &names {
            let values = headers.get_all(name).iter().map(|value| {
                let text = String::from_utf8_lossy(value.as_bytes());
                text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
            });
            request.push_str(&format!("{name}:{}\n", values.collect::<Vec<_>>().join(",")));
        }
        request.push_str(&format!("\n{}\n{payload}", names.join(";")));
        request
    }

    /// The query as it came, which is what curl signs before its version 8.3.
    fn unsorted(&self, uri: &Uri) -> String {
        if self.is_presigned() { String::new() } else { uri.query().unwrap_or_default().to_owned() }
    }

    /// The canonical query: sorted, and encoded anew or left as it came.
    fn query(&self, uri: &Uri, anew: bool) -> String {
        let raw = uri.query().unwrap_or_default();
        let parts = raw.split('&').filter(|part| !part.is_empty());
        let parts = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
        let mut parts: Vec<(String, String)> = parts
            .filter(|(name, _)| !(self.is_presigned() && *name == "X-Amz-Signature"))
            .map(|(name, value)| match anew {
                true => (encoded(&decoded(name, true), false), encoded(&decoded(value, true), false)),
                false => (name.to_owned(), value.to_owned()),
            })
            .collect();
        parts.sort_unstable();
        parts.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }
}

/// Whether all values of a header are text.
pub(in crate::serve) fn is_text(name: &str, headers: &HeaderMap) -> bool {
    headers.get_all(name).iter().all(|value| std::str::from_utf8(value.as_bytes()).is_ok())
}

/// Whether a query has a signature of version 4.
pub(in crate::serve) fn signs_in_query(uri: &Uri) -> bool {
    pairs(uri.query().unwrap_or_default()).iter().any(|(name, _)| name == "X-Amz-Signature")
}

/// A request's address without what signs it: whoever reads the query looks for other things.
pub(in crate::serve) fn without_signature(uri: &Uri) -> Option<Uri> {
    let kept: Vec<&str> = uri.query()?.split('&').filter(|part| !part.starts_with("X-Amz-")).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{}{query}", uri.path()).parse().ok()
}

/// Parameters of a query, decoded.
pub(in crate::serve) fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let text = |part: &str| String::from_utf8_lossy(&decoded(part, true)).into_owned();
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// The canonical path; none when it is no text that could have been encoded.
fn path(path: &str, paths: Paths) -> Option<String> {
    match paths {
        Paths::Once => Some(encoded(&decoded(path, false), true)),
        Paths::Twice => {
            let mut kept: Vec<&str> = Vec::new();
            for part in path.split('/') {
                match part {
                    "" | "." => {}
                    ".." => drop(kept.pop()),
                    part => kept.push(part),
                }
            }
            let ends = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
            Some(encoded(format!("/{}{ends}", kept.join("/")).as_bytes(), true))
        }
    }
}

fn decoded(text: &str, plus_is_space: bool) -> Vec<u8> {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let number = pair.filter(|_| *byte == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        out.push(match (number, byte) {
            (Some(number), _) => number,
            (None, b'+') if plus_is_space => b' ',
            _ => *byte,
        });
        at += if number.is_some() { 3 } else { 1 };
    }
    out
}

fn encoded(bytes: &[u8], keep_slashes: bool) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(*byte)),
            b'/' if keep_slashes => text.push('/'),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// Seconds since 1970 of `20260131T120000Z`.
fn seconds(date: &str) -> Option<i64> {
    let is_plain = date.len() == 16 && date.is_ascii() && date.as_bytes()[8] == b'T' && date.ends_with('Z');
    if !is_plain {
        return None;
    }
    let part = |from: usize, to: usize| &date[from..to];
    let (day, time) = (
        format!("{}-{}-{}", part(0, 4), part(4, 6), part(6, 8)),
        format!("{}:{}:{}", part(9, 11), part(11, 13), part(13, 15)),
    );
    times::instant(&format!("{day}T{time}Z")).ok().map(|nanoseconds| nanoseconds / 1_000_000_000)
}

#[cfg(test)]
mod tests;
