//! The mark that a source has committed, with the messages that are still to be sent.

use pipeline::message::Message;
use pipeline::ports::Cause;

use super::place;
use crate::table::{EXPIRES, Field, Item, number, text, texts};

const TOKEN: &str = "token";
const UNSENT: &str = "unsent";
const KEPT: &str = "kept";
const CHUNKS: &str = "chunks";
const CHUNKS_TOKEN: &str = "chunksToken";

/// What stands in a mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The attempt that happened, if it was one of several transactions: then the mark says for as long as its records
    /// are there that they count, and does not expire.
    pub token: Option<String>,
    /// Messages still to be sent to a queue, in order.
    pub unsent: Vec<String>,
    /// Messages that whoever called is to hand on.
    pub kept: Vec<String>,
    /// How many items there are with more that is unsent, and the attempt that wrote them.
    pub chunks: Option<(String, u64)>,
}

impl Mark {
    pub fn of(item: &Item) -> Self {
        Self {
            token: text(item, TOKEN).map(str::to_owned),
            unsent: texts(item, UNSENT).to_vec(),
            kept: texts(item, KEPT).to_vec(),
            chunks: text(item, CHUNKS_TOKEN).map(str::to_owned).zip(number(item, CHUNKS)),
        }
    }

    /// As it is written; `expires` is the second in which it may be forgotten.
    pub fn item(&self, source: &str, expires: u64) -> Item {
        let mut item = place::mark(source).item([]);
        let mut put = |name: &str, field| item.insert(name.to_owned(), field);
        match &self.token {
            Some(token) => put(TOKEN, Field::Text(token.clone())),
            None => put(EXPIRES, Field::Number(expires)),
        };
        for (name, messages) in [(UNSENT, &self.unsent), (KEPT, &self.kept)] {
            if !messages.is_empty() {
                put(name, Field::Texts(messages.clone()));
            }
        }
        if let Some((token, count)) = &self.chunks {
            put(CHUNKS_TOKEN, Field::Text(token.clone()));
            put(CHUNKS, Field::Number(*count));
        }
        item
    }

    /// Whether messages are still to be sent.
    pub fn is_unsent(&self) -> bool {
        !self.unsent.is_empty() || self.chunks.is_some()
    }
}

/// A message as it was written down.
pub(super) fn message(json: &str) -> Result<Message, Cause> {
    Message::from_json(json).map_err(Cause::from)
}

/// Messages in items of their own.
pub(super) fn chunk(source: &str, token: &str, number: usize, messages: &[String], expires: u64) -> Item {
    let fields = [(UNSENT, Field::Texts(messages.to_vec())), (EXPIRES, Field::Number(expires))];
    place::outbox(source, token, number).item(fields)
}

/// The messages of such an item.
pub(super) fn messages(item: &Item) -> &[String] {
    texts(item, UNSENT)
}
