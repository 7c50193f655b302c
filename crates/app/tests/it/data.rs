//! Commands on a data folder, as they are typed.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::{millrace, run, stderr, stdout};

const TRADES: &str = "symbol,price,volume,timestamp\nA,10,2,2026-01-01T09:00:01Z\nA,11,1,2026-01-01T09:00:30Z\n";
const CARDS: &str = "transaction_id,timestamp,amount,currency,merchant,status\n\
    t1,2026-01-05T10:00:00Z,1.50,EUR,Shop,completed\nt2,2026-01-05T11:00:00Z,x,EUR,Shop,completed\n";

/// A folder with files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
    folder
}

fn json(folder: &Path, words: &[&str]) -> Value {
    let output = run(folder, words);
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| panic!("{words:?}: {error}: {}", stderr(&output)))
}

#[test]
fn files_go_in_and_everything_can_be_asked() {
    let folder = folder(&[("day.csv", TRADES), ("cards.csv", CARDS)]);
    let path = folder.path();
    let output = run(path, &["run", "day.csv", "cards.csv"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stdout(&output).contains("completed with rejects"), "{}", stdout(&output));

    let receipt = json(path, &["status", "day.csv", "--json"]);
    for (field, value) in [
        ("fileId", "day.csv"),
        ("status", "aggregated"),
        ("outcome", "completed"),
        ("bucketName", "file-processing-bucket-dev"),
    ] {
        assert_eq!(receipt[field], value, "{field}");
    }
    assert_eq!(receipt["account"]["counts"]["rows"], 2);
    let said = stdout(&run(path, &["status", "cards.csv"]));
    for part in ["cards.csv", "notified", "2 = 1 good + 1 rejected + 0 duplicate", "invalid_amount"] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }

    let bars = stdout(&run(path, &["bars"]));
    let mut lines = bars.lines();
    assert_eq!(
        lines.next(),
        Some("symbol,start,open,high,low,close,volume,trades,notional,vwap,made_of,state,revision")
    );
    assert!(lines.next().unwrap().starts_with("A,2026-01-01T09:00:00Z,10,11,10,11,3,2,31,10.33333333,trades,"));
    let bar = json(path, &["bars", "--json", "--symbol", "A", "--interval", "1h"]);
    assert_eq!(
        (bar["close"].as_str(), bar["trades"].as_u64(), bar["revision"].as_u64()),
        (Some("11"), Some(2), Some(1))
    );
    assert_eq!(bar["sources"][0], receipt["receiptId"]);
    assert_eq!(stdout(&run(path, &["bars", "--symbol", "B"])).lines().count(), 1);
    assert!(stdout(&run(path, &["totals"])).contains("EUR,completed,Shop,2026-01-05,1,1.5,1.5,1.5,"));
    let cards = stdout(&run(path, &["transactions"]));
    assert!(cards.contains("t1,2026-01-05T10:00:00Z,1.5,EUR,Shop,completed,2,r-"), "{cards}");

    let rejects = stdout(&run(path, &["rejects", "cards.csv"]));
    assert!(rejects.contains("invalid_amount") && rejects.contains(" 3 "), "{rejects}");
    let raw = stdout(&run(path, &["rejects", "cards.csv", "--raw"]));
    assert!(
        raw.starts_with("transaction_id,timestamp,amount,currency,merchant,status,line,reasons,hint\nt2,"),
        "{raw}"
    );
    assert_eq!(json(path, &["rejects", "cards.csv", "--json"])["rejected"], 1);

    let listed = stdout(&run(path, &["files", "--json", "--outcome", "completed"]));
    assert_eq!(listed.lines().count(), 1);
    assert_eq!(stdout(&run(path, &["files", "--preset", "transactions"])).lines().count(), 2);
    let sound = run(path, &["doctor"]);
    assert_eq!(sound.status.code(), Some(0), "{}", stdout(&sound));
}

#[test]
fn what_a_sender_wrote_goes_back_byte_by_byte() {
    let folder = folder(&[]);
    let path = folder.path();
    let row = b"\xff\xfe \x1b[31mred\x1b[0m,2026-01-05T10:00:00Z,1,EUR,Shop,completed\n";
    let text = [b"transaction_id,timestamp,amount,currency,merchant,status\n".as_slice(), row].concat();
    fs::write(path.join("odd.csv"), text).unwrap();
    run(path, &["run", "odd.csv"]);
    let raw = run(path, &["rejects", "odd.csv", "--raw"]).stdout;
    let sent = &row[..row.len() - 1];
    assert!(raw.windows(sent.len()).any(|piece| piece == sent), "{}", raw.escape_ascii());
}

#[test]
fn mended_rejects_are_valid_input() {
    let folder = folder(&[("cards.csv", CARDS)]);
    let path = folder.path();
    run(path, &["run", "cards.csv"]);
    let raw = stdout(&run(path, &["rejects", "cards.csv", "--raw"]));
    fs::write(path.join("mended.csv"), raw.replace(",x,", ",7.25,")).unwrap();
    let output = run(path, &["run", "mended.csv"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&run(path, &["totals"])).contains("EUR,completed,Shop,2026-01-05,2,8.75,1.5,7.25,"));
    let bars = run(path, &["bars", "--feed", "transactions"]);
    assert_eq!((bars.status.code(), stdout(&bars).as_str()), (Some(1), ""));
    assert!(stderr(&bars).contains("comes to totals, not to bars"), "{}", stderr(&bars));
}

#[test]
fn exit_codes_and_errors_say_what_to_do() {
    let folder = folder(&[("day.csv", TRADES), ("no.csv", "a,b\n1,2\n")]);
    let path = folder.path();
    for (words, code, told) in [
        (vec!["status", "x"], 1, "there is no data folder data"),
        (vec!["run", "absent.csv"], 1, "no such file"),
        (vec!["run", "day.csv"], 0, ""),
        (vec!["run", "no.csv"], 3, "lacks"),
        (vec!["status", "x"], 1, "no file is known as `x`"),
        (vec!["bars", "--feed", "x"], 1, "there is no feed `x`"),
        (vec!["files", "--feed", "x"], 1, "there is no feed `x`"),
        (vec!["files", "--feed", "transactions"], 0, ""),
        (vec!["files", "--limit", "0"], 2, "0 is not in 1.."),
        (vec!["transactions", "--limit", "0"], 2, "0 is not in 1.."),
        (vec!["bars", "--interval", "1s"], 1, "keeps bars of 1m and longer"),
        (vec!["bars", "--from", "yesterday"], 2, "`yesterday` is no time"),
        (vec!["transactions", "--feed", "files"], 1, "has no transactions"),
        (vec!["rejects", "no.csv"], 1, "was refused as a whole"),
        (vec!["rejects", "day.csv"], 0, "no row of day.csv was refused"),
        (vec!["dead-letters", "show", "77"], 1, "there is no dead letter 77"),
        (vec!["dead-letters", "list"], 0, "there are no dead letters"),
        (vec!["replay"], 2, "required"),
    ] {
        let output = run(path, &words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{words:?}: `{told}` is not in {}", stderr(&output));
        assert!(code != 1 || stderr(&output).contains("hint"), "{words:?} has no hint: {}", stderr(&output));
    }
}

#[test]
fn feeds_come_from_the_settings() {
    let settings =
        "[[feed]]\nname = \"acme\"\npreset = \"files\"\nkeys = \"acme/*\"\ncontract = \"trades\"\ninterval = \"1s\"\n";
    let folder = folder(&[("day.csv", TRADES), ("millrace.toml", settings)]);
    let path = folder.path();
    let output = run(path, &["run", "day.csv", "--prefix", "acme/"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(json(path, &["status", "acme/day.csv", "--json"])["feed"], "acme");
    assert_eq!(stdout(&run(path, &["bars", "--feed", "acme", "--interval", "1s"])).lines().count(), 3);
    let output = run(path, &["run", "day.csv", "--feed", "acme"]);
    assert!(stderr(&output).contains("takes keys such as `acme/*`"), "{}", stderr(&output));
    fs::write(path.join("millrace.toml"), "[[feed]]\nname = \"acme\"\npreset = \"filez\"\n").unwrap();
    let output = run(path, &["files"]);
    assert!(stderr(&output).contains("line 3"), "{}", stderr(&output));
}

#[test]
fn a_replay_says_first_what_it_would_change() {
    let folder = folder(&[("day.csv", TRADES)]);
    let path = folder.path();
    run(path, &["run", "day.csv"]);
    let output = run(path, &["replay", "day.csv", "--dry-run"]);
    assert!(stderr(&output).contains("0 of 1 files would change"), "{}", stderr(&output));
    fs::write(path.join("millrace.toml"), "[[feed]]\nname = \"files\"\npreset = \"files\"\ncontract = \"bars\"\n")
        .unwrap();
    let output = run(path, &["replay", "--all", "--dry-run"]);
    assert!(stderr(&output).contains("1 of 1 files would change"), "{}", stderr(&output));
    assert!(stdout(&output).contains("would  refused:"), "{}", stdout(&output));
    assert_eq!(stdout(&run(path, &["bars"])).lines().count(), 2, "nothing was written");
    let output = run(path, &["replay", "day.csv"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(stdout(&run(path, &["bars"])).lines().count(), 1, "what it added is gone");
}

#[test]
fn a_watched_folder_is_taken_from_and_others_may_ask_meanwhile() {
    let folder = folder(&[]);
    let path = folder.path();
    let inbox = path.join("inbox");
    fs::create_dir(&inbox).unwrap();
    let watching = millrace(path, &["run", "--watch", "inbox", "--settle", "0.2"]).spawn().unwrap();
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < end, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("the door is open", &|| path.join("data/door").exists());
    // half a file, and a name that says so: neither is taken
    fs::write(inbox.join("half.csv.part"), "symbol,pri").unwrap();
    fs::write(path.join("day.csv"), TRADES).unwrap();
    fs::rename(path.join("day.csv"), inbox.join("day.csv")).unwrap();
    until("the file is taken", &|| inbox.join("taken/day.csv").exists());
    until("it is done", &|| stdout(&run(path, &["status", "day.csv"])).contains("aggregated"));
    assert!(inbox.join("half.csv.part").exists());
    // a file through the door of the process that has the folder
    fs::write(path.join("cards.csv"), CARDS).unwrap();
    let output = run(path, &["run", "cards.csv", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let receipt: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(receipt["outcome"], "completed_with_rejects");
    let output = run(path, &["status", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no file is known as `nobody`"), "{}", stderr(&output));
    // who watches by it and goes away without a word holds nobody up
    let other = path.join("other");
    fs::create_dir(&other).unwrap();
    let mut visitor = millrace(path, &["run", "--watch", "other", "--settle", "0"]).spawn().unwrap();
    fs::write(other.join("later.csv"), TRADES.replace("A,", "B,")).unwrap();
    until("the other folder is watched", &|| other.join("taken/later.csv").exists());
    visitor.kill().unwrap();
    visitor.wait().unwrap();
    // it ends when it is told to, and leaves the folder to others
    let pid = pid_of(&watching);
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    let ended = RefCell::new(watching);
    until("it ends", &|| ended.borrow_mut().try_wait().unwrap().is_some());
    assert!(ended.into_inner().wait().unwrap().code().is_some(), "it ended by itself");
    assert!(!path.join("data/door").exists());
    assert_eq!(stdout(&run(path, &["files"])).lines().count(), 4);
}

fn pid_of(child: &std::process::Child) -> String {
    child.id().to_string()
}

#[test]
fn invariant_7_memory_stays_within_bounds_whatever_the_file() {
    let folder = folder(&[]);
    let path = folder.path();
    let mut file = std::io::BufWriter::new(fs::File::create(path.join("large.csv")).unwrap());
    // every row is a bar of its own and a symbol of its own: nothing folds
    std::io::Write::write_all(&mut file, b"symbol,price,volume,timestamp\n").unwrap();
    for row in 0..2_500_000_u32 {
        let (minute, second) = (row / 60 % 60, row % 60);
        let line = format!("SYMBOL{row},{}.5,{},2026-01-01T09:{minute:02}:{second:02}Z\n", row % 1000, row % 77);
        std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
    }
    drop(file);
    let bytes = fs::metadata(path.join("large.csv")).unwrap().len();
    assert!(bytes > 100_000_000, "{bytes}");
    let mut child = millrace(path, &["run", "large.csv"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut peak_kb = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak_kb = peak_kb.max(kb.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(peak_kb > 10_000 && peak_kb * 1024 < 512_000_000, "peak of {peak_kb} KB");
}
