//! The functions of Millrace on AWS: both ports on S3 and DynamoDB, the doors by which the cloud calls, and the one
//! program `bootstrap` that every function runs.
//!
//! Ports are synchronous and the clients of the cloud are not: whoever waits for an answer keeps the [`network`] going
//! meanwhile. What the cloud does stands behind four small seams ([`table`], [`bucket`], [`queue`], [`announce`]), so
//! everything above them is tested against memory with faults.

pub mod announce;
pub mod bucket;
pub mod clients;
pub mod doors;
pub mod events;
pub mod function;
pub mod ledger;
pub mod limits;
pub mod network;
pub mod objects;
pub mod queue;
mod scratch;
mod stored;
pub mod table;
pub mod tell;
pub mod trace;
