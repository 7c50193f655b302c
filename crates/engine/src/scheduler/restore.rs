//! The scheduler made from what is in the store, at every start and after a commit that failed.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use crate::queues::{Error, Kind, MessageId, Millis, OnDead, Result, Settings, check_settings};
use crate::scheduler::deduplication::Deduplication;
use crate::scheduler::entry::Row;
use crate::scheduler::line::{Line, Timers};
use crate::scheduler::{RESERVED_KEY, Scheduler};
use crate::store::{self, Changes, Store, Table};

/// Where in [`Table::Meta`] the names of the queues are.
const QUEUE_PREFIX: &[u8] = b"engine/queue/";

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) messages: usize,
    pub(crate) undeclared: Vec<String>,
}

impl Scheduler {
    /// Reads the queues of the store, and makes those that are declared and not there yet.
    pub(crate) fn restore(store: &Store, declared: &[Settings]) -> Result<(Self, Restored)> {
        check_settings(declared)?;
        let (lines, undeclared) = lines(store, declared)?;
        let next = match store.get(Table::Meta, RESERVED_KEY)? {
            Some(value) => u64::from_be_bytes(value.try_into().map_err(|_| corrupt(store, "engine/reserved", &[]))?),
            // 0 means none where numbers are written
            None => 1,
        };
        let mut scheduler = Self {
            now: 0,
            next,
            reserved: next,
            lines,
            timers: Timers::new(),
            deduplication: Deduplication::default(),
            declared: declared.to_vec(),
            there: 0,
            gone: 0,
        };
        scheduler.there = scheduler.restore_messages(store)?;
        scheduler.restore_deduplication(store)?;
        let messages = scheduler.there;
        Ok((scheduler, Restored { messages, undeclared }))
    }

    fn restore_messages(&mut self, store: &Store) -> Result<usize> {
        let mut messages = 0;
        let mut damaged = None;
        let mut parked = Vec::new();
        store.scan(Table::Index, (Bound::Unbounded, Bound::Unbounded), |key, value| {
            let position = key.try_into().map(u64::from_be_bytes);
            let (Ok(position), Some(row)) = (position, Row::decode(value)) else {
                damaged = Some(key.to_vec());
                return ControlFlow::Break(());
            };
            let Some(is_fifo) = self.line_of(row.queue).map(|line| line.settings.is_fifo()) else {
                damaged = Some(key.to_vec());
                return ControlFlow::Break(());
            };
            if is_fifo != row.group.is_some() {
                damaged = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            if let (true, Some(group)) = (row.entry.origin != 0, &row.group) {
                parked.push((row.entry.origin, group.clone(), position));
            }
            self.put_in(row.queue, position, row.entry, row.group.as_deref());
            messages += 1;
            ControlFlow::Continue(())
        })?;
        if let Some(key) = damaged {
            return Err(corrupt(store, "the index entry of message", &key));
        }
        for (origin, group, position) in parked {
            if let Some(line) = self.line_of_mut(origin).filter(|line| line.settings.parks(&group)) {
                line.park(&group, position);
            }
        }
        Ok(messages)
    }

    fn restore_deduplication(&mut self, store: &Store) -> Result<()> {
        let mut damaged = None;
        store.scan(Table::Deduplication, (Bound::Unbounded, Bound::Unbounded), |key, value| {
            if self.deduplication.restore(key, value) {
                return ControlFlow::Continue(());
            }
            damaged = Some(key.to_vec());
            ControlFlow::Break(())
        })?;
        damaged.map_or(Ok(()), |key| Err(corrupt(store, "the deduplication entry", &key)))
    }
}

/// All queues of the store and of the program, each at the place of its number; and the names of those that the
/// program does not declare any more. Their messages are kept, without time limit.
fn lines(store: &Store, declared: &[Settings]) -> Result<(Vec<Line>, Vec<String>)> {
    let mut stored = BTreeMap::new();
    for (key, value) in store.page(Table::Meta, QUEUE_PREFIX, None, usize::MAX)? {
        let number = key[QUEUE_PREFIX.len()..].try_into().map(u32::from_be_bytes);
        let (Ok(number), Some((kind, name))) = (number, value.split_first()) else {
            return Err(corrupt(store, "the queue", &key));
        };
        stored.insert(number, (*kind != 0, String::from_utf8_lossy(name).into_owned()));
    }
    let mut changes = Changes::new();
    for settings in declared {
        if stored.values().any(|(_, name)| *name == settings.name) {
            continue;
        }
        let number = stored.last_key_value().map_or(1, |(last, _)| last + 1);
        let key = [QUEUE_PREFIX, &number.to_be_bytes()].concat();
        changes.put(Table::Meta, key, [&[u8::from(settings.is_fifo())], settings.name.as_bytes()].concat());
        stored.insert(number, (settings.is_fifo(), settings.name.clone()));
    }
    if !changes.is_empty() {
        store.commit(&changes)?;
    }
    let mut lines = Vec::with_capacity(stored.len());
    let mut undeclared = Vec::new();
    for (place, (number, (is_fifo, name))) in stored.iter().enumerate() {
        if place + 1 != *number as usize {
            return Err(corrupt(store, "the queue before", &number.to_be_bytes()));
        }
        let settings = declared.iter().find(|settings| settings.name == *name).cloned();
        let settings = settings.unwrap_or_else(|| {
            undeclared.push(name.clone());
            left_over(name, *is_fifo)
        });
        if settings.is_fifo() != *is_fifo {
            let message = format!("queue `{name}` was made as the other kind, standard or FIFO");
            return Err(Error::invalid(message, "declare it as it was, or use another name"));
        }
        lines.push(Line::new(*number, settings));
    }
    let numbers: Vec<(String, u32)> = lines.iter().map(|line| (line.settings.name.clone(), line.number)).collect();
    for line in &mut lines {
        let Some(redrive) = &line.settings.redrive else { continue };
        let dead = numbers.iter().find(|(name, _)| *name == redrive.to);
        line.redrive = dead.map(|(_, number)| (*number, redrive.receives_max));
    }
    Ok((lines, undeclared))
}

fn left_over(name: &str, is_fifo: bool) -> Settings {
    let kind = if is_fifo { Kind::Fifo { by_content: true, on_dead: OnDead::SkipAndMark } } else { Kind::Standard };
    Settings { retention_ms: Millis::MAX, ..Settings::new(name, kind) }
}

fn corrupt(store: &Store, what: &str, key: &[u8]) -> Error {
    let place = match key.first_chunk() {
        Some(number) => format!(" {}", MessageId(u64::from_be_bytes(*number))),
        None => format!(" {}", key.escape_ascii()),
    };
    let what = format!("{what}{place} cannot be read");
    Error::Store(store::Error::Corrupt { folder: store.folder().to_path_buf(), what })
}
