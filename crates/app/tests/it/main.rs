//! The integration tests of `app`, one binary for all of them.

mod tidy;
