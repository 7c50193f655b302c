//! Settings that are numbers: how often somebody may ask, and when something is alarming.

use clap::Args;
use engine::pipeline::preset::Preset;
use engine::pipeline::topology::{Alarm, Rate, Topology};
use serde::{Deserialize, Serialize};

use crate::limits::SOURCE_CONNECTIONS_MAX;

/// `[serve.limits]` as it is written, here and on the command line. 0 is no limit.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WrittenLimits {
    /// Questions for the status of files in a second, by all callers together; 0 is no limit.
    #[arg(long, value_name = "N", env = "MILLRACE_LIMITS_STATUS_PER_SECOND", hide_short_help = true)]
    status_per_second: Option<u32>,
    /// Requests that bring records (`/ingest`) in a second, by all callers together; 0 is no limit.
    #[arg(long, value_name = "N", env = "MILLRACE_LIMITS_INGEST_PER_SECOND", hide_short_help = true)]
    ingest_per_second: Option<u32>,
    /// Uploads (`/upload`) with one key in a day of UTC; a restart does not forget them; 0 is no limit.
    #[arg(long, value_name = "N", env = "MILLRACE_LIMITS_UPLOADS_PER_DAY", hide_short_help = true)]
    uploads_per_day: Option<u32>,
    /// Requests with one key in a second, of both doors; 0 is no limit.
    #[arg(long, value_name = "N", env = "MILLRACE_LIMITS_KEY_PER_SECOND", hide_short_help = true)]
    key_per_second: Option<u32>,
    /// Requests from one address in a second, of both doors; 0 is no limit.
    #[arg(long, value_name = "N", env = "MILLRACE_LIMITS_SOURCE_PER_SECOND", hide_short_help = true)]
    source_per_second: Option<u32>,
    /// Connections of one address at a time, to each door; 0 is no limit. Behind a proxy, which is one address, raise it.
    #[arg(long, value_name = "N", env = "MILLRACE_LIMITS_SOURCE_CONNECTIONS", hide_short_help = true)]
    source_connections: Option<u32>,
}

/// The same in force.
#[derive(Debug, Clone, Serialize)]
pub(in crate::serve) struct Limits {
    pub status_per_second: u32,
    pub ingest_per_second: u32,
    pub uploads_per_day: u32,
    pub key_per_second: u32,
    pub source_per_second: u32,
    pub source_connections: u32,
}

impl Limits {
    pub(super) fn new(flags: &WrittenLimits, written: &WrittenLimits) -> Self {
        let standard = Self::default();
        let of = |flag: Option<u32>, written: Option<u32>, standard: u32| flag.or(written).unwrap_or(standard);
        Self {
            status_per_second: of(flags.status_per_second, written.status_per_second, standard.status_per_second),
            ingest_per_second: of(flags.ingest_per_second, written.ingest_per_second, standard.ingest_per_second),
            uploads_per_day: of(flags.uploads_per_day, written.uploads_per_day, standard.uploads_per_day),
            key_per_second: of(flags.key_per_second, written.key_per_second, standard.key_per_second),
            source_per_second: of(flags.source_per_second, written.source_per_second, standard.source_per_second),
            source_connections: of(flags.source_connections, written.source_connections, standard.source_connections),
        }
    }

    /// Every value with its name.
    pub(super) fn values(&self) -> Vec<(&'static str, u32)> {
        vec![
            ("status_per_second", self.status_per_second),
            ("ingest_per_second", self.ingest_per_second),
            ("uploads_per_day", self.uploads_per_day),
            ("key_per_second", self.key_per_second),
            ("source_per_second", self.source_per_second),
            ("source_connections", self.source_connections),
        ]
    }
}

impl Default for Limits {
    /// The figures of the topologies; of one key and of one address, no more than all together.
    fn default() -> Self {
        let rate = |preset: Preset| {
            Topology::of(preset).routes.first().map_or(0, |route| match route.rate {
                Rate::PerSecond(times) | Rate::PerDayAndKey(times) => times,
            })
        };
        Self {
            status_per_second: rate(Preset::Files),
            ingest_per_second: rate(Preset::Market),
            uploads_per_day: rate(Preset::Transactions),
            key_per_second: rate(Preset::Market),
            source_per_second: 2 * rate(Preset::Market),
            source_connections: SOURCE_CONNECTIONS_MAX,
        }
    }
}

/// `[serve.alarms]` as it is written, here and on the command line.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WrittenAlarms {
    /// An alarm when a function fails in more than so many percent of its attempts within 5 minutes.
    #[arg(long, value_name = "N", env = "MILLRACE_ALARMS_ERRORS_PERCENT", hide_short_help = true)]
    errors_percent: Option<u32>,
    /// An alarm when the oldest message of a queue is older.
    #[arg(long, value_name = "SECONDS", env = "MILLRACE_ALARMS_OLDEST_MESSAGE_SECONDS", hide_short_help = true)]
    oldest_message_seconds: Option<u32>,
    /// An alarm when a key has used more than so many percent of what it may do in a day.
    #[arg(long, value_name = "N", env = "MILLRACE_ALARMS_QUOTA_PERCENT", hide_short_help = true)]
    quota_percent: Option<u32>,
}

/// The same in force.
#[derive(Debug, Clone, Serialize)]
pub(in crate::serve) struct Alarms {
    pub errors_percent: u32,
    pub oldest_message_seconds: u32,
    pub quota_percent: u32,
}

impl Alarms {
    pub(super) fn new(flags: &WrittenAlarms, written: &WrittenAlarms) -> Self {
        let standard = Self::default();
        let of = |flag: Option<u32>, written: Option<u32>, standard: u32| flag.or(written).unwrap_or(standard);
        let oldest = (flags.oldest_message_seconds, written.oldest_message_seconds);
        Self {
            errors_percent: of(flags.errors_percent, written.errors_percent, standard.errors_percent),
            oldest_message_seconds: of(oldest.0, oldest.1, standard.oldest_message_seconds),
            quota_percent: of(flags.quota_percent, written.quota_percent, standard.quota_percent),
        }
    }

    /// Every value with its name.
    pub(super) fn values(&self) -> Vec<(&'static str, u32)> {
        vec![
            ("errors_percent", self.errors_percent),
            ("oldest_message_seconds", self.oldest_message_seconds),
            ("quota_percent", self.quota_percent),
        ]
    }
}

impl Default for Alarms {
    fn default() -> Self {
        let percent = Topology::of(Preset::Transactions).alarms.iter().find_map(|alarm| match alarm {
            Alarm::ErrorsPercent { percent, .. } => Some(*percent),
            Alarm::LogMatches { .. } | Alarm::DeadLetters { .. } | Alarm::WorkflowLate => None,
        });
        Self { errors_percent: percent.unwrap_or(5), oldest_message_seconds: 15 * 60, quota_percent: 80 }
    }
}
