//! The process is killed while it works: what it was answered must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use engine::queues::{Message, Queues, Settings};

use crate::T;

/// Tells the child its folder, and which of the children it is.
const CHILD: &str = "MILLRACE_TEST_CRASH";
const ROUNDS: usize = 6;
const CALLERS: usize = 4;
/// What the child says, in this order for each message.
const WORDS: [&str; 4] = ["sending", "sent", "acknowledging", "acknowledged"];

fn open(folder: &Path) -> Queues {
    Queues::open(folder, &[Settings::fifo("q")]).unwrap().0
}

/// No test by itself: the process that the test below starts and kills. Four callers send, receive and acknowledge
/// without end, and say so before and after each send and each acknowledgement.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let (round, folder) = told.split_once(' ').unwrap();
    let queues = open(Path::new(folder));
    let q = queues.queue("q").unwrap();
    let say = |what: &str, name: &str| writeln!(std::io::stdout().lock(), "\n{what} {name}").unwrap();
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (queues, say) = (&queues, &say);
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("{round}.{caller}.{number}");
                    say("sending", &name);
                    queues.send(q, Message::of_group(format!("{caller}"), &name, name.as_bytes()), T).wait().unwrap();
                    say("sent", &name);
                    // some are left for the next round
                    if number % 3 == 0 {
                        continue;
                    }
                    for received in queues.receive(q, 1, None, T).wait().unwrap() {
                        let name = crate::body(&received);
                        say("acknowledging", &name);
                        queues.acknowledge(vec![received.lease], T).wait().unwrap();
                        say("acknowledged", &name);
                    }
                }
            });
        }
    });
}

#[test]
fn a_killed_process_loses_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    // the furthest that each message is known to have come; callers speak over each other
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, format!("{round} {}", folder.path().display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut hear = |line: String| {
            let Some((what, name)) = line.split_once(' ') else { return };
            if let Some(place) = WORDS.iter().position(|word| *word == what) {
                let furthest = said.entry(name.to_owned()).or_default();
                *furthest = place.max(*furthest);
            }
        };
        for line in lines.by_ref().take(400 + round * 173) {
            hear(line.unwrap());
        }
        child.kill().unwrap();
        // what it said before it died
        lines.map_while(Result::ok).for_each(&mut hear);
        child.wait().unwrap();

        let queues = open(folder.path());
        let q = queues.queue("q").unwrap();
        let listed = queues.list(q, None, 1000, T).wait().unwrap();
        let names: Vec<String> = listed
            .iter()
            .map(|listed| String::from_utf8(queues.show(q, listed.id, T).unwrap().body).unwrap())
            .collect();
        let there: BTreeSet<&String> = names.iter().collect();
        assert_eq!(there.len(), names.len(), "a message is there twice");
        for (name, what) in &said {
            match WORDS[*what] {
                "sent" => assert!(there.contains(name), "{name} was sent and is lost"),
                "acknowledged" => assert!(!there.contains(name), "{name} was acknowledged and is there"),
                // nobody was told how it ended
                _ => {}
            }
        }
        // receivers died with the process
        queues.release(T).wait().unwrap();
    }
    assert!(said.len() > 300, "{}", said.len());
}
