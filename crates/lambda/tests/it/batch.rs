//! What becomes of a batch: which messages wait for others, and that whoever comes to be a dead letter is told, also if it was
//! never tried.

use std::time::Duration;

use lambda::doors::Call;
use lambda::function::Function;
use lambda::tell::Told;
use pipeline::message::Message;
use pipeline::preset::Stage;
use pipeline::receipt::Outcome;
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault};
use crate::failed::{failure, receipt, slow};
use crate::flow::{FILES, FUNCTIONS, TRADES, call, created, delivered, function, put, work};

/// Files that are validated, and the messages that say so, in order.
fn validated(cloud: &Cloud, names: &[&str]) -> Vec<Message> {
    for (number, name) in names.iter().enumerate() {
        let version = put(cloud, FILES, name, &TRADES.replace("10.5", &format!("1{number}.5")));
        call(cloud, FUNCTIONS[0], FILES, created(FILES, name, &version)).expect("it is validated");
    }
    let messages = cloud.receive();
    assert_eq!(messages.len(), names.len());
    messages
}

/// Takes the rows of a file away, so that nothing can be made of them.
fn spoil(cloud: &Cloud, name: &str) {
    let rows = receipt(cloud, name).link("rows").expect("it has rows").clone();
    cloud.remove_result(&format!("results-of-{FILES}"), &rows.key);
}

fn batch(messages: &[Message], receives: &[u32]) -> Value {
    delivered(&messages.iter().cloned().zip(receives.iter().copied()).collect::<Vec<_>>())
}

/// The same with each message in a group of its own.
fn of_groups(mut batch: Value) -> Value {
    for (number, record) in batch["Records"].as_array_mut().into_iter().flatten().enumerate() {
        record["attributes"]["MessageGroupId"] = json!(format!("group {number}"));
    }
    batch
}

/// The places of those that are to come again.
fn again(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array().expect("it answers so");
    failures.iter().filter_map(|one| one["itemIdentifier"].as_str()).collect()
}

fn call_within(function: &Function, event: Value, time: Duration) -> Value {
    function.call(event, &Call::within(time), &mut Told::default()).expect("it answers")
}

fn processed(cloud: &Cloud, name: &str) -> bool {
    receipt(cloud, name).is_done(Stage::Process)
}

#[test]
fn a_group_waits_for_its_first_failure_and_others_do_not() {
    let cloud = Cloud::default();
    let version = put(&cloud, FILES, "a.csv", TRADES);
    call(&cloud, FUNCTIONS[0], FILES, created(FILES, "a.csv", &version)).unwrap();
    let good = cloud.receive().remove(0);
    let Message::FilesProcess(work) = &good else { panic!("another message: {good:?}") };
    let mut gone = work.clone();
    gone.object.version = "v9".into();
    let mut batch = delivered(&[(Message::FilesProcess(gone), 1), (good.clone(), 1), (good, 1)]);
    batch["Records"][2]["attributes"]["MessageGroupId"] = json!("another");
    let answer = call(&cloud, FUNCTIONS[1], FILES, batch).unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "0" }, { "itemIdentifier": "1" }] }));
}

#[test]
fn who_is_behind_a_poison_file_is_done_when_that_is_a_dead_letter() {
    let cloud = Cloud::default();
    let messages = validated(&cloud, &["bad.csv", "good.csv", "better.csv"]);
    spoil(&cloud, "bad.csv");
    for receives in [1, 2] {
        let answer = call(&cloud, FUNCTIONS[1], FILES, batch(&messages, &[receives; 3])).unwrap();
        assert_eq!(again(&answer), ["0", "1", "2"], "the order is kept while it can be");
        assert!(!processed(&cloud, "good.csv"));
    }
    let answer = call(&cloud, FUNCTIONS[1], FILES, batch(&messages, &[3; 3])).unwrap();
    assert_eq!(again(&answer), ["0"]);
    assert_eq!(failure(&cloud, "bad.csv", Stage::Process).0, 3);
    assert!(processed(&cloud, "good.csv") && processed(&cloud, "better.csv"));
    assert_eq!(work(&cloud, FILES, &FUNCTIONS), 0);
    assert_eq!(receipt(&cloud, "good.csv").outcome(), Outcome::CompletedWithRejects);
}

#[test]
fn who_comes_to_be_tried_with_the_last_receive_has_three_attempts_all_the_same() {
    for (failing, is_done) in [(2, true), (3, false)] {
        let cloud = Cloud::default();
        let messages = validated(&cloud, &["bad.csv", "good.csv"]);
        spoil(&cloud, "bad.csv");
        let function = function(&cloud, FUNCTIONS[1], FILES);
        let before = cloud.calls().len();
        let alone = batch(&messages[..1], &[3]);
        assert_eq!(again(&call_within(&function, alone.clone(), Duration::from_secs(300))), ["0"]);
        let half = cloud.calls().len();
        assert_eq!(again(&call_within(&function, alone, Duration::from_secs(300))), ["0"]);
        let of_bad = cloud.calls().len() - half;
        assert!(of_bad > 0 && half > before);
        // each attempt at the good one ends with its first call
        (0..failing).for_each(|number| cloud.plan(cloud.calls().len() + of_bad + number, Fault::Before));
        let answer = call_within(&function, batch(&messages, &[3; 2]), Duration::from_secs(300));
        assert_eq!(again(&answer).len(), if is_done { 1 } else { 2 });
        assert_eq!((processed(&cloud, "good.csv"), cloud.left()), (is_done, 0));
    }
}

#[test]
fn who_waits_with_the_last_receive_is_given_up_and_heals_when_it_is_redriven() {
    let cloud = Cloud::default();
    let messages = validated(&cloud, &["bad.csv", "good.csv"]);
    spoil(&cloud, "bad.csv");
    // the first has attempts left, so the order is kept
    let answer = call(&cloud, FUNCTIONS[1], FILES, batch(&messages, &[2, 3])).unwrap();
    assert_eq!(again(&answer), ["0", "1"]);
    let (attempt, why) = failure(&cloud, "good.csv", Stage::Process);
    assert!(attempt == 3 && why.starts_with("not_begun: data-processor") && why.contains("failed before it"), "{why}");
    assert_eq!(receipt(&cloud, "bad.csv").outcome(), Outcome::InProgress, "it comes again");
    let answer = call(&cloud, FUNCTIONS[1], FILES, batch(&messages[1..], &[1])).unwrap();
    assert_eq!((again(&answer).len(), processed(&cloud, "good.csv")), (0, true));
    assert_eq!(work(&cloud, FILES, &FUNCTIONS), 0);
    assert_eq!(receipt(&cloud, "good.csv").outcome(), Outcome::CompletedWithRejects);
}

#[test]
fn what_there_is_no_time_for_is_given_up_if_it_does_not_come_again() {
    let cloud = Cloud::default();
    let messages = validated(&cloud, &["a.csv", "b.csv", "c.csv"]);
    let event = of_groups(batch(&messages, &[1, 3, 2]));
    let answer = call_within(&function(&cloud, FUNCTIONS[1], FILES), event, Duration::from_secs(19));
    assert_eq!(again(&answer), ["1", "2"], "the first is begun whatever the clock says");
    let (attempt, why) = failure(&cloud, "b.csv", Stage::Process);
    assert!(attempt == 3 && why.starts_with("not_begun: data-processor") && why.contains("no time"), "{why}");
    assert_eq!(receipt(&cloud, "c.csv").outcome(), Outcome::InProgress, "it comes again");
}

#[test]
fn whoever_is_behind_a_file_that_takes_all_the_time_is_told_before_the_function_ends() {
    let cloud = Cloud::default();
    let messages = validated(&cloud, &["slow.csv", "b.csv"]);
    let event = of_groups(batch(&messages, &[1, 3]));
    let function = slow(&cloud, FUNCTIONS[1], FILES, Duration::from_millis(400));
    // the last ten seconds are for the last word; here the slow one comes to its end after all
    std::thread::scope(|scope| {
        let called = scope.spawn(|| call_within(&function, event, Duration::from_millis(10_100)));
        let mut failed = false;
        while !called.is_finished() {
            failed |= receipt(&cloud, "b.csv").outcome() == Outcome::Failed;
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(failed, "it is told meanwhile");
        assert_eq!(again(&called.join().expect("nobody panicked")), ["1"]);
    });
    let (_, why) = failure(&cloud, "b.csv", Stage::Process);
    assert!(why.starts_with("not_begun: data-processor") && why.contains("nearly over"), "{why}");
    assert!(processed(&cloud, "slow.csv"));
}
