//! CSV text as records and fields.
//!
//! A [`Scanner`](crate::scan::Scanner) turns a buffer into an [`Index`]: where every field and record ends.
//! [`Records`] walks the two together without copying. The grammar is RFC 4180 and what people make of it: LF, CRLF and
//! a lone CR end a line; a quote opens a quoted field only as the field's first byte; inside, two quotes are one; a
//! quote in an unquoted field is itself. A record in which quotes do anything else is marked irregular, and
//! [`parse_record`] reads it byte by byte and says what is wrong.

mod dialect;
mod fields;
mod grammar;
mod index;
mod lines;
mod plain;
mod records;
mod slots;
#[cfg(test)]
mod tests;

pub use dialect::{Dialect, sniff_delimiter};
pub use fields::{Fields, QuoteFault, Unquoted, parse_record, unquote, write_field};
pub use index::{Index, LineEnds};
pub use lines::count_lines;
pub use plain::{Plain, PlainRecord};
pub use records::{Kind, Record, Records};
