//! Whoever calls a function is let in, and nobody else is.

use super::Fault;
use super::model::{Model, Resource, glob, plain};
use crate::json::Json;

/// A call: the resource that calls, the service that does it, the ARN it comes from, and the function.
struct Call {
    by: String,
    principal: &'static str,
    source: String,
    function: String,
}

const PERMISSION: &str = "AWS::Lambda::Permission";

pub(super) fn check(model: &Model<'_>) -> Vec<Fault> {
    let mut calls = of_buckets(model);
    calls.extend(of_rules(model));
    calls.extend(of_methods(model));
    let mut faults = Vec::new();
    for call in &calls {
        let mut by = model.of_kind(PERMISSION).filter(|permission| permits(model, permission, call)).peekable();
        if by.peek().is_none() {
            faults.push(Fault::NotPermitted(call.by.clone(), call.function.clone()));
        }
    }
    for permission in model.of_kind(PERMISSION) {
        let source = permission.at("SourceArn").map(plain).unwrap_or_default();
        // the ARN of a bucket names no account, and a bucket that was given up can be somebody else's
        let of_nobody =
            permission.text("Principal") == Some("s3.amazonaws.com") && permission.at("SourceAccount").is_none();
        if source.is_empty() || source == "*" || of_nobody {
            faults.push(Fault::AnySource(permission.id.to_owned()));
        }
        if !calls.iter().any(|call| permits(model, &permission, call)) {
            faults.push(Fault::Idle(permission.id.to_owned()));
        }
    }
    faults.extend(too_early(model));
    faults.extend(model.of_kind("AWS::Events::EventBus").filter_map(|bus| unheard(model, &bus)));
    faults.extend(keyless(model));
    faults
}

fn permits(model: &Model<'_>, permission: &Resource<'_>, call: &Call) -> bool {
    let function = permission.at("FunctionName").and_then(|name| model.resource(name));
    let source = permission.at("SourceArn").map(|source| model.arn(source)).unwrap_or_default();
    function.is_some_and(|function| function.id == call.function)
        && permission.text("Principal") == Some(call.principal)
        && glob(&source, &call.source)
}

fn of_buckets(model: &Model<'_>) -> Vec<Call> {
    let mut calls = Vec::new();
    for bucket in model.of_kind("AWS::S3::Bucket") {
        for configured in bucket.list("NotificationConfiguration.LambdaConfigurations") {
            if let Some(function) = configured.get("Function").and_then(|function| model.resource(function)) {
                calls.push(Call {
                    by: bucket.id.to_owned(),
                    principal: "s3.amazonaws.com",
                    source: format!("${{{}.Arn}}", bucket.id),
                    function: function.id.to_owned(),
                });
            }
        }
    }
    calls
}

fn of_rules(model: &Model<'_>) -> Vec<Call> {
    let mut calls = Vec::new();
    for rule in model.of_kind("AWS::Events::Rule") {
        for target in rule.list("Targets") {
            let called = target.get("Arn").and_then(|arn| model.resource(arn));
            if let Some(function) = called.filter(|called| called.kind == "AWS::Lambda::Function") {
                calls.push(Call {
                    by: rule.id.to_owned(),
                    principal: "events.amazonaws.com",
                    source: format!("${{{}.Arn}}", rule.id),
                    function: function.id.to_owned(),
                });
            }
        }
    }
    calls
}

fn of_methods(model: &Model<'_>) -> Vec<Call> {
    let mut calls = Vec::new();
    for method in model.of_kind("AWS::ApiGateway::Method") {
        let uri = method.at("Integration.Uri").map(plain).unwrap_or_default();
        let Some(function) = uri.split("functions/${").nth(1).and_then(|rest| rest.split(".Arn}").next()) else {
            continue;
        };
        let api = method.at("RestApiId").map(plain).unwrap_or_default();
        let stages = model.of_kind("AWS::ApiGateway::Stage");
        let stages = stages.filter(|stage| stage.at("RestApiId").map(plain).as_ref() == Some(&api));
        for stage in stages {
            let (name, verb) = (stage.text("StageName"), method.text("HttpMethod"));
            calls.push(Call {
                by: method.id.to_owned(),
                principal: "apigateway.amazonaws.com",
                source: format!(
                    "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:{api}/{}/{}{}",
                    name.unwrap_or_default(),
                    verb.unwrap_or_default(),
                    path(model, method.at("ResourceId"))
                ),
                function: function.to_owned(),
            });
        }
    }
    calls
}

/// The path of a resource of an API, with `*` for what callers choose.
fn path(model: &Model<'_>, resource: Option<&Json>) -> String {
    let Some(resource) = resource.and_then(|value| model.resource(value)) else { return String::new() };
    let Some(part) = resource.text("PathPart") else { return String::new() };
    let part = if part.starts_with('{') { "*" } else { part };
    format!("{}/{part}", path(model, resource.at("ParentId")))
}

/// Buckets that would be made before they may call.
fn too_early(model: &Model<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for call in of_buckets(model) {
        let after = model.get(&call.by).and_then(|bucket| bucket.entry.get("DependsOn"));
        let after: Vec<&str> = after.map(Json::values).unwrap_or_default().iter().filter_map(Json::text).collect();
        for permission in model.of_kind(PERMISSION).filter(|permission| permits(model, permission, &call)) {
            if !after.contains(&permission.id) {
                faults.push(Fault::TooEarly(call.by.clone(), permission.id.to_owned()));
            }
        }
    }
    faults
}

/// A bus from which no rule that is on leads anywhere.
fn unheard(model: &Model<'_>, bus: &Resource<'_>) -> Option<Fault> {
    let leads_on = |rule: Resource<'_>| {
        let from = rule.at("EventBusName").and_then(|name| model.resource(name));
        let is_on = rule.text("State") == Some("ENABLED") && !rule.list("Targets").is_empty();
        is_on && from.is_some_and(|from| from.id == bus.id)
    };
    let is_heard = model.of_kind("AWS::Events::Rule").any(leads_on);
    (!is_heard).then(|| Fault::Unheard(bus.id.to_owned()))
}

/// Methods that need a key, of APIs for which no plan has one.
fn keyless(model: &Model<'_>) -> Vec<Fault> {
    let has_key = |api: &str| {
        model.of_kind("AWS::ApiGateway::UsagePlan").any(|plan| {
            let covers =
                plan.list("ApiStages").iter().any(|stage| stage.get("ApiId").map(plain).as_deref() == Some(api));
            let mut keys = model.of_kind("AWS::ApiGateway::UsagePlanKey");
            covers && keys.any(|key| key.at("UsagePlanId").map(plain) == Some(format!("${{{}}}", plan.id)))
        })
    };
    let methods = model.of_kind("AWS::ApiGateway::Method");
    let needing = methods.filter(|method| method.at("ApiKeyRequired") == Some(&Json::Bool(true)));
    let without = needing.filter(|method| !has_key(&method.at("RestApiId").map(plain).unwrap_or_default()));
    without.map(|method| Fault::Keyless(method.id.to_owned())).collect()
}
