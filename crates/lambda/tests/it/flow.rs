//! Every door of every preset, from the event to the answer; and the whole way of a file with every call that fails in
//! turn.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lambda::bucket::Buckets;
use lambda::doors::Call;
use lambda::function::{Function, Parts};
use lambda::table::{self, Field, Item, number};
use lambda::tell::Told;
use lambda::trace::Tracer;
use pipeline::feed::Feeds;
use pipeline::message::Message;
use pipeline::step::Kind;
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault};

pub const FILES: &str = "file-processing-bucket-dev";
pub const MARKET: &str = "market-data-dev";
pub const TRANSACTIONS: &str = "transactions-dev";
pub const TRADES: &str = "timestamp,symbol,price,volume\n2024-01-02T10:00:00Z,ACME,10.5,100\n\
2024-01-02T10:00:30Z,ACME,11.5,50\n2024-01-02T10:01:00Z,ACME,-1,50\n";

pub fn function(cloud: &Cloud, name: &str, bucket: &str) -> Function {
    Function::new(name, parts(cloud, bucket)).expect("there is such a function")
}

/// What a function of the preset of this bucket is made of.
pub fn parts(cloud: &Cloud, bucket: &str) -> Parts {
    Parts {
        table: Some(Box::new(cloud.clone())),
        queue: Some(Arc::new(cloud.clone())),
        announcer: Some(Arc::new(cloud.clone())),
        anew: Some(Arc::new(cloud.clone())),
        buckets: Some(Arc::new(cloud.clone())),
        files: Some(bucket.to_owned()),
        results: Some(format!("results-of-{bucket}")),
        origin: None,
        feeds: Feeds::default(),
        now: || 1_704_200_000_000,
        process: 7,
        threads: 1,
        tracer: Tracer::default(),
    }
}

/// Calls a function, which is a new process each time.
pub fn call(cloud: &Cloud, name: &str, bucket: &str, event: Value) -> Result<Value, String> {
    let call = Call::within(Duration::from_secs(300));
    function(cloud, name, bucket).call(event, &call, &mut Told::default()).map_err(|error| error.to_string())
}

pub fn put(cloud: &Cloud, bucket: &str, key: &str, text: &str) -> String {
    (0..9).find_map(|_| cloud.put(bucket, key, text.as_bytes().to_vec(), None).ok()).expect("it is put")
}

pub fn created(bucket: &str, key: &str, version: &str) -> Value {
    json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "eventTime": "2024-01-02T12:00:00.000Z",
        "s3": { "bucket": { "name": bucket }, "object": { "key": key, "versionId": version } } }] })
}

pub fn delivered(messages: &[(Message, u32)]) -> Value {
    let record = |(index, (message, receives)): (usize, &(Message, u32))| {
        json!({ "eventSource": "aws:sqs", "messageId": index.to_string(), "body": message.to_json().expect("it fits"),
            "attributes": { "ApproximateReceiveCount": receives.to_string(),
                "MessageGroupId": message.group().as_str() } })
    };
    json!({ "Records": messages.iter().enumerate().map(record).collect::<Vec<_>>() })
}

/// Delivers messages to the functions that they are for, each until it is done or a dead letter; how many of these.
pub fn work(cloud: &Cloud, bucket: &str, functions: &[&str]) -> usize {
    let (mut queue, mut dead): (VecDeque<(Message, u32)>, usize) = Default::default();
    loop {
        queue.extend(cloud.receive().into_iter().map(|message| (message, 1)));
        let Some((message, receives)) = queue.pop_front() else { return dead };
        let index = message.stage().0.stages().iter().position(|stage| *stage == message.stage().1).expect("a stage");
        let answer = call(cloud, functions[index], bucket, delivered(&[(message.clone(), receives)]));
        let failed = answer.map_or(1, |answer| answer["batchItemFailures"].as_array().map_or(1, Vec::len));
        match (failed, receives) {
            (0, _) => {}
            (_, 3) => dead += 1,
            _ => queue.push_front((message, receives + 1)),
        }
    }
}

/// As the bus tells that a file is begun anew: to its first function, or to its workflow.
pub fn begun_anew(message: &Message) -> Value {
    let detail: Value = serde_json::from_str(&message.to_json().expect("it fits")).expect("a message is JSON");
    json!({ "version": "0", "id": "e", "detail-type": "file.begun_anew", "source": "millrace", "account": "1",
        "time": "2024-01-02T12:53:20Z", "region": "us-east-1", "resources": [], "detail": detail })
}

pub const FUNCTIONS: [&str; 3] = ["file-validator", "data-processor", "result-aggregator"];

fn status(cloud: &Cloud, name: &str) -> Value {
    let request = json!({ "httpMethod": "GET", "resource": "/status", "path": "/status",
        "queryStringParameters": { "fileId": name }, "requestContext": { "requestId": "q" } });
    call(cloud, "status-query", FILES, request).expect("it answers")
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default()
}

/// Brings a file through all functions; the body of its status.
fn whole_way(cloud: &Cloud, key: &str, text: &str) -> Value {
    let version = put(cloud, FILES, key, text);
    let done = (0..3).any(|_| call(cloud, FUNCTIONS[0], FILES, created(FILES, key, &version)).is_ok());
    assert!(done, "an event is tried three times");
    assert_eq!(work(cloud, FILES, &FUNCTIONS), 0, "nothing is a dead letter");
    let answer = (0..3).map(|_| status(cloud, key)).find(|answer| answer["statusCode"] == 200).expect("it is known");
    body(&answer)
}

#[test]
fn a_file_goes_all_its_way() {
    let cloud = Cloud::default();
    let version = put(&cloud, FILES, "acme/day 1.csv", TRADES);
    call(&cloud, FUNCTIONS[0], FILES, created(FILES, "acme/day+1.csv", &version)).unwrap();
    assert_eq!(work(&cloud, FILES, &FUNCTIONS), 0);
    for name in ["acme/day 1.csv", "acme%2Fday%201.csv", "file-processing-bucket-dev/acme/day 1.csv"] {
        let told = body(&status(&cloud, name));
        assert_eq!(
            (&told["outcome"], &told["status"]),
            (&json!("completed_with_rejects"), &json!("aggregated")),
            "{told}"
        );
        assert_eq!(told["account"]["counts"]["rows"], 3, "{told}");
    }
    let state = cloud.state("acme/day 1.csv").expect("its state is kept beside the ledger");
    assert_eq!(table::text(&state, "status"), Some("aggregated"));
    assert_eq!(status(&cloud, "nothing")["statusCode"], 404);
}

#[test]
fn whichever_call_fails_a_file_ends_the_same() {
    let cloud = Cloud::default();
    let expected = whole_way(&cloud, "a.csv", TRADES);
    let (records, calls) = (cloud.records(), cloud.calls().len());
    let of = |told: &Value| ["outcome", "status", "account", "links", "versions"].map(|name| told[name].clone());
    for number in 1..calls {
        for fault in [Fault::Before, Fault::After, Fault::Conflict] {
            let cloud = Cloud::default();
            cloud.plan(number, fault);
            let told = whole_way(&cloud, "a.csv", TRADES);
            let what = format!("{fault:?} at call {number} of {calls}, {}", cloud.calls()[number]);
            assert_eq!(of(&told), of(&expected), "{what}");
            assert!(records.keys().eq(cloud.records().keys()), "the same records: {what}");
            assert_eq!(cloud.unsent(), 0, "everything is sent: {what}");
        }
    }
}

/// Runs something with each of its calls failing in each way: the same records are there at the end.
fn every_fault(run: impl Fn(&Cloud)) {
    let cloud = Cloud::default();
    run(&cloud);
    let (records, rows, calls, told) = (cloud.records(), cloud.rows(), cloud.calls().len(), ids(&cloud));
    assert!(!records.is_empty() && !told.is_empty());
    for number in 1..calls {
        for fault in [Fault::Before, Fault::After, Fault::Conflict, Fault::Part] {
            let cloud = Cloud::default();
            cloud.plan(number, fault);
            run(&cloud);
            let what = format!("{fault:?} at call {number} of {calls}, {}", cloud.calls()[number]);
            assert!(records.keys().eq(cloud.records().keys()), "the same records: {what}");
            assert!(rows.keys().eq(cloud.rows().keys()), "the same rows: {what}");
            assert_eq!(cloud.unsent(), 0, "everything is sent: {what}");
            assert_eq!(cloud.untold(), 0, "everything is told: {what}");
            assert_eq!(ids(&cloud), told, "the same is told: {what}");
        }
    }
}

/// Ids of what was told, which may be told twice.
pub fn ids(cloud: &Cloud) -> BTreeSet<String> {
    cloud.told().into_iter().map(|event| event.id).collect()
}

/// Calls a function as often as the cloud does.
pub fn call_thrice(cloud: &Cloud, name: &str, bucket: &str, event: &Value) -> Value {
    let answer = (0..3).find_map(|_| call(cloud, name, bucket, event.clone()).ok());
    answer.unwrap_or_else(|| panic!("{name} never does it"))
}

#[test]
fn whichever_call_fails_a_file_of_market_keeps_its_rows() {
    // more rows than a transaction has
    let row = |index: usize| format!("ACME,2024-01-02T10:{:02}:{:02}Z,1{index}.5,1\n", index / 60, index % 60);
    let text = format!("symbol,timestamp,price,volume\n{}", (0..130).map(row).collect::<String>());
    let names = ["DataIngestion", "DataProcessor", "DataAggregator"];
    let tick = json!({ "detail-type": "Scheduled Event", "time": "2024-01-02T12:55:00Z" });
    every_fault(|cloud| {
        let version = put(cloud, MARKET, "a.csv", &text);
        call_thrice(cloud, names[0], MARKET, &created(MARKET, "a.csv", &version));
        assert_eq!(work(cloud, MARKET, &names), 0, "nothing is a dead letter");
        call_thrice(cloud, names[2], MARKET, &tick);
        let ledger = crate::ledger::ledger(cloud, 9);
        let rows = || pipeline::ports::Ledger::page(&ledger, Kind::Row, "market/", None, 1000);
        let rows = rows().or_else(|_| rows()).expect("it answers when it is asked again");
        assert_eq!(rows.len(), 130, "no row is lost or doubled");
    });
}

#[test]
fn whichever_call_fails_a_workflow_ends_the_same() {
    let text = "transaction_id,timestamp,amount,currency,merchant,status\n\
                t1,2024-01-02T10:00:00Z,10.50,USD,m1,completed\n";
    every_fault(|cloud| {
        let version = put(cloud, TRANSACTIONS, "a.csv", text);
        let mut event = json!({ "detail-type": "Object Created", "time": "2024-01-02T12:00:00Z",
            "detail": { "bucket": { "name": TRANSACTIONS }, "object": { "key": "a.csv", "version-id": version } } });
        for name in ["csv-validator", "data-transformer", "notification-sender"] {
            assert!(!event["message"].is_null() || event["detail"].is_object(), "{name} has something to do");
            event = call_thrice(cloud, name, TRANSACTIONS, &event);
        }
        assert_eq!(event, json!({ "message": null }), "nothing follows");
    });
}

/// Transactions of so many rows, and what starts the workflow with them.
pub fn started(cloud: &Cloud, key: &str, rows: usize) -> Value {
    let row = |index| format!("t{index},2024-01-02T10:00:00.5Z,10.{index},USD,m1,completed\n");
    let text =
        format!("transaction_id,timestamp,amount,currency,merchant,status\n{}", (0..rows).map(row).collect::<String>());
    started_with(cloud, key, &text)
}

/// What a workflow is given for a file with this text.
pub fn started_with(cloud: &Cloud, key: &str, text: &str) -> Value {
    let version = put(cloud, TRANSACTIONS, key, text);
    json!({ "detail-type": "Object Created", "source": "aws.s3", "time": "2024-01-02T12:00:00Z",
        "detail": { "bucket": { "name": TRANSACTIONS }, "object": { "key": key, "version-id": version } } })
}

pub fn call_for(cloud: &Cloud, name: &str, event: &Value, seconds: u64) -> Result<Value, String> {
    let call = Call::within(Duration::from_secs(seconds));
    let answer = function(cloud, name, TRANSACTIONS).call(event.clone(), &call, &mut Told::default());
    answer.map_err(|error| error.to_string())
}

#[test]
fn a_file_that_takes_longer_than_a_call_is_gone_on_with() {
    let cloud = Cloud::default();
    let first = call_for(&cloud, "csv-validator", &started(&cloud, "a.csv", 5_001), 300).unwrap();
    let before = cloud.calls().len();
    let batches = || cloud.calls()[before..].iter().filter(|call| **call == "batch").count();
    let (mut event, mut there) = (first.clone(), Vec::new());
    for _ in 0..3 {
        assert!(cloud.counting().is_empty(), "nothing counts before all is there");
        event = call_for(&cloud, "data-transformer", &event, 0).unwrap();
        assert_eq!(event, json!({ "message": first["message"], "more": true }), "it is to be called again");
        there.push(cloud.transactions().len());
    }
    assert_eq!(there, [2_000, 4_000, 5_001], "each call adds to what is there");
    // the fourth makes them count
    let next = call_for(&cloud, "data-transformer", &event, 0).unwrap();
    assert!(next.get("more").is_none() && next["message"].is_object(), "{next}");
    assert_eq!(cloud.counting().len(), 5_001);
    assert_eq!(batches(), 80 + 80 + 41 + 3, "no row is written twice, and three times it is noted how many are there");
    // with time, it is one call
    let first = call_for(&cloud, "csv-validator", &started(&cloud, "b.csv", 4_500), 300).unwrap();
    assert!(call_for(&cloud, "data-transformer", &first, 300).unwrap().get("more").is_none());
}

#[test]
fn transactions_stand_in_their_table_and_it_is_said_which_count() {
    let cloud = Cloud::default();
    let whole_way = |event: Value| {
        let steps = ["csv-validator", "data-transformer", "notification-sender"];
        steps.iter().fold(event, |event, name| call_for(&cloud, name, &event, 300).unwrap())
    };
    whole_way(started(&cloud, "a.csv", 2));
    let ids = || cloud.counting().iter().map(|item| table::text(item, "transaction_id").unwrap().to_owned()).collect();
    let counting: Vec<String> = ids();
    assert_eq!(counting, ["t0", "t1"]);
    let first = cloud.counting().remove(1);
    let told = ["timestamp", "day", "amount", "currency", "merchant", "status", "line"];
    let told = told.map(|name| number::text(&first[name]).expect("it is told"));
    assert_eq!(told, ["2024-01-02T10:00:00.500000000Z", "2024-01-02", "10.1", "USD", "m1", "completed", "3"]);
    let [old]: [Item; 1] = sets(&cloud).try_into().expect("one set");
    assert_eq!((table::text(&old, "counts"), number::text(&old["rows"]).as_deref()), (Some("yes"), Some("2")));
    // a newer version without one of them
    whole_way(started(&cloud, "a.csv", 1));
    let counting: Vec<String> = ids();
    assert_eq!(counting, ["t0"]);
    let of_old = |sets: Vec<Item>| sets.into_iter().find(|set| set["transaction_id"] == old["transaction_id"]).unwrap();
    let replaced = of_old(sets(&cloud));
    assert_eq!(table::text(&replaced, "counts"), Some("no"));
    assert_ne!(table::text(&replaced, "superseded_by"), None, "it is said by which: {replaced:?}");
    assert_eq!(cloud.transactions().len(), 2 + 1 + 2, "what does not count any more stays");
}

/// What is said of sets of rows.
fn sets(cloud: &Cloud) -> Vec<Item> {
    let all = cloud.transactions().into_values();
    all.filter(|item| table::text(item, "file") == Some("standing")).collect()
}

#[test]
fn a_call_that_fails_half_way_is_gone_on_with() {
    let fresh = || {
        let cloud = Cloud::default();
        let first = call_for(&cloud, "csv-validator", &started(&cloud, "a.csv", 4_100), 300).unwrap();
        (cloud, first)
    };
    let (whole, first) = fresh();
    let begins = whole.calls().len();
    call_for(&whole, "data-transformer", &first, 300).unwrap();
    let expected = whole.transactions();
    let calls = whole.calls();
    let places = (begins..calls.len()).filter(|number| calls[*number] == "batch");
    for number in places.step_by(23) {
        for fault in [Fault::Before, Fault::After, Fault::Part] {
            let (cloud, first) = fresh();
            cloud.plan(number, fault);
            let answer = call_for(&cloud, "data-transformer", &first, 300);
            assert_eq!(
                answer.is_ok(),
                fault == Fault::Part,
                "{fault:?} at {number}: what is left of a batch is tried again"
            );
            if answer.is_err() {
                let before = cloud.calls().len();
                call_for(&cloud, "data-transformer", &first, 300).unwrap();
                let again = cloud.calls()[before..].iter().filter(|call| **call == "batch").count();
                assert!(number < begins + 90 || again < 100, "it goes on: {again} batches after {fault:?} at {number}");
            }
            assert!(cloud.transactions() == expected, "{fault:?} at {number}");
        }
    }
}

#[test]
fn a_workflow_has_an_end_and_a_new_one_goes_on() {
    let cloud = Cloud::default();
    // it is 2024-01-02T12:53:20Z
    let at = |input: &Value, began: &str| json!({ "input": input, "startedAt": format!("2024-01-02T12:{began}.123Z") });
    let first = call_for(&cloud, "csv-validator", &at(&started(&cloud, "a.csv", 2_500), "53:00"), 300).unwrap();
    let half = call_for(&cloud, "data-transformer", &at(&first, "53:00"), 0).unwrap();
    assert_eq!(half["more"], true);
    let late = call_for(&cloud, "data-transformer", &at(&half, "48:45"), 300).unwrap_err();
    assert!(late.starts_with("out_of_time: "), "{late}");
    assert_eq!(cloud.transactions().len(), 2_000, "nothing is begun");
    // what was given to the stage that failed is given to a new workflow
    let handed = call_for(&cloud, "csv-validator", &at(&half, "53:10"), 300).unwrap();
    assert_eq!(handed, first);
    let before = cloud.calls().len();
    let next = call_for(&cloud, "data-transformer", &at(&handed, "53:10"), 300).unwrap();
    assert_eq!(cloud.calls()[before..].iter().filter(|call| **call == "batch").count(), 20 + 1, "it goes on");
    for name in ["csv-validator", "data-transformer"] {
        assert_eq!(call_for(&cloud, name, &next, 300).unwrap(), next, "{name} is before it");
    }
    assert!(call_for(&cloud, "notification-sender", &first, 300).unwrap_err().contains("wrong_stage"));
    // who writes no rows needs no time for them: of the 290 seconds that are for stages, 1 is left, then 10
    let late = call_for(&cloud, "notification-sender", &at(&next, "48:31"), 300).unwrap_err();
    assert!(late.starts_with("out_of_time: "), "{late}");
    call_for(&cloud, "notification-sender", &at(&next, "48:40"), 300).unwrap();
    let started = started(&cloud, "b.csv", 3);
    let late = call_for(&cloud, "csv-validator", &at(&started, "50:41"), 300).unwrap_err();
    assert!(late.starts_with("out_of_time: "), "{late}");
    call_for(&cloud, "csv-validator", &at(&started, "50:50"), 300).unwrap();
}

#[test]
fn what_is_a_dead_letter_is_told_to_its_receipt() {
    let cloud = Cloud::default();
    let version = put(&cloud, FILES, "a.csv", TRADES);
    call(&cloud, FUNCTIONS[0], FILES, created(FILES, "a.csv", &version)).unwrap();
    cloud.lose("results-of-file-processing-bucket-dev");
    assert_eq!(work(&cloud, FILES, &FUNCTIONS), 1, "the rows are gone");
    let told = body(&status(&cloud, "a.csv"));
    assert_eq!(told["outcome"], "failed", "{told}");
}

#[test]
fn a_workflow_hands_its_messages_on() {
    let text = "transaction_id,timestamp,amount,currency,merchant,status\n\
                t1,2024-01-02T10:00:00Z,10.50,USD,m1,completed\nt2,2024-01-02T10:00:01Z,1,USD,m1,completed\n";
    let cloud = Cloud::default();
    let version = put(&cloud, TRANSACTIONS, "a.csv", text);
    let started = json!({ "detail-type": "Object Created", "source": "aws.s3", "time": "2024-01-02T12:00:00Z",
        "detail": { "bucket": { "name": TRANSACTIONS }, "object": { "key": "a.csv", "version-id": version } } });
    let mut event = started.clone();
    for name in ["csv-validator", "data-transformer", "notification-sender"] {
        assert!(!event["message"].is_null() || event == started, "{name} has something to do");
        let first = call(&cloud, name, TRANSACTIONS, event.clone()).unwrap();
        // tried again, it answers the same
        assert_eq!(call(&cloud, name, TRANSACTIONS, event).unwrap(), first, "{name}");
        event = first;
    }
    assert_eq!(event, json!({ "message": null }), "nothing follows");
    assert_eq!(cloud.receive(), [], "nothing goes to a queue");
    let ledger = crate::ledger::ledger(&cloud, 3);
    let found = pipeline::find::by_name(&ledger, "a.csv").unwrap().expect("it is known");
    assert_eq!(found.receipt.view().outcome, pipeline::receipt::Outcome::Completed, "{:?}", found.receipt.view());
}

#[test]
fn records_are_ingested_and_aggregated() {
    let cloud = Cloud::default();
    let names = ["DataIngestion", "DataProcessor", "DataAggregator"];
    let post = |text: &str| {
        let request = json!({ "httpMethod": "POST", "resource": "/ingest", "path": "/ingest", "body": text,
            "headers": { "idempotency-key": "k" }, "requestContext": { "requestId": "q" } });
        call(&cloud, names[0], MARKET, request).unwrap()
    };
    let text = r#"[{"symbol":"ACME","price":10.5,"volume":3,"timestamp":"2024-01-02T10:00:00Z"},{"symbol":"ACME"}]"#;
    let answer = post(text);
    assert_eq!(answer["statusCode"], 202, "{answer}");
    assert_eq!((&body(&answer)["accepted"], &body(&answer)["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(post("[]")["statusCode"], 422);
    post(text);
    assert_eq!(work(&cloud, MARKET, &names), 0);
    let tick = json!({ "detail-type": "Scheduled Event", "source": "aws.events", "time": "2024-01-02T12:57:31Z" });
    for _ in 0..2 {
        call(&cloud, names[2], MARKET, tick.clone()).unwrap();
    }
    let windows: Vec<_> = cloud.records().into_iter().filter(|(key, _)| key.group.starts_with("window/")).collect();
    assert_eq!(windows.len(), 1, "{windows:?}");
    let window = String::from_utf8(windows[0].1.clone()).unwrap();
    assert!(window.contains("10.5") && window.contains(",1,"), "one trade: {window}");
    // and from a file
    let version = put(&cloud, MARKET, "a.csv", TRADES);
    call(&cloud, names[0], MARKET, created(MARKET, "a.csv", &version)).unwrap();
    assert_eq!(work(&cloud, MARKET, &names), 0);
    let rows = cloud.rows();
    assert_eq!(rows.len(), 3, "a row of the request and two of the file");
    // as people see it
    let (key, first) = rows.first_key_value().expect("a row");
    assert_eq!(key.symbol, "ACME");
    let whole = number::text(&first["timestamp"]).expect("a number");
    assert!(whole.starts_with("1704189600.000000000"), "seconds, with a fraction: {whole}");
    let told = ["time", "price", "volume"].map(|name| number::text(&first[name]).expect("it is told"));
    assert_eq!(told, ["2024-01-02T10:00:00Z", "10.5", "3"]);
    assert!(matches!(first["price"], Field::Decimal(_)) && matches!(first["volume"], Field::Number(3)));
    let origins: BTreeSet<&str> = rows.values().filter_map(|row| table::text(row, "origin")).collect();
    assert!(origins.iter().any(|of| of.starts_with("r-")) && origins.iter().any(|of| of.starts_with("i-")));
    assert!(!cloud.records().keys().any(|key| key.group.starts_with("row/")), "none is in the ledger");
}

#[test]
fn uploads_go_to_the_bucket_or_are_told_where() {
    let cloud = Cloud::default();
    let post = |kind: &str, text: &str, key: Option<&str>| {
        let query = key.map(|key| json!({ "key": key }));
        let request = json!({ "httpMethod": "POST", "resource": "/upload", "path": "/upload", "body": text,
            "headers": { "content-type": kind }, "queryStringParameters": query });
        call(&cloud, "upload", TRANSACTIONS, request).unwrap()
    };
    let raw = post("text/csv", "a,b\n", Some("a.csv"));
    assert_eq!((&raw["statusCode"], &body(&raw)["versionId"]), (&json!(202), &json!("v1")), "{raw}");
    let form = "--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x\r\nContent-Disposition: form-data; \
                name=\"file\"; filename=\"b.csv\"\r\n\r\na,b\n\r\n--x--\r\n";
    let form = post("multipart/form-data; boundary=x", form, None);
    assert_eq!((&body(&form)["objectKey"], &body(&form)["bytes"]), (&json!("b.csv"), &json!(4)), "{form}");
    let place = post("application/json", "{\"fileName\":\"c.csv\"}", None);
    assert!(body(&place)["uploadUrl"].as_str().unwrap().contains("c.csv"), "{place}");
    assert_eq!(post("text/csv", "x", None)["statusCode"], 400);
    assert_eq!(post("text/csv", "x", Some("validated/x"))["statusCode"], 422);
    assert_eq!(post("text/csv", &"x".repeat(5 << 20), Some("l.csv"))["statusCode"], 413);
}

#[test]
fn what_is_not_meant_for_a_function_is_refused() {
    let cloud = Cloud::default();
    let tick = json!({ "detail-type": "Scheduled Event", "time": "2024-01-02T12:57:31Z" });
    let refused = call(&cloud, "status-query", FILES, tick).unwrap_err();
    assert!(refused.contains("wrong_event"), "{refused}");
    assert!(call(&cloud, "status-query", FILES, json!({ "x": 1 })).unwrap_err().contains("unknown_event"));
    assert_eq!(call(&cloud, "file-validator", FILES, json!({ "Event": "s3:TestEvent" })), Ok(Value::Null));
}
