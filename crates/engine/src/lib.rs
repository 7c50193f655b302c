//! The embedded durable runtime.

mod committer;
pub mod limits;
pub mod pending;
pub mod queues;
mod scheduler;
pub mod store;
