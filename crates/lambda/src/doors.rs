//! The doors: what a call is about, and what is answered.

mod batch;
mod failed;
mod files;
mod http;
mod ingest;
mod left;
mod time;
mod upload;

use pipeline::message::{Feed, Message, Tick};
use pipeline::topology::Trigger;
use serde_json::{Value, json};

use crate::events::{Event, Turn, of_workflow};
use crate::function::{Error, Function};
use crate::stored::Stored;
use crate::tell::Told;

pub use time::Call;

impl Function {
    /// Answers a call, and writes down in `told` what was done.
    pub fn call(&self, event: Value, call: &Call, told: &mut Told) -> Result<Value, Error> {
        self.tracer.begin(call.trace.as_deref());
        let answer = self.answered(event, call, told);
        self.tracer.end();
        answer
    }

    fn answered(&self, event: Value, call: &Call, told: &mut Told) -> Result<Value, Error> {
        let (event, turn) = of_workflow(event);
        let event = Event::read(event)?;
        self.expect(&event)?;
        let call = &self.within_workflow(&event, call, turn.began);
        if turn.attempt > 1
            && let Some(ledger) = &self.ledger
        {
            // whoever had it before may have died before it told
            ledger.look_for_untold();
        }
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
            Event::Started(arrived) => self
                .begin_in_time(turn.began)
                .and_then(|()| self.arrived(arrived, turn.attempt, told))
                .and_then(|first| self.answer(first.as_ref())),
            Event::Task(message) => self.step(&message, call, turn, told),
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
    fn step(&self, message: &Message, call: &Call, turn: Turn, told: &mut Told) -> Result<Value, Error> {
        if self.is_before(message) {
            return Ok(json!({ "message": handed_on(message)? }));
        }
        told.message(message);
        self.begin_in_time(turn.began)?;
        if self.store_rows(message, call)? == Stored::InPart {
            return Ok(json!({ "message": handed_on(message)?, "more": true }));
        }
        self.handle(message, turn.attempt)?;
        self.answer(Some(message))
    }

    /// Whether this function is called so.
    fn expect(&self, event: &Event) -> Result<(), Error> {
        let is_due = |trigger: &Trigger| match event {
            Event::Files(_) => matches!(trigger, Trigger::ObjectCreated { .. }),
            Event::Batch(_) => matches!(trigger, Trigger::Queue { .. }),
            Event::Started(_) => matches!(trigger, Trigger::Workflow),
            Event::Task(_) => matches!(trigger, Trigger::Workflow | Trigger::Anew),
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
            self.send_left(&feed)?;
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
