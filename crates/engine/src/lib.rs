//! The embedded durable runtime.
//!
//! [`queues`] is the door: standard and FIFO queues with the semantics of SQS, records beside them, and one transaction
//! that records a step, acknowledges its message and sends the next. What was answered survives a crash.
//!
//! [`runtime`] is all of it at work: a data folder, the stages, and workers.
//!
//! [`objects`] are bytes at rest; what is known of them is committed by the same transactions. [`session`] makes the two
//! ports of the domain of both.
//!
//! Below them, the scheduler holds all queues in memory and is a function of its calls: it reads no clock and writes
//! nothing itself. The committer carries out all calls that wait, commits what they changed at once and then answers
//! them. [`store`] keeps it: the index of messages, their bodies, and the records of the caller.

pub use pipeline;

mod committer;
pub mod limits;
pub mod objects;
pub mod pending;
mod plan;
pub mod queues;
pub mod runtime;
mod scheduler;
pub mod session;
pub mod store;
