//! A queue filled, reopened, drained and compacted: the times, the space on disk and the memory.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::Instant;

use engine::queues::{Message, Queues, Settings, Transaction};

use crate::{BODY_BYTES, Error, now};

/// Messages per transaction while filling and draining, and transactions on their way.
const BATCH: u64 = 10;
const ON_THE_WAY: usize = 64;

/// Fills, reopens, drains, compacts; as JSON.
pub(crate) fn measure(folder: &Path, messages: u64) -> Result<String, Error> {
    let settings = [Settings::standard("first"), Settings::standard("second")];
    let start = Instant::now();
    {
        let (queues, _) = Queues::open(folder, &settings)?;
        let first = queues.queue("first")?;
        let mut pending = VecDeque::new();
        for _ in 0..messages / BATCH {
            let sends = (0..BATCH).map(|_| (first, Message::new(vec![b'b'; BODY_BYTES]))).collect();
            pending.push_back(queues.transact(Transaction { sends, ..Transaction::default() }, now()));
            if pending.len() > ON_THE_WAY {
                pending.pop_front().map(engine::pending::Pending::wait).transpose()?;
            }
        }
        for answer in pending {
            answer.wait()?;
        }
    }
    let filled = start.elapsed().as_secs_f64();
    let bytes_full = bytes(folder)?;
    let memory_before = memory_kb();

    let start = Instant::now();
    let (queues, recovery) = Queues::open(folder, &settings)?;
    let reopened = start.elapsed().as_secs_f64();
    let memory_full = memory_kb();

    let start = Instant::now();
    let first = queues.queue("first")?;
    let mut received = VecDeque::new();
    let mut pending = VecDeque::new();
    for _ in 0..ON_THE_WAY {
        received.push_back(queues.receive(first, 10, None, now()));
    }
    while let Some(answer) = received.pop_front() {
        let messages = answer.wait()?;
        if messages.is_empty() {
            continue;
        }
        let leases = messages.into_iter().map(|received| received.lease).collect();
        pending.push_back(queues.acknowledge(leases, now()));
        received.push_back(queues.receive(first, 10, None, now()));
        if pending.len() > ON_THE_WAY {
            pending.pop_front().map(engine::pending::Pending::wait).transpose()?;
        }
    }
    for answer in pending {
        answer.wait()?;
    }
    let drained = start.elapsed().as_secs_f64();
    let bytes_drained = bytes(folder)?;
    let start = Instant::now();
    queues.tidy()?;
    let compacted = start.elapsed().as_secs_f64();
    let bytes_compacted = bytes(folder)?;
    drop(queues);
    let bytes_closed = bytes(folder)?;
    let start = Instant::now();
    let queues = Queues::open(folder, &settings)?;
    let reopened_empty = start.elapsed().as_secs_f64();
    drop(queues);
    let found = recovery.messages;
    Ok(format!(
        "{{\"messages\":{messages},\"found\":{found},\"fill_s\":{filled:.2},\"bytes_full\":{bytes_full},\
         \"reopen_s\":{reopened:.2},\"memory_before_kb\":{memory_before},\"memory_full_kb\":{memory_full},\
         \"drain_s\":{drained:.2},\"bytes_drained\":{bytes_drained},\"compact_s\":{compacted:.2},\
         \"bytes_compacted\":{bytes_compacted},\"bytes_closed\":{bytes_closed},\
         \"reopen_empty_s\":{reopened_empty:.2},\"memory_end_kb\":{}}}",
        memory_kb()
    ))
}

/// Bytes that the files of a folder take on disk; a file with holes takes less than its length.
fn bytes(folder: &Path) -> Result<u64, Error> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { bytes(&entry.path())? } else { allocated(&metadata) };
    }
    Ok(sum)
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Memory of this process, where the system tells it as a file; else 0.
fn memory_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
