//! What people are told: by every preset that has somebody to tell, once for each thing that happened, whatever fails or
//! dies between the commit and the telling.

use std::time::Duration;

use lambda::announce::Event;
use lambda::doors::Call;
use lambda::ledger::Untold;
use lambda::tell::Told;
use pipeline::message::{Message, MessageId};
use pipeline::ports::{Commit, Ledger as _};
use pipeline::records::Notice;
use pipeline::step::{Kind, RecordKey, Step, Write};
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault};
use crate::flow::{FILES, MARKET, TRADES, TRANSACTIONS, call, call_thrice, created, function, ids, put, work};
use crate::ledger::ledger;

const OF_MARKET: [&str; 3] = ["DataIngestion", "DataProcessor", "DataAggregator"];
const OF_TRANSACTIONS: [&str; 3] = ["csv-validator", "data-transformer", "notification-sender"];
const CARDS: &str = "transaction_id,timestamp,amount,currency,merchant,status\n\
                     t1,2024-01-02T10:00:00Z,10.50,USD,m1,completed\nt2,2024-01-02T10:00:00Z,no,USD,m1,completed\n";

fn names(cloud: &Cloud) -> Vec<String> {
    cloud.told().into_iter().map(|event| event.name).collect()
}

fn data(event: &Event) -> Value {
    serde_json::from_str::<Value>(&event.payload).expect("an event is JSON")["data"].clone()
}

fn started(key: &str, version: &str) -> Value {
    json!({ "detail-type": "Object Created", "time": "2024-01-02T12:00:00Z",
        "detail": { "bucket": { "name": TRANSACTIONS }, "object": { "key": key, "version-id": version } } })
}

/// Queries since this call. What is to be told takes 16, versions of a key one each.
fn queries(cloud: &Cloud, since: usize) -> usize {
    cloud.calls()[since..].iter().filter(|call| **call == "query").count()
}

/// A file through the workflow, for as long as something follows.
fn through_workflow(cloud: &Cloud, key: &str, text: &str) {
    let version = put(cloud, TRANSACTIONS, key, text);
    let mut event = started(key, &version);
    for name in OF_TRANSACTIONS {
        event = call_thrice(cloud, name, TRANSACTIONS, &event);
        if event["message"].is_null() {
            return;
        }
    }
}

fn tick(at: &str) -> Value {
    json!({ "detail-type": "Scheduled Event", "time": format!("2024-01-02T{at}Z") })
}

#[test]
fn the_end_of_every_file_of_transactions_is_told_on_the_topic() {
    let cloud = Cloud::default();
    through_workflow(&cloud, "a.csv", CARDS);
    through_workflow(&cloud, "copy.csv", CARDS);
    through_workflow(&cloud, "bad.csv", "no rows at all");
    through_workflow(&cloud, "a.csv", &CARDS.replace(",no,", ",1,").replace("\nt", "\nother"));
    let mut told = names(&cloud);
    told.sort();
    let expected =
        ["file.completed", "file.completed_with_rejects", "file.duplicate", "file.rejected", "file.superseded"];
    // the copy counts in the place of what it was a copy of, and then it is another end
    told.dedup();
    assert_eq!(told, expected);
    assert_eq!(cloud.untold(), 0);
    let events = cloud.told();
    let done = events.iter().find(|event| event.name == "file.completed_with_rejects").expect("it is told");
    assert_eq!(data(done)["fileId"], "a.csv");
    assert_eq!(data(done)["rows"], json!([2, 1, 1, 0]));
    let body: Value = serde_json::from_str(&done.payload).unwrap();
    assert_eq!((&body["id"], &body["type"]), (&json!(done.id), &json!("file.completed_with_rejects")));
}

#[test]
fn rows_that_are_kept_are_announced_once_and_so_are_ends_of_files() {
    let cloud = Cloud::default();
    let request = json!({ "httpMethod": "POST", "resource": "/ingest", "path": "/ingest",
        "body": r#"[{"symbol":"ACME","price":10.5,"volume":3,"timestamp":"2024-01-02T10:00:00Z"}]"#,
        "headers": { "idempotency-key": "k" }, "requestContext": { "requestId": "q" } });
    for _ in 0..2 {
        // a queue without order may have it twice
        call(&cloud, OF_MARKET[0], MARKET, request.clone()).unwrap();
        assert_eq!(work(&cloud, MARKET, &OF_MARKET), 0);
    }
    assert_eq!(names(&cloud), ["rows.kept"]);
    let kept = data(&cloud.told()[0]);
    assert_eq!((&kept["rows"], &kept["window"][0]), (&json!([1, 1, 0, 0]), &json!("2024-01-02T10:00:00Z")));
    assert_eq!(kept["origins"].as_array().map(Vec::len), Some(1), "{kept}");
    let version = put(&cloud, MARKET, "a.csv", TRADES);
    call(&cloud, OF_MARKET[0], MARKET, created(MARKET, "a.csv", &version)).unwrap();
    let version = put(&cloud, MARKET, "bad.csv", "no rows");
    call(&cloud, OF_MARKET[0], MARKET, created(MARKET, "bad.csv", &version)).unwrap();
    assert_eq!(work(&cloud, MARKET, &OF_MARKET), 0);
    call(&cloud, OF_MARKET[2], MARKET, tick("12:55:00")).unwrap();
    let told = names(&cloud);
    assert_eq!(told, ["rows.kept", "file.rejected", "rows.kept", "file.completed_with_rejects"]);
    assert_eq!((ids(&cloud).len(), cloud.untold()), (4, 0));
}

#[test]
fn where_nobody_is_told_nothing_is_kept_for_them() {
    let cloud = Cloud::default();
    let names = ["file-validator", "data-processor", "result-aggregator"];
    let version = put(&cloud, FILES, "a.csv", TRADES);
    call(&cloud, names[0], FILES, created(FILES, "a.csv", &version)).unwrap();
    assert_eq!(work(&cloud, FILES, &names), 0);
    assert_eq!((cloud.told().len(), cloud.untold()), (0, 0));
    assert!(queries(&cloud, 0) < 16, "and nobody looks for it");
}

#[test]
fn what_a_process_that_died_has_left_is_told_by_the_next_one() {
    let cloud = Cloud::default();
    let event = |key: &str| created(MARKET, key, &put(&cloud, MARKET, key, &format!("no rows of {key}")));
    // its bus does not answer, and nobody calls again: as if it had died there
    let (first, second, third) = (event("a.csv"), event("b.csv"), event("c.csv"));
    let calls = {
        let calm = Cloud::default();
        let version = put(&calm, MARKET, "a.csv", "no rows of a.csv");
        call(&calm, OF_MARKET[0], MARKET, created(MARKET, "a.csv", &version)).unwrap();
        calm.calls()
    };
    let at = calls.iter().position(|call| *call == "announce").expect("it tells") - 1;
    cloud.plan(cloud.calls().len() + at, Fault::Before);
    let refused = call(&cloud, OF_MARKET[0], MARKET, first).unwrap_err();
    assert!(refused.contains("untold"), "{refused}");
    assert_eq!((cloud.told().len(), cloud.untold(), cloud.left()), (0, 1, 0));
    let warm = function(&cloud, OF_MARKET[0], MARKET);
    let call = |event: Value| {
        let call = Call::within(Duration::from_secs(300));
        warm.call(event, &call, &mut Told::default()).unwrap();
    };
    call(second);
    assert_eq!((names(&cloud), cloud.untold()), (vec!["file.rejected".to_owned(); 2], 0));
    // and one that was told of nothing sees that it comes again, and that somebody has had it
    let again = event("d.csv");
    cloud.plan(cloud.calls().len() + at, Fault::Before);
    crate::flow::call(&cloud, OF_MARKET[0], MARKET, again.clone()).unwrap_err();
    assert_eq!((cloud.untold(), cloud.left()), (1, 0));
    call(again);
    assert_eq!((cloud.told().len(), cloud.untold()), (3, 0));
    let before = cloud.calls().len();
    call(third);
    assert_eq!((cloud.told().len(), cloud.untold()), (4, 0));
    assert!(queries(&cloud, before) < 16, "a warm process does not look for what others have left");
}

#[test]
fn what_nobody_comes_again_for_is_told_by_the_clock() {
    let cloud = Cloud::default();
    let ticks = function(&cloud, OF_MARKET[2], MARKET);
    let call = |event: Value| {
        let call = Call::within(Duration::from_secs(300));
        ticks.call(event, &call, &mut Told::default())
    };
    call(tick("12:00:00")).unwrap();
    leave(&cloud, "left", 1);
    call(tick("12:05:00")).unwrap();
    assert_eq!((names(&cloud), cloud.untold()), (vec!["test".to_owned()], 0));
}

/// Commits so many records that say what is to be told, as a process does that dies then.
fn leave(cloud: &Cloud, name: &str, records: usize) -> Vec<Untold> {
    let untold: Vec<Untold> = (0..records)
        .map(|index| {
            let notice = Notice::about("test", index as u64, name);
            let value = serde_json::to_vec(&notice).expect("it is JSON");
            Untold { id: format!("about/{name}/{index:04}"), value }
        })
        .collect();
    let write = |untold: &Untold| Write {
        key: RecordKey { kind: Kind::Notice, id: untold.id.clone() },
        value: Some(untold.value.clone()),
    };
    let step = Step { writes: untold.iter().map(write).collect(), sends: Vec::new() };
    let commit = Commit { source: source(name), expects: Vec::new(), step };
    (0..5).find(|process| ledger(cloud, *process).commit(commit.clone()).is_ok()).expect("it commits");
    untold
}

fn source(name: &str) -> MessageId {
    let feed = "f".to_owned().try_into().expect("a good name");
    let object = pipeline::object::ObjectVersion { bucket: "b".into(), key: name.into(), version: "1".into() };
    Message::FilesProcess(pipeline::message::Work { object, feed, generation: 0 }).id()
}

#[test]
fn however_many_are_left_and_whatever_fails_all_are_told() {
    // more than a transaction has: they are prepared, and settled when they are taken away
    for (records, step) in [(3, 1), (130, 5)] {
        let run = |cloud: &Cloud| {
            leave(cloud, "many", records);
            let told = (0..4).any(|_| call(cloud, OF_MARKET[2], MARKET, tick("12:00:00")).is_ok());
            assert!(told, "it is done in the end");
        };
        let calm = Cloud::default();
        run(&calm);
        assert_eq!((calm.told().len(), calm.untold()), (records, 0));
        let calls = calm.calls();
        for number in (0..calls.len()).step_by(step) {
            for fault in crate::cloud::faults(calls[number]) {
                let cloud = Cloud::default();
                cloud.plan(number, *fault);
                run(&cloud);
                assert_eq!((ids(&cloud), cloud.untold()), (ids(&calm), 0), "{fault:?} at {number}, {}", calls[number]);
            }
        }
    }
}

#[test]
fn a_record_that_says_something_else_by_now_stays() {
    let cloud = Cloud::default();
    let before = leave(&cloud, "one", 2);
    let key = RecordKey { kind: Kind::Notice, id: before[0].id.clone() };
    let value = serde_json::to_vec(&Notice::about("later", 9, "")).unwrap();
    let step = Step { writes: vec![Write { key, value: Some(value.clone()) }], sends: Vec::new() };
    let other = ledger(&cloud, 8);
    other.commit(Commit { source: source("later"), expects: Vec::new(), step }).unwrap();
    ledger(&cloud, 9).told(&before).unwrap();
    let left = other.untold(None, 10).unwrap();
    assert_eq!(left, [Untold { id: before[0].id.clone(), value }]);
}

#[test]
fn a_batch_of_which_nothing_could_be_told_comes_again_and_is_told() {
    let cloud = Cloud::default();
    let version = put(&cloud, MARKET, "a.csv", TRADES);
    call(&cloud, OF_MARKET[0], MARKET, created(MARKET, "a.csv", &version)).unwrap();
    let messages: Vec<(Message, u32)> = cloud.receive().into_iter().map(|message| (message, 1)).collect();
    let batch = crate::flow::delivered(&messages);
    let calm = cloud.calls().len();
    let number = {
        let processor = Cloud::default();
        let version = put(&processor, MARKET, "a.csv", TRADES);
        call(&processor, OF_MARKET[0], MARKET, created(MARKET, "a.csv", &version)).unwrap();
        call(&processor, OF_MARKET[1], MARKET, batch.clone()).unwrap();
        processor.calls()[calm..].iter().position(|call| *call == "announce").expect("it tells")
    };
    cloud.plan(calm + number, Fault::Before);
    let answer = call(&cloud, OF_MARKET[1], MARKET, batch.clone()).unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(messages.len()), "{answer}");
    assert_eq!((cloud.told().len(), cloud.untold()), (0, 1));
    let answer = call(&cloud, OF_MARKET[1], MARKET, batch).unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!((names(&cloud), cloud.untold()), (vec!["rows.kept".to_owned()], 0));
}

#[test]
fn telling_has_the_time_of_the_stage_and_not_of_the_function() {
    let cloud = Cloud::default();
    // it is 12:53:20; the first stage has until 160 seconds after the workflow began, and 150 seconds at most
    let given = |key: &str, began: &str| {
        let version = put(&cloud, TRANSACTIONS, key, &format!("no rows of {key}"));
        json!({ "input": started(key, &version), "startedAt": format!("2024-01-02T12:{began}.000Z") })
    };
    let patience = |name: &str, event: Value| {
        let before = cloud.patience().len();
        call(&cloud, name, TRANSACTIONS, event).unwrap();
        let seconds: Vec<f64> = cloud.patience()[before..].iter().map(Duration::as_secs_f64).collect();
        assert_eq!(seconds.len(), 1, "{name} tells once");
        seconds[0]
    };
    // one second is for the answer
    let is_within = |seconds: f64, most: f64| seconds > most - 5.0 && seconds <= most - 1.0;
    let first = patience(OF_TRANSACTIONS[0], given("a.csv", "53:20"));
    assert!(is_within(first, 150.0), "{first}");
    let late = patience(OF_TRANSACTIONS[0], given("b.csv", "51:10"));
    assert!(is_within(late, 30.0), "{late}");
    // of the workflow the time is known, when it began or not
    let mut event = started("c.csv", &put(&cloud, TRANSACTIONS, "c.csv", CARDS));
    for name in &OF_TRANSACTIONS[..2] {
        event = call(&cloud, name, TRANSACTIONS, event).unwrap();
    }
    let last = patience(OF_TRANSACTIONS[2], event);
    assert!(is_within(last, 20.0), "{last}");
    let mut failed = started("d.csv", &put(&cloud, TRANSACTIONS, "d.csv", "no rows of d.csv"));
    failed["error"] = json!({ "Error": "Error", "Cause": "why" });
    let failed = patience(OF_TRANSACTIONS[2], json!({ "failed": failed }));
    assert!(is_within(failed, 10.0), "{failed}");
    // and where there is no workflow, of the call
    let version = put(&cloud, MARKET, "e.csv", "no rows");
    let name = OF_MARKET[0];
    let before = cloud.patience().len();
    call(&cloud, name, MARKET, created(MARKET, "e.csv", &version)).unwrap();
    assert!(is_within(cloud.patience()[before].as_secs_f64(), 300.0));
}
