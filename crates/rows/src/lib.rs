//! The row engine: bytes in; typed rows, rejects and aggregates out.
//!
//! Nothing here opens a file, reads a clock or waits for anything: callers bring readers and scratch space.

mod batch;
pub mod cells;
pub mod check;
mod choose;
pub mod contract;
pub mod contribution;
pub mod csv;
pub mod currency;
pub mod decimal;
pub mod drift;
mod error;
pub mod fold;
pub mod good;
pub mod groups;
pub mod ids;
pub mod infer;
pub mod json;
pub mod limits;
pub mod pack;
mod parallel;
pub mod plan;
pub mod reason;
pub mod records;
pub mod report;
mod row;
pub mod runs;
pub mod scan;
pub mod settings;
pub mod source;
mod spill;
pub mod table;
pub mod text;
pub mod time;
pub mod unique;
pub mod unpack;

pub use choose::unknown_contract;
pub use error::{Error, Refusal, Result};
