//! The process is killed while it writes, archives and deletes objects: what it was answered must hold.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use engine::objects::{Objects, Versions};
use engine::queues::Transaction;

use super::{LARGE, noise, open};
use crate::T;

/// Tells the child its folder, and which of the children it is.
const CHILD: &str = "MILLRACE_TEST_OBJECTS_CRASH";
const ROUNDS: usize = 6;
const CALLERS: usize = 3;
/// What the child says, in this order for each object.
const WORDS: [&str; 4] = ["putting", "put", "deleting", "deleted"];

/// Every third lies in the store.
fn content(key: &str) -> Vec<u8> {
    let seed = key.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    noise(seed, if seed.is_multiple_of(3) { 1000 } else { LARGE + seed as usize % 100_000 })
}

/// The object, and a record of the same name in the same transaction.
fn put(objects: &Objects, key: &str) {
    let mut upload = objects.upload("b", key).unwrap();
    upload.write_all(&content(key)).unwrap();
    let stored = upload.finish(T).unwrap();
    let records = vec![(key.as_bytes().to_vec(), Some(stored.object.version.into_bytes()))];
    let transaction = Transaction { records, objects: vec![stored.change], ..Transaction::default() };
    objects.queues().transact(transaction, T).wait().unwrap();
}

/// No test by itself: the process that the test below starts and kills.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let (round, folder) = told.split_once(' ').unwrap();
    let (objects, _) = open(Path::new(folder)).unwrap();
    let say = |what: &str, name: &str| writeln!(std::io::stdout().lock(), "\n{what} {name}").unwrap();
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (objects, say) = (&objects, &say);
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("{round}.{caller}.{number}");
                    say("putting", &name);
                    put(objects, &name);
                    say("put", &name);
                    if number % 3 == 0 {
                        let object = objects.newest("b", &name).unwrap().unwrap().object;
                        say("deleting", &name);
                        assert!(objects.delete(&object, T).unwrap());
                        say("deleted", &name);
                    }
                }
            });
        }
        scope.spawn(|| {
            loop {
                objects.archive("b", u64::MAX, T).unwrap();
            }
        });
    });
}

#[test]
fn a_killed_process_loses_no_object_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    // the furthest that each object is known to have come; callers speak over each other
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["objects::crash::child", "--exact", "--nocapture", "--test-threads=1"])
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
        for line in lines.by_ref().take(60 + round * 41) {
            hear(line.unwrap());
        }
        child.kill().unwrap();
        // what it said before it died
        lines.map_while(Result::ok).for_each(&mut hear);
        child.wait().unwrap();

        let (objects, found) = open(folder.path()).unwrap();
        assert!(found.unfinished + found.unnamed <= 2 * (CALLERS + 1), "{found:?}");
        let checked = objects.check(|_| {}).unwrap();
        assert_eq!(checked.problems, []);
        for (name, what) in &said {
            let newest = objects.newest("b", name).unwrap();
            match WORDS[*what] {
                "put" => assert!(newest.is_some(), "{name} was put and is lost"),
                "deleted" => assert!(newest.is_none(), "{name} was deleted and is there"),
                // nobody was told how it ended
                _ => {}
            }
        }
        for listed in objects.list("b", "", Versions::All(None), 1000).unwrap() {
            let mut bytes = Vec::new();
            let mut input = objects.read(&listed.object).unwrap().into_input();
            std::io::Read::read_to_end(&mut input, &mut bytes).unwrap();
            assert!(bytes == content(&listed.object.key), "{:?}", listed.object);
            let record = objects.queues().record(listed.object.key.as_bytes()).unwrap();
            assert_eq!(record.unwrap(), listed.object.version.as_bytes(), "with its record or not at all");
        }
    }
    assert!(said.len() > 50, "{}", said.len());
}
