//! Workflows: express, traced, and logged without what went through them.

use crate::json::{Fields, Json};
use crate::reference::{Arn, HasArn, Text};
use crate::resources::Tags;
use crate::resources::logs::LogGroup;
use crate::resources::roles::Role;
use crate::template::Resource;

/// `AWS::StepFunctions::StateMachine`. Its `Ref` is its ARN.
#[derive(Debug)]
pub struct StateMachine {
    /// Its name.
    pub name: String,
    /// As whom it acts.
    pub role: Arn<Role>,
    /// Its states, in the language of states.
    pub definition: Json,
    /// What stands for `${Name}` in the definition.
    pub substitutions: Vec<(String, Text)>,
    /// Where its logs go.
    pub logs: Arn<LogGroup>,
    /// Tags.
    pub tags: Tags,
}

impl HasArn for StateMachine {}

impl Resource for StateMachine {
    fn kind(&self) -> &'static str {
        "AWS::StepFunctions::StateMachine"
    }

    fn properties(self) -> Json {
        let logs = Json::object([("LogGroupArn", self.logs.into())]);
        let logging = Fields::new()
            .with("Level", "ALL")
            .with("IncludeExecutionData", false)
            .with("Destinations", vec![Json::object([("CloudWatchLogsLogGroup", logs)])]);
        let substitutions = self.substitutions.into_iter().map(|(name, value)| (name, value.into())).collect();
        Fields::new()
            .with("StateMachineName", self.name)
            .with("StateMachineType", "EXPRESS")
            .with("RoleArn", self.role)
            .with("Definition", self.definition)
            .with("DefinitionSubstitutions", Json::Object(substitutions))
            .with("LoggingConfiguration", logging)
            .with("TracingConfiguration", Json::object([("Enabled", true.into())]))
            .with("Tags", self.tags)
            .into()
    }
}
