//! Functions and what calls them: always traced, always with a log group of their own.

use crate::json::{Fields, Json};
use crate::reference::{Arn, HasArn, Ref, Text};
use crate::resources::Tags;
use crate::resources::logs::LogGroup;
use crate::resources::queues::Queue;
use crate::resources::roles::Role;
use crate::template::Resource;

/// `AWS::Lambda::Function`.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// As whom it runs.
    pub role: Arn<Role>,
    /// What it runs.
    pub code: Code,
    /// `arm64` or `x86_64`.
    pub architecture: &'static str,
    /// Memory in MB.
    pub memory_mb: u32,
    /// Seconds it may take.
    pub timeout_seconds: u32,
    /// Its environment.
    pub variables: Vec<(&'static str, Text)>,
    /// Where its logs go.
    pub logs: Ref<LogGroup>,
    /// Where calls go that nobody waited for, and that failed for good.
    pub dead_letters: Option<Arn<Queue>>,
    /// Tags.
    pub tags: Tags,
}

/// What a function runs.
#[derive(Debug)]
pub enum Code {
    /// The file `bootstrap` in a zip at this place.
    Zip {
        /// The bucket.
        bucket: Text,
        /// The key.
        key: Text,
    },
    /// An image of a container, by its URI.
    Image(Text),
}

impl HasArn for Function {}

impl Resource for Function {
    fn kind(&self) -> &'static str {
        "AWS::Lambda::Function"
    }

    fn properties(self) -> Json {
        let fields = Fields::new().with("FunctionName", self.name).with("Description", self.description);
        let fields = match self.code {
            Code::Zip { bucket, key } => fields
                .with("Runtime", "provided.al2023")
                .with("Handler", "bootstrap")
                .with("Code", Json::object([("S3Bucket", bucket.into()), ("S3Key", key.into())])),
            Code::Image(uri) => {
                fields.with("PackageType", "Image").with("Code", Json::object([("ImageUri", uri.into())]))
            }
        };
        let variables = self.variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let logging = Fields::new().with("LogFormat", "JSON").with("LogGroup", self.logs);
        fields
            .with("Architectures", vec![self.architecture])
            .with("MemorySize", self.memory_mb)
            .with("Timeout", self.timeout_seconds)
            .with("Role", self.role)
            .with("Environment", Json::object([("Variables", Json::Object(variables))]))
            .with("TracingConfig", Json::object([("Mode", "Active".into())]))
            .with("LoggingConfig", logging)
            .maybe("DeadLetterConfig", self.dead_letters.map(|queue| Json::object([("TargetArn", queue.into())])))
            .with("Tags", self.tags)
            .into()
    }
}

/// `AWS::Lambda::Permission`: a service may call a function on behalf of one source in this account.
#[derive(Debug)]
pub struct Permission {
    /// The function.
    pub function: Arn<Function>,
    /// The service.
    pub principal: &'static str,
    /// The ARN of the source.
    pub source: Text,
}

impl Resource for Permission {
    fn kind(&self) -> &'static str {
        "AWS::Lambda::Permission"
    }

    fn properties(self) -> Json {
        Fields::new()
            .with("Action", "lambda:InvokeFunction")
            .with("FunctionName", self.function)
            .with("Principal", self.principal)
            .with("SourceArn", self.source)
            // the ARN of a bucket names no account, those of all other sources do
            .maybe("SourceAccount", (self.principal == "s3.amazonaws.com").then(|| Text::parameter("AWS::AccountId")))
            .into()
    }
}

/// `AWS::Lambda::EventSourceMapping`: a function gets the messages of a queue, and says which of a batch failed.
#[derive(Debug)]
pub struct EventSourceMapping {
    /// The queue.
    pub queue: Arn<Queue>,
    /// The function.
    pub function: Arn<Function>,
    /// Messages at a time.
    pub batch_max: u32,
    /// Tags.
    pub tags: Tags,
}

impl Resource for EventSourceMapping {
    fn kind(&self) -> &'static str {
        "AWS::Lambda::EventSourceMapping"
    }

    fn properties(self) -> Json {
        Fields::new()
            .with("EventSourceArn", self.queue)
            .with("FunctionName", self.function)
            .with("BatchSize", self.batch_max)
            .with("FunctionResponseTypes", vec!["ReportBatchItemFailures"])
            .with("MetricsConfig", Json::object([("Metrics", vec!["EventCount"].into())]))
            .with("Tags", self.tags)
            .into()
    }
}

/// `AWS::Lambda::EventInvokeConfig`: how often a call that nobody waits for is tried, and where it goes then.
#[derive(Debug)]
pub struct EventInvokeConfig {
    /// The function.
    pub function: Ref<Function>,
    /// Attempts after the first.
    pub retries_max: u32,
    /// Who is told then: the ARN of a queue, or of a function.
    pub failures: Text,
}

impl Resource for EventInvokeConfig {
    fn kind(&self) -> &'static str {
        "AWS::Lambda::EventInvokeConfig"
    }

    fn properties(self) -> Json {
        let failures = Json::object([("Destination", self.failures.into())]);
        Fields::new()
            .with("FunctionName", self.function)
            .with("Qualifier", "$LATEST")
            .with("MaximumRetryAttempts", self.retries_max)
            .with("DestinationConfig", Json::object([("OnFailure", failures)]))
            .into()
    }
}
