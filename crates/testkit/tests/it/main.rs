//! The fakes pass the suites first, and every check of the suites can fail.
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod broken_ledger;
mod broken_objects;
mod corpus;
mod fakes;
mod faults;
mod strict;

use std::cell::Cell;
use std::panic;
use std::sync::Once;

use testkit::contract::{Check, Failure, failures};

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does what is expected to panic, and prints nothing of it: with `RUST_BACKTRACE` set, each would take seconds.
fn quietly<T>(act: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                loud(panic);
            }
        }));
    });
    IS_QUIET.set(true);
    let answer = act();
    IS_QUIET.set(false);
    answer
}

/// Runs the check of each line in a home with the bug of that line: it must fail. Every check of the suite has a line,
/// and without a bug all of them pass.
#[track_caller]
fn expect_caught<H: ?Sized, B: Copy + std::fmt::Debug>(
    checks: &[(&'static str, Check<H>)],
    bugs: &[(B, &str)],
    make: impl Fn(Option<B>) -> Box<H>,
) {
    let none: Vec<Failure> = failures(checks, &|| make(None));
    assert!(none.is_empty(), "there is no bug: {none:?}");
    for (bug, name) in bugs {
        let check = checks.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("no check {name}"));
        let found = quietly(|| failures(&[*check], &|| make(Some(*bug))));
        assert!(!found.is_empty(), "{name} does not see {bug:?}");
    }
    for (name, _) in checks {
        assert!(bugs.iter().any(|(_, other)| other == name), "no bug shows that {name} can fail");
    }
}
