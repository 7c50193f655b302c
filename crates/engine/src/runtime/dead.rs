//! Dead letters: what is told of an attempt that failed, what a receipt is told of it, and what an operator sees and does.

use std::any::Any;

use pipeline::feed::OnPoison;
use pipeline::handle;
use pipeline::message::Message;
use pipeline::object::ReceiptId;
use pipeline::preset::Stage;
use pipeline::receipt::{Event, Outcome, Receipt, What};
use pipeline::records::{self, Notice};
use serde::{Deserialize, Serialize};

use super::{Engine, Error, Result, Shared, now};
use crate::plan::Line;
use crate::queues::{Listed, MessageId, Millis, Received};
use crate::session::FlushError;

/// What is told of an attempt that failed; it stays with the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// `error`, or `panic` for a fault of ours.
    pub class: String,
    /// A stable name for what went wrong.
    pub code: String,
    /// What went wrong, with its causes.
    pub error: String,
    /// The stage.
    pub stage: Stage,
    /// The attempt.
    pub attempt: u32,
    /// When.
    pub at: Millis,
    /// The file, if it is about one.
    pub receipt: Option<ReceiptId>,
    /// The program that tried.
    pub version: String,
}

impl Told {
    fn new(line: &Line, received: &Received, class: &str, code: &str, error: String) -> Self {
        Self {
            class: class.to_owned(),
            code: code.to_owned(),
            error,
            stage: line.stage,
            attempt: received.receives,
            at: now(),
            receipt: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    pub(super) fn error(line: &Line, received: &Received, message: &Message, error: &handle::Error) -> Self {
        let told = Self::new(line, received, "error", error.code(), chain(error));
        Self { receipt: file_of(message), ..told }
    }

    pub(super) fn panic(line: &Line, received: &Received, message: &Message, panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no more is known");
        Self { receipt: file_of(message), ..Self::new(line, received, "panic", "fault_of_millrace", text.to_owned()) }
    }

    pub(super) fn unknown(line: &Line, received: &Received, error: &pipeline::message::Error) -> Self {
        Self::new(line, received, "error", "unknown_message", chain(error))
    }

    pub(super) fn flush(line: &Line, received: &Received, error: &FlushError) -> Self {
        let message = Message::from_json(&String::from_utf8_lossy(&received.body)).ok();
        let told = Self::new(line, received, "error", "not_committed", chain(error));
        Self { receipt: message.as_ref().and_then(file_of), ..told }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The file that a message is about.
pub(super) fn file_of(message: &Message) -> Option<ReceiptId> {
    match message {
        Message::MarketProcess(records) => records.of.as_ref().map(|share| share.work.receipt()),
        message => message.work().map(pipeline::message::Work::receipt),
    }
}

/// Has it told that a message is a dead letter now. One whose holders died is told of by its receipt alone.
pub(super) fn tell(shared: &Shared, line: &Line, id: MessageId, told: &Told) {
    let detail = format!("{}: {}", line.dead, told.error);
    let notice = Notice { receipt_id: told.receipt.clone(), ..Notice::about("dead_letter.created", told.at, detail) };
    let key = records::notice_about("dead-letter", &format!("{id}.{}", told.at));
    // if this is not written, the list of dead letters still has it, and so has the alarm
    drop(shared.note(&key, &notice));
}

/// Tells the receipt that a stage of its file gave up.
pub(super) fn mark(shared: &Shared, told: &Told) {
    // if this fails, the clock finds it
    let _ = try_mark(shared, told);
}

fn try_mark(shared: &Shared, told: &Told) -> Result<()> {
    let Some(id) = &told.receipt else { return Ok(()) };
    let what = What::Failed { stage: told.stage, attempt: told.attempt, error: told.error.clone() };
    let event = Event { at: told.at, what };
    shared.with_call(&shared.ports(), 1, |_, call| pipeline::tell::tell(call.ledger, id, event))?;
    shared.live.tell([id.clone()]);
    Ok(())
}

/// Tells the receipts of all dead letters, in case nobody lived to tell: a message also dies when those who had it did.
pub(super) fn mark_all(shared: &Shared) -> Result<()> {
    for letter in list(shared)? {
        let Some(id) = &letter.receipt else { continue };
        let receipt = pipeline::find::by_id(&shared.ports(), id)?;
        let is_told =
            receipt.as_ref().and_then(|receipt| receipt.progress(letter.stage)?.failure.as_ref()).is_some_and(
                // a redriven one that died again is told again
                |failure| failure.at.saturating_add(TOLD_EARLY_MS) >= letter.died_at,
            );
        if !is_told && receipt.is_some() {
            try_mark(shared, &letter.told(shared))?;
        }
    }
    Ok(())
}

/// A failure is told with the time of the attempt, and the message dies a moment later.
const TOLD_EARLY_MS: Millis = 60_000;

/// A dead letter as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// The queue it is in now.
    pub queue: String,
    /// The stage that could not finish it.
    pub stage: Stage,
    /// Its feed.
    pub feed: Option<String>,
    /// The file, if it is about one.
    pub receipt: Option<ReceiptId>,
    /// The key of the file.
    pub file: Option<String>,
    /// When it was sent.
    pub sent_at: Millis,
    /// When it became a dead letter.
    pub died_at: Millis,
    /// When it was received in vain.
    pub attempts: Vec<Millis>,
    /// The last thing that was said of it.
    pub error: Option<String>,
    /// A stable name of that.
    pub code: Option<String>,
}

/// A dead letter with everything there is to know about it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// As a list shows it.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// What was said of each attempt, the latest last.
    pub notes: Vec<serde_json::Value>,
    /// Its trace.
    pub trace_id: Option<String>,
    /// The contract that its file was held against, with its version.
    pub contract: Option<(String, u32)>,
    /// The message, with what was in it cut.
    pub message: String,
}

const SAMPLE_CHARS: usize = 600;

/// The front of a message. Of rows that travel in it only the form is shown: what a partner sends is not for every log.
fn sample(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let masked = |row: &str| -> String {
        let mask = |letter: char| match letter {
            letter if letter.is_ascii_digit() => '9',
            letter if letter.is_alphabetic() => 'x',
            letter => letter,
        };
        row.chars().map(mask).collect()
    };
    let shown = match Message::from_json(&text) {
        Ok(Message::MarketProcess(mut records)) => {
            let rows = records.records.len();
            records.records = records.records.iter().take(1).map(|row| masked(row)).collect();
            let message = Message::MarketProcess(records);
            format!("{rows} rows such as: {}", message.to_json().unwrap_or_default())
        }
        _ => text.into_owned(),
    };
    shown.chars().take(SAMPLE_CHARS).collect()
}

impl DeadLetter {
    fn told(&self, shared: &Shared) -> Told {
        let last = shared.queues.queue(&self.queue).ok().and_then(|queue| {
            let shown = shared.queues.show(queue, number(&self.id)?, now()).ok()?;
            shown.notes.last().and_then(|note| serde_json::from_slice::<Told>(&note.text).ok())
        });
        let attempt = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        let told = last.unwrap_or_else(|| Told {
            class: "error".to_owned(),
            code: "never_answered".to_owned(),
            error: "the program ended each time it was at it".to_owned(),
            stage: self.stage,
            attempt,
            at: self.died_at,
            receipt: self.receipt.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        Told { at: told.at.max(self.died_at), ..told }
    }
}

fn number(id: &str) -> Option<MessageId> {
    u64::from_str_radix(id, 16).ok().map(MessageId::from_number)
}

fn list(shared: &Shared) -> Result<Vec<DeadLetter>> {
    let mut letters = Vec::new();
    for line in shared.plan.with_dead_letters() {
        let queue = shared.queues.queue(&line.dead)?;
        let mut after = None;
        loop {
            let page = shared.queues.list(queue, after, 1000, now()).wait()?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for listed in page {
                letters.push(letter(shared, line, queue, listed)?);
            }
        }
    }
    letters.sort_by(|left, right| (left.died_at, &left.id).cmp(&(right.died_at, &right.id)));
    Ok(letters)
}

fn letter(shared: &Shared, line: &Line, queue: crate::queues::Queue, listed: Listed) -> Result<DeadLetter> {
    let shown = shared.queues.show(queue, listed.id, now())?;
    let message = Message::from_json(&String::from_utf8_lossy(&shown.body)).ok();
    let told = shown.notes.last().and_then(|note| serde_json::from_slice::<Told>(&note.text).ok());
    Ok(DeadLetter {
        id: listed.id.to_string(),
        queue: line.dead.clone(),
        stage: line.stage,
        feed: message.as_ref().map(|message| message.group().as_str().to_owned()),
        receipt: message.as_ref().and_then(file_of),
        file: message.as_ref().and_then(|message| Some(message.work()?.object.key.clone())),
        sent_at: listed.sent_at,
        died_at: listed.entered_at,
        attempts: listed.attempts,
        error: told.as_ref().map(|told| told.error.clone()),
        code: told.map(|told| told.code),
    })
}

impl Engine {
    /// All dead letters, the first that died first.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        list(&self.shared)
    }

    /// One of them with everything there is to know about it.
    pub fn dead_letter(&self, id: &str) -> Result<Shown> {
        let letter = self.find(id)?;
        let queue = self.shared.queues.queue(&letter.queue)?;
        let known = number(id).ok_or_else(|| Error::NoDeadLetter(id.to_owned()))?;
        let shown = self.shared.queues.show(queue, known, now())?;
        let receipt: Option<Receipt> = match &letter.receipt {
            Some(receipt) => pipeline::find::by_id(&self.ports(), receipt)?,
            None => None,
        };
        let notes = shown.notes.iter().map(|note| {
            serde_json::from_slice(&note.text)
                .unwrap_or_else(|_| serde_json::Value::String(String::from_utf8_lossy(&note.text).into_owned()))
        });
        Ok(Shown {
            notes: notes.collect(),
            trace_id: receipt.as_ref().map(|receipt| receipt.arrival().trace.clone()),
            contract: receipt.as_ref().and_then(|receipt| receipt.account()?.contract.clone()),
            message: sample(&shown.body),
            letter,
        })
    }

    fn find(&self, id: &str) -> Result<DeadLetter> {
        let letters = list(&self.shared)?;
        letters.into_iter().find(|letter| letter.id == id).ok_or_else(|| Error::NoDeadLetter(id.to_owned()))
    }

    /// The file that this one waits for, because its dead letter parks the feed.
    pub fn blocked_by(&self, receipt: &Receipt) -> Result<Option<ReceiptId>> {
        let arrival = receipt.arrival();
        let parks = self.shared.pipeline.feeds.named(arrival.feed.as_str());
        let parks = parks.is_some_and(|feed| feed.on_poison == OnPoison::Park);
        if !parks || !matches!(receipt.outcome(), Outcome::InProgress) {
            return Ok(None);
        }
        let of = (arrival.preset, receipt.stage());
        let Some(line) = self.shared.plan.lines.iter().find(|line| (line.preset, line.stage) == of) else {
            return Ok(None);
        };
        let (queue, dead) = (self.shared.queues.queue(&line.name)?, self.shared.queues.queue(&line.dead)?);
        let mut after = None;
        loop {
            let page = self.shared.queues.list(queue, after, 1000, now()).wait()?;
            let Some(last) = page.last() else { return Ok(None) };
            after = Some(last.id);
            let is_ours = |listed: &&Listed| listed.group.as_deref() == Some(arrival.feed.as_str());
            if let Some(by) = page.iter().filter(is_ours).find_map(|listed| listed.blocked_by) {
                let shown = self.shared.queues.show(dead, by, now())?;
                let message = Message::from_json(&String::from_utf8_lossy(&shown.body)).ok();
                return Ok(message.as_ref().and_then(file_of));
            }
        }
    }

    /// Sends one back to where it came from.
    pub fn redrive(&self, id: &str) -> Result<()> {
        let letter = self.find(id)?;
        let queue = self.shared.queues.queue(&letter.queue)?;
        let number = number(id).ok_or_else(|| Error::NoDeadLetter(id.to_owned()))?;
        Ok(self.shared.queues.redrive_one(queue, number, now()).wait()?)
    }

    /// Sends all of them back, in their order; says how many.
    pub fn redrive_all(&self) -> Result<usize> {
        let mut done = 0;
        for line in self.shared.plan.with_dead_letters() {
            done += self.shared.queues.redrive(self.shared.queues.queue(&line.dead)?, now())?;
        }
        Ok(done)
    }

    /// Deletes one: its file stays failed, and nobody waits for it any more.
    pub fn purge(&self, id: &str) -> Result<()> {
        let letter = self.find(id)?;
        let queue = self.shared.queues.queue(&letter.queue)?;
        let number = number(id).ok_or_else(|| Error::NoDeadLetter(id.to_owned()))?;
        if let Some(receipt) = &letter.receipt {
            mark(&self.shared, &letter.told(&self.shared));
            self.with_call(|_, call| pipeline::tell::abandon(call.ledger, receipt))?;
        }
        Ok(self.shared.queues.purge_one(queue, number, now()).wait()?)
    }

    /// Deletes all of them; says how many.
    pub fn purge_all(&self) -> Result<usize> {
        let letters = list(&self.shared)?;
        letters.iter().try_for_each(|letter| self.purge(&letter.id))?;
        Ok(letters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::message::{Feed, Records};

    #[test]
    fn rows_in_a_sample_are_masked() {
        let feed = Feed::of_preset(pipeline::preset::Preset::Market);
        let records = vec!["{\"symbol\":\"ACME\",\"price\":\"19.5\"}".to_owned(), "{}".to_owned()];
        let message = Message::MarketProcess(Records { feed, origin: "o".into(), of: None, part: 0, records });
        let shown = sample(message.to_json().unwrap().as_bytes());
        assert!(shown.starts_with("2 rows such as: ") && shown.contains("99.9"), "{shown}");
        assert!(!shown.contains("ACME") && !shown.contains("19.5"), "{shown}");
        assert!(sample(b"no message").contains("no message"));
    }
}
