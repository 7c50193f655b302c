//! Requests to the S3 door that are not what was signed.

use std::io::Write as _;

use tempfile::tempdir;

use super::sign::Signer;
use super::{BUCKET, DAY, get, key, put, signer, text};
use crate::client::{Answer, Request, answer, connect, send};
use crate::server::Server;

/// The status, and what S3 calls it.
fn told(answer: &Answer) -> (u16, String) {
    let body = answer.text();
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    (answer.status, code.map(|(code, _)| code.to_owned()).unwrap_or_default())
}

const SECRET: &str = "/transactions-dev/secret/all.csv";
const INBOX: &str = "/file-processing-bucket-dev/inbox/x.csv";

#[test]
fn headers_that_nobody_signed_are_refused_by_the_s3_door() {
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let (signs, host) = (signer(&made, "s3"), server.s3.as_str());
    assert_eq!(signs.send(host, &put(SECRET, "the secret")).status, 200);
    let presigned = |path: &str, query| signs.presigned_for("PUT", host, path, query, 60);
    let link = presigned(INBOX, ("", ""));
    for (name, value) in [
        ("x-amz-copy-source", SECRET),
        ("x-amz-meta-from", "nobody"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-tagging", "a=b"),
        ("X-Amz-Date", "20260101T000000Z"),
        ("x-amz-&odd", "1"),
    ] {
        let headers = [(name, value)];
        let more = |path| Request { method: "PUT", path, headers: &headers, body: b"" };
        for answer in [send(host, &more(&link)), signs.send_changed(host, &put(INBOX, ""), &more(INBOX))] {
            // who sends another date than was signed is told of that
            if name == "X-Amz-Date" && answer.status == 400 {
                continue;
            }
            assert_eq!(told(&answer), (403, "AccessDenied".to_owned()), "{name}: {answer:?}");
            let named = name.to_lowercase().replace('&', "&amp;");
            assert!(answer.text().contains(&format!("not signed: {named}<")), "{name}: {answer:?}");
        }
        assert_eq!(signs.send(host, &get(INBOX)).status, 404, "{name} was obeyed");
    }

    // a name that only seems to be signed
    let copy = ("x-amz-copy-source", SECRET);
    let mut headers = signs.headers(host, &put(INBOX, ""));
    headers.last_mut().unwrap().1 =
        headers.last().unwrap().1.replace("Headers=host;", "Headers=X-Amz-Copy-Source;host;");
    let mut headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    headers.push(copy);
    let answer = send(host, &Request { method: "PUT", path: INBOX, headers: &headers, body: b"" });
    assert_eq!(told(&answer), (400, "AuthorizationHeaderMalformed".to_owned()), "{answer:?}");

    // the header is looked at here, and the query there
    let also = signs.headers(host, &put(INBOX, ""));
    let also = also.last().unwrap().1.replace("Headers=host;", "Headers=host;x-amz-copy-source;");
    let headers = [("Authorization", also.as_str()), ("X-Amz-Date", "20260101T000000Z"), copy];
    let answer = send(host, &Request { method: "PUT", path: &link, headers: &headers, body: b"" });
    assert_eq!(told(&answer), (400, "InvalidArgument".to_owned()), "{answer:?}");
    assert_eq!(signs.send(host, &get(INBOX)).status, 404, "something was obeyed");

    // what the query says, and with it was signed, may be said in a header as well
    let link = presigned(INBOX, ("", "&x-amz-meta-from=me"));
    let say =
        |value| send(host, &Request { method: "PUT", path: &link, headers: &[("x-amz-meta-from", value)], body: b"x" });
    assert_eq!(told(&say("you")), (403, "AccessDenied".to_owned()));
    assert_eq!(say("me").status, 200);
    // other headers are free, as they are at AWS
    let free = [("Content-Type", "text/csv"), ("Cache-Control", "no-cache")];
    let link = presigned(INBOX, ("", ""));
    assert_eq!(send(host, &Request { method: "PUT", path: &link, headers: &free, body: b"x" }).status, 200);
}

/// Sends an empty file with headers that need not be text.
fn put_raw(host: &str, path: &str, headers: &[(&str, &[u8])]) -> Answer {
    let mut head =
        format!("PUT {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 0\r\n").into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    head.extend_from_slice(b"\r\n");
    let mut stream = connect(host).unwrap();
    stream.write_all(&head).unwrap();
    answer(&mut stream).unwrap()
}

#[test]
fn what_the_s3_door_and_its_library_would_read_differently_is_refused() {
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let (signs, host) = (signer(&made, "s3"), server.s3.as_str());
    assert_eq!(signs.send(host, &put(SECRET, "the secret")).status, 200);
    let headers = signs.headers(host, &put(INBOX, ""));
    let (good, signed) = (headers[2].1.as_str(), &headers[..2]);
    let (_, fields) = good.split_once(' ').unwrap();
    let open = good.split_once("SignedHeaders=").unwrap().1.split_once(',').unwrap().0;
    let wider = format!("SignedHeaders={open};x-amz-copy-source");
    let link = signs.presigned_for("PUT", host, INBOX, ("", ""), 60);
    let old = signs.link_of_version_2("PUT", INBOX, 60);
    let sent = |path: &str, copies: &[u8], values: &[&[u8]]| {
        let mut all: Vec<(&str, &[u8])> = signed.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        all.extend(values.iter().map(|value| ("Authorization", *value)));
        all.push(("x-amz-copy-source", copies));
        put_raw(host, path, &all)
    };
    let malformed = (400, "AuthorizationHeaderMalformed");
    let unknown = (400, "InvalidRequest");
    let twice = (400, "InvalidArgument");
    let copy = SECRET.as_bytes();
    let accents = good.replace(open, &format!("{open};\u{e9}"));
    let unread = good.replace(open, &format!("{open};x-amz-copy-source"));
    for (what, path, values, code) in [
        ("another word", INBOX, vec![format!("X {fields}")], unknown),
        ("small letters", INBOX, vec![format!("aws4-hmac-sha256 {fields}")], unknown),
        ("of version 2", INBOX, vec![format!("AWS {}:eA==", signs.access_key)], unknown),
        ("a tab", INBOX, vec![good.replacen(' ', "\t", 1)], malformed),
        ("a longer word", INBOX, vec![good.replacen(' ', &format!(",{wider}, "), 1)], malformed),
        ("glued to the word", INBOX, vec![good.replacen(' ', &format!(",{wider}, x "), 1)], malformed),
        ("one name twice", INBOX, vec![good.replace("SignedHeaders", &format!("{wider}, SignedHeaders"))], malformed),
        ("names that are no ASCII", INBOX, vec![accents], malformed),
        ("two headers", INBOX, vec![good.to_owned(), good.to_owned()], malformed),
        ("two, one of nobody", INBOX, vec!["Basic eA==".to_owned(), good.to_owned()], malformed),
        ("a link of version 4 as well", &link, vec![good.to_owned()], twice),
        ("a link of version 2 as well", &old, vec![unread], twice),
        ("two links in one", &format!("{old}&{}", link.split_once('?').unwrap().1), vec![], twice),
    ] {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        let answer = sent(path, copy, &values);
        let (status, name) = told(&answer);
        assert_eq!((status, name.as_str()), code, "{what}: {answer:?}");
        assert_eq!(signs.send(host, &get(INBOX)).status, 404, "{what}: it was obeyed");
    }
    let answer = sent(INBOX, copy, &[b"\xff", good.as_bytes()]);
    assert_eq!(told(&answer), (400, malformed.1.to_owned()), "a header that is no text: {answer:?}");
    let answer = sent(INBOX, b"\xff", &[good.replace(open, &format!("{open};x-amz-copy-source")).as_bytes()]);
    assert_eq!(told(&answer), (403, "AccessDenied".to_owned()), "a value that is no text: {answer:?}");
    assert_eq!(signs.send(host, &get(INBOX)).status, 404, "something was obeyed");
}

#[test]
fn links_of_version_2_hold_for_what_was_signed() {
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let (signs, host) = (signer(&made, "s3"), server.s3.as_str());
    let link = signs.link_of_version_2("PUT", INBOX, 60);
    for (what, path, header, code) in [
        ("a header of AWS", &link, ("x-amz-copy-source", SECRET.as_bytes()), "SignatureDoesNotMatch"),
        ("one that is no text", &link, ("x-amz-object-size", b"5\xff".as_slice()), "AccessDenied"),
        ("another operation", &format!("{link}&tagging"), ("x-free", b"1".as_slice()), "SignatureDoesNotMatch"),
        ("another, twice", &format!("{link}&tagging&tagging"), ("x-free", b"1".as_slice()), "InvalidArgument"),
        ("its end", &signs.link_of_version_2("PUT", INBOX, -1), ("x-free", b"1".as_slice()), "AccessDenied"),
    ] {
        assert_eq!(told(&put_raw(host, path, &[header])).1, code, "{what}");
        assert_eq!(signs.send(host, &get(INBOX)).status, 404, "{what}: it was obeyed");
    }
    assert_eq!(put_raw(host, &link, &[("x-free", b"1".as_slice())]).status, 200);
}

#[test]
fn signatures_of_the_s3_door_hold_for_what_was_signed_and_for_a_while() {
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let (signs, host) = (signer(&made, "s3"), server.s3.as_str());
    let (day, other) = (format!("{BUCKET}/day.csv"), format!("{BUCKET}/other.csv"));
    assert_eq!(signs.send(host, &put(&day, DAY)).status, 200);
    assert_eq!(signs.send(host, &put(&other, &DAY.replace(",2,", ",3,"))).status, 200);
    let ask = get(&day);
    assert_eq!(signs.send(host, &ask).text(), DAY);
    let tagged = format!("{day}?tagging=");
    for (what, signed, sent, code) in [
        ("path", ask, get(&other), "SignatureDoesNotMatch"),
        ("query", ask, get(&tagged), "SignatureDoesNotMatch"),
        ("method", ask, Request { method: "DELETE", ..ask }, "SignatureDoesNotMatch"),
        ("body", put(&day, "1"), put(&day, "2"), "BadDigest"),
        ("body that was not there", put(&day, ""), put(&day, "2"), "BadDigest"),
    ] {
        let answer = signs.send_changed(host, &signed, &sent);
        assert!((400..=403).contains(&answer.status), "{what}: {answer:?}");
        assert_eq!(told(&answer).1, code, "{what}: {answer:?}");
        assert_eq!(signs.send(host, &ask).text(), DAY, "{what}");
    }
    let wrong = Signer { secret: "x".repeat(40), ..signs.clone() };
    assert_eq!(told(&wrong.send(host, &ask)).1, "SignatureDoesNotMatch");
    let unknown = Signer { access_key: "MKAAAAAAAAAAAAAAAAAA".into(), ..signs.clone() };
    assert_eq!(told(&unknown.send(host, &ask)).1, "InvalidAccessKeyId");
    assert_ne!(Signer { service: "execute-api", ..signs.clone() }.send(host, &ask).status, 200);
    assert_eq!(told(&send(host, &ask)), (403, "AccessDenied".to_owned()));
    for (ahead, code) in
        [(-16 * 60, "RequestTimeTooSkewed"), (-14 * 60, ""), (14 * 60, ""), (16 * 60, "RequestTimeTooSkewed")]
    {
        let answer = Signer { ahead, ..signs.clone() }.send(host, &ask);
        assert_eq!(told(&answer), (if code.is_empty() { 200 } else { 403 }, code.to_owned()), "{ahead} s ahead");
    }
    let url = |ahead, expires| Signer { ahead, ..signs.clone() }.presigned(host, &day, expires);
    for (what, url, status, code) in [
        ("now", url(0, 60), 200, ""),
        ("for a week", url(0, 604_800), 200, ""),
        ("near its end", url(-3000, 3600), 200, ""),
        ("replayed late", url(-61, 60), 403, "AccessDenied"),
        ("to come", url(16 * 60, 60), 403, "RequestTimeTooSkewed"),
        ("for more than a week", url(0, 604_801), 400, "AuthorizationQueryParametersError"),
        ("for no time", url(0, 0), 400, "AuthorizationQueryParametersError"),
        ("longer than signed", url(-61, 60).replace("Expires=60", "Expires=99"), 403, "SignatureDoesNotMatch"),
        ("for something else", url(0, 60).replace("day.csv", "other.csv"), 403, "SignatureDoesNotMatch"),
        ("with more behind it", format!("{}&tagging=", url(0, 60)), 403, "SignatureDoesNotMatch"),
        ("without host", url(0, 60).replace("Headers=host", "Headers=date"), 403, "AccessDenied"),
    ] {
        assert_eq!(told(&send(host, &get(&url))), (status, code.to_owned()), "{what}: {url}");
    }
    let link = url(0, 60);
    let delete = send(host, &Request { method: "DELETE", ..get(&link) });
    assert_eq!(told(&delete), (403, "SignatureDoesNotMatch".to_owned()));
    assert_eq!(text(&made, "accessKeyId"), signs.access_key);
}
