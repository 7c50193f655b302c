//! What the real clients make of answers that are no plain success: the words on which the faults of the cloud in
//! memory are modelled.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use lambda::queue::{Queue, Sqs};
use lambda::table::dynamo::{Dynamo, Names};
use lambda::table::{Action, Error, Field, Key, Name, Table, Test};
use pipeline::message::{Feed, Message, Records};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A service that gives the same answer to everything, and the runtime to ask it from.
fn service(status: u16, answer: &Value) -> (String, Runtime) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("it works on the loopback");
    let endpoint = format!("http://{}", listener.local_addr().expect("it works on the loopback"));
    let body = answer.to_string();
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
            let head = format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            reader.into_inner().write_all(format!("{head}{body}").as_bytes()).expect("it works on the loopback");
        }
    });
    (
        endpoint,
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("it works on the loopback"),
    )
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
    let (endpoint, runtime) = service(status, answer);
    let client = aws_sdk_dynamodb::Client::from_conf(config!(aws_sdk_dynamodb, endpoint));
    let table = Dynamo::new(client, runtime.handle().clone(), Names { ledger: "ledger".into(), ..Names::default() });
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
        let (endpoint, runtime) = service(200, &answer);
        let client = aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, &endpoint));
        let queue = Sqs::new(client, runtime.handle().clone(), format!("{endpoint}/0/queue"));
        let sent = queue.send(&[message(0), message(1)]);
        assert_eq!(sent.is_ok(), is_sent, "{sent:?}");
        assert!(sent.err().is_none_or(|error| error.to_string().contains("InternalError: try again")));
    }
    let (endpoint, runtime) = service(500, &json!({}));
    let client = aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, &endpoint));
    let queue = Sqs::new(client, runtime.handle().clone(), format!("{endpoint}/0/queue.fifo"));
    assert!(queue.send(&[message(0)]).is_err());
}
