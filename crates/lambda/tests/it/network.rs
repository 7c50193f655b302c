//! The network without a thread of its own: what happened while nobody waited, and several who wait at once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use lambda::network::Network;
use lambda::table::dynamo::{Dynamo, Names};
use lambda::table::{Key, Place, Table};

/// Takes one request; none when nobody asks any more.
fn request(stream: &mut BufReader<TcpStream>) -> Option<()> {
    let (mut line, mut length) = (String::new(), 0);
    while stream.read_line(&mut line).ok()? > 2 {
        let head = line.to_ascii_lowercase();
        length = head.strip_prefix("content-length:").map_or(Some(length), |text| text.trim().parse().ok())?;
        line.clear();
    }
    (!line.is_empty()).then_some(())?;
    stream.read_exact(&mut vec![0; length]).ok()
}

/// A table without items that takes so long to say so on each connection, the first first, and closes what is idle after
/// `patience`.
fn table(network: &Network, takes: &'static [Duration], patience: Duration) -> Dynamo {
    let listener = TcpListener::bind("127.0.0.1:0").expect("it works on the loopback");
    let endpoint = format!("http://{}", listener.local_addr().expect("it works on the loopback"));
    std::thread::spawn(move || {
        for (stream, takes) in listener.incoming().zip(takes) {
            let stream = stream.expect("it works on the loopback");
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(patience)).expect("it works on the loopback");
                let mut stream = BufReader::new(stream);
                while request(&mut stream).is_some() {
                    std::thread::sleep(*takes);
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
                    stream.get_mut().write_all(answer).expect("it is heard");
                }
            });
        }
    });
    let config = aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::v2026_01_12());
    let config = config.region(Region::new("us-east-1")).retry_config(RetryConfig::disabled());
    let config = config.credentials_provider(Credentials::new("test", "test", None, None, "test"));
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = config.http_client(http).endpoint_url(endpoint).build();
    let names = Names { ledger: "ledger".into(), ..Names::default() };
    Dynamo::new(aws_sdk_dynamodb::Client::from_conf(config), network.clone(), names)
}

fn ask(table: &Dynamo) {
    let place: Place = Key::new("group", "id").into();
    assert_eq!(table.get(&place).expect("it answers the first time it is asked"), None);
}

const AT_ONCE: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_millis(400);

#[test]
fn a_connection_that_was_closed_while_nobody_waited_is_not_asked() {
    let network = Network::new().expect("a network");
    let table = table(&network, &[AT_ONCE; 5], Duration::from_millis(20));
    for _ in 0..4 {
        ask(&table);
        // a stage that works on bytes, or a function that nobody calls
        std::thread::sleep(SOON);
    }
}

#[test]
fn whoever_has_an_answer_leaves_the_network_to_those_who_wait_on() {
    let network = Network::new().expect("a network");
    let table = Arc::new(table(&network, &[SOON, LATER, SOON, LATER, SOON, LATER], Duration::from_secs(60)));
    let began = Instant::now();
    let wait = |_| {
        let table = table.clone();
        std::thread::spawn(move || {
            ask(&table);
            began.elapsed()
        })
    };
    let waiting: Vec<_> = (0..6).map(wait).collect();
    let mut took: Vec<Duration> = waiting.into_iter().map(|thread| thread.join().expect("it is answered")).collect();
    took.sort_unstable();
    assert!(took[2] < LATER, "the quick ones do not wait for the others: {took:?}");
    assert!(took[5] >= LATER && took[5] < 2 * LATER, "nor the others for each other: {took:?}");
}
