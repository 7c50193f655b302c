//! The domain of Millrace: what is said between stages, what is known of a file, what runs where, and the two ports.
//!
//! Everything here is a value or a function of its arguments: no clock, no disk, no randomness, no runtime. Time is
//! passed in as milliseconds since 1970 in UTC.

pub use rows;

pub mod arrive;
mod draft;
pub mod encoding;
pub mod feed;
pub mod find;
pub mod handle;
pub mod limits;
pub mod memory;
pub mod message;
pub mod object;
pub mod point;
pub mod ports;
pub mod preset;
pub mod query;
pub mod receipt;
pub mod records;
pub mod replay;
pub mod sha256;
mod stages;
pub mod step;
pub mod tell;
pub mod topology;
pub mod window;

/// Milliseconds since 1970 in UTC.
pub type Millis = u64;
