//! Webhooks, by a receiver that takes, refuses and is away.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ring::hmac;
use serde_json::Value;
use tempfile::tempdir;

use super::client::{Request, send};
use super::server::Server;
use super::{run, stderr, stdout};

const CARDS: &str = "transaction_id,timestamp,amount,currency,merchant,status\n\
    t1,2026-01-05T10:00:00Z,1.50,EUR,Shop,completed\nt2,2026-01-05T11:00:00Z,x,EUR,Shop,completed\n";

/// The secret of the Standard Webhooks specification, as text and as bytes.
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const SECRET_BYTES: [u8; 24] =
    [11, 97, 85, 176, 20, 8, 134, 187, 28, 10, 25, 80, 32, 197, 126, 111, 155, 18, 98, 202, 104, 111, 186, 3];

/// What came with one request.
struct Event {
    id: String,
    body: Value,
}

/// Takes requests: the first few are refused with 500, of all the signature is looked at.
fn receiver(refusals: usize) -> (String, Receiver<Event>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                headers.push(line.trim().to_owned());
            }
            let header = |name: &str| {
                let found = headers.iter().find_map(|line| {
                    let (known, value) = line.split_once(':')?;
                    known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
                });
                found.unwrap_or_else(|| panic!("no {name} in {headers:?}"))
            };
            let mut body = vec![0; header("content-length").parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
            let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &body].concat();
            let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET_BYTES);
            let told = header("webhook-signature");
            assert_eq!(told, format!("v1,{}", base64(hmac::sign(&key, &signed).as_ref())));
            let status = if number < refusals { "500 No" } else { "204 Taken" };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            if tell.send(Event { id, body: serde_json::from_slice(&body).unwrap() }).is_err() {
                return;
            }
        }
    });
    (url, heard)
}

fn base64(bytes: &[u8]) -> String {
    let letters: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let letter =
        |six: &[u8]| letters[six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit)) << (6 - six.len())];
    let mut text: String = bits.chunks(6).map(letter).collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn settings(folder: &Path, url: &str, events: &str) {
    let text =
        format!("[[serve.webhook]]\nname = \"desk\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\nevents = {events}\n");
    fs::write(folder.join("millrace.toml"), text).unwrap();
}

#[test]
fn a_receiver_that_fails_hears_the_same_event_again() {
    let (url, heard) = receiver(2);
    let folder = tempdir().unwrap();
    settings(folder.path(), &url, "[\"*\"]");
    let server = Server::keeping(folder, &[]);
    fs::write(server.path().join("cards.csv"), CARDS).unwrap();
    let output = run(server.path(), &["run", "cards.csv"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let events: Vec<Event> = (0..3).map(|_| heard.recv_timeout(Duration::from_secs(60)).unwrap()).collect();
    assert!(events.iter().all(|event| event.id == events[0].id), "every attempt has the same id");
    let body = &events[2].body;
    assert_eq!((&body["type"], &body["data"]["fileId"]), (&"file.completed_with_rejects".into(), &"cards.csv".into()));
    assert_eq!(body["data"]["rows"], serde_json::json!([2, 1, 1, 0]));
    assert!(heard.recv_timeout(Duration::from_millis(1500)).is_err(), "what was taken comes once");
}

#[test]
fn webhooks_are_tried_and_what_is_wrong_with_them_is_told() {
    let (url, heard) = receiver(0);
    let folder = tempdir().unwrap();
    settings(folder.path(), &url, "[\"alarm.*\"]");
    let listed = run(folder.path(), &["webhooks", "list"]);
    assert!(stdout(&listed).contains(&format!("desk     {url}  alarm.*")), "{}", stdout(&listed));
    let tried = run(folder.path(), &["webhooks", "test"]);
    assert_eq!(tried.status.code(), Some(0), "{}", stderr(&tried));
    assert_eq!(stdout(&tried), "desk: taken, answered 204\n");
    assert_eq!(heard.recv().unwrap().body["type"], "test");
    let unknown = run(folder.path(), &["webhooks", "test", "other"]);
    assert!(stderr(&unknown).contains("there is no webhook `other`") && stderr(&unknown).contains("desk"));

    settings(folder.path(), "http://127.0.0.1:1/", "[\"*\"]");
    let away = run(folder.path(), &["webhooks", "test", "--json"]);
    assert_eq!(away.status.code(), Some(1));
    assert!(stdout(&away).contains("\"taken\":false"), "{}", stdout(&away));
    settings(folder.path(), "desk", "[\"*\"]");
    let wrong = run(folder.path(), &["serve"]);
    assert!(stderr(&wrong).contains("webhook `desk`: `desk` is no address"), "{}", stderr(&wrong));
}

#[test]
fn every_end_of_a_file_is_told() {
    let (url, heard) = receiver(0);
    let folder = tempdir().unwrap();
    settings(folder.path(), &url, "[\"*\"]");
    let server = Server::keeping(folder, &[]);
    let trade = |price: u32| format!("symbol,price,volume,timestamp\nA,{price},2,2026-01-01T09:00:01Z\n");
    let put = |key: &str, text: &str, told: &[&str]| {
        let path = format!("/file-processing-bucket-dev/{key}");
        let put = Request { method: "PUT", path: &path, body: text.as_bytes(), ..Request::default() };
        assert_eq!(send(&server.s3, &put).status, 200);
        let mut events: Vec<String> = told
            .iter()
            .map(|_| heard.recv_timeout(Duration::from_secs(30)).unwrap().body)
            .map(|body| format!("{} {}", body["type"].as_str().unwrap(), body["data"]["fileId"].as_str().unwrap()))
            .collect();
        events.sort();
        assert_eq!(events, told, "{key}");
    };
    put("a.csv", &trade(1), &["file.completed a.csv"]);
    put("b.csv", &trade(1), &["file.duplicate b.csv"]);
    put("no.csv", "some,thing\n1,2\n", &["file.rejected no.csv"]);
    let all = ["file.completed a.csv", "file.completed b.csv", "file.superseded a.csv", "window.restated a.csv"];
    put("a.csv", &trade(2), &all);
}

#[test]
fn each_batch_of_rows_that_is_kept_is_told_once() {
    let (url, heard) = receiver(0);
    let folder = tempdir().unwrap();
    settings(folder.path(), &url, "[\"rows.*\"]");
    let server = Server::keeping(folder, &[]);
    let record = |price: u32| {
        format!("{{\"symbol\":\"TSLA\",\"price\":{price},\"timestamp\":\"2026-01-01T09:0{price}:00Z\"}}\n")
    };
    let body = record(1) + &record(7);
    let ingest = |key: &str| server.ask("POST", "/ingest", &[("Idempotency-Key", key)], body.as_bytes()).json();
    // the same request again is not another batch
    let (one, again, two) = (ingest("a"), ingest("a"), ingest("b"));
    assert_eq!(one["origin"], again["origin"]);
    // two batches, in one event or in two
    let (mut origins, mut rows) = (Vec::new(), 0);
    while origins.len() < 2 {
        let event = heard.recv_timeout(Duration::from_secs(30)).unwrap().body;
        let data = &event["data"];
        assert_eq!((&event["type"], &data["feed"]), (&"rows.kept".into(), &"market".into()), "{event}");
        assert_eq!(data["window"], serde_json::json!(["2026-01-01T09:00:00Z", "2026-01-01T09:10:00Z"]), "{event}");
        origins.extend(data["origins"].as_array().unwrap().iter().cloned());
        rows += data["rows"][1].as_u64().unwrap();
    }
    origins.sort_by_key(|origin| *origin != one["origin"]);
    assert_eq!((origins, rows), (vec![one["origin"].clone(), two["origin"].clone()], 4));
    assert!(heard.recv_timeout(Duration::from_millis(1500)).is_err(), "what was told is not told again");
}

#[test]
fn dead_letters_and_alarms_are_told() {
    let (url, heard) = receiver(0);
    let folder = tempdir().unwrap();
    let rows: String =
        (0..5000).map(|row| format!("A,10,2,2026-01-01T09:{:02}:{:02}Z\n", row / 60 % 60, row % 60)).collect();
    fs::write(folder.path().join("day.csv"), format!("symbol,price,volume,timestamp\n{rows}")).unwrap();
    let output = run(folder.path(), &["run", "day.csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // the disk loses a byte of every file
    for part in fs::read_dir(folder.path().join("data/objects")).unwrap() {
        for file in fs::read_dir(part.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    settings(folder.path(), &url, "[\"alarm.*\", \"dead_letter.*\", \"file.failed\"]");
    let server = Server::keeping(folder, &[]);
    run(server.path(), &["replay", "day.csv"]);
    let next = || heard.recv_timeout(Duration::from_secs(60)).unwrap().body;
    let mut events: Vec<String> = (0..4).map(|_| next()["type"].as_str().unwrap().to_owned()).collect();
    events.sort();
    assert_eq!(events, ["alarm.raised", "alarm.raised", "dead_letter.created", "file.failed"]);
    run(server.path(), &["dead-letters", "purge", "--all"]);
    let cleared = next();
    assert_eq!(cleared["type"], "alarm.cleared");
    assert!(cleared["data"]["detail"].as_str().unwrap().starts_with("dead-letters/file-validator-events-dlq"));
}

#[test]
fn an_alarm_is_told_once_though_the_service_is_started_anew() {
    let (url, heard) = receiver(0);
    let folder = tempdir().unwrap();
    let path = folder.path();
    settings(path, &url, "[\"alarm.*\"]");
    let key = super::access::key(path, &["--admin"]);
    let alarm = format!("quota/{}", key["id"].as_str().unwrap());
    // what was told when it was killed may come again, and is known by its id
    let mut known = Vec::new();
    let mut within = |seconds| loop {
        let Event { id, body } = heard.recv_timeout(Duration::from_secs(seconds)).ok()?;
        if !known.contains(&id) {
            known.push(id);
            return Some(body);
        }
    };
    let start = |most: &str| Server::start(path, &["--access", "keys", "--uploads-per-day", most]);
    let server = start("2");
    for name in ["a.csv", "b.csv"] {
        let headers = [("X-Api-Key", key["apiKey"].as_str().unwrap())];
        let post = Request { method: "POST", path: &format!("/upload?key={name}"), headers: &headers, body: b"x" };
        assert_eq!(send(&server.http, &post).status, 202);
    }
    let raised = within(60).unwrap();
    let data = &raised["data"];
    assert_eq!((&raised["type"], &data["alarm"]), (&"alarm.raised".into(), &alarm.as_str().into()), "{raised}");
    assert_eq!((data["value"].as_f64(), data["threshold"].as_f64()), (Some(100.0), Some(80.0)), "{raised}");
    assert_eq!((&data["unit"], data.get("rows")), (&"percent".into(), None), "{raised}");
    assert_eq!(data["detail"], format!("{alarm}: key {} made 2 of 2 uploads of today", key["id"].as_str().unwrap()));
    // killed, and looked at again
    drop(server);
    let server = start("2");
    assert_eq!(within(5), None, "it is told again");
    let api_key = [("X-Api-Key", key["apiKey"].as_str().unwrap())];
    let alarms = server.get("/alarms", &api_key).json();
    let on = alarms["alarms"].as_array().unwrap().iter().find(|known| known["name"] == alarm.as_str()).unwrap();
    assert_eq!((&on["state"], &on["since"]), (&"alarm".into(), &data["at"]), "{on}");
    // it ends while nobody looks
    drop(server);
    let server = start("100");
    let cleared = within(60).unwrap();
    assert_eq!((&cleared["type"], &cleared["data"]["alarm"]), (&"alarm.cleared".into(), &alarm.as_str().into()));
    assert_eq!(cleared["data"]["value"], 2.0, "{cleared}");
    drop(server);
    let _server = start("100");
    assert_eq!(within(4), None, "what is over is told again");
}

#[test]
fn a_message_that_nobody_takes_is_alarming_until_it_is_taken() {
    // refused for 1 + 2 + 4 seconds
    let (url, heard) = receiver(3);
    let folder = tempdir().unwrap();
    settings(folder.path(), &url, "[\"*\"]");
    let server = Server::keeping(folder, &["--oldest-message-seconds", "1"]);
    let post = Request { method: "POST", path: "/upload?key=cards.csv", body: CARDS.as_bytes(), ..Request::default() };
    assert_eq!(send(&server.http, &post).status, 202);
    let next = || heard.recv_timeout(Duration::from_secs(60)).unwrap().body;
    assert!((0..4).all(|_| next()["type"] == "file.completed_with_rejects"));
    for event in ["alarm.raised", "alarm.cleared"] {
        let told = next();
        assert_eq!((&told["type"], &told["data"]["alarm"]), (&event.into(), &"oldest-message/notifications".into()));
        assert_eq!(
            (told["data"]["value"].as_f64() > Some(1.0), &told["data"]["threshold"]),
            (event == "alarm.raised", &1.0.into())
        );
    }
}
