//! What a function is given by its environment: the clients of the services that it uses, made once, and no others.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use pipeline::Millis;
use pipeline::feed::Feeds;
use pipeline::topology::{FUNCTION_VARIABLE, Holds, Variable};

use crate::announce::{Announcer, Bus, Topic};
use crate::bucket::{Buckets, s3::S3};
use crate::function::{self, Error, Function, Parts};
use crate::limits::{CALL_SECONDS_MAX, CONNECT_SECONDS_MAX, PART_SECONDS_MAX};
use crate::network::Network;
use crate::queue::{Queue, Sqs};
use crate::table::{
    Table,
    dynamo::{Dynamo, Names},
};
use crate::trace::{DAEMON_VARIABLE, Tracer};

/// Where variables are looked up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Now: the one place where functions read the clock.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The function that the environment names, with what it uses.
pub fn function(variables: Environment<'_>, network: &Network) -> Result<Function, Error> {
    let name = wanted(variables, FUNCTION_VARIABLE)?;
    let unknown = || Error::new("no_such_function", format!("{FUNCTION_VARIABLE} is `{name}`, which is no function"));
    let (topology, function) = function::find(&name).ok_or_else(unknown)?;
    let told = topology.variables(function);
    let value = |variable: Variable| -> Result<Option<String>, Error> {
        let is_told = told.iter().any(|told| told.name() == variable.name());
        if is_told { wanted(variables, variable.name()).map(Some) } else { Ok(None) }
    };
    let cloud = Cloud::new(variables)?;
    let (files, results) = (value(Variable::Files)?, value(Variable::Results)?);
    let ledger = value(Variable::Table(Holds::Ledger))?;
    let [status, rows] = [Holds::Status, Holds::Rows].map(|holds| value(Variable::Table(holds)));
    let (status, rows) = (status?.unwrap_or_default(), rows?.unwrap_or_default());
    let buckets = (files.is_some() || results.is_some())
        .then(|| -> Arc<dyn Buckets> { Arc::new(S3::new(cloud.s3(), network.clone())) });
    let queue = value(Variable::Queue(""))?
        .map(|url| -> Arc<dyn Queue> { Arc::new(Sqs::new(cloud.sqs(), network.clone(), url)) });
    let bus = value(Variable::Bus)?
        .map(|name| -> Arc<dyn Announcer> { Arc::new(Bus::new(cloud.eventbridge(), network.clone(), name)) });
    let topic = value(Variable::Topic)?
        .map(|arn| -> Arc<dyn Announcer> { Arc::new(Topic::new(cloud.sns(), network.clone(), arn)) });
    let anew = value(Variable::Anew)?
        .map(|name| -> Arc<dyn Announcer> { Arc::new(Bus::new(cloud.eventbridge(), network.clone(), name)) });
    let table = ledger
        .map(|ledger| Names { ledger, status, rows })
        .map(|names| -> Box<dyn Table> { Box::new(Dynamo::new(cloud.dynamo(), network.clone(), names)) });
    let process = process();
    let parts = Parts {
        table,
        queue,
        announcer: bus.or(topic),
        anew,
        buckets,
        files,
        results,
        origin: value(Variable::Origin)?,
        feeds: Feeds::default(),
        now,
        process,
        tracer: Tracer::new(variables(DAEMON_VARIABLE).as_deref(), process),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    Function::new(&name, parts).ok_or_else(unknown)
}

fn wanted(variables: Environment<'_>, name: &str) -> Result<String, Error> {
    let value = variables(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| Error::new("not_told", format!("{name} is not set; the template of Millrace sets it")))
}

/// A number that no other process has: two start in the same nanosecond under the same number only on one machine.
fn process() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mark = format!("{} {} {:p}", since.as_nanos(), std::process::id(), &raw const since);
    xxhash_rust::xxh3::xxh3_64(mark.as_bytes())
}

/// How long one attempt at a call is waited for; without this, for ever.
fn patience(attempt_seconds: u64) -> TimeoutConfig {
    let seconds = Duration::from_secs;
    TimeoutConfig::builder()
        .connect_timeout(seconds(CONNECT_SECONDS_MAX))
        .operation_attempt_timeout(seconds(attempt_seconds))
        .build()
}

/// What clients have in common.
struct Cloud {
    region: Region,
    credentials: Credentials,
    http: SharedHttpClient,
    /// Another address than that of the cloud: a server for tests.
    endpoint: Option<String>,
}

impl Cloud {
    /// The cloud gives a function its credentials and region in variables, for as long as it lives.
    fn new(variables: Environment<'_>) -> Result<Self, Error> {
        let credentials = Credentials::new(
            wanted(variables, "AWS_ACCESS_KEY_ID")?,
            wanted(variables, "AWS_SECRET_ACCESS_KEY")?,
            variables("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
            None,
            "environment",
        );
        let region = Region::new(wanted(variables, "AWS_REGION")?);
        let tls = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        Ok(Self { region, credentials, http: tls.build_https(), endpoint: variables("AWS_ENDPOINT_URL") })
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::v2026_01_12());
        let config = config.region(self.region.clone()).credentials_provider(self.credentials.clone());
        let mut config = config.http_client(self.http.clone()).timeout_config(patience(PART_SECONDS_MAX));
        if let Some(endpoint) = &self.endpoint {
            // a server for tests has one name for all buckets
            config = config.endpoint_url(endpoint).force_path_style(true);
        }
        aws_sdk_s3::Client::from_conf(config.build())
    }

    fn dynamo(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::v2026_01_12());
        let config = config.region(self.region.clone()).credentials_provider(self.credentials.clone());
        let mut config = config.http_client(self.http.clone()).timeout_config(patience(CALL_SECONDS_MAX));
        config.set_endpoint_url(self.endpoint.clone());
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::Config::builder().behavior_version(BehaviorVersion::v2026_01_12());
        let config = config.region(self.region.clone()).credentials_provider(self.credentials.clone());
        let mut config = config.http_client(self.http.clone()).timeout_config(patience(CALL_SECONDS_MAX));
        config.set_endpoint_url(self.endpoint.clone());
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        let config = aws_sdk_eventbridge::Config::builder().behavior_version(BehaviorVersion::v2026_01_12());
        let config = config.region(self.region.clone()).credentials_provider(self.credentials.clone());
        let mut config = config.http_client(self.http.clone()).timeout_config(patience(CALL_SECONDS_MAX));
        config.set_endpoint_url(self.endpoint.clone());
        aws_sdk_eventbridge::Client::from_conf(config.build())
    }

    fn sns(&self) -> aws_sdk_sns::Client {
        let config = aws_sdk_sns::Config::builder().behavior_version(BehaviorVersion::v2026_01_12());
        let config = config.region(self.region.clone()).credentials_provider(self.credentials.clone());
        let mut config = config.http_client(self.http.clone()).timeout_config(patience(CALL_SECONDS_MAX));
        config.set_endpoint_url(self.endpoint.clone());
        aws_sdk_sns::Client::from_conf(config.build())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_service_that_never_answers_is_not_waited_for() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let told = HashMap::from([
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ]);
        let cloud = Cloud::new(&|name| told.get(name).map(|value| (*value).to_owned())).unwrap();
        let (s3, dynamo, sqs, bus, topic) = (cloud.s3(), cloud.dynamo(), cloud.sqs(), cloud.eventbridge(), cloud.sns());
        let all = [
            s3.config().timeout_config(),
            dynamo.config().timeout_config(),
            sqs.config().timeout_config(),
            bus.config().timeout_config(),
            topic.config().timeout_config(),
        ];
        for (service, timeouts) in all.into_iter().enumerate() {
            let timeouts = timeouts.unwrap();
            assert!(
                timeouts.operation_attempt_timeout().is_some() && timeouts.connect_timeout().is_some(),
                "{service}"
            );
        }
        // the same, waited for: with one attempt, and less patience
        let config = dynamo.config().to_builder().timeout_config(
            patience(CALL_SECONDS_MAX).to_builder().operation_attempt_timeout(Duration::from_millis(50)).build(),
        );
        let config = config.retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled()).build();
        let asked = aws_sdk_dynamodb::Client::from_conf(config).list_tables();
        let refused = Network::new().unwrap().wait(asked.send()).unwrap_err();
        assert!(matches!(refused, aws_sdk_dynamodb::error::SdkError::TimeoutError(_)), "{refused:?}");
    }
}
