//! What is left behind in the ledger.

use lambda::table::{Field, Item};
use pipeline::message::Message;

use super::Cloud;

impl Cloud {
    /// Marks with messages that are still to be sent.
    pub fn unsent(&self) -> usize {
        let state = self.lock();
        let marks = state.ledger.iter().filter(|(key, _)| key.id == "mark");
        marks.filter(|(_, item)| item.contains_key("unsent") || item.contains_key("chunks")).count()
    }

    /// Marks with messages that were never sent. One that was may still stand in its mark if the call ended before it was taken
    /// out, and the stage needed no commit when it came again: it found the file at its end.
    pub fn never_sent(&self) -> usize {
        let state = self.lock();
        let is_sent = |json: &String| {
            let message = Message::from_json(json).expect("a message is to be sent");
            state.ever_sent.contains(message.id().as_str())
        };
        let is_lost = |item: &Item| match item.get("unsent") {
            Some(Field::Texts(unsent)) => !unsent.iter().all(is_sent),
            _ => item.contains_key("chunks"),
        };
        state.ledger.iter().filter(|(key, item)| key.id == "mark" && is_lost(item)).count()
    }

    /// Records that say what is to be told.
    pub fn untold(&self) -> usize {
        self.lock().ledger.keys().filter(|key| key.group.starts_with("notice/")).count()
    }
}
