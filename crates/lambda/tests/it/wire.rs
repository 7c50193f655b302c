//! What the real clients make of answers that are no plain success: the words on which the faults of the cloud in
//! memory are modelled.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use lambda::announce::{Announcer, Bus, Event, Topic};
use lambda::network::Network;
use lambda::queue::{Queue, Sqs};
use lambda::table::dynamo::{Dynamo, Names};
use lambda::table::{Action, Error, Field, Key, Name, Table, Test};
use pipeline::message::{Feed, Message, Records};
use serde_json::{Value, json};

/// A service that gives the same answer to everything, and the network to ask it by.
fn service(status: u16, answer: &Value) -> (String, Network) {
    let (endpoint, network, _) = counted(status, answer);
    (endpoint, network)
}

/// The same, and how often it was asked.
fn counted(status: u16, answer: &Value) -> (String, Network, Arc<AtomicUsize>) {
    counted_text(status, answer.to_string())
}

fn counted_text(status: u16, body: String) -> (String, Network, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("it works on the loopback");
    let endpoint = format!("http://{}", listener.local_addr().expect("it works on the loopback"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.expect("it works on the loopback"));
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                let head = line.to_ascii_lowercase();
                length = head
                    .strip_prefix("content-length:")
                    .map_or(length, |text| text.trim().parse().expect("it works on the loopback"));
                line.clear();
            }
            reader.read_exact(&mut vec![0; length]).expect("it works on the loopback");
            count.fetch_add(1, Ordering::Relaxed);
            let head = format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            reader.into_inner().write_all(format!("{head}{body}").as_bytes()).expect("it works on the loopback");
        }
    });
    (endpoint, Network::new().expect("it works on the loopback"), asked)
}

macro_rules! config {
    ($sdk:ident, $endpoint:expr) => {
        $sdk::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .endpoint_url($endpoint)
            .build()
    };
}

/// What the table says when a transaction of two actions is answered so.
fn transacted(status: u16, answer: &Value) -> Result<(), Error> {
    let (endpoint, network) = service(status, answer);
    let client = aws_sdk_dynamodb::Client::from_conf(config!(aws_sdk_dynamodb, endpoint));
    let table = Dynamo::new(client, network.clone(), Names { ledger: "ledger".into(), ..Names::default() });
    let put = |id: &str| {
        let item = Key::new("g", id).item([("value", Field::Text("x".into()))]);
        Action::Put(Name::Ledger, item, vec![Test::Missing("recordId")])
    };
    table.transact(vec![put("1"), put("2")])
}

fn cancelled(codes: [&str; 2]) -> Value {
    json!({ "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "no",
        "CancellationReasons": codes.map(|code| json!({ "Code": code })) })
}

#[test]
fn a_transaction_is_refused_by_condition_or_by_conflict_or_there_is_no_answer() {
    assert!(transacted(200, &json!({})).is_ok());
    let refused = |codes| match transacted(400, &cancelled(codes)) {
        Err(Error::Refused(which)) => Some(which),
        _ => None,
    };
    assert_eq!(refused(["None", "ConditionalCheckFailed"]), Some(vec![1]));
    assert_eq!(refused(["ConditionalCheckFailed", "TransactionConflict"]), Some(vec![0]));
    assert_eq!(refused(["TransactionConflict", "None"]), Some(vec![]), "nothing is known of the conditions");
    assert_eq!(refused(["ThrottlingError", "None"]), None);
    let throttled = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slowly" });
    for (status, answer) in [(400, &throttled), (500, &json!({}))] {
        assert!(matches!(transacted(status, answer), Err(Error::Unavailable(_))), "{status}");
    }
}

#[test]
fn a_batch_that_is_throttled_was_not_taken_and_is_no_error() {
    let row = |id: &str| Key::new("g", id).item([("value", Field::Text("x".into()))]);
    let written = |status, answer: &Value| {
        let (endpoint, network) = service(status, answer);
        let client = aws_sdk_dynamodb::Client::from_conf(config!(aws_sdk_dynamodb, endpoint));
        let names = Names { rows: "rows".into(), ..Names::default() };
        let table = Dynamo::new(client, network.clone(), names);
        table.batch(Name::Rows, vec![row("1"), row("2")]).map_err(|error| error.to_string())
    };
    assert_eq!(written(200, &json!({ "UnprocessedItems": {} })), Ok(vec![]));
    let one = json!({ "PutRequest": { "Item": { "recordGroup": { "S": "g" }, "recordId": { "S": "2" },
        "value": { "S": "x" } } } });
    assert_eq!(written(200, &json!({ "UnprocessedItems": { "rows": [one] } })), Ok(vec![row("2")]));
    let refused = |code: &str| json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no" });
    for code in ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"] {
        assert_eq!(written(400, &refused(code)), Ok(vec![row("1"), row("2")]), "{code}");
    }
    for (status, code) in [(400, "ValidationException"), (400, "AccessDeniedException"), (500, "InternalServerError")] {
        assert!(written(status, &refused(code)).is_err(), "{code}");
    }
}

#[test]
fn a_batch_of_which_one_message_is_not_taken_is_not_sent() {
    let message = |part| {
        let (feed, origin) = (Feed::of_preset(pipeline::preset::Preset::Market), "request".to_owned());
        let message = Message::MarketProcess(Records { feed, origin, of: None, part, records: vec!["{}".into()] });
        let json = message.to_json().unwrap();
        (message, json)
    };
    let done = |id: &str| json!({ "Id": id, "MessageId": id, "MD5OfMessageBody": "" });
    let failed = json!({ "Id": "1", "SenderFault": false, "Code": "InternalError", "Message": "try again" });
    for (answer, is_sent) in [
        (json!({ "Successful": [done("0"), done("1")], "Failed": [] }), true),
        (json!({ "Successful": [done("0")], "Failed": [failed] }), false),
    ] {
        let (endpoint, network) = service(200, &answer);
        let client = aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, &endpoint));
        let queue = Sqs::new(client, network.clone(), format!("{endpoint}/0/queue"));
        let sent = queue.send(&[message(0), message(1)]);
        assert_eq!(sent.is_ok(), is_sent, "{sent:?}");
        assert!(sent.err().is_none_or(|error| error.to_string().contains("InternalError: try again")));
    }
    let (endpoint, network) = service(500, &json!({}));
    let client = aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, &endpoint));
    let queue = Sqs::new(client, network.clone(), format!("{endpoint}/0/queue.fifo"));
    assert!(queue.send(&[message(0)]).is_err());
}

/// What the bus says to these events, answered so each time; and how often it was asked.
fn announced(status: u16, answer: &Value, events: usize) -> (Result<(), String>, usize) {
    let (endpoint, network, asked) = counted(status, answer);
    let client = aws_sdk_eventbridge::Client::from_conf(config!(aws_sdk_eventbridge, endpoint));
    let bus = Bus::new(client, network.clone(), "market-events-dev".into());
    let told = bus.announce(&(0..events).map(event).collect::<Vec<_>>(), soon(60));
    (told.map_err(|error| error.to_string()), asked.load(Ordering::Relaxed))
}

fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

fn event(number: usize) -> Event {
    let (record, id) = (format!("r-{number}/0"), format!("evt_{number}"));
    Event { record, id, name: "file.completed".into(), at: 1_704_200_000_000, payload: "{}".into() }
}

#[test]
fn events_that_the_bus_did_not_take_are_sent_again_and_then_told() {
    let taken = json!({ "EventId": "1" });
    let refused = json!({ "ErrorCode": "ThrottlingException", "ErrorMessage": "slowly" });
    let all = json!({ "FailedEntryCount": 0, "Entries": [taken, taken] });
    assert_eq!(announced(200, &all, 2), (Ok(()), 1));
    // asked again it is about the one that was refused, which the first answer is for then
    let one = json!({ "FailedEntryCount": 1, "Entries": [taken, refused] });
    assert_eq!(announced(200, &one, 2), (Ok(()), 2));
    let (told, asked) = announced(200, &json!({ "FailedEntryCount": 2, "Entries": [refused, refused] }), 2);
    let told = told.unwrap_err();
    assert!(asked == 3 && told.contains("ThrottlingException: slowly") && told.contains("2 of 2"), "{asked}: {told}");
    assert!(told.contains("market-events-dev") && told.contains("evt_0"), "{told}");
    let (told, _) = announced(200, &json!({ "FailedEntryCount": 0, "Entries": [] }), 1);
    assert!(told.unwrap_err().contains("NoAnswer"), "what it does not speak of it did not take");
    assert!(announced(500, &json!({}), 1).0.is_err());
    assert_eq!(announced(200, &json!({ "Entries": vec![taken; 10] }), 23).1, 3, "ten a call");
}

#[test]
fn a_topic_that_does_not_answer_was_not_told() {
    let answer = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                  <MessageId>1</MessageId></PublishResult></PublishResponse>";
    for (status, is_told) in [(200, true), (500, false), (403, false)] {
        let (endpoint, network, asked) = counted_text(status, answer.to_owned());
        let client = aws_sdk_sns::Client::from_conf(config!(aws_sdk_sns, endpoint));
        let topic = Topic::new(client, network.clone(), "arn:aws:sns:us-east-1:1:topic".into());
        assert_eq!(topic.announce(&[event(1), event(2)], soon(60)).is_ok(), is_told, "{status}");
        assert_eq!(asked.load(Ordering::Relaxed), if is_told { 2 } else { 1 }, "one by one, and no further");
    }
}

#[test]
fn who_tells_waits_no_longer_than_there_is_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("it works on the loopback");
    let endpoint = format!("http://{}", silent.local_addr().expect("it works on the loopback"));
    let (_, network) = service(200, &json!({}));
    let topic = Topic::new(
        aws_sdk_sns::Client::from_conf(config!(aws_sdk_sns, &endpoint)),
        network.clone(),
        "arn:aws:sns:us-east-1:1:topic".into(),
    );
    let client = aws_sdk_eventbridge::Client::from_conf(config!(aws_sdk_eventbridge, &endpoint));
    let bus = Bus::new(client, network.clone(), "market-events-dev".into());
    for announcer in [&topic as &dyn Announcer, &bus] {
        for seconds in [0, 1] {
            let began = Instant::now();
            let told = announcer.announce(&[event(1), event(2)], soon(seconds)).expect_err("nobody answers");
            assert!(told.to_string().contains("nearly over"), "{told}");
            assert!(began.elapsed() < Duration::from_secs(seconds + 2), "{:?}", began.elapsed());
        }
    }
}
