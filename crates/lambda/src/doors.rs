//! The doors: what a call is about, and what is answered.

mod batch;
mod failed;
mod files;
mod http;
mod ingest;
mod upload;

use std::time::{Duration, Instant};

use pipeline::Millis;
use pipeline::message::{Feed, Message, Tick};
use pipeline::topology::{Trigger, WORKFLOW_SECONDS_MAX};
use serde_json::{Value, json};

use crate::events::{Event, of_workflow};
use crate::function::{Error, Function};
use crate::stored::Stored;
use crate::tell::Told;

/// The circumstances of a call.
#[derive(Debug, Clone)]
pub struct Call {
    /// When it must be over.
    pub deadline: Instant,
    /// The trace that it is part of, as X-Ray names it.
    pub trace: Option<String>,
}

/// The time that is left for a batch of rows that is under way, and for the answer.
const ROWS_RESERVE: Duration = Duration::from_secs(15);

/// The time that is left for what is under way: with less, nothing new is begun.
const RESERVE: Duration = Duration::from_secs(20);

impl Call {
    /// A call that may take so long.
    pub fn within(time: Duration) -> Self {
        Self { deadline: Instant::now() + time, trace: None }
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether there is time for more rows.
    pub(crate) fn has_time_for_rows(&self) -> bool {
        self.left() > ROWS_RESERVE
    }

    /// Whether there is time to begin something.
    pub(crate) fn has_time(&self) -> bool {
        Instant::now() + RESERVE < self.deadline
    }
}

impl Function {
    /// Answers a call, and writes down in `told` what was done.
    pub fn call(&self, event: Value, call: &Call, told: &mut Told) -> Result<Value, Error> {
        self.tracer.begin(call.trace.as_deref());
        let answer = self.answered(event, call, told);
        self.tracer.end();
        answer
    }

    fn answered(&self, event: Value, call: &Call, told: &mut Told) -> Result<Value, Error> {
        let (event, began) = of_workflow(event);
        let event = Event::read(event)?;
        self.expect(&event)?;
        let answered = match event {
            Event::Batch(received) => {
                let answer = self.batch(&received, call, told);
                return Ok(match self.tell(call) {
                    Ok(()) => answer,
                    Err(error) => {
                        // all of it comes again, and changes nothing more
                        told.failed(&error);
                        failed(received.into_iter().map(|received| received.message_id))
                    }
                });
            }
            Event::Request(request) => return Ok(self.request(&request, told)),
            Event::Nothing => return Ok(Value::Null),
            Event::Files(files) => self.files(files, told).map(|()| Value::Null),
            Event::Started(arrived) => self.arrived(arrived, told).and_then(|first| self.answer(first.as_ref())),
            Event::Task(message) => self.step(&message, call, began, told),
            Event::Tick(second) => self.tick(second, told).map(|()| Value::Null),
            Event::Failed(failure) => self.failed(failure, told).map(|()| Value::Null),
        };
        // what was committed is told, whatever became of the rest
        match (answered, self.tell(call)) {
            (Err(error), Err(of_telling)) => {
                told.failed(&of_telling);
                Err(error)
            }
            (answered, Ok(())) => answered,
            (Ok(_), Err(error)) => Err(error),
        }
    }

    /// A step of the workflow. A message of a stage behind this one is handed on to it, and with rows left when the time is
    /// over, this function is called again.
    fn step(&self, message: &Message, call: &Call, began: Option<Millis>, told: &mut Told) -> Result<Value, Error> {
        if self.is_before(message) {
            return Ok(json!({ "message": handed_on(message)? }));
        }
        told.message(message);
        let call = &self.within_workflow(call, began)?;
        if self.store_rows(message, call)? == Stored::InPart {
            return Ok(json!({ "message": handed_on(message)?, "more": true }));
        }
        self.handle(message, 1)?;
        self.answer(Some(message))
    }

    /// Whether this function is called so.
    fn expect(&self, event: &Event) -> Result<(), Error> {
        let is_due = |trigger: &Trigger| match event {
            Event::Files(_) => matches!(trigger, Trigger::ObjectCreated { .. }),
            Event::Batch(_) => matches!(trigger, Trigger::Queue { .. }),
            Event::Started(_) | Event::Task(_) => matches!(trigger, Trigger::Workflow),
            Event::Tick(_) => matches!(trigger, Trigger::Schedule(_)),
            Event::Request(_) => matches!(trigger, Trigger::Route(_)),
            // a call that nobody waited for comes back to the function itself, a step to the one that the workflow names
            Event::Failed(_) => matches!(trigger, Trigger::ObjectCreated { .. } | Trigger::Workflow),
            Event::Nothing => true,
        };
        if self.function.triggers.iter().any(is_due) {
            return Ok(());
        }
        Err(Error::new("wrong_event", format!("{} is not called by such an event", self.name())))
    }

    /// Whether a message is for a stage behind this one: a dead letter that a workflow begins with goes on where it was.
    fn is_before(&self, message: &Message) -> bool {
        let stages = self.preset.stages();
        let place = |wanted| stages.iter().position(|stage| *stage == wanted);
        message.stage().0 == self.preset && self.function.stage.and_then(place) < place(message.stage().1)
    }

    /// The call with the time that the workflow has for this stage: its share, and no more than is left before what the
    /// stages behind it need. With too little of that, nothing is begun, for a workflow that comes to its end leaves no
    /// dead letter.
    fn within_workflow(&self, call: &Call, began: Option<Millis>) -> Result<Call, Error> {
        let Some(workflow) = self.topology.workflow else { return Ok(call.clone()) };
        let stages = self.topology.functions.iter().filter(|function| function.triggers.contains(&Trigger::Workflow));
        let place = stages.take_while(|function| function.name != self.name()).count();
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let behind = workflow.stage_seconds.iter().skip(place + 1).sum::<u32>() + workflow.failure_seconds;
        let share = workflow.stage_seconds.get(place).copied().unwrap_or_default();
        let ends = began.map(|began| began + u64::from(WORKFLOW_SECONDS_MAX - behind) * 1000);
        let left = ends.map(|ends| Duration::from_millis(ends.saturating_sub((self.now)())));
        if left.is_some_and(|left| left < ROWS_RESERVE) {
            let text = format!("{} has no time left in this workflow; start one with what it was given", self.name());
            return Err(Error::new("out_of_time", text));
        }
        let time = left.unwrap_or(seconds(share)).min(seconds(share));
        Ok(Call { deadline: call.deadline.min(Instant::now() + time), trace: call.trace.clone() })
    }

    /// What the workflow hands to its next stage.
    fn answer(&self, handled: Option<&Message>) -> Result<Value, Error> {
        let Some(handled) = handled else { return Ok(json!({ "message": null })) };
        let next = self.ledger()?.kept(&handled.id())?.into_iter().next();
        let Some(next) = next else { return Ok(json!({ "message": null })) };
        Ok(json!({ "message": handed_on(&next)? }))
    }

    /// Aggregates what is due in each feed. A tick is known by the time for which it is, so that one that comes again
    /// is the same.
    fn tick(&self, second: u64, told: &mut Told) -> Result<(), Error> {
        // what no message comes again for is found by the clock
        self.ledger()?.look_for_untold();
        let every = self.topology.schedules.first().map_or(1, |schedule| u64::from(schedule.every_seconds)).max(1);
        let of_us = self.pipeline.feeds.iter().filter(|feed| feed.preset == self.preset);
        let feeds: Vec<Feed> = of_us.map(|feed| feed.name.clone()).collect();
        for feed in feeds {
            let message = Message::MarketAggregate(Tick { feed, due_seconds: second - second % every });
            told.message(&message);
            self.handle(&message, 1)?;
        }
        Ok(())
    }
}

/// Those messages of a batch that are to come again.
fn failed(ids: impl IntoIterator<Item = String>) -> Value {
    let ids = ids.into_iter().map(|id| json!({ "itemIdentifier": id }));
    json!({ "batchItemFailures": ids.collect::<Vec<_>>() })
}

/// A message as the workflow hands it on.
fn handed_on(message: &Message) -> Result<Value, Error> {
    let unwritable = |error: &dyn std::error::Error| Error::new("unwritable", crate::function::chain(error));
    let text = message.to_json().map_err(|error| unwritable(&error))?;
    serde_json::from_str(&text).map_err(|error| unwritable(&error))
}
