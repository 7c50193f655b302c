//! The integration tests of the row engine.

mod regressions;
