//! The door: queues with the semantics of SQS, records beside them, and one transaction over both.
//!
//! Calls return an answer to come ([`Pending`]): wait for it on a thread, or await it. It comes when everything is
//! durable. Every call brings the time, in milliseconds since any fixed moment.

mod error;
mod message;
mod settings;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::committer::{Committer, Turn};
use crate::limits::{PAGE_ENTRIES_MAX, STEP_MESSAGES_MAX};
use crate::pending::{Pending, block_on, pending};
use crate::scheduler::{Scheduler, Step, Taken, decode_body};
use crate::store::{self, Pair, Store, Table};
pub use error::{Error, Result};
pub use message::{
    Lease, Listed, Message, MessageId, Note, Phase, Queue, Received, Sent, Shown, Statistics, Transaction,
};
pub(crate) use settings::check as check_settings;
pub use settings::{Kind, OnDead, Redrive, Settings};

/// A point in time or a duration, in milliseconds.
pub type Millis = u64;

/// What was found when the queues were opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Messages in all queues.
    pub messages: usize,
    /// Queues that are in the store and not declared any more. Their messages are kept.
    pub undeclared: Vec<String>,
}

/// All queues of a data folder, and the records beside them. Any thread may call.
#[derive(Debug)]
pub struct Queues {
    store: Arc<Store>,
    committer: Committer,
    names: Vec<(String, Queue)>,
}

impl Queues {
    /// Opens the data folder, or makes one, with these queues.
    ///
    /// Messages in flight stay in flight until their time is over: a receiver that still lives keeps them. When all
    /// receivers are gone, [`Queues::release`] gives them back at once.
    pub fn open(folder: &Path, declared: &[Settings]) -> Result<(Self, Recovery)> {
        Self::open_on(Arc::new(Store::open(folder)?), declared)
    }

    /// Opens queues on a store that is open already. There must be no other queues on it.
    pub fn open_on(store: Arc<Store>, declared: &[Settings]) -> Result<(Self, Recovery)> {
        let (scheduler, restored) = Scheduler::restore(&store, declared)?;
        let named = |name: &String| scheduler.queue(name).map(|queue| (name.clone(), queue));
        let names = declared.iter().map(|settings| &settings.name).chain(&restored.undeclared);
        let names = names.filter_map(named).collect();
        let committer = Committer::start(store.clone(), scheduler)
            .map_err(|error| store::Error::from_io(store.folder(), "start a thread for", error))?;
        let recovery = Recovery { messages: restored.messages, undeclared: restored.undeclared };
        Ok((Self { store, committer, names }, recovery))
    }

    /// The queue of a name.
    pub fn queue(&self, name: &str) -> Result<Queue> {
        let found = self.names.iter().find(|(known, _)| known == name);
        found.map(|(_, queue)| *queue).ok_or_else(|| Error::NoQueue { name: name.to_owned() })
    }

    /// Carries out a transaction; the answers to its sends come in their order.
    pub fn transact(&self, transaction: Transaction, now: Millis) -> Pending<Vec<Sent>> {
        self.committer.call(now, |turn| turn.scheduler.transact(transaction, turn.store, turn.batch))
    }

    /// Takes messages whose turn it is, at most so many, and holds them for the queue's visibility time or another.
    pub fn receive(&self, queue: Queue, messages_max: usize, visibility_ms: Option<Millis>, now: Millis) -> Receiving {
        let taken = self
            .committer
            .call(now, move |turn| turn.scheduler.receive(queue, messages_max, visibility_ms, turn.batch));
        Receiving { taken, store: self.store.clone() }
    }

    /// Answers when a receive from this queue would get something, without receiving it: another receiver may be
    /// quicker. Time does not pass by itself: somebody must make a call when the next delay or lease ends, see
    /// [`Queues::next_due`].
    pub fn ready(&self, queue: Queue, now: Millis) -> Pending<()> {
        let (reply, ready) = pending();
        // Whether the call itself was answered is told through the reply, which it drops if not.
        drop(self.committer.call(now, move |turn| {
            turn.wait_for(queue, reply);
            Ok(())
        }));
        ready
    }

    /// Answers everybody who waits for [`Queues::ready`], so that they look whether they shall go on.
    pub fn wake(&self, now: Millis) -> Pending<()> {
        self.committer.call(now, |turn| {
            turn.wake();
            Ok(())
        })
    }

    /// Holds a message in flight until `visible_in_ms` from now: a heartbeat. With 0 it is given back at once, which
    /// after the last receive that its queue allows makes it a dead letter. `note` is kept with the message.
    pub fn hold(&self, lease: Lease, visible_in_ms: Millis, note: Option<Vec<u8>>, now: Millis) -> Pending<()> {
        self.committer.call(now, move |turn| turn.scheduler.hold(&lease, visible_in_ms, note, turn.batch))
    }

    /// Gives a message back that was not tried, at once; that receive does not count. SQS has no such call: there, what
    /// stands behind a message that fails in its batch comes nearer to its death with it.
    pub fn put_back(&self, lease: Lease, now: Millis) -> Pending<()> {
        self.committer.call(now, move |turn| turn.scheduler.put_back(&lease, turn.batch))
    }

    /// Sends one message.
    pub fn send(&self, queue: Queue, message: Message, now: Millis) -> Pending<Vec<Sent>> {
        self.transact(Transaction { sends: vec![(queue, message)], ..Transaction::default() }, now)
    }

    /// Acknowledges messages: they are done.
    pub fn acknowledge(&self, leases: Vec<Lease>, now: Millis) -> Pending<Vec<Sent>> {
        self.transact(Transaction { acknowledges: leases, ..Transaction::default() }, now)
    }

    /// Ends all leases, because nobody is left who could have them. Says how many there were.
    pub fn release(&self, now: Millis) -> Pending<usize> {
        self.committer.call(now, |turn| Ok(turn.scheduler.release(turn.batch)))
    }

    /// Sends a dead letter back to the queue it came from, to its old place in the order.
    pub fn redrive_one(&self, dead: Queue, id: MessageId, now: Millis) -> Pending<()> {
        self.committer.call(now, move |turn| turn.scheduler.redrive_one(dead, id, turn.batch))
    }

    /// Sends all dead letters back that nobody has, in their order; says how many. Blocks, and works in steps.
    pub fn redrive(&self, dead: Queue, now: Millis) -> Result<usize> {
        self.in_steps(now, move |turn, after, _| turn.scheduler.redrive(dead, after, STEP_MESSAGES_MAX, turn.batch))
    }

    /// Deletes one message that nobody has.
    pub fn purge_one(&self, queue: Queue, id: MessageId, now: Millis) -> Pending<()> {
        self.committer.call(now, move |turn| turn.scheduler.purge_one(queue, id, turn.batch))
    }

    /// Deletes all messages of a queue that were sent before now, in flight or not; says how many. Blocks, and works in
    /// steps.
    pub fn purge(&self, queue: Queue, now: Millis) -> Result<usize> {
        self.in_steps(now, move |turn, after, last| {
            turn.scheduler.purge(queue, (after, last), STEP_MESSAGES_MAX, turn.batch)
        })
    }

    fn in_steps(
        &self,
        now: Millis,
        step: impl Fn(&mut Turn<'_>, MessageId, MessageId) -> Result<Step> + Send + Copy + 'static,
    ) -> Result<usize> {
        let last = self.committer.call(now, |turn| Ok(turn.scheduler.last_number())).wait()?;
        let (mut done, mut after) = (0, Some(MessageId(0)));
        while let Some(from) = after {
            let made = self.committer.call(now, move |turn| step(turn, from, last)).wait()?;
            done += made.done;
            after = made.more_after;
        }
        Ok(done)
    }

    /// What is in a queue.
    pub fn statistics(&self, queue: Queue, now: Millis) -> Pending<Statistics> {
        self.committer.call(now, move |turn| turn.scheduler.statistics(queue))
    }

    /// Messages of a queue in the order they were sent, behind `after`; receives nothing. A page has at most 1000.
    pub fn list(
        &self,
        queue: Queue,
        after: Option<MessageId>,
        entries_max: usize,
        now: Millis,
    ) -> Pending<Vec<Listed>> {
        let entries_max = entries_max.min(PAGE_ENTRIES_MAX);
        self.committer.call(now, move |turn| turn.scheduler.list(queue, after, entries_max))
    }

    /// One message with everything there is to know about it. Blocks.
    pub fn show(&self, queue: Queue, id: MessageId, now: Millis) -> Result<Shown> {
        let listed = self.committer.call(now, move |turn| turn.scheduler.one(queue, id)).wait()?;
        let (deduplication, body) = body_of(&self.store, id)?.ok_or(Error::NoMessage { id })?;
        let mut notes = Vec::new();
        for (_, value) in self.store.page(Table::Notes, &id.0.to_be_bytes(), None, PAGE_ENTRIES_MAX)? {
            let (at, text) = value.split_first_chunk().ok_or_else(|| damaged(&self.store, "a note on", id))?;
            notes.push(Note { at: u64::from_be_bytes(*at), text: text.to_vec() });
        }
        Ok(Shown { listed, body, deduplication, notes })
    }

    /// When the next delay or lease ends or message expires, if nothing happens before. What is due by now is done.
    pub fn next_due(&self, now: Millis) -> Pending<Option<Millis>> {
        self.committer.call(now, |turn| Ok(turn.scheduler.next_due()))
    }

    /// The value of a record. Sees what was answered.
    pub fn record(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.store.get(Table::Records, key)?)
    }

    /// Records whose keys begin with `prefix`, in order, behind the key `after`, at most so many.
    pub fn records(&self, prefix: &[u8], after: Option<&[u8]>, records_max: usize) -> Result<Vec<Pair>> {
        Ok(self.store.page(Table::Records, prefix, after, records_max)?)
    }

    /// Gives space back that deleted messages and overwritten records still take on disk. Blocks; calls go on meanwhile.
    pub fn tidy(&self) -> Result<()> {
        for table in Table::ALL {
            self.store.compact(table)?;
        }
        Ok(())
    }

    /// The store below.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

/// Received messages that are to come. Their bodies are read by whoever waits, not by the committing thread.
#[must_use = "messages that were received are in flight"]
#[derive(Debug)]
pub struct Receiving {
    taken: Pending<Vec<Taken>>,
    store: Arc<Store>,
}

impl Receiving {
    /// Blocks this thread until the answer is there.
    pub fn wait(self) -> Result<Vec<Received>> {
        block_on(self)
    }
}

impl Future for Receiving {
    type Output = Result<Vec<Received>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let taken = match Pin::new(&mut self.taken).poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(taken) => taken,
        };
        Poll::Ready(taken.and_then(|taken| with_bodies(&self.store, taken)))
    }
}

fn with_bodies(store: &Store, taken: Vec<Taken>) -> Result<Vec<Received>> {
    let mut received = Vec::with_capacity(taken.len());
    for Taken { lease, group, sent_at, receives, visible_at } in taken {
        // A message without a body was purged since.
        let Some((deduplication, body)) = body_of(store, lease.id)? else { continue };
        received.push(Received { lease, body, group, deduplication, sent_at, receives, visible_at });
    }
    Ok(received)
}

fn body_of(store: &Store, id: MessageId) -> Result<Option<(Option<String>, Vec<u8>)>> {
    let Some(value) = store.get(Table::Bodies, &id.0.to_be_bytes())? else { return Ok(None) };
    decode_body(&value).map(Some).ok_or_else(|| damaged(store, "the body of", id))
}

fn damaged(store: &Store, what: &str, id: MessageId) -> Error {
    let what = format!("{what} message {id} cannot be read");
    Error::Store(store::Error::Corrupt { folder: store.folder().to_path_buf(), what })
}
