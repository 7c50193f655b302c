//! All queues in memory: who may have which message when. The truth is in the store; this is made from it at every
//! start, and every change here is a change there, in the same commit.
//!
//! It reads no clock: each call brings the time, and time never goes back.

mod batch;
mod dead;
mod deduplication;
mod entry;
mod groups;
mod line;
mod restore;
mod transact;
mod view;

use crate::limits::COMMIT_CHANGES_MAX;
use crate::queues::{Error, Lease, MessageId, Millis, Phase, Queue, Result, Settings};
use crate::store::Table;
pub(crate) use batch::Batch;
use deduplication::Deduplication;
pub(crate) use entry::decode_body;
use line::{Line, Timers};
pub(crate) use transact::Taken;

/// Key of [`Table::Meta`] for the numbers that may have been given out.
const RESERVED_KEY: &[u8] = b"engine/reserved";
/// Numbers reserved at once, so that few commits write the key above.
const RESERVE: u64 = 1 << 16;

/// All queues.
#[derive(Debug)]
pub(crate) struct Scheduler {
    now: Millis,
    /// The next number for a message or a lease.
    next: u64,
    /// Numbers below are written down as given out.
    reserved: u64,
    /// Queue number 1 is the first.
    lines: Vec<Line>,
    timers: Timers,
    deduplication: Deduplication,
    declared: Vec<Settings>,
    /// Messages in all queues, and those that went since [`Scheduler::count`] was asked last.
    there: usize,
    gone: usize,
}

impl Scheduler {
    /// The queues as the program declared them.
    pub(crate) fn declared(&self) -> &[Settings] {
        &self.declared
    }

    /// The queue of a name.
    pub(crate) fn queue(&self, name: &str) -> Option<Queue> {
        self.lines.iter().find(|line| line.settings.name == name).map(|line| Queue(line.number))
    }

    /// Lets the time be at least `now`: delays and leases end, messages die and expire, each at its own time.
    pub(crate) fn advance(&mut self, now: Millis, batch: &mut Batch) {
        self.now = self.now.max(now);
        while batch.changes.len() < COMMIT_CHANGES_MAX {
            let Some((at, queue, position)) = self.timers.first().copied().filter(|(at, _, _)| *at <= self.now) else {
                break;
            };
            let Some(phase) = self.line_of(queue).and_then(|line| line.get(position)).map(|entry| entry.phase) else {
                // cannot be, as each timer has its message; but must not be met again
                self.timers.pop_first();
                continue;
            };
            match phase {
                Phase::Ready => self.discard(queue, position, batch),
                Phase::Delayed => self.change(queue, position, |entry| entry.phase = Phase::Ready),
                Phase::InFlight => self.end_lease(queue, position, at, batch),
            }
        }
        self.deduplication.forget(self.now, &mut batch.changes);
    }

    /// How many messages went since the last time, and how many there are.
    pub(crate) fn count(&mut self) -> (usize, usize) {
        (std::mem::take(&mut self.gone), self.there)
    }

    /// Writes what all calls of a commit have in common. Must be called before each commit.
    pub(crate) fn finish(&mut self, batch: &mut Batch) {
        self.deduplication.write(self.now, &mut batch.changes);
    }

    /// A lease ran out or was given back: the message is there for others, or it is dead.
    ///
    /// The index is not written: it has the end of the lease, and whoever reads it later comes to the same.
    fn end_lease(&mut self, queue: u32, position: u64, at: Millis, batch: &mut Batch) {
        let Some(line) = self.line_of(queue) else { return };
        let receives = line.get(position).map_or(0, |entry| entry.receives);
        match line.redrive {
            Some((dead, receives_max)) if receives >= receives_max => self.bury(queue, dead, position, at, batch),
            _ => self.change(queue, position, |entry| entry.phase = Phase::Ready),
        }
    }

    /// Takes a message out of its queue and of the store, whatever its phase. A group that waited for it goes on.
    fn discard(&mut self, queue: u32, position: u64, batch: &mut Batch) {
        let Some((entry, group)) = self.take_out(queue, position) else { return };
        self.there = self.there.saturating_sub(1);
        self.gone += 1;
        let key = position.to_be_bytes();
        batch.changes.delete(Table::Index, key);
        batch.changes.delete(Table::Bodies, key);
        for note in transact::kept_notes(entry.notes) {
            batch.changes.delete(Table::Notes, transact::note_key(position, note));
        }
        self.unpark(entry.origin, group.as_deref(), position);
    }

    /// The group of the queue that a dead letter came from need not wait for it any more.
    fn unpark(&mut self, origin: u32, group: Option<&str>, position: u64) {
        if let (Some(line), Some(group)) = (self.line_of_mut(origin), group) {
            line.unpark(group, position);
        }
    }

    fn line_of(&self, number: u32) -> Option<&Line> {
        self.lines.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    fn line_of_mut(&mut self, number: u32) -> Option<&mut Line> {
        self.lines.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    fn line(&self, queue: Queue) -> Result<&Line> {
        self.line_of(queue.0).ok_or_else(|| Error::NoQueue { name: format!("number {}", queue.0) })
    }

    fn change(&mut self, queue: u32, position: u64, change: impl FnOnce(&mut entry::Entry)) {
        let Some(at) = (queue as usize).checked_sub(1) else { return };
        if let Some(line) = self.lines.get_mut(at) {
            line.change(position, &mut self.timers, change);
        }
    }

    fn take_out(&mut self, queue: u32, position: u64) -> Option<(entry::Entry, Option<String>)> {
        let at = (queue as usize).checked_sub(1)?;
        self.lines.get_mut(at)?.remove(position, &mut self.timers)
    }

    fn put_in(&mut self, queue: u32, position: u64, entry: entry::Entry, group: Option<&str>) {
        let Some(at) = (queue as usize).checked_sub(1) else { return };
        if let Some(line) = self.lines.get_mut(at) {
            line.insert(position, entry, group, &mut self.timers);
        }
    }

    /// Writes a message as it now is into the index.
    fn write(&self, queue: u32, position: u64, batch: &mut Batch) {
        let Some(line) = self.line_of(queue) else { return };
        if let Some(entry) = line.get(position) {
            let group = line.group_name(entry);
            batch.changes.put_with(Table::Index, position.to_be_bytes(), |bytes| entry.encode(queue, group, bytes));
        }
    }

    /// A number that was never given out before.
    fn number(&mut self, batch: &mut Batch) -> u64 {
        if self.next >= self.reserved {
            self.reserved = self.next.saturating_add(RESERVE);
            batch.changes.put(Table::Meta, RESERVED_KEY, self.reserved.to_be_bytes());
        }
        let number = self.next;
        self.next += 1;
        number
    }

    /// The message that a lease is for, if the lease is still good.
    fn held(&self, lease: &Lease) -> Result<&entry::Entry> {
        let entry = self.line(lease.queue)?.get(lease.id.0);
        entry.filter(|entry| entry.lease == lease.number).ok_or(Error::LeaseLost { id: lease.id })
    }
}

/// How far a purge or redrive of a whole queue came with one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Messages that were purged or redriven.
    pub(crate) done: usize,
    /// The last message that was looked at, if there may be more behind it.
    pub(crate) more_after: Option<MessageId>,
}
