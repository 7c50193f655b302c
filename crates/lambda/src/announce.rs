//! What is to be told to people: the seam to the topic and the event bus, and how what a ledger has is brought there.
//!
//! What is to be told is a record, written by the commit that it tells of, and taken away when it was told
//! ([0019](../../../docs/decisions/0019-telling-on-aws.md)). A process that dies between leaves the record, and whoever
//! looks next tells it, under the same id.

mod bus;
mod topic;

use std::fmt;
use std::time::Instant;

use pipeline::Millis;
use pipeline::ports::Cause;
use pipeline::records::Notice;

pub use bus::Bus;
pub use topic::Topic;

use crate::doors::Call;
use crate::function::{Error, Function, chain};
use crate::ledger::Untold;
use crate::limits::{EVENT_BYTES_MAX, NOTICES_AT_ONCE_MAX};
use crate::network::Network;

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The id of the record that says it.
    pub record: String,
    /// The same however often it is told: receivers know by it what they have seen.
    pub id: String,
    /// What happened: `file.completed` and the like.
    pub name: String,
    /// When.
    pub at: Millis,
    /// The body, as webhooks get it.
    pub payload: String,
}

/// Tells people, or programs of theirs.
pub trait Announcer: fmt::Debug + Send + Sync + 'static {
    /// Tells events in their order, and waits for no answer after `until`. After an error it is open which of them were told;
    /// tell them again.
    fn announce(&self, events: &[Event], until: Instant) -> Result<(), Cause>;
}

/// Waits for an answer, but no longer than that.
fn answered<T, E: std::error::Error + Send + Sync + 'static>(
    network: &Network,
    until: Instant,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, Cause> {
    let answer = network.wait(async { tokio::time::timeout_at(until.into(), asked).await });
    answer.map_err(|_| "there was no answer before the time of the call was nearly over")?.map_err(Cause::from)
}

impl Event {
    /// What a record says that is to be told; none if it says nothing that can be read.
    pub fn of(untold: &Untold) -> Option<Self> {
        let mut notice: Notice = serde_json::from_slice(&untold.value).ok()?;
        let id = notice.event_id(&untold.id);
        let mut payload = notice.payload(&id);
        if payload.len() > EVENT_BYTES_MAX {
            // neither the topic nor the bus would ever take it: the receipt has the rest
            notice.detail = "more than an event may have; look at the receipt".to_owned();
            notice.origins.clear();
            payload = notice.payload(&id);
        }
        Some(Self { record: untold.id.clone(), id, name: notice.event, at: notice.at, payload })
    }
}

impl Function {
    /// Has everything told that this call has written down to be told, and at times what others have left. After an error
    /// the call must come again.
    pub(crate) fn tell(&self, call: &Call) -> Result<(), Error> {
        let (Some(ledger), Some(announcer)) = (&self.ledger, &self.announcer) else { return Ok(()) };
        let tell = |untold: &[Untold]| -> Result<(), Error> {
            let events: Vec<Event> = untold.iter().filter_map(Event::of).collect();
            if !events.is_empty() {
                // nobody may be kept from an answer by who does not listen: what is untold fails in time, and comes again
                let told = announcer.announce(&events, call.until());
                told.map_err(|cause| Error::new("untold", chain(cause.as_ref())))?;
            }
            Ok(ledger.told(untold)?)
        };
        let told = ledger.take_untold().chunks(NOTICES_AT_ONCE_MAX).try_for_each(tell);
        if told.is_err() {
            ledger.look_for_untold();
            return told;
        }
        let mut after: Option<String> = None;
        while ledger.is_untold_looked_for() && call.has_time_to_look() {
            let untold = ledger.untold(after.as_deref(), NOTICES_AT_ONCE_MAX)?;
            tell(&untold)?;
            if untold.len() < NOTICES_AT_ONCE_MAX {
                ledger.found_untold();
            }
            after = untold.into_iter().last().map(|last| last.id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untold(notice: &Notice) -> Untold {
        Untold { id: "r-1/0".to_owned(), value: serde_json::to_vec(notice).unwrap() }
    }

    #[test]
    fn an_event_has_room_for_whatever_a_name_may_be_and_what_is_longer_is_cut() {
        let long = "\u{1}".repeat(1024);
        let mut notice = Notice::about("file.rejected", 5, "");
        notice.file_id.clone_from(&long);
        notice.bucket_name = "b".repeat(63);
        notice.version_id.clone_from(&long);
        notice.origins = vec![long];
        let event = Event::of(&untold(&notice)).unwrap();
        assert_eq!(event.payload, notice.payload(&event.id), "nothing is cut");
        notice.detail = "x".repeat(EVENT_BYTES_MAX);
        let cut = Event::of(&untold(&notice)).unwrap();
        assert!(cut.payload.len() < EVENT_BYTES_MAX / 2 && cut.payload.contains("look at the receipt"));
        assert_eq!((&cut.id, &cut.name), (&event.id, &event.name), "it is the same event");
        assert_eq!(Event::of(&Untold { id: "x".into(), value: b"no JSON".to_vec() }), None);
    }
}
