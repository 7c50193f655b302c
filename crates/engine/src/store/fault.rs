//! Commits that fail on purpose, so that tests can see what a full disk does without filling one.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

/// How a commit to come fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What the system would have said.
    pub kind: io::ErrorKind,
    /// Whether the changes were kept all the same: the answer was lost, not the write.
    pub kept: bool,
}

/// The faults to come, in order.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<VecDeque<Fault>>);

impl Faults {
    pub(super) fn push(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault);
    }

    pub(super) fn next(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
