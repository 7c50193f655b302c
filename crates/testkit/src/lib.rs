//! What tests of several crates share; nothing of it is ever shipped.
//!
//! [`MemoryObjects`] and [`MemoryLedger`] are the two ports in memory, stricter than any real one: a caller that breaks
//! a promise stops with a panic that says which. [`Faults`] makes any call of theirs fail, by number. The suites of
//! [`contract`] ask every implementation of a port for every sentence of its documentation. [`corpus`] has real files, [`sim`] worlds by
//! seed.
//!
//! A panic here is a failed test, so broken promises are panics and not errors.

pub mod contract;
pub mod corpus;
pub mod faults;
pub mod ledger;
pub mod objects;
pub mod sim;

pub use faults::{Call, Fault, Faults};
pub use ledger::MemoryLedger;
pub use objects::MemoryObjects;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; what a panic elsewhere left behind is whole, because promises are looked at before anything is changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
