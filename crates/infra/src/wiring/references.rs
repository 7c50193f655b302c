//! Everything that is referred to is there; so is everything that an ARN which was put together names.

use super::Fault;
use super::model::Model;
use crate::json::Json;

pub(super) fn check(model: &Model<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut told: Vec<&str> = model.resources.iter().map(|resource| resource.id).collect();
    let names = |section: &str| model.template.get(section).map(Json::fields).unwrap_or_default();
    told.extend(names("Parameters").iter().map(|(name, _)| name.as_str()));
    let mut look = |who: &str, value: &Json, more: &[String]| {
        for id in referred(value) {
            let is_there = id.starts_with("AWS::") || told.contains(&id.as_str()) || more.contains(&id);
            if !is_there {
                faults.push(Fault::Dangling(who.to_owned(), id));
            }
        }
    };
    for resource in &model.resources {
        let own = resource.at("DefinitionSubstitutions").map(Json::fields).unwrap_or_default();
        let own: Vec<String> = own.iter().map(|(name, _)| name.clone()).collect();
        look(resource.id, resource.entry, &own);
        let after = resource.entry.get("DependsOn").map(Json::values).unwrap_or_default();
        for id in after.iter().filter_map(Json::text) {
            look(resource.id, &Json::object([("Ref", id.into())]), &[]);
        }
    }
    names("Outputs").iter().for_each(|(name, output)| look(name, output, &[]));
    faults.extend(model.resources.iter().flat_map(|resource| nameless(model, resource.id, resource.entry)));
    faults
}

/// The ids that a value refers to, at any depth. `${Name}` counts in the values of `Fn::Sub` and in definitions.
fn referred(value: &Json) -> Vec<String> {
    match value {
        Json::Object(fields) => fields.iter().flat_map(|(key, value)| in_field(key, value)).collect(),
        Json::List(values) => values.iter().flat_map(referred).collect(),
        _ => Vec::new(),
    }
}

fn in_field(key: &str, value: &Json) -> Vec<String> {
    match (key, value) {
        ("Ref", Json::Text(id)) => vec![id.clone()],
        ("Fn::GetAtt", Json::List(path)) => path.first().and_then(Json::text).map(str::to_owned).into_iter().collect(),
        ("Fn::Sub", Json::Text(text)) => placeholders(text),
        ("FunctionName" | "QueueUrl" | "TopicArn", Json::Text(text)) => placeholders(text),
        _ => referred(value),
    }
}

fn placeholders(text: &str) -> Vec<String> {
    let insides = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    insides.map(|inside| inside.split('.').next().unwrap_or_default().to_owned()).collect()
}

/// ARNs of kinds of things that the template has, with names that none of them has.
fn nameless(model: &Model<'_>, who: &str, value: &Json) -> Vec<Fault> {
    match value {
        Json::Object(fields) => match fields.as_slice() {
            [(key, Json::Text(_))] if key == "Fn::Sub" => {
                let arn = model.arn(value);
                let kinds = ["s3:::", "sqs:", "dynamodb:", "logs:"];
                let is_ours = kinds.iter().any(|kind| arn.starts_with(&format!("arn:${{AWS::Partition}}:{kind}")));
                if is_ours { vec![Fault::Nameless(who.to_owned(), arn)] } else { Vec::new() }
            }
            _ => fields.iter().flat_map(|(_, value)| nameless(model, who, value)).collect(),
        },
        Json::List(values) => values.iter().flat_map(|value| nameless(model, who, value)).collect(),
        _ => Vec::new(),
    }
}
