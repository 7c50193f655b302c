//! Roles: as whom a service acts for us.

use crate::json::{Fields, Json};
use crate::policy::{Statement, document};
use crate::reference::HasArn;
use crate::resources::Tags;
use crate::template::Resource;

/// `AWS::IAM::Role`.
#[derive(Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The service that acts.
    pub service: &'static str,
    /// What it may do.
    pub statements: Vec<Statement>,
    /// A policy of the cloud itself that it has.
    pub managed: Option<&'static str>,
    /// Tags.
    pub tags: Tags,
}

impl HasArn for Role {}

impl Resource for Role {
    fn kind(&self) -> &'static str {
        "AWS::IAM::Role"
    }

    fn properties(self) -> Json {
        let trust = Statement::allow("Assume", &["sts:AssumeRole"], Vec::new()).to_service(self.service);
        let policy = (!self.statements.is_empty()).then(|| {
            let document = document(self.statements);
            Json::List(vec![Json::object([("PolicyName", "own".into()), ("PolicyDocument", document)])])
        });
        let managed = self.managed.map(|name| {
            Json::List(vec![Json::object([(
                "Fn::Sub",
                format!("arn:${{AWS::Partition}}:iam::aws:policy/{name}").into(),
            )])])
        });
        Fields::new()
            .with("RoleName", self.name)
            .with("AssumeRolePolicyDocument", document(vec![trust]))
            .maybe("ManagedPolicyArns", managed)
            .maybe("Policies", policy)
            .with("Tags", self.tags)
            .into()
    }
}
