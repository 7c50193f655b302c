//! The AWS CLI, driven: one call is one process, asked in JSON and answering in JSON within a time.
//!
//! Profiles, single sign-on, roles, regions, proxies and other endpoints are what the program makes of its own settings.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::complain::Hint;

/// The region when neither the command line nor the settings of the AWS CLI name one.
const REGION: &str = "us-east-1";

/// A file goes up in so many times the time of a call.
const UPLOAD_FACTOR: u32 = 10;

/// Bytes of an answer that are told when it cannot be understood.
const TOLD_BYTES_MAX: usize = 200;

/// The program, and what each call of it is told.
#[derive(Debug)]
pub(super) struct Program {
    path: OsString,
    profile: Option<String>,
    region: String,
    limit: Duration,
}

/// Why the cloud said no, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The code by which programs tell refusals apart; empty if the cloud was not even asked.
    pub(super) code: String,
    /// For people.
    pub(super) message: String,
}

impl Refusal {
    /// Whether it says that a thing is not there.
    pub(super) fn is_missing(&self) -> bool {
        let codes = ["404", "NoSuchKey", "NoSuchBucket", "NotFound", "NoSuchEntity", "ChangeSetNotFound"];
        codes.contains(&self.code.as_str())
            || (self.code == "ValidationError" && self.message.contains("does not exist"))
    }

    /// Whether it is about who asks.
    pub(super) fn is_denied(&self) -> bool {
        ["403", "AccessDenied", "AccessDeniedException", "Forbidden"].contains(&self.code.as_str())
    }

    fn read(stderr: &str) -> Self {
        let line = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it gave no reason");
        let told = stderr.find("An error occurred (").and_then(|at| {
            let (code, rest) = stderr[at + "An error occurred (".len()..].split_once(')')?;
            // `… operation: why`, or `… operation (reached max retries: 4): why`
            let (_, after) = rest.split_once(" operation")?;
            let after =
                after.strip_prefix(" (").and_then(|more| more.split_once(')')).map_or(after, |(_, after)| after);
            let message = after.strip_prefix(": ")?;
            Some(Self { code: code.to_owned(), message: message.trim().replace('\n', " ") })
        });
        told.unwrap_or_else(|| Self { code: String::new(), message: line.to_owned() })
    }

    /// What the user can do about it.
    fn hint(&self) -> &'static str {
        let message = self.message.to_ascii_lowercase();
        let says = |word: &str| message.contains(word);
        match self.code.as_str() {
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
                "the session is over: sign in again (aws sso login), and check the clock of this machine"
            }
            "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "AuthFailure" => {
                "the keys are not known: check `aws sts get-caller-identity` with the same --profile"
            }
            "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "SlowDown" => {
                "the account is asked too much at the moment: give the same command again later"
            }
            "LimitExceededException" | "LimitExceeded" => {
                "a quota of the account is reached: remove something, or ask for more"
            }
            _ if self.is_denied() => "who asks may not do that: take another --profile, or have the right granted",
            _ if says("credentials") => "sign in (aws configure, or aws sso login), or name a --profile",
            _ if says("token") => "sign in again (aws sso login)",
            _ if says("profile") => "`aws configure list-profiles` says which there are",
            _ if says("could not connect") || says("timed out") || says("timeout") => {
                "check the network, the --region and AWS_ENDPOINT_URL"
            }
            _ if says("ssl") || says("certificate") => "check AWS_CA_BUNDLE and what is between here and the cloud",
            _ => "",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.code.is_empty() { f.write_str(&self.message) } else { write!(f, "{} ({})", self.message, self.code) }
    }
}

impl std::error::Error for Refusal {}

/// What one process left.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Program {
    /// The program, with its region found out.
    pub(super) fn new(
        path: OsString,
        profile: Option<String>,
        region: Option<String>,
        limit: Duration,
    ) -> Result<Self> {
        let mut program = Self { path, profile, region: String::new(), limit };
        program.region = match region {
            Some(region) => region,
            None => program.configured_region()?,
        };
        Ok(program)
    }

    /// The region that calls go to.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    fn configured_region(&self) -> Result<String> {
        let named = |name| std::env::var(name).ok().filter(|region| !region.is_empty());
        if let Some(region) = named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION")) {
            return Ok(region);
        }
        let words = ["configure", "get", "region"].map(OsString::from);
        let ended = self.run(&words, self.limit).context("aws configure get region")?;
        let region = ended.stdout.trim();
        Ok(if ended.status.success() && !region.is_empty() { region } else { REGION }.to_owned())
    }

    /// Asks for something that must succeed.
    pub(super) fn ask<T: DeserializeOwned>(&self, service: &str, operation: &str, request: &Value) -> Result<T> {
        self.explained(service, operation, self.try_ask(service, operation, request)?)
    }

    /// Asks for something that may be refused.
    pub(super) fn try_ask<T: DeserializeOwned>(
        &self,
        service: &str,
        operation: &str,
        request: &Value,
    ) -> Result<Result<T, Refusal>> {
        self.call(service, operation, &[], request, self.limit)
    }

    /// The first `items` items of a list that may be long, and nothing of the rest.
    pub(super) fn first<T: DeserializeOwned>(
        &self,
        service: &str,
        operation: &str,
        request: &Value,
        items: usize,
    ) -> Result<T> {
        self.explained(service, operation, self.try_first(service, operation, request, items)?)
    }

    /// The same of a list that may not be there.
    pub(super) fn try_first<T: DeserializeOwned>(
        &self,
        service: &str,
        operation: &str,
        request: &Value,
        items: usize,
    ) -> Result<Result<T, Refusal>> {
        let extra = ["--max-items".into(), items.to_string().into()];
        self.call(service, operation, &extra, request, self.limit)
    }

    /// Asks with a request that may be too long for a command line.
    pub(super) fn ask_at_length<T: DeserializeOwned>(
        &self,
        service: &str,
        operation: &str,
        request: &Value,
    ) -> Result<T> {
        let file = tempfile::NamedTempFile::new().context("a file for the request")?;
        serde_json::to_writer(&file, request)?;
        let mut named = OsString::from("file://");
        named.push(file.path());
        let words = self.words(service, operation, &[], named);
        self.explained(service, operation, self.answered(service, operation, &words, self.limit)?)
    }

    /// Puts a file into a bucket of the account.
    pub(super) fn put(&self, bucket: &Bucket<'_>, key: &str, file: &std::path::Path, kind: &str) -> Result<()> {
        let request = json!({ "Bucket": bucket.name, "Key": key, "ContentType": kind,
            "ExpectedBucketOwner": bucket.account });
        let extra = ["--body".into(), file.as_os_str().to_owned()];
        let limit = self.limit.saturating_mul(UPLOAD_FACTOR);
        let answer: Result<Value, Refusal> = self.call("s3api", "put-object", &extra, &request, limit)?;
        self.explained("s3api", "put-object", answer)
            .map(drop)
            .with_context(|| format!("bucket {}, key {key}", bucket.name))
    }

    /// A refusal as an error: what was asked, where, and what can be done.
    pub(super) fn explain(&self, service: &str, operation: &str, refusal: &Refusal) -> anyhow::Error {
        Hint::new(format!("aws {service} {operation} in {}: {refusal}", self.region), refusal.hint()).into()
    }

    fn explained<T>(&self, service: &str, operation: &str, answer: Result<T, Refusal>) -> Result<T> {
        answer.map_err(|refusal| self.explain(service, operation, &refusal))
    }

    fn words(&self, service: &str, operation: &str, extra: &[OsString], request: OsString) -> Vec<OsString> {
        let mut words = [service, operation, "--output", "json", "--region", &self.region].map(OsString::from).to_vec();
        words.extend(extra.iter().cloned());
        words.extend(["--cli-input-json".into(), request]);
        words
    }

    fn call<T: DeserializeOwned>(
        &self,
        service: &str,
        operation: &str,
        extra: &[OsString],
        request: &Value,
        limit: Duration,
    ) -> Result<Result<T, Refusal>> {
        let words = self.words(service, operation, extra, request.to_string().into());
        self.answered(service, operation, &words, limit)
    }

    fn answered<T: DeserializeOwned>(
        &self,
        service: &str,
        operation: &str,
        words: &[OsString],
        limit: Duration,
    ) -> Result<Result<T, Refusal>> {
        let ended = self.run(words, limit).with_context(|| format!("aws {service} {operation}"))?;
        if !ended.status.success() {
            return Ok(Err(Refusal::read(&ended.stderr)));
        }
        let text = ended.stdout.trim();
        let text = if text.is_empty() { "null" } else { text };
        let parsed = serde_json::from_str(text).map_err(|error| {
            let told: String = text.chars().take(TOLD_BYTES_MAX).collect();
            let what = format!("aws {service} {operation} answered what cannot be understood: {error}: {told}");
            Hint::new(what, "check that --aws names the AWS CLI, version 1.32 or 2, and give the same command again")
        })?;
        Ok(Ok(parsed))
    }

    /// Runs the program to its end, or until its time is over.
    fn run(&self, words: &[OsString], limit: Duration) -> Result<Ended> {
        let mut command = Command::new(&self.path);
        command.args(words);
        if let Some(profile) = &self.profile {
            command.args(["--profile", profile]);
        }
        // answers go to files: a child of the program that stays behind would hold a pipe open
        let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        command.env("AWS_PAGER", "").env("AWS_CLI_AUTO_PROMPT", "off").stdin(Stdio::null());
        command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        let mut child = command.spawn().map_err(|error| {
            let what = format!("the program {} cannot be started: {error}", self.path.display());
            Hint::new(what, "install the AWS CLI, or say with --aws where it is")
        })?;
        let began = Instant::now();
        let mut pause = Duration::from_millis(5);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if began.elapsed() >= limit {
                child.kill()?;
                child.wait()?;
                let what = format!("no answer within {} s", limit.as_secs_f64());
                let hint = "what was asked for may have happened all the same: give the same command again, or more time \
                            with --call-seconds";
                return Err(Hint::new(what, hint).into());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        };
        Ok(Ended { status, stdout: read(&mut stdout)?, stderr: read(&mut stderr)? })
    }
}

/// A bucket, and the account that it must belong to: names of buckets can be guessed and taken by others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket<'a> {
    pub(super) name: &'a str,
    pub(super) account: &'a str,
}

fn read(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_from_both_versions_of_the_program() {
        let one = "\nAn error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id x does \
                   not exist\n";
        let two = "\naws: [ERROR]: An error occurred (NoSuchBucket) when calling the HeadBucket operation (reached max \
                   retries: 4): Gone\n\nAdditional error details:\nBucketName: x\n";
        let refusal = Refusal::read(one);
        assert_eq!((refusal.code.as_str(), refusal.is_missing()), ("ValidationError", true));
        let refusal = Refusal::read(two);
        assert_eq!(refusal.code, "NoSuchBucket");
        assert!(refusal.message.starts_with("Gone"), "{}", refusal.message);
        let refusal = Refusal::read("\nUnable to locate credentials. You can configure them with \"aws configure\".\n");
        assert_eq!(refusal.code, "");
        assert!(refusal.hint().contains("sign in"), "{}", refusal.hint());
        assert_eq!(Refusal::read("").message, "it gave no reason");
    }
}
