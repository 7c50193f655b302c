//! JSON: cutting a byte stream into records, and reading the wanted values of each record into `Cells`.
//!
//! Strict (RFC 8259), streaming, and fast for what partners send most: flat objects with the same keys every time.
//! A record is valid or not whatever is wanted of it: also the parts that nobody reads are checked.

mod cutter;
mod extract;
mod fault;
mod keys;
mod layout;
mod path;
mod plan;
mod reader;
mod text;
mod values;
mod walk;

pub use cutter::{Cutter, Record};
pub(crate) use extract::epoch_prefix;
pub use extract::{Condition, Extract, Extractor, LinePrefix, Outcome, Test};
pub use fault::JsonFault;
pub(crate) use layout::is_closed;
pub use layout::{Layout, detect};
pub use path::{Path, Paths};
pub use reader::Reader;

/// The text of the JSON string whose opening quote is right before `start`, and what comes behind its closing one.
pub(crate) fn text_of_string(json: &[u8], start: usize) -> Option<(Vec<u8>, &[u8])> {
    let (end, _) = text::string(json, start).ok()?;
    let mut content = Vec::new();
    text::unescape(&json[start..end], &mut content);
    Some((content, &json[end + 1..]))
}
