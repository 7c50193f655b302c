//! The HTTP API of `millrace serve`, from the outside: every route, what is refused, and what a kill leaves.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use super::client::{Answer, Request, connect, send};
use super::server::Server;
use super::{run, stderr, stdout};

/// The two rows that the document of the transactions shows.
const SEED: &str = "transaction_id,amount,currency,timestamp,merchant,status\n\
    TXN001,99.99,USD,2024-01-15T10:30:00Z,Amazon,completed\n\
    TXN002,149.50,EUR,2024-01-15T11:45:00Z,Apple Store,completed\n";
const BAD: &str = "transaction_id,amount,currency,timestamp,merchant,status\n\
    a1,1,USD,2024-01-15T10:30:00Z,Shop,completed\na2,x,USD,2024-01-15T10:30:00Z,Shop,completed\n";

/// As `curl -F` sends it.
fn form(served: &Server, fields: &[(&str, &str)], name: &str, head: &str, file: &str) -> Answer {
    let field = |(name, value): &(&str, &str)| {
        format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let fields: String = fields.iter().map(field).collect();
    let body = format!(
        "{fields}--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n{head}\r\n{file}\r\n--xx--\r\n"
    );
    let kind = [("Content-Type", "multipart/form-data; boundary=xx")];
    served.ask("POST", "/upload", &kind, body.as_bytes())
}

fn ingest(served: &Server, body: &str) -> Answer {
    served.ask("POST", "/ingest", &[], body.as_bytes())
}

/// Asks until what was asked for is so.
fn until(served: &Server, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let said = served.json(path);
        if is_so(&said) {
            return said;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{path}: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ended(said: &Value) -> bool {
    said["outcome"] != "in_progress"
}

#[test]
fn a_form_is_taken_and_can_be_asked_for_by_every_name() {
    let folder = tempdir().unwrap();
    let served = Server::start(folder.path(), &[]);
    let answer = form(&served, &[], "transactions.csv", "", SEED);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let taken = answer.json();
    let id = taken["uploadId"].as_str().unwrap();
    assert!(id.starts_with("upload-"), "{taken}");
    assert_eq!((taken["fileId"].as_str(), taken["status"].as_str()), (Some("transactions.csv"), Some("received")));
    let receipt = until(&served, taken["links"]["status"].as_str().unwrap(), ended);
    assert_eq!((receipt["outcome"].as_str(), receipt["status"].as_str()), (Some("completed"), Some("notified")));
    for path in [
        format!("/status?fileId={id}"),
        format!("/status/{}", taken["receiptId"].as_str().unwrap()),
        format!("/status/{}", taken["sha256"].as_str().unwrap()),
        "/status?fileId=transactions.csv".to_owned(),
        "/status/transactions-dev/transactions.csv".to_owned(),
        "/status/transactions-dev%2Ftransactions.csv".to_owned(),
        format!("/files/{id}"),
    ] {
        assert_eq!(served.json(&path)["receiptId"], taken["receiptId"], "{path}");
    }
    assert_eq!(served.get(&format!("/files/{id}/rejects"), &[]).status, 204);

    let totals = served.json("/totals");
    assert_eq!(totals["totals"][0]["sum"], "149.5");
    let csv = served.ask("GET", "/totals?currency=USD", &[("Accept", "text/csv")], b"");
    assert!(csv.head.contains("content-type: text/csv"), "{}", csv.head);
    assert!(csv.text().contains("\nUSD,completed,Amazon,2024-01-15,1,99.99,99.99,99.99,"), "{}", csv.text());
    for list in ["totals", "transactions"] {
        let first = served.json(&format!("/{list}?limit=1"));
        let next = first["next"].as_str().unwrap();
        let second = served.json(&format!("/{list}?limit=1&next={next}"));
        assert_ne!(first[list][0], second[list][0]);
        assert_eq!((second[list].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    }
}

#[test]
fn an_answer_that_was_given_is_not_given_when_it_does_not_hold() {
    let folder = tempdir().unwrap();
    let served = Server::start(folder.path(), &[]);
    let put = |name: &str| {
        let taken = form(&served, &[], name, "", SEED).json();
        until(&served, taken["links"]["status"].as_str().unwrap(), ended);
        taken
    };
    let original = put("original.csv");
    let by_content = format!("/status/{}", original["sha256"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(served.json(&by_content)["receiptId"], original["receiptId"]);
    }
    // the receipt that was told stays what it was, and is not the newest of this content any more
    let copy = put("copy.csv");
    assert_eq!(served.json(&by_content)["receiptId"], copy["receiptId"]);
    assert_eq!(served.json("/status/original.csv")["receiptId"], original["receiptId"]);
    let version = put("original.csv");
    let told = served.json("/status/original.csv");
    assert_eq!(told["receiptId"], version["receiptId"]);
    assert_eq!(told["versions"], serde_json::json!([version["receiptId"], original["receiptId"]]));
}

#[test]
fn what_is_refused_says_what_to_do_here() {
    let folder = tempdir().unwrap();
    let served = Server::start(folder.path(), &[]);
    let sent = served.ask("POST", "/upload?feed=files&key=no.csv", &[], b"some,thing\n1,2\n").json();
    let told = until(&served, sent["links"]["status"].as_str().unwrap(), ended);
    assert_eq!((told["outcome"].as_str(), told["status"].as_str()), (Some("rejected"), Some("validating")));
    let receipt = served.get("/files/no.csv", &[]).text();
    assert!(receipt.contains("for a feed of millrace.toml") && !receipt.contains("pass --contract"), "{receipt}");

    // a column that is not there is told apart from one that is empty
    let bad = ingest(&served, "[{\"price\":1},{\"symbol\":\"\",\"price\":1}]").json();
    let values: Vec<&Value> = bad["errors"].as_array().unwrap().iter().map(|error| &error["value"]).collect();
    assert_eq!(values, [&Value::Null, &Value::from("")], "{bad}");

    // characters that no listing could tell
    for (letter, encoded) in [("\u{1}", "%01"), ("\u{fffe}", "%EF%BF%BE")] {
        let answer = served.ask("POST", &format!("/upload?key=a{encoded}.csv"), &[], b"x");
        assert_eq!((answer.status, answer.code().as_str()), (422, "bad_key"), "{letter:?}: {answer:?}");
        let path = format!("/file-processing-bucket-dev/a{encoded}.csv");
        let put = Request { method: "PUT", path: &path, body: b"x", ..Request::default() };
        let answer = send(&served.s3, &put);
        assert!(answer.status == 400 && answer.text().contains("XML 1.0"), "{letter:?}: {answer:?}");
    }
    let listed = send(&served.s3, &Request { path: "/file-processing-bucket-dev", ..Request::default() });
    assert!(listed.text().contains("<Key>no.csv</Key>") && listed.text().matches("<Key>").count() == 1, "{listed:?}");
}

#[test]
fn what_no_listing_could_tell_can_be_deleted() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a\u{1}.csv"), "symbol,price,volume,timestamp\nA,10,2,2026-01-01T09:00:01Z\n")
        .unwrap();
    assert!(run(folder.path(), &["run", "a\u{1}.csv"]).status.success());
    let served = Server::start(folder.path(), &[]);
    let path = "/file-processing-bucket-dev/a%01.csv";
    let ask = |method, path: &str| send(&served.s3, &Request { method, path, ..Request::default() });
    let there = ask("GET", path);
    assert_eq!(there.status, 200, "{there:?}");
    // told as AWS tells of it: a reference, and never the letter itself
    for query in
        ["", "?list-type=2", "?versions", "?list-type=2&prefix=a%01&delimiter=.", "?list-type=2&encoding-type=url"]
    {
        let listed = ask("GET", &format!("/file-processing-bucket-dev{query}"));
        let told = if query.contains("url") { "<Key>a%01.csv</Key>" } else { "a&#x1;." };
        assert!(listed.status == 200 && listed.text().contains(told), "{query}: {listed:?}");
        assert!(!listed.text().contains('\u{1}'), "{query}: {listed:?}");
    }
    let version = format!("{path}?versionId={}", there.header("x-amz-version-id").unwrap());
    let deleted = ask("DELETE", path);
    assert_eq!(deleted.status, 204, "{deleted:?}");
    assert_eq!(ask("GET", path).status, 404);
    let deleted = ask("DELETE", &version);
    assert_eq!(deleted.status, 204, "{deleted:?}");
    assert_eq!(ask("GET", &version).status, 404);
}

#[test]
fn raw_bodies_names_and_feeds() {
    let folder = tempdir().unwrap();
    fs::write(
        folder.path().join("millrace.toml"),
        "[[feed]]\nname = \"acme\"\npreset = \"files\"\nkeys = \"acme/*\"\n",
    )
    .unwrap();
    let served = Server::start(folder.path(), &[]);
    let trades = "symbol,price,volume,timestamp\nA,10,2,2026-01-01T09:00:01Z\nB,11,1,2026-01-01T09:00:30Z\n";
    let answer = served.ask("POST", "/upload?feed=acme&key=acme/d%C3%A4y%201%2B.csv", &[], trades.as_bytes());
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["receiptId"].as_str().unwrap().to_owned();
    for path in [
        "/status/acme/d%C3%A4y%201+.csv",
        "/status/acme%2Fd%C3%A4y%201%2B.csv",
        "/status?fileId=acme/d%C3%A4y%201%2B.csv",
        "/files/acme%2Fd%C3%A4y%201+.csv",
    ] {
        assert_eq!(served.json(path)["receiptId"], *id, "{path}");
    }
    until(&served, &format!("/status/{id}"), ended);
    let first = served.json("/bars?feed=acme&limit=1");
    assert_eq!(first["bars"][0]["symbol"], "A");
    let second = served.json(&format!("/bars?feed=acme&limit=1&next={}", first["next"].as_str().unwrap()));
    assert_eq!((&second["bars"][0]["symbol"], &second["next"]), (&Value::from("B"), &Value::Null));
    assert_eq!(served.json("/bars?feed=acme&symbol=B&interval=1h")["bars"][0]["close"], "11");

    let answer = form(&served, &[("feed", "acme"), ("key", "acme/two.csv")], "x.csv", "", trades);
    assert_eq!(answer.json()["bucketName"], "file-processing-bucket-dev", "{}", answer.text());
    let again = until(&served, "/status/acme/two.csv", ended);
    assert_eq!((&again["outcome"], &again["duplicateOf"]), (&Value::from("duplicate"), &Value::from(id.as_str())));

    let page = served.json("/files?limit=1&feed=acme");
    assert_eq!(page["files"][0]["fileId"], "acme/two.csv");
    let page = served.json(&format!("/files?limit=1&feed=acme&next={}", page["next"].as_str().unwrap()));
    assert_eq!(page["files"][0]["receiptId"], *id);
    assert_eq!(
        served.json("/files?prefix=acme/d&outcome=completed&preset=files")["files"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn what_is_promised_of_a_file_is_held_against_it() {
    let folder = tempdir().unwrap();
    let served = Server::start(folder.path(), &[]);
    let sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let digest = format!("sha-256=:{sha256}:");
    let empty = served.ask("POST", "/upload?key=e.csv", &[("Content-Digest", &digest)], b"");
    assert_eq!(empty.status, 202, "{}", empty.text());
    for (head, code) in [
        (("Content-Digest", digest.as_str()), "digest_mismatch"),
        (("Digest", &format!("SHA-256={sha256}")), "digest_mismatch"),
        (("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="), "digest_mismatch"),
        (("Content-MD5", "d41d8cd98f00b204e9800998ecf8427e"), "bad_digest"),
    ] {
        let answer = served.ask("POST", "/upload?key=no.csv", &[head], SEED.as_bytes());
        assert_eq!((answer.status, answer.code().as_str()), (400, code));
    }
    let answer = form(&served, &[], "no.csv", "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\n", SEED);
    assert_eq!(answer.code(), "digest_mismatch");
    assert_eq!(served.get("/status/no.csv", &[]).status, 404);
}

#[test]
fn what_cannot_be_taken_is_told_with_what_to_do() {
    let folder = tempdir().unwrap();
    let served = Server::start(folder.path(), &[]);
    let post = |path: &str, body: &str| served.ask("POST", path, &[], body.as_bytes());
    for (answer, status, code) in [
        (served.get("/status", &[]), 400, "no_file_id"),
        (served.get("/status?fileId=", &[]), 400, "no_file_id"),
        (served.get("/status?fileld=x", &[]), 400, "bad_query"),
        (served.get("/status/nobody", &[]), 404, "no_such_file"),
        (served.get("/status/%FF", &[]), 400, "bad_path"),
        (served.get("/nothing", &[]), 404, "no_such_path"),
        (served.ask("PUT", "/files", &[], b""), 405, "no_such_method"),
        (served.get("/files?limit=0", &[]), 400, "bad_query"),
        (served.get("/files?next=00", &[]), 400, "bad_mark"),
        (served.get("/files?outcome=lost", &[]), 400, "bad_query"),
        (served.get("/files/nobody/rejects", &[]), 404, "no_such_file"),
        (served.get("/bars?feed=nobody", &[]), 404, "no_such_feed"),
        (served.get("/bars?interval=1y", &[]), 400, "bad_query"),
        (served.get("/bars?interval=1s", &[]), 422, "no_answer"),
        (served.get("/totals?from=yesterday", &[]), 400, "bad_query"),
        (served.get("/transactions?feed=files", &[]), 422, "no_answer"),
        (served.get("/bars?feed=transactions", &[]), 422, "no_answer"),
        (served.get("/totals?feed=files", &[]), 422, "no_answer"),
        (served.get("/totals?feed=market", &[]), 422, "no_answer"),
        (served.get("/dead-letters/77", &[]), 404, "no_dead_letter"),
        (served.ask("DELETE", "/dead-letters/77", &[], b""), 404, "no_dead_letter"),
        (post("/dead-letters/77/redrive", ""), 404, "no_dead_letter"),
        (post("/replay", "{}"), 422, "which_files"),
        (post("/replay", "no"), 400, "bad_body"),
        (post("/replay", "{\"name\":\"nobody\"}"), 404, "no_such_file"),
        (post("/upload", "x"), 400, "no_key"),
        (post("/upload?key=rejects/x.csv", "x"), 422, "key_of_stages"),
        (post("/upload?key=x&feed=nobody", "x"), 404, "no_such_feed"),
        (post("/upload?key=x&bucket=nobody", "x"), 404, "no_such_bucket"),
        (post("/upload?key=", "x"), 422, "not_stored"),
        (served.ask("POST", "/upload", &[("Content-Type", "multipart/form-data")], b""), 400, "bad_form"),
        (
            served.ask("POST", "/upload", &[("Content-Type", "multipart/form-data; boundary=x")], b"--x\r\n"),
            400,
            "bad_form",
        ),
        (post("/ingest", ""), 422, "no_records"),
        (post("/ingest", "[{]"), 422, "truncated_json"),
        (post("/ingest", "{\"symbol\":\"A\"}"), 422, "no_good_record"),
        (post("/ingest?feed=nobody", "{}"), 404, "no_such_feed"),
        (post("/ingest?feed=files", "{}"), 422, "wrong_feed"),
        (served.ask("POST", "/ingest", &[("Content-Encoding", "gzip")], b"x"), 415, "packed"),
        (served.ask("POST", "/ingest", &[("Idempotency-Key", "")], b"{}"), 400, "bad_idempotency_key"),
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    }
    let many = format!("[{}{{}}]", "{},".repeat(100_001));
    let answer = post("/ingest", &many);
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_many_records"));
    let answer = post("/ingest", &" ".repeat(9 * 1024 * 1024));
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    assert_eq!(served.json("/files")["files"], Value::Array(Vec::new()));
}

#[test]
fn records_are_checked_one_by_one_and_kept_once() {
    let folder = tempdir().unwrap();
    let mut served = Server::start(folder.path(), &[]);
    // the line of the seed, and the file of the seed
    let answer = ingest(&served, "{\"symbol\":\"TSLA\",\"price\":200.00}");
    assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (202, Some(1)), "{}", answer.text());
    let file = b"{\"symbol\":\"AAPL\",\"price\":150.00,\"timestamp\":1234567890}\n";
    let answer = served.ask("POST", "/upload?feed=market&key=AAPL/test-data.json", &[], file);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let same = "{\"symbol\":\"AAPL\",\"price\":150.00,\"timestamp\":1234567891}";
    let once = |body: &str| served.ask("POST", "/ingest", &[("Idempotency-Key", "k1")], body.as_bytes());
    let first = once(same);
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None));
    for _ in 0..3 {
        let again = once(same);
        assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
        assert_eq!(again.text(), first.text(), "the same request has the same answer");
    }
    let other = once("{\"symbol\":\"OTHER\",\"price\":1}");
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    let lines = "{\"symbol\":\"M\",\"price\":0.123456789012345678,\"volume\":2,\"timestamp\":\"2026-01-01T00:00:00Z\"}\n\
                 {\"symbol\":\"M\",\"price\":-1}\nnot json\n{\"symbol\":\"M\",\"price\":\"1\",\"timestamp\":1767225601}\n";
    let answer = ingest(&served, lines).json();
    assert_eq!((answer["accepted"].as_u64(), answer["rejected"].as_u64()), (Some(2), Some(2)), "{answer}");
    assert_eq!((&answer["errors"][0]["index"], &answer["errors"][0]["line"]), (&Value::from(1), &Value::from(2)));
    assert_eq!(answer["errors"][0]["reasons"][0], "non_positive_price");
    assert_eq!(answer["errors"][1]["reasons"][0], "invalid_json");
    let long = format!("[{{\"symbol\":\"{}\",\"price\":1}},{{\"symbol\":\"Z\",\"price\":1}}]", "x".repeat(300));
    let answer = ingest(&served, &long).json();
    assert_eq!(answer["errors"][0]["reasons"][0], "symbol_too_long", "{answer}");
    let many: String = (0..2000).map(|row| format!("{{\"symbol\":\"N\",\"price\":1,\"timestamp\":{row}}}\n")).collect();
    assert_eq!(ingest(&served, &many).json()["accepted"], 2000);

    // what was answered is there after a kill
    served.kill();
    served.restart();
    let other = served.ask("POST", "/ingest", &[("Idempotency-Key", "k1")], b"{\"symbol\":\"OTHER\",\"price\":1}");
    assert_eq!(other.code(), "idempotency_key_reused");
    until(&served, "/status/AAPL/test-data.json", |said| said["status"] == "processed" || ended(said));
    let bars = |symbol: &str| format!("/bars?feed=market&symbol={symbol}");
    let trades = |said: &Value| -> u64 {
        said["bars"].as_array().unwrap().iter().filter_map(|bar| bar["trades"].as_u64()).sum()
    };
    let begun = Instant::now();
    while ["TSLA", "AAPL", "M", "N", "Z"].map(|symbol| trades(&served.json(&bars(symbol)))) != [1, 2, 2, 2000, 1] {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", served.json(&bars("N")));
        assert_eq!(served.ask("POST", "/tick", &[], b"").status, 202);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(served.json(&bars("AAPL"))["bars"][0]["start"], "2009-02-13T23:30:00Z");
    assert_eq!(served.json(&bars("M"))["bars"][0]["open"], "0.123456789012345678");
}

#[test]
fn windows_are_aggregated_as_often_as_the_settings_say() {
    let served = Server::fresh(&["--aggregate-seconds", "1"]);
    assert_eq!(ingest(&served, "{\"symbol\":\"TSLA\",\"price\":200.00}").status, 202);
    let begun = Instant::now();
    while served.json("/bars?feed=market")["bars"][0]["symbol"] != "TSLA" {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", served.json("/bars?feed=market"));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn refused_rows_go_back_and_files_are_begun_anew() {
    let folder = tempdir().unwrap();
    let served = Server::start(folder.path(), &[]);
    assert_eq!(served.ask("POST", "/upload?key=bad.csv", &[], BAD.as_bytes()).status, 202);
    until(&served, "/status/bad.csv", ended);
    let rejects = served.get("/files/bad.csv/rejects", &[]);
    assert!(rejects.head.contains("content-type: text/csv"), "{}", rejects.head);
    assert!(rejects.text().contains("a2,x,USD"), "{}", rejects.text());
    let report = served.ask("GET", "/files/bad.csv/rejects", &[("Accept", "application/json")], b"").json();
    assert_eq!(report["rejects"][0]["column"], "amount");
    let replay = |body: &str| served.ask("POST", "/replay", &[], body.as_bytes());
    let look = replay("{\"name\":\"bad.csv\",\"dryRun\":true}").json();
    assert_eq!((&look["previews"][0]["changes"], &look["count"]), (&Value::from(false), &Value::from(0)), "{look}");
    let answer = replay("{\"name\":\"bad.csv\"}");
    assert_eq!((answer.status, &answer.json()["count"]), (202, &Value::from(1)));
    let after = until(&served, "/status/bad.csv", ended);
    assert_eq!(after["generation"], 1);
    assert_eq!(served.json("/dead-letters")["deadLetters"], Value::Array(Vec::new()));
    assert_eq!(served.ask("POST", "/dead-letters/redrive", &[], b"").json()["count"], 0);
}

#[test]
fn events_come_as_files_change() {
    let folder = tempdir().unwrap();
    let served = Server::start(folder.path(), &[]);
    let mut stream = connect(&served.http).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 7\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    while lines.next().unwrap().unwrap() != "" {}
    let taken = served.ask("POST", "/upload?key=day.csv", &[], SEED.as_bytes()).json();
    let told = lines
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?.trim()).ok());
    let last = told.into_iter().find(|event| event["outcome"] == "completed").unwrap();
    assert_eq!((&last["fileId"], &last["good"]), (&Value::from("day.csv"), &Value::from(2)));
    assert_eq!(last["versionId"], taken["versionId"]);
}

#[test]
fn events_tell_of_each_batch_of_rows_that_is_kept() {
    let served = Server::fresh(&[]);
    let mut stream = connect(&served.http).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while lines.next().unwrap() != "" {}
    let answer = ingest(&served, "{\"symbol\":\"TSLA\",\"price\":200.00}").json();
    assert!(lines.any(|line| line == "event: rows.kept"), "the event comes");
    let data = lines.find_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?.trim()).ok()).unwrap();
    assert_eq!((&data["type"], &data["data"]["origins"][0]), (&Value::from("rows.kept"), &answer["origin"]));
}

#[test]
fn a_body_that_stands_still_is_given_up() {
    let served = Server::fresh(&["--piece-seconds", "2"]);
    for (address, head, told) in [
        (&served.http, "POST /upload?key=slow.csv", "nothing of the body came for 2 seconds"),
        (&served.http, "POST /ingest", "nothing of the body came for 2 seconds"),
        (&served.s3, "PUT /file-processing-bucket-dev/slow.csv", "nothing of the body came for 2 seconds"),
    ] {
        let mut stream = connect(address).unwrap();
        let begun = Instant::now();
        write!(stream, "{head} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\nconnection: close\r\n\r\nsome")
            .unwrap();
        // a piece in time begins the time anew
        std::thread::sleep(Duration::from_millis(600));
        stream.write_all(b"more").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        // much less than the minute without the setting
        let waited = begun.elapsed();
        assert!((Duration::from_millis(2500)..Duration::from_secs(30)).contains(&waited), "{head}: {waited:?}");
        let status = if head.starts_with("PUT") { "HTTP/1.1 400" } else { "HTTP/1.1 408" };
        assert!(answer.starts_with(status) && answer.contains(told), "{head}: {answer}");
    }
    assert_eq!(served.get("/status/slow.csv", &[]).status, 404, "nothing of it is kept");
}

#[test]
fn an_upload_that_is_sent_again_under_its_key_is_taken_once() {
    let mut served = Server::fresh(&["--upload-bytes-max", "200000"]);
    let upload = |served: &Server, path: &str, key: &str, body: &[u8]| {
        served.ask("POST", &format!("/upload?key={path}"), &[("Idempotency-Key", key)], body)
    };
    let first = upload(&served, "day.csv", "k1", SEED.as_bytes());
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None));
    served.kill();
    served.restart();
    let again = upload(&served, "day.csv", "k1", SEED.as_bytes());
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(again.json(), first.json());
    for (path, key, body, code) in [
        ("day.csv", "k1", BAD.as_bytes(), "idempotency_key_reused"),
        ("other.csv", "k1", SEED.as_bytes(), "idempotency_key_reused"),
        ("day.csv", "", SEED.as_bytes(), "bad_idempotency_key"),
    ] {
        assert_eq!(upload(&served, path, key, body).code(), code, "{path} {key}");
    }
    // large ones go by way of a file, and those that come at once count once as well
    let large = [b"x,y\n".as_slice(), &vec![b'1'; 150_000]].concat();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| upload(&served, "l.csv", "k2", &large))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.json() == answers[0].json()), "{answers:?}");
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_some());
    assert_eq!(replayed.count(), 3);
    assert_eq!(served.json("/files")["files"].as_array().unwrap().len(), 2);
    let too_large = upload(&served, "l.csv", "k3", &vec![b'1'; 200_001]);
    assert_eq!((too_large.status, too_large.code().as_str()), (413, "too_large"));
    assert!(served.stop().success());
    let doctor = run(served.path(), &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}{}", stdout(&doctor), stderr(&doctor));
}

/// The document is published: `./just snap` accepts a new one; read the diff.
#[test]
fn the_openapi_document_is_as_published() {
    let folder = tempdir().unwrap();
    let served = Server::start(folder.path(), &[]);
    let document = served.get("/openapi.json", &[]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&golden, &document.body).unwrap();
    }
    let published = fs::read_to_string(&golden).unwrap_or_default();
    assert!(published == document.text(), "tests/openapi.json differs from what is served; run `./just snap`");
    let page = served.get("/", &[]);
    assert!(page.head.contains("content-type: text/html") && page.text().contains("/dead-letters/{id}/redrive"));
    assert!(!page.text().contains("<script"));
    assert_eq!(served.get("/healthz", &[]).text(), "ok\n");
}
