//! The domain at its one door, on the strict fakes of both ports.

mod stages;
mod world;
