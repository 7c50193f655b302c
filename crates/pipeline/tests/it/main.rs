//! The domain at its one door, on the strict fakes of both ports.
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod corpus;
mod invariants;
mod late;
mod limits;
mod seen;
mod sim;
mod stages;
mod standing;
mod world;
