//! Suites that every implementation of a port passes: one named check for each promise of `pipeline::ports`.
//!
//! An implementation is handed over as a home: the port with what a port cannot do itself, such as being lost and
//! started again. A suite runs all checks, each in new homes, and fails with the names of those that do not hold.
//!
//! Sizes stay within what every store takes: a record of 100 KB, a commit of 1100 parts, an object of a few MB.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pipeline::message::Message;
use pipeline::ports::{Ledger, Objects};

pub mod ledger;
pub mod objects;

/// Where objects are, with the process that serves them.
pub trait ObjectsHome {
    /// The port.
    fn objects(&self) -> &dyn Objects;

    /// Loses the process and starts it anew from what is durable. Nothing that it opened or began is still in use.
    fn restart(&mut self);
}

/// Where records are, with the process that serves them and the queues that it fills.
pub trait LedgerHome {
    /// The port.
    fn ledger(&self) -> &dyn Ledger;

    /// Receives and acknowledges what was sent and was not received before, in the order in which a worker would see
    /// it. The suite sends `FilesProcess` messages only, each in the group of its feed.
    fn receive(&mut self) -> Vec<Message>;

    /// Loses the process and starts it anew from what is durable.
    fn restart(&mut self);
}

/// A check: it makes as many homes as it needs, and panics.
pub type Check<H> = fn(&dyn Fn() -> Box<H>);

/// A check that does not hold.
#[derive(Debug)]
pub struct Failure {
    /// Its name, which is a promise.
    pub check: &'static str,
    /// What it found instead.
    pub why: String,
}

/// Runs all checks of the suite for objects; panics with the names of those that do not hold.
#[track_caller]
pub fn objects(make: &dyn Fn() -> Box<dyn ObjectsHome>) {
    expect_none(&failures(objects::CHECKS, make));
}

/// Runs all checks of the suite for ledgers; panics with the names of those that do not hold.
#[track_caller]
pub fn ledger(make: &dyn Fn() -> Box<dyn LedgerHome>) {
    expect_none(&failures(ledger::CHECKS, make));
}

/// The checks that do not hold, in the order of the suite.
pub fn failures<H: ?Sized>(checks: &[(&'static str, Check<H>)], make: &dyn Fn() -> Box<H>) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (name, check) in checks {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(make))) else { continue };
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let why = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
        failures.push(Failure { check: name, why: why.to_owned() });
    }
    failures
}

#[track_caller]
fn expect_none(failures: &[Failure]) {
    let lines: Vec<String> = failures.iter().map(|Failure { check, why }| format!("{check}: {why}")).collect();
    assert!(lines.is_empty(), "{} promises do not hold:\n  {}", lines.len(), lines.join("\n  "));
}

/// Checks with their names.
macro_rules! checks {
    ($($check:ident),* $(,)?) => { &[$((stringify!($check), $check)),*] };
}
use checks;
