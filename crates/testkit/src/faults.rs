//! Faults by number: every call that can fail is counted, and a plan says which of them does.
//!
//! A run without faults tells how many calls there are; then the same run is repeated once for each call and each fault
//! that differs there. What is counted depends on the calls alone, so on one thread a number names the same call again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use pipeline::ports::Error;

use crate::lock;

/// What was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// An object was opened.
    Open,
    /// Bytes of it were read.
    Read,
    /// An object was begun.
    Create,
    /// Bytes of it were written.
    Write,
    /// It was finished.
    Finish,
    /// A record was loaded.
    Load,
    /// A page of records was loaded.
    Page,
    /// A step was committed.
    Commit,
}

/// How a call fails. All of them but the crash fail once: the call after it is answered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// It did nothing.
    Before,
    /// It did what it should, and the answer was lost.
    After,
    /// The process is lost in the middle of it. What was not durable is gone; the call itself counted as durable or
    /// not. Nothing is answered before [`Faults::restart`].
    Crash {
        /// Whether what was called for happened all the same.
        kept: bool,
    },
}

impl Call {
    /// The faults that differ here. A call that changes nothing durable is the same before and after.
    pub fn faults(self) -> &'static [Fault] {
        match self {
            Self::Open | Self::Read | Self::Create | Self::Write | Self::Load | Self::Page => {
                &[Fault::Before, Fault::Crash { kept: false }]
            }
            Self::Finish | Self::Commit => {
                &[Fault::Before, Fault::After, Fault::Crash { kept: false }, Fault::Crash { kept: true }]
            }
        }
    }
}

/// A plan of faults with its counter, shared by everything that was made with a clone of it. The default has no faults.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    calls: Vec<Call>,
    planned: BTreeMap<usize, Fault>,
    /// How often the process was started again.
    life: u64,
    is_lost: bool,
}

impl Faults {
    /// No fault but this one; see [`Faults::plan`].
    pub fn one(number: usize, fault: Fault) -> Self {
        let faults = Self::default();
        faults.plan(number, fault);
        faults
    }

    /// Lets the call of this number fail, counted from 0.
    pub fn plan(&self, number: usize, fault: Fault) {
        lock(&self.0).planned.insert(number, fault);
    }

    /// The calls so far, those that failed among them. Calls of a process that is lost do not count.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.0).calls.clone()
    }

    /// Planned faults that did not come up yet.
    pub fn left(&self) -> usize {
        lock(&self.0).planned.len()
    }

    /// Whether the process is lost, and nothing is answered.
    pub fn is_lost(&self) -> bool {
        lock(&self.0).is_lost
    }

    /// Starts the process again: calls are answered, but what was opened or begun before stays dead.
    pub fn restart(&self) {
        let mut plan = lock(&self.0);
        plan.is_lost = false;
        plan.life += 1;
    }

    /// Which life of the process this is; what is open in one is dead in the next.
    pub(crate) fn life(&self) -> u64 {
        lock(&self.0).life
    }

    /// Counts a call and carries it out as planned. `life` is that of what is called, if it does not outlive a process.
    pub(crate) fn run<T>(
        &self,
        call: Call,
        life: Option<u64>,
        what: impl Fn() -> String,
        act: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let unavailable = |cause: Planned| Error::Unavailable { what: what(), cause: Box::new(cause) };
        let (number, fault) = {
            let mut plan = lock(&self.0);
            if plan.is_lost || life.is_some_and(|life| life != plan.life) {
                return Err(unavailable(Planned::Lost));
            }
            let number = plan.calls.len();
            plan.calls.push(call);
            let fault = plan.planned.remove(&number);
            plan.is_lost = matches!(fault, Some(Fault::Crash { .. }));
            (number, fault)
        };
        let Some(fault) = fault else { return act() };
        if matches!(fault, Fault::After | Fault::Crash { kept: true }) {
            // what it answered is lost, an error too
            drop(act());
        }
        Err(unavailable(Planned::Fault { call, number, fault }))
    }
}

/// The cause of a failure that was planned.
#[derive(Debug)]
enum Planned {
    Fault { call: Call, number: usize, fault: Fault },
    Lost,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault { call, number, fault } => write!(f, "planned: {fault:?} at call {number}, {call:?}"),
            Self::Lost => write!(f, "the process that was asked is gone"),
        }
    }
}

impl std::error::Error for Planned {}
