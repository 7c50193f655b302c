//! Files that a commit begins anew: each goes to its first stage by an event, whatever fails, and ends as if all had come
//! in order.

use lambda::ledger::{Ledger, Parts};
use lambda::table;
use pipeline::message::{Feed, Message, Work};
use pipeline::object::ObjectVersion;
use pipeline::ports::{Commit, Ledger as _};
use pipeline::preset::Stage;
use pipeline::receipt::Outcome;
use pipeline::step::Step;
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault, faults};
use crate::failed::{failure, receipt};
use crate::flow::{
    FILES, MARKET, TRADES, TRANSACTIONS, begun_anew, call, call_thrice, created, put, started_with, work,
};
use crate::ledger::ledger;

const STEPS: [&str; 3] = ["csv-validator", "data-transformer", "notification-sender"];

fn file<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from("transaction_id,timestamp,amount,currency,merchant,status\n");
    ids.into_iter().for_each(|id| text.push_str(&format!("{id},2024-01-02T10:00:00Z,5,EUR,Shop,completed\n")));
    text
}

/// What starts the workflow of a file that was written so many seconds after twelve.
fn written(cloud: &Cloud, key: &str, ids: &[&str], seconds: u32) -> Value {
    let mut event = started_with(cloud, key, &file(ids.iter().copied()));
    event["time"] = json!(format!("2024-01-02T12:{:02}:{:02}Z", seconds / 60, seconds % 60));
    event
}

/// A workflow from its beginning to its end, each step tried as often as the workflow does.
fn through(cloud: &Cloud, mut event: Value) {
    for name in STEPS {
        event = call_thrice(cloud, name, TRANSACTIONS, &event);
        if event["message"].is_null() {
            return;
        }
    }
}

/// Brings all files that are begun anew to their end; how many there were.
fn all_anew(cloud: &Cloud) -> usize {
    let mut count = 0;
    loop {
        let messages = cloud.receive();
        if messages.is_empty() {
            return count;
        }
        count += messages.len();
        messages.iter().for_each(|message| through(cloud, begun_anew(message)));
    }
}

/// Rows of a file that are good, and those that only another has.
fn counts(cloud: &Cloud, key: &str) -> (u64, u64) {
    let receipt = receipt(cloud, key);
    let counts = &receipt.account().unwrap_or_else(|| panic!("{key}: {:?}", receipt.view())).counts;
    (counts.good, counts.duplicate)
}

/// Who has which transaction, as somebody finds it who looks into the table.
fn owners(cloud: &Cloud) -> Vec<String> {
    let of = |item: &table::Item| table::text(item, "transaction_id").expect("it has one").to_owned();
    let mut found: Vec<String> = cloud.counting().iter().map(of).collect();
    found.sort();
    found
}

#[test]
fn a_late_file_takes_its_ids_and_those_behind_it_are_begun_anew_by_an_event() {
    let cloud = Cloud::default();
    through(&cloud, written(&cloud, "second.csv", &["t1", "t2"], 20));
    through(&cloud, written(&cloud, "third.csv", &["t1", "t3"], 30));
    assert_eq!(["second.csv", "third.csv"].map(|key| counts(&cloud, key)), [(2, 0), (1, 1)]);
    assert_eq!(cloud.receive(), [], "in order nothing is begun anew");
    let late = written(&cloud, "first.csv", &["t3", "t1"], 10);
    let next = call(&cloud, STEPS[0], TRANSACTIONS, late.clone()).unwrap();
    assert_eq!(next["message"]["message"]["kind"], "transactions-transform", "the workflow goes on with its own file");
    assert_eq!(receipt(&cloud, "second.csv").outcome(), Outcome::InProgress);
    assert_eq!(
        cloud.state("second.csv").and_then(|state| table::text(&state, "outcome").map(str::to_owned)).unwrap(),
        "in_progress"
    );
    // tried again, it answers the same and sends nothing more
    let sent = cloud.receive();
    assert_eq!(call(&cloud, STEPS[0], TRANSACTIONS, late).unwrap(), next);
    assert_eq!((sent.len(), cloud.receive()), (2, Vec::new()));
    through(&cloud, next);
    for message in sent.iter().chain(&sent) {
        // an event that comes again is harmless, and so is the first event of the bucket
        through(&cloud, begun_anew(message));
    }
    assert_eq!(all_anew(&cloud), 0);
    assert_eq!(["first.csv", "second.csv", "third.csv"].map(|key| counts(&cloud, key)), [(2, 0), (1, 1), (0, 2)]);
    assert_eq!(["first.csv", "second.csv", "third.csv"].map(|key| receipt(&cloud, key).generation()), [0, 1, 1]);
    assert_eq!(owners(&cloud), ["t1", "t2", "t3"]);
    assert_eq!((cloud.unsent(), cloud.untold()), (0, 0));
}

#[test]
fn whichever_call_fails_files_are_begun_anew() {
    let run = |cloud: &Cloud, number_of_late: &mut usize| {
        through(cloud, written(cloud, "a.csv", &["t1", "t2"], 1));
        through(cloud, written(cloud, "b.csv", &["t1", "t3"], 20));
        through(cloud, written(cloud, "c.csv", &["t2", "t4"], 30));
        *number_of_late = cloud.calls().len();
        // a version without t1, and with what b.csv has, written before both
        through(cloud, written(cloud, "a.csv", &["t2", "t3"], 10));
        all_anew(cloud);
    };
    let expect = |cloud: &Cloud, what: &str| {
        cloud.calm();
        assert_eq!(["b.csv", "c.csv"].map(|key| counts(cloud, key)), [(1, 1), (1, 1)], "{what}");
        assert_eq!(owners(cloud), ["t1", "t2", "t3", "t4"], "{what}");
        assert_eq!((cloud.unsent(), cloud.untold()), (0, 0), "{what}");
    };
    let (calm, mut from) = (Cloud::default(), 0);
    run(&calm, &mut from);
    let calls = calm.calls();
    expect(&calm, "without faults");
    let begun: Vec<usize> = (from..calls.len()).filter(|number| calls[*number] == "begin").collect();
    assert!(!begun.is_empty(), "something is begun anew");
    // each call that begins files anew, and a share of the others
    for number in begun.iter().copied().chain((from..calls.len()).step_by(9)) {
        for fault in faults(calls[number]) {
            let cloud = Cloud::default();
            cloud.plan(number, *fault);
            run(&cloud, &mut 0);
            assert_eq!(cloud.left(), 0, "the fault comes up");
            expect(&cloud, &format!("{fault:?} at call {number}, {}", calls[number]));
        }
    }
}

#[test]
fn more_files_than_a_transaction_has_room_for_are_begun_anew_at_once() {
    let cloud = Cloud::default();
    through(&cloud, written(&cloud, "a.csv", &["x"], 1));
    let keys: Vec<String> = (0..110).map(|number| format!("{number:03}.csv")).collect();
    for (number, key) in (0..).zip(&keys) {
        through(&cloud, written(&cloud, key, &["x", key], 100 + number));
        assert_eq!(counts(&cloud, key), (1, 1));
    }
    // x is nobody's from then on, so the first of them has it
    through(&cloud, written(&cloud, "a.csv", &["a"], 10));
    assert_eq!(receipt(&cloud, &keys[109]).outcome(), Outcome::InProgress);
    assert!(all_anew(&cloud) >= keys.len());
    assert_eq!(counts(&cloud, &keys[0]), (2, 0));
    assert_eq!(counts(&cloud, &keys[109]), (1, 1));
    assert_eq!((cloud.counting().len(), cloud.unsent(), cloud.untold()), (112, 0, 0));
    for key in &keys {
        let state = cloud.state(key).expect("it has a state");
        let wanted = if *key == keys[0] { "completed" } else { "completed_with_rejects" };
        assert_eq!(table::text(&state, "outcome"), Some(wanted), "{key}");
    }
}

#[test]
fn files_begun_anew_at_the_same_time_wait_for_each_other() {
    let cloud = Cloud::default();
    through(&cloud, written(&cloud, "a.csv", &["x"], 1));
    let keys: Vec<String> = (0..24).map(|number| format!("{number:03}.csv")).collect();
    for (number, key) in (0..).zip(&keys) {
        through(&cloud, written(&cloud, key, &["x", key], 100 + number));
    }
    through(&cloud, written(&cloud, "a.csv", &["a"], 10));
    let mut rounds = 0;
    loop {
        let sent = cloud.receive();
        if sent.is_empty() {
            break;
        }
        rounds += 1;
        std::thread::scope(|scope| {
            for message in &sent {
                scope.spawn(|| through(&cloud, begun_anew(message)));
            }
        });
    }
    assert!(rounds > 0);
    assert_eq!((counts(&cloud, &keys[0]), counts(&cloud, &keys[23])), ((2, 0), (1, 1)));
    assert_eq!((cloud.counting().len(), cloud.unsent()), (26, 0));
}

#[test]
fn a_stage_that_is_given_up_after_its_file_was_begun_anew_says_nothing_of_it() {
    let cloud = Cloud::default();
    through(&cloud, written(&cloud, "a.csv", &["x"], 1));
    let behind = written(&cloud, "b.csv", &["x", "b"], 20);
    let old = call(&cloud, STEPS[0], TRANSACTIONS, behind).unwrap();
    through(&cloud, written(&cloud, "a.csv", &["a"], 10));
    let mut given_up = old.clone();
    given_up["error"] = json!({ "Error": "States.Timeout", "Cause": "" });
    call(&cloud, STEPS[2], TRANSACTIONS, json!({ "failed": given_up })).unwrap();
    assert_eq!(receipt(&cloud, "b.csv").outcome(), Outcome::InProgress, "it was begun anew, and is on its way");
    assert!(cloud.told().iter().all(|event| event.name != "file.failed"), "{:?}", cloud.told());
    // the workflow that it was in before has nothing to do any more
    assert_eq!(call(&cloud, STEPS[1], TRANSACTIONS, old).unwrap(), json!({ "message": null }));
    // what was begun anew is given up as anything else, and healed as anything else
    let event = begun_anew(&cloud.receive()[0]);
    let mut given_up = event.clone();
    given_up["error"] = json!({ "Error": "Error", "Cause": "why" });
    call(&cloud, STEPS[2], TRANSACTIONS, json!({ "failed": given_up })).unwrap();
    assert_eq!(failure(&cloud, "b.csv", Stage::Validate), (3, "Error: why".to_owned()));
    through(&cloud, event);
    assert_eq!((counts(&cloud, "b.csv"), receipt(&cloud, "b.csv").outcome()), ((2, 0), Outcome::Completed));
}

#[test]
fn a_copy_of_market_that_comes_to_count_is_begun_anew() {
    let names = ["DataIngestion", "DataProcessor", "DataAggregator"];
    let cloud = Cloud::default();
    let upload = |key: &str, text: &str, second: u32| {
        let mut event = created(MARKET, key, &put(&cloud, MARKET, key, text));
        event["Records"][0]["eventTime"] = json!(format!("2024-01-02T12:00:{second:02}.000Z"));
        call(&cloud, names[0], MARKET, event).unwrap();
        assert_eq!(work(&cloud, MARKET, &names), 0);
    };
    let tick = |minute: u32| {
        let time = format!("2024-01-02T12:{minute}:31Z");
        let event = json!({ "detail-type": "Scheduled Event", "source": "aws.events", "time": time });
        call(&cloud, names[2], MARKET, event).unwrap();
    };
    upload("a.csv", TRADES, 1);
    upload("copy.csv", TRADES, 2);
    tick(50);
    assert_eq!(receipt(&cloud, "copy.csv").outcome(), Outcome::Duplicate);
    upload("a.csv", &TRADES.replace("ACME", "TSLA"), 3);
    tick(51);
    let sent = cloud.receive();
    assert_eq!(sent.len(), 1, "{sent:?}");
    for _ in 0..2 {
        call(&cloud, names[0], MARKET, begun_anew(&sent[0])).unwrap();
        assert_eq!(work(&cloud, MARKET, &names), 0);
    }
    tick(56);
    let receipt = receipt(&cloud, "copy.csv");
    assert_eq!((receipt.outcome(), receipt.generation()), (Outcome::CompletedWithRejects, 1));
    // two of the first file, which count no more, two of the newer version, and two of the copy
    assert_eq!((cloud.rows().len(), cloud.unsent(), cloud.untold()), (6, 0, 0));
    let windows = cloud.records().into_iter().filter(|(key, _)| key.group.starts_with("window/"));
    let told: Vec<String> = windows.map(|(_, value)| String::from_utf8(value).unwrap()).collect();
    assert_eq!(told.len(), 2, "of both instruments: {told:?}");
}

#[test]
fn what_a_tick_has_begun_anew_and_not_sent_is_sent_by_the_next() {
    let names = ["DataIngestion", "DataProcessor", "DataAggregator"];
    let upload = |cloud: &Cloud, key: &str, text: &str, second: u32| {
        let mut event = created(MARKET, key, &put(cloud, MARKET, key, text));
        event["Records"][0]["eventTime"] = json!(format!("2024-01-02T12:00:{second:02}.000Z"));
        call(cloud, names[0], MARKET, event).unwrap();
        assert_eq!(work(cloud, MARKET, &names), 0);
    };
    let tick = |cloud: &Cloud, minute: u32| {
        let time = format!("2024-01-02T12:{minute}:31Z");
        let event = json!({ "detail-type": "Scheduled Event", "source": "aws.events", "time": time });
        call(cloud, names[2], MARKET, event)
    };
    let prepare = |cloud: &Cloud| {
        upload(cloud, "a.csv", TRADES, 1);
        upload(cloud, "copy.csv", TRADES, 2);
        tick(cloud, 45).unwrap();
        upload(cloud, "a.csv", &TRADES.replace("ACME", "TSLA"), 3);
    };
    let calm = Cloud::default();
    prepare(&calm);
    tick(&calm, 51).unwrap();
    let at = calm.calls().iter().position(|call| *call == "begin").expect("it is begun anew");
    let cloud = Cloud::default();
    prepare(&cloud);
    cloud.plan(at, Fault::Before);
    tick(&cloud, 51).unwrap_err();
    assert_eq!((cloud.left(), cloud.unsent(), cloud.receive()), (0, 1, Vec::new()), "it is committed and not sent");
    // nobody calls again for that minute
    tick(&cloud, 56).unwrap();
    let sent = cloud.receive();
    assert_eq!(sent.len(), 1, "{sent:?}");
    call(&cloud, names[0], MARKET, begun_anew(&sent[0])).unwrap();
    assert_eq!(work(&cloud, MARKET, &names), 0);
    tick(&cloud, 59).unwrap();
    assert_eq!(receipt(&cloud, "copy.csv").outcome(), Outcome::CompletedWithRejects);
    assert_eq!(cloud.receive(), [], "what is done is not sent again");
}

#[test]
fn what_no_function_may_begin_anew_is_refused() {
    let (cloud, object) =
        (Cloud::default(), ObjectVersion { bucket: "b".into(), key: "k".into(), version: "1".into() });
    let work = |generation| Work {
        object: object.clone(),
        feed: Feed::try_from("f".to_owned()).expect("a good name"),
        generation,
    };
    let commit = |generation| {
        let source = Message::TransactionsNotify(work(generation)).id();
        let sends = vec![Message::TransactionsValidate(work(generation))];
        let none = Ledger::new(Parts {
            table: Box::new(cloud.clone()),
            queue: None,
            sends: Vec::new(),
            anew: None,
            status: None,
            keeps_rows: false,
            keeps_standings: false,
            now: || 1_700_000_000_000,
            process: u64::from(generation),
            tells: true,
        });
        none.commit(Commit { source, expects: Vec::new(), step: Step { writes: Vec::new(), sends } })
    };
    commit(0).expect("a file that came is handed on by who called");
    let refused = commit(1).unwrap_err().to_string();
    assert!(refused.contains("source") || refused.contains("notify"), "{refused}");
    assert_eq!(
        ledger(&cloud, 9).kept(&Message::TransactionsNotify(work(1)).id()).unwrap(),
        [],
        "nothing was committed"
    );
    // and who is not called so says so
    let message = Message::FilesValidate(work(1));
    let refused = call(&cloud, "result-aggregator", FILES, begun_anew(&message)).unwrap_err();
    assert!(refused.contains("wrong_event"), "{refused}");
}
