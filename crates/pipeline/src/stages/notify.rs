//! The last stage of `transactions`: who waits for the file is told. What is to be said is a record, which the end of a file
//! writes in every preset; a runtime that can reach people delivers it.

use super::{Task, validate};
use crate::handle::Error;
use crate::message::Work;
use crate::ports::Committed;

pub(crate) fn run(task: &Task<'_>, work: &Work) -> Result<Committed, Error> {
    if task.open_receipt(work)?.is_none() {
        return task.nothing_to_do();
    }
    let began_at = task.now();
    task.decide(work, |mut draft| {
        let mut receipt = draft.receipt(&work.receipt())?;
        if !task.is_open(&receipt, work) {
            return task.nothing_to_do();
        }
        let now = task.now();
        task.begun_and_ended(began_at, now).into_iter().for_each(|event| receipt.apply(event));
        validate::end(&mut draft, &receipt)?;
        draft.commit(task.message.id())
    })
}
