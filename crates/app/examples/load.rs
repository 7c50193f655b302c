//! Loads an HTTP server for a benchmark: as fast as it answers, or at a rate.
//!
//! `load METHOD http://HOST:PORT/PATH --connections 64 --seconds 5 [--rate 1000] [--body TEXT] [--header 'name: value']`
//!
//! `{n}` in the path and the body is a number that grows with each request, over all connections. At a rate, the time of
//! an answer counts from when its request was due, so that a server which stalls is not spared. Prints one JSON object.
#![expect(clippy::print_stdout, reason = "what it measured")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What to do.
struct Load {
    method: String,
    host: String,
    path: String,
    headers: String,
    body: String,
    connections: usize,
    seconds: f64,
    rate: Option<f64>,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    nanoseconds: Vec<u64>,
    statuses: BTreeMap<u16, u64>,
    bytes: u64,
    broken: u64,
}

fn main() -> Result<()> {
    let load = arguments()?;
    let (number, began) = (AtomicU64::new(0), Instant::now());
    let end = began + Duration::from_secs_f64(load.seconds);
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..load.connections)
            .map(|place| {
                let (load, number) = (&load, &number);
                scope.spawn(move || connection(load, place, number, began, end))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    print(seen, began.elapsed().as_secs_f64());
    Ok(())
}

fn arguments() -> Result<Load> {
    let mut words = std::env::args().skip(1);
    let method = words.next().ok_or("no method")?;
    let url = words.next().ok_or("no address")?;
    let rest = url.strip_prefix("http://").ok_or("the address must begin with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut load = Load {
        method,
        host: host.to_owned(),
        path: format!("/{path}"),
        headers: String::new(),
        body: String::new(),
        connections: 16,
        seconds: 5.0,
        rate: None,
    };
    while let Some(word) = words.next() {
        let value = words.next().ok_or("a value is missing")?;
        match word.as_str() {
            "--connections" => load.connections = value.parse()?,
            "--seconds" => load.seconds = value.parse()?,
            "--rate" => load.rate = Some(value.parse()?),
            "--body" => load.body = value,
            "--header" => load.headers.push_str(&format!("{value}\r\n")),
            other => return Err(format!("{other} is not known").into()),
        }
    }
    Ok(load)
}

/// Sends requests on one connection, one after the other; a connection that breaks is made anew.
fn connection(load: &Load, place: usize, number: &AtomicU64, began: Instant, end: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut stream = None;
    let step = load.rate.map(|rate| Duration::from_secs_f64(load.connections as f64 / rate));
    let mut due = began + step.map_or(Duration::ZERO, |step| step * place as u32 / load.connections as u32);
    loop {
        if step.is_some() {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        } else {
            due = Instant::now();
        }
        if due >= end || Instant::now() >= end + Duration::from_secs(5) {
            return seen;
        }
        let this = number.fetch_add(1, Ordering::Relaxed).to_string();
        match one(load, &this, &mut stream) {
            Ok((status, bytes)) => {
                *seen.statuses.entry(status).or_default() += 1;
                seen.bytes += bytes;
                seen.nanoseconds.push(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
            Err(_) => {
                seen.broken += 1;
                stream = None;
            }
        }
        due += step.unwrap_or_default();
    }
}

fn one(load: &Load, number: &str, stream: &mut Option<BufReader<TcpStream>>) -> Result<(u16, u64)> {
    if stream.is_none() {
        let connected = TcpStream::connect(&load.host)?;
        connected.set_nodelay(true)?;
        connected.set_read_timeout(Some(Duration::from_secs(30)))?;
        *stream = Some(BufReader::with_capacity(64 * 1024, connected));
    }
    let Some(reader) = stream else { return Err("no connection".into()) };
    let (path, body) = (load.path.replace("{n}", number), load.body.replace("{n}", number));
    let Load { method, host, headers, .. } = load;
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n{body}");
    reader.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).ok_or("no status")?.parse()?;
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    Ok((status, length))
}

fn print(seen: Vec<Seen>, seconds: f64) {
    let mut all = Seen::default();
    for one in seen {
        all.nanoseconds.extend(one.nanoseconds);
        one.statuses.into_iter().for_each(|(status, count)| *all.statuses.entry(status).or_default() += count);
        all.bytes += one.bytes;
        all.broken += one.broken;
    }
    all.nanoseconds.sort_unstable();
    let at = |share: f64| {
        let place = (all.nanoseconds.len() as f64 * share) as usize;
        let found = all.nanoseconds.get(place.min(all.nanoseconds.len().saturating_sub(1)));
        *found.unwrap_or(&0) as f64 / 1e6
    };
    let statuses: serde_json::Map<String, serde_json::Value> =
        all.statuses.iter().map(|(status, count)| (status.to_string(), (*count).into())).collect();
    let told = serde_json::json!({
        "requests": all.nanoseconds.len(), "seconds": seconds,
        "per_second": all.nanoseconds.len() as f64 / seconds, "bytes": all.bytes,
        "statuses": statuses, "broken": all.broken,
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0),
    });
    println!("{told}");
}
