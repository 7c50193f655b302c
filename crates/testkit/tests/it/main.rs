//! The fakes pass the suites first, and the suites can fail.

mod fakes;
