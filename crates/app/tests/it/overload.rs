//! Clients at three times the limits: they are told when to come again, what was taken is done, and others go unharmed.
#![expect(clippy::print_stdout, reason = "`./just overload` shows the figures")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::server::Server;
use super::{run, stderr, stdout};

/// Requests with one key in a second.
const LIMIT: u32 = 50;
/// How long it goes on, unless `MILLRACE_OVERLOAD_SECONDS` says otherwise: `./just overload` makes it a minute.
const OVERLOAD_SECONDS: u64 = 15;

fn overload() -> Duration {
    let told = std::env::var("MILLRACE_OVERLOAD_SECONDS").ok();
    Duration::from_secs(told.map_or(OVERLOAD_SECONDS, |told| told.parse().expect("a number of seconds")))
}

fn key(server: &Server, partner: &str) -> String {
    let output = run(server.path(), &["keys", "create", "--partner", partner, "--json"]);
    let made: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    made["apiKey"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

fn resident_bytes(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn who_sends_three_times_too_much_harms_nobody_else() {
    let limit = LIMIT.to_string();
    let server = Server::fresh(&["--access", "keys", "--key-per-second", &limit, "--uploads-per-day", "0"]);
    let (loud, quiet) = (key(&server, "loud"), key(&server, "quiet"));
    let (next, taken, refused, ends) =
        (AtomicU32::new(0), Mutex::new(Vec::new()), AtomicU32::new(0), AtomicBool::new(false));
    let slowest = std::cell::Cell::new(Duration::ZERO);
    let before = resident_bytes(server.id());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let began = Instant::now();
                let mut sent = 0_u32;
                while !ends.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let body = format!("transaction_id,timestamp,amount,currency,merchant,status\nt{number},2026-01-05T10:00:00Z,1,EUR,S,completed\n");
                    let path = format!("/upload?key=loud/{number}.csv");
                    let answer = server.ask("POST", &path, &[("x-api-key", &loud)], body.as_bytes());
                    match answer.status {
                        202 => taken.lock().unwrap().push(number),
                        429 => {
                            let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
                            assert!((1..=60).contains(&wait), "{wait}");
                            refused.fetch_add(1, Ordering::SeqCst);
                        }
                        other => panic!("{other}: {}", answer.text()),
                    }
                    sent += 1;
                    // six of them send three times what one key may
                    let due = Duration::from_millis(u64::from(sent) * 6 * 1000 / u64::from(3 * LIMIT));
                    std::thread::sleep(due.saturating_sub(began.elapsed()));
                }
            });
        }
        let began = Instant::now();
        while began.elapsed() < overload() {
            let asked = Instant::now();
            let answer = server.get("/status/quiet/none", &[("x-api-key", &quiet)]);
            assert_eq!(answer.status, 404, "{}", answer.text());
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
            slowest.set(slowest.get().max(asked.elapsed()));
            std::thread::sleep(Duration::from_millis(100));
        }
        ends.store(true, Ordering::SeqCst);
    });
    let (taken, refused) = (taken.into_inner().unwrap(), refused.into_inner());
    let most = usize::try_from(LIMIT).unwrap() * (overload().as_secs() as usize + 3);
    assert!(taken.len() <= most && refused > LIMIT, "{} taken, {refused} refused", taken.len());
    let grown = resident_bytes(server.id()).saturating_sub(before);
    assert!(grown < 128 * 1024 * 1024, "memory grew by {grown} bytes");
    println!(
        "{} taken, {refused} refused, memory grew by {grown} bytes, others waited {:?} at most",
        taken.len(),
        slowest.get()
    );
    let end = Instant::now() + Duration::from_secs(60);
    let done = || {
        let output = run(server.path(), &["files", "--json", "--limit", "100000", "--outcome", "completed"]);
        stdout(&output).lines().count()
    };
    while done() < taken.len() {
        assert!(Instant::now() < end, "{} of {} files are done", done(), taken.len());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(done(), taken.len(), "what was refused is not there");
}
