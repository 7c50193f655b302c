//! A client of HTTP that says and hears exactly what it is told to, and nothing by itself.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long an answer may take, and everything else that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub method: &'a str,
    /// With the query.
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self { method: "GET", path: "/", headers: &[], body: b"" }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    /// As it came, its end left out.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.head, self.text()))
    }

    /// The name of what went wrong, which is told as all problems are.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let json = self.json();
        assert_eq!(json["status"], self.status, "{json}");
        assert!(json["detail"].is_string() && json["hint"].is_string(), "{json}");
        json["code"].as_str().unwrap().to_owned()
    }
}

/// Opens a connection to an address such as `127.0.0.1:80`.
pub(crate) fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a request on a connection of its own; an error when no whole answer came.
pub(crate) fn request(address: &str, request: &Request<'_>) -> io::Result<Answer> {
    exchange(connect(address)?, address, request)
}

/// The same where an answer must come.
pub(crate) fn send(address: &str, request: &Request<'_>) -> Answer {
    self::request(address, request).unwrap_or_else(|error| panic!("{request:?}: {error}"))
}

/// The same on a connection that is there.
pub(crate) fn exchange(mut stream: impl Read + Write, host: &str, request: &Request<'_>) -> io::Result<Answer> {
    let Request { method, path, headers, body } = request;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    // who is refused early is answered, and not read on
    let _ = stream.write_all(body);
    answer(&mut stream)
}

/// Reads an answer to its end, which must be as its head says.
pub(crate) fn answer(stream: &mut impl Read) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    // a connection that is broken off behind a whole answer is as good as one that is closed
    let ended = stream.read_to_end(&mut bytes);
    whole(&bytes).ok_or_else(|| {
        ended.err().unwrap_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is not whole"))
    })
}

fn whole(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = joined(&answer.body)?;
    }
    let length: Option<usize> = answer.header("content-length").and_then(|length| length.parse().ok());
    Some(answer).filter(|answer| length.is_none_or(|length| length == answer.body.len()))
}

/// A body that came in chunks.
fn joined(mut chunked: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunked.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&chunked[..end]).ok()?, 16).ok()?;
        chunked = &chunked[end + 2..];
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunked.get(..length)?);
        chunked = chunked.get(length + 2..)?;
    }
}

/// Waits until something is so.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not come to be so");
        std::thread::sleep(Duration::from_millis(20));
    }
}
