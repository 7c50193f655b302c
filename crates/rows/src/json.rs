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
pub use extract::{Condition, Extract, Extractor, LinePrefix, Outcome, Test};
pub use fault::JsonFault;
pub use layout::{Layout, detect};
pub use path::{Path, Paths};
pub use reader::Reader;
