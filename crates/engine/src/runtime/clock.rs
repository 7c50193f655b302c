//! What happens by the clock: delays and leases that end, ticks of schedules, dead letters that nobody marked, and what is
//! kept for a time.
//!
//! A tick that was missed while nothing ran comes once when the engine starts. When it was last due is a record that is
//! committed with the tick's message, so none comes twice.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pipeline::message::{Message, Tick};
use pipeline::preset::Preset;
use pipeline::topology::Topology;

use super::{Result, Shared, dead, keep, now};
use crate::queues::{Millis, Transaction};
use crate::session::forget_sources;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const MARK_EVERY: Duration = Duration::from_secs(1);
const KEEP_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// Works until the engine stops.
pub(super) fn run(shared: &Shared) {
    let (mut marked, mut kept): (Option<Instant>, Option<Instant>) = (None, None);
    let is_time = |last: &Option<Instant>, every| last.is_none_or(|last| last.elapsed() >= every);
    while !shared.is_stopping() {
        // errors come again with the next look; whoever works meets them too, and tells
        let _ = shared.queues.next_due(now()).wait();
        let _ = ticks(shared, now());
        if is_time(&marked, MARK_EVERY) {
            let _ = dead::mark_all(shared);
            marked = Some(Instant::now());
        }
        if is_time(&kept, KEEP_EVERY) {
            let _ = forget_sources(&shared.queues, now());
            let _ = keep::run(shared, now());
            kept = Some(Instant::now());
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn key_of(feed: &str) -> Vec<u8> {
    format!("schedule/{feed}").into_bytes()
}

/// Sends the ticks that are due.
fn ticks(shared: &Shared, at: Millis) -> Result<()> {
    for schedule in &Topology::of(Preset::Market).schedules {
        let told = shared.tick_seconds.load(Ordering::SeqCst);
        let every = u64::from(if told == 0 { schedule.every_seconds } else { told });
        let due_seconds = at / 1000 / every * every;
        for feed in shared.pipeline.feeds.iter().filter(|feed| feed.preset == Preset::Market) {
            let key = key_of(feed.name.as_str());
            let last = shared.queues.record(&key)?;
            let is_due = last.as_deref() != Some(due_seconds.to_be_bytes().as_slice());
            if is_due {
                send(shared, Tick { feed: feed.name.clone(), due_seconds }, Some((key, last)), at)?;
            }
        }
    }
    Ok(())
}

fn send(shared: &Shared, tick: Tick, last: Option<(Vec<u8>, Option<Vec<u8>>)>, at: Millis) -> Result<()> {
    let due = tick.due_seconds.to_be_bytes().to_vec();
    let mut transaction = Transaction::default();
    if let Some((key, last)) = last {
        transaction.records.push((key.clone(), Some(due)));
        transaction.expects.push((key, last));
    }
    let message = Message::MarketAggregate(tick);
    transaction.sends.push(shared.routed(&message)?);
    shared.queues.transact(transaction, at).wait()?;
    Ok(())
}

impl super::Engine {
    /// Has all `market` feeds aggregate this often from now on, not as often as their topology says.
    pub fn tick_every(&self, seconds: NonZeroU32) {
        self.shared.tick_seconds.store(seconds.get(), Ordering::SeqCst);
    }

    /// Has all `market` feeds aggregate now, whatever the clock says.
    pub fn tick(&self) -> Result<()> {
        let at = now();
        for feed in self.shared.pipeline.feeds.iter().filter(|feed| feed.preset == Preset::Market) {
            // a second between two of the schedule, and another one each time
            let tick = Tick { feed: feed.name.clone(), due_seconds: at };
            send(&self.shared, tick, None, at)?;
        }
        Ok(())
    }
}
