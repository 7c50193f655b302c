//! Load on a running `millrace serve`: `load ADDRESS CONNECTIONS SECONDS WHAT`, where WHAT is how many records each request
//! to `/ingest` has, or a path that is asked for. Prints requests, records and times of answers; a warm connection each.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, seconds, what] = words.as_slice() else {
        return Err(std::io::Error::other("usage: load ADDRESS CONNECTIONS SECONDS RECORDS|/PATH"));
    };
    let number = |text: &String| text.parse::<usize>().map_err(std::io::Error::other);
    let (connections, seconds) = (number(connections)?, number(seconds)?);
    let records = what.parse::<usize>().unwrap_or(0);
    let end = Instant::now() + Duration::from_secs(seconds as u64);
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let (address, what) = (address.clone(), what.clone());
            std::thread::spawn(move || run(&address, &what, records, end))
        })
        .collect();
    let (mut times, mut failed) = (Vec::new(), 0);
    for thread in threads {
        match thread.join() {
            Ok(Ok(mut more)) => times.append(&mut more),
            _ => failed += 1,
        }
    }
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 1000).min(times.len().saturating_sub(1)));
    let shown = |share| at(share).map_or(0, Duration::as_micros);
    let per_second = times.len() / seconds.max(1);
    let mut out = std::io::stdout();
    writeln!(out, "{per_second} requests/s, {} records/s, {failed} connections failed", per_second * records)?;
    writeln!(out, "p50 {} us, p99 {} us, p99.9 {} us", shown(500), shown(990), shown(999))
}

fn run(address: &str, what: &str, records: usize, end: Instant) -> Result<Vec<Duration>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut writer, mut times, mut body) = (stream, Vec::new(), Vec::new());
    let request = if records > 0 {
        let lines: Vec<String> = (0..records)
            .map(|row| format!("{{\"symbol\":\"S{}\",\"price\":{}.25,\"volume\":10}}", row % 50, row + 1))
            .collect();
        let lines = lines.join("\n");
        format!("POST /ingest HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{lines}", lines.len())
    } else {
        format!("GET {what} HTTP/1.1\r\nhost: x\r\n\r\n")
    };
    while Instant::now() < end {
        let begun = Instant::now();
        writer.write_all(request.as_bytes())?;
        let (mut status, mut length) = (String::new(), 0);
        reader.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.trim().parse().map_err(std::io::Error::other)?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        if !status.starts_with("HTTP/1.1 20") {
            return Err(std::io::Error::other(status));
        }
        times.push(begun.elapsed());
    }
    Ok(times)
}
