//! What the S3 door holds of bodies: little of all of them together, however many there are and however they are cut.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::super::access::sign::{CHUNKS, Signer};
use super::super::access::signer;
use super::super::client::{Answer, Request, connect, eventually, request, send};
use super::super::overload::resident_bytes;
use super::super::server::Server;
use super::{BUCKET, sound, unfinished};

const MIB: usize = 1024 * 1024;

/// The pair with which clients sign where nobody is asked who they are.
fn local() -> Signer {
    signer(&json!({ "accessKeyId": "millrace", "secretAccessKey": "millrace-local" }), "s3")
}

fn lines(headers: &[(&str, String)]) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

/// The head of a request that puts something in signed chunks, and that of its first chunk.
fn chunked(host: &str, path: &str) -> String {
    let signed = Request { method: "PUT", path, ..Request::default() };
    let headers = lines(&local().declaring(host, &signed, CHUNKS.to_owned()));
    let bytes = 16 * MIB;
    format!(
        "PUT {path} HTTP/1.1\r\nhost: {host}\r\n{headers}x-amz-decoded-content-length: {bytes}\r\ncontent-length: {}\r\n\r\n\
         {bytes:x};chunk-signature={}\r\n",
        bytes + 1000,
        "0".repeat(64)
    )
}

/// Whether there is an answer already, which must then be that there is no room.
fn is_refused(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut came = Vec::new();
    let ended = stream.read_to_end(&mut came);
    let told = String::from_utf8_lossy(&came);
    let is_told = told.contains("503") && told.contains("SlowDown") && told.contains("retry-after: 1");
    // who is still sending may be answered by a connection that is broken off
    let is_broken_off = ended.is_err_and(|error| error.kind() != ErrorKind::WouldBlock);
    assert!(is_told || told.is_empty(), "{told}");
    is_told || is_broken_off
}

/// Begins so many requests that bring so many bytes behind their head and do not end.
fn begin(server: &Server, head: impl Fn(usize) -> String, bytes: usize, times: usize) -> Vec<TcpStream> {
    let piece = vec![b'\n'; bytes];
    let begin = |number| {
        let mut stream = connect(&server.s3).unwrap();
        stream.write_all(head(number).as_bytes()).unwrap();
        let _ = stream.write_all(&piece);
        stream
    };
    (0..times).map(begin).collect()
}

fn slow_down(answer: &Answer) -> bool {
    answer.status == 503 && answer.text().contains("SlowDown") && answer.header("retry-after") == Some("1")
}

#[test]
fn signed_chunks_that_do_not_end_are_few_at_a_time_and_hinder_no_small_ones() {
    let mut server = Server::fresh(&[]);
    let host = server.s3.clone();
    let path = |number: usize| format!("{BUCKET}/held-{number}.csv");
    let before = resident_bytes(server.id());
    let mut held = begin(&server, |number| chunked(&host, &path(number)), 15 * MIB, 12);
    let refused = eventually("the end of what chunks may take", || {
        let refused = held.iter_mut().map(is_refused).filter(|refused| *refused).count();
        (refused >= 8).then_some(refused)
    });
    assert!(refused < 12, "all of them");
    let grown = resident_bytes(server.id()).saturating_sub(before) as usize;
    assert!(grown < 110 * MIB, "memory grew by {grown} bytes");

    // bodies that come as most clients send them are taken all the while
    let file = vec![b'7'; MIB];
    let small = path(100);
    let put = Request { method: "PUT", path: &small, body: &file, ..Request::default() };
    let (headers, body) = local().in_chunks(&host, &put, 64 * 1024);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let in_chunks = Request { headers: &headers, body: &body, ..put };
    let taken = send(&host, &in_chunks);
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(send(&host, &put).status, 200);
    // and one that is large is told when to come back
    let large = vec![b'7'; 15 * MIB];
    let (headers, body) = local().in_chunks(&host, &Request { body: &large, ..put }, 15 * MIB);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let in_one = Request { headers: &headers, body: &body, ..put };
    if let Ok(answer) = request(&host, &in_one) {
        assert!(slow_down(&answer), "{}", answer.text());
    }
    drop(held);
    eventually("room for more", || {
        request(&host, &in_one).ok().filter(|answer| answer.status == 200 || !slow_down(answer)).map(|answer| {
            assert_eq!(answer.status, 200, "{}", answer.text());
        })
    });
    let got = send(&host, &Request { path: &small, ..Request::default() });
    assert!(got.body == large, "{} bytes", got.body.len());
    eventually("what was begun goes", || (unfinished(&server) == 0).then_some(()));
    for number in 0..12 {
        assert_eq!(send(&host, &Request { path: &path(number), ..Request::default() }).status, 404);
    }
    sound(&mut server);
}

#[test]
fn requests_in_xml_are_few_at_a_time_in_memory() {
    let mut server = Server::fresh(&[]);
    let host = server.s3.clone();
    let head = |_| format!("POST {BUCKET}?delete= HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n\r\n", 8 * MIB);
    let mut held = begin(&server, head, 8 * MIB - 1, 16);
    eventually("the end of what they may take", || {
        (held.iter_mut().map(is_refused).filter(|refused| *refused).count() >= 8).then_some(())
    });
    drop(held);
    let path = format!("{BUCKET}?delete=");
    let body = b"<Delete><Object><Key>a.csv</Key></Object></Delete>";
    let deletes = Request { method: "POST", path: &path, body, ..Request::default() };
    eventually("room for more", || (send(&host, &deletes).status == 200).then_some(()));
    let long = vec![b' '; 8 * MIB + 1];
    if let Ok(answer) = request(&host, &Request { body: &long, ..deletes }) {
        assert!(answer.status == 400 && answer.text().contains("MaxMessageLengthExceeded"), "{}", answer.text());
    }
    sound(&mut server);
}
