//! Looking at queues without changing them.

use crate::queues::{Error, Listed, MessageId, Millis, Phase, Queue, Result, Statistics};
use crate::scheduler::Scheduler;
use crate::scheduler::entry::Entry;
use crate::scheduler::line::Line;

impl Scheduler {
    /// What is in a queue.
    pub(crate) fn statistics(&self, queue: Queue) -> Result<Statistics> {
        let line = self.line(queue)?;
        Ok(Statistics {
            visible: line.count(Phase::Ready),
            in_flight: line.count(Phase::InFlight),
            delayed: line.count(Phase::Delayed),
            oldest_age_ms: line.first().map_or(0, |entry| self.now.saturating_sub(entry.sent_at)),
            parked_groups: line.parked_groups(),
        })
    }

    /// Messages of a queue behind a place, in the order they were sent.
    pub(crate) fn list(&self, queue: Queue, after: Option<MessageId>, entries_max: usize) -> Result<Vec<Listed>> {
        let line = self.line(queue)?;
        let behind = line.after(after.map_or(0, |id| id.0)).take(entries_max);
        Ok(behind.map(|(position, entry)| listed(line, position, entry)).collect())
    }

    /// One message of a queue.
    pub(crate) fn one(&self, queue: Queue, id: MessageId) -> Result<Listed> {
        let line = self.line(queue)?;
        let entry = line.get(id.0).ok_or(Error::NoMessage { id })?;
        Ok(listed(line, id.0, entry))
    }

    /// Whether a receive would get something, or an error.
    pub(crate) fn has_ready(&self, queue: Queue) -> bool {
        self.line(queue).map_or(true, |line| !line.next(1).is_empty())
    }

    /// When the next delay or lease ends or message expires, if nothing happens before.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.timers.first().map(|(at, _, _)| *at)
    }
}

fn listed(line: &Line, position: u64, entry: &Entry) -> Listed {
    let group = line.group(entry.group);
    Listed {
        id: MessageId(position),
        phase: entry.phase,
        group: group.map(|group| group.name.to_string()),
        sent_at: entry.sent_at,
        entered_at: entry.entered_at,
        visible_at: entry.due_at,
        receives: entry.receives,
        attempts: entry.attempts.clone(),
        origin: (entry.origin != 0).then_some(Queue(entry.origin)),
        blocked_by: group.and_then(|group| group.parked.first().copied()).map(MessageId),
    }
}
