//! The S3 door, by the real AWS CLI and boto3 from PyPI.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use super::server::{Server, python};
use super::{run, stderr, stdout};

const FILES: &str = "file-processing-bucket-dev";
const TRADES: &str = "symbol,price,volume,timestamp\nA,10,2,2026-01-01T09:00:01Z\nA,11,1,2026-01-01T09:00:30Z\n";

/// Bytes of a large file: the CLI sends it in parts.
const LARGE_BYTES: usize = 200 * 1000 * 1000;

/// The AWS CLI against a server.
struct Aws<'s> {
    server: &'s Server,
    is_tls: bool,
}

impl Aws<'_> {
    fn endpoint(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.server.s3)
    }

    fn command(&self, words: &[&str]) -> Command {
        let python = python();
        let mut command = Command::new(python.with_file_name("aws"));
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_ACCESS_KEY_ID", "millrace")
            .env("AWS_SECRET_ACCESS_KEY", "millrace-local")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL_S3", self.endpoint())
            .env("AWS_CONFIG_FILE", "none")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.server.path());
        if self.is_tls {
            command.env("AWS_CA_BUNDLE", self.server.path().join("certificate.pem"));
        }
        command
    }

    fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it prints when all goes well.
    fn ok(&self, words: &[&str]) -> String {
        let output = self.output(words);
        assert!(output.status.success(), "{words:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    fn json(&self, words: &[&str]) -> Value {
        let said = self.ok(words);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{words:?}: {error}: {said}"))
    }

    /// What it says when it is refused.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.output(words);
        assert!(!output.status.success(), "{words:?} went well: {}", stdout(&output));
        stderr(&output)
    }
}

/// Waits until a field of a receipt has this value.
fn wait_for(server: &Server, name: &str, field: &str, value: &str) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let output = run(server.path(), &["status", name, "--json"]);
        let receipt: Value = serde_json::from_str(&stdout(&output)).unwrap_or_default();
        if receipt[field] == value {
            return receipt;
        }
        assert!(Instant::now() < end, "{name} is {}: {}", receipt[field], stderr(&output));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn write(server: &Server, name: &str, bytes: impl AsRef<[u8]>) {
    let path = server.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Bytes without a pattern.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn cp_ls_rm_sync(aws: &Aws<'_>) {
    let server = aws.server;
    write(server, "day.csv", TRADES);
    aws.ok(&["s3", "cp", "--no-progress", "day.csv", &format!("s3://{FILES}/")]);
    let receipt = wait_for(server, "day.csv", "status", "aggregated");
    assert_eq!((&receipt["outcome"], &receipt["account"]["counts"]["rows"]), (&"completed".into(), &2.into()));
    assert!(aws.ok(&["s3", "ls", &format!("s3://{FILES}/")]).ends_with(" day.csv\n"), "outputs are not listed");
    let outputs = aws.ok(&["s3", "ls", "--recursive", &format!("s3://{FILES}/validated/")]);
    assert!(outputs.ends_with("/rows.parquet\n"), "{outputs}");

    write(server, "large.bin", noise(LARGE_BYTES));
    aws.ok(&["s3", "cp", "--no-progress", "large.bin", &format!("s3://{FILES}/large.bin")]);
    aws.ok(&["s3", "cp", "--no-progress", &format!("s3://{FILES}/large.bin"), "back.bin"]);
    assert!(fs::read(server.path().join("back.bin")).unwrap() == fs::read(server.path().join("large.bin")).unwrap());
    let head = aws.json(&["s3api", "head-object", "--bucket", FILES, "--key", "large.bin"]);
    assert!(head["ETag"].as_str().unwrap().ends_with("-24\""), "it came in parts: {head}");
    fs::remove_file(server.path().join("back.bin")).unwrap();

    for name in ["a/1.csv", "a/b/2.csv", "ü c+%.csv"] {
        write(server, &format!("tree/{name}"), TRADES);
    }
    let to = format!("s3://{FILES}/tree");
    assert_eq!(aws.ok(&["s3", "sync", "--no-progress", "tree", &to]).lines().count(), 3);
    assert_eq!(aws.ok(&["s3", "sync", "--no-progress", "tree", &to]), "", "nothing has changed");
    let listed = aws.ok(&["s3", "ls", &format!("{to}/")]);
    assert!(listed.contains("PRE a/") && listed.contains("ü c+%.csv") && listed.lines().count() == 2, "{listed}");
    aws.ok(&["s3", "sync", "--no-progress", &to, "tree2"]);
    assert_eq!(fs::read_to_string(server.path().join("tree2/ü c+%.csv")).unwrap(), TRADES);
    assert_eq!(aws.ok(&["s3", "rm", "--recursive", &to]).lines().count(), 3);
    assert_eq!(aws.ok(&["s3", "ls", "--recursive", &format!("s3://{FILES}/")]).lines().count(), 2);
    aws.refused(&["s3", "ls", &format!("{to}/")]);
}

fn versions_and_copies(aws: &Aws<'_>) {
    let server = aws.server;
    write(server, "v.csv", "one");
    let put = |_| aws.json(&["s3api", "put-object", "--bucket", FILES, "--key", "v.csv", "--body", "v.csv"]);
    let versions = [1, 2].map(put).map(|put| put["VersionId"].as_str().unwrap().to_owned());
    assert_ne!(versions[0], versions[1]);
    let moved = ["s3", "mv", "--no-progress", &format!("s3://{FILES}/v.csv"), &format!("s3://{FILES}/w.csv")];
    aws.ok(&moved);
    assert!(aws.refused(&["s3api", "head-object", "--bucket", FILES, "--key", "v.csv"]).contains("404"));
    let old = ["s3api", "get-object", "--bucket", FILES, "--key", "v.csv", "--version-id", &versions[0], "old.csv"];
    aws.json(&old);
    assert_eq!(fs::read_to_string(server.path().join("old.csv")).unwrap(), "one");
    let list = ["s3api", "list-object-versions", "--bucket", FILES, "--prefix", "v.csv"];
    let listed = aws.json(&list);
    let ids: Vec<&str> =
        listed["Versions"].as_array().unwrap().iter().map(|of| of["VersionId"].as_str().unwrap()).collect();
    assert_eq!(ids, [versions[1].as_str(), &versions[0]], "the newest first");
    let marker = listed["DeleteMarkers"][0]["VersionId"].as_str().unwrap().to_owned();
    assert_eq!(listed["DeleteMarkers"][0]["IsLatest"], true);
    // without its marker the object is back
    aws.json(&["s3api", "delete-object", "--bucket", FILES, "--key", "v.csv", "--version-id", &marker]);
    let head = aws.json(&["s3api", "head-object", "--bucket", FILES, "--key", "v.csv"]);
    assert_eq!(head["VersionId"], versions[1].as_str());
    let pages = ["s3api", "list-object-versions", "--bucket", FILES, "--page-size", "1", "--prefix", "v.csv"];
    assert_eq!(aws.json(&pages)["Versions"].as_array().unwrap().len(), 2);
    for version in &versions {
        aws.ok(&["s3api", "delete-object", "--bucket", FILES, "--key", "v.csv", "--version-id", version]);
    }
    assert!(aws.json(&list)["Versions"].is_null());
}

fn checksums_and_conditions(aws: &Aws<'_>) {
    let server = aws.server;
    write(server, "c.csv", TRADES);
    let put = ["s3api", "put-object", "--bucket", FILES, "--key", "c.csv", "--body", "c.csv"];
    for name in ["CRC32", "SHA1", "SHA256"] {
        let mut words = put.to_vec();
        words.extend(["--checksum-algorithm", name]);
        let told = aws.json(&words)[format!("Checksum{name}")].clone();
        let head = ["s3api", "head-object", "--bucket", FILES, "--key", "c.csv", "--checksum-mode", "ENABLED"];
        assert!(told.is_string() && aws.json(&head)[format!("Checksum{name}")] == told, "{name}: {told}");
    }
    let before = aws.json(&["s3api", "list-object-versions", "--bucket", FILES, "--prefix", "c.csv"]);
    for wrong in [["--checksum-crc32", "AAAAAA=="], ["--content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="]] {
        let mut words = put.to_vec();
        words.extend(wrong);
        assert!(aws.refused(&words).contains("BadDigest"), "{wrong:?}");
    }
    let after = aws.json(&["s3api", "list-object-versions", "--bucket", FILES, "--prefix", "c.csv"]);
    assert_eq!(before, after, "nothing of what was refused can be seen");

    let mut only_new = put.to_vec();
    only_new.extend(["--if-none-match", "*"]);
    assert!(aws.refused(&only_new).contains("PreconditionFailed"));
    only_new[5] = "new.csv";
    aws.json(&only_new);
    let get = ["s3api", "get-object", "--bucket", FILES, "--key", "c.csv", "--range", "bytes=7-11", "part"];
    assert_eq!(aws.json(&get)["ContentRange"], format!("bytes 7-11/{}", TRADES.len()));
    assert_eq!(fs::read_to_string(server.path().join("part")).unwrap(), "price");
    let behind = ["s3api", "get-object", "--bucket", FILES, "--key", "c.csv", "--range", "bytes=900-", "part"];
    assert!(aws.refused(&behind).contains("InvalidRange"));
}

fn odd_keys(aws: &Aws<'_>) {
    let server = aws.server;
    write(server, "k.csv", TRADES);
    for key in ["a+b c(1)é/2024:01.csv", "../stranger-of-s3"] {
        let at = ["--bucket", FILES, "--key", key];
        aws.json(&[&["s3api", "put-object", "--body", "k.csv"], &at[..]].concat());
        assert_eq!(aws.json(&[&["s3api", "head-object"], &at[..]].concat())["ContentLength"], TRADES.len(), "{key}");
        assert_eq!(wait_for(server, key, "outcome", "duplicate")["objectKey"], key);
        assert!(aws.ok(&["s3", "rm", &format!("s3://{FILES}/{key}")]).contains(key));
    }
    let too_long = "l".repeat(1025);
    let refused = aws.refused(&["s3api", "put-object", "--bucket", FILES, "--key", &too_long, "--body", "k.csv"]);
    assert!(refused.contains("KeyTooLong"), "{refused}");
    let stranger = Path::new(server.path()).parent().unwrap().join("stranger-of-s3");
    assert!(!stranger.exists(), "a key left its bucket");
}

fn outputs_are_not_for_clients(aws: &Aws<'_>) {
    write(aws.server, "o.csv", TRADES);
    let at = ["--bucket", FILES, "--key", "validated/mine.csv"];
    let refused = aws.refused(&[&["s3api", "put-object", "--body", "o.csv"], &at[..]].concat());
    assert!(refused.contains("AccessDenied") && refused.contains("written by the stages"), "{refused}");
    assert!(aws.refused(&["s3", "ls", "s3://other-bucket"]).contains("NoSuchBucket"));
    assert!(aws.refused(&["s3", "rb", &format!("s3://{FILES}")]).contains("AccessDenied"));
}

/// Everything, over http or https.
fn flow(server: &Server, is_tls: bool) {
    let aws = Aws { server, is_tls };
    cp_ls_rm_sync(&aws);
    versions_and_copies(&aws);
    checksums_and_conditions(&aws);
    odd_keys(&aws);
    outputs_are_not_for_clients(&aws);
    let link = aws.ok(&["s3", "presign", &format!("s3://{FILES}/day.csv"), "--endpoint-url", &aws.endpoint()]);
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", link.trim()]);
    if is_tls {
        curl.arg("--cacert").arg(server.path().join("certificate.pem"));
    }
    assert_eq!(stdout(&curl.output().unwrap()), TRADES);
    let doctor = run(server.path(), &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}{}", stdout(&doctor), stderr(&doctor));
}

#[test]
fn the_aws_cli_over_http() {
    flow(&Server::fresh(&[]), false);
}

#[test]
fn the_aws_cli_over_https() {
    let folder = tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let words = ["--tls-certificate", "certificate.pem", "--tls-key", "key.pem"];
    flow(&Server::keeping(folder, &words), true);
}

#[test]
fn boto3_and_its_transfer_manager() {
    let server = Server::fresh(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/transfer.py");
    let output = Command::new(python()).arg(script).arg(format!("http://{}", server.s3)).arg(FILES).output().unwrap();
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn what_was_answered_is_there_after_a_kill() {
    let mut server = Server::fresh(&[]);
    write(&server, "day.csv", TRADES);
    write(&server, "large.bin", noise(20 * 1000 * 1000));
    let aws = |server: &Server, words: &[&str]| Aws { server, is_tls: false }.ok(words);
    aws(&server, &["s3", "cp", "--no-progress", "day.csv", &format!("s3://{FILES}/")]);
    aws(&server, &["s3", "cp", "--no-progress", "large.bin", &format!("s3://{FILES}/")]);
    let begin = ["s3api", "create-multipart-upload", "--bucket", FILES, "--key", "open.bin", "--query", "UploadId"];
    let id = aws(&server, &begin).trim().trim_matches('"').to_owned();
    server.kill();
    server.restart();
    wait_for(&server, "day.csv", "status", "aggregated");
    aws(&server, &["s3", "cp", "--no-progress", &format!("s3://{FILES}/large.bin"), "back.bin"]);
    assert!(fs::read(server.path().join("back.bin")).unwrap() == noise(20 * 1000 * 1000));
    // an upload that was begun before is still under way
    let at = ["--bucket", FILES, "--key", "open.bin", "--upload-id", &id];
    aws(&server, &[&["s3api", "upload-part", "--part-number", "1", "--body", "day.csv"], &at[..]].concat());
    aws(&server, &[&["s3api", "abort-multipart-upload"], &at[..]].concat());
    assert!(server.stop().success());
    let doctor = run(server.path(), &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}{}", stdout(&doctor), stderr(&doctor));
}
