//! A stage looks at the receipt of its file once, and not at all where the runtime has just written it. Who changes it
//! meanwhile is noticed.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pipeline::handle::{Call, Error};
use pipeline::message::Message;
use pipeline::object::ReceiptId;
use pipeline::ports::{self, Commit, Committed, Ledger, Loaded};
use pipeline::preset::Stage;
use pipeline::receipt::{Event, What};
use pipeline::step::{Kind, RecordKey};
use pipeline::tell::tell;
use testkit::MemoryLedger;

use crate::world::{START, World};

const TRADES: &str = "symbol,price,volume,timestamp\nA,1,1,2026-01-01T00:00:00Z\n";
const PAYMENTS: &str = "transaction_id,amount,currency,merchant,status,timestamp\n\
t1,1.00,EUR,m,completed,2026-01-01T00:00:00Z\n";
const FILES: [(&str, &str); 3] =
    [("file-processing-bucket-dev", TRADES), ("market-data-dev", TRADES), ("transactions-dev", PAYMENTS)];

/// What comes before a commit, once.
type Once = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// A ledger that counts looks at one receipt, and commits that are refused.
struct Watched {
    ledger: MemoryLedger,
    receipt: RecordKey,
    looks: AtomicUsize,
    refused: AtomicUsize,
    before_commit: Once,
}

impl Watched {
    fn new(world: &World, id: &ReceiptId) -> Self {
        let receipt = RecordKey { kind: Kind::Receipt, id: id.as_str().to_owned() };
        let (looks, refused, before_commit) = Default::default();
        Self { ledger: world.ledger.clone(), receipt, looks, refused, before_commit }
    }

    fn counted(&self) -> (usize, usize) {
        (self.looks.load(Ordering::SeqCst), self.refused.load(Ordering::SeqCst))
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl Ledger for Watched {
    fn load(&self, key: &RecordKey) -> Result<Loaded, ports::Error> {
        self.looks.fetch_add(usize::from(*key == self.receipt), Ordering::SeqCst);
        self.ledger.load(key)
    }

    fn page(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, ports::Error> {
        self.ledger.page(kind, within, after, records_max)
    }

    fn commit(&self, commit: Commit) -> Result<Committed, ports::Error> {
        let before = self.before_commit.lock().unwrap().take();
        before.into_iter().for_each(|act| act());
        let committed = self.ledger.commit(commit);
        self.refused.fetch_add(usize::from(matches!(committed, Err(ports::Error::Changed(_)))), Ordering::SeqCst);
        committed
    }
}

fn handle(world: &World, ledger: &Watched, message: &Message, receipt: Option<&[u8]>) -> Result<Committed, Error> {
    world.with_call(|call| world.pipeline.handle(message, &Call { ledger, receipt, ..*call }))
}

/// Brings a file to its end, each message by `each`; what the file came to.
fn brought(bucket: &str, text: &str, each: impl Fn(&World, &ReceiptId, &Message)) -> (World, ReceiptId) {
    let mut world = World::new();
    let id = world.arrives(bucket, "a.csv", text);
    while let Some(message) = world.waiting.pop_front() {
        each(&world, &id, &message);
        world.collect();
    }
    (world, id)
}

fn written(world: &World, id: &ReceiptId) -> Vec<u8> {
    let key = RecordKey { kind: Kind::Receipt, id: id.as_str().to_owned() };
    world.ledger.load(&key).unwrap().value.unwrap()
}

#[test]
fn a_stage_looks_once_and_not_at_what_it_is_given() {
    for (bucket, text) in FILES {
        for is_given in [false, true] {
            brought(bucket, text, |world, id, message| {
                let given = is_given.then(|| written(world, id));
                let watched = Watched::new(world, id);
                assert_eq!(handle(world, &watched, message, given.as_deref()).unwrap(), Committed::Now);
                // rows of market are of no file that a stage would have open
                if !matches!(message, Message::MarketProcess(_)) {
                    assert_eq!(watched.counted(), (usize::from(!is_given), 0), "{message:?}");
                }
            });
        }
    }
}

#[test]
fn a_large_file_is_looked_at_again_when_it_was_read() {
    // that it was begun changes its receipt, and others have long enough to
    let rows = "A,1,1,2026-01-01T00:00:00Z\n".repeat(200_000);
    let text = format!("symbol,price,volume,timestamp\n{rows}");
    brought(FILES[0].0, &text, |world, id, message| {
        let watched = Watched::new(world, id);
        assert_eq!(handle(world, &watched, message, None).unwrap(), Committed::Now);
        let looks = if matches!(message, Message::FilesValidate(_)) { 2 } else { 1 };
        assert_eq!(watched.counted(), (looks, 0), "{message:?}");
    });
}

/// How often the first stage was tried, by what another says of it.
const ATTEMPT: u32 = 9;

fn attempts(world: &World, id: &ReceiptId, stage: Stage) -> u32 {
    world.receipt(id).progress(stage).map_or(0, |progress| progress.attempts)
}

#[test]
fn what_is_said_of_a_file_while_a_stage_is_at_it_is_not_lost() {
    for (bucket, text) in FILES {
        let (calm, of_calm) = brought(bucket, text, |world, _, message| {
            world.handle(message).unwrap();
        });
        let expected = calm.receipt(&of_calm).outcome();
        // before the commit, or between the look of another and this one
        for is_stale in [false, true] {
            let mut world = World::new();
            let id = world.arrives(bucket, "a.csv", text);
            let first = world.waiting.pop_front().unwrap();
            let given = is_stale.then(|| written(&world, &id));
            let watched = Watched::new(&world, &id);
            let (ledger, of, stage) = (world.ledger.clone(), id.clone(), first.stage().1);
            let event = Event { at: START, what: What::Began { stage, attempt: ATTEMPT } };
            let say = move || tell(&ledger, &of, event).unwrap();
            if is_stale {
                say();
            } else {
                *watched.before_commit.lock().unwrap() = Some(Box::new(say));
            }
            assert_eq!(handle(&world, &watched, &first, given.as_deref()).unwrap(), Committed::Now);
            world.collect();
            world.run();
            assert_eq!(attempts(&world, &id, stage), ATTEMPT, "{bucket}, {is_stale}: it is not overwritten");
            assert_eq!(world.receipt(&id).outcome(), expected, "{bucket}, {is_stale}");
        }
    }
}

#[test]
fn a_file_that_is_done_is_not_done_again_by_what_was_known_of_it() {
    for (bucket, text) in FILES {
        let mut world = World::new();
        let id = world.arrives(bucket, "a.csv", text);
        let first = world.waiting.pop_front().unwrap();
        let stale = written(&world, &id);
        world.handle(&first).unwrap();
        world.collect();
        world.run();
        let before = world.ledger.records();
        let again = handle(&world, &Watched::new(&world, &id), &first, Some(&stale)).unwrap();
        assert_eq!(again, Committed::Before, "{bucket}");
        assert!(world.ledger.take_outbox().is_empty(), "{bucket}: nothing is sent again");
        assert_eq!(world.ledger.records(), before, "{bucket}");
    }
}
