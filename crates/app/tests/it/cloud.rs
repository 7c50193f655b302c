//! `millrace deploy`, `outputs` and `destroy`, with a program of recorded answers in the place of the AWS CLI.
//! `./just test-aws` has the real one, and a server.

mod fake;

use std::fs;

use fake::{Fake, STACK};
use serde_json::{Value, json};

use super::{stderr, stdout};

fn event(id: &str, resource: &str, status: &str, reason: &str) -> Value {
    json!({ "EventId": id, "LogicalResourceId": resource, "ResourceType": "AWS::SQS::Queue", "ResourceStatus": status,
        "ResourceStatusReason": reason })
}

#[test]
fn a_stack_is_made() {
    let fake = Fake::new();
    fake.has_change_set("CREATE_COMPLETE", "");
    fake.has_stack(2, "CREATE_IN_PROGRESS", &[]);
    fake.has_stack(3, "CREATE_COMPLETE", &[]);
    fake.has_stack(4, "CREATE_COMPLETE", &[("bucketName", "b"), ("apiEndpoint", "https://x")]);
    let old = event("old", "Before", "DELETE_FAILED", "long ago");
    fake.answers("cloudformation.describe-stack-events.1", json!({ "StackEvents": [old] }));
    let two = [event("2", "ValidatorDlq", "CREATE_COMPLETE", ""), event("1", "ValidatorDlq", "CREATE_IN_PROGRESS", "")];
    let all: Vec<Value> = two.into_iter().chain([old]).collect();
    fake.answers("cloudformation.describe-stack-events", json!({ "StackEvents": all }));
    let output = fake.deploy(&["--yes", "--json", "--parameter", "AllowedOrigin=https://acme.example", "--tag", "a=b"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for said in [
        "account 123456789012, region us-east-1, as arn:aws:iam::1:user/u",
        "uploaded s3://millrace-code-123456789012-us-east-1/millrace/bootstrap-arm64-",
        "stack millrace-files-dev is made, 1 resources:",
        "REPLACE  ValidatorDlq  AWS::SQS::Queue  QueueName",
        "what is replaced or removed loses what is in it",
        "files: CREATE_IN_PROGRESS ValidatorDlq (AWS::SQS::Queue)\nfiles: CREATE_COMPLETE ValidatorDlq (AWS::SQS::Queue)\n",
        "wrote cfn-outputs/flat-outputs.json",
    ] {
        assert!(told.contains(said), "no `{said}` in {told}");
    }
    assert!(!told.contains("Before"), "what happened before is told: {told}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stacks"][0]["result"], "created");
    let flat = fs::read_to_string(fake.folder.path().join("cfn-outputs/flat-outputs.json")).unwrap();
    let flat: Value = serde_json::from_str(&flat).unwrap();
    let wanted = json!({ "bucketName": "b", "filesBucketName": "b", "apiEndpoint": "https://x", "filesApiEndpoint": "https://x" });
    assert_eq!(flat, wanted);
    let calls = fake.calls();
    let asked = calls.lines().find(|line| line.starts_with("cloudformation create-change-set")).unwrap();
    let asked: Value = serde_json::from_str(&asked[asked.find('{').unwrap()..]).unwrap();
    assert_eq!(asked["ChangeSetType"], "CREATE");
    assert_eq!(asked["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    let url = asked["TemplateURL"].as_str().unwrap();
    assert!(
        url.starts_with("https://s3.us-east-1.amazonaws.com/millrace-code-123456789012-us-east-1/millrace/"),
        "{url}"
    );
    let value = |key: &str| {
        let all = asked["Parameters"].as_array().unwrap();
        all.iter().find(|one| one["ParameterKey"] == key).map(|one| one["ParameterValue"].clone()).unwrap_or_default()
    };
    assert_eq!(value("AllowedOrigin"), "https://acme.example");
    assert_eq!(value("ApiGatewayLogging"), "create", "nobody has made the role yet");
    assert!(calls.contains("ExpectedBucketOwner\":\"123456789012"), "whose bucket it is, is not asked for: {calls}");
}

#[test]
fn nothing_changes_without_a_change_or_a_yes() {
    let fake = Fake::new();
    fake.has_stack(1, "UPDATE_COMPLETE", &[]);
    fake.has_change_set("FAILED", "The submitted information didn't contain changes. Submit different information");
    fake.has_stack(2, "UPDATE_COMPLETE", &[("bucketName", "b")]);
    let output = fake.deploy(&["--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("stack millrace-files-dev: no changes"), "{}", stderr(&output));
    assert_eq!((fake.count("execute-change-set"), fake.count("delete-change-set")), (0, 1));
    assert!(fake.calls().contains("\"UsePreviousValue\":true"), "a parameter that is not given keeps its value");

    for (words, code) in [(&["--dry-run"][..], 0), (&[][..], 1)] {
        let fake = Fake::new();
        fake.has_change_set("CREATE_COMPLETE", "");
        fake.has_stack(2, "REVIEW_IN_PROGRESS", &[]);
        let output = fake.deploy(words);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains("REPLACE  ValidatorDlq"), "{}", stderr(&output));
        assert_eq!(stderr(&output).contains("say it beforehand with --yes"), code == 1, "{}", stderr(&output));
        let counts = ["execute-change-set", "delete-change-set", "delete-stack"].map(|name| fake.count(name));
        assert_eq!(counts, [0, 1, 1], "the change set and the empty stack are left");
    }
}

#[test]
fn what_fails_is_told_with_its_reason() {
    let fake = Fake::new();
    fake.has_change_set("FAILED", "Parameters: [AlarmTopicArn] must have values");
    let output = fake.deploy(&["--yes"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("stack millrace-files-dev: the change set failed: Parameters: [AlarmTopicArn]"), "{told}");
    assert!(told.contains("--parameter"), "{told}");

    let fake = Fake::new();
    fake.has_change_set("CREATE_COMPLETE", "");
    fake.has_stack(2, "ROLLBACK_COMPLETE", &[]);
    let events = [
        event("3", "Other", "CREATE_FAILED", "Resource creation cancelled"),
        event("2", "ValidatorDlq", "CREATE_FAILED", "name is taken"),
    ];
    fake.answers("cloudformation.describe-stack-events.2", json!({ "StackEvents": events }));
    let output = fake.deploy(&["--yes"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    let wanted = "preset files is ROLLBACK_COMPLETE; ValidatorDlq (AWS::SQS::Queue) is CREATE_FAILED: name is taken\n";
    assert!(told.contains(wanted), "{told}");
    assert!(told.contains("deploy again"), "{told}");
}

#[test]
fn a_stack_that_never_came_up_is_removed_first() {
    let fake = Fake::new();
    fake.has_stack(1, "ROLLBACK_COMPLETE", &[]);
    let output = fake.deploy(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fake.count("delete-stack"), 0, "{}", stderr(&output));
    let fake = Fake::new();
    fake.has_stack(1, "ROLLBACK_COMPLETE", &[]);
    fake.has_stack(2, "DELETE_COMPLETE", &[]);
    fake.has_change_set("CREATE_COMPLETE", "");
    fake.has_stack(3, "CREATE_COMPLETE", &[]);
    let made = event("1", "ValidatorDlq", "CREATE_COMPLETE", "");
    fake.answers("cloudformation.describe-stack-events.4", json!({ "StackEvents": [made] }));
    let output = fake.deploy(&["--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((fake.count("delete-stack"), fake.count("execute-change-set")), (1, 1));
    for (status, hint) in
        [("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"), ("DELETE_FAILED", "millrace destroy")]
    {
        let fake = Fake::new();
        fake.has_stack(1, status, &[]);
        let output = fake.deploy(&["--yes"]);
        assert_eq!(output.status.code(), Some(1), "{status}");
        assert!(stderr(&output).contains(status) && stderr(&output).contains(hint), "{}", stderr(&output));
    }
}

#[test]
fn a_stack_that_has_not_begun_to_change_is_waited_for() {
    for (stands, ends) in [("REVIEW_IN_PROGRESS", "CREATE_COMPLETE"), ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")] {
        let fake = Fake::new();
        fake.has_stack(1, stands, &[]);
        fake.has_change_set("CREATE_COMPLETE", "");
        // it stands as it stood once more, and nothing is heard of it
        fake.has_stack(2, stands, &[]);
        fake.has_stack(3, ends, &[]);
        let heard = event("1", "ValidatorDlq", "UPDATE_FAILED", "a quota is reached");
        fake.answers("cloudformation.describe-stack-events.3", json!({ "StackEvents": [heard] }));
        let output = fake.deploy(&["--yes"]);
        let is_well = ends == "CREATE_COMPLETE";
        assert_eq!(output.status.code(), Some(if is_well { 0 } else { 1 }), "{}", stderr(&output));
        assert!(is_well || stderr(&output).contains("a quota is reached"), "{}", stderr(&output));
        assert!(fake.count("describe-stacks") >= 3, "{}", fake.calls());
    }
}

#[test]
fn broken_answers_and_none_are_told() {
    let credentials = "253\n\nUnable to locate credentials. You can configure credentials by running \"aws login\".\n";
    for (call, answer, words, said) in [
        ("sts.get-caller-identity", credentials, &[][..], "sign in (aws configure, or aws sso login)"),
        ("sts.get-caller-identity", "0\n<html>", &[], "answered what cannot be understood"),
        ("sts.get-caller-identity", "0\n{}", &[], "missing field `Account`"),
        ("sts.get-caller-identity", "sleep\n", &["--call-seconds", "1"], "no answer within 1 s"),
        (
            "sts.get-caller-identity",
            "254\nAn error occurred (ExpiredToken) when calling the GetCallerIdentity operation: it is over\n",
            &[],
            "sign in again",
        ),
        (
            "s3api.head-bucket",
            "254\nAn error occurred (403) when calling the HeadBucket operation: Forbidden\n",
            &[],
            "name another with --code-bucket",
        ),
        ("cloudformation.create-change-set", "0\n", &[], "cloudformation create-change-set answered"),
        ("cloudformation.describe-change-set", "0\n{\"Status\": \"DELETE_FAILED\"}", &[], "is DELETE_FAILED after"),
    ] {
        let fake = Fake::new();
        fake.says(call, answer);
        let output = fake.deploy(&[&["--yes"], words].concat());
        assert_eq!(output.status.code(), Some(1), "{call}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{call}: {}", stderr(&output));
    }
    let fake = Fake::new();
    let output = fake.deploy(&["--aws", "./no-such-program"]);
    assert!(stderr(&output).contains("the program ./no-such-program cannot be started"), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_deployed_is_refused_before_anybody_is_asked() {
    let fake = Fake::new();
    fs::write(fake.folder.path().join("script"), "#!/bin/sh\n").unwrap();
    for (words, code, said) in [
        (&["--arch", "x86_64"][..], 1, "runs on arm64, and x86_64 is asked for"),
        (&["--bootstrap", "script"], 1, "is no program for Linux"),
        (&["--bootstrap", "none"], 1, "--bootstrap none: no such file"),
        (&["--parameter", "Nothing=1"], 1, "there are AlarmTopicArn, AllowedOrigin, ApiGatewayLogging"),
        (&["--parameter", "CodeKey=1"], 1, "have no such parameter to give"),
        (&["--parameter", "Nothing"], 2, "`Nothing` is not NAME=VALUE"),
        (&["--templates", "none"], 1, "template none/files.template.json: no such file"),
        (&["--yes", "--dry-run"], 2, "cannot be used with"),
    ] {
        let words: Vec<&str> = [&["deploy", "--preset", "files"], words].concat();
        let has_own = words.contains(&"--bootstrap");
        let words = if has_own { words } else { [&words[..], &["--bootstrap", "bootstrap"]].concat() };
        let output = fake.millrace(&words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{words:?}: {}", stderr(&output));
    }
    assert_eq!(fake.calls(), "");
}

#[test]
fn outputs_of_several_stacks_are_told_apart() {
    let fake = Fake::new();
    let output = fake.millrace(&["outputs"]);
    assert_eq!(output.status.code(), Some(1));
    let said = "none of the stacks millrace-files-dev, millrace-market-dev, millrace-transactions-dev is in us-east-1";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    let fake = Fake::new();
    fake.has_stack(1, "CREATE_COMPLETE", &[("bucketName", "f"), ("same", "s"), ("only", "o")]);
    fake.has_stack(2, "CREATE_COMPLETE", &[("bucketName", "m"), ("same", "s")]);
    let output = fake.millrace(&["outputs", "--json", "--out", "a/b.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let wanted = json!({ "filesBucketName": "f", "marketBucketName": "m", "filesSame": "s", "marketSame": "s",
        "same": "s", "filesOnly": "o", "only": "o" });
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), wanted);
    let file = fs::read_to_string(fake.folder.path().join("a/b.json")).unwrap();
    assert_eq!(file, stdout(&output));
}

fn with_data() -> Fake {
    let fake = Fake::new();
    fake.has_stack(1, "CREATE_COMPLETE", &[]);
    let bucket = |name: &str, kind: &str| {
        json!({ "PhysicalResourceId": name, "ResourceType": kind,
        "ResourceStatus": "CREATE_COMPLETE" })
    };
    let resources = [bucket("b", "AWS::S3::Bucket"), bucket("t", "AWS::DynamoDB::Table")];
    fake.answers("cloudformation.list-stack-resources", json!({ "StackResourceSummaries": resources }));
    let one = |key: &str| json!({ "Key": key, "VersionId": "v", "Size": 3 });
    let page = json!({ "Versions": [one("a"), one("b")], "DeleteMarkers": [one("c")], "NextToken": "x" });
    fake.answers("s3api.list-object-versions.1", page.clone());
    fake.answers("s3api.list-object-versions.2", page);
    fake.answers("s3api.list-object-versions.3", json!({ "Versions": [one("d")] }));
    fake.answers("s3api.list-object-versions", Value::Null);
    fake.answers("s3api.delete-objects", Value::Null);
    fake
}

#[test]
fn data_goes_only_when_that_is_said() {
    for words in [&["destroy"][..], &["destroy", "--yes"]] {
        let fake = with_data();
        let output = fake.millrace(&[words, &["--preset", "files"]].concat());
        assert_eq!(output.status.code(), Some(1));
        let told = stderr(&output);
        for said in
            ["will go: stack files, 2 resources", "3 or more versions", "with all that is in it", "--yes-delete-data"]
        {
            assert!(told.contains(said), "no `{said}` in {told}");
        }
        assert_eq!((fake.count("delete-objects"), fake.count("delete-stack")), (0, 0));
    }
    let fake = with_data();
    fake.has_stack(2, "DELETE_IN_PROGRESS", &[]);
    fake.has_stack(3, "DELETE_COMPLETE", &[]);
    let flat = fake.folder.path().join("cfn-outputs/flat-outputs.json");
    fs::create_dir_all(flat.parent().unwrap()).unwrap();
    fs::write(&flat, "{}").unwrap();
    fake.answers("s3api.head-bucket", json!({}));
    let output = fake.millrace(&["destroy", "--preset", "files", "--yes-delete-data", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stacks"][0]["versions_deleted"], 4);
    assert!(summary["left"][0].as_str().unwrap().contains("millrace-code-123456789012-us-east-1"), "{summary}");
    assert!(!flat.exists(), "the outputs of nothing are left");
    assert!(fake.calls().contains(r#"{"Key":"c","VersionId":"v"}"#), "markers go too: {}", fake.calls());
    assert!(fake.calls().contains(STACK), "deleted by its id");
}

#[test]
fn what_is_kept_is_told_and_what_was_filled_again_is_emptied_again() {
    let fake = with_data();
    let kept = json!({ "Errors": [{ "Key": "a", "Code": "AccessDenied", "Message": "locked" }] });
    fake.answers("s3api.delete-objects", kept);
    let output = fake.millrace(&["destroy", "--preset", "files", "--yes-delete-data"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("a of bucket b is kept: locked (AccessDenied)"), "{}", stderr(&output));
    assert_eq!(fake.count("delete-stack"), 0);

    let fake = with_data();
    fake.has_stack(2, "DELETE_FAILED", &[]);
    fake.has_stack(3, "DELETE_COMPLETE", &[]);
    let full = json!({ "EventId": "9", "LogicalResourceId": "Bucket", "ResourceType": "AWS::S3::Bucket",
        "ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": "not empty" });
    fake.answers("cloudformation.describe-stack-events.2", json!({ "StackEvents": [full] }));
    fake.answers("s3api.list-object-versions.5", json!({ "Versions": [{ "Key": "late", "VersionId": "v" }] }));
    let output = fake.millrace(&["destroy", "--preset", "files", "--yes-delete-data", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fake.count("delete-stack"), 2);
    assert!(fake.calls().contains("late"), "{}", fake.calls());
}
