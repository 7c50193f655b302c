//! The service is killed while many clients load it, again and again: what it had answered is there, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::client::{Request, request};
use super::server::Server;
use super::{run, stderr, stdout};

const KILLS: u32 = 10;
const CLIENTS: usize = 8;

/// One trade of a symbol of its own: a file that was lost or counted twice shows in the bars.
fn trade(number: u32) -> String {
    format!("symbol,price,volume,timestamp\nS{number},{},1,2026-01-01T09:00:00Z\n", number + 1)
}

/// Numbers as good as random, the same each time.
fn dice(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Puts files until told to stop, some of them over objects that are there.
fn load(server: &Server, next: &AtomicU32, stop: &AtomicBool, answered: &Mutex<BTreeSet<u32>>) {
    while !stop.load(Ordering::SeqCst) {
        let number = next.fetch_add(1, Ordering::SeqCst);
        let path = format!("/file-processing-bucket-dev/f{number}.csv");
        let body = trade(number);
        let put = Request { method: "PUT", path: &path, body: body.as_bytes(), ..Request::default() };
        // an answer that was not heard promises nothing
        let Ok(answer) = request(&server.s3, &put) else { continue };
        assert_eq!(answer.status, 200, "{}", answer.text());
        answered.lock().unwrap().insert(number);
    }
}

#[test]
fn what_clients_were_answered_survives_ten_kills_once() {
    let mut server = Server::fresh(&[]);
    let (next, answered) = (AtomicU32::new(0), Mutex::new(BTreeSet::new()));
    let mut random = 11;
    for round in 0..KILLS {
        let stop = AtomicBool::new(false);
        let pause = Duration::from_millis(50 + dice(&mut random) % 500);
        let id = server.id().to_string();
        std::thread::scope(|scope| {
            let (server, next, stop, answered) = (&server, &next, &stop, &answered);
            for _ in 0..CLIENTS {
                scope.spawn(move || load(server, next, stop, answered));
            }
            std::thread::sleep(pause);
            assert!(std::process::Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
            stop.store(true, Ordering::SeqCst);
        });
        server.kill();
        let sound = run(server.path(), &["doctor", "--json"]);
        assert_eq!(sound.status.code(), Some(0), "after kill {round}: {}{}", stdout(&sound), stderr(&sound));
        server.restart();
    }
    assert!(server.stop().success());
    let output = run(server.path(), &["run"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut found: BTreeMap<u32, u32> = BTreeMap::new();
    for line in stdout(&run(server.path(), &["bars"])).lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number: u32 = cells[0].trim_start_matches('S').parse().unwrap();
        assert_eq!((cells[2].parse(), cells[6], cells[7]), (Ok(number + 1), "1", "1"), "{line}");
        *found.entry(number).or_default() += 1;
    }
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() > 100, "only {} files were answered", answered.len());
    for number in &answered {
        assert_eq!(found.get(number), Some(&1), "f{number}.csv was answered");
    }
}
