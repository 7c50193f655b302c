//! A file of transaction ids: those that a feed has taken, to be asked about the ids of files to come.
//!
//! ```text
//! magic      8 bytes, the last two of them the version
//! blocks     4 KiB each: sorted keys, or a page of the filter, with a checksum behind; in the order they became full
//! index      counts, where the pages of the filter are, and the first key of each block of keys
//! trailer    bytes and checksum of the index, magic
//! ```
//!
//! Ids are told apart by the top 80 bits of their hash, as in [`unique`](crate::unique). The filter says of nearly all
//! ids that they are not there; while it is small it is kept in memory, and the index always is: 12.3 bits and 0.2 bits
//! an id. Everything that is read may have been damaged: it is an error then, which says what.

mod format;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::Ids;
pub(crate) use write::write;
