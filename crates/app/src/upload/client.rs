//! The client of the HTTP API: what it is told, what it sends, when it tries again, and how it tells what went wrong.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anstyle::AnsiColor;
use anyhow::{Context, Result};
use clap::Args;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::source::Source;
use crate::check::progress::Bar;
use crate::complain::{Hint, unreadable};
use crate::limits::{RETRY_AFTER_SECONDS_MAX, SAFE_SECONDS_MAX};
use engine::pipeline::encoding::hex;

/// Time in which a connection must be there, and the service must take more of a body or give more of an answer.
const STEP_SECONDS_MAX: u64 = 60;
/// The wait before the second attempt; it doubles with each.
const AGAIN_MS: u64 = 500;
const AGAIN_MS_MAX: u64 = 30_000;
/// From so many bytes on the service is asked first whether it wants them.
const ASK_FIRST_BYTES: u64 = 256 * 1024;
/// How often is asked whether a file is at its end.
const LOOK_MS: u64 = 50;
const LOOK_MS_MAX: u64 = 1000;
/// Bytes of an answer, and what is shown of one that is not from a service of ours.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
const SHOWN_CHARS_MAX: usize = 200;

/// Where the service is, and how to come in.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// The address of the service's HTTP API.
    #[arg(long, value_name = "URL", env = "MILLRACE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The API key; better given by the environment, where others do not see it.
    #[arg(long, value_name = "KEY", env = "MILLRACE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Certificates in PEM by which an https service is known, instead of those of the public authorities.
    #[arg(long, value_name = "FILE.pem", env = "MILLRACE_CA")]
    ca: Option<PathBuf>,
    /// How often to try again when the service is away, busy, or breaks off.
    #[arg(long, value_name = "TIMES", default_value_t = 5)]
    retry: u32,
}

/// Why a file was not taken.
pub(super) struct Failed {
    pub error: anyhow::Error,
    /// Whether the others would fail as well.
    pub is_of_all: bool,
}

impl Failed {
    pub fn of_one(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), is_of_all: false }
    }

    pub fn of_all(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), is_of_all: true }
    }
}

/// An attempt that did not do.
struct Again {
    failed: Failed,
    /// Whether another one may, and when the service wants it.
    after: Option<Option<Duration>>,
}

/// What speaks to the service.
pub(super) struct Client {
    agent: ureq::Agent,
    url: String,
    api_key: Option<String>,
    retry: u32,
}

impl Client {
    pub fn new(server: &Server) -> Result<Self> {
        let url = server.url.trim_end_matches('/').to_owned();
        let is_address = url.parse().is_ok_and(|uri: Uri| uri.host().is_some() && uri.query().is_none());
        if !is_address || !(url.starts_with("http://") || url.starts_with("https://")) {
            let hint = "give that of the HTTP API, as `millrace serve` prints it: http://127.0.0.1:8080";
            return Err(Hint::new(format!("`{}` is no address of a service", server.url), hint).into());
        }
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let mut config = ureq::Agent::config_builder()
            .timeout_connect(seconds(10))
            .timeout_per_write(seconds(STEP_SECONDS_MAX))
            .timeout_recv_response(seconds(SAFE_SECONDS_MAX))
            .timeout_recv_body(seconds(STEP_SECONDS_MAX))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &server.ca {
            let roots = RootCerts::Specific(Arc::new(certificates(file)?));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self { agent: config.build().into(), url, api_key: server.api_key.clone(), retry: server.retry })
    }

    /// Says that a key goes over the network for all to read.
    pub fn warn(&self, notes: &mut dyn Write) -> Result<()> {
        let uri: Option<Uri> = self.url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if self.api_key.is_some() && self.url.starts_with("http://") && !is_here {
            let yellow = AnsiColor::Yellow.on_default();
            writeln!(notes, "{yellow}warning{yellow:#}: the API key goes to {host} unencrypted; use https://")?;
        }
        Ok(())
    }

    /// An address of the API about something with a name.
    pub fn link(&self, root: &str, name: &str, behind: &str) -> String {
        format!("{}/{root}/{}{behind}", self.url, encoded(name))
    }

    /// Sends a file until it is safe, and gives what the service says of it.
    pub fn upload(&self, source: &mut Source, feed: Option<&str>, key: &str, shown: bool) -> Result<Value, Failed> {
        let mut url = format!("{}/upload?key={}", self.url, encoded(key));
        if let Some(feed) = feed {
            url.push_str(&format!("&feed={}", encoded(feed)));
        }
        let once = random().map_err(Failed::of_all)?;
        let answer = self.with_patience(|| self.attempt(&url, &once, source, key, shown))?;
        match source.is_unchanged() {
            Ok(true) => Ok(answer),
            Ok(false) => {
                let what = format!("the file changed while it was sent; {} bytes of it were taken", source.bytes());
                Err(Failed::of_one(Hint::new(what, "send it again once it is complete")))
            }
            Err(error) => Err(Failed::of_one(error)),
        }
    }

    fn attempt(&self, url: &str, once: &str, source: &mut Source, key: &str, shown: bool) -> Result<Value, Again> {
        let bytes = source.bytes();
        let bar = Bar::new(key, shown);
        bar.follow(source.read.clone(), bytes);
        let mut body = source.body().map_err(|error| Again::never(Failed::of_one(error)))?;
        let mut request = self.agent.post(url).header("idempotency-key", once).header("content-length", bytes);
        request = request.header("content-type", "application/octet-stream");
        if bytes >= ASK_FIRST_BYTES {
            request = request.header("expect", "100-continue");
        }
        if let Some(key) = &self.api_key {
            request = request.header("x-api-key", key);
        }
        let answered = request.send(ureq::SendBody::from_reader(&mut body));
        bar.finish();
        let answer = self.answer(answered)?;
        let sent = body.sha256();
        if answer["sha256"].as_str() != sent.as_deref() {
            let (is, sent) = (&answer["sha256"], sent.unwrap_or_default());
            let what = format!("the service has other bytes than were sent: their sha256 is {is}, not {sent}");
            return Err(Again::never(Failed::of_one(Hint::new(what, "send it again under the same key"))));
        }
        Ok(answer)
    }

    /// Waits until a file is at its end, or nothing more happens to it by itself, and gives its receipt.
    pub fn ended(&self, upload_id: &str, until: Instant) -> Result<Value> {
        let url = format!("{}/status?fileId={}", self.url, encoded(upload_id));
        let mut look = Duration::from_millis(LOOK_MS);
        loop {
            let attempt = || {
                let mut request = self.agent.get(&url);
                if let Some(key) = &self.api_key {
                    request = request.header("x-api-key", key);
                }
                self.answer(request.call())
            };
            let receipt = self.with_patience(attempt).map_err(|failed| failed.error)?;
            if receipt["outcome"] != "in_progress" || receipt["blockedBy"].is_string() {
                return Ok(receipt);
            }
            if Instant::now() + look > until {
                let what = format!("{} is safe, and not at its end yet", receipt["fileId"]);
                let hint = format!("ask later: {}", self.link("status", upload_id, ""));
                return Err(Hint::new(what, hint).into());
            }
            std::thread::sleep(look);
            look = (look * 2).min(Duration::from_millis(LOOK_MS_MAX));
        }
    }

    /// Tries until it does, or it is no use, or it was tried too often.
    fn with_patience(&self, mut attempt: impl FnMut() -> Result<Value, Again>) -> Result<Value, Failed> {
        let mut tries = 0;
        loop {
            let again = match attempt() {
                Ok(answer) => return Ok(answer),
                Err(again) => again,
            };
            let Some(wanted) = again.after.filter(|_| tries < self.retry) else { return Err(again.failed) };
            let own = Duration::from_millis(AGAIN_MS.saturating_mul(1 << tries.min(16)).min(AGAIN_MS_MAX));
            tries += 1;
            let wait = wanted.unwrap_or(own);
            // whoever looks on wants to know why nothing happens
            let mut notes = anstream::stderr();
            let seconds = wait.as_secs_f64();
            let of = self.retry;
            let _ = writeln!(notes, "{:#}; trying again in {seconds} s ({tries} of {of})", again.failed.error);
            std::thread::sleep(wait);
        }
    }

    /// What an attempt came to.
    fn answer(&self, answered: Result<Response<ureq::Body>, ureq::Error>) -> Result<Value, Again> {
        let mut response = answered.map_err(|error| self.unreached(&error))?;
        let status = response.status().as_u16();
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let is_good = response.status().is_success();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let body = body.map_err(|error| self.unreached(&error))?;
        let told: Option<Value> = serde_json::from_str(&body).ok().filter(Value::is_object);
        match told {
            Some(answer) if is_good => Ok(answer),
            told => Err(self.refused(status, after, told.as_ref(), &body)),
        }
    }

    /// The service could not be reached, or broke off: it is not known whether it has the file, so the same is sent again.
    fn unreached(&self, error: &ureq::Error) -> Again {
        let of_system = if let ureq::Error::Io(error) = error { Some(error) } else { None };
        let is_refused = of_system.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
        // a name that is not there, and a certificate, stay what they are
        let (what, hint, may_pass) = if is_refused {
            ("nobody listens there".to_owned(), "start it with `millrace serve`, or give its address with --url", true)
        } else if let Some(error) = of_tls(error) {
            (format!("it is not trusted: {error}"), "give the certificates that it is known by with --ca", false)
        } else {
            match error {
                ureq::Error::HostNotFound => {
                    ("there is no host of that name".to_owned(), "check the address given with --url", false)
                }
                ureq::Error::Timeout(of) => {
                    (format!("it does not answer ({of})"), "check that it is well, and try again", true)
                }
                error => (format!("the connection broke: {error}"), "try again; it is not known what was taken", true),
            }
        };
        let failed = Failed::of_all(Hint::new(format!("{}: {what}", self.url), hint));
        Again { failed, after: may_pass.then_some(None) }
    }

    /// The service answered, but not with what was wanted.
    fn refused(&self, status: u16, after: Option<u64>, told: Option<&Value>, body: &str) -> Again {
        let said = |name: &str| told.and_then(|told| told[name].as_str()).unwrap_or_default();
        let detail = match said("detail") {
            "" => body.chars().take(SHOWN_CHARS_MAX).collect::<String>().replace(['\r', '\n'], " "),
            detail => detail.to_owned(),
        };
        let what = format!("{} answered {status}: {detail}", self.url);
        let mut hint = said("hint").to_owned();
        let is_of_key = status == 401 || said("code") == "unknown_key";
        if is_of_key {
            let which = if self.api_key.is_some() { "another API key" } else { "an API key" };
            hint = format!("give {which}: MILLRACE_API_KEY=mk_…, from `millrace keys create`");
        }
        let is_later = matches!(status, 408 | 409 | 425 | 429 | 500 | 502 | 503 | 504);
        let wait = after.map(Duration::from_secs);
        let is_long = after.is_some_and(|seconds| seconds > RETRY_AFTER_SECONDS_MAX);
        if let Some(seconds) = after.filter(|_| is_long) {
            hint = format!("come back in {} min: so long it wants to be left alone", seconds.div_ceil(60));
        }
        let is_of_all = is_of_key || status == 429;
        let failed = Failed { is_of_all, ..Failed::of_one(Hint::new(what, hint)) };
        Again { failed, after: (is_later && !is_long).then_some(wait) }
    }
}

impl Again {
    fn never(failed: Failed) -> Self {
        Self { failed, after: None }
    }
}

/// What was wrong with the certificate, or with what was agreed on.
fn of_tls(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let shown = || format!("certificates {}", file.display());
    let pem = std::fs::read(file).map_err(unreadable).with_context(shown)?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.with_context(shown)? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        let hint = "give those of the authority that signed the service's own, in PEM";
        return Err(Hint::new(format!("there are no certificates in {}", file.display()), hint).into());
    }
    Ok(found)
}

/// What the attempts at one file are known by.
fn random() -> Result<String> {
    let mut bytes = [0; 16];
    let got = SystemRandom::new().fill(&mut bytes);
    got.map_err(|_| Hint::new("the system has no random numbers", "check that /dev/urandom is there"))?;
    Ok(hex(&bytes))
}

/// As part of an address.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Result<Client> {
        Client::new(&Server { url: url.to_owned(), api_key: Some("mk_1".into()), ca: None, retry: 0 })
    }

    #[test]
    fn addresses_are_looked_at_before_anything_is_sent() {
        for url in ["http://127.0.0.1:8080", "https://files.example/", "http://[::1]:80/behind/a/proxy"] {
            assert!(client(url).is_ok(), "{url}");
        }
        for url in ["", "127.0.0.1:8080", "ftp://x", "http://", "http://x/?a=b"] {
            let error = client(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(error.to_string().contains("is no address"), "{url}: {error}");
        }
    }

    #[test]
    fn keys_that_go_in_the_clear_are_warned_of() {
        let warned = |url: &str| {
            let mut notes = Vec::new();
            client(url).unwrap().warn(&mut notes).unwrap();
            !notes.is_empty()
        };
        assert!(warned("http://files.example"));
        assert!(!warned("https://files.example") && !warned("http://localhost:1") && !warned("http://[::1]:1"));
    }

    #[test]
    fn names_stand_in_addresses_as_they_are() {
        assert_eq!(encoded("a b/é+%.csv"), "a%20b%2F%C3%A9%2B%25.csv");
    }
}
