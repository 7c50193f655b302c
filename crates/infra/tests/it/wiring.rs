//! The wiring of the templates as they are, and of templates broken on purpose.

use infra::json::Json;
use infra::wiring::{Fault, check};
use infra::{Architecture, Package, Settings, synth};
use pipeline::preset::Preset;
use pipeline::topology::{ANEW_EVENT, EVENT_SOURCE};

use crate::settings;

fn properties<'a>(template: &'a mut Json, id: &str) -> &'a mut Json {
    template.at_mut(&format!("Resources.{id}.Properties")).unwrap()
}

/// The statement of this name in the role of this id.
fn statement<'a>(template: &'a mut Json, role: &str, sid: &str) -> &'a mut Json {
    let statements = properties(template, role).at_mut("Policies.0.PolicyDocument.Statement").unwrap();
    let at = statements.values().iter().position(|one| one.get("Sid").and_then(Json::text) == Some(sid)).unwrap();
    statements.at_mut(&at.to_string()).unwrap()
}

/// Takes an action out of a statement of a role; the last one takes the statement with it.
fn revoke(template: &mut Json, role: &str, sid: &str, action: &str) {
    let actions = statement(template, role, sid).at_mut("Action").unwrap();
    let kept: Vec<Json> = actions.values().iter().filter(|one| one.text() != Some(action)).cloned().collect();
    assert!(kept.len() < actions.values().len(), "{role} {sid} has no {action}");
    *actions = Json::List(kept);
}

/// The faults of a template after something was done to it.
fn broken(preset: Preset, by: impl FnOnce(&mut Json)) -> Vec<String> {
    let mut template = synth(preset, &settings("dev"));
    by(&mut template);
    check(&template).iter().map(Fault::to_string).collect()
}

#[test]
fn the_templates_are_wired() {
    for preset in Preset::ALL {
        for package in [Package::Zip, Package::Image] {
            for architecture in [Architecture::Arm64, Architecture::X86] {
                let settings = Settings { package, architecture, ..settings("pr-7") };
                assert_eq!(check(&synth(preset, &settings)), [], "{preset:?} {package:?}");
            }
        }
    }
}

#[test]
fn callers_without_a_permission_are_found() {
    for (preset, permission, caller, function) in [
        (Preset::Files, "FileValidatorBucketPermission", "FileProcessingBucket", "FileValidatorFunction"),
        (Preset::Files, "GetStatusProxyPermission", "GetStatusProxyMethod", "StatusQueryFunction"),
        (Preset::Market, "AggregateSchedulePermission", "AggregateSchedule", "DataAggregatorFunction"),
        (Preset::Market, "PostIngestPermission", "PostIngestMethod", "DataIngestionFunction"),
        (Preset::Transactions, "PostUploadPermission", "PostUploadMethod", "UploadFunction"),
    ] {
        let faults = broken(preset, |template| {
            template.at_mut("Resources").unwrap().remove(permission).unwrap();
        });
        let wanted = format!("{caller} calls {function} without a permission");
        assert!(faults.iter().any(|fault| fault.starts_with(&wanted)), "{permission}: {faults:?}");
    }
    // for another method, for another service, for anybody's bucket
    for (key, value) in [
        ("SourceArn", Json::object([("Fn::Sub", "arn:${AWS::Partition}:execute-api:x/prod/GET/other".into())])),
        ("Principal", "sns.amazonaws.com".into()),
    ] {
        let faults = broken(Preset::Files, |template| {
            properties(template, "GetStatusPermission").set(key, value);
        });
        assert_eq!(faults.len(), 2, "it does not permit, and it is idle: {faults:?}");
    }
    let faults = broken(Preset::Files, |template| {
        properties(template, "FileValidatorBucketPermission").remove("SourceAccount").unwrap();
    });
    assert_eq!(faults, ["FileValidatorBucketPermission holds for any source; name the one it is for"]);
    let faults = broken(Preset::Files, |template| {
        template.at_mut("Resources.FileProcessingBucket").unwrap().remove("DependsOn").unwrap();
    });
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("FileProcessingBucket must be made after FileValidatorBucketPermission"));
}

#[test]
fn roles_that_lack_a_right_are_found() {
    for (preset, role, sid, action, by) in [
        (
            Preset::Files,
            "DataProcessorRole",
            "ReceiveValidatorToProcessor",
            "sqs:DeleteMessage",
            "DataProcessorFunction",
        ),
        (Preset::Files, "FileValidatorRole", "SendValidatorDlq", "sqs:SendMessage", "FileValidatorFunction"),
        (Preset::Files, "StatusQueryRole", "WriteLogs", "logs:PutLogEvents", "StatusQueryFunction"),
        (Preset::Market, "DataProcessorRole", "Trace", "xray:PutTraceSegments", "DataProcessorFunction"),
        (
            Preset::Transactions,
            "TransactionProcessingRole",
            "CallStages",
            "lambda:InvokeFunction",
            "TransactionProcessingWorkflow",
        ),
        (
            Preset::Transactions,
            "TransactionProcessingRole",
            "SendTransactionsDlq",
            "sqs:SendMessage",
            "TransactionProcessingWorkflow",
        ),
        (
            Preset::Transactions,
            "TransactionProcessingStartRole",
            "Start",
            "states:StartExecution",
            "TransactionProcessingStartRule",
        ),
    ] {
        let faults = broken(preset, |template| revoke(template, role, sid, action));
        let wanted = format!("the role of {by} lacks {action} on");
        assert!(faults.iter().any(|fault| fault.starts_with(&wanted)), "{role} {sid}: {faults:?}");
    }
}

/// The ids of the resources of a type.
fn ids(template: &Json, kind: &str) -> Vec<String> {
    let resources = template.get("Resources").unwrap().fields().iter();
    let of_kind = resources.filter(|(_, entry)| entry.get("Type").and_then(Json::text) == Some(kind));
    of_kind.map(|(id, _)| id.clone()).collect()
}

#[test]
fn no_permission_and_no_role_can_be_left_out() {
    for preset in Preset::ALL {
        let whole = synth(preset, &settings("dev"));
        for kind in ["AWS::Lambda::Permission", "AWS::IAM::Role", "AWS::Logs::ResourcePolicy"] {
            for id in ids(&whole, kind) {
                let faults = broken(preset, |template| {
                    template.at_mut("Resources").unwrap().remove(&id).unwrap();
                });
                assert!(!faults.is_empty(), "{preset:?} does without {id}");
            }
        }
    }
}

/// Statements whose loss changes what a function can do, but nothing that the template itself says is needed: what a
/// stage reads and writes is known by the topology.
const OF_STAGES: [&str; 3] = ["ReadResults", "WriteResults", "SeeWhatIsGone"];

#[test]
fn every_other_statement_is_needed() {
    for preset in Preset::ALL {
        let whole = synth(preset, &settings("dev"));
        for role in ids(&whole, "AWS::IAM::Role") {
            let path = format!("Resources.{role}.Properties.Policies.0.PolicyDocument.Statement");
            let statements = whole.at(&path).map(Json::values).unwrap_or_default();
            for (at, one) in statements.iter().enumerate() {
                let sid = one.get("Sid").and_then(Json::text).unwrap();
                let faults = broken(preset, |template| {
                    template.at_mut(&path).unwrap().remove(&at.to_string()).unwrap();
                });
                let is_of_workflow = role == "TransactionProcessingRole" && sid == "WriteLogs";
                assert!(!faults.is_empty() || is_of_workflow || OF_STAGES.contains(&sid), "{role} does without {sid}");
            }
        }
    }
}

#[test]
fn a_denied_right_is_none() {
    let faults = broken(Preset::Files, |template| {
        statement(template, "DataProcessorRole", "ReceiveValidatorToProcessor").set("Effect", "Deny".into());
    });
    assert!(faults.iter().any(|fault| fault.contains("lacks sqs:ReceiveMessage")), "{faults:?}");
}

#[test]
fn one_stage_that_the_workflow_may_not_call_is_found() {
    let faults = broken(Preset::Transactions, |template| {
        let allowed = statement(template, "TransactionProcessingRole", "CallStages").at_mut("Resource").unwrap();
        allowed.remove("1").unwrap();
    });
    let wanted = "the role of TransactionProcessingWorkflow lacks lambda:InvokeFunction on ${DataTransformerFunction.Arn}; \
                  grant it";
    assert_eq!(faults, [wanted]);
}

#[test]
fn rights_that_are_too_wide_are_found() {
    let faults = broken(Preset::Files, |template| {
        statement(template, "StatusQueryRole", "ReadLedger").set("Action", Json::list(["dynamodb:*"]));
    });
    assert_eq!(faults, ["StatusQueryRole has `dynamodb:*`, where something narrower would do"]);
    let faults = broken(Preset::Files, |template| {
        statement(template, "FileValidatorRole", "ReadFiles").set("Resource", "*".into());
    });
    assert!(faults.contains(&"FileValidatorRole has `*`, where something narrower would do".to_owned()), "{faults:?}");
    let faults = broken(Preset::Files, |template| {
        let all = Json::object([("Fn::Sub", "arn:${AWS::Partition}:s3:::*".into())]);
        statement(template, "FileValidatorRole", "ReadFiles").set("Resource", all);
    });
    assert!(faults.iter().any(|fault| fault.contains("s3:::*`, where something narrower")), "{faults:?}");
    let faults = broken(Preset::Market, |template| {
        let statements = properties(template, "ProcessingDLQPolicy").at_mut("PolicyDocument.Statement").unwrap();
        let of_schedule = |one: &Json| one.get("Sid").and_then(Json::text) == Some("AllowAggregateSchedule");
        let at = statements.values().iter().position(of_schedule).unwrap();
        statements.at_mut(&at.to_string()).unwrap().remove("Condition").unwrap();
    });
    assert!(faults.iter().any(|fault| fault.starts_with("ProcessingDLQPolicy holds for any source")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("does not let AggregateSchedule in")), "{faults:?}");
}

#[test]
fn roles_that_may_destroy_are_found() {
    let faults = broken(Preset::Market, |template| {
        revoke(template, "DataAggregatorRole", "DenyDestruction", "dynamodb:DeleteTable")
    });
    assert_eq!(faults, ["DataAggregatorRole does not deny dynamodb:DeleteTable; deny it"]);
}

#[test]
fn what_a_function_is_told_is_what_it_may_use() {
    let faults = broken(Preset::Transactions, |template| {
        let variables = properties(template, "NotificationSenderFunction").at_mut("Environment.Variables").unwrap();
        variables.remove("MILLRACE_TOPIC_ARN").unwrap();
    });
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("NotificationSenderFunction may use TransactionNotificationsTopic"));
    let faults = broken(Preset::Files, |template| {
        let variables = properties(template, "StatusQueryFunction").at_mut("Environment.Variables").unwrap();
        variables.set("MILLRACE_FILES_BUCKET", "file-processing-bucket-dev".into());
    });
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("StatusQueryFunction is told MILLRACE_FILES_BUCKET"));
}

/// Of each preset: the bus of files begun anew, the functions that put some there, and what gets them.
const ANEW: [(Preset, &str, [&str; 2], &str); 3] = [
    (Preset::Files, "FilesAnew", ["FileValidator", "ResultAggregator"], "FileValidatorFunction"),
    (Preset::Market, "MarketAnew", ["DataIngestion", "DataAggregator"], "DataIngestionFunction"),
    (Preset::Transactions, "TransactionsAnew", ["CsvValidator", "DataTransformer"], "TransactionProcessingWorkflow"),
];

#[test]
fn files_begun_anew_have_a_way_to_their_first_stage() {
    for (preset, anew, functions, to) in ANEW {
        let mut whole = synth(preset, &settings("dev"));
        let rule = properties(&mut whole, &format!("{anew}Rule"));
        let sent = [("source", EVENT_SOURCE), ("detail-type", ANEW_EVENT)];
        let wanted = sent.map(|(key, value)| (key, Json::from(vec![value])));
        assert_eq!(rule.at("EventPattern"), Some(&Json::object(wanted)), "{anew}: it takes what functions send");
        assert!(rule.at("Targets.0.DeadLetterConfig.Arn").is_some(), "{anew}: what cannot be delivered is kept");
        let target = rule.at("Targets.0.Arn").map(Json::compact).unwrap_or_default();
        assert!(target.contains(&format!("\"{to}\"")), "{anew}: {target}");
        let bus = format!("{anew}Bus");
        for function in functions {
            let role = format!("{function}Role");
            let faults = broken(preset, |template| revoke(template, &role, "BeginAnew", "events:PutEvents"));
            let wanted = format!("the role of {function}Function lacks events:PutEvents on ${{{bus}.Arn}}; grant it");
            assert_eq!(faults, [wanted], "{role}");
            let faults = broken(preset, |template| {
                statement(template, &role, "BeginAnew").set("Resource", "*".into());
            });
            assert!(faults.iter().any(|fault| fault.starts_with(&format!("{role} has `*`"))), "{role}: {faults:?}");
        }
        let unheard = format!("no rule leads from {bus} to anybody; what is put there is lost");
        let broken_rules: [&dyn Fn(&mut Json); 4] = [
            &|template| drop(template.at_mut("Resources").unwrap().remove(&format!("{anew}Rule")).unwrap()),
            &|template| properties(template, &format!("{anew}Rule")).set("State", "DISABLED".into()),
            &|template| drop(properties(template, &format!("{anew}Rule")).remove("EventBusName").unwrap()),
            &|template| drop(properties(template, &format!("{anew}Rule")).remove("Targets").unwrap()),
        ];
        for by in broken_rules {
            let faults = broken(preset, by);
            assert!(faults.contains(&unheard), "{anew}: {faults:?}");
        }
    }
}

#[test]
fn what_is_named_and_not_there_is_found() {
    let faults = broken(Preset::Files, |template| {
        template.at_mut("Resources").unwrap().remove("AggregatorDlqDepthAlarm").unwrap();
        template.at_mut("Resources").unwrap().remove("FileValidatorLogGroup").unwrap();
    });
    assert!(faults.iter().any(|fault| fault.contains("FileValidatorLogGroup, which is not declared")), "{faults:?}");
    let faults = broken(Preset::Files, |template| {
        properties(template, "FileProcessingBucket").set("BucketName", "other".into());
    });
    assert!(faults.iter().any(|fault| fault.contains("and nothing in the template has that name")), "{faults:?}");
    let faults = broken(Preset::Transactions, |template| {
        let task = properties(template, "TransactionProcessingWorkflow").at_mut("Definition.States.Notify.Parameters");
        task.unwrap().set("FunctionName", "${NobodyFunction}".into());
    });
    assert!(faults.iter().any(|fault| fault.contains("NobodyFunction, which is not declared")), "{faults:?}");
}

#[test]
fn dead_letters_and_events_that_are_not_taken_are_found() {
    let faults = broken(Preset::Files, |template| {
        properties(template, "ProcessorDlq").remove("RedriveAllowPolicy").unwrap();
    });
    assert_eq!(faults, ["ProcessorDlq does not take the dead letters of ValidatorToProcessorQueue; allow it"]);
    let faults = broken(Preset::Market, |template| {
        template.at_mut("Resources").unwrap().remove("MarketEventsLogPolicy").unwrap();
    });
    assert_eq!(faults, ["the policy of MarketEventsLogGroup does not let MarketEventsLogRule in; allow it"]);
    let faults = broken(Preset::Transactions, |template| {
        template.at_mut("Resources").unwrap().remove("TransactionsApiUsagePlanKey").unwrap();
    });
    assert_eq!(faults, ["PostUploadMethod needs a key, and no usage plan gives one"]);
}
