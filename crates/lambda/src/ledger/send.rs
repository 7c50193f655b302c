//! What was taken over is sent, and then cleared.

use pipeline::message::Message;
use pipeline::ports::Cause;

use super::mark::{self, Mark};
use super::{Failed, Ledger, place};
use crate::limits::TRANSACT_ITEMS_MAX;
use crate::table::{Action, Name, Test};

impl Ledger {
    /// Sends what a commit took over, and says in its mark that it was sent. Sent again, the queue knows it again; if
    /// it does not, the stage does.
    pub(super) fn send(&self, source: &str, mark: Mark) -> Result<(), Failed> {
        if !mark.is_unsent() {
            return Ok(());
        }
        let mut chunks = Vec::new();
        if let Some((token, count)) = &mark.chunks {
            for number in 0..usize::try_from(*count).unwrap_or(usize::MAX) {
                let place = place::outbox(source, token, number);
                match self.table.get(&place.clone().into())? {
                    Some(item) => self.send_on(source, read(mark::messages(&item))?)?,
                    // somebody else has sent all of it meanwhile
                    None => return Ok(()),
                }
                chunks.push(place);
            }
        }
        self.send_on(source, read(&mark.unsent)?)?;
        self.clear(source, mark, chunks)
    }

    /// Messages for the next stage go to its queue, files begun anew on a way of their own; none of them waits for another.
    fn send_on(&self, source: &str, messages: Vec<(Message, String)>) -> Result<(), Cause> {
        let (anew, on): (Vec<_>, Vec<_>) = messages.into_iter().partition(|(message, _)| message.begins_anew());
        if !on.is_empty() {
            let queue = self.queue.as_ref().ok_or_else(|| Cause::from("this function has no queue to send to"))?;
            queue.send(&on)?;
        }
        self.begin_anew(source, anew)
    }

    fn clear(&self, source: &str, mark: Mark, chunks: Vec<crate::table::Key>) -> Result<(), Failed> {
        let cleared = Mark { unsent: Vec::new(), chunks: None, ..mark };
        let put = Action::Put(Name::Ledger, cleared.item(source, self.expires()), vec![]);
        let mut actions = vec![put];
        actions.extend(chunks.into_iter().map(|place| Action::Delete(place, Vec::<Test>::new())));
        while !actions.is_empty() {
            let rest = actions.split_off(actions.len().min(TRANSACT_ITEMS_MAX));
            self.write(std::mem::replace(&mut actions, rest))?;
        }
        Ok(())
    }
}

fn read(texts: &[String]) -> Result<Vec<(Message, String)>, Cause> {
    texts.iter().map(|json| Ok((mark::message(json)?, json.clone()))).collect()
}
