//! No right is wider than it need be, and no role that runs code may destroy anything.

use super::Fault;
use super::model::{Model, Resource, Statement};
use crate::json::Json;
use crate::policy::RUNTIME_DENIED;

/// Actions that are of no resource, so that `*` is the narrowest there is.
const OF_NO_RESOURCE: [&str; 12] = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];
/// Services that run our code or call it.
const RUNTIME: [&str; 2] = ["lambda.amazonaws.com", "states.amazonaws.com"];

pub(super) fn check(model: &Model<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for role in model.of_kind("AWS::IAM::Role") {
        let rights = model.rights(role);
        rights.iter().filter(|right| right.allows).for_each(|right| faults.extend(wide(model, role.id, right)));
        if runs_code(model, &role) {
            faults.extend(destructive(role.id, &rights));
        }
    }
    for kind in ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"] {
        for policy in model.of_kind(kind) {
            for statement in model.statements(policy.at("PolicyDocument")).iter().filter(|one| one.allows) {
                faults.extend(wide(model, policy.id, statement));
                let source = statement.condition.and_then(|condition| condition.at("ArnEquals.aws:SourceArn"));
                if statement.principal.and_then(Json::text) == Some("*") || source.is_none() {
                    faults.push(Fault::AnySource(policy.id.to_owned()));
                }
            }
        }
    }
    faults
}

fn wide(model: &Model<'_>, who: &str, right: &Statement<'_>) -> Vec<Fault> {
    let fault = |what: &str| Fault::Wide(who.to_owned(), what.to_owned());
    let mut faults: Vec<Fault> =
        right.actions.iter().filter(|action| action.contains('*')).map(|action| fault(action)).collect();
    for resource in right.resources.iter().filter(|resource| resource.contains('*')) {
        let needs_all = resource == "*" && right.actions.iter().all(|action| OF_NO_RESOURCE.contains(action));
        if !needs_all && !is_of_objects(model, resource) {
            faults.push(fault(resource));
        }
    }
    faults
}

/// Whether it is the objects of a bucket, or of a folder in it: their keys are not known.
fn is_of_objects(model: &Model<'_>, resource: &str) -> bool {
    let Some((bucket, keys)) = resource.split_once(".Arn}/") else { return false };
    let is_bucket = bucket.strip_prefix("${").and_then(|id| model.get(id));
    let wildcard_is_last = keys.find('*') == Some(keys.len() - 1) && (keys == "*" || keys.ends_with("/*"));
    is_bucket.is_some_and(|bucket| bucket.kind == "AWS::S3::Bucket") && wildcard_is_last
}

fn runs_code(model: &Model<'_>, role: &Resource<'_>) -> bool {
    let trusts = model.statements(role.at("AssumeRolePolicyDocument"));
    let service =
        |one: &Statement<'_>| one.principal.and_then(|who| who.get("Service")).and_then(Json::text).map(str::to_owned);
    trusts.iter().filter_map(service).any(|service| RUNTIME.contains(&service.as_str()))
}

/// What is not denied on everything.
fn destructive(role: &str, rights: &[Statement<'_>]) -> Vec<Fault> {
    let denies = |action: &str| {
        let on_all = |right: &&Statement<'_>| {
            !right.allows && right.condition.is_none() && right.resources.iter().any(|resource| resource == "*")
        };
        rights.iter().filter(on_all).any(|right| right.actions.contains(&action))
    };
    let allowed = RUNTIME_DENIED.iter().filter(|action| !denies(action));
    allowed.map(|action| Fault::Destructive(role.to_owned(), (*action).to_owned())).collect()
}
