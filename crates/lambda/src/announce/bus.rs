//! The event bus: events by their names, so many at a time; of those that it did not take, each says why.

use std::time::{Duration, Instant};

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry as Entry;
use pipeline::ports::Cause;
use pipeline::topology::EVENT_SOURCE as SOURCE;

use super::{Announcer, Event, answered};
use crate::limits::{ANNOUNCE_TRIES_MAX, EVENTS_BYTES_MAX, EVENTS_MAX};
use crate::network::Network;

/// What the time of an entry counts for.
const TIME_BYTES: usize = 14;
/// Milliseconds before what was not taken is sent again; doubled with each try.
const PAUSE_MS: u64 = 50;

/// An event bus of EventBridge.
#[derive(Debug)]
pub struct Bus {
    client: Client,
    network: Network,
    name: String,
}

impl Bus {
    /// The bus of this name.
    pub fn new(client: Client, network: Network, name: String) -> Self {
        Self { client, network, name }
    }

    fn entry(&self, event: &Event) -> Entry {
        Entry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(&event.name)
            .detail(&event.payload)
            .time(DateTime::from_millis(i64::try_from(event.at).unwrap_or(i64::MAX)))
            .build()
    }

    /// Sends so many as one call takes; those that were not taken again, within reason.
    fn put<'a>(&self, mut events: Vec<&'a Event>, until: Instant) -> Result<(), Cause> {
        let mut number = 0;
        loop {
            let entries = events.iter().map(|event| self.entry(event)).collect();
            let asked = self.client.put_events().set_entries(Some(entries));
            let answer = answered(&self.network, until, asked.send())?;
            number += 1;
            let answers = answer.entries();
            // an entry without an answer was not taken either
            let why = |index: usize| match answers.get(index) {
                Some(entry) => entry.error_code().map(|code| (code, entry.error_message().unwrap_or_default())),
                None => Some(("NoAnswer", "")),
            };
            let refused: Vec<(&'a Event, String)> = events
                .iter()
                .enumerate()
                .filter_map(|(index, event)| why(index).map(|(code, text)| (*event, format!("{code}: {text}"))))
                .collect();
            let Some((event, why)) = refused.first() else { return Ok(()) };
            if number >= ANNOUNCE_TRIES_MAX {
                let (count, of) = (refused.len(), events.len());
                let text = format!("{} did not take {count} of {of} events, {} the first: {why}", self.name, event.id);
                return Err(text.into());
            }
            events = refused.into_iter().map(|(event, _)| event).collect();
            std::thread::sleep(Duration::from_millis(PAUSE_MS << number));
        }
    }
}

impl Announcer for Bus {
    fn announce(&self, events: &[Event], until: Instant) -> Result<(), Cause> {
        batches(events).try_for_each(|batch| self.put(batch.iter().collect(), until))
    }
}

/// About what an event counts for.
fn bytes(event: &Event) -> usize {
    TIME_BYTES + SOURCE.len() + event.name.len() + event.payload.len()
}

/// Events cut into what one call takes.
fn batches(events: &[Event]) -> impl Iterator<Item = &[Event]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = |event: &&Event| {
            sum += bytes(event);
            sum <= EVENTS_BYTES_MAX
        };
        let count = rest.iter().take(EVENTS_MAX).take_while(fits).count().max(1).min(rest.len());
        let (now, later) = rest.split_at(count);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::EVENT_BYTES_MAX;

    fn cut(payloads: &[usize]) -> Vec<usize> {
        let event = |bytes: &usize| Event {
            record: "r".into(),
            id: "e".into(),
            name: "n".into(),
            at: 0,
            payload: "x".repeat(*bytes),
        };
        let events: Vec<Event> = payloads.iter().map(event).collect();
        batches(&events).map(<[Event]>::len).collect()
    }

    #[test]
    fn a_call_has_ten_events_and_256_kb() {
        assert!(cut(&[]).is_empty());
        assert_eq!(cut(&[5; 10]), [10]);
        assert_eq!(cut(&[5; 23]), [10, 10, 3]);
        let overhead = TIME_BYTES + SOURCE.len() + 1;
        let half = EVENTS_BYTES_MAX / 2 - overhead;
        assert_eq!(cut(&[half, half]), [2]);
        assert_eq!(cut(&[half, half + 1]), [1, 1]);
        assert_eq!(cut(&[EVENT_BYTES_MAX, 1024]), [1, 1], "the largest event goes alone");
        assert!(EVENT_BYTES_MAX + TIME_BYTES + SOURCE.len() + 100 <= EVENTS_BYTES_MAX, "and it goes");
    }
}
