//! The program is killed while several processes load it, again and again; what it had answered is there, once.
//!
//! Each file has one trade of a symbol of its own, so a file that was lost or counted twice shows in the bars.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use super::{millrace, run, stderr, stdout};

const KILLS: u32 = 20;
const LOADERS: usize = 3;

fn trade(number: u32) -> String {
    format!("symbol,price,volume,timestamp\nS{number},{},1,2026-01-01T09:00:00Z\n", number + 1)
}

/// Numbers as good as random, the same each time.
fn dice(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn start(path: &Path) -> Child {
    let mut watching = millrace(path, &["run", "--watch", "inbox", "--settle", "0"]);
    let child = watching.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while run(path, &["files", "--limit", "1"]).status.code() != Some(0) {
        assert!(Instant::now() < end, "it does not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Sends files through the door until told to stop; those that were answered are remembered.
fn load(path: &Path, next: &AtomicU32, stop: &AtomicBool, answered: &Mutex<BTreeSet<u32>>) {
    while !stop.load(Ordering::SeqCst) {
        let number = next.fetch_add(1, Ordering::SeqCst);
        let name = format!("f{number}.csv");
        fs::write(path.join(&name), trade(number)).unwrap();
        let output = run(path, &["run", &name, "--json"]);
        if output.status.code() == Some(0) && stdout(&output).contains("\"outcome\":\"completed\"") {
            answered.lock().unwrap().insert(number);
        }
    }
}

#[test]
fn invariants_2_and_3_killed_twenty_times_under_load_nothing_answered_is_lost_or_counted_twice() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("inbox")).unwrap();
    let (next, answered) = (AtomicU32::new(0), Mutex::new(BTreeSet::new()));
    let mut random = 7;
    for round in 0..KILLS {
        let mut child = start(path);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..LOADERS {
                scope.spawn(|| load(path, &next, &stop, &answered));
            }
            for _ in 0..4 {
                let number = next.fetch_add(1, Ordering::SeqCst);
                fs::write(path.join("part"), trade(number)).unwrap();
                fs::rename(path.join("part"), path.join(format!("inbox/f{number}.csv"))).unwrap();
            }
            std::thread::sleep(Duration::from_millis(30 + dice(&mut random) % 500));
            child.kill().unwrap();
            child.wait().unwrap();
            stop.store(true, Ordering::SeqCst);
        });
        let sound = run(path, &["doctor", "--json"]);
        assert_eq!(sound.status.code(), Some(0), "after kill {round}: {}{}", stdout(&sound), stderr(&sound));
    }
    // what waits is worked off; what still lies in the inbox was never taken, or is taken once more
    let output = run(path, &["run"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let taken = fs::read_dir(path.join("inbox/taken")).unwrap().map(|entry| entry.unwrap().file_name());
    let number = |name: &str| name.trim_start_matches('f').split('.').next().unwrap().parse::<u32>().unwrap();
    let mut promised = answered.into_inner().unwrap();
    promised.extend(taken.map(|name| number(&name.to_string_lossy())));
    assert!(promised.len() > 40, "only {} files were answered", promised.len());

    let bars = stdout(&run(path, &["bars"]));
    let mut found: BTreeMap<u32, u32> = BTreeMap::new();
    for line in bars.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number: u32 = cells[0].trim_start_matches('S').parse().unwrap();
        assert_eq!((cells[2].parse(), cells[6], cells[7]), (Ok(number + 1), "1", "1"), "{line}");
        *found.entry(number).or_default() += 1;
    }
    for number in &promised {
        assert_eq!(found.get(number), Some(&1), "f{number}.csv was answered");
    }
    let files = stdout(&run(path, &["files", "--json", "--limit", "100000"]));
    let outcomes: BTreeSet<String> = files
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["outcome"].as_str().unwrap().to_owned())
        .collect();
    // a file whose answer was lost was sent again by nobody; one that was moved away too late is a duplicate
    assert!(outcomes.iter().all(|outcome| outcome == "completed" || outcome == "duplicate"), "{outcomes:?}");
}
