//! What each function asks of services for a small file, in order: each call takes a round trip.

use std::time::Duration;

use lambda::doors::Call;
use lambda::tell::Told;
use serde_json::json;

use crate::cloud::Cloud;
use crate::flow::{FILES, TRANSACTIONS, call, created, delivered, function, put, started_with};

/// What a call of a function asks for.
fn asked(cloud: &Cloud, act: impl FnOnce()) -> Vec<&'static str> {
    let before = cloud.calls().len();
    act();
    cloud.calls().split_off(before)
}

const TRADES: &str = "timestamp,symbol,price,volume\n2024-01-02T10:00:00Z,ACME,10.5,100\n";

#[test]
fn of_files() {
    let cloud = Cloud::default();
    let version = put(&cloud, FILES, "a.csv", TRADES);
    let event = created(FILES, "a.csv", &version);
    let validated = asked(&cloud, || drop(call(&cloud, "file-validator", FILES, event.clone()).unwrap()));
    // it arrives; its bytes, and who had them before; its rows; what it holds, and the message for the next stage
    assert_eq!(validated, ["transact", "object", "query", "put", "transact", "send", "transact"]);
    let next = |function: &str| {
        let messages: Vec<_> = cloud.receive().into_iter().map(|message| (message, 1)).collect();
        asked(&cloud, || drop(call(&cloud, function, FILES, delivered(&messages)).unwrap()))
    };
    // its receipt; its rows, and what they come to; that, and the message for the next stage
    assert_eq!(next("data-processor"), ["get", "object", "put", "transact", "send", "transact"]);
    // its receipt; what it comes to; other versions of it, and who has the same bytes; that it counts
    assert_eq!(next("result-aggregator"), ["get", "object", "query", "query", "transact"]);
    // an event that comes again finds all done
    let again = asked(&cloud, || drop(call(&cloud, "file-validator", FILES, event).unwrap()));
    assert_eq!(again, ["transact", "get", "get", "transact", "get"]);
}

#[test]
fn of_a_workflow() {
    let cloud = Cloud::default();
    let functions =
        ["csv-validator", "data-transformer", "notification-sender"].map(|name| function(&cloud, name, TRANSACTIONS));
    let take = |key: &str, row: &str| {
        let text = format!("transaction_id,timestamp,amount,currency,merchant,status\n{row},USD,m1,completed\n");
        let mut event = started_with(&cloud, key, &text);
        let asked = functions.each_ref().map(|function| {
            let call = Call::within(Duration::from_secs(300));
            asked(&cloud, || event = function.call(event.clone(), &call, &mut Told::default()).unwrap())
        });
        assert_eq!(event, json!({ "message": null }), "nothing follows");
        asked
    };
    // a process that is new looks for what others have left to be told
    let new = take("a.csv", "t1,2024-01-02T10:00:00Z,10.5");
    let [validated, transformed, notified] = take("b.csv", "t2,2024-01-02T10:00:00Z,10.5");
    assert!(new[0].len() > validated.len() + 10, "{new:?}");
    // what was committed just now is not read back to answer what comes next
    let ids = ["query", "get", "query", "query", "query"];
    assert_eq!(validated, [&["transact", "object"][..], &ids, &["put", "put", "get", "query", "transact"]].concat());
    let rows = ["get", "get", "object", "batch", "batch"];
    assert_eq!(transformed, [&rows[..], &["get", "object", "put", "query", "query", "get", "transact"]].concat());
    assert_eq!(notified, ["get", "transact", "announce", "transact"]);
}
