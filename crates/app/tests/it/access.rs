//! Who is let in by `serve`, to what, and how often; and what whoever runs it can see.

mod browser;
mod clients;
mod drain;
mod seeds;
mod settings;
pub(crate) mod sign;
mod tamper;
mod watched;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use super::client::{Answer, Request, send};
use super::server::Server;
use super::{run, stderr, stdout};
use sign::Signer;

const DAY: &str = "symbol,price,volume,timestamp\nA,10,2,2026-01-01T09:00:01Z\n";
const BUCKET: &str = "/file-processing-bucket-dev";

pub(crate) fn key(folder: &Path, words: &[&str]) -> Value {
    let output = run(folder, &[&["keys", "create", "--json"], words].concat());
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
}

fn text<'a>(key: &'a Value, field: &str) -> &'a str {
    key[field].as_str().unwrap()
}

pub(crate) fn signer(key: &Value, service: &'static str) -> Signer {
    let (access_key, secret) = (text(key, "accessKeyId").to_owned(), text(key, "secretAccessKey").to_owned());
    Signer { access_key, secret, service, ahead: 0 }
}

fn get(path: &str) -> Request<'_> {
    Request { path, ..Request::default() }
}

fn put<'a>(path: &'a str, body: &'a str) -> Request<'a> {
    Request { method: "PUT", path, body: body.as_bytes(), ..Request::default() }
}

/// All bytes of all files of a folder.
fn all_bytes(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let bytes = entries.flat_map(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => all_bytes(&entry.path()),
        kind if kind.is_file() => fs::read(entry.path()).unwrap(),
        _ => Vec::new(),
    });
    bytes.collect()
}

#[test]
fn keys_let_in_from_when_they_are_made_until_they_are_revoked() {
    let folder = tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--access", "keys"]);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    let nobody = server.get("/status/x", &[]);
    assert_eq!((nobody.status, nobody.code().as_str()), (401, "no_key"));
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));

    let made = key(folder.path(), &["--admin", "--name", "night shift"]);
    let api_key = text(&made, "apiKey");
    assert_eq!(server.get("/status/x", &[("X-Api-Key", api_key)]).code(), "no_such_file");
    let bearer = format!("Bearer {api_key}");
    assert_eq!(server.get("/status/x", &[("Authorization", &bearer)]).code(), "no_such_file");
    let last = if api_key.ends_with('a') { 'b' } else { 'a' };
    let other = format!("{}{last}", &api_key[..api_key.len() - 1]);
    for wrong in [other.as_str(), "mk_", "mk__x", "x", text(&made, "secretAccessKey")] {
        let answer = server.get("/status/x", &[("X-Api-Key", wrong)]);
        assert_eq!((answer.status, answer.code().as_str()), (403, "unknown_key"), "{wrong}");
    }
    let signs = signer(&made, "execute-api");
    assert_eq!(signs.send(&server.http, &get("/status/x")).code(), "no_such_file");

    let listed = server.command(&["keys", "list", "--json"]);
    assert_eq!((text(&listed, "id"), text(&listed, "name")), (text(&made, "id"), "night shift"));
    assert!(listed.get("secretAccessKey").is_none() && listed.get("apiKey").is_none());
    let revoked = server.command(&["keys", "revoke", text(&made, "id"), "--json"]);
    assert!(revoked["revokedAt"].is_u64());
    assert_eq!(server.get("/status/x", &[("X-Api-Key", api_key)]).code(), "unknown_key");
    assert_eq!(signs.send(&server.http, &get("/status/x")).code(), "unknown_key");
    let of_s3 = signer(&made, "s3").send(&server.s3, &get("/"));
    assert_eq!(of_s3.status, 403, "{of_s3:?}");

    assert!(!server.told().contains(api_key), "{}", server.told());
    assert!(server.stop().success());
    let (bytes, secrets) = (all_bytes(folder.path()), [api_key, text(&made, "secretAccessKey")]);
    for secret in secrets {
        assert!(!bytes.windows(secret.len()).any(|piece| piece == secret.as_bytes()), "{secret} lies in the folder");
    }
}

#[test]
fn commands_about_keys_say_what_is_wrong() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    for (words, code, told) in [
        (vec!["keys", "list"], 1, "there is no data folder"),
        (vec!["keys", "create"], 2, "--partner"),
        (vec!["keys", "create", "--partner", "A/b"], 1, "cannot be the name of a partner"),
        (vec!["keys", "create", "--partner", "rejects"], 1, "is where the stages write"),
        (vec!["keys", "list"], 0, "there are no keys"),
        (vec!["keys", "revoke", "x"], 1, "there is no key x"),
        (vec!["keys", "create", "--partner", "acme"], 0, "not shown again"),
    ] {
        let output = run(path, &words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{words:?}: `{told}` is not in {}", stderr(&output));
    }
    fs::write(path.join("data/master.key"), [7; 32]).unwrap();
    for words in [vec!["keys", "create", "--admin"], vec!["serve", "--http", "127.0.0.1:0", "--s3", "127.0.0.1:0"]] {
        let output = run(path, &words);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("is not the one that the keys"), "{}", stderr(&output));
    }
}

#[test]
fn signatures_hold_for_what_was_signed_and_for_a_while() {
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let (signs, host) = (signer(&made, "execute-api"), server.http.as_str());
    let ask = get("/status?fileId=x");
    let post = |body| Request { method: "POST", path: "/status", body, ..Request::default() };
    assert_eq!(signs.send(host, &ask).code(), "no_such_file");
    // it was let in, and there is nothing that takes it
    assert_eq!(signs.send(host, &post(b"{}")).status, 405);
    for (what, signed, sent) in [
        ("path", ask, get("/status/y?fileId=x")),
        ("query", ask, get("/status?fileId=y")),
        ("method", ask, Request { method: "DELETE", ..ask }),
        ("body", post(b"{}"), post(b"[]")),
        ("body that was not there", post(b""), post(b"[]")),
    ] {
        let answer = signs.send_changed(host, &signed, &sent);
        assert_eq!((answer.status, answer.code().as_str()), (403, "signature_mismatch"), "{what}: {answer:?}");
    }
    let more = Request { headers: &[("X-Amz-More", "1")], ..ask };
    assert_eq!(signs.send_changed(host, &ask, &more).code(), "header_not_signed");
    let wrong = Signer { secret: "x".repeat(40), ..signs.clone() };
    assert_eq!(wrong.send(host, &ask).code(), "signature_mismatch");
    let unknown = Signer { access_key: "MKAAAAAAAAAAAAAAAAAA".into(), ..signs.clone() };
    assert_eq!(unknown.send(host, &ask).code(), "unknown_key");
    assert_eq!(Signer { service: "s3", ..signs.clone() }.send(host, &ask).code(), "wrong_service");
    for (ahead, code) in [
        (-16 * 60, "signature_expired"),
        (-14 * 60, "no_such_file"),
        (14 * 60, "no_such_file"),
        (16 * 60, "signature_not_yet_valid"),
    ] {
        assert_eq!(Signer { ahead, ..signs.clone() }.send(host, &ask).code(), code, "{ahead} s ahead");
    }
    let url = |ahead, expires| Signer { ahead, ..signs.clone() }.presigned(host, "/status/x", expires);
    for (what, url, code) in [
        ("now", url(0, 60), "no_such_file"),
        ("near its end", url(-3000, 3600), "no_such_file"),
        ("replayed late", url(-61, 60), "signature_expired"),
        ("for more than a week", url(0, 604_801), "malformed_signature"),
        ("longer than signed", url(-61, 60).replace("Expires=60", "Expires=99"), "signature_mismatch"),
        ("for something else", url(0, 60).replace("/status/x", "/status/y"), "signature_mismatch"),
        ("with more behind it", format!("{}&fileId=y", url(0, 60)), "signature_mismatch"),
    ] {
        assert_eq!(send(host, &get(&url)).code(), code, "{what}: {url}");
    }
}

#[test]
fn what_brings_records_must_be_signed() {
    let folder = tempdir().unwrap();
    let made = key(folder.path(), &["--admin"]);
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let post = Request { method: "POST", path: "/ingest", body: b"[]", ..Request::default() };
    let with_key = Request { headers: &[("X-Api-Key", text(&made, "apiKey"))], ..post };
    assert_eq!(send(&server.http, &with_key).code(), "not_signed");
    let signed = signer(&made, "execute-api").send(&server.http, &post);
    assert!(![401, 403].contains(&signed.status), "{signed:?}");
}

#[test]
fn partners_see_and_write_what_is_theirs() {
    let folder = tempdir().unwrap();
    let (admin, acme) = (key(folder.path(), &["--admin"]), key(folder.path(), &["--partner", "acme"]));
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let (admins, partners) = (signer(&admin, "s3"), signer(&acme, "s3"));
    let (own, foreign) = (format!("{BUCKET}/acme/day.csv"), format!("{BUCKET}/bolt/day.csv"));
    let s3 = |signer: &Signer, request: &Request<'_>| signer.send(&server.s3, request);
    assert_eq!(s3(&admins, &put(&foreign, DAY)).status, 200);
    assert_eq!(s3(&partners, &put(&own, &DAY.replace(",2,", ",3,"))).status, 200);
    assert_eq!(s3(&partners, &get(&own)).status, 200);
    let absent = format!("{BUCKET}/bolt/absent.csv");
    let denied = [
        put(&foreign, DAY),
        get(&foreign),
        get(&absent),
        Request { method: "DELETE", ..get(&foreign) },
        get(BUCKET),
        get("/file-processing-bucket-dev?list-type=2&prefix=acm"),
        get("/file-processing-bucket-dev?prefix=bolt%2F&versions="),
        get("/file-processing-bucket-dev?uploads="),
    ];
    for request in &denied {
        let answer = s3(&partners, request);
        assert_eq!(answer.status, 403, "{} {}: {answer:?}", request.method, request.path);
        assert!(answer.text().contains("AccessDenied"), "{answer:?}");
    }
    let listed = s3(&partners, &get("/file-processing-bucket-dev?list-type=2&prefix=acme%2F"));
    assert!(listed.status == 200 && listed.text().contains("acme/day.csv"), "{listed:?}");

    let api = |key: &Value, path: &str| server.get(path, &[("X-Api-Key", text(key, "apiKey"))]);
    assert_eq!(api(&acme, "/status/acme/day.csv").status, 200);
    assert_eq!(api(&admin, "/status/bolt/day.csv").status, 200);
    let receipt = text(&api(&admin, "/status/bolt/day.csv").json(), "receiptId").to_owned();
    for foreign in ["/status/bolt/day.csv", "/status?fileId=bolt%2Fday.csv", &format!("/status/{receipt}")] {
        let answer = api(&acme, foreign);
        assert_eq!((answer.status, answer.code().as_str()), (404, "no_such_file"), "{foreign}");
    }
    let keys = |key: &Value, path: &str| -> Vec<String> {
        let files = api(key, path).json()["files"].as_array().unwrap().clone();
        files.iter().map(|file| text(file, "fileId").to_owned()).collect()
    };
    assert_eq!(keys(&admin, "/files"), ["acme/day.csv", "bolt/day.csv"]);
    for (path, seen) in
        [("/files", 1), ("/files?prefix=ac", 1), ("/files?prefix=acme%2Fd", 1), ("/files?prefix=bolt%2F", 0)]
    {
        assert_eq!(keys(&acme, path), ["acme/day.csv"][..seen], "{path}");
    }
    assert_eq!(api(&acme, &format!("/files/{receipt}")).code(), "no_such_file");
    assert_eq!(api(&acme, "/files/bolt%2Fday.csv/rejects").code(), "no_such_file");
    // 409 until it is validated
    super::client::eventually("the end of the file", || {
        (api(&acme, "/files/acme%2Fday.csv/rejects").status == 204).then_some(())
    });
    let upload = |path| {
        let headers = [("X-Api-Key", text(&acme, "apiKey")), ("Content-Type", "text/csv")];
        send(&server.http, &Request { method: "POST", path, headers: &headers, body: b"x" })
    };
    assert_eq!(upload("/upload?key=bolt%2Fx.csv").code(), "foreign_key");
    assert_eq!(upload("/upload?key=acme%2Fx.csv").status, 202);
    let ingest = Request { method: "POST", path: "/ingest", body: b"{}", ..Request::default() };
    let refused = signer(&acme, "execute-api").send(&server.http, &ingest);
    assert_eq!(
        (refused.code().as_str(), refused.text().contains("transactions")),
        ("no_such_feed", false),
        "{refused:?}"
    );
    for path in ["/metrics", "/alarms", "/dead-letters", "/replay", "/bars", "/totals", "/transactions", "/keys"] {
        assert_eq!(api(&acme, path).code(), "not_for_partners", "{path}");
    }
}

#[test]
fn the_same_bytes_of_another_partner_are_not_named() {
    let folder = tempdir().unwrap();
    let admin = key(folder.path(), &["--admin"]);
    let partners = ["acme", "bolt"].map(|name| key(folder.path(), &["--partner", name]));
    let server = Server::start(folder.path(), &["--access", "keys"]);
    let api = |key: &Value, path: &str| server.get(path, &[("X-Api-Key", text(key, "apiKey"))]).json();
    for (partner, path) in partners.iter().zip(["/acme/day.csv", "/bolt/day.csv"]) {
        let path = format!("{BUCKET}{path}");
        assert_eq!(signer(partner, "s3").send(&server.s3, &put(&path, DAY)).status, 200);
        let status = format!("/status{path}");
        super::client::eventually("the end of the file", || {
            ["completed", "duplicate"].contains(&text(&api(partner, &status), "outcome")).then_some(())
        });
    }
    let first = text(&api(&admin, "/status/acme/day.csv"), "receiptId").to_owned();
    let told = api(&admin, "/status/bolt/day.csv");
    assert_eq!((text(&told, "outcome"), text(&told, "duplicateOf")), ("duplicate", first.as_str()));
    for path in ["/status/bolt/day.csv", "/files/bolt%2Fday.csv", "/files"] {
        let answer = api(&partners[1], path);
        let told = if path == "/files" { &answer["files"][0] } else { &answer };
        assert_eq!((text(told, "outcome"), &told["duplicateOf"]), ("duplicate", &Value::Null), "{path}");
        assert!(!answer.to_string().contains(&first), "{path}: {answer}");
    }
}

#[test]
fn who_asks_too_often_is_told_when_to_ask_again() {
    let folder = tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--status-per-second", "3"]);
    let answers: Vec<_> = (0..10).map(|_| server.get("/status/x", &[])).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("one of ten in a second");
    assert_eq!((refused.code().as_str(), refused.header("retry-after")), ("too_many_requests", Some("1")));
    assert_eq!(answers[0].status, 404);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    assert!(server.stop().success());

    let server = Server::start(folder.path(), &["--source-per-second", "2"]);
    let answers: Vec<_> = (0..10).map(|_| send(&server.s3, &get("/"))).collect();
    let refused = answers.iter().find(|answer| answer.status == 503).expect("one of ten in a second");
    assert!(
        refused.text().contains("<Code>SlowDown</Code>") && refused.header("retry-after") == Some("1"),
        "{refused:?}"
    );
}

#[test]
fn uploads_of_a_day_are_counted_across_restarts() {
    let folder = tempdir().unwrap();
    let keys = [key(folder.path(), &["--partner", "acme"]), key(folder.path(), &["--partner", "bolt"])];
    let upload = |server: &Server, key: &Value| {
        let headers = [("X-Api-Key", text(key, "apiKey"))];
        send(&server.http, &Request { method: "POST", path: "/upload", headers: &headers, body: b"x" })
    };
    for (round, refused) in [(0, 0), (1, 0), (2, 1)] {
        let server = Server::start(folder.path(), &["--access", "keys", "--uploads-per-day", "2"]);
        let answer = upload(&server, &keys[0]);
        assert_eq!(u32::from(answer.status == 429), refused, "round {round}: {answer:?}");
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=86_400).contains(&wait), "{wait}");
            assert_ne!(upload(&server, &keys[1]).status, 429, "the quota of another key");
        }
        // killed, not stopped: what was granted is counted all the same
        drop(server);
    }
}

#[test]
fn requests_have_ids_and_pages_of_known_origins_may_read_answers() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &["--access", "keys", "--cors", "https://app.example,https://b.example"]);
    assert_eq!(server.get("/healthz", &[("X-Request-Id", "abc-1.2:3")]).header("x-request-id"), Some("abc-1.2:3"));
    for strange in ["a b", "a\"b", &"x".repeat(200)] {
        let answer = server.get("/healthz", &[("X-Request-Id", strange)]);
        assert_eq!(answer.header("x-request-id").map(str::len), Some(32), "{strange:?}");
    }
    let origin = |answer: &Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    let known = server.get("/status/x", &[("Origin", "https://app.example")]);
    // who is not let in may still be told so
    assert_eq!((known.status, origin(&known).as_deref()), (401, Some("https://app.example")));
    assert_eq!(origin(&server.get("/status/x", &[("Origin", "https://evil.example")])), None);
    let preflight = |from| {
        let headers = [("Origin", from), ("Access-Control-Request-Method", "GET")];
        send(&server.http, &Request { method: "OPTIONS", path: "/status/x", headers: &headers, body: b"" })
    };
    let asked = preflight("https://b.example");
    assert_eq!((asked.status, origin(&asked).as_deref()), (204, Some("https://b.example")));
    let allowed = asked.header("access-control-allow-headers").unwrap();
    for header in ["x-api-key", "idempotency-key", "content-digest"] {
        assert!(allowed.split(", ").any(|known| known == header), "{header} is not in {allowed}");
    }
    assert!(known.header("access-control-expose-headers").unwrap().contains("idempotent-replayed"));
    let asked = preflight("https://evil.example");
    assert_eq!((origin(&asked), asked.header("access-control-allow-methods")), (None, None));
}

#[test]
fn a_signature_of_elsewhere_is_as_good_as_none_on_this_machine() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let elsewhere = Signer { access_key: "AKIAELSEWHERE".into(), secret: "x".into(), service: "s3", ahead: 0 };
    let path = format!("{BUCKET}/day.csv");
    assert_eq!(elsewhere.send(&server.s3, &put(&path, DAY)).status, 200);
    assert_eq!(elsewhere.send(&server.s3, &get(&path)).text(), DAY);
    assert_eq!(send(&server.s3, &get(&elsewhere.presigned(&server.s3, &path, 60))).text(), DAY);
    let old = format!("{path}?AWSAccessKeyId=AKIAELSEWHERE&Signature=eA%3D%3D&Expires=1");
    assert_eq!(send(&server.s3, &get(&old)).text(), DAY);
    assert_eq!(send(&server.s3, &get(&path)).text(), DAY);
}
