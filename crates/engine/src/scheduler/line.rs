//! One queue in memory: who is in it, and who is next.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::IN_FLIGHT_MAX;
use crate::queues::{Millis, Phase, Settings};
use crate::scheduler::entry::Entry;
use crate::scheduler::groups::{Group, Groups, NONE};

/// What is to happen when: each message has at most one entry, for the next thing that time does to it.
pub(crate) type Timers = BTreeSet<(Millis, u32, u64)>;

/// One queue in memory. Messages are known by their position, which is their id and their place in the order.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) settings: Settings,
    pub(crate) number: u32,
    /// Number of the dead-letter queue, and receives after which a message goes there.
    pub(crate) redrive: Option<(u32, u32)>,
    messages: BTreeMap<u64, Entry>,
    /// Who can be received, oldest first: messages of a standard queue, the first of each free group of a FIFO queue.
    ready: BTreeSet<(u64, u32)>,
    groups: Groups,
    /// How many are in each phase.
    counts: [usize; 3],
}

impl Line {
    pub(crate) fn new(number: u32, settings: Settings) -> Self {
        Self {
            settings,
            number,
            redrive: None,
            messages: BTreeMap::new(),
            ready: BTreeSet::new(),
            groups: Groups::default(),
            counts: [0; 3],
        }
    }

    pub(crate) fn get(&self, position: u64) -> Option<&Entry> {
        self.messages.get(&position)
    }

    /// All messages behind a position, in order.
    pub(crate) fn after(&self, position: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let behind = (std::ops::Bound::Excluded(position), std::ops::Bound::Unbounded);
        self.messages.range(behind).map(|(position, entry)| (*position, entry))
    }

    pub(crate) fn first(&self) -> Option<&Entry> {
        self.messages.first_key_value().map(|(_, entry)| entry)
    }

    pub(crate) fn count(&self, phase: Phase) -> usize {
        self.counts[phase as usize]
    }

    pub(crate) fn group(&self, number: u32) -> Option<&Group> {
        self.groups.get(number)
    }

    pub(crate) fn group_name(&self, entry: &Entry) -> Option<&str> {
        self.groups.get(entry.group).map(|group| &*group.name)
    }

    pub(crate) fn parked_groups(&self) -> usize {
        self.groups.all().filter(|group| !group.parked.is_empty()).count()
    }

    /// Takes a message in.
    pub(crate) fn insert(&mut self, position: u64, mut entry: Entry, group: Option<&str>, timers: &mut Timers) {
        entry.group = group.map_or(NONE, |name| self.groups.number(name));
        self.messages.insert(position, entry);
        self.attach(position, timers);
    }

    /// Takes a message out, with the name of its group.
    pub(crate) fn remove(&mut self, position: u64, timers: &mut Timers) -> Option<(Entry, Option<String>)> {
        self.detach(position, timers);
        let entry = self.messages.remove(&position)?;
        let group = self.group_name(&entry).map(str::to_owned);
        self.refresh(entry.group);
        Some((entry, group))
    }

    /// Changes a message, and with it its place among those who wait.
    pub(crate) fn change(&mut self, position: u64, timers: &mut Timers, change: impl FnOnce(&mut Entry)) {
        self.detach(position, timers);
        if let Some(entry) = self.messages.get_mut(&position) {
            change(entry);
        }
        self.attach(position, timers);
    }

    /// The group waits for a dead letter.
    pub(crate) fn park(&mut self, group: &str, dead_letter: u64) {
        let number = self.groups.number(group);
        if let Some(group) = self.groups.get_mut(number) {
            group.parked.insert(dead_letter);
        }
        self.refresh(number);
    }

    /// The group waits for this dead letter no longer.
    pub(crate) fn unpark(&mut self, group: &str, dead_letter: u64) {
        let number = self.groups.number(group);
        if let Some(group) = self.groups.get_mut(number) {
            group.parked.remove(&dead_letter);
        }
        self.refresh(number);
    }

    /// Whose turn it is: at most so many messages, oldest group first, the messages of a group in order.
    pub(crate) fn next(&self, messages_max: usize) -> Vec<u64> {
        let room = IN_FLIGHT_MAX.saturating_sub(self.count(Phase::InFlight));
        let wanted = messages_max.min(room);
        let mut positions = Vec::with_capacity(wanted);
        for (head, group) in &self.ready {
            if positions.len() >= wanted {
                break;
            }
            match self.groups.get(*group) {
                None => positions.push(*head),
                Some(group) => {
                    let is_ready = |position: &&u64| self.is_ready(**position);
                    let more = group.waiting.iter().take_while(is_ready).take(wanted - positions.len());
                    positions.extend(more);
                }
            }
        }
        positions
    }

    fn is_ready(&self, position: u64) -> bool {
        self.messages.get(&position).is_some_and(|entry| entry.phase == Phase::Ready)
    }

    /// When time next does something to a message.
    fn timer(&self, entry: &Entry) -> Millis {
        match entry.phase {
            Phase::Ready => entry.entered_at.saturating_add(self.settings.retention_ms),
            Phase::Delayed | Phase::InFlight => entry.due_at,
        }
    }

    fn attach(&mut self, position: u64, timers: &mut Timers) {
        let Some(entry) = self.messages.get(&position) else { return };
        timers.insert((self.timer(entry), self.number, position));
        let (phase, number) = (entry.phase, entry.group);
        self.counts[phase as usize] += 1;
        match (self.groups.get_mut(number), phase) {
            (None, Phase::Ready) => {
                self.ready.insert((position, NONE));
            }
            (None, _) => {}
            (Some(group), Phase::InFlight) => group.in_flight += 1,
            (Some(group), _) => {
                group.waiting.insert(position);
            }
        }
        self.refresh(number);
    }

    /// Undoes [`Line::attach`], but lets an empty group live: who calls decides.
    fn detach(&mut self, position: u64, timers: &mut Timers) {
        let Some(entry) = self.messages.get(&position) else { return };
        timers.remove(&(self.timer(entry), self.number, position));
        let (phase, number) = (entry.phase, entry.group);
        self.counts[phase as usize] -= 1;
        match (self.groups.get_mut(number), phase) {
            (None, Phase::Ready) => {
                self.ready.remove(&(position, NONE));
            }
            (None, _) => {}
            (Some(group), Phase::InFlight) => group.in_flight -= 1,
            (Some(group), _) => {
                group.waiting.remove(&position);
            }
        }
    }

    /// Puts a group where it belongs among those whose turn it can be, or forgets it when nobody is left.
    fn refresh(&mut self, number: u32) {
        let Some(group) = self.groups.get(number) else { return };
        let head = group.waiting.first().copied();
        let is_free = group.in_flight == 0 && group.parked.is_empty();
        let ready_as = head.filter(|head| is_free && self.is_ready(*head));
        let is_empty = is_free && head.is_none();
        let Some(group) = self.groups.get_mut(number) else { return };
        if group.ready_as != ready_as {
            let before = std::mem::replace(&mut group.ready_as, ready_as);
            if let Some(before) = before {
                self.ready.remove(&(before, number));
            }
            if let Some(now) = ready_as {
                self.ready.insert((now, number));
            }
        }
        if is_empty {
            self.groups.forget(number);
        }
    }
}
