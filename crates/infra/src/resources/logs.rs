//! Log groups, what is counted in them, and who may write into them.

use crate::json::{Fields, Json};
use crate::reference::{HasArn, Ref, Text};
use crate::resources::Tags;
use crate::template::Resource;

/// `AWS::Logs::LogGroup`.
#[derive(Debug)]
pub struct LogGroup {
    /// Its name.
    pub name: Text,
    /// Days for which lines are kept.
    pub days: u32,
    /// Tags.
    pub tags: Tags,
}

impl HasArn for LogGroup {}

impl Resource for LogGroup {
    fn kind(&self) -> &'static str {
        "AWS::Logs::LogGroup"
    }

    fn properties(self) -> Json {
        Fields::new().with("LogGroupName", self.name).with("RetentionInDays", self.days).with("Tags", self.tags).into()
    }
}

/// `AWS::Logs::MetricFilter`: each line that matches counts as one.
#[derive(Debug)]
pub struct MetricFilter {
    /// Its name.
    pub name: String,
    /// Of which log group.
    pub logs: Ref<LogGroup>,
    /// What is looked for.
    pub pattern: &'static str,
    /// Where the count is kept.
    pub namespace: &'static str,
    /// Under which name.
    pub metric: String,
}

impl Resource for MetricFilter {
    fn kind(&self) -> &'static str {
        "AWS::Logs::MetricFilter"
    }

    fn properties(self) -> Json {
        let metric = Fields::new()
            .with("MetricNamespace", self.namespace)
            .with("MetricName", self.metric)
            .with("MetricValue", "1")
            .with("DefaultValue", 0)
            .with("Unit", "Count");
        Fields::new()
            .with("FilterName", self.name)
            .with("LogGroupName", self.logs)
            .with("FilterPattern", self.pattern)
            .with("MetricTransformations", vec![metric])
            .into()
    }
}

/// `AWS::Logs::ResourcePolicy`: a service may write into log groups.
#[derive(Debug)]
pub struct LogPolicy {
    /// Its name.
    pub name: String,
    /// What it says: a document as text.
    pub document: Text,
}

impl Resource for LogPolicy {
    fn kind(&self) -> &'static str {
        "AWS::Logs::ResourcePolicy"
    }

    fn properties(self) -> Json {
        Json::object([("PolicyName", self.name.into()), ("PolicyDocument", self.document.into())])
    }
}
