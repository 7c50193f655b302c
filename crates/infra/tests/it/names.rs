//! Names in the cloud, of an environment whose name is as long as may be.

use infra::json::Json;
use infra::limits::ENVIRONMENT_BYTES_MAX;
use infra::synth;
use pipeline::preset::Preset;

use crate::settings;

/// The property that a name is in, by type, and how long the cloud takes it.
const NAMES: [(&str, &str, usize); 12] = [
    ("AWS::S3::Bucket", "BucketName", 63),
    ("AWS::DynamoDB::Table", "TableName", 255),
    ("AWS::SQS::Queue", "QueueName", 80),
    ("AWS::Lambda::Function", "FunctionName", 64),
    ("AWS::IAM::Role", "RoleName", 64),
    ("AWS::Events::Rule", "Name", 64),
    ("AWS::Events::EventBus", "Name", 256),
    ("AWS::SNS::Topic", "TopicName", 256),
    ("AWS::StepFunctions::StateMachine", "StateMachineName", 80),
    ("AWS::CloudWatch::Alarm", "AlarmName", 255),
    ("AWS::ApiGateway::RestApi", "Name", 128),
    ("AWS::Logs::LogGroup", "LogGroupName", 512),
];

#[test]
fn names_fit_and_end_with_the_environment() {
    let environment = "e".repeat(ENVIRONMENT_BYTES_MAX);
    let mut seen = 0;
    for preset in Preset::ALL {
        let template = synth(preset, &settings(&environment));
        for (id, entry) in template.get("Resources").unwrap().fields() {
            let kind = entry.get("Type").and_then(Json::text).unwrap();
            let Some((_, property, bytes_max)) = NAMES.iter().find(|(of, ..)| *of == kind) else { continue };
            // the one log group that the gateway names itself has no text for a name
            let Some(name) = entry.get("Properties").unwrap().get(property).unwrap().text() else {
                assert_eq!(kind, "AWS::Logs::LogGroup", "{id}");
                continue;
            };
            assert!(name.len() <= *bytes_max, "{id}: {name} has {} bytes", name.len());
            let plain = name.strip_suffix(".fifo").unwrap_or(name);
            assert!(plain.ends_with(&format!("-{environment}")), "{id}: {name}");
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}
