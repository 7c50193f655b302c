//! The row engine: bytes in; typed rows, rejects and aggregates out.
//!
//! Nothing here opens a file, reads a clock or waits for anything: callers bring readers and scratch space.

pub mod cells;
mod error;
pub mod limits;
pub mod runs;
pub mod source;
mod spill;
pub mod unique;

pub use error::{Error, Refusal, Result};
