//! The second stage of `files`: what a file adds to the aggregates of its feed, worked out from its good rows.

use rows::contribution::{self, Settings, Summary};
use rows::good::Reader;

use super::outputs::Output;
use super::{Task, linked, output_key, unreadable};
use crate::handle::Error;
use crate::limits::BEGUN_TOLD_BYTES_MIN;
use crate::message::{Message, Work};
use crate::object::ObjectVersion;
use crate::ports::Committed;
use crate::receipt::{Event, Receipt, What};

pub(crate) fn run(task: &Task<'_>, work: &Work) -> Result<Committed, Error> {
    let Some(receipt) = task.open_receipt(work)? else { return task.nothing_to_do() };
    let began_at = task.now();
    let (object, _) = contribute(task, work, &receipt)?;
    task.decide(work, |mut draft| {
        let mut receipt = draft.receipt(&work.receipt())?;
        if !task.is_open(&receipt, work) {
            return task.nothing_to_do();
        }
        let now = task.now();
        task.begun_and_ended(began_at, now).into_iter().for_each(|event| receipt.apply(event));
        let what = What::Linked { name: "contribution".to_owned(), to: object.clone() };
        receipt.apply(Event { at: now, what });
        draft.put_receipt(&receipt)?;
        draft.send(Message::FilesAggregate(work.clone()));
        draft.commit(task.message.id())
    })
}

/// Folds the good rows of a file and writes what comes of it.
pub(super) fn contribute(task: &Task<'_>, work: &Work, receipt: &Receipt) -> Result<(ObjectVersion, Summary), Error> {
    let rows = linked(receipt, "rows")?;
    let opened = task.call.objects.open(&rows)?;
    if opened.bytes >= BEGUN_TOLD_BYTES_MIN {
        task.tell_begun(work, task.now())?;
    }
    let bytes = opened.bytes;
    let mut reader = Reader::open(opened.input).map_err(|cause| unreadable(&rows, cause))?;
    let key = output_key("contributions", &receipt.id(), work.generation, "partials");
    let output = Output::create(task.call.objects, &work.object.bucket, &key)?;
    let lent = task.pipeline.budget.memory.lend(bytes);
    let settings = Settings {
        interval: task.feed.interval,
        zone: Some(task.feed.zone.name().to_owned()),
        memory: lent.bytes,
        threads: task.threads_for(bytes),
    };
    let written = contribution::contribute(&mut reader, &settings, &mut task.scratch(), &mut *output.sink());
    let summary = written.map_err(|error| match error {
        rows::Error::Io(cause) => unreadable(&rows, cause),
        // the rows were good a moment ago: what does not fit now is told as a failure with its reason
        rows::Error::Refused(refusal) => unreadable(&rows, std::io::Error::other(refusal.message)),
    })?;
    let object = output.finish()?.ok_or(Error::Missing { what: "contribution", receipt: receipt.id() })?;
    Ok((object, summary))
}
