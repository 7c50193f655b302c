//! What becomes of files: good, bad, repeated, corrected, late.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use pipeline::find::{Wanted, list_among};
use pipeline::handle::Call;
use pipeline::message::{Feed, Message, Records, Tick};
use pipeline::object::ReceiptId;
use pipeline::ports::{Commit, Committed, Ledger};
use pipeline::query;
use pipeline::receipt::{Outcome, Status};
use pipeline::records::Notice;
use pipeline::replay;
use pipeline::rows::contribution::Filter;
use pipeline::rows::time::Interval;
use pipeline::step::{Kind, RecordKey, Step, Write};
use pipeline::window::State;

use crate::world::World;

const FILES: &str = "file-processing-bucket-dev";
const MARKET: &str = "market-data-dev";
const TRANSACTIONS: &str = "transactions-dev";

fn trades(rows: &[(&str, &str, &str, &str)]) -> String {
    let rows = rows.iter().map(|(symbol, price, volume, time)| format!("{symbol},{price},{volume},{time}\n"));
    format!("symbol,price,volume,timestamp\n{}", rows.collect::<String>())
}

fn transactions(rows: &[(&str, &str)]) -> String {
    let row = |(id, amount): &(&str, &str)| format!("{id},2026-01-05T10:00:00Z,{amount},EUR,Shop,completed\n");
    format!("transaction_id,timestamp,amount,currency,merchant,status\n{}", rows.iter().map(row).collect::<String>())
}

const ONE: (&str, &str, &str, &str) = ("A", "10", "2", "2026-01-01T09:00:01Z");
const TWO: (&str, &str, &str, &str) = ("A", "11", "1", "2026-01-01T09:00:30Z");

#[test]
fn a_file_goes_through_and_can_be_queried() {
    let mut world = World::new();
    let id = world.takes(FILES, "day.csv", &trades(&[ONE, TWO, ("A", "-1", "1", "2026-01-01T09:00:40Z")]));
    let receipt = world.receipt(&id);
    assert_eq!((receipt.status(), receipt.outcome()), (Status::Aggregated, Outcome::CompletedWithRejects));
    let counts = &receipt.account().unwrap().counts;
    assert_eq!((counts.rows, counts.good, counts.rejected, counts.lines), (3, 2, 1, 4));
    assert_eq!(world.lines("files"), ["A,2026-01-01T09:00:00Z,10,11,10,11,3,2,31,10.33333333"]);
    let rejects = world.objects.bytes(receipt.link("rejects").expect("there are some")).unwrap();
    assert!(String::from_utf8(rejects).unwrap().contains("A,-1,1,2026-01-01T09:00:40Z,4,"));
    assert!(receipt.link("rows").is_some() && receipt.link("contribution").is_some());
}

#[test]
fn found_by_every_name() {
    let mut world = World::new();
    let old = world.takes(FILES, "in/day.csv", &trades(&[ONE]));
    world.pass(1000);
    let new = world.takes(FILES, "in/day.csv", &trades(&[TWO]));
    let sha256 = world.receipt(&new).account().unwrap().sha256.clone();
    for name in ["in/day.csv", "file-processing-bucket-dev/in/day.csv", &sha256, new.as_str()] {
        let found = pipeline::find::by_name(&world.ledger, name).unwrap().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(found.receipt.id(), new, "{name}");
    }
    let found = pipeline::find::by_name(&world.ledger, "in/day.csv").unwrap().unwrap();
    assert_eq!(found.versions, [new, old]);
    assert!(pipeline::find::by_name(&world.ledger, "other.csv").unwrap().is_none());
}

#[test]
fn a_list_goes_on_where_it_stopped_looking() {
    let mut world = World::new();
    for number in 0..7 {
        world.pass(1000);
        world.takes(FILES, &format!("{}/{number}.csv", if number < 2 { "old" } else { "new" }), &trades(&[ONE]));
    }
    let wanted = Wanted { key_prefix: Some("old/".to_owned()), ..Wanted::default() };
    for (looked_max, pages) in [(2, vec![0, 0, 1, 1]), (3, vec![0, 1, 1]), (4, vec![0, 2]), (7, vec![2]), (8, vec![2])]
    {
        let (mut after, mut keys, mut found) = (None, Vec::new(), Vec::new());
        loop {
            let page = list_among(&world.ledger, &wanted, after.as_deref(), 10, looked_max).unwrap();
            found.push(page.0.len());
            keys.extend(page.0.iter().map(|receipt| receipt.arrival().object.key.clone()));
            after = page.1;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(keys, ["old/1.csv", "old/0.csv"], "{looked_max}");
        // the last page may have been looked through to its end without it being known
        assert_eq!(found[..pages.len()], pages[..], "{looked_max}");
    }
}

#[test]
fn a_refused_file_is_a_record_and_counts_nothing() {
    let mut world = World::new();
    for (key, text, code) in [
        ("a.csv", "no,such,header\n1,2,3\n".to_owned(), "no_contract"),
        ("b.csv", transactions(&[("t1", "5")]), "wrong_kind"),
        ("c.csv", String::new(), "empty_file"),
    ] {
        let id = world.takes(FILES, key, &text);
        let receipt = world.receipt(&id);
        assert_eq!(receipt.outcome(), Outcome::Rejected, "{key}");
        let refused = receipt.account().unwrap().refused.clone().unwrap();
        assert!(refused.code.contains(code) || code == "no_contract", "{key}: {refused:?}");
        assert!(!refused.message.is_empty());
    }
    assert_eq!(world.lines("files"), [""; 0]);
}

#[test]
fn the_same_bytes_again_are_a_duplicate_under_any_name() {
    let mut world = World::new();
    let first = world.takes(FILES, "a.csv", &trades(&[ONE]));
    let again = world.takes(FILES, "a.csv", &trades(&[ONE]));
    let other = world.takes(FILES, "b.csv", &trades(&[ONE]));
    for id in [&again, &other] {
        let receipt = world.receipt(id);
        assert_eq!(receipt.outcome(), Outcome::Duplicate);
        assert_eq!(receipt.duplicate_of().map(|other| &other.receipt), Some(&first));
    }
    assert_eq!(world.lines("files"), ["A,2026-01-01T09:00:00Z,10,10,10,10,2,1,20,10"]);
}

#[test]
fn other_bytes_under_the_same_name_take_the_place_of_the_old_ones() {
    let mut world = World::new();
    let old = world.takes(FILES, "a.csv", &trades(&[ONE, ("B", "5", "1", "2026-01-01T09:00:00Z")]));
    world.pass(1000);
    let new = world.takes(FILES, "a.csv", &trades(&[TWO]));
    assert_eq!((world.outcome(&old), world.outcome(&new)), (Outcome::Superseded, Outcome::Completed));
    assert_eq!(world.receipt(&new).supersedes().map(|other| &other.receipt), Some(&old));
    assert_eq!(world.receipt(&old).superseded_by().map(|other| &other.receipt), Some(&new));
    assert_eq!(world.lines("files"), ["A,2026-01-01T09:00:00Z,11,11,11,11,1,1,11,11"]);
    world.pass(1000);
    // back to the first bytes: they do not stand any more, so this is no duplicate
    let back = world.takes(FILES, "a.csv", &trades(&[ONE]));
    assert_eq!(world.outcome(&back), Outcome::Completed);
    assert_eq!(world.lines("files"), ["A,2026-01-01T09:00:00Z,10,10,10,10,2,1,20,10"]);
    // a version that is refused takes nobody's place
    let bad = world.takes(FILES, "a.csv", "x\n1\n");
    assert_eq!((world.outcome(&bad), world.outcome(&back)), (Outcome::Rejected, Outcome::Completed));
}

#[test]
fn a_corrected_file_after_the_window_was_final_restates_it() {
    let mut world = World::new();
    world.takes(FILES, "a.csv", &trades(&[ONE]));
    let state = |world: &World| {
        world.aggregates("files", None).iter().map(|(_, state, revision)| (*state, *revision)).collect::<Vec<_>>()
    };
    assert_eq!(state(&world), [(State::Provisional, 1)]);
    world.pass(60_001);
    assert_eq!(state(&world), [(State::Final, 1)]);
    world.pass(10_000);
    world.takes(FILES, "b.csv", &trades(&[TWO]));
    assert_eq!(state(&world), [(State::Restated, 2)], "a late file");
    world.pass(10_000);
    world.takes(FILES, "a.csv", &trades(&[("A", "12", "1", "2026-01-01T09:00:01Z")]));
    assert_eq!(state(&world), [(State::Restated, 3)], "a correction");
    assert_eq!(world.lines("files"), ["A,2026-01-01T09:00:00Z,12,12,11,11,2,2,23,11.5"]);
}

#[test]
fn a_window_waits_for_files_that_came_in_time() {
    let mut world = World::new();
    world.takes(FILES, "a.csv", &trades(&[ONE]));
    world.arrives(FILES, "b.csv", &trades(&[TWO]));
    world.pass(100_000);
    assert_eq!(world.aggregates("files", None)[0].1, State::Provisional, "b.csv is not done");
    world.run();
    assert_eq!(world.aggregates("files", None)[0].1, State::Final);
}

#[test]
fn bars_roll_up() {
    let mut world = World::new();
    world.takes(FILES, "a.csv", &trades(&[ONE, ("A", "20", "1", "2026-01-01T09:40:00Z")]));
    let hour: Vec<String> = world.aggregates("files", Some(Interval::H1)).into_iter().map(|(line, ..)| line).collect();
    assert_eq!(hour, ["A,2026-01-01T09:00:00Z,10,20,10,20,3,2,40,13.33333333"]);
    let declared = world.pipeline.feeds.named("files").unwrap();
    let refused = pipeline::query::aggregates(world.at(), declared, Some(Interval::S1), &Default::default(), |_| {
        std::ops::ControlFlow::Continue(())
    });
    assert!(refused.unwrap_err().to_string().contains("keeps bars of 1m and longer"));
}

#[test]
fn transactions_add_up_and_ids_are_taken_once_in_a_feed() {
    let mut world = World::new();
    let first = world.takes(TRANSACTIONS, "a.csv", &transactions(&[("t1", "1.50"), ("t2", "2"), ("t1", "9")]));
    let receipt = world.receipt(&first);
    assert_eq!((receipt.status(), receipt.outcome()), (Status::Notified, Outcome::CompletedWithRejects));
    assert_eq!(receipt.account().unwrap().counts.duplicate, 1);
    let second = world.takes(TRANSACTIONS, "b.csv", &transactions(&[("t2", "7"), ("t3", "4")]));
    let counts = world.receipt(&second).account().unwrap().counts.clone();
    assert_eq!((counts.rows, counts.good, counts.duplicate), (2, 1, 1), "t2 was taken by a.csv");
    assert_eq!(world.lines("transactions"), ["EUR,completed,Shop,20458,3,7.5,1.5,4"]);
    assert_eq!(world.transaction_ids(), ["t1", "t2", "t3"]);
    // a corrected version of a file may use its ids again
    world.pass(1000);
    let third = world.takes(TRANSACTIONS, "a.csv", &transactions(&[("t1", "1.60"), ("t2", "2")]));
    assert_eq!(world.outcome(&third), Outcome::Completed);
    assert_eq!(world.lines("transactions"), ["EUR,completed,Shop,20458,3,7.6,1.6,4"]);
    assert!(receipt.link("csv").is_some());
}

#[test]
fn many_ids_are_known_as_well_as_few() {
    let mut world = World::new();
    let many: Vec<(String, String)> = (0..2500).map(|id| (format!("m{id}"), "1".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(id, amount)| (id.as_str(), amount.as_str())).collect();
    world.takes(TRANSACTIONS, "many.csv", &transactions(&many));
    let few = world.takes(TRANSACTIONS, "few.csv", &transactions(&[("m7", "1"), ("m2499", "1"), ("new", "1")]));
    let counts = world.receipt(&few).account().unwrap().counts.clone();
    assert_eq!((counts.good, counts.duplicate), (1, 2));
}

#[test]
fn market_files_are_kept_row_by_row_and_aggregated_by_the_clock() {
    let mut world = World::new();
    let id = world.takes(MARKET, "aapl.json", r#"[{"symbol":"AAPL","price":190.5,"volume":100,"timestamp":"2026-01-01T09:01:00Z"},{"symbol":"AAPL","price":191,"volume":50,"timestamp":"2026-01-01T09:04:00Z"}]"#);
    assert_eq!(world.receipt(&id).status(), Status::Processed);
    assert_eq!(world.outcome(&id), Outcome::InProgress, "the aggregate is not there yet");
    world.tick();
    assert_eq!(world.outcome(&id), Outcome::Completed);
    assert_eq!(world.lines("market"), ["AAPL,2026-01-01T09:00:00Z,190.5,191,190.5,191,150,2,28600,190.6666667"]);
    world.pass(1000);
    let corrected = world.takes(
        MARKET,
        "aapl.json",
        r#"{"symbol":"AAPL","price":1,"volume":1,"timestamp":"2026-01-01T09:10:00Z"}"#,
    );
    world.pass(1000);
    world.tick();
    assert_eq!((world.outcome(&id), world.outcome(&corrected)), (Outcome::Superseded, Outcome::Completed));
    assert_eq!(world.lines("market"), ["AAPL,2026-01-01T09:10:00Z,1,1,1,1,1,1,1,1"]);
}

#[test]
fn a_replay_looks_again_and_replaces() {
    let mut world = World::new();
    let id = world.takes(FILES, "a.csv", &trades(&[ONE, TWO]));
    world.pass(100_000);
    let before = world.lines("files");
    let receipt = world.receipt(&id);
    let preview = world.with_call(|call| replay::preview(&world.pipeline, call, &receipt)).unwrap();
    assert!(!preview.changes);
    let replayed = |world: &mut World, id: &ReceiptId| {
        world.with_call(|call| replay::replay(&world.pipeline, call, id)).unwrap();
        world.collect();
        world.run();
    };
    replayed(&mut world, &id);
    assert_eq!((world.outcome(&id), world.receipt(&id).generation()), (Outcome::Completed, 1));
    assert_eq!(world.lines("files"), before);
    assert_eq!(world.aggregates("files", None)[0].1, State::Restated);
    // under another contract the file is refused: what it added is gone
    let mut strict = pipeline::rows::contract::builtin("bars").unwrap().clone();
    strict.name = "strict".into();
    let written = pipeline::feed::Written {
        name: "files".into(),
        preset: pipeline::preset::Preset::Files,
        keys: "*".into(),
        contract: Some("strict".into()),
        interval: "1m".into(),
        zone: None,
        settle: "1m".into(),
        on_poison: Default::default(),
    };
    world.pipeline.feeds =
        pipeline::feed::Feeds::new(vec![written], |_| Ok::<_, pipeline::feed::Fault>(strict.clone())).unwrap();
    let receipt = world.receipt(&id);
    assert!(world.with_call(|call| replay::preview(&world.pipeline, call, &receipt)).unwrap().changes);
    replayed(&mut world, &id);
    assert_eq!(world.outcome(&id), Outcome::Rejected);
    assert_eq!(world.lines("files"), [""; 0]);
    assert_eq!(world.receipt(&id).past().len(), 2);
}

#[test]
fn a_window_of_market_that_changes_after_it_was_over_is_told_anew() {
    let mut world = World::new();
    for (key, minute) in [("one.csv", 1), ("two.csv", 2)] {
        assert_eq!(told(&world, "window.restated"), [], "{key}");
        let row = format!("symbol,price,volume,timestamp\nA,{minute},1,2026-01-01T09:0{minute}:00Z\n");
        world.takes(MARKET, key, &row);
        world.pass(1000);
        world.tick();
    }
    let told = told(&world, "window.restated");
    let window = ["2026-01-01T09:00:00Z", "2026-01-01T09:05:00Z"].map(str::to_owned);
    assert_eq!((told.len(), told[0].1.window.as_ref()), (1, Some(&window)));
    assert_eq!(told[0].1.detail, "A from 2026-01-01T09:00:00Z on has revision 2");
}

fn told(world: &World, event: &str) -> Vec<(RecordKey, Notice)> {
    let records = world.ledger.records().into_iter().filter(|(key, _)| key.kind == Kind::Notice);
    let notices = records.map(|(key, value)| (key, serde_json::from_slice::<Notice>(&value).unwrap()));
    notices.filter(|(_, notice)| notice.event == event).collect()
}

/// Records as `POST /ingest` sends them.
fn ingested(origin: &str, part: u64, records: &[&str]) -> Message {
    let records = records.iter().map(|record| (*record).to_owned()).collect();
    let feed = Feed::try_from("market".to_owned()).unwrap();
    Message::MarketProcess(Records { feed, origin: origin.to_owned(), of: None, part, records })
}

/// Rows that come while a tick works are not waited for, and not forgotten: their window stays due.
#[test]
fn what_comes_while_a_tick_works_counts_with_the_next() {
    let record = |symbol: &str| {
        format!(r#"{{"symbol":"{symbol}","timestamp":"2026-01-01T09:00:01Z","price":"5","volume":"1"}}"#)
    };
    // before the windows are written, and before they are not due any more
    for comes_at in [1, 2] {
        let mut world = World::new();
        world.handle(&ingested("q-0", 0, &[&record("A"), &record("B")])).unwrap();
        let (pipeline, objects, ledger) = (world.pipeline.clone(), world.objects.clone(), world.ledger.clone());
        let late = record("A");
        let commits = AtomicU64::new(0);
        let hooked = world.hooked(move |_| {
            if commits.fetch_add(1, Ordering::SeqCst) + 1 == comes_at {
                let inner = World {
                    pipeline: pipeline.clone(),
                    objects: objects.clone(),
                    ledger: ledger.clone(),
                    ..World::new()
                };
                inner.handle(&ingested("q-1", 0, &[&late])).unwrap();
            }
            Ok(())
        });
        let tick =
            Message::MarketAggregate(Tick { feed: Feed::try_from("market".to_owned()).unwrap(), due_seconds: 1 });
        world.with_call(|call| world.pipeline.handle(&tick, &Call { ledger: &hooked, ..*call })).unwrap();
        let trades = |world: &World| -> Vec<String> {
            world.lines("market").iter().map(|line| line.split(',').nth(7).unwrap().to_owned()).collect()
        };
        assert_eq!(trades(&world), ["1", "1"], "{comes_at}: as it was when the rows were read");
        world.pass(1000);
        world.tick();
        assert_eq!(trades(&world), ["2", "1"], "{comes_at}");
        assert!(world.ledger.records().iter().all(|(key, _)| key.kind != Kind::Due), "{comes_at}: nothing is due");
    }
}

/// Of very many requests a window names the first by name, whatever came when; the rows of all count.
#[test]
fn a_window_of_very_many_requests_names_some_of_them() {
    let mut world = World::new();
    let mut names: Vec<String> = (0..1200).map(|number| format!("q-{:05}", number * 7919 % 10_000)).collect();
    for name in &names {
        let record = r#"{"symbol":"A","timestamp":"2026-01-01T09:00:01Z","price":"5","volume":"1"}"#;
        world.waiting.push_back(ingested(name, 0, &[record]));
        world.run();
    }
    world.pass(1000);
    world.tick();
    assert_eq!(world.lines("market"), ["A,2026-01-01T09:00:00Z,5,5,5,5,1200,1200,6000,5"]);
    let declared = world.pipeline.feeds.named("market").unwrap();
    let mut told: Vec<String> = Vec::new();
    let each = |aggregate: query::Aggregate<'_>| {
        told.extend(aggregate.sources.iter().map(ToString::to_string));
        ControlFlow::Continue(())
    };
    query::aggregates(world.at(), declared, None, &Filter::default(), each).unwrap();
    names.sort();
    assert_eq!(told, names[..1000]);
}

#[test]
fn every_batch_of_rows_is_told_of_once() {
    let world = World::new();
    let point = |symbol: &str, minute: u32| {
        format!(r#"{{"symbol":"{symbol}","timestamp":"2026-01-01T09:{minute:02}:00Z","price":"1.5","volume":"2"}}"#)
    };
    let (one, two) = (point("A", 1), point("B", 17));
    let first = ingested("q-1", 0, &[&one, &two]);
    for (message, committed) in [
        (first.clone(), Committed::Now),
        (first.clone(), Committed::Before),
        (ingested("q-1", 1, &[&one]), Committed::Now),
        (ingested("q-2", 0, &[&one]), Committed::Now),
        // none of its records is a point
        (ingested("q-3", 0, &["{}"]), Committed::Now),
    ] {
        assert_eq!(world.handle(&message).unwrap(), committed, "{message:?}");
    }
    let notices = told(&world, "rows.kept");
    let mut of: Vec<_> = notices.iter().map(|(_, notice)| (notice.origins[0].as_str(), notice.rows)).collect();
    of.sort_unstable();
    assert_eq!(of, [("q-1", [1, 1, 0, 0]), ("q-1", [2, 2, 0, 0]), ("q-2", [1, 1, 0, 0])]);
    let (key, notice) = notices.iter().find(|(_, notice)| notice.rows[0] == 2).unwrap();
    let window = ["2026-01-01T09:00:00Z", "2026-01-01T09:20:00Z"].map(str::to_owned);
    assert_eq!((notice.window.as_ref(), notice.feed.as_ref().unwrap().as_str()), (Some(&window), "market"));

    // who tells it takes it away; the message that comes once more brings it back no more
    let step = Step { writes: vec![Write { key: key.clone(), value: None }], sends: Vec::new() };
    let source = ingested("told", 0, &[]).id();
    world.ledger.commit(Commit { source, expects: Vec::new(), step }).unwrap();
    assert_eq!(world.handle(&first).unwrap(), Committed::Before);
    assert_eq!(told(&world, "rows.kept").len(), 2);
}

#[test]
fn rows_are_told_of_only_if_somebody_wants_to_hear_it() {
    let world = World::new();
    let message =
        ingested("q-1", 0, &[r#"{"symbol":"A","timestamp":"2026-01-01T09:00:00Z","price":"1","volume":"2"}"#]);
    let done = world.with_call(|call| world.pipeline.handle(&message, &Call { announces: false, ..*call }));
    assert_eq!(done.unwrap(), Committed::Now);
    assert!(world.ledger.records().keys().any(|key| key.kind == Kind::Row), "the row is kept");
    assert_eq!(told(&world, "rows.kept").len(), 0);
}

#[test]
fn rows_of_a_file_are_told_with_its_receipt() {
    let mut world = World::new();
    let id = world.takes(MARKET, "a.csv", "symbol,price,volume,timestamp\nA,1,1,2026-01-01T09:01:00Z\n");
    let notices = told(&world, "rows.kept");
    assert_eq!(notices.len(), 1);
    assert_eq!((notices[0].1.receipt_id.as_ref(), notices[0].1.origins[0].as_str()), (Some(&id), id.as_str()));
    world.takes(MARKET, "none.csv", "symbol,price,volume,timestamp\n");
    assert_eq!(told(&world, "rows.kept").len(), 1, "a file without rows has none to tell of");
}
