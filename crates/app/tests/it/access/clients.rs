//! Signatures that others make: curl, and botocore where Python has it. Without them a test says that it was skipped.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::process::Command;

use tempfile::tempdir;

use super::server::Server;
use super::{key, text};
use crate::{stderr, stdout};

#[test]
fn what_curl_signs_is_let_in() {
    let has_curl = Command::new("curl").args(["--aws-sigv4", "aws:amz", "--version"]).output();
    if !has_curl.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no curl that signs");
        return;
    }
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let pair = format!("{}:{}", text(&made, "accessKeyId"), text(&made, "secretAccessKey"));
    let curl = |pair: &str, path: &str, more: &[&str]| {
        let url = format!("http://{}{path}", server.http);
        let signs = ["-s", "-w", " %{http_code}", "--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", pair];
        stdout(&Command::new("curl").args(signs).args(more).arg(url).output().unwrap())
    };
    for path in ["/status/x", "/status/a%20b/c", "/status?z=1&fileId=a%20b"] {
        let said = curl(&pair, path, &[]);
        assert!(said.contains("no_such_file") && said.ends_with(" 404"), "{path}: {said}");
    }
    // let in, and there is nothing that takes it
    assert!(curl(&pair, "/status", &["-d", "{\"a\":1}"]).ends_with(" 405"));
    assert!(curl(&format!("{pair}x"), "/status/x", &[]).contains("signature_mismatch"));
}

#[test]
fn what_botocore_signs_is_let_in() {
    let python = std::env::var("MILLRACE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let base = format!("http://{}", server.http);
    let words = [base.as_str(), text(&made, "accessKeyId"), text(&made, "secretAccessKey")];
    let Ok(output) = Command::new(python).args(["-c", include_str!("clients.py")]).args(words).output() else {
        eprintln!("skipped: there is no Python");
        return;
    };
    if stderr(&output).contains("No module named 'botocore'") {
        eprintln!("skipped: Python has no botocore");
        return;
    }
    let said = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(said.lines().count(), 13, "{said}");
    for line in said.lines() {
        let wanted = match line.split(' ').next() {
            Some("good") => "good 404 no_such_file",
            Some("post") => "post 405 ",
            _ => "late 403 signature_expired",
        };
        assert_eq!(line, wanted, "{said}");
    }
}
