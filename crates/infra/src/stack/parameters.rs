//! What is told when a stack is made, and not when its template is.

use super::Stack;
use crate::settings::Package;
use crate::template::Parameter;

/// Whether somebody is told of alarms.
pub(super) const HAS_ALARM_TOPIC: &str = "HasAlarmTopic";
/// Whether the role by which API Gateway writes logs is made here.
pub(super) const MAKES_LOG_ROLE: &str = "MakesApiGatewayLogRole";
/// Whether somebody is told of files by email.
pub(super) const HAS_EMAIL: &str = "HasNotificationEmail";

pub(super) fn add(stack: &mut Stack<'_>) {
    let template = &mut stack.template;
    let plain = |name, description| Parameter { name, description, default: None, allowed: &[], pattern: None };
    let with_default =
        |name, description, default: &str| Parameter { default: Some(default.to_owned()), ..plain(name, description) };
    match stack.settings.package {
        Package::Zip => {
            template.parameter(plain("CodeBucket", "The bucket with the zip that holds the file bootstrap"));
            template.parameter(plain("CodeKey", "The key of that zip; another key for each build"));
        }
        Package::Image => {
            template
                .parameter(plain("ImageUri", "The URI of the image that holds the file bootstrap, with its digest"));
        }
    }
    if stack.topology.routes.iter().any(|route| route.cors) {
        let description = "The origin whose pages may read answers of the API; * lets all pages";
        template.parameter(with_default("AllowedOrigin", description, "*"));
    }
    template.parameter(Parameter {
        allowed: &["create", "present"],
        ..with_default(
            "ApiGatewayLogging",
            "Whether to create the role by which API Gateway writes logs. An account has one in a region; say present if \
             another stack that stays has created it",
            "create",
        )
    });
    template.condition(MAKES_LOG_ROLE, "ApiGatewayLogging", true, "create");
    template.parameter(with_default(
        "AlarmTopicArn",
        "The ARN of the topic that is told of alarms; empty for none",
        "",
    ));
    template.condition(HAS_ALARM_TOPIC, "AlarmTopicArn", false, "");
    if stack.topology.topic.is_some() {
        let description = "The address that is told by email what became of each file; empty for none";
        template.parameter(with_default("NotificationEmail", description, ""));
        template.condition(HAS_EMAIL, "NotificationEmail", false, "");
    }
    for (key, value) in &stack.topology.tags {
        match (*key, *value) {
            ("Application", None) => {
                template.parameter(with_default("Application", "The tag Application of everything", "millrace"));
            }
            ("CostCenter", None) => {
                template.parameter(with_default("CostCenter", "The tag CostCenter of everything", "unassigned"));
            }
            _ => {}
        }
    }
}
