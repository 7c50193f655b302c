//! Told to end, the service ends what was begun and loses nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tempfile::tempdir;

use super::{BUCKET, DAY, get};
use crate::client::{eventually, send};
use crate::server::Server;

#[test]
fn a_request_that_is_under_way_is_answered_and_kept() {
    let folder = tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let mut stream = TcpStream::connect(&server.s3).unwrap();
    let (half, rest) = DAY.split_at(DAY.len() / 2);
    let (path, host, length) = (format!("{BUCKET}/day.csv"), &server.s3, DAY.len());
    write!(stream, "PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{half}").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    server.tell_to_end();
    eventually("no new connection", || TcpStream::connect(&server.http).is_err().then_some(()));
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(server.ended().success());
    drop(server);
    let server = Server::start(folder.path(), &[]);
    assert_eq!(send(&server.s3, &get(&path)).text(), DAY);
    eventually("the file at its end", || {
        (server.get("/status/day.csv", &[]).json()["outcome"] == "completed").then_some(())
    });
}
