//! Files begun anew, and listed, when there are more of them than are in memory at a time.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::client::eventually;
use super::server::Server;
use super::{run, stderr, stdout};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_feed_is_begun_anew_page_by_page() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let generations = |wanted: u64| {
        eventually("all files are at their end", || {
            let files = server.json("/files?feed=files")["files"].as_array().unwrap().clone();
            let is_so = |file: &Value| file["generation"] == wanted && file["outcome"] == "completed";
            (files.len() == 7 && files.iter().all(is_so)).then_some(())
        });
    };
    for number in 0..7 {
        let body = format!("symbol,timestamp,price,volume\nA,2026-01-05T10:00:0{number}Z,1.5,10\n");
        let path = format!("/upload?feed=files&key=many/{number}.csv");
        let taken = server.ask("POST", &path, &[], body.as_bytes());
        assert_eq!(taken.status, 202, "{}", taken.text());
    }
    generations(0);
    let ask = |body: &Value| server.ask("POST", "/replay", &[], body.to_string().as_bytes());
    for (is_dry, status) in [(true, 200), (false, 202)] {
        let (mut begun, mut next, mut pages) = (Vec::new(), Value::Null, 0);
        while pages == 0 || !next.is_null() {
            let answer = ask(&json!({ "feed": "files", "limit": 3, "dryRun": is_dry, "next": next }));
            assert_eq!(answer.status, status, "{}", answer.text());
            let told = answer.json();
            let (receipts, previews) = (told["receipts"].as_array().unwrap(), told["previews"].as_array().unwrap());
            begun.extend(receipts.iter().map(text));
            begun.extend(previews.iter().map(|preview| text(&preview["receiptId"])));
            assert!(receipts.len() + previews.len() <= 3, "{told}");
            (next, pages) = (told["next"].clone(), pages + 1);
        }
        let different: BTreeSet<&String> = begun.iter().collect();
        assert_eq!((begun.len(), different.len(), pages), (7, 7, 3), "{begun:?}");
        generations(u64::from(!is_dry));
    }
    for (body, status, code) in [
        (json!({ "feed": "files", "limit": 0 }), 400, "bad_query"),
        (json!({ "feed": "files", "limit": 1001 }), 400, "bad_query"),
        (json!({ "feed": "files", "next": "00" }), 400, "bad_mark"),
        (json!({ "name": "many/1.csv", "next": "00" }), 422, "which_files"),
        (json!({ "feed": "nothing" }), 404, "no_such_feed"),
    ] {
        let answer = ask(&body);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    }
}

#[test]
fn more_files_than_are_in_memory_at_a_time_are_listed_and_begun_anew() {
    const FILES: usize = 230;
    let folder = tempdir().unwrap();
    let path = folder.path();
    let names: Vec<String> = (0..FILES).map(|number| format!("{number:03}.csv")).collect();
    for (number, name) in names.iter().enumerate() {
        let row = format!("A,2026-01-05T{:02}:{:02}:00Z,1.5,10", number / 60, number % 60);
        fs::write(path.join(name), format!("symbol,timestamp,price,volume\n{row}\n")).unwrap();
    }
    let mut words = vec!["run"];
    words.extend(names.iter().map(String::as_str));
    assert_eq!(run(path, &words).status.code(), Some(0));
    let keys = |words: &[&str]| -> Vec<String> {
        let output = run(path, words);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let lines = stdout(&output);
        lines.lines().map(|line| text(&serde_json::from_str::<Value>(line).unwrap()["fileId"])).collect()
    };
    let all: BTreeSet<String> = names.iter().cloned().collect();
    let listed = keys(&["files", "--json", "--limit", "1000"]);
    assert_eq!((listed.len(), listed.iter().cloned().collect::<BTreeSet<_>>()), (FILES, all));
    // a limit that is none of the pages
    let first = run(path, &["files", "--json", "--limit", "150"]);
    let mark = stderr(&first).trim().strip_prefix("more: --after ").unwrap().to_owned();
    let rest = keys(&["files", "--json", "--limit", "1000", "--after", &mark]);
    assert_eq!((stdout(&first).lines().count(), &rest[..]), (150, &listed[150..]));
    // a table that is written in parts has one heading
    let lines = |table: &str, word: &str| table.lines().filter(|line| line.contains(word)).count();
    let table = stdout(&run(path, &["files", "--limit", "1000"]));
    assert_eq!((lines(&table, ".csv"), lines(&table, "outcome")), (FILES, 1), "{table}");

    let looked = run(path, &["replay", "--all", "--dry-run"]);
    assert!(stderr(&looked).contains(&format!("0 of {FILES} files would change")), "{}", stderr(&looked));
    let begun = keys(&["replay", "--all", "--json"]);
    assert_eq!(begun, names, "the oldest first");
    let table = stdout(&run(path, &["replay", "--all"]));
    assert_eq!((lines(&table, ".csv"), lines(&table, "outcome")), (FILES, 1), "{table}");
}
