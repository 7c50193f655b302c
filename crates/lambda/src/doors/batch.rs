//! Messages of a queue, in order: the first failure of a group fails the rest of it and no other.

use std::collections::BTreeSet;

use pipeline::message::Message;
use pipeline::topology::{Role, Trigger};
use serde_json::Value;

use super::Call;
use crate::events::Received;
use crate::function::{Error, Function, chain};
use crate::tell::Told;

impl Function {
    /// Answers with those that are to come again.
    pub(super) fn batch(&self, received: &[Received], call: &Call, told: &mut Told) -> Value {
        let mut groups: BTreeSet<String> = BTreeSet::new();
        let mut failed = Vec::new();
        for (index, received) in received.iter().enumerate() {
            let waits = received.group().is_some_and(|group| groups.contains(group));
            // what is not begun comes again whole; the first is begun whatever the clock says, or nothing ever is
            let done = !waits && (index == 0 || call.has_time()) && self.received(received, call, told);
            if !done {
                failed.push(received.message_id.clone());
                groups.extend(received.group().map(str::to_owned));
            }
        }
        super::failed(failed)
    }

    /// Does the stage on one message; whether it is done.
    fn received(&self, received: &Received, call: &Call, told: &mut Told) -> bool {
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
        let done = if receives >= self.receives_max() {
            self.last_attempt(&message, receives, call, told)
        } else {
            self.handle(&message, receives).map(drop)
        };
        if let Err(error) = &done {
            told.failed(error);
        }
        done.is_ok()
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
