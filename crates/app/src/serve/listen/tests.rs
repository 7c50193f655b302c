//! The limits of connections, each made small, on both sides of it.

use std::io::{Read, Write};
use std::net::TcpStream as Blocking;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use hyper_util::service::TowerToHyperService;

use super::{BOUNDS, Bounds, Door, Stop, TlsAcceptor};

/// Bytes of an answer that no buffer of a connection holds.
const LARGE_BYTES: usize = 64 * 1024 * 1024;

/// A port with these bounds that answers `/` at once and `/large` with many bytes; it goes with the runtime.
fn door(bounds: Bounds, tls: Option<TlsAcceptor>) -> (tokio::runtime::Runtime, std::net::SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let address = runtime.block_on(async move {
        let mut door = Door::open("http", ([127, 0, 0, 1], 0).into(), tls, 0).await.unwrap();
        door.bounds = bounds;
        let address = door.address();
        let routes =
            Router::new().route("/", get(|| async { "ok" })).route("/large", get(|| async { vec![7; LARGE_BYTES] }));
        tokio::spawn(async move { door.serve(TowerToHyperService::new(routes), &Stop::never()).await });
        address
    });
    (runtime, address)
}

fn connect(address: std::net::SocketAddr, patience: Duration) -> Blocking {
    let stream = Blocking::connect(address).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    stream
}

fn ask(stream: &mut Blocking, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
}

/// All that comes until the connection ends; nothing when it does not in time.
fn rest(stream: &mut Blocking) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => None,
        _ => Some(bytes),
    }
}

#[test]
fn more_connections_wait_until_others_end() {
    let (_runtime, address) = door(Bounds { connections: 2, ..BOUNDS }, None);
    let first = connect(address, Duration::from_secs(10));
    let mut second = connect(address, Duration::from_secs(10));
    std::thread::sleep(Duration::from_millis(100));
    let mut third = connect(address, Duration::from_millis(300));
    ask(&mut third, "/");
    assert_eq!(rest(&mut third), None, "there is no room for it");
    ask(&mut second, "/");
    assert!(rest(&mut second).unwrap().ends_with(b"ok"), "those that are in are served");
    third.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(rest(&mut third).unwrap().ends_with(b"ok"), "there is room now");
    drop(first);
}

#[test]
fn a_port_that_is_full_ends_when_it_is_told_to() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (tell, told) = tokio::sync::watch::channel(false);
    let (address, serving) = runtime.block_on(async move {
        let mut door = Door::open("http", ([127, 0, 0, 1], 0).into(), None, 0).await.unwrap();
        door.bounds = Bounds { connections: 1, ..BOUNDS };
        let address = door.address();
        let routes = TowerToHyperService::new(Router::new().route("/", get(|| async { "ok" })));
        (address, tokio::spawn(async move { door.serve(routes, &Stop(told)).await }))
    });
    let mut only = connect(address, Duration::from_secs(10));
    only.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(only.read(&mut [0; 1024]).unwrap() > 0);
    tell.send(true).unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), serving).await });
    assert!(ended.is_ok(), "it waits for a place");
}

#[test]
fn an_address_has_so_many_connections_and_others_are_let_in() {
    let (_runtime, address) = door(Bounds { of_one: 2, ..BOUNDS }, None);
    let held = [(); 2].map(|()| connect(address, Duration::from_secs(10)));
    std::thread::sleep(Duration::from_millis(100));
    let mut third = connect(address, Duration::from_secs(10));
    assert_eq!(rest(&mut third), Some(Vec::new()), "it is closed, and not left waiting");
    let sources: Arc<super::Sources> = Arc::default();
    let from = |text: &str| text.parse().unwrap();
    let one = sources.come(from("10.0.0.1:1"), 1).unwrap();
    assert!(sources.come(from("10.0.0.1:2"), 1).is_none() && sources.come(from("10.0.0.1:3"), 0).is_some());
    assert!(sources.come(from("10.0.0.2:1"), 1).is_some(), "another address");
    drop(one);
    assert!(sources.come(from("10.0.0.1:4"), 1).is_some(), "there is room again");
    assert!(sources.0.lock().unwrap().is_empty(), "who is gone is forgotten");
    drop(held);
    std::thread::sleep(Duration::from_millis(200));
    let mut again = connect(address, Duration::from_secs(10));
    ask(&mut again, "/");
    assert!(rest(&mut again).unwrap().ends_with(b"ok"), "there is room now");
}

#[test]
fn who_takes_nothing_of_an_answer_is_left_and_who_is_slow_is_not() {
    let (_runtime, address) = door(Bounds { stalled: Duration::from_millis(500), ..BOUNDS }, None);
    let mut stalled = connect(address, Duration::from_secs(20));
    ask(&mut stalled, "/large");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(rest(&mut stalled).unwrap().len() < LARGE_BYTES, "it was waited for");

    let mut slow = connect(address, Duration::from_secs(20));
    ask(&mut slow, "/large");
    let (began, mut taken, mut piece) = (Instant::now(), 0, vec![0; 4 * 1024 * 1024]);
    loop {
        let read = slow.read(&mut piece).unwrap();
        if read == 0 {
            break;
        }
        taken += read;
        if began.elapsed() < Duration::from_millis(1500) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    assert!(
        taken > LARGE_BYTES && began.elapsed() > Duration::from_millis(1500),
        "{taken} bytes in {:?}",
        began.elapsed()
    );
}

#[test]
fn who_does_not_say_what_it_wants_is_left() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let bounds = Bounds { head: Duration::from_millis(300), handshake: Duration::from_millis(300), ..BOUNDS };
    for tls in [None, Some(TlsAcceptor::from(Arc::new(config)))] {
        let (_runtime, address) = door(bounds, tls);
        let (mut silent, began) = (connect(address, Duration::from_secs(10)), Instant::now());
        assert!(rest(&mut silent).is_some(), "it was waited for");
        assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    }
}
