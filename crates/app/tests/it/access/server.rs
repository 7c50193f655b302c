//! The service as a process of its own, and requests as bytes on a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{millrace, run, stderr, stdout};

/// A service that runs until it is dropped.
pub(crate) struct Server {
    pub(super) child: Child,
    pub(crate) folder: PathBuf,
    /// Where the HTTP API is: `127.0.0.1:PORT`.
    pub(crate) http: String,
    /// Where the S3 door is.
    pub(crate) s3: String,
    told: Arc<Mutex<String>>,
}

impl Server {
    /// Starts it on the data folder in `folder`, on ports that are free.
    pub(crate) fn start(folder: &Path, words: &[&str]) -> Self {
        let ports = ["serve", "--http", "127.0.0.1:0", "--s3", "127.0.0.1:0"];
        let mut command = millrace(folder, &[&ports, words].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut addresses = Vec::new();
        while addresses.len() < 2 {
            let line = lines.next().expect("the service ended before it listened").unwrap();
            addresses.extend(line.split_once("://").filter(|_| line.contains("http")).map(|(_, rest)| rest.to_owned()));
        }
        let told = Arc::new(Mutex::new(String::new()));
        let heard = told.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| heard.lock().unwrap().push_str(&format!("{line}\n")));
        });
        let s3 = addresses.pop().unwrap();
        let http = addresses.pop().unwrap();
        Self { child, folder: folder.to_owned(), http, s3, told }
    }

    /// What it said on standard error after it listened.
    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// Tells it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// Runs another command on its folder, while it serves.
    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        let output = run(&self.folder, words);
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| panic!("{words:?}: {error}: {}", stderr(&output)))
    }

    /// Sends a request to the HTTP API.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.http, &Request { path, headers, ..Request::default() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// With the query.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self { method: "GET", path: "/", headers: &[], body: "" }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The name of what went wrong.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends a request, on a connection of its own.
pub(crate) fn send(address: &str, request: &Request<'_>) -> Answer {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    exchange(stream, address, request)
}

/// The same on a connection that is there.
pub(crate) fn exchange(mut stream: impl Read + Write, host: &str, request: &Request<'_>) -> Answer {
    let Request { method, path, headers, body } = request;
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    // who ends a connection without a word of farewell has still answered
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {method} {path}: {answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Waits until something is so.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not come to be so");
        std::thread::sleep(Duration::from_millis(50));
    }
}
