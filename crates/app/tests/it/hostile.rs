//! Clients that break off, dawdle and send too much: each is refused or forgotten, and nothing of theirs stays.

mod held;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::access::signer;
use super::client::{Answer, Request, answer, connect, eventually, request, send};
use super::overload::resident_bytes;
use super::server::Server;
use super::{run, stderr, stdout};

const BUCKET: &str = "/file-processing-bucket-dev";

/// Files that were begun and not ended.
fn unfinished(server: &Server) -> usize {
    std::fs::read_dir(server.path().join("data/objects/tmp")).unwrap().count()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sound(server: &mut Server) {
    assert!(server.stop().success());
    let doctor = run(server.path(), &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}{}", stdout(&doctor), stderr(&doctor));
}

#[test]
fn half_an_upload_leaves_nothing() {
    let mut server = Server::fresh(&[]);
    let piece = vec![b'x'; 1024 * 1024];
    for pieces in [0, 1, 3] {
        let mut stream = TcpStream::connect(&server.s3).unwrap();
        let head =
            format!("PUT {BUCKET}/half.csv HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", 8 * piece.len());
        stream.write_all(head.as_bytes()).unwrap();
        (0..pieces).for_each(|_| stream.write_all(&piece).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        drop(stream);
    }
    wait_until("unfinished files go", || unfinished(&server) == 0);
    let got = send(&server.s3, &Request { path: &format!("{BUCKET}/half.csv"), ..Request::default() });
    assert_eq!(got.status, 404, "{}", got.text());
    // so does one that is under way when the service ends
    let mut stream = TcpStream::connect(&server.s3).unwrap();
    let head =
        format!("PUT {BUCKET}/half.csv HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", 8 * piece.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&piece).unwrap();
    stream.write_all(&piece).unwrap();
    wait_until("it has begun", || unfinished(&server) == 1);
    let before = Instant::now();
    server.kill();
    server.restart();
    assert!(before.elapsed() < Duration::from_secs(20));
    assert_eq!(unfinished(&server), 0);
    sound(&mut server);
}

#[test]
fn heads_that_are_too_long_or_never_end_are_refused() {
    let mut server = Server::fresh(&[]);
    let long = "x".repeat(100 * 1024);
    for url in [&server.http, &server.s3] {
        match request(url, &Request { headers: &[("x-long", &long)], ..Request::default() }) {
            Ok(answer) => assert_eq!(answer.status, 431, "{}", answer.text()),
            // it may hang up while the rest is still being sent
            Err(error) => assert!(error.kind() != ErrorKind::TimedOut, "{error}"),
        }
        let mut garbage = TcpStream::connect(url).unwrap();
        garbage.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").unwrap();
        assert_eq!(answer(&mut garbage).map_or(400, |answer| answer.status), 400);
    }
    // forty clients that send a head letter by letter hinder nobody, and are sent away
    let slow: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.http).unwrap();
            stream.write_all(b"GET /healthz HT").unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    assert_eq!(server.get("/healthz", &[]).status, 200);
    assert!(began.elapsed() < Duration::from_secs(2));
    for mut stream in slow {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut rest = Vec::new();
        // an answer or the end, but not for ever
        let _ = stream.read_to_end(&mut rest);
    }
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    sound(&mut server);
}

#[test]
fn a_client_that_takes_nothing_hinders_nobody() {
    let mut server = Server::fresh(&[]);
    let large = vec![7; 16 * 1024 * 1024];
    let path = format!("{BUCKET}/large.bin");
    assert_eq!(
        send(&server.s3, &Request { method: "PUT", path: &path, body: &large, ..Request::default() }).status,
        200
    );
    let stalled: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.s3).unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).unwrap();
            stream
        })
        .collect();
    // more of them than the service has threads for work that blocks
    let got = send(&server.s3, &Request { path: &path, ..Request::default() });
    assert!(got.body == large);
    drop(stalled);
    sound(&mut server);
}

#[test]
fn one_address_cannot_have_all_connections() {
    let mut server = Server::fresh(&["--source-connections", "50"]);
    let hold = |door: &str| -> Vec<TcpStream> {
        let mut held: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(door).unwrap()).collect();
        // those that are too many are closed, the others kept waiting
        held.retain_mut(|stream| {
            stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        });
        held
    };
    let held = [hold(&server.http), hold(&server.s3)];
    assert_eq!(held.each_ref().map(Vec::len), [50, 50]);
    drop(held);
    wait_until("there is room again", || {
        request(&server.http, &Request { path: "/healthz", ..Request::default() }).is_ok_and(|got| got.status == 200)
    });
    sound(&mut server);
}

/// Sends the head of a request, and then a byte of its body every so often until there is an answer.
fn drip(door: &str, head: &str) -> (u16, String, Duration) {
    let mut stream = connect(door).unwrap();
    let began = Instant::now();
    stream.write_all(format!("{head}\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n").as_bytes()).unwrap();
    let mut reading = stream.try_clone().unwrap();
    let answered = std::thread::spawn(move || answer(&mut reading).unwrap());
    while !answered.is_finished() {
        assert!(began.elapsed() < Duration::from_secs(40), "{head}: it goes on");
        let _ = stream.write_all(b"x");
        std::thread::sleep(Duration::from_millis(250));
    }
    let answer = answered.join().unwrap();
    (answer.status, answer.text(), began.elapsed())
}

#[test]
fn a_body_that_drips_is_refused_though_a_piece_comes_now_and_then() {
    let mut server = Server::fresh(&["--piece-seconds", "2"]);
    let (http, s3) = (server.http.as_str(), server.s3.as_str());
    let form = "POST /upload HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=xx";
    std::thread::scope(|scope| {
        for (door, head, status) in [
            (http, "POST /upload?key=a.csv HTTP/1.1", 408),
            (http, form, 408),
            (http, "POST /ingest HTTP/1.1", 408),
            (s3, &format!("PUT {BUCKET}/a.csv HTTP/1.1"), 400),
            // this one is read by the crate that reads requests
            (s3, &format!("POST {BUCKET}?delete= HTTP/1.1"), 400),
        ] {
            let head = head.to_owned();
            scope.spawn(move || {
                let (got, told, took) = drip(door, &head);
                assert_eq!(got, status, "{head}: {told}");
                // of a form that has not begun, nothing came that it is looked for in
                assert!(head == form || told.contains("less than 1024 a second"), "{head}: {told}");
                assert!(took >= Duration::from_secs(if head == form { 2 } else { 4 }), "{head}: {took:?}");
            });
        }
    });
    assert_eq!(unfinished(&server), 0);
    sound(&mut server);
}

#[test]
fn records_that_are_announced_to_be_too_many_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let key = super::access::key(folder.path(), &["--admin"]);
    for access in ["none", "keys"] {
        let server = Server::start(folder.path(), &["--ingest-bytes-max", "1000", "--access", access]);
        let signs = super::access::signer(&key, "execute-api");
        let mut stream = connect(&server.http).unwrap();
        let asked = Request { method: "POST", path: "/ingest", ..Request::default() };
        let mut head = format!("POST /ingest HTTP/1.1\r\nhost: {}\r\ncontent-length: 1001\r\n", server.http);
        signs.headers(&server.http, &asked).iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        // and nothing of the body
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let began = Instant::now();
        let answer = answer(&mut stream).unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"), "{access}");
        assert!(began.elapsed() < Duration::from_secs(10), "{access}: {:?}", began.elapsed());
    }
}

/// A form with a file, as browsers send it to a bucket: its head, and its body up to the end of the file.
fn form(server: &Server, file: &[u8], bytes: usize) -> Vec<u8> {
    let before = "--xx\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nform.csv\r\n--xx\r\n\
                  Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n";
    let length = before.len() + bytes + "\r\n--xx--\r\n".len();
    let host = &server.s3;
    let head = format!(
        "POST {BUCKET} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\
         content-type: Multipart/Form-Data; boundary=xx\r\n\r\n{before}"
    );
    [head.as_bytes(), file].concat()
}

#[test]
fn forms_of_nobody_take_little_memory() {
    let server = Server::fresh(&["--access", "keys"]);
    let sent = |file: &[u8]| {
        let mut stream = connect(&server.s3).unwrap();
        let _ = stream.write_all(&form(&server, file, file.len()));
        let _ = stream.write_all(b"\r\n--xx--\r\n");
        answer(&mut stream)
    };
    let small = sent(b"x").unwrap();
    assert!(small.status == 403 && small.text().contains("not signed"), "{small:?}");
    let before = resident_bytes(server.id());
    let large = vec![b'x'; 96 * 1024 * 1024];
    // whoever does not read on may be answered by a connection that is broken off
    if let Ok(answer) = sent(&large) {
        assert!(answer.status == 400 && answer.text().contains("EntityTooLarge"), "{answer:?}");
    }
    let grown = resident_bytes(server.id()).saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "memory grew by {grown} bytes");

    let waits =
        |mut stream: &TcpStream| stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    // four that wait for the rest of theirs; whose place went to a form that was sent later is answered, and goes
    let mut held: Vec<TcpStream> = Vec::new();
    wait_until("a fifth is refused, and four are not", || {
        held.retain(waits);
        while held.len() < 4 {
            let mut stream = connect(&server.s3).unwrap();
            stream.write_all(&form(&server, b"half", 1024)).unwrap();
            stream.set_nonblocking(true).unwrap();
            held.push(stream);
        }
        let fifth = sent(b"x").unwrap();
        let is_told = fifth.text().contains("SlowDown") && fifth.header("retry-after") == Some("1");
        std::thread::sleep(Duration::from_millis(100));
        fifth.status == 503 && is_told && held.iter().all(waits)
    });
    drop(held);
    wait_until("there is room again", || sent(b"x").unwrap().status == 403);
}

#[test]
fn a_form_is_an_object() {
    let mut server = Server::fresh(&[]);
    let mut stream = connect(&server.s3).unwrap();
    let file = vec![b'7'; 3 * 1024 * 1024];
    stream.write_all(&form(&server, &file, file.len())).unwrap();
    stream.write_all(b"\r\n--xx--\r\n").unwrap();
    let taken = answer(&mut stream).unwrap();
    assert_eq!(taken.status, 204, "{taken:?}");
    let got = send(&server.s3, &Request { path: &format!("{BUCKET}/form.csv"), ..Request::default() });
    assert!(got.status == 200 && got.body == file, "{} {} bytes", got.status, got.body.len());
    sound(&mut server);
}

#[test]
fn a_body_in_one_large_chunk_takes_little_memory() {
    let mut server = Server::fresh(&[]);
    let pair = serde_json::json!({ "accessKeyId": "AKIAELSEWHERE", "secretAccessKey": "x" });
    let (path, host) = (format!("{BUCKET}/large.csv"), server.s3.clone());
    let file = vec![b'x'; 200 * 1024 * 1024];
    let signed = signer(&pair, "s3").headers(&host, &Request { method: "PUT", path: &path, ..Request::default() });
    let mut headers: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    headers[1].1 = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let length = file.len().to_string();
    headers.extend([("x-amz-decoded-content-length", length.as_str()), ("x-amz-trailer", "x-amz-checksum-crc32")]);
    let body = [format!("{:x}\r\n", file.len()).as_bytes(), &file, b"\r\n0\r\n\r\n"].concat();
    let before = resident_bytes(server.id());
    let ends = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = 0;
            while !ends.load(Ordering::SeqCst) {
                most = most.max(resident_bytes(server.id()));
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let put = send(&host, &Request { method: "PUT", path: &path, headers: &headers, body: &body });
        ends.store(true, Ordering::SeqCst);
        assert_eq!(put.status, 200, "{}", put.text());
        watching.join().unwrap()
    });
    assert!(most.saturating_sub(before) < 100 * 1024 * 1024, "memory grew by {} bytes", most - before);
    let got = send(&host, &Request { path: &path, ..Request::default() });
    assert!(got.status == 200 && got.body == file, "{} {} bytes", got.status, got.body.len());
    sound(&mut server);
}

/// Begins requests that bring all their bytes but one, so that none of them ends.
fn unended(address: &str, head: &str, bytes: usize, times: usize) -> Vec<TcpStream> {
    let body = vec![b'\n'; bytes - 1];
    let begin = |_| {
        let mut stream = connect(address).unwrap();
        stream.write_all(format!("{head}content-length: {bytes}\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        stream
    };
    (0..times).map(begin).collect()
}

/// Holds bodies until there is no room for more. A look at whether there is takes room itself, and can be why one of them is
/// refused in the end: then they are begun anew.
fn fill(what: &str, begin: impl Fn() -> Vec<TcpStream>, is_full: impl Fn() -> Option<()>) -> Vec<TcpStream> {
    for _ in 0..5 {
        let (held, until) = (begin(), Instant::now() + Duration::from_secs(15));
        while Instant::now() < until {
            if is_full().is_some() {
                return held;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    panic!("{what} did not come to be so");
}

#[test]
fn bodies_in_memory_are_few_at_a_time_and_those_of_nobody_keep_out_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let key = super::access::key(folder.path(), &["--admin"]);
    let signs = super::access::signer(&key, "execute-api");
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let record = br#"{"symbol":"A","price":1}"#;
    let ingest = Request { method: "POST", path: "/ingest", body: record, ..Request::default() };
    // who knows the id of a key, but not its secret: the signature is compared once the body is there
    let mut guessed: Vec<(&str, String)> = signs.headers(&server.http, &ingest);
    guessed.retain(|(name, _)| *name != "X-Amz-Content-Sha256");
    guessed.iter_mut().for_each(|(_, value)| *value = value.replace("x-amz-content-sha256;", ""));
    let lines: String = guessed.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers: Vec<(&str, &str)> = guessed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let of_nobody = Request { headers: &headers, ..ingest };
    let is_full = |answer: Answer| {
        let code = (answer.status == 503).then(|| answer.code())?;
        assert_eq!((code.as_str(), answer.header("retry-after")), ("too_much_held", Some("1")), "{answer:?}");
        Some(())
    };

    let head = format!("POST /upload?key=a.csv HTTP/1.1\r\nhost: {}\r\n{lines}", server.http);
    let begin = || unended(&server.http, &head, 16 * 1024 * 1024, 4);
    let held = fill("the end of what bodies of nobody may take", begin, || is_full(send(&server.http, &of_nobody)));
    assert_eq!(signs.send(&server.http, &ingest).status, 202);
    drop(held);
    let again = || (send(&server.http, &of_nobody).status == 403).then_some(());
    eventually("room for more bodies of nobody", again);

    let signed = signs.headers(&server.http, &Request { body: b"other", ..ingest });
    let lines: String = signed.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST /ingest HTTP/1.1\r\nhost: {}\r\n{lines}", server.http);
    let begin = || unended(&server.http, &head, 8 * 1024 * 1024, 8);
    let held = fill("the end of what bodies may take", begin, || is_full(signs.send(&server.http, &ingest)));
    assert_eq!(send(&server.http, &Request { path: "/healthz", ..Request::default() }).status, 200);
    drop(held);
    eventually("room for more bodies", || (signs.send(&server.http, &ingest).status == 202).then_some(()));
}

#[test]
fn records_in_memory_are_few_at_a_time_where_nobody_is_asked() {
    let server = Server::fresh(&[]);
    let ingest =
        Request { method: "POST", path: "/ingest", body: br#"{"symbol":"A","price":1}"#, ..Request::default() };
    let head = format!("POST /ingest HTTP/1.1\r\nhost: {}\r\n", server.http);
    let begin = || unended(&server.http, &head, 8 * 1024 * 1024, 8);
    let is_full = || (send(&server.http, &ingest).status == 503).then_some(());
    let held = fill("the end of what bodies may take", begin, is_full);
    drop(held);
    eventually("room for more bodies", || (send(&server.http, &ingest).status == 202).then_some(()));
}
