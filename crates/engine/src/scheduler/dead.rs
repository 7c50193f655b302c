//! Dead letters: how a message becomes one, and how it goes back or away. A message keeps its id and its place in the
//! order of sending, so one that goes back stands where it stood.

use crate::queues::{Error, MessageId, Millis, Phase, Queue, Result};
use crate::scheduler::{Batch, Scheduler, Step};

impl Scheduler {
    /// Moves a message that was received too often to the dead-letter queue, with everything known about it.
    pub(super) fn bury(&mut self, queue: u32, dead: u32, position: u64, at: Millis, batch: &mut Batch) {
        let Some((mut entry, group)) = self.take_out(queue, position) else { return };
        if let (Some(line), Some(group)) = (self.line_of_mut(queue), &group)
            && line.settings.parks(group)
        {
            line.park(group, position);
        }
        entry.origin = queue;
        entry.receives = 0;
        entry.lease = 0;
        entry.phase = Phase::Ready;
        entry.entered_at = at;
        entry.due_at = at;
        self.put_in(dead, position, entry, group.as_deref());
        self.write(dead, position, batch);
    }

    /// Sends one dead letter back to the queue it came from.
    pub(crate) fn redrive_one(&mut self, queue: Queue, id: MessageId, batch: &mut Batch) -> Result<()> {
        let entry = self.line(queue)?.get(id.0);
        let waiting = entry.filter(|entry| entry.phase != Phase::InFlight && entry.origin != 0);
        waiting.ok_or(Error::NoMessage { id })?;
        self.send_back(queue.0, id.0, batch);
        Ok(())
    }

    /// Sends dead letters back to the queues they came from, oldest first, those behind `after`. Those that a receiver
    /// has, and messages that were sent here directly, stay.
    pub(crate) fn redrive(
        &mut self,
        queue: Queue,
        after: MessageId,
        messages_max: usize,
        batch: &mut Batch,
    ) -> Result<Step> {
        let looked_at = self.line(queue)?.after(after.0).take(messages_max);
        let looked_at: Vec<(u64, bool)> = looked_at
            .map(|(position, entry)| (position, entry.phase != Phase::InFlight && entry.origin != 0))
            .collect();
        for (position, _) in looked_at.iter().filter(|(_, goes_back)| *goes_back) {
            self.send_back(queue.0, *position, batch);
        }
        let done = looked_at.iter().filter(|(_, goes_back)| *goes_back).count();
        Ok(Step { done, more_after: more_after(looked_at.iter().map(|(position, _)| *position), messages_max) })
    }

    fn send_back(&mut self, queue: u32, position: u64, batch: &mut Batch) {
        let Some((mut entry, group)) = self.take_out(queue, position) else { return };
        let origin = std::mem::take(&mut entry.origin);
        entry.receives = 0;
        entry.lease = 0;
        entry.phase = Phase::Ready;
        entry.entered_at = self.now;
        entry.due_at = self.now;
        self.put_in(origin, position, entry, group.as_deref());
        self.write(origin, position, batch);
        self.unpark(origin, group.as_deref(), position);
    }

    /// Deletes one message, unless a receiver has it.
    pub(crate) fn purge_one(&mut self, queue: Queue, id: MessageId, batch: &mut Batch) -> Result<()> {
        let entry = self.line(queue)?.get(id.0);
        entry.filter(|entry| entry.phase != Phase::InFlight).ok_or(Error::NoMessage { id })?;
        self.discard(queue.0, id.0, batch);
        Ok(())
    }

    /// Deletes messages, in flight or not, oldest first, those behind `after` and up to `last`.
    pub(crate) fn purge(
        &mut self,
        queue: Queue,
        (after, last): (MessageId, MessageId),
        messages_max: usize,
        batch: &mut Batch,
    ) -> Result<Step> {
        let behind = self.line(queue)?.after(after.0).map(|(position, _)| position);
        let positions: Vec<u64> = behind.take_while(|position| *position <= last.0).take(messages_max).collect();
        for position in &positions {
            self.discard(queue.0, *position, batch);
        }
        Ok(Step { done: positions.len(), more_after: more_after(positions.into_iter(), messages_max) })
    }

    /// The last number that was given out: what is sent later has a higher one.
    pub(crate) fn last_number(&self) -> MessageId {
        MessageId(self.next.saturating_sub(1))
    }
}

fn more_after(positions: impl ExactSizeIterator<Item = u64>, messages_max: usize) -> Option<MessageId> {
    let is_full = positions.len() == messages_max;
    positions.last().filter(|_| is_full).map(MessageId)
}
