//! `millrace upload` against the real service, and against servers that break off, are busy, or lie.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::access::key;
use super::server::Server;
use super::{stderr, stdout};

const TRADES: &str = "symbol,price,volume,timestamp\nA,10,2,2026-01-01T09:00:01Z\nB,11,2,2026-01-01T09:00:02Z\n";
const BAD: &str = "symbol,price,volume,timestamp\nA,x,2,2026-01-01T09:00:01Z\nB,12,2,2026-01-01T09:00:02Z\n";

/// The command in a folder, with nothing of the environment that it reads.
fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command.arg("upload").args(words).current_dir(folder).stdin(Stdio::null());
    for name in ["URL", "API_KEY", "CA", "FEED", "PREFIX"] {
        command.env_remove(format!("MILLRACE_{name}"));
    }
    command
}

fn upload(server: &Server, folder: &Path, words: &[&str]) -> Output {
    let url = format!("http://{}", server.http);
    command(folder, &[&["--url", &url], words].concat()).output().unwrap()
}

fn files(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn files_are_sent_and_waited_for() {
    let server = Server::fresh(&[]);
    let here = files(&[("a b+é.csv", TRADES), ("bad.csv", BAD), ("no.csv", "some,thing\n1,2\n")]);
    let sent = upload(&server, here.path(), &["--feed", "files", "a b+é.csv"]);
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    assert!(stdout(&sent).starts_with("a b+é.csv: 86 B received as upload-"), "{}", stdout(&sent));
    for (name, words, code, told) in [
        ("bad.csv", "", 3, "bad.csv: completed with rejects, 2 rows: 1 good, 1 rejected, 0 duplicate"),
        ("no.csv", "", 3, "no.csv: rejected"),
        // the same bytes under another name
        ("a b+é.csv", "2026/", 0, "2026/a b+é.csv: duplicate"),
    ] {
        let sent = upload(&server, here.path(), &["--feed", "files", "--wait", "--prefix", words, name]);
        assert_eq!(sent.status.code(), Some(code), "{name}: {}", stderr(&sent));
        assert!(stdout(&sent).starts_with(told), "{name}: {}", stdout(&sent));
    }
    let both = upload(&server, here.path(), &["--feed", "files", "--wait", "--json", "gone.csv", "a b+é.csv"]);
    assert_eq!(both.status.code(), Some(1), "one of them could not");
    assert!(stderr(&both).contains("gone.csv: no such file"), "{}", stderr(&both));
    let receipt: Value = serde_json::from_str(&stdout(&both)).unwrap();
    assert_eq!((&receipt["fileId"], &receipt["outcome"]), (&"a b+é.csv".into(), &"duplicate".into()));
}

#[test]
fn standard_input_is_sent_under_a_key() {
    let server = Server::fresh(&[]);
    let here = files(&[]);
    let url = format!("http://{}", server.http);
    let nameless = command(here.path(), &["-"]).env("MILLRACE_URL", &url).output().unwrap();
    assert!(stderr(&nameless).contains("has no name that could be its key"), "{}", stderr(&nameless));
    let mut child = command(here.path(), &["--key", "in.csv", "--json", "-"])
        .env("MILLRACE_URL", &url)
        .env("MILLRACE_FEED", "files")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(TRADES.as_bytes()).unwrap();
    let sent = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_str(&stdout(&sent)).unwrap();
    assert_eq!((&answer["fileId"], &answer["bytes"]), (&"in.csv".into(), &86.into()));
}

#[test]
fn what_is_refused_is_told_with_what_to_do() {
    let server = Server::fresh(&["--access", "keys", "--upload-bytes-max", "1000000", "--uploads-per-day", "3"]);
    let here = files(&[("day.csv", TRADES)]);
    fs::write(here.path().join("large.csv"), vec![b'x'; 1_000_001]).unwrap();
    let partner = key(server.path(), &["--partner", "acme"]);
    let with = |api_key: &str, words: &[&str]| upload(&server, here.path(), &[&["--api-key", api_key], words].concat());
    let own = partner["apiKey"].as_str().unwrap();
    for (api_key, words, told) in [
        ("mk_none_x", &["day.csv"][..], ["answered 403", "give another API key"]),
        (own, &["--feed", "files", "day.csv"], ["answered 403", "name the file acme/day.csv"]),
        (own, &["--feed", "files", "--prefix", "acme/", "large.csv"], ["answered 413", "raise upload_bytes_max"]),
        (own, &["--feed", "nothing", "--prefix", "acme/", "day.csv"], ["answered 404", "there are:"]),
        // the quota of the day is used up, and it is long until the next
        (own, &["--feed", "files", "--prefix", "acme/", "day.csv"], ["answered 429", "come back in"]),
    ] {
        let refused = with(api_key, words);
        assert_eq!(refused.status.code(), Some(1), "{words:?}: {}", stderr(&refused));
        assert!(told.iter().all(|part| stderr(&refused).contains(part)), "{words:?}: {}", stderr(&refused));
        assert!(!stderr(&refused).contains("trying again"), "{words:?}: {}", stderr(&refused));
    }
    let none = upload(&server, here.path(), &["day.csv"]);
    assert!(stderr(&none).contains("give an API key: MILLRACE_API_KEY=mk_"), "{}", stderr(&none));
    let nobody = command(here.path(), &["--url", "http://127.0.0.1:1", "--retry", "1", "day.csv"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    let told = stderr(&nobody);
    assert!(told.contains("http://127.0.0.1:1: nobody listens there; trying again in 0.5 s (1 of 1)"), "{told}");
    assert!(told.contains("start it with `millrace serve`"), "{told}");
}

#[test]
fn over_https_by_certificates_that_are_named() {
    let here = files(&[("day.csv", TRADES)]);
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(here.path().join("own.pem"), made.cert.pem()).unwrap();
    fs::write(here.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let server = Server::start(here.path(), &["--tls-certificate", "own.pem", "--tls-key", "key.pem"]);
    let url = format!("https://{}", server.http);
    let sent = |words: &[&str]| {
        command(here.path(), &[&["--url", &url, "--feed", "files", "day.csv", "--retry", "0"], words].concat())
            .output()
            .unwrap()
    };
    let trusted = sent(&["--ca", "own.pem"]);
    assert_eq!(trusted.status.code(), Some(0), "{}", stderr(&trusted));
    let stranger = sent(&[]);
    assert_eq!(stranger.status.code(), Some(1));
    assert!(stderr(&stranger).contains("give the certificates that it is known by with --ca"), "{}", stderr(&stranger));
}

/// What a connection in front of the service does.
#[derive(Clone, Copy)]
enum Does {
    /// Passes everything on, both ways.
    Pass,
    /// Passes the request on, and breaks off once the service has answered.
    LoseAnswer,
    /// Breaks off before anything is passed on.
    BreakOff,
    /// Answers this itself.
    Answer(&'static str),
}

/// Stands in front of a service; the connections do one after the other what they are told, and the last of it from then
/// on. Tells the head of each request.
fn in_front(of: &str, does: &'static [Does]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (of, (tell, heads)) = (of.to_owned(), channel());
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut client = stream.unwrap();
            let mut first = vec![0; 16 * 1024];
            let read = client.read(&mut first).unwrap();
            let _ = tell.send(String::from_utf8_lossy(&first[..read]).into_owned());
            match does[number.min(does.len() - 1)] {
                Does::BreakOff => drop(client.shutdown(Shutdown::Both)),
                Does::Answer(text) => drop(client.write_all(text.as_bytes())),
                what => {
                    let mut server = TcpStream::connect(&of).unwrap();
                    server.write_all(&first[..read]).unwrap();
                    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                    if matches!(what, Does::Pass) {
                        std::thread::spawn(move || std::io::copy(&mut server, &mut client));
                    } else {
                        // by then the file is safe
                        server.read_exact(&mut [0; 12]).unwrap();
                        drop(client.shutdown(Shutdown::Both));
                    }
                }
            }
        }
    });
    (url, heads)
}

fn idempotency_key(head: &str) -> &str {
    head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap_or_else(|| panic!("none: {head}"))
}

#[test]
fn a_file_whose_answer_was_lost_is_taken_once() {
    let server = Server::fresh(&[]);
    let here = files(&[("day.csv", TRADES)]);
    let (url, heads) = in_front(&server.http, &[Does::BreakOff, Does::LoseAnswer, Does::Pass]);
    let words = ["--url", &url, "--feed", "files", "--json", "day.csv"];
    let sent = command(here.path(), &words).output().unwrap();
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    assert_eq!(stderr(&sent).matches("the connection broke").count(), 2, "{}", stderr(&sent));
    let heads: Vec<String> = heads.try_iter().collect();
    assert_eq!(heads.len(), 3);
    assert!(heads.iter().all(|head| idempotency_key(head) == idempotency_key(&heads[0])), "{heads:?}");
    let answer: Value = serde_json::from_str(&stdout(&sent)).unwrap();
    let all = server.json("/files?feed=files");
    let listed = all["files"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "{all}");
    assert_eq!(listed[0]["receiptId"], answer["receiptId"]);
    // another time is another file, which is known for a copy
    let (url, _) = in_front(&server.http, &[Does::Pass]);
    let again = command(here.path(), &["--url", &url, "--feed", "files", "--wait", "day.csv"]).output().unwrap();
    assert!(stdout(&again).starts_with("day.csv: duplicate"), "{}", stdout(&again));
}

#[test]
fn who_is_told_to_come_back_does_when_told() {
    let server = Server::fresh(&[]);
    let here = files(&[("day.csv", TRADES)]);
    const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nbusy";
    let (url, _) = in_front(&server.http, &[Does::Answer(BUSY), Does::Pass]);
    let sent = command(here.path(), &["--url", &url, "--feed", "files", "day.csv"]).output().unwrap();
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    assert!(stderr(&sent).contains("answered 429: busy; trying again in 1 s (1 of 5)"), "{}", stderr(&sent));

    const OTHER: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 15\r\n\r\n{\"sha256\":\"00\"}";
    let (url, _) = in_front(&server.http, &[Does::Answer(OTHER)]);
    let other = command(here.path(), &["--url", &url, "--feed", "files", "day.csv"]).output().unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("the service has other bytes than were sent"), "{}", stderr(&other));
}
