//! A template: parameters, conditions, resources and outputs, in the order in which they were added.

use crate::json::{Fields, Json};
use crate::reference::{Handle, Text};

/// A resource with the properties that we use, each with its type.
pub trait Resource {
    /// Its type in CloudFormation.
    fn kind(&self) -> &'static str;

    /// Its properties.
    fn properties(self) -> Json;
}

/// The escape hatch: a resource of any type with any properties. The checks of [`crate::wiring`] read it as any other.
#[derive(Debug)]
pub struct Untyped {
    /// Its type in CloudFormation.
    pub kind: &'static str,
    /// Its properties.
    pub properties: Json,
}

impl Resource for Untyped {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn properties(self) -> Json {
        self.properties
    }
}

/// Something to be told when the stack is made.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is, for whoever has to give it.
    pub description: &'static str,
    /// What it is unless it is told; without, it must be told.
    pub default: Option<String>,
    /// What it may be, if not anything.
    pub allowed: &'static [&'static str],
    /// A pattern that it must match, if any.
    pub pattern: Option<&'static str>,
}

/// A template in the making.
#[derive(Debug, Default)]
pub struct Template {
    description: String,
    parameters: Vec<(String, Json)>,
    conditions: Vec<(String, Json)>,
    resources: Vec<(String, Json)>,
    outputs: Vec<(String, Json)>,
}

impl Template {
    /// A template without anything.
    pub fn new(description: impl Into<String>) -> Self {
        Self { description: description.into(), ..Self::default() }
    }

    /// Adds a parameter.
    pub fn parameter(&mut self, parameter: Parameter) {
        let Parameter { name, description, default, allowed, pattern } = parameter;
        let fields = Fields::new()
            .with("Type", "String")
            .with("Description", description)
            .maybe("Default", default)
            .maybe("AllowedValues", (!allowed.is_empty()).then(|| Json::list(allowed.iter().copied())))
            .maybe("AllowedPattern", pattern);
        self.parameters.push((name.to_owned(), fields.into()));
    }

    /// Adds a condition that holds when a parameter is, or is not, this.
    pub fn condition(&mut self, name: &str, parameter: &str, is: bool, value: &str) {
        let equal = Json::object([("Fn::Equals", Json::List(vec![Text::parameter(parameter).into(), value.into()]))]);
        let holds = if is { equal } else { Json::object([("Fn::Not", Json::List(vec![equal]))]) };
        self.conditions.push((name.to_owned(), holds));
    }

    /// Adds a resource. Nothing is kept when the stack goes.
    ///
    /// # Panics
    ///
    /// If there is one with this logical id already.
    pub fn add<R: Resource>(&mut self, handle: &Handle<R>, resource: R) -> Added<'_> {
        let id = handle.id();
        assert!(self.resources.iter().all(|(other, _)| other != id), "resource {id} is declared twice");
        let fields = Fields::new()
            .with("Type", resource.kind())
            .with("DeletionPolicy", "Delete")
            .with("UpdateReplacePolicy", "Delete")
            .with("Properties", resource.properties());
        self.resources.push((id.to_owned(), fields.into()));
        let (_, entry) = self.resources.last_mut().expect("one was just added");
        Added(entry)
    }

    /// Adds an output.
    pub fn output(&mut self, name: &str, description: &str, value: impl Into<Text>) {
        let fields = Fields::new().with("Description", description).with("Value", value.into());
        self.outputs.push((name.to_owned(), fields.into()));
    }

    /// The logical ids so far.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(|(id, _)| id.as_str())
    }

    /// The properties of a resource.
    pub fn properties(&self, id: &str) -> Option<&Json> {
        self.resources.iter().find(|(other, _)| other == id).and_then(|(_, entry)| entry.get("Properties"))
    }

    /// The template as it is given to CloudFormation.
    pub fn into_json(self) -> Json {
        let some = |fields: Vec<(String, Json)>| (!fields.is_empty()).then_some(Json::Object(fields));
        Fields::new()
            .with("AWSTemplateFormatVersion", "2010-09-09")
            .with("Description", self.description)
            .maybe("Parameters", some(self.parameters))
            .maybe("Conditions", some(self.conditions))
            .with("Resources", Json::Object(self.resources))
            .maybe("Outputs", some(self.outputs))
            .into()
    }
}

/// A resource that was just added.
#[derive(Debug)]
pub struct Added<'a>(&'a mut Json);

impl Added<'_> {
    /// It is made after these.
    pub fn after(self, ids: &[&str]) -> Self {
        self.0.set("DependsOn", Json::list(ids.iter().copied()));
        self
    }

    /// It is made only if this condition holds.
    pub fn only_if(self, condition: &str) -> Self {
        self.0.set("Condition", condition.into());
        self
    }

    /// The escape hatch for one property that the type does not have yet.
    pub fn with(self, property: &str, value: impl Into<Json>) -> Self {
        let mut properties = self.0.get("Properties").cloned().unwrap_or(Json::object([]));
        properties.set(property, value.into());
        self.0.set("Properties", properties);
        self
    }
}

/// A value if a condition holds, and else nothing.
pub fn if_any(condition: &str, value: impl Into<Json>) -> Json {
    if_else(condition, value, Text::parameter("AWS::NoValue"))
}

/// A value if a condition holds, and else another.
pub fn if_else(condition: &str, value: impl Into<Json>, other: impl Into<Json>) -> Json {
    Json::object([("Fn::If", Json::List(vec![condition.into(), value.into(), other.into()]))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Untyped {
        Untyped { kind: "AWS::SNS::Topic", properties: Json::object([]) }
    }

    #[test]
    fn what_the_types_lack_can_be_said() {
        let mut template = Template::new("a test");
        template.add(&Handle::new("Topic"), topic()).with("FifoTopic", true).after(&["Other"]).only_if("Wanted");
        let json = template.into_json();
        assert_eq!(json.at("Resources.Topic.Properties.FifoTopic"), Some(&Json::Bool(true)));
        assert_eq!(json.at("Resources.Topic.DependsOn.0").and_then(Json::text), Some("Other"));
        assert_eq!(json.at("Resources.Topic.Condition").and_then(Json::text), Some("Wanted"));
    }

    #[test]
    #[should_panic(expected = "resource Topic is declared twice")]
    fn an_id_is_given_once() {
        let mut template = Template::new("a test");
        template.add(&Handle::new("Topic"), topic());
        template.add(&Handle::new("Topic"), topic());
    }
}
