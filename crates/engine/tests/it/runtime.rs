//! The whole pipeline on a data folder: files through all stages, poison, parking, restarts, replays.

mod corpus;
mod poison;
mod world;

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use engine::objects::PARTS_BUCKET;
use engine::runtime::Once;
use engine::store::Fault;
use pipeline::message::{Feed, Message, Records};
use pipeline::object::ReceiptId;
use pipeline::preset::{Preset, Stage};
use pipeline::receipt::{Outcome, Status};
use tempfile::tempdir;
use world::{World, trades, transactions};

#[test]
fn files_of_all_presets_go_through() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    let files = world.put("files", "day.csv", &trades(&[("A", 10, 1), ("A", 12, 2)]));
    let market = world.put("market", "aapl.csv", &trades(&[("AAPL", 190, 1)]));
    let card = world.put("transactions", "card.csv", &transactions(&["t1", "t2", "t1"]));
    assert_eq!(world.end_of(&files), Outcome::Completed);
    assert_eq!(world.end_of(&card), Outcome::CompletedWithRejects);
    // the clock may be quicker than whoever looks
    world.until("the rows of market are kept", |world| world.receipt(&market).status() >= Status::Processed);
    world.engine.tick().unwrap();
    assert_eq!(world.end_of(&market), Outcome::Completed);
    assert_eq!(world.lines("files"), ["A 2026-01-01T09:00:00Z 10,12,10,12,3,2,34,11.33333333"]);
    assert_eq!(world.lines("market"), ["AAPL 2026-01-01T09:00:00Z 190,190,190,190,1,1,190,190"]);
    assert_eq!(world.lines("transactions"), ["EUR completed Shop 2,2,1,1"]);
    world.is_well();
}

#[test]
fn what_waits_when_the_engine_stops_is_done_after_the_next_start() {
    let folder = tempdir().unwrap();
    let ids: Vec<ReceiptId> = {
        let world = World::open(folder.path());
        (0..40).map(|file| world.put("files", &format!("{file}.csv"), &trades(&[("A", 10 + file, 1)]))).collect()
    };
    let mut world = World::open(folder.path());
    assert_eq!(world.found.messages, 40);
    world.start();
    for id in &ids {
        assert_eq!(world.end_of(id), Outcome::Completed);
    }
    assert_eq!(world.lines("files").len(), 1);
    world.is_well();
    drop(world);
    let world = World::open(folder.path());
    assert_eq!((world.found.messages, world.found.swept), (0, 0));
    assert_eq!(world.lines("files").len(), 1);
}

#[test]
fn invariant_2_a_file_is_answered_only_when_its_commit_is_durable() {
    let folder = tempdir().unwrap();
    let world = World::open(folder.path());
    let bucket = world.engine.bucket_of(world.engine.pipeline().feeds.named("files").unwrap());
    let text = trades(&[("A", 10, 1)]);
    world.engine.queues().store().fail_next(Fault { kind: ErrorKind::StorageFull, kept: false });
    let refused = world.engine.put(&bucket, "a.csv", &mut text.as_bytes());
    assert!(refused.is_err(), "it was answered, and is not there");
    let id = world.put("files", "b.csv", &text);
    drop(world);
    let world = World::open(folder.path());
    assert_eq!((world.found.messages, world.found.objects), (1, 1), "nothing is left of the one that was refused");
    assert_eq!(world.receipt(&id).outcome(), Outcome::InProgress);
}

#[test]
fn invariant_4_the_files_of_a_feed_are_worked_on_in_the_order_in_which_they_came() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    // all of them claim one id, and each one of its own; whoever is first in the feed has it
    let ids: Vec<ReceiptId> = (0..60)
        .map(|file| {
            world.put("transactions", &format!("{file}.csv"), &transactions(&["shared", &format!("own{file}")]))
        })
        .collect();
    world.start();
    let mut ended = Vec::new();
    for (file, id) in ids.iter().enumerate() {
        let outcome = world.end_of(id);
        assert_eq!(outcome == Outcome::Completed, file == 0, "file {file} is {outcome:?}");
        let progress = world.receipt(id).progress(Stage::Validate).cloned().unwrap();
        ended.push(progress.ended_at.unwrap());
    }
    assert!(ended.is_sorted(), "{ended:?}");
    assert_eq!(world.lines("transactions"), ["EUR completed Shop 61,61,1,1"]);
    world.is_well();
}

#[test]
fn invariant_5_as_soon_as_a_receipt_says_completed_its_rows_can_be_read() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    for file in 0..40 {
        let symbol = format!("S{file}");
        let id = world.put("files", &format!("{file}.csv"), &trades(&[(&symbol, 10, 1)]));
        while world.receipt(&id).outcome() != Outcome::Completed {
            std::thread::yield_now();
        }
        assert!(
            world.lines("files").iter().any(|line| line.starts_with(&format!("{symbol} "))),
            "{symbol} is not there"
        );
    }
}

#[test]
fn a_large_file_and_a_small_one_add_up_alike() {
    let rows: Vec<(&str, u32, u32)> = (0..20_000).map(|row| ("A", 10 + row % 7, 1)).collect();
    let text = trades(&rows);
    assert!(text.len() > 256 * 1024, "it is no small object");
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    let large = world.put("files", "large.csv", &text);
    assert_eq!(world.end_of(&large), Outcome::Completed);
    let whole = world.lines("files");
    let other = tempdir().unwrap();
    let mut cut = World::open(other.path());
    cut.start();
    for (number, rows) in rows.chunks(500).enumerate() {
        let id = cut.put("files", &format!("{number}.csv"), &trades(rows));
        // two parts of equal rows are two parts: only equal bytes are one file
        assert!(matches!(cut.end_of(&id), Outcome::Completed | Outcome::Duplicate));
    }
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].split(' ').next(), cut.lines("files")[0].split(' ').next());
}

#[test]
fn a_replay_replaces_what_a_file_added() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    let id = world.put("files", "day.csv", &trades(&[("A", 10, 1)]));
    assert_eq!(world.end_of(&id), Outcome::Completed);
    let before = world.lines("files");
    world.engine.replay(&id).unwrap();
    world.until("it is done again", |world| {
        let receipt = world.receipt(&id);
        receipt.generation() == 1 && receipt.outcome() == Outcome::Completed
    });
    assert_eq!(world.lines("files"), before);
    world.is_well();
}

/// A tick aggregates more windows than fit one transaction, of many instruments and of many times.
#[test]
fn a_tick_aggregates_any_number_of_windows() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    let head = "symbol,price,volume,timestamp\n";
    let symbols: String = (0..6000).map(|symbol| format!("S{symbol},5,1,2026-01-01T09:00:01Z\n")).collect();
    let times: String = (0..6000u64)
        .map(|window| {
            let at = pipeline::rows::time::rfc3339(1_767_225_600_000_000_000 + window as i64 * 300_000_000_000);
            format!("T,{},1,{at}\n", 1 + window % 9)
        })
        .collect();
    let ids = [("symbols.csv", symbols), ("times.csv", times)]
        .map(|(key, rows)| world.put("market", key, &format!("{head}{rows}")));
    for id in &ids {
        world.until("the rows of market are kept", |world| world.receipt(id).status() >= Status::Processed);
    }
    world.engine.tick().unwrap();
    assert_eq!(ids.each_ref().map(|id| world.end_of(id)), [Outcome::Completed, Outcome::Completed]);
    assert_eq!(world.lines("market").len(), 12_000);
    assert!(world.engine.dead_letters().unwrap().is_empty());
    world.is_well();
}

/// Trades in all windows of market.
fn trades_of(world: &World) -> usize {
    let lines = world.lines("market");
    lines.iter().map(|line| line.split(',').nth(5).unwrap().parse::<usize>().unwrap()).sum()
}

/// Nobody waits for rows to pause: windows of very many instruments are aggregated while rows come to all of them.
#[test]
fn a_tick_goes_on_while_rows_come() {
    const SYMBOLS: usize = 2000;
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let feed = Feed::try_from("market".to_owned()).unwrap();
    let batch = |number: usize| {
        let record = |place: usize| {
            let symbol = (number * 50 + place) % SYMBOLS;
            format!(r#"{{"symbol":"S{symbol}","timestamp":"2026-01-01T09:00:01Z","price":"5","volume":"1"}}"#)
        };
        let (origin, records) = (format!("q-{number}"), (0..50).map(record).collect());
        Message::MarketProcess(Records { feed: feed.clone(), origin, of: None, part: 0, records })
    };
    std::thread::scope(|scope| {
        let (world, stop, sent, batch) = (&world, &stop, &sent, &batch);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                world.engine.send(&batch(sent.load(Ordering::Relaxed))).unwrap().wait().unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let told = catch_unwind(AssertUnwindSafe(|| {
            world.until("all instruments have rows", |_| sent.load(Ordering::Relaxed) >= 2 * SYMBOLS / 50);
            for _ in 0..3 {
                let before = trades_of(world);
                world.engine.tick().unwrap();
                world.until("more of them count", |world| trades_of(world) > before);
            }
            world.until("all are aggregated", |world| world.lines("market").len() == SYMBOLS);
            assert!(world.engine.dead_letters().unwrap().is_empty());
        }));
        stop.store(true, Ordering::Relaxed);
        told.unwrap_or_else(|panic| resume_unwind(panic));
    });
    let rows = sent.load(Ordering::Relaxed) * 50;
    world.until("every row counts", |world| {
        world.engine.tick().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        trades_of(world) == rows
    });
    assert!(world.engine.dead_letters().unwrap().is_empty());
    world.is_well();
}

#[test]
fn a_tick_that_was_missed_comes_once_after_the_start() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    let id = world.put("market", "a.csv", &trades(&[("A", 1, 1)]));
    // the first tick ever is due at once; what came after it waits for the next or for somebody to force one
    world.until("rows are kept", |world| world.receipt(&id).status() >= Status::Processed);
    world.engine.tick().unwrap();
    assert_eq!(world.end_of(&id), Outcome::Completed);
    let tick = world.engine.queues().record(b"schedule/market").unwrap().expect("the clock has ticked");
    drop(world);
    let mut world = World::open(folder.path());
    world.start();
    std::thread::sleep(Duration::from_millis(200));
    let again = world.engine.queues().record(b"schedule/market").unwrap().expect("it is kept");
    assert!(
        again == tick || u64::from_be_bytes(again.try_into().unwrap()) > u64::from_be_bytes(tick.try_into().unwrap())
    );
}

#[test]
fn parts_of_an_upload_that_nobody_ends_go_after_seven_days() {
    let folder = tempdir().unwrap();
    let world = World::open(folder.path());
    let upload = world.engine.upload(PARTS_BUCKET, "id/00001").unwrap();
    let part = world.engine.objects().put_alone(upload, engine::runtime::now()).unwrap();
    let days = |days: u64| Some(engine::runtime::now() + days * 24 * 60 * 60 * 1000);
    assert_eq!(world.engine.keep(days(6)).unwrap().expired, 0);
    assert!(world.engine.objects().head(&part).unwrap().is_some());
    assert_eq!(world.engine.keep(days(8)).unwrap().expired, 1);
    assert!(world.engine.objects().head(&part).unwrap().is_none());
}

#[test]
fn what_is_sent_once_is_known_for_as_long_as_its_messages_could_come_again() {
    let folder = tempdir().unwrap();
    let world = World::open(folder.path());
    let send = |before: Option<&Once>, once: &Once| {
        let mut sent = std::pin::pin!(world.engine.send_once("k", before, once, &[]));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            match sent.as_mut().poll(&mut context) {
                std::task::Poll::Ready(sent) => return sent.unwrap(),
                std::task::Poll::Pending => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
    };
    let now = engine::runtime::now();
    let first = Once { at: now, print: "p".to_owned(), answer: "a".to_owned(), is_whole: false };
    assert!(send(None, &first));
    let whole = Once { is_whole: true, ..first.clone() };
    assert!(!send(None, &whole), "something stands there");
    assert_eq!(world.engine.once("k").unwrap().as_ref(), Some(&first));
    assert!(send(Some(&first), &whole));
    let kept = |days: u64| world.engine.keep(Some(now + days * 24 * 60 * 60 * 1000)).unwrap().requests_forgotten;
    assert_eq!((kept(18), world.engine.once("k").unwrap()), (0, Some(whole)));
    assert_eq!((kept(19), world.engine.once("k").unwrap()), (1, None));
}

#[test]
fn a_file_that_is_deleted_on_purpose_is_no_finding_and_one_that_is_lost_is() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    let files = ["one.csv", "two.csv"].map(|key| world.put("files", key, &trades(&[(key, 10, 1)])));
    for id in &files {
        assert_eq!(world.end_of(id), Outcome::Completed);
    }
    let object = |id: &ReceiptId| world.receipt(id).arrival().object.clone();
    assert!(world.engine.remove(&object(&files[0])).unwrap());
    world.is_well();
    assert!(world.engine.objects().delete(&object(&files[1]), engine::runtime::now()).unwrap());
    let found = world.engine.doctor().unwrap();
    let told = format!("{found:?}");
    assert!(told.contains("two.csv") && told.contains("is gone") && !told.contains("one.csv"), "{told}");
}

#[test]
fn what_is_kept_for_a_time_goes_or_is_archived_and_still_reads() {
    let folder = tempdir().unwrap();
    let mut world = World::open(folder.path());
    world.start();
    let text = trades(&(0..20_000).map(|row| ("A", 10 + row % 7, 1)).collect::<Vec<_>>());
    let file = world.put("files", "day.csv", &text);
    let market = world.put("market", "m.csv", &trades(&[("A", 1, 1)]));
    assert_eq!(world.end_of(&file), Outcome::Completed);
    world.until("rows are kept", |world| world.receipt(&market).status() >= Status::Processed);
    let before = world.lines("files");
    let days = |days: u64| Some(engine::runtime::now() + days * 24 * 60 * 60 * 1000);
    let kept = world.engine.keep(days(29)).unwrap();
    assert_eq!((kept.expired, kept.archived), (0, 0));
    let kept = world.engine.keep(days(91)).unwrap();
    assert!(kept.expired > 0 && kept.archived > 0 && kept.bytes_freed > 0, "{kept:?}");
    assert_eq!(world.lines("files"), before, "what is in the archive still reads");
    assert_eq!(world.read(&world.receipt(&file).arrival().object), text.as_bytes());
    let preset = |id| world.receipt(id).arrival().preset;
    assert_eq!((preset(&file), preset(&market)), (Preset::Files, Preset::Market));
}
