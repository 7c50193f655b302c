//! What the daemon of X-Ray gets: a socket on the loopback in its place.

use std::net::UdpSocket;
use std::time::Duration;

use lambda::doors::Call;
use lambda::function::{Function, Parts};
use lambda::tell::Told;
use lambda::trace::Tracer;
use serde_json::Value;

use crate::cloud::{Cloud, Fault};
use crate::flow::{FILES, FUNCTIONS, MARKET, TRADES, TRANSACTIONS, call_for, created, parts, put, started};

const ROOT: &str = "1-5bef4de7-ad49b0e87f6ef6c87fc2e700";
const PARENT: &str = "9a9197af755a6419";

fn header(sampled: u8) -> String {
    format!("Root={ROOT};Parent={PARENT};Sampled={sampled}")
}

/// A daemon, and a first function that tells it.
fn traced(cloud: &Cloud) -> (UdpSocket, Function) {
    traced_of(cloud, FUNCTIONS[0], FILES)
}

fn traced_of(cloud: &Cloud, name: &str, bucket: &str) -> (UdpSocket, Function) {
    let daemon = UdpSocket::bind("127.0.0.1:0").expect("it works on the loopback");
    daemon.set_read_timeout(Some(Duration::from_millis(300))).expect("it works on the loopback");
    let address = daemon.local_addr().expect("it has an address").to_string();
    let parts = Parts { tracer: Tracer::new(Some(&address), 7), ..parts(cloud, bucket) };
    (daemon, Function::new(name, parts).expect("there is such a function"))
}

/// What has come to the daemon.
fn received(daemon: &UdpSocket) -> Vec<Value> {
    let mut buffer = vec![0; 65_536];
    let mut subsegments = Vec::new();
    while let Ok(bytes) = daemon.recv(&mut buffer) {
        let text = std::str::from_utf8(&buffer[..bytes]).expect("it is text");
        let (head, subsegment) = text.split_once('\n').expect("a head and a subsegment");
        assert_eq!(serde_json::from_str::<Value>(head).unwrap_or_default()["format"], "json", "{head}");
        subsegments.push(serde_json::from_str(subsegment).expect("a subsegment is JSON"));
    }
    subsegments
}

fn call(function: &Function, cloud: &Cloud, trace: Option<String>) -> Result<Value, String> {
    let version = put(cloud, FILES, "a.csv", TRADES);
    let call = Call { trace, ..Call::within(Duration::from_secs(300)) };
    let answer = function.call(created(FILES, "a.csv", &version), &call, &mut Told::default());
    answer.map_err(|error| error.to_string())
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[test]
fn a_stage_and_what_it_asks_of_services_are_told() {
    let cloud = Cloud::default();
    let (daemon, function) = traced(&cloud);
    call(&function, &cloud, Some(header(1))).unwrap();
    let told = received(&daemon);
    let stage = told.iter().find(|one| one["name"] == "validate").expect("the stage is told");
    assert_eq!((&stage["parent_id"], &stage["annotations"]["attempt"]), (&PARENT.into(), &1.into()), "{stage}");
    assert!(stage["annotations"]["receipt"].as_str().is_some_and(|id| id.starts_with("r-")), "{stage}");
    for one in &told {
        assert!(is_id(&one["id"]) && one["trace_id"] == ROOT && one["type"] == "subsegment", "{one}");
        let [start, end] = ["start_time", "end_time"].map(|name| one[name].as_f64().expect("a time"));
        assert!(start > 1.7e9 && start <= end && end < 4e9, "in seconds: {one}");
        assert!(one.get("fault").is_none(), "{one}");
    }
    let mut ids: Vec<&str> = told.iter().filter_map(|one| one["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), told.len(), "each has an id of its own");
    let services = |name: &str| told.iter().filter(|one| one["name"] == name && one["namespace"] == "aws").count();
    let made = |names: &[&str]| cloud.calls().iter().filter(|call| names.contains(call)).count();
    assert_eq!(services("DynamoDB"), made(&["get", "query", "transact"]));
    // the file was put by its sender
    assert_eq!(services("S3"), made(&["object", "put"]) - 1);
    assert_eq!(services("SQS"), made(&["send"]));
    let within = told.iter().filter(|one| one["parent_id"] == stage["id"]).count();
    // that the file arrived is committed before the stage
    assert_eq!(within, told.len() - 2, "{told:#?}");
}

#[test]
fn where_people_are_told_is_told_by_its_name() {
    let cloud = Cloud::default();
    let (daemon, function) = traced_of(&cloud, "DataIngestion", MARKET);
    let version = put(&cloud, MARKET, "bad.csv", "no rows");
    let call = Call { trace: Some(header(1)), ..Call::within(Duration::from_secs(300)) };
    function.call(created(MARKET, "bad.csv", &version), &call, &mut Told::default()).unwrap();
    let told = received(&daemon);
    let bus: Vec<&Value> = told.iter().filter(|one| one["name"] == "EventBridge").collect();
    assert_eq!(bus.len(), 1, "{told:#?}");
    // after the stages, at the end of the call
    assert_eq!((&bus[0]["aws"]["operation"], &bus[0]["parent_id"]), (&"PutEvents".into(), &PARENT.into()));
}

#[test]
fn rows_are_told_as_one_and_leave_room_for_the_rest() {
    let cloud = Cloud::default();
    let message = call_for(&cloud, "csv-validator", &started(&cloud, "a.csv", 5_001), 300).unwrap();
    let (daemon, function) = traced_of(&cloud, "data-transformer", TRANSACTIONS);
    let call = Call { trace: Some(header(1)), ..Call::within(Duration::from_secs(300)) };
    let before = cloud.calls().len();
    function.call(message, &call, &mut Told::default()).unwrap();
    let batches = cloud.calls()[before..].iter().filter(|call| **call == "batch").count();
    assert!(batches > 200, "many calls: {batches}");
    let told = received(&daemon);
    let named = |name: &str| told.iter().filter(|one| one["name"] == name).collect::<Vec<_>>();
    let asked = |operation: &str| told.iter().filter(|one| one["aws"]["operation"] == operation).count();
    assert_eq!((asked("BatchWriteItem"), asked("TransactWriteItems")), (0, 1), "{told:#?}");
    let (rows, stages) = (named("rows"), named("transform"));
    assert_eq!((rows.len(), stages.len()), (1, 1), "{told:#?}");
    assert_eq!(rows[0]["annotations"]["receipt"], stages[0]["annotations"]["receipt"]);
    assert!(rows[0]["annotations"]["receipt"].is_string() && rows[0]["parent_id"] == PARENT, "{:#?}", rows[0]);
    let within = |part: &Value| told.iter().filter(|one| one["parent_id"] == part["id"]).count();
    assert!(within(rows[0]) > 0 && within(stages[0]) > 0, "what each of them asks for is within it");
}

#[test]
fn what_is_not_traced_is_not_told() {
    let cloud = Cloud::default();
    let (daemon, function) = traced(&cloud);
    for trace in [None, Some(header(0)), Some("Root=1-2-3".to_owned()), Some(String::new())] {
        call(&function, &cloud, trace).unwrap();
    }
    assert!(received(&daemon).is_empty());
}

#[test]
fn what_failed_is_told_with_its_reason() {
    let cloud = Cloud::default();
    let (daemon, function) = traced(&cloud);
    // the sender puts, the arrival is committed: then the file is opened
    cloud.plan(2, Fault::Before);
    call(&function, &cloud, Some(header(1))).unwrap_err();
    let told = received(&daemon);
    let failed: Vec<&Value> = told.iter().filter(|one| one["fault"] == true).collect();
    let names: Vec<&str> = failed.iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["S3", "validate"], "{told:#?}");
    let text = failed[0]["cause"]["exceptions"][0]["message"].as_str().unwrap();
    assert!(text.contains("planned"), "{text}");
}

#[test]
fn nobody_waits_for_a_daemon_that_is_not_there() {
    let cloud = Cloud::default();
    let (daemon, function) = traced(&cloud);
    drop(daemon);
    for _ in 0..3 {
        call(&function, &cloud, Some(header(1))).unwrap();
    }
    assert!(!Tracer::new(Some("no address"), 1).is_on() && !Tracer::new(None, 1).is_on());
}
