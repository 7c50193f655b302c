//! What is looked up when somebody asks: queues, attempts, disk and memory.

use std::fs;
use std::path::Path;

use engine::queues::Statistics;
use engine::runtime::{Engine, now};

use super::{Page, preset_word};
use crate::serve::state::Service;

/// The whole page. Blocks.
pub(in crate::serve) fn exported(service: &Service) -> String {
    let mut page = Page::default();
    service.metrics.write(&mut page);
    attempts(&service.engine, &mut page);
    queues(&service.engine, &mut page);
    page.head("millrace_alarm");
    for state in service.alarms.states().iter().filter(|state| state.is_on) {
        page.value("millrace_alarm", &format!("alarm=\"{}\"", state.name), 1.0);
    }
    let store = service.engine.folder();
    let objects = store.with_file_name("objects");
    let resident = resident_bytes().unwrap_or(0);
    for (name, value) in [
        ("millrace_store_bytes", bytes_within(store)),
        ("millrace_object_bytes", bytes_within(&objects)),
        ("millrace_process_resident_bytes", resident),
        ("millrace_uptime_seconds", service.began.elapsed().as_secs()),
    ] {
        page.head(name);
        page.value(name, "", value as f64);
    }
    page.0
}

fn attempts(engine: &Engine, page: &mut Page) {
    let tallies = engine.live().tallies();
    let labels = |preset, stage| {
        let stage = format!("{stage:?}").to_lowercase();
        format!("preset=\"{}\",stage=\"{stage}\"", preset_word(preset))
    };
    page.head("millrace_stage_attempts_total");
    for ((preset, stage), tally) in &tallies {
        for (result, count) in [("done", tally.done), ("failed", tally.failed)] {
            let labels = format!("{},result=\"{result}\"", labels(*preset, *stage));
            page.value("millrace_stage_attempts_total", &labels, count as f64);
        }
    }
    page.head("millrace_stage_seconds_total");
    for ((preset, stage), tally) in &tallies {
        page.value("millrace_stage_seconds_total", &labels(*preset, *stage), tally.took.as_secs_f64());
    }
}

/// What is in a queue; nothing when it cannot be told.
pub(in crate::serve) fn statistics(engine: &Engine, name: &str) -> Statistics {
    let queues = engine.queues();
    queues.queue(name).and_then(|queue| queues.statistics(queue, now()).wait()).unwrap_or_default()
}

fn queues(engine: &Engine, page: &mut Page) {
    let work: Vec<(&str, Statistics)> = lines(engine).map(|(name, _)| (name, statistics(engine, name))).collect();
    page.head("millrace_queue_messages");
    for (name, found) in &work {
        for (state, count) in [("visible", found.visible), ("in_flight", found.in_flight), ("delayed", found.delayed)] {
            page.value("millrace_queue_messages", &format!("queue=\"{name}\",state=\"{state}\""), count as f64);
        }
    }
    page.head("millrace_queue_oldest_seconds");
    for (name, found) in &work {
        page.value("millrace_queue_oldest_seconds", &format!("queue=\"{name}\""), found.oldest_age_ms as f64 / 1000.0);
    }
    page.head("millrace_dead_letters");
    for name in dead_queues(engine) {
        let found = statistics(engine, name);
        let count = found.visible + found.in_flight + found.delayed;
        page.value("millrace_dead_letters", &format!("queue=\"{name}\""), count as f64);
    }
}

/// The queues that somebody works on, and where their dead letters are.
pub(in crate::serve) fn lines(engine: &Engine) -> impl Iterator<Item = (&str, &str)> {
    let lines = engine.lines().iter().chain([engine.notifications()]);
    lines.map(|line| (line.name.as_str(), line.dead.as_str()))
}

/// The queues of dead letters, each once.
pub(in crate::serve) fn dead_queues(engine: &Engine) -> Vec<&str> {
    let mut names: Vec<&str> = lines(engine).map(|(_, dead)| dead).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Bytes of all files in a folder; what vanishes meanwhile counts nothing.
fn bytes_within(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().filter_map(|entry| {
        let about = entry.metadata().ok()?;
        Some(if about.is_dir() { bytes_within(&entry.path()) } else { about.len() })
    });
    sizes.sum()
}

/// Memory of this process, where the system tells.
fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
