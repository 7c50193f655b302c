//! Settings of the service: `[serve]` of `millrace.toml`, then the environment, then the command line.

mod numbers;
pub(crate) mod reference;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use engine::limits::OBJECT_BYTES_MAX;
use engine::pipeline::preset::Preset;
use engine::pipeline::topology::Topology;
use serde::{Deserialize, Serialize};

use super::access::browser::Host;
use super::notify::webhook::{self, Webhook};
use crate::complain::Hint;
use crate::limits::{BODY_PIECE_SECONDS_MAX, INGEST_BODY_BYTES_MAX, INGEST_BODY_RECORDS_MAX, WEBHOOKS_MAX};
use numbers::{WrittenAlarms, WrittenLimits};

pub(in crate::serve) use numbers::{Alarms, Limits};

/// `[serve]` as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    http: Option<SocketAddr>,
    s3: Option<SocketAddr>,
    access: Option<Access>,
    tls: Option<Tls>,
    #[serde(default)]
    hosts: Vec<Host>,
    #[serde(default)]
    cors: Vec<String>,
    log: Option<LogFormat>,
    log_days: Option<u32>,
    otlp: Option<Collector>,
    #[serde(default)]
    limits: WrittenLimits,
    #[serde(default)]
    alarms: WrittenAlarms,
    upload_bytes_max: Option<u64>,
    ingest_bytes_max: Option<usize>,
    ingest_records_max: Option<usize>,
    piece_seconds: Option<NonZeroU32>,
    own_buckets: Option<bool>,
    aggregate_seconds: Option<NonZeroU32>,
    /// Who wants to hear of files.
    #[serde(default)]
    pub(crate) webhook: Vec<webhook::Written>,
}

/// The webhooks of the settings, or what is wrong with one.
pub(crate) fn webhooks(written: &[webhook::Written]) -> Result<Vec<Webhook>> {
    if written.len() > WEBHOOKS_MAX {
        let message = format!("{} webhooks are declared, more than {WEBHOOKS_MAX}", written.len());
        return Err(Hint::new(message, "declare fewer").into());
    }
    let twice = |(place, of): (usize, &webhook::Written)| written[..place].iter().any(|other| other.name == of.name);
    if let Some((_, of)) = written.iter().enumerate().find(|at| twice(*at)) {
        return Err(Hint::new(format!("{} is declared twice", of.place()), "keep one of the two").into());
    }
    Ok(written.iter().map(Webhook::new).collect::<Result<_, _>>()?)
}

/// The same on the command line and in the environment.
#[derive(Debug, Clone, Args)]
pub(crate) struct Flags {
    /// Where the HTTP API listens.
    #[arg(long, value_name = "ADDRESS:PORT", env = "MILLRACE_HTTP")]
    http: Option<SocketAddr>,
    /// Where the S3 door listens.
    #[arg(long, value_name = "ADDRESS:PORT", env = "MILLRACE_S3")]
    s3: Option<SocketAddr>,
    /// Who may come in: `none` asks for nothing and is for this machine only, `keys` asks for an API key or a signature.
    #[arg(long, value_enum, env = "MILLRACE_ACCESS")]
    access: Option<Access>,
    /// The certificate chain in PEM, for https.
    #[arg(long, value_name = "FILE.pem", env = "MILLRACE_TLS_CERTIFICATE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The private key of the certificate in PEM.
    #[arg(long, value_name = "FILE.pem", env = "MILLRACE_TLS_KEY", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Names by which the service is called beside those of this machine, without ports, where access is `none`; `*` is any.
    #[arg(long, value_name = "HOST", env = "MILLRACE_HOSTS", value_delimiter = ',', hide_short_help = true)]
    hosts: Vec<Host>,
    /// Origins whose pages may call the HTTP API from a browser; `*` is any.
    #[arg(long, value_name = "ORIGIN", env = "MILLRACE_CORS", value_delimiter = ',', hide_short_help = true)]
    cors: Vec<String>,
    /// How standard error tells of requests and files; the folder `logs` of the data folder always has them as JSON.
    #[arg(long, value_enum, env = "MILLRACE_LOG")]
    log: Option<LogFormat>,
    /// Days for which logs are kept.
    #[arg(long, value_name = "DAYS", env = "MILLRACE_LOG_DAYS", hide_short_help = true)]
    log_days: Option<u32>,
    /// Where traces go: a collector that takes OTLP by HTTP.
    #[arg(long, value_name = "http://HOST:PORT", env = "MILLRACE_OTLP", hide_short_help = true)]
    otlp: Option<Collector>,
    /// Bytes of a file through `POST /upload`.
    #[arg(long, value_name = "BYTES", env = "MILLRACE_UPLOAD_BYTES_MAX", hide_short_help = true)]
    upload_bytes_max: Option<u64>,
    /// Bytes of a request to `POST /ingest`: it is held in memory.
    #[arg(long, value_name = "BYTES", env = "MILLRACE_INGEST_BYTES_MAX", hide_short_help = true)]
    ingest_bytes_max: Option<usize>,
    /// Records of one.
    #[arg(long, value_name = "N", env = "MILLRACE_INGEST_RECORDS_MAX", hide_short_help = true)]
    ingest_records_max: Option<usize>,
    /// Time in which the next piece of a body must come, through both doors.
    #[arg(long, value_name = "SECONDS", env = "MILLRACE_PIECE_SECONDS", hide_short_help = true)]
    piece_seconds: Option<NonZeroU32>,
    /// Whether clients of S3 may make buckets of their own, in which files are kept and start no feed; keys of partners never may.
    #[arg(long, value_name = "true|false", env = "MILLRACE_OWN_BUCKETS", num_args = 0..=1, default_missing_value = "true",
        hide_short_help = true)]
    own_buckets: Option<bool>,
    /// How often the windows of `market` are aggregated; `POST /tick` does it at once.
    #[arg(long, value_name = "SECONDS", env = "MILLRACE_AGGREGATE_SECONDS", hide_short_help = true)]
    aggregate_seconds: Option<NonZeroU32>,
    #[command(flatten)]
    limits: WrittenLimits,
    #[command(flatten)]
    alarms: WrittenAlarms,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line for people.
    Pretty,
    /// A line of JSON.
    Json,
    /// Nothing.
    Off,
}

impl LogFormat {
    fn word(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
            Self::Off => "off",
        }
    }
}

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Access {
    /// Anybody who can reach the port.
    None,
    /// Who has a key, or signs with one.
    Keys,
}

impl Access {
    /// As the start says it.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::None => "none: anybody on this machine; S3 clients may sign with any key or not at all",
            Self::Keys => "keys: make one with `millrace keys create`",
        }
    }
}

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Settings in force.
#[derive(Clone)]
pub(super) struct Settings {
    pub environment: String,
    pub http: SocketAddr,
    pub s3: SocketAddr,
    pub access: Access,
    pub hosts: Vec<Host>,
    pub cors: Vec<String>,
    pub tls: Option<Tls>,
    pub log: LogFormat,
    pub log_days: u32,
    pub otlp: Option<Collector>,
    pub limits: Limits,
    pub alarms: Alarms,
    pub webhooks: Vec<Webhook>,
    /// Bytes of a file through `POST /upload`.
    pub upload_bytes_max: u64,
    /// Bytes of a request to `POST /ingest`.
    pub ingest_bytes_max: usize,
    /// Records of one.
    pub ingest_records_max: usize,
    /// Time in which the next piece of a body must come.
    pub piece_seconds: NonZeroU32,
    /// Whether clients of S3 may make buckets of their own.
    pub own_buckets: bool,
    /// How often the windows of `market` are aggregated.
    pub aggregate_seconds: NonZeroU32,
}

fn piece_seconds() -> NonZeroU32 {
    NonZeroU32::new(BODY_PIECE_SECONDS_MAX).unwrap_or(NonZeroU32::MIN)
}

/// As the topology has it.
fn aggregate_seconds() -> NonZeroU32 {
    let schedule = Topology::of(Preset::Market).schedules.first().map(|schedule| schedule.every_seconds);
    schedule.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

impl Settings {
    pub fn new(written: Written, environment: String, flags: &Flags) -> Result<Self> {
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let tls = flags.tls_certificate.clone().zip(flags.tls_key.clone());
        Ok(Self {
            environment,
            http: flags.http.or(written.http).unwrap_or_else(|| local(8080)),
            s3: flags.s3.or(written.s3).unwrap_or_else(|| local(9000)),
            access: flags.access.or(written.access).unwrap_or(Access::None),
            hosts: if flags.hosts.is_empty() { written.hosts } else { flags.hosts.clone() },
            cors: if flags.cors.is_empty() { written.cors } else { flags.cors.clone() },
            webhooks: webhooks(&written.webhook)?,
            tls: tls.map(|(certificate, key)| Tls { certificate, key }).or(written.tls),
            log: flags.log.or(written.log).unwrap_or(LogFormat::Pretty),
            log_days: flags.log_days.or(written.log_days).unwrap_or(Topology::of(Preset::Files).log_days),
            otlp: flags.otlp.clone().or(written.otlp),
            limits: Limits::new(&flags.limits, &written.limits),
            alarms: Alarms::new(&flags.alarms, &written.alarms),
            upload_bytes_max: flags.upload_bytes_max.or(written.upload_bytes_max).unwrap_or(OBJECT_BYTES_MAX),
            ingest_bytes_max: flags.ingest_bytes_max.or(written.ingest_bytes_max).unwrap_or(INGEST_BODY_BYTES_MAX),
            ingest_records_max: flags
                .ingest_records_max
                .or(written.ingest_records_max)
                .unwrap_or(INGEST_BODY_RECORDS_MAX),
            piece_seconds: flags.piece_seconds.or(written.piece_seconds).unwrap_or_else(piece_seconds),
            own_buckets: flags.own_buckets.or(written.own_buckets).unwrap_or(false),
            aggregate_seconds: flags.aggregate_seconds.or(written.aggregate_seconds).unwrap_or_else(aggregate_seconds),
        })
    }

    /// How long the next piece of a body is waited for.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.piece_seconds.get()))
    }

    /// How long a body as a whole is waited for, beside the time that its bytes may take.
    pub fn grace(&self) -> Duration {
        2 * self.patience()
    }

    /// Refuses to let anybody in from outside without asking who it is.
    pub fn allowed(&self) -> Result<()> {
        for address in [self.http, self.s3] {
            if self.access == Access::None && !address.ip().is_loopback() {
                let message = format!("{address} can be reached from outside, and access is `none`");
                let hint = "set access = \"keys\" (or --access keys), or listen on 127.0.0.1";
                return Err(Hint::new(message, hint).into());
            }
        }
        Ok(())
    }

    /// As it would be written.
    pub fn to_toml(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut lines = vec![
            format!("environment = {}", quoted(&self.environment)),
            String::new(),
            "[serve]".to_owned(),
            format!("http = \"{}\"", self.http),
            format!("s3 = \"{}\"", self.s3),
            format!("access = {}", if self.access == Access::None { "\"none\"" } else { "\"keys\"" }),
            format!("hosts = [{}]", self.hosts.iter().map(|Host(host)| quoted(host)).collect::<Vec<_>>().join(", ")),
            format!("cors = [{}]", self.cors.iter().map(|origin| quoted(origin)).collect::<Vec<_>>().join(", ")),
        ];
        lines.extend([
            format!("upload_bytes_max = {}", self.upload_bytes_max),
            format!("ingest_bytes_max = {}", self.ingest_bytes_max),
            format!("ingest_records_max = {}", self.ingest_records_max),
            format!("piece_seconds = {}", self.piece_seconds),
            format!("own_buckets = {}", self.own_buckets),
            format!("aggregate_seconds = {}", self.aggregate_seconds),
        ]);
        lines.push(format!("log = \"{}\"", self.log.word()));
        lines.push(format!("log_days = {}", self.log_days));
        // what is not set is shown as it would be
        lines.push(match &self.otlp {
            Some(Collector(host)) => format!("otlp = {}", quoted(&format!("http://{host}"))),
            None => "# otlp = \"http://HOST:PORT\"".to_owned(),
        });
        lines.push(match &self.tls {
            Some(Tls { certificate, key }) => {
                let paths = [certificate, key].map(|path| quoted(&path.display().to_string()));
                format!("tls = {{ certificate = {}, key = {} }}", paths[0], paths[1])
            }
            None => "# tls = { certificate = \"FILE.pem\", key = \"FILE.pem\" }".to_owned(),
        });
        for (table, values) in [("limits", self.limits.values()), ("alarms", self.alarms.values())] {
            lines.extend([String::new(), format!("[serve.{table}]")]);
            lines.extend(values.into_iter().map(|(name, value)| format!("{name} = {value}")));
        }
        lines.join("\n") + "\n"
    }
}

/// Where traces go: the host, and the port if one is given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Collector(pub String);

impl TryFrom<String> for Collector {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        written.parse()
    }
}

impl FromStr for Collector {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let host = written.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let host = host.filter(|host| !host.is_empty() && !host.contains(['/', ' ', '@']));
        let wrong = || format!("`{written}` is no collector such as http://localhost:4318, without a path and TLS");
        host.map(|host| Self(host.to_owned())).ok_or_else(wrong)
    }
}
