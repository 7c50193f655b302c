//! What a page in a browser could make of a service at which nobody is asked for a key, and what it may do all the same.

use std::fs;

use tempfile::tempdir;

use super::{BUCKET, DAY, key, text};
use crate::client::{Answer, Request, exchange, send};
use crate::server::Server;

/// A request that names some host.
fn ask(address: &str, host: &str, request: &Request<'_>) -> Answer {
    exchange(crate::client::connect(address).unwrap(), host, request).unwrap()
}

#[test]
fn a_name_that_was_made_to_lead_here_is_refused() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("millrace.toml"), "[serve]\nhosts = [\"Files.example\"]\n").unwrap();
    let served = Server::start(folder.path(), &[]);
    let port = |address: &str| address.rsplit(':').next().unwrap().to_owned();
    let upload = Request { method: "POST", path: "/upload?key=a.csv", body: DAY.as_bytes(), ..Request::default() };
    let object = format!("{BUCKET}/b.csv");
    let put = Request { method: "PUT", path: &object, body: DAY.as_bytes(), ..Request::default() };

    for host in
        ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "evil.example:80@x"]
    {
        let host = if host.is_empty() { host.to_owned() } else { format!("{host}:{}", port(&served.http)) };
        for request in [Request::default(), Request { path: "/files", ..Request::default() }, upload] {
            let answer = ask(&served.http, &host, &request);
            assert_eq!((answer.status, answer.code().as_str()), (403, "foreign_host"), "{host}: {request:?}");
            let told = answer.json().to_string();
            assert!(told.contains(&format!("`{host}`")) && told.contains("`hosts`"), "{told}");
        }
        let answer = ask(&served.s3, &host, &put);
        assert!(answer.status == 403 && answer.text().contains("AccessDenied"), "{host}: {answer:?}");
        assert!(answer.text().contains("`hosts`"), "{answer:?}");
    }
    // a host in the first line counts as well
    let absolute = Request { path: "http://evil.example/files", ..Request::default() };
    assert_eq!(ask(&served.http, "localhost", &absolute).code(), "foreign_host");
    let kept = served.json("/files")["files"].as_array().unwrap().len();
    assert_eq!(kept, 0, "nothing was taken");

    for host in
        ["localhost", "LOCALHOST:1", "bucket.localhost", "127.0.0.1", "[::1]:8080", "files.example:443", "127.9.9.9"]
    {
        assert_eq!(ask(&served.http, host, &Request { path: "/files", ..Request::default() }).status, 200, "{host}");
        assert_eq!(ask(&served.s3, host, &put).status, 200, "{host}");
    }
}

#[test]
fn who_shows_a_key_may_call_it_as_they_like() {
    let served = Server::fresh(&["--access", "keys"]);
    let answer = ask(&served.http, "files.example", &Request { path: "/files", ..Request::default() });
    assert_eq!((answer.status, answer.code().as_str()), (401, "no_key"));
}

/// What a browser says of where a request comes from.
type From<'a> = &'a [(&'a str, &'a str)];

#[test]
fn a_page_of_elsewhere_changes_nothing() {
    let served = Server::fresh(&["--cors", "https://app.example"]);
    let (own, own_s3) = (format!("http://{}", served.http), format!("http://{}", served.s3));
    let refused: [From<'_>; 6] = [
        &[("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "http://localhost:3000"), ("Sec-Fetch-Site", "same-site")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "https://app.example.evil.example")],
    ];
    let changes = [
        ("POST", "/upload?key=a.csv"),
        ("POST", "/ingest"),
        ("POST", "/tick"),
        ("POST", "/replay"),
        ("POST", "/dead-letters/redrive"),
        ("DELETE", "/dead-letters"),
    ];
    let object = format!("{BUCKET}/a.csv");
    let send_as = |address: &str, method, path, headers, body| send(address, &Request { method, path, headers, body });
    for headers in refused {
        for (method, path) in changes {
            let answer = send_as(&served.http, method, path, headers, DAY.as_bytes());
            assert_eq!((answer.status, answer.code().as_str()), (403, "foreign_page"), "{method} {path} {headers:?}");
        }
        // what only reads goes on: pages cannot read the answer
        assert_eq!(send_as(&served.http, "GET", "/files", headers, b"").status, 200, "{headers:?}");
        let put = send_as(&served.s3, "PUT", &object, headers, DAY.as_bytes());
        assert!(put.status == 403 && put.text().contains("`cors`"), "{headers:?}: {put:?}");
    }
    assert_eq!(served.json("/files")["files"].as_array().unwrap().len(), 0, "nothing was taken");

    let taken: [From<'_>; 5] = [
        &[],
        &[("Sec-Fetch-Site", "none")],
        &[("Origin", "https://app.example"), ("Sec-Fetch-Site", "cross-site")],
        // by a proxy, which calls the service by another name than the browser does
        &[("Origin", "https://files.example"), ("Sec-Fetch-Site", "same-origin")],
        &[("Origin", &own)],
    ];
    for headers in taken {
        let answer = send_as(&served.http, "POST", "/upload?key=a.csv", headers, DAY.as_bytes());
        assert_eq!(answer.status, 202, "{headers:?}: {answer:?}");
    }
    for headers in [taken[0], taken[2], &[("Origin", &own_s3)]] {
        assert_eq!(send_as(&served.s3, "PUT", &object, headers, DAY.as_bytes()).status, 200, "{headers:?}");
    }
}

#[test]
fn a_page_of_elsewhere_changes_nothing_with_a_key_that_it_has() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), &["--admin"]);
    let served = Server::start(folder.path(), &["--access", "keys"]);
    for (origin, status) in [(None, 202), (Some("https://evil.example"), 403)] {
        let mut headers = vec![("X-Api-Key", text(&key, "apiKey"))];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        let answer = served.ask("POST", "/upload?key=a.csv", &headers, DAY.as_bytes());
        assert_eq!(answer.status, status, "{origin:?}: {answer:?}");
    }
}
