//! What a receipt says when a stage was given up: by a function with its last attempt, by one whose time is nearly over, and
//! by the cloud when the function died of it; and what heals it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lambda::bucket::{Buckets, Piece};
use lambda::doors::Call;
use lambda::function::{Function, Parts};
use lambda::tell::Told;
use pipeline::message::Message;
use pipeline::ports::Cause;
use pipeline::preset::Stage;
use pipeline::receipt::{Outcome, Receipt};
use serde_json::{Value, json};

use crate::cloud::{Cloud, faults};
use crate::flow::{
    FILES, FUNCTIONS, MARKET, TRADES, TRANSACTIONS, call, call_thrice, created, delivered, parts, put, started_with,
    work,
};
use crate::ledger::ledger;

const TIMED_OUT: &str = "2024-01-02T12:05:00.000Z q Task timed out after 300.00 seconds";

pub fn receipt(cloud: &Cloud, name: &str) -> Receipt {
    let found = pipeline::find::by_name(&ledger(cloud, 99), name).expect("it answers");
    found.expect("it is known").receipt
}

/// What the receipt says of a stage that was given up: how often it was tried, and why.
#[track_caller]
pub fn failure(cloud: &Cloud, name: &str, stage: Stage) -> (u32, String) {
    let receipt = receipt(cloud, name);
    assert_eq!(receipt.outcome(), Outcome::Failed, "{:?}", receipt.view());
    let failure = receipt.progress(stage).and_then(|progress| progress.failure.clone()).expect("it says so");
    (failure.attempt, failure.error)
}

/// As the cloud tells of a call that nobody waited for.
fn record(payload: &Value) -> Value {
    json!({ "version": "1.0", "timestamp": "2024-01-02T12:15:00.000Z",
        "requestContext": { "requestId": "q", "functionArn": "arn:aws:lambda:us-east-1:1:function:f:$LATEST",
            "condition": "RetriesExhausted", "approximateInvokeCount": 3 },
        "requestPayload": payload,
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": { "errorMessage": TIMED_OUT } })
}

#[test]
fn a_file_whose_first_function_died_is_failed_until_it_is_redriven() {
    let cloud = Cloud::default();
    let version = put(&cloud, FILES, "a b.csv", TRADES);
    let event = created(FILES, "a+b.csv", &version);
    // it died before it had written anything
    assert_eq!(call(&cloud, FUNCTIONS[0], FILES, record(&event)), Ok(Value::Null));
    let why = format!("RetriesExhausted: {TIMED_OUT}");
    assert_eq!(failure(&cloud, "a b.csv", Stage::Validate), (3, why));
    let state = cloud.state("a b.csv").expect("it has a state");
    assert_eq!(lambda::table::text(&state, "outcome"), Some("failed"));
    // the dead letter is the event
    call(&cloud, FUNCTIONS[0], FILES, event.clone()).unwrap();
    assert_eq!(work(&cloud, FILES, &FUNCTIONS), 0);
    assert_eq!(receipt(&cloud, "a b.csv").outcome(), Outcome::CompletedWithRejects);
    let records = cloud.records();
    // told again, or late and of something else, it changes nothing
    let mut other = record(&event);
    other["responsePayload"]["errorMessage"] = json!("another");
    for told in [record(&event), other] {
        call(&cloud, FUNCTIONS[0], FILES, told).unwrap();
        assert_eq!(cloud.records(), records);
    }
}

#[test]
fn whichever_call_fails_the_receipt_says_so_in_the_end() {
    let run = |cloud: &Cloud| {
        let version = put(cloud, MARKET, "a.csv", TRADES);
        call_thrice(cloud, "DataIngestion", MARKET, &record(&created(MARKET, "a.csv", &version)));
        cloud.calm();
        assert_eq!(failure(cloud, "a.csv", Stage::Ingest).0, 3);
        let told = cloud.told();
        assert!(told.iter().all(|event| event.name == "file.failed" && event.id == told[0].id), "{told:?}");
        assert_eq!((told.is_empty(), cloud.untold()), (false, 0));
    };
    let calm = Cloud::default();
    run(&calm);
    let calls = calm.calls();
    for (number, name) in calls.iter().enumerate() {
        for fault in faults(name) {
            let cloud = Cloud::default();
            cloud.plan(number, *fault);
            run(&cloud);
        }
    }
}

#[test]
fn what_fails_while_a_failure_is_told_comes_to_an_end() {
    let cloud = Cloud::default();
    let version = put(&cloud, FILES, "a.csv", TRADES);
    let own = record(&record(&created(FILES, "a.csv", &version)));
    for event in [own, record(&json!({ "what": "else" })), record(&json!("no event"))] {
        let before = cloud.calls().len();
        assert_eq!(call(&cloud, FUNCTIONS[0], FILES, event), Ok(Value::Null));
        assert_eq!(cloud.calls().len(), before, "nothing is done");
    }
    let refused = call(&cloud, "status-query", FILES, record(&json!({}))).unwrap_err();
    assert!(refused.contains("wrong_event"), "{refused}");
}

const CARDS: &str = "transaction_id,timestamp,amount,currency,merchant,status\n\
                     t1,2024-01-02T10:00:00Z,10.50,USD,m1,completed\n";
const STEPS: [&str; 3] = ["csv-validator", "data-transformer", "notification-sender"];

/// As the workflow tells of a step that it gave up: its input, with why beside it.
fn given_up(input: &Value, error: &str, cause: &str) -> Value {
    let mut input = input.clone();
    input["error"] = json!({ "Error": error, "Cause": cause });
    json!({ "failed": input })
}

#[test]
fn a_file_that_the_workflow_gave_up_is_failed_and_told_until_it_is_started_again() {
    let cause = json!({ "errorType": "Error", "errorMessage": "unavailable: could not read" }).to_string();
    for at in 0..3 {
        let cloud = Cloud::default();
        let started = started_with(&cloud, "a.csv", CARDS);
        let mut inputs = vec![started];
        for name in &STEPS[..at] {
            let answer = call(&cloud, name, TRANSACTIONS, inputs[inputs.len() - 1].clone()).unwrap();
            inputs.push(answer);
        }
        let stage = [Stage::Validate, Stage::Transform, Stage::Notify][at];
        let told = |error: &str, cause: &str| {
            let event = given_up(&inputs[at], error, cause);
            assert_eq!(call(&cloud, STEPS[2], TRANSACTIONS, event).unwrap(), Value::Null);
            failure(&cloud, "a.csv", stage)
        };
        assert_eq!(told("Error", &cause), (3, "Error: unavailable: could not read".to_owned()), "{stage:?}");
        let names = || cloud.told().into_iter().map(|event| event.name).collect::<Vec<_>>();
        assert_eq!(names(), ["file.failed"]);
        let mut event = inputs[0].clone();
        for name in STEPS {
            event = call(&cloud, name, TRANSACTIONS, event).unwrap();
        }
        assert_eq!(receipt(&cloud, "a.csv").outcome(), Outcome::Completed, "{stage:?}");
        assert_eq!((names(), cloud.untold()), (vec!["file.failed".to_owned(), "file.completed".to_owned()], 0));
    }
}

#[test]
fn what_a_stage_has_done_too_late_is_failed_at_the_stage_that_is_never_begun() {
    for at in 0..3 {
        let cloud = Cloud::default();
        let mut input = started_with(&cloud, "a.csv", CARDS);
        for name in &STEPS[..at] {
            input = call(&cloud, name, TRANSACTIONS, input).unwrap();
        }
        // it is done, but the workflow does not wait for the answer
        call(&cloud, STEPS[at], TRANSACTIONS, input.clone()).unwrap();
        call(&cloud, STEPS[2], TRANSACTIONS, given_up(&input, "States.Timeout", "")).unwrap();
        match [Some(Stage::Transform), Some(Stage::Notify), None][at] {
            Some(stage) => assert_eq!(failure(&cloud, "a.csv", stage).0, 1),
            None => assert_eq!(receipt(&cloud, "a.csv").outcome(), Outcome::Completed),
        }
        // started again with what the dead letter holds
        let begun = STEPS.into_iter().try_fold(input, |event, name| {
            if event["message"].is_null() && event["detail"].is_null() {
                Err(())
            } else {
                Ok(call(&cloud, name, TRANSACTIONS, event).unwrap())
            }
        });
        assert!(begun.is_ok() || at == 2);
        assert_eq!(receipt(&cloud, "a.csv").outcome(), Outcome::Completed, "{at}");
    }
}

#[test]
fn a_step_that_took_all_its_time_was_tried_at_least_once() {
    let cloud = Cloud::default();
    let input = started_with(&cloud, "a.csv", CARDS);
    call(&cloud, STEPS[2], TRANSACTIONS, given_up(&input, "States.Timeout", "")).unwrap();
    let (attempts, why) = failure(&cloud, "a.csv", Stage::Validate);
    // nobody says whether an attempt before it came to an error
    assert_eq!((attempts, why.contains("attempts before that are not counted")), (1, true), "{why}");
}

#[test]
fn a_stage_that_the_workflow_calls_again_knows_which_attempt_it_is() {
    let cloud = Cloud::default();
    let mut input = started_with(&cloud, "a.csv", CARDS);
    for (retries, name) in STEPS.into_iter().enumerate() {
        let given = json!({ "input": input, "startedAt": "2024-01-02T12:53:00Z", "retries": retries });
        input = call(&cloud, name, TRANSACTIONS, given).unwrap();
    }
    let receipt = receipt(&cloud, "a.csv");
    let attempts = |stage| receipt.progress(stage).map(|progress| progress.attempts);
    let stages = [Stage::Validate, Stage::Transform, Stage::Notify];
    assert_eq!((stages.map(attempts), receipt.outcome()), ([Some(1), Some(2), Some(3)], Outcome::Completed));
}

#[test]
fn a_stage_that_the_workflow_has_given_up_commits_nothing_any_more() {
    let cloud = Cloud::default();
    let input = started_with(&cloud, "a.csv", CARDS);
    // it is 12:53:20, and this stage has until 160 seconds after the beginning: two seconds and a half
    let given = json!({ "input": input, "startedAt": "2024-01-02T12:50:42.500Z" });
    let function = slow(&cloud, STEPS[0], TRANSACTIONS, Duration::from_millis(2_700));
    let within = Call::within(Duration::from_secs(151));
    let late = function.call(given, &within, &mut Told::default()).unwrap_err();
    assert!(late.to_string().contains("nobody waits for it any more"), "{late}");
    call(&cloud, STEPS[2], TRANSACTIONS, given_up(&input, "States.Timeout", "")).unwrap();
    failure(&cloud, "a.csv", Stage::Validate);
    // started again, the same process does it
    let function = slow(&cloud, STEPS[0], TRANSACTIONS, Duration::ZERO);
    function.call(input, &within, &mut Told::default()).unwrap();
    assert_eq!(receipt(&cloud, "a.csv").outcome(), Outcome::InProgress);
}

/// Buckets that take their time.
#[derive(Debug)]
struct Slow(Cloud, Duration);

impl Buckets for Slow {
    fn get(&self, bucket: &str, key: &str, version: Option<&str>, range: Range<u64>) -> Result<Option<Piece>, Cause> {
        std::thread::sleep(self.1);
        Buckets::get(&self.0, bucket, key, version, range)
    }

    fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>, note: Option<&str>) -> Result<String, Cause> {
        self.0.put(bucket, key, bytes, note)
    }

    fn begin(&self, bucket: &str, key: &str) -> Result<String, Cause> {
        self.0.begin(bucket, key)
    }

    fn part(&self, bucket: &str, key: &str, upload: &str, number: usize, bytes: Vec<u8>) -> Result<String, Cause> {
        self.0.part(bucket, key, upload, number, bytes)
    }

    fn complete(&self, bucket: &str, key: &str, upload: &str, parts: &[String]) -> Result<String, Cause> {
        self.0.complete(bucket, key, upload, parts)
    }

    fn abort(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Cause> {
        self.0.abort(bucket, key, upload)
    }

    fn place(&self, bucket: &str, key: &str, seconds: u64) -> Result<String, Cause> {
        self.0.place(bucket, key, seconds)
    }
}

/// Delivers a message with its last attempt to a function whose reads take so long; whether the receipt was failed while
/// it was at it.
fn last_attempt(cloud: &Cloud, message: &Message, time: Duration, reads: Duration) -> bool {
    let function = slow(cloud, FUNCTIONS[1], FILES, reads);
    let event = delivered(&[(message.clone(), 3)]);
    std::thread::scope(|scope| {
        let called =
            scope.spawn(|| function.call(event, &Call::within(time), &mut Told::default()).expect("it answers"));
        let mut failed = false;
        while !called.is_finished() {
            failed |= receipt(cloud, "a.csv").outcome() == Outcome::Failed;
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(called.join().expect("nobody panicked"), json!({ "batchItemFailures": [] }));
        failed
    })
}

/// A function whose reads take so long.
pub fn slow(cloud: &Cloud, name: &str, bucket: &str, reads: Duration) -> Function {
    let buckets: Arc<dyn Buckets> = Arc::new(Slow(cloud.clone(), reads));
    let parts = Parts { buckets: Some(buckets), ..parts(cloud, bucket) };
    Function::new(name, parts).expect("there is such a function")
}

#[test]
fn a_last_attempt_whose_time_is_nearly_over_is_told_before_it_is() {
    let ten = Duration::from_secs(10);
    let begin = || {
        let cloud = Cloud::default();
        let version = put(&cloud, FILES, "a.csv", TRADES);
        call(&cloud, FUNCTIONS[0], FILES, created(FILES, "a.csv", &version)).unwrap();
        let message = cloud.receive().remove(0);
        (cloud, message)
    };
    let (cloud, message) = begin();
    let reads = Duration::from_millis(400);
    assert!(last_attempt(&cloud, &message, ten + Duration::from_millis(100), reads), "it is told meanwhile");
    // here it came to its end after all, as when it is redriven
    assert_eq!(receipt(&cloud, "a.csv").outcome(), Outcome::InProgress);
    let history = receipt(&cloud, "a.csv").progress(Stage::Process).and_then(|progress| progress.failure.clone());
    let history = history.expect("it stays told");
    assert!(history.attempt == 3 && history.error.starts_with("out_of_time: data-processor"), "{history:?}");
    assert_eq!(work(&cloud, FILES, &FUNCTIONS), 0);
    assert_eq!(receipt(&cloud, "a.csv").outcome(), Outcome::CompletedWithRejects);
    let (cloud, message) = begin();
    assert!(!last_attempt(&cloud, &message, ten * 3, reads), "with time left, nothing is told");
}
