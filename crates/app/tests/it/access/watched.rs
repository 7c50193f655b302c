//! What whoever runs the service can see: alarms, logs, traces, metrics.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use serde_json::Value;
use tempfile::tempdir;

use super::{BUCKET, DAY, put};
use crate::client::{eventually, send};
use crate::server::Server;
use crate::{run, stderr};

fn files_within(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_within(&path) } else { vec![path] }).collect()
}

fn alarm(server: &Server, name: &str) -> Value {
    let alarms = server.get("/alarms", &[]).json();
    let found = alarms["alarms"].as_array().unwrap().iter().find(|alarm| alarm["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {alarms}")).clone()
}

#[test]
fn a_file_that_cannot_be_worked_on_is_alarming_until_its_dead_letter_is_gone() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let rows: String = (0..5000)
        .map(|second| format!("A,10,2,2026-01-01T0{}:{:02}:{:02}Z\n", second / 3600, second / 60 % 60, second % 60))
        .collect();
    fs::write(path.join("day.csv"), format!("symbol,price,volume,timestamp\n{rows}")).unwrap();
    let output = run(path, &["run", "day.csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // the disk loses a byte of every file
    for file in files_within(&path.join("data/objects")) {
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
    }
    let server = Server::start(path, &[]);
    eventually("a first look", || {
        server.get("/alarms", &[]).json()["alarms"].as_array().filter(|all| !all.is_empty()).map(|_| ())
    });
    assert_eq!(alarm(&server, "errors/file-validator")["state"], "ok");
    run(path, &["replay", "day.csv"]);
    let name = "dead-letters/file-validator-events-dlq";
    let names = eventually("an alarm", || {
        let alarms = server.get("/alarms", &[]).json();
        let on = alarms["alarms"].as_array().unwrap().iter().filter(|alarm| alarm["state"] == "alarm");
        let on: Vec<String> = on.map(|alarm| alarm["name"].as_str().unwrap().to_owned()).collect();
        (on.len() >= 2).then_some(on)
    });
    assert_eq!(names, [name, "errors/file-validator"]);
    let on = alarm(&server, name);
    assert!(
        on["since"].as_u64().unwrap() > 0
            && on["value"] == 1.0
            && on["reason"].as_str().unwrap().contains("file-validator-events-dlq")
    );
    // the log comes a moment later
    eventually("a line of the log", || server.told().contains("alarm: ").then_some(()));
    let page = server.get("/metrics", &[]).text();
    for line in [
        format!("millrace_alarm{{alarm=\"{name}\"}} 1"),
        "millrace_dead_letters{queue=\"file-validator-events-dlq\"} 1".to_owned(),
        "millrace_stage_attempts_total{preset=\"files\",stage=\"validate\",result=\"failed\"} 3".to_owned(),
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    run(path, &["dead-letters", "purge", "--all"]);
    eventually("the end of the alarm", || (alarm(&server, name)["state"] == "ok").then_some(()));
}

#[test]
fn a_file_has_one_trace_in_its_receipt_in_the_log_and_at_the_collector() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", collector.local_addr().unwrap());
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in collector.incoming() {
            let (mut stream, mut text) = (stream.unwrap(), String::new());
            let mut piece = [0; 64 * 1024];
            let body = loop {
                let read = stream.read(&mut piece).unwrap();
                text.push_str(&String::from_utf8_lossy(&piece[..read]));
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
                    break body.to_owned();
                }
            };
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            if told.send(body).is_err() {
                return;
            }
        }
    });
    let folder = tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--otlp", &address, "--log", "json"]);
    assert_eq!(send(&server.s3, &put(&format!("{BUCKET}/day.csv"), DAY)).status, 200);
    let body = heard.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
    let receipt = server.get("/status/day.csv", &[]).json();
    let trace = receipt["traceId"].as_str().unwrap();
    let sent: Value = serde_json::from_str(&body).unwrap();
    let spans = sent["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let names: Vec<&str> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["file files", "validate", "process", "aggregate"]);
    for span in spans {
        assert_eq!((span["traceId"].as_str(), span["spanId"].as_str().map(str::len)), (Some(trace), Some(16)));
        assert!(names[0] == span["name"] || span["parentSpanId"] == spans[0]["spanId"]);
    }
    assert!(server.stop().success());
    let logs = files_within(&folder.path().join("data/logs"));
    let lines: Vec<Value> =
        fs::read_to_string(&logs[0]).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_trace: Vec<&str> =
        lines.iter().filter(|line| line["trace.id"] == trace).map(|line| line["message"].as_str().unwrap()).collect();
    let stages = ["validate", "process", "aggregate"].map(|stage| format!("{stage} is done with day.csv"));
    for wanted in stages.iter().map(String::as_str).chain(["day.csv completed"]) {
        assert!(of_trace.contains(&wanted), "{wanted} is not in {of_trace:?}");
    }
    let put = lines.iter().find(|line| line["method"] == "PUT").unwrap();
    assert_eq!((put["door"].as_str(), put["status"].as_u64()), (Some("s3"), Some(200)));
}

const PAGE: &str = include_str!("../../../../../docs/metrics.md");

/// Every value has the labels that the page says it has.
fn labels_are_told(exported: &str) {
    for line in exported.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).unwrap();
        let row = PAGE.lines().find(|row| {
            let parts = ["", "_bucket", "_sum", "_count"].map(|part| name.strip_suffix(part).unwrap_or(name));
            parts.iter().any(|name| row.starts_with(&format!("| `{name}` |")))
        });
        let told: Vec<&str> =
            row.unwrap_or_else(|| panic!("{name}")).split('|').nth(3).unwrap().split('`').skip(1).step_by(2).collect();
        let labels = if line.contains('{') { rest.rsplit_once('}').unwrap().0 } else { "" };
        let found: Vec<&str> = labels
            .split("\",")
            .filter_map(|label| Some(label.split_once("=\"")?.0))
            .filter(|label| *label != "le")
            .collect();
        assert_eq!(found, told, "{line}");
    }
}

#[test]
fn metrics_are_those_that_are_told() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(send(&server.s3, &put(&format!("{BUCKET}/day.csv"), DAY)).status, 200);
    let counted = "millrace_files_total{preset=\"files\",outcome=\"completed\"} 1";
    let page = eventually("a file that is counted", || {
        let page = server.get("/metrics", &[]).text();
        page.contains(counted).then_some(page)
    });
    for line in [
        "millrace_rows_total{preset=\"files\",result=\"good\"} 1",
        "millrace_requests_total{door=\"s3\",method=\"PUT\",route=\"/{bucket}/{key}\",status=\"200\"} 1",
        "millrace_stage_attempts_total{preset=\"files\",stage=\"aggregate\",result=\"done\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    labels_are_told(&page);
    let exported: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `millrace_"));
    let told: Vec<String> = rows
        .map(|row| {
            let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`'));
            format!("millrace_{} {}", cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    assert_eq!(exported, told, "docs/metrics.md is not what is exported");
}
