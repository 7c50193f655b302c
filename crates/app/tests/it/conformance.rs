//! Public suites against the service, with the lists of what does not pass; and the buckets that they make.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use super::client::{Answer, Request, send};
use super::server::Server;
use super::{run, stderr, stdout};

/// Runs a script of `conformance/` against the program; what it says when it ends well.
fn script(name: &str, words: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance").join(name);
    let mut command = Command::new("python3");
    command.arg(script).args(words).args(["--program", env!("CARGO_BIN_EXE_millrace")]);
    let output = command.output().expect("python3 runs");
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

#[test]
fn the_suite_of_minio_says_what_the_page_says() {
    let said = script("s3.py", &["minio"]);
    let page = include_str!("../../../../docs/s3-conformance.md");
    let figures: Vec<&str> = said.split(' ').filter(|word| word.parse::<u32>().is_ok()).collect();
    assert!(page.contains(&format!("{} of {} pass", figures[1], figures[0])), "{said}");
}

#[test]
fn the_api_answers_as_its_document_says() {
    assert_eq!(script("api.py", &[]).lines().count(), 2);
}

fn ask(server: &Server, method: &str, path: &str, body: &str) -> Answer {
    send(&server.s3, &Request { method, path, body: body.as_bytes(), ..Request::default() })
}

#[test]
fn buckets_of_ones_own_are_made_kept_and_deleted() {
    let mut server = Server::fresh(&["--own-buckets"]);
    let status = |server: &Server, method: &str, path: &str| ask(server, method, path, "x").status;
    assert_eq!(status(&server, "PUT", "/scratch/a.csv"), 404);
    assert_eq!(ask(&server, "PUT", "/scratch", "").status, 200);
    let again = ask(&server, "PUT", "/scratch", "");
    assert!(again.status == 409 && again.text().contains("BucketAlreadyOwnedByYou"), "{}", again.text());
    // a name under which files would start a feed of another environment
    let other = ask(&server, "PUT", "/market-data-prod", "");
    assert!(other.status == 403 && other.text().contains("another environment"), "{}", other.text());
    // prefixes of what the stages write mean nothing here
    for key in ["/scratch/a.csv", "/scratch/a.csv", "/scratch/validated/b.csv"] {
        assert_eq!(status(&server, "PUT", key), 200, "{key}");
    }
    let listed = ask(&server, "GET", "/scratch", "").text();
    assert!(listed.contains("<Key>a.csv</Key>") && listed.contains("<Key>validated/b.csv</Key>"), "{listed}");
    assert_eq!(server.get("/status/scratch/a.csv", &[]).status, 404, "no feed takes it");

    // it survives a kill, and so does what is in it
    server.kill();
    server.restart();
    assert!(ask(&server, "GET", "/", "").text().contains("<Name>scratch</Name>"));
    assert_eq!(ask(&server, "GET", "/scratch/a.csv", "").text(), "x");
    let full = ask(&server, "DELETE", "/scratch", "");
    assert!(full.status == 409 && full.text().contains("BucketNotEmpty"), "{}", full.text());
    assert_eq!(status(&server, "DELETE", "/scratch/a.csv"), 204);
    assert_eq!(status(&server, "DELETE", "/scratch/validated/b.csv"), 204);
    assert_eq!(ask(&server, "DELETE", "/scratch", "").status, 204);
    for (method, path) in [("GET", "/scratch"), ("DELETE", "/scratch"), ("PUT", "/scratch/a.csv")] {
        assert_eq!(status(&server, method, path), 404, "{method} {path}");
    }
    // made anew it is empty, old versions too
    assert_eq!(ask(&server, "PUT", "/scratch", "").status, 200);
    let versions = ask(&server, "GET", "/scratch?versions", "").text();
    assert!(!versions.contains("<Key>"), "{versions}");
    assert!(server.stop().success());
    assert_eq!(run(server.path(), &["doctor"]).status.code(), Some(0));
}

#[test]
fn buckets_are_made_by_those_who_may() {
    let server = Server::fresh(&[]);
    let refused = ask(&server, "PUT", "/scratch", "");
    assert!(refused.status == 403 && refused.text().contains("own_buckets"), "{}", refused.text());
    let there = ask(&server, "PUT", "/market-data-dev", "");
    assert!(there.status == 409 && there.text().contains("from the start"), "{}", there.text());

    let folder = tempdir().unwrap();
    let keys = |words: &[&str]| super::access::key(folder.path(), words);
    let (partner, admin) = (keys(&["--partner", "acme"]), keys(&["--admin"]));
    let server = Server::start(folder.path(), &["--access", "keys", "--own-buckets"]);
    let make = Request { method: "PUT", path: "/scratch", ..Request::default() };
    for (key, status) in [(&partner, 403), (&admin, 200), (&partner, 403)] {
        assert_eq!(super::access::signer(key, "s3").send(&server.s3, &make).status, status);
    }
}
