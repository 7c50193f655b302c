//! Worlds by seed, and what a run of one comes to (invariant 3).
//!
//! A seed makes a few files of all presets. The run in order, once each and without a fault, is the right one: every
//! other run of the same world must end as it did, whatever comes again, late or in another order, on whatever runtime.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test that looks")]

mod answers;
mod corpus;
mod ending;
mod late;
mod random;
mod rule;
mod runtime;
mod world;

pub use answers::{answers, answers_differ};
pub use ending::{Ending, differences};
pub use random::Random;
pub use runtime::{END, Manner, answers_in_memory, run};
pub use world::{START, Upload, World, bucket};
