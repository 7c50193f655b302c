//! Files begun anew: each goes to its first stage by an event of its own, as it did when it was written.

use std::time::{Duration, Instant};

use pipeline::message::Message;
use pipeline::ports::Cause;
use pipeline::topology::ANEW_EVENT;

use super::Ledger;
use crate::announce::Event;
use crate::limits::ANEW_SECONDS_MAX;

impl Ledger {
    /// Sends files again that were begun anew, whoever did that.
    pub(crate) fn begin_anew_again(&self, messages: &[Message]) -> Result<(), Cause> {
        let read = |message: &Message| Ok((message.clone(), message.to_json()?));
        let messages = messages.iter().map(read).collect::<Result<_, Cause>>()?;
        self.begin_anew("", messages)
    }

    /// Sends files to their first stage that a commit has begun anew. After an error it is open which of them went; sent
    /// again, the stage knows them again.
    pub(super) fn begin_anew(&self, source: &str, messages: Vec<(Message, String)>) -> Result<(), Cause> {
        if messages.is_empty() {
            return Ok(());
        }
        let bus = self.anew.as_ref().ok_or_else(|| Cause::from("this function has no way to begin files anew"))?;
        let at = (self.now)();
        let event = |(message, payload): (Message, String)| {
            let (record, id) = (source.to_owned(), message.id().as_str().to_owned());
            Event { record, id, name: ANEW_EVENT.to_owned(), at, payload }
        };
        let events: Vec<Event> = messages.into_iter().map(event).collect();
        // no longer than anybody waits for the call
        let until = self.until().unwrap_or_else(|| Instant::now() + Duration::from_secs(ANEW_SECONDS_MAX));
        bus.announce(&events, until)
    }
}
