//! The time of a call: how much there is, of the function and of the workflow that it is a part of, and what of it is for what.

use std::time::{Duration, Instant};

use pipeline::Millis;
use pipeline::topology::{Trigger, Use, WORKFLOW_SECONDS_MAX, Workflow};

use crate::events::Event;
use crate::function::{Error, Function};
use crate::limits::LAST_WORD_SECONDS;

/// The time that is left for what is under way: with less, no other message is begun.
const RESERVE: Duration = Duration::from_secs(20);

/// The time that is left for rows that are under way, and for the answer.
const ROWS_RESERVE: Duration = Duration::from_secs(15);

/// The time that is left for telling receipts that something was given up.
const LAST_WORD: Duration = Duration::from_secs(LAST_WORD_SECONDS);

/// The time with less of which nobody looks for what others have left to be told.
const LOOK_RESERVE: Duration = Duration::from_secs(5);

/// The time with less of which a stage of the workflow without rows is not begun.
const STAGE_RESERVE: Duration = Duration::from_secs(2);

/// The time that is left for the answer.
const ANSWER_RESERVE: Duration = Duration::from_secs(1);

/// The circumstances of a call.
#[derive(Debug, Clone)]
pub struct Call {
    /// When it must be over.
    pub deadline: Instant,
    /// The trace that it is part of, as X-Ray names it.
    pub trace: Option<String>,
}

impl Call {
    /// A call that may take so long.
    pub fn within(time: Duration) -> Self {
        Self { deadline: Instant::now() + time, trace: None }
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.left_before(Duration::ZERO)
    }

    /// The time that is left if so much of it is for something else.
    fn left_before(&self, reserve: Duration) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).saturating_sub(reserve)
    }

    /// Whether there is time to begin another message.
    pub(crate) fn has_time(&self) -> bool {
        !self.left_before(RESERVE).is_zero()
    }

    /// Whether there is time for more rows.
    pub(crate) fn has_time_for_rows(&self) -> bool {
        !self.left_before(ROWS_RESERVE).is_zero()
    }

    /// Whether there is time to look for what others have left.
    pub(crate) fn has_time_to_look(&self) -> bool {
        !self.left_before(LOOK_RESERVE).is_zero()
    }

    /// How long something with its last attempt in it may go on before it is given up.
    pub(crate) fn patience(&self) -> Duration {
        self.left_before(LAST_WORD)
    }

    /// When people must have been told, and the last commit be begun: what is left then is for the answer.
    pub(crate) fn until(&self) -> Instant {
        Instant::now() + self.left_before(ANSWER_RESERVE)
    }
}

impl Function {
    /// The call with the time that the workflow has for what it is about; other calls have their own time.
    pub(super) fn within_workflow(&self, event: &Event, call: &Call, began: Option<Millis>) -> Call {
        let time = |workflow: &Workflow| match event {
            Event::Failed(_) => Some(seconds(workflow.failure_seconds)),
            Event::Started(_) | Event::Task(_) => {
                let (share, left) = self.time_of_stage(workflow, began);
                Some(left.unwrap_or(share).min(share))
            }
            _ => None,
        };
        let time = self.topology.workflow.as_ref().and_then(time);
        let ends = time.map(Call::within);
        if let Some(ledger) = &self.ledger {
            // what the workflow has given up changes nothing any more; that it has is told however long it takes
            let gives_up = ends.as_ref().filter(|_| !matches!(event, Event::Failed(_)));
            ledger.commit_until(gives_up.map(Call::until));
        }
        let deadline = ends.map_or(call.deadline, |ends| call.deadline.min(ends.deadline));
        Call { deadline, trace: call.trace.clone() }
    }

    /// With too little time left in the workflow for a stage, it is not begun, for a workflow that comes to its end leaves no
    /// dead letter.
    pub(super) fn begin_in_time(&self, began: Option<Millis>) -> Result<(), Error> {
        let Some(workflow) = self.topology.workflow else { return Ok(()) };
        let fills = self.function.uses.iter().any(|need| matches!(need, Use::Fill(_)));
        let least = if fills { ROWS_RESERVE } else { STAGE_RESERVE };
        match self.time_of_stage(&workflow, began) {
            (_, Some(left)) if left < least => {
                let text =
                    format!("{} has no time left in this workflow; start one with what it was given", self.name());
                Err(Error::new("out_of_time", text))
            }
            _ => Ok(()),
        }
    }

    /// The share that this stage has of the workflow, and what is left before the time of those behind it, if it is known when
    /// the workflow began.
    fn time_of_stage(&self, workflow: &Workflow, began: Option<Millis>) -> (Duration, Option<Duration>) {
        let stages = self.topology.functions.iter().filter(|function| function.triggers.contains(&Trigger::Workflow));
        let place = stages.take_while(|function| function.name != self.name()).count();
        let share = workflow.stage_seconds.get(place).copied().unwrap_or_default();
        let behind = workflow.stage_seconds.iter().skip(place + 1).sum::<u32>() + workflow.failure_seconds;
        let ends = began.map(|began| began + u64::from(WORKFLOW_SECONDS_MAX - behind) * 1000);
        (seconds(share), ends.map(|ends| Duration::from_millis(ends.saturating_sub((self.now)()))))
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
