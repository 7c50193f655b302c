//! Alarms, on a metric or on what is computed from several. Where nothing happens, nothing is wrong.

use crate::json::{Fields, Json};
use crate::reference::Text;
use crate::resources::Tags;
use crate::template::Resource;

/// `AWS::CloudWatch::Alarm`.
#[derive(Debug)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// What it says, for whoever is woken by it.
    pub description: String,
    /// What is watched.
    pub watches: Watched,
    /// It is an alarm above this.
    pub above: u32,
    /// Who is told, if anybody.
    pub actions: Json,
    /// Tags.
    pub tags: Tags,
}

/// A metric of a service, about one thing.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Whose it is.
    pub namespace: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What it is about: the kind of thing, and which.
    pub about: (&'static str, Text),
    /// How the values of a period become one.
    pub statistic: &'static str,
}

/// What is watched.
#[derive(Debug)]
pub enum Watched {
    /// A metric.
    One(Metric),
    /// What is computed from metrics, which have ids in it.
    Computed {
        /// How.
        expression: &'static str,
        /// What it is called.
        label: &'static str,
        /// From what.
        from: Vec<(&'static str, Metric)>,
    },
}

const PERIOD_SECONDS: u32 = 300;

fn dimensions(metric: &Metric) -> Json {
    let (name, value) = metric.about.clone();
    Json::List(vec![Json::object([("Name", name.into()), ("Value", value.into())])])
}

fn part(id: &'static str, metric: Metric) -> Json {
    let about = dimensions(&metric);
    let named =
        Fields::new().with("Namespace", metric.namespace).with("MetricName", metric.name).with("Dimensions", about);
    let stat = Fields::new().with("Metric", named).with("Period", PERIOD_SECONDS).with("Stat", metric.statistic);
    Fields::new().with("Id", id).with("MetricStat", stat).with("ReturnData", false).into()
}

impl Resource for Alarm {
    fn kind(&self) -> &'static str {
        "AWS::CloudWatch::Alarm"
    }

    fn properties(self) -> Json {
        let fields = Fields::new().with("AlarmName", self.name).with("AlarmDescription", self.description);
        let fields = match self.watches {
            Watched::One(metric) => fields
                .with("Namespace", metric.namespace)
                .with("MetricName", metric.name)
                .with("Dimensions", dimensions(&metric))
                .with("Statistic", metric.statistic)
                .with("Period", PERIOD_SECONDS),
            Watched::Computed { expression, label, from } => {
                let whole = Fields::new()
                    .with("Id", "watched")
                    .with("Label", label)
                    .with("Expression", expression)
                    .with("ReturnData", true);
                let parts = from.into_iter().map(|(id, metric)| part(id, metric));
                fields.with("Metrics", Json::List(std::iter::once(whole.into()).chain(parts).collect()))
            }
        };
        fields
            .with("ComparisonOperator", "GreaterThanThreshold")
            .with("Threshold", self.above)
            .with("EvaluationPeriods", 1)
            .with("TreatMissingData", "notBreaching")
            .with("AlarmActions", self.actions)
            .with("Tags", self.tags)
            .into()
    }
}
