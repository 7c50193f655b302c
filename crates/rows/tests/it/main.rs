//! The row engine through its front door: whole files in, reports, bars, totals and rejects out.
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod amounts;
mod corpus;
mod exact;
mod good;
mod hostile;
mod members;
mod messages;
mod properties;
mod quick;
mod regressions;
mod rejects;
mod spill;
mod support;
mod tables;
mod torture;
