//! Signatures that others make: curl, and botocore. Without a curl that signs its test says that it was skipped.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::process::Command;

use tempfile::tempdir;

use super::{BUCKET, DAY, key, text};
use crate::server::{Server, python};
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
    for path in ["/status/x", "/status/a%20b/c", "/status?fileId=a%20b"] {
        let said = curl(&pair, path, &[]);
        assert!(said.contains("no_such_file") && said.ends_with(" 404"), "{path}: {said}");
    }
    assert!(curl(&pair, "/files?prefix=a%2Fb&limit=5", &[]).ends_with(" 200"));
    // let in, and there is nothing that takes it
    assert!(curl(&pair, "/status", &["-d", "{\"a\":1}"]).ends_with(" 405"));
    assert!(curl(&format!("{pair}x"), "/status/x", &[]).contains("signature_mismatch"));
}

#[test]
fn what_botocore_signs_is_let_in() {
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let base = format!("http://{}", server.http);
    let words = [base.as_str(), text(&made, "accessKeyId"), text(&made, "secretAccessKey")];
    let output = Command::new(python()).args(["-c", include_str!("clients.py")]).args(words).output().unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(said.lines().count(), 13, "{said}");
    for line in said.lines() {
        let wanted = match line.split(' ').next() {
            Some("good") => "good 404 no_such_file",
            Some("list") => "list 200 ",
            Some("post") => "post 405 ",
            _ => "late 403 signature_expired",
        };
        assert!(line.starts_with(wanted), "{line}: {said}");
    }
}

#[test]
fn the_aws_cli_may_sign_with_any_key_on_this_machine() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(path.join("chain.pem"), made.cert.pem()).unwrap();
    fs::write(path.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(path.join("day.csv"), DAY).unwrap();
    for (scheme, words) in [("http", vec![]), ("https", vec!["--tls-certificate", "chain.pem", "--tls-key", "key.pem"])]
    {
        let server = Server::start(path, &words);
        let url = format!("{scheme}://{}", server.s3);
        let aws = |words: &[&str]| {
            let mut command = Command::new(python().with_file_name("aws"));
            command.args(["--endpoint-url", &url]).args(words).current_dir(path).env_remove("AWS_PROFILE");
            command.env("AWS_ACCESS_KEY_ID", "AKIAELSEWHERE").env("AWS_SECRET_ACCESS_KEY", "of elsewhere");
            command.env("AWS_CONFIG_FILE", "none").env("AWS_DEFAULT_REGION", "us-east-1").env("AWS_MAX_ATTEMPTS", "1");
            let output = command.env("AWS_CA_BUNDLE", path.join("chain.pem")).output().unwrap();
            assert!(output.status.success(), "{scheme} {words:?}: {}{}", stdout(&output), stderr(&output));
            stdout(&output)
        };
        let object = format!("s3:/{BUCKET}/{scheme} day.csv");
        // by https the body comes in chunks that are not signed, with a checksum behind them
        aws(&["s3", "cp", "day.csv", &object]);
        assert_eq!(aws(&["s3", "cp", &object, "-"]), DAY);
        let link = aws(&["s3", "presign", &object]);
        let fetched =
            Command::new("curl").args(["-s", "--cacert", "chain.pem", link.trim()]).current_dir(path).output();
        assert!(fetched.is_err() || stdout(&fetched.unwrap()) == DAY, "{link}");
    }
}
