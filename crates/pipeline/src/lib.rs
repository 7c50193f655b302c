//! The domain of Millrace: what is said between stages, what is known of a file, what runs where, and the two ports.
//!
//! Everything here is a value or a function of its arguments: no clock, no disk, no randomness, no runtime. Time is
//! passed in as milliseconds since 1970 in UTC.

pub use rows;

pub mod limits;
pub mod message;
pub mod object;
pub mod ports;
pub mod preset;
pub mod receipt;
pub mod sha256;
pub mod step;
pub mod topology;

/// Milliseconds since 1970 in UTC.
pub type Millis = u64;
