//! Messages of a queue, in order: the first failure of a group holds up the rest of it and no other, unless it leaves the
//! queue with it: then those behind it go on, as when a message before them was never sent.

use std::collections::BTreeSet;

use pipeline::message::Message;
use pipeline::topology::{Role, Trigger};
use serde_json::Value;

use super::Call;
use super::failed::LastAttempts;
use crate::events::Received;
use crate::function::{Error, Function, chain};
use crate::tell::Told;

impl Function {
    /// Answers with those that are to come again.
    pub(super) fn batch(&self, received: &[Received], call: &Call, told: &mut Told) -> Value {
        let last = LastAttempts::of(received, self.receives_max());
        self.watched(&last, call, told, |told| self.in_order(received, &last, call, told))
    }

    fn in_order(&self, received: &[Received], last: &LastAttempts, call: &Call, told: &mut Told) -> Value {
        let receives_max = self.receives_max();
        let (mut held_up, mut in_front): (BTreeSet<&str>, BTreeSet<&str>) = Default::default();
        let mut failed = Vec::new();
        for (place, received) in received.iter().enumerate() {
            let waits = received.group().is_some_and(|group| held_up.contains(group));
            // what is not begun comes again whole; the first is begun whatever the clock says, or nothing ever is
            let done = if !waits && (place == 0 || call.has_time()) {
                last.begin(place);
                // whoever waited for another with all its receives was never tried: it has its attempts now
                let waited = received.group().is_some_and(|group| in_front.contains(group));
                let attempts = if waited && received.receives() >= receives_max { receives_max } else { 1 };
                let done = self.received(received, attempts, call, told);
                last.end(place);
                done
            } else {
                let why = if waits { "another of its group failed before it" } else { "there was no time left for it" };
                self.not_begun(last, place, why, told);
                false
            };
            if done {
                continue;
            }
            failed.push(received.message_id.clone());
            // what was received for the last time is a dead letter, and does not come before the others any more
            let of = if received.receives() < receives_max { &mut held_up } else { &mut in_front };
            of.extend(received.group());
        }
        super::failed(failed)
    }

    /// Does the stage on one message, so many times at most; whether it is done.
    fn received(&self, received: &Received, attempts: u32, call: &Call, told: &mut Told) -> bool {
        let message = match Message::from_json(&received.body) {
            Ok(message) => message,
            Err(error) => {
                told.failed(&Error::new("unknown_message", chain(&error)));
                return false;
            }
        };
        told.message(&message);
        if received.receives() > 1
            && let Ok(ledger) = self.ledger()
        {
            // whoever had it before may have died before it told
            ledger.look_for_untold();
        }
        let receives = received.receives();
        let mut handled = self.handle(&message, receives);
        for _ in 1..attempts {
            if handled.is_err() && call.has_time() {
                handled = self.handle(&message, receives);
            }
        }
        let Err(error) = handled else { return true };
        if receives >= self.receives_max()
            && let Err(untold) = self.give_up(&message, receives, &error.to_string())
        {
            // the dead letter says so too
            told.failed(&untold);
        }
        told.failed(&error);
        false
    }

    /// A message that goes back to its queue as it came. If it does not come again from there, its receipt is told.
    fn not_begun(&self, last: &LastAttempts, place: usize, why: &str, told: &mut Told) {
        let Some(attempt) = last.end(place) else { return };
        told.message(&attempt.message);
        let error = Error::new("not_begun", format!("{} did not come to it: {why}", self.name()));
        if let Err(untold) = self.give_up(&attempt.message, attempt.receives, &error.to_string()) {
            told.failed(&untold);
        }
        told.failed(&error);
    }

    /// How often a message is received before it is a dead letter.
    fn receives_max(&self) -> u32 {
        let of_queue = |name: &str| {
            let queue = self.topology.queues.iter().find(|queue| queue.name == name)?;
            match queue.role {
                Role::Work { receives_max, .. } => Some(receives_max),
                Role::DeadLetters => None,
            }
        };
        let read = self.function.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Queue { name, .. } => of_queue(name),
            _ => None,
        });
        read.unwrap_or(u32::MAX)
    }
}
