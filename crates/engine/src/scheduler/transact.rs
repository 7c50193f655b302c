//! What senders and receivers do: send, receive, hold, and the transaction. Everything is checked before anything is
//! changed, so a call that is refused has changed nothing.

use crate::limits::{
    ATTEMPTS_KEPT_MAX, BODY_BYTES_MAX, DELAY_MS_MAX, KEY_BYTES_MAX, MESSAGES_MAX, NAME_BYTES_MAX, NOTE_BYTES_MAX,
    RECEIVE_MESSAGES_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_PARTS_MAX, VISIBILITY_MS_MAX,
};
use crate::objects;
use crate::queues::{Error, Kind, Lease, Message, MessageId, Millis, Phase, Queue, Result, Sent, Transaction};
use crate::scheduler::deduplication::hash;
use crate::scheduler::entry::{Entry, encode_body};
use crate::scheduler::groups::NONE;
use crate::scheduler::line::Line;
use crate::scheduler::{Batch, Scheduler};
use crate::store::{Store, Table};

/// A received message, without its body.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) lease: Lease,
    pub(crate) group: Option<String>,
    pub(crate) sent_at: Millis,
    pub(crate) receives: u32,
    pub(crate) visible_at: Millis,
}

impl Scheduler {
    /// Carries out a transaction, or says why not.
    pub(crate) fn transact(&mut self, asked: Transaction, store: &Store, batch: &mut Batch) -> Result<Vec<Sent>> {
        self.check(&asked)?;
        for (key, expected) in &asked.expects {
            if !batch.is(store, Table::Records, key, expected.as_deref())? {
                return Err(Error::Changed { key: key.clone() });
            }
        }
        let mut objects = Vec::with_capacity(asked.objects.len());
        for change in asked.objects {
            if let Some((key, expected)) = change.expects()
                && !batch.is(store, Table::Objects, key, Some(expected))?
            {
                return Err(Error::Changed { key: key.to_vec() });
            }
            let yields_to = change.yields_to();
            if yields_to.map_or(Ok(true), |key| batch.is(store, Table::Objects, key, None))? {
                objects.push(change);
            }
        }
        for lease in &asked.acknowledges {
            self.discard(lease.queue.0, lease.id.0, batch);
        }
        for (key, value) in asked.records {
            batch.set(Table::Records, &key, value.as_deref());
        }
        for change in objects {
            change.apply(|table, key, value| batch.set(table, key, value));
        }
        Ok(asked.sends.into_iter().map(|(queue, message)| self.send(queue, message, batch)).collect())
    }

    fn check(&self, asked: &Transaction) -> Result<()> {
        let parts = asked.expects.len() + asked.records.len() + asked.acknowledges.len();
        let parts = parts + asked.sends.len() + asked.objects.len();
        if parts > TRANSACTION_PARTS_MAX {
            let message = format!("the transaction has {parts} parts, more than {TRANSACTION_PARTS_MAX}");
            return Err(Error::invalid(message, "split it"));
        }
        let records = asked.records.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len));
        let objects = asked.objects.iter().map(objects::Change::bytes);
        let bytes: usize =
            records.chain(asked.sends.iter().map(|(_, message)| message.body.len())).chain(objects).sum();
        if bytes > TRANSACTION_BYTES_MAX {
            let message = format!("the transaction has {bytes} bytes, more than {TRANSACTION_BYTES_MAX}");
            return Err(Error::invalid(message, "split it, or keep large things in objects"));
        }
        let keys = asked.records.iter().map(|(key, _)| key).chain(asked.expects.iter().map(|(key, _)| key));
        if let Some(key) = keys.into_iter().find(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
            let message = format!("the key of a record has {} bytes", key.len());
            return Err(Error::invalid(message, "use a key of 1 to 4096 bytes"));
        }
        for lease in &asked.acknowledges {
            self.held(lease)?;
        }
        for (queue, message) in &asked.sends {
            self.check_message(*queue, message)?;
        }
        if self.there + asked.sends.len() > MESSAGES_MAX && !asked.sends.is_empty() {
            return Err(Error::Busy { what: "messages in the queues" });
        }
        Ok(())
    }

    fn check_message(&self, queue: Queue, message: &Message) -> Result<()> {
        let settings = &self.line(queue)?.settings;
        let wrong = |what: String, hint| {
            Err(Error::invalid(format!("a message for the queue `{}`: {what}", settings.name), hint))
        };
        if message.body.len() > BODY_BYTES_MAX {
            let what = format!("its body has {} bytes, more than {BODY_BYTES_MAX}", message.body.len());
            return wrong(what, "keep the content in an object and send its key");
        }
        let Kind::Fifo { by_content, .. } = settings.kind else {
            if message.group.is_some() || message.deduplication.is_some() {
                let what = "it has a group or a deduplication id, and the queue is no FIFO queue".to_owned();
                return wrong(what, "leave them out");
            }
            if let Some(delay) = message.delay_ms.filter(|delay| *delay > DELAY_MS_MAX) {
                return wrong(format!("its delay is {delay} ms, more than {DELAY_MS_MAX}"), "make it shorter");
            }
            return Ok(());
        };
        let named =
            |name: &Option<String>| name.as_ref().is_some_and(|name| (1..=NAME_BYTES_MAX).contains(&name.len()));
        if !named(&message.group) {
            return wrong("it has no group of 1 to 128 bytes".to_owned(), "name a group");
        }
        if !named(&message.deduplication) && (message.deduplication.is_some() || !by_content) {
            return wrong("it has no deduplication id of 1 to 128 bytes".to_owned(), "give it an id");
        }
        if message.delay_ms.is_some() {
            let what = "it has a delay of its own, which would change the order".to_owned();
            return wrong(what, "use the delay of the queue");
        }
        Ok(())
    }

    /// Sends a message that was checked.
    fn send(&mut self, queue: Queue, message: Message, batch: &mut Batch) -> Sent {
        let Message { body, group, deduplication, delay_ms } = message;
        let key = group.is_some().then(|| (queue.0, hash(deduplication.as_deref(), &body)));
        if let Some(first) = key.and_then(|key| self.deduplication.find(key, self.now)) {
            return Sent { id: MessageId(first), duplicate: true };
        }
        let position = self.number(batch);
        if let Some(key) = key {
            self.deduplication.remember(key, self.now, position);
        }
        let queue_delay_ms = self.line_of(queue.0).map_or(0, |line| line.settings.delay_ms);
        let delay_ms = delay_ms.unwrap_or(queue_delay_ms);
        let entry = Entry {
            group: NONE,
            origin: 0,
            receives: 0,
            notes: 0,
            phase: if delay_ms == 0 { Phase::Ready } else { Phase::Delayed },
            sent_at: self.now,
            entered_at: self.now,
            due_at: self.now.saturating_add(delay_ms),
            lease: 0,
            attempts: Vec::new(),
        };
        self.put_in(queue.0, position, entry, group.as_deref());
        self.there += 1;
        self.write(queue.0, position, batch);
        batch.changes.put_with(Table::Bodies, position.to_be_bytes(), |bytes| {
            encode_body(deduplication.as_deref(), &body, bytes);
        });
        Sent { id: MessageId(position), duplicate: false }
    }

    /// Gives out messages whose turn it is. Each receive is counted durably before anyone sees the message.
    pub(crate) fn receive(
        &mut self,
        queue: Queue,
        messages_max: usize,
        visibility_ms: Option<Millis>,
        batch: &mut Batch,
    ) -> Result<Vec<Taken>> {
        let line = self.line(queue)?;
        if messages_max == 0 || messages_max > RECEIVE_MESSAGES_MAX {
            let message = format!("a receive of {messages_max} messages");
            return Err(Error::invalid(message, "ask for 1 to 10"));
        }
        let visibility_ms = visibility_ms.unwrap_or(line.settings.visibility_ms);
        let due_at = self.visible_again(visibility_ms, self.now)?;
        let mut taken = Vec::with_capacity(messages_max);
        for position in line.next(messages_max) {
            let (number, now) = (self.number(batch), self.now);
            self.change(queue.0, position, |entry| {
                entry.phase = Phase::InFlight;
                entry.due_at = due_at;
                entry.lease = number;
                entry.receives = entry.receives.saturating_add(1);
                if entry.attempts.len() == ATTEMPTS_KEPT_MAX {
                    entry.attempts.remove(0);
                }
                entry.attempts.push(now);
            });
            self.write(queue.0, position, batch);
            let line = self.line(queue)?;
            let Some(entry) = line.get(position) else { continue };
            taken.push(Taken {
                lease: Lease { queue, id: MessageId(position), number },
                group: line.group_name(entry).map(str::to_owned),
                sent_at: entry.sent_at,
                receives: entry.receives,
                visible_at: due_at,
            });
        }
        Ok(taken)
    }

    /// Keeps a message in flight until `visible_in_ms` from now: longer (a heartbeat), shorter, or not at all, which
    /// gives it back. What the receiver says about it is kept.
    pub(crate) fn hold(
        &mut self,
        lease: &Lease,
        visible_in_ms: Millis,
        note: Option<Vec<u8>>,
        batch: &mut Batch,
    ) -> Result<()> {
        let entry = self.held(lease)?;
        if entry.phase != Phase::InFlight {
            return Err(Error::LeaseLost { id: lease.id });
        }
        let received_at = entry.attempts.last().copied().unwrap_or(self.now);
        let due_at = self.visible_again(visible_in_ms, received_at)?;
        let notes = entry.notes.saturating_add(u32::from(note.is_some()));
        let (queue, position) = (lease.queue.0, lease.id.0);
        if let Some(mut text) = note {
            text.truncate(NOTE_BYTES_MAX);
            let value = [self.now.to_be_bytes().as_slice(), &text].concat();
            batch.changes.put(Table::Notes, note_key(position, notes), value);
            if let Some(forgotten) = notes.checked_sub(ATTEMPTS_KEPT_MAX as u32).filter(|note| *note > 0) {
                batch.changes.delete(Table::Notes, note_key(position, forgotten));
            }
        }
        self.change(queue, position, |entry| {
            entry.due_at = due_at;
            entry.notes = notes;
        });
        self.write(queue, position, batch);
        if visible_in_ms == 0 {
            self.end_lease(queue, position, self.now, batch);
        }
        Ok(())
    }

    /// Gives a message back that its receiver did not try: as if it had never been received.
    pub(crate) fn put_back(&mut self, lease: &Lease, batch: &mut Batch) -> Result<()> {
        if self.held(lease)?.phase != Phase::InFlight {
            return Err(Error::LeaseLost { id: lease.id });
        }
        let (queue, position, now) = (lease.queue.0, lease.id.0, self.now);
        self.change(queue, position, |entry| {
            entry.due_at = now;
            entry.receives = entry.receives.saturating_sub(1);
            entry.attempts.pop();
        });
        self.write(queue, position, batch);
        self.end_lease(queue, position, now, batch);
        Ok(())
    }

    /// Ends all leases; says how many there were.
    pub(crate) fn release(&mut self, batch: &mut Batch) -> usize {
        let in_flight = |line: &Line| {
            let held = line.after(0).filter(|(_, entry)| entry.phase == Phase::InFlight);
            held.map(|(position, _)| (line.number, position)).collect::<Vec<_>>()
        };
        let held: Vec<(u32, u64)> = self.lines.iter().flat_map(in_flight).collect();
        for (queue, position) in &held {
            let now = self.now;
            self.change(*queue, *position, |entry| entry.due_at = now);
            self.write(*queue, *position, batch);
            self.end_lease(*queue, *position, now, batch);
        }
        held.len()
    }

    /// When a message is visible again that was received at `received_at` and shall be in flight for so long from now.
    fn visible_again(&self, visibility_ms: Millis, received_at: Millis) -> Result<Millis> {
        let due_at = self.now.saturating_add(visibility_ms);
        if due_at.saturating_sub(received_at) > VISIBILITY_MS_MAX {
            let message = format!("a message in flight for {} ms", due_at.saturating_sub(received_at));
            return Err(Error::invalid(message, "hold it for at most 12 hours from its receive on"));
        }
        Ok(due_at)
    }
}

/// The numbers of the notes that are kept, when so many were written.
pub(super) fn kept_notes(written: u32) -> std::ops::RangeInclusive<u32> {
    written.saturating_sub(ATTEMPTS_KEPT_MAX as u32 - 1).max(1)..=written
}

pub(super) fn note_key(position: u64, note: u32) -> Vec<u8> {
    [position.to_be_bytes().as_slice(), &note.to_be_bytes()].concat()
}
