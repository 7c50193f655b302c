//! A program in the place of the AWS CLI, with recorded answers, and the command that drives it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Notes each call and answers from a file: `SERVICE.OPERATION.NUMBER` for a certain call, else `SERVICE.OPERATION`.
/// Its first line is the exit code, or `sleep`; the others are what is printed.
const PROGRAM: &str = r#"#!/bin/sh
set -eu
here=$(dirname "$0")
name=$1.$2
count=$(($(cat "$here/$name.count" 2>/dev/null || echo 0) + 1))
echo "$count" >"$here/$name.count"
for word; do
    case $word in file://*) cat "${word#file://}" >>"$here/calls" ;; *) printf '%s ' "$word" >>"$here/calls" ;; esac
done
echo >>"$here/calls"
answer=$here/$name.$count
[ -f "$answer" ] || answer=$here/$name
if ! [ -f "$answer" ]; then
    echo "An error occurred (NoRecordedAnswer) when calling the $name operation: call $count" >&2
    exit 254
fi
read -r code <"$answer"
case $code in
sleep) sleep 20 ;;
0) tail -n +2 "$answer" ;;
*) tail -n +2 "$answer" >&2 && exit "$code" ;;
esac
"#;

/// A stack's ARN, as recorded.
pub(super) const STACK: &str = "arn:aws:cloudformation:us-east-1:123456789012:stack/millrace-files-dev/1";

/// The fake, in a folder of its own.
pub(super) struct Fake {
    pub(super) folder: TempDir,
}

impl Fake {
    /// One that knows who asks and has an empty account.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aws");
        fs::write(&path, PROGRAM).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[18] = 183;
        fs::write(folder.path().join("bootstrap"), bytes).unwrap();
        let fake = Self { folder };
        fake.answers("sts.get-caller-identity", json!({ "Account": "123456789012", "Arn": "arn:aws:iam::1:user/u" }));
        fake.refuses("cloudformation.describe-stacks", "ValidationError", "Stack with id x does not exist");
        for operation in ["create-bucket", "put-public-access-block", "put-bucket-encryption", "put-object"] {
            fake.answers(&format!("s3api.{operation}"), Value::Null);
        }
        fake.refuses("s3api.head-bucket", "404", "Not Found");
        fake.refuses("s3api.head-object", "404", "Not Found");
        fake.answers("apigateway.get-account", json!({}));
        let made = json!({ "Id": "arn:aws:cloudformation:change-set", "StackId": STACK });
        fake.answers("cloudformation.create-change-set", made);
        fake.answers("cloudformation.delete-change-set", Value::Null);
        fake.answers("cloudformation.execute-change-set", Value::Null);
        fake.answers("cloudformation.delete-stack", Value::Null);
        fake.answers("cloudformation.describe-stack-events", json!({ "StackEvents": [] }));
        fake
    }

    /// What a call answers; the name may end with the number of the call.
    pub(super) fn answers(&self, call: &str, answer: Value) {
        let text = if answer.is_null() { String::new() } else { answer.to_string() };
        self.says(call, &format!("0\n{text}"));
    }

    /// Refuses a call as both versions of the program do.
    pub(super) fn refuses(&self, call: &str, code: &str, message: &str) {
        let operation = call.split('.').nth(1).unwrap();
        let told = format!("254\n\nAn error occurred ({code}) when calling the {operation} operation: {message}\n");
        self.says(call, &told);
    }

    pub(super) fn says(&self, call: &str, text: &str) {
        fs::write(self.folder.path().join(call), text).unwrap();
    }

    pub(super) fn has_stack(&self, call: u32, status: &str, outputs: &[(&str, &str)]) {
        let one = |(key, value): &(&str, &str)| json!({ "OutputKey": key, "OutputValue": value });
        let outputs: Vec<Value> = outputs.iter().map(one).collect();
        let stack = json!({ "StackId": STACK, "StackStatus": status, "Outputs": outputs,
            "Parameters": [{ "ParameterKey": "AlarmTopicArn", "ParameterValue": "" }] });
        self.answers(&format!("cloudformation.describe-stacks.{call}"), json!({ "Stacks": [stack] }));
    }

    pub(super) fn has_change_set(&self, status: &str, reason: &str) {
        let change = json!({ "Type": "Resource", "ResourceChange": { "Action": "Modify", "Replacement": "True",
            "LogicalResourceId": "ValidatorDlq", "ResourceType": "AWS::SQS::Queue",
            "Details": [{ "Target": { "Attribute": "Properties", "Name": "QueueName" } }] } });
        let set = json!({ "Status": status, "StatusReason": reason, "Changes": [change] });
        self.answers("cloudformation.describe-change-set", set);
    }

    /// Runs the command; nobody is at a terminal.
    pub(super) fn millrace(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        command.args(words).current_dir(self.folder.path()).env("MILLRACE_AWS", self.folder.path().join("aws"));
        for name in ["ENVIRONMENT_SUFFIX", "AWS_PROFILE", "AWS_DEFAULT_REGION"] {
            command.env_remove(name);
        }
        command.env("AWS_REGION", "us-east-1").stdin(std::process::Stdio::null()).output().unwrap()
    }

    pub(super) fn deploy(&self, words: &[&str]) -> Output {
        let mut all = vec!["deploy", "--preset", "files", "--bootstrap", "bootstrap"];
        all.extend(words);
        self.millrace(&all)
    }

    /// All calls so far, a line each.
    pub(super) fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }

    pub(super) fn count(&self, operation: &str) -> usize {
        self.calls().lines().filter(|line| line.split(' ').nth(1) == Some(operation)).count()
    }
}
