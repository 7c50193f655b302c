//! Measures durable cycles: send, receive and acknowledge, each on disk before its answer. `just bench engine` runs it.
//!
//! `cycles [--folder DIR] [--seconds N] [--kind fifo|standard] [--shape cycle|pipe|threads] [--fill N] [CALLERS …]`
//!
//! Prints JSON: for each number of callers the cycles a second and the latency of one operation, and before it what
//! the disk can do at all. `pipe` is the shape of the pipeline: receive, then in one transaction a record, the
//! acknowledgement and the next send, through two queues. `threads` is a cycle with a blocked thread per caller.
//! Every message that a cycle sent must be received exactly once, else this ends with an error.
//! `--fill N` fills a queue with so many messages, reopens it, drains it and compacts it.

mod fill;
mod spawn;

use std::fs::OpenOptions;
use std::future::Future;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engine::queues::{Message, Millis, Queue, Queues, Received, Result, Settings, Transaction};

/// As the peers are measured with.
const BODY_BYTES: usize = 300;

type Error = Box<dyn std::error::Error>;

struct Options {
    folder: PathBuf,
    seconds: u64,
    kind: String,
    shape: String,
    fill: u64,
    callers: Vec<usize>,
}

fn main() -> std::result::Result<(), Error> {
    let options = parse()?;
    let mut out = std::io::stdout().lock();
    if options.fill > 0 {
        writeln!(out, "{}", fill::measure(&options.folder, options.fill)?)?;
        return Ok(());
    }
    let mut runs = Vec::new();
    let floor = floor(&options.folder)?;
    for callers in &options.callers {
        runs.push(measure(&options, *callers)?);
    }
    let (kind, shape) = (&options.kind, &options.shape);
    let runs = runs.join(",\n  ");
    writeln!(out, "{{\"kind\":\"{kind}\",\"shape\":\"{shape}\",\"floor\":{floor},\"runs\":[\n  {runs}\n]}}")?;
    Ok(())
}

fn parse() -> std::result::Result<Options, Error> {
    let mut options = Options {
        folder: std::env::temp_dir().join(format!("millrace-cycles-{}", std::process::id())),
        seconds: 5,
        kind: "fifo".to_owned(),
        shape: "cycle".to_owned(),
        fill: 0,
        callers: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--folder" => options.folder = PathBuf::from(value()?),
            "--seconds" => options.seconds = value()?.parse()?,
            "--kind" => options.kind = value()?,
            "--shape" => options.shape = value()?,
            "--fill" => options.fill = value()?.parse()?,
            callers => options.callers.push(callers.parse()?),
        }
    }
    if options.callers.is_empty() {
        options.callers = vec![1, 16, 256, 1024];
    }
    Ok(options)
}

/// Syncs a second of a preallocated page, by one thread.
fn floor(folder: &Path) -> std::result::Result<String, Error> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("floor");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    let page = [0x5a; 4096];
    file.write_all(&page)?;
    file.sync_all()?;
    let mut latencies = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        let before = Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&page)?;
        file.sync_data()?;
        latencies.push(before.elapsed().as_micros() as u64);
    }
    std::fs::remove_file(path)?;
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    let (p50, p99) = percentiles(&mut latencies);
    Ok(format!("{{\"syncs_per_second\":{rate:.0},\"p50_us\":{p50},\"p99_us\":{p99}}}"))
}

/// What all callers of a run share.
struct Run {
    queues: Queues,
    first: Queue,
    second: Queue,
    is_fifo: bool,
    stop: AtomicBool,
    cycles: AtomicU64,
    latencies: Mutex<Vec<u64>>,
    /// Caller and number of what cycles sent and received.
    sent: Mutex<Vec<(u64, u64)>>,
    received: Mutex<Vec<(u64, u64)>>,
}

fn measure(options: &Options, callers: usize) -> std::result::Result<String, Error> {
    let folder = options.folder.join(format!("{}-{}-{callers}", options.kind, options.shape));
    let is_fifo = options.kind == "fifo";
    let settings = |name| if is_fifo { Settings::fifo(name) } else { Settings::standard(name) };
    let (queues, _) = Queues::open(&folder, &[settings("first"), settings("second")])?;
    let (first, second) = (queues.queue("first")?, queues.queue("second")?);
    let run = Arc::new(Run {
        queues,
        first,
        second,
        is_fifo,
        stop: AtomicBool::new(false),
        cycles: AtomicU64::new(0),
        latencies: Mutex::default(),
        sent: Mutex::default(),
        received: Mutex::default(),
    });
    let start = Instant::now();
    let call = |caller| -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let run = run.clone();
        match options.shape.as_str() {
            "pipe" => Box::pin(async move { run.calls(caller, Shape::Pipe).await }),
            _ => Box::pin(async move { run.calls(caller, Shape::Cycle).await }),
        }
    };
    let waiting = if options.shape == "threads" {
        (0..callers).map(|caller| spawn::on_a_thread(call(caller))).collect()
    } else {
        spawn::on_two_threads((0..callers).map(call).collect())
    };
    std::thread::sleep(Duration::from_secs(options.seconds));
    run.stop.store(true, Ordering::Relaxed);
    let seconds = start.elapsed().as_secs_f64();
    let rate = run.cycles.load(Ordering::Relaxed) as f64 / seconds;
    for thread in waiting {
        thread.join().map_err(|_| "a caller panicked")?;
    }
    run.check_received()?;
    let (p50, p99) = percentiles(&mut run.latencies.lock().expect("no caller panicked"));
    drop(run);
    std::fs::remove_dir_all(&folder)?;
    Ok(format!("{{\"callers\":{callers},\"cycles_per_second\":{rate:.0},\"p50_us\":{p50},\"p99_us\":{p99}}}"))
}

#[derive(Clone, Copy)]
enum Shape {
    Cycle,
    Pipe,
}

impl Run {
    async fn calls(&self, caller: usize, shape: Shape) {
        let (mut latencies, mut received) = (Vec::new(), Vec::new());
        let mut number = 0_u64;
        while !self.stop.load(Ordering::Relaxed) {
            let done = match shape {
                Shape::Cycle => self.cycle(caller, number, &mut latencies, &mut received).await,
                Shape::Pipe => self.pipe(caller, number, &mut latencies).await,
            };
            done.expect("the disk of a measurement works");
            self.cycles.fetch_add(1, Ordering::Relaxed);
            number += 1;
        }
        if matches!(shape, Shape::Cycle) {
            self.sent.lock().expect("no caller panicked").extend((0..number).map(|number| (caller as u64, number)));
            self.received.lock().expect("no caller panicked").extend(received);
        }
        self.latencies.lock().expect("no caller panicked").extend(latencies);
    }

    async fn cycle(
        &self,
        caller: usize,
        number: u64,
        latencies: &mut Vec<u64>,
        bodies: &mut Vec<(u64, u64)>,
    ) -> Result<()> {
        let message = self.message(caller, number);
        timed(latencies, self.queues.send(self.first, message, now())).await?;
        let received = timed(latencies, self.receive()).await?;
        bodies.extend(received.iter().filter_map(|received| key_of(&received.body)));
        let leases = received.iter().map(|received| received.lease).collect();
        timed(latencies, self.queues.acknowledge(leases, now())).await?;
        Ok(())
    }

    /// A message, which may be another caller's. There is one for each caller, but on a FIFO queue its group may be
    /// held for a moment by whoever received the one before.
    async fn receive(&self) -> Result<Vec<Received>> {
        loop {
            let received = self.queues.receive(self.first, 1, None, now()).await?;
            if !received.is_empty() {
                return Ok(received);
            }
            self.queues.ready(self.first, now()).await?;
        }
    }

    /// Whether every message that was sent was received exactly once, by whichever caller.
    fn check_received(&self) -> std::result::Result<(), Error> {
        let mut sent = self.sent.lock().expect("no caller panicked");
        let mut received = self.received.lock().expect("no caller panicked");
        sent.sort_unstable();
        received.sort_unstable();
        if *sent != *received {
            let (sent, received) = (sent.len(), received.len());
            return Err(format!("{sent} messages were sent, {received} received, not each of them once").into());
        }
        Ok(())
    }

    async fn pipe(&self, caller: usize, number: u64, latencies: &mut Vec<u64>) -> Result<()> {
        let message = self.message(caller, number);
        timed(latencies, self.queues.send(self.first, message, now())).await?;
        for (queue, next) in [(self.first, Some(self.second)), (self.second, None)] {
            for received in timed(latencies, self.queues.receive(queue, 1, None, now())).await? {
                let key = received.body[..16].to_vec();
                let mut step = Transaction { acknowledges: vec![received.lease], ..Transaction::default() };
                step.records.push((key.clone(), Some(vec![b's'; BODY_BYTES])));
                let id = received.deduplication;
                let message = Message { body: received.body, group: received.group, deduplication: id, delay_ms: None };
                step.sends.extend(next.map(|next| (next, message)));
                timed(latencies, self.queues.transact(step, now())).await?;
            }
        }
        Ok(())
    }

    fn message(&self, caller: usize, number: u64) -> Message {
        let mut body = vec![b'b'; BODY_BYTES];
        body[..8].copy_from_slice(&(caller as u64).to_be_bytes());
        body[8..16].copy_from_slice(&number.to_be_bytes());
        if self.is_fifo {
            Message::of_group(format!("feed-{caller}"), format!("{caller}-{number}"), body)
        } else {
            Message::new(body)
        }
    }
}

/// Caller and number, as [`Run::message`] wrote them.
fn key_of(body: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| Some(u64::from_be_bytes(body.get(at..at + 8)?.try_into().ok()?));
    Some((number(0)?, number(8)?))
}

async fn timed<T>(latencies: &mut Vec<u64>, call: impl Future<Output = Result<T>>) -> Result<T> {
    let before = Instant::now();
    let result = call.await;
    latencies.push(before.elapsed().as_micros() as u64);
    result
}

fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis)
}

fn percentiles(latencies: &mut [u64]) -> (u64, u64) {
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or(0);
    (at(50), at(99))
}
