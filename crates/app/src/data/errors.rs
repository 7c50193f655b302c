//! What to do next about errors of the engine.

use engine::pipeline::query::Refused;
use engine::{objects, queues, runtime};

use crate::complain::Hint;

/// The next step after an error of the engine, if there is one to name.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    match error.chain().find_map(|cause| cause.downcast_ref::<runtime::Error>())? {
        runtime::Error::Store(error) | runtime::Error::Queues(queues::Error::Store(error)) => Some(error.hint()),
        runtime::Error::Objects(objects::Error::Queues(queues::Error::Store(error))) => Some(error.hint()),
        runtime::Error::Objects(objects::Error::Invalid { hint, .. }) => Some(hint),
        runtime::Error::Objects(objects::Error::Full { .. }) => Some("make room on the disk, then send it again"),
        runtime::Error::Objects(objects::Error::ReadOnly { .. }) => Some("let this user write to the folder"),
        runtime::Error::Objects(objects::Error::Damaged { .. }) => Some("run `millrace doctor`"),
        runtime::Error::NoDeadLetter(_) => Some("list them with `millrace dead-letters list`"),
        _ => None,
    }
}

/// A question that was refused, with what to ask instead.
pub(crate) fn refused(refused: Refused) -> anyhow::Error {
    match refused {
        Refused::Question { what, hint } => Hint::new(what, hint).into(),
        Refused::Error(error) => error.into(),
    }
}
