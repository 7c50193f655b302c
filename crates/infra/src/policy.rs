//! Policies: who may do what on what. [`RUNTIME_DENIED`] is what no role of ours may ever do.

use crate::json::{Fields, Json};
use crate::reference::Text;

/// What no role that runs code may do, whatever else is granted: it destroys what others rely on.
pub const RUNTIME_DENIED: [&str; 22] = [
    "dynamodb:DeleteBackup",
    "dynamodb:DeleteTable",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTimeToLive",
    "events:DeleteEventBus",
    "events:DeleteRule",
    "events:DisableRule",
    "lambda:DeleteEventSourceMapping",
    "lambda:DeleteFunction",
    "logs:DeleteLogGroup",
    "logs:DeleteLogStream",
    "logs:DeleteRetentionPolicy",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "sns:DeleteTopic",
    "sqs:DeleteQueue",
    "sqs:PurgeQueue",
    "states:DeleteStateMachine",
];

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever allows it.
    Deny,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    sid: String,
    effect: Effect,
    principal: Option<Json>,
    actions: Vec<&'static str>,
    resources: Vec<Text>,
    condition: Option<Json>,
}

impl Statement {
    /// These actions on these resources are allowed.
    pub fn allow(sid: impl Into<String>, actions: &[&'static str], resources: Vec<Text>) -> Self {
        let (effect, actions) = (Effect::Allow, actions.to_vec());
        Self { sid: sid.into(), effect, principal: None, actions, resources, condition: None }
    }

    /// They are denied.
    pub fn deny(sid: impl Into<String>, actions: &[&'static str], resources: Vec<Text>) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(sid, actions, resources) }
    }

    /// For a service, in the policy of a resource.
    #[must_use]
    pub fn to_service(mut self, service: &str) -> Self {
        self.principal = Some(Json::object([("Service", service.into())]));
        self
    }

    /// For everybody, in the policy of a resource.
    #[must_use]
    pub fn to_everybody(mut self) -> Self {
        self.principal = Some("*".into());
        self
    }

    /// Only if this holds: an operator, a key and a value.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, value: impl Into<Json>) -> Self {
        let condition = self.condition.get_or_insert(Json::object([]));
        let mut keys = condition.get(operator).cloned().unwrap_or(Json::object([]));
        keys.set(key, value.into());
        condition.set(operator, keys);
        self
    }

    /// Only for this source.
    #[must_use]
    pub fn from_source(self, source: impl Into<Json>) -> Self {
        self.when("ArnEquals", "aws:SourceArn", source)
    }
}

impl From<Statement> for Json {
    fn from(statement: Statement) -> Self {
        let Statement { sid, effect, principal, actions, resources, condition } = statement;
        let resources = (!resources.is_empty()).then_some(resources);
        Fields::new()
            .with("Sid", sid)
            .with("Effect", format!("{effect:?}"))
            .maybe("Principal", principal)
            .with("Action", actions)
            .maybe("Resource", resources)
            .maybe("Condition", condition)
            .into()
    }
}

/// A document of statements.
pub fn document(statements: Vec<Statement>) -> Json {
    Json::object([("Version", "2012-10-17".into()), ("Statement", Json::list(statements))])
}

/// Denies everything that does not come over TLS.
pub fn tls_only(actions: &'static str, resources: Vec<Text>) -> Statement {
    Statement::deny("DenyWithoutTls", &[actions], resources).to_everybody().when("Bool", "aws:SecureTransport", "false")
}

/// Denies what destroys.
pub fn no_destruction() -> Statement {
    Statement::deny("DenyDestruction", &RUNTIME_DENIED, vec!["*".into()])
}
