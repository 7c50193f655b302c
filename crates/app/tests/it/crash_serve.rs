//! The service is killed while many clients load it, again and again: what it had answered is there, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::client::{Request, eventually, request};
use super::server::Server;
use super::{run, stderr, stdout};

const KILLS: u32 = 10;

/// The ways in, with how many clients each has.
const WAYS: [(Way, usize); 3] = [(Way::Put, 4), (Way::Upload, 2), (Way::Ingest, 2)];

/// How something comes in. Each time it is one row with a name of its own: what was lost or counted twice shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// A file of trades, by S3.
    Put,
    /// A file of transactions.
    Upload,
    /// A record of the market.
    Ingest,
}

impl Way {
    /// Sends the row of a number; whether it was taken. An answer that was not heard promises nothing.
    fn send(self, server: &Server, number: u32) -> bool {
        let (address, method, path, body, taken) = match self {
            Self::Put => {
                let body = format!("symbol,price,volume,timestamp\nS{number},{},1,2026-01-01T09:00:00Z\n", number + 1);
                (&server.s3, "PUT", format!("/file-processing-bucket-dev/f{number}.csv"), body, 200)
            }
            Self::Upload => {
                let head = "transaction_id,timestamp,amount,currency,merchant,status";
                let body = format!("{head}\nS{number},2026-01-05T10:00:00Z,{},EUR,Shop,completed\n", number + 1);
                (&server.http, "POST", format!("/upload?key=t{number}.csv"), body, 202)
            }
            Self::Ingest => {
                let row = format!("\"symbol\":\"S{number}\",\"price\":{},\"volume\":1", number + 1);
                let body = format!("{{{row},\"timestamp\":\"2026-01-01T09:00:00Z\"}}");
                (&server.http, "POST", "/ingest".to_owned(), body, 202)
            }
        };
        let asked = Request { method, path: &path, body: body.as_bytes(), ..Request::default() };
        let Ok(answer) = request(address, &asked) else { return false };
        assert_eq!(answer.status, taken, "{self:?}: {}", answer.text());
        true
    }

    /// The numbers of all rows that are there, with how often each is.
    fn found(self, server: &Server) -> BTreeMap<u32, u32> {
        // of bars, the volume and the trades are 1 too
        let (words, ones): (&[&str], &[usize]) = match self {
            Self::Put => (&["bars"], &[6, 7]),
            Self::Upload => (&["transactions"], &[]),
            Self::Ingest => (&["bars", "--feed", "market"], &[6, 7]),
        };
        let mut found: BTreeMap<u32, u32> = BTreeMap::new();
        for line in stdout(&run(server.path(), words)).lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let number: u32 = cells[0].trim_start_matches('S').parse().unwrap();
            assert_eq!(cells[2].parse(), Ok(number + 1), "{line}");
            assert!(ones.iter().all(|place| cells[*place] == "1"), "{line}");
            *found.entry(number).or_default() += 1;
        }
        found
    }
}

/// Numbers as good as random, the same each time.
fn dice(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn what_clients_were_answered_survives_ten_kills_once() {
    let mut server = Server::fresh(&[]);
    let (next, taken) = (AtomicU32::new(0), Mutex::new(BTreeSet::new()));
    let mut random = 11;
    for round in 0..KILLS {
        let stop = AtomicBool::new(false);
        let pause = Duration::from_millis(50 + dice(&mut random) % 500);
        let id = server.id().to_string();
        std::thread::scope(|scope| {
            let (server, next, stop, taken) = (&server, &next, &stop, &taken);
            for way in WAYS.iter().flat_map(|(way, clients)| std::iter::repeat_n(*way, *clients)) {
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if way.send(server, number) {
                            taken.lock().unwrap().insert((way, number));
                        }
                    }
                });
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
    let taken = taken.into_inner().unwrap();
    for (way, _) in WAYS {
        let promised: BTreeSet<u32> = taken.iter().filter(|(of, _)| *of == way).map(|(_, number)| *number).collect();
        assert!(promised.len() > 30, "only {} were taken by {way:?}", promised.len());
        let found = eventually(&format!("all that was taken by {way:?}"), || {
            assert_eq!(server.ask("POST", "/tick", &[], b"").status, 202);
            Some(way.found(&server)).filter(|found| promised.iter().all(|number| found.contains_key(number)))
        });
        assert!(found.values().all(|times| *times == 1), "{way:?}: {found:?}");
    }
    assert!(server.stop().success());
}
