//! Clients at three times the limits: they are told when to come again, what was taken is done, and others go unharmed.
#![expect(clippy::print_stdout, reason = "`./just overload` shows the figures")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::access::{key as key_of, signer};
use super::client::Request;
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

pub(crate) fn resident_bytes(id: u32) -> u64 {
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

/// Requests of a route in a second, by all callers together.
const ROUTE_LIMIT: u32 = 30;

/// Sends evenly, so often in a second, until it ends; how many were refused, of how many.
fn send_until(ends: &AtomicBool, per_second: u32, mut send: impl FnMut() -> u16) -> (u32, u32) {
    let (began, mut refused, mut sent) = (Instant::now(), 0, 0_u32);
    while !ends.load(Ordering::SeqCst) {
        match send() {
            429 => refused += 1,
            202 | 404 => {}
            other => panic!("{other}"),
        }
        sent += 1;
        let due = Duration::from_secs(1) * sent / per_second;
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
    (refused, sent)
}

#[test]
fn who_asks_a_route_three_times_too_often_harms_nobody_else_on_it() {
    let limit = ROUTE_LIMIT.to_string();
    let server = Server::fresh(&["--access", "keys", "--status-per-second", &limit, "--ingest-per-second", &limit]);
    let admins = ["loud", "quiet"].map(|name| key_of(server.path(), &["--admin", "--name", name]));
    let ends = AtomicBool::new(false);
    let status = |who: usize| {
        let api_key = admins[who]["apiKey"].as_str().unwrap();
        server.get("/status/none", &[("x-api-key", api_key)]).status
    };
    let ingest = |who: usize| {
        let body = format!("{{\"symbol\":\"A{who}\",\"price\":1}}");
        let post = Request { method: "POST", path: "/ingest", body: body.as_bytes(), ..Request::default() };
        signer(&admins[who], "execute-api").send(&server.http, &post).status
    };
    let asks: [&(dyn Fn(usize) -> u16 + Sync); 2] = [&status, &ingest];
    for (ask, name) in asks.into_iter().zip(["status", "ingest"]) {
        ends.store(false, Ordering::SeqCst);
        let (began, lasts) = (Instant::now(), overload() / 3);
        let (loud, quiet) = std::thread::scope(|scope| {
            // three of them send three times what all together may
            let loud = [(); 3].map(|()| scope.spawn(|| send_until(&ends, ROUTE_LIMIT, || ask(0))));
            let quiet = scope.spawn(|| send_until(&ends, 10, || ask(1)));
            std::thread::sleep(lasts);
            ends.store(true, Ordering::SeqCst);
            let loud = loud.map(|thread| thread.join().unwrap());
            (loud.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)), quiet.join().unwrap())
        });
        println!("{name}: {} of {} refused, of the others {} of {}", loud.0, loud.1, quiet.0, quiet.1);
        assert_eq!(quiet.0, 0, "{name}: of {} requests of one who asks for a third of a route", quiet.1);
        assert!(quiet.1 > 10, "{name}: {} requests", quiet.1);
        assert!(loud.0 > ROUTE_LIMIT, "{name}: only {} of {} were refused", loud.0, loud.1);
        let most = ROUTE_LIMIT * (began.elapsed().as_secs() as u32 + 3);
        assert!(loud.1 - loud.0 + quiet.1 <= most, "{name}: {loud:?} {quiet:?}, and {most} at most");
    }
}
