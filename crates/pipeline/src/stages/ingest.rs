//! The first stage of `market`: a file is parsed as everywhere, and its good rows are sent on in messages, so many at a
//! time, to be kept one by one.

use std::ops::ControlFlow;

use rows::good::Reader;

use super::parse::Parsed;
use super::{Task, unreadable, validate};
use crate::handle::Error;
use crate::limits::{MARKET_FILE_ROWS_MAX, MESSAGE_BYTES_MAX, RECORDS_PER_MESSAGE_MAX};
use crate::message::{Message, MessageId, Records, Share, Work};
use crate::point::Point;
use crate::ports::Committed;

/// Messages that are committed at once.
const MESSAGES_PER_COMMIT: usize = 10;

pub(crate) fn run(task: &Task<'_>, work: &Work) -> Result<Committed, Error> {
    let send = |parsed: &mut Parsed| {
        let rows = parsed.account.counts.good;
        if parsed.account.refused.is_none() && rows > MARKET_FILE_ROWS_MAX {
            let message = format!("the file has {rows} good rows, more than {MARKET_FILE_ROWS_MAX}");
            let hint = "send it in parts, or to a feed of preset files";
            parsed.account.refuse(super::parse::refusal("too_many_rows", message, hint));
            parsed.links.clear();
        }
        if parsed.account.refused.is_some() { Ok(()) } else { send_rows(task, work, parsed) }
    };
    validate::first(task, work, send, |_, _| {})
}

/// Sends the rows. That comes before the commit that says the file was parsed: until then the file comes again, and a
/// message that was sent is not sent twice.
fn send_rows(task: &Task<'_>, work: &Work, parsed: &Parsed) -> Result<(), Error> {
    let Some((_, object)) = parsed.links.iter().find(|(name, _)| *name == "rows") else {
        return Err(Error::Missing { what: "rows", receipt: work.receipt() });
    };
    let told = |cause| unreadable(object, cause);
    let mut reader = Reader::open(task.call.objects.open(object)?.input).map_err(told)?;
    let rows = reader.rows();
    let share = Share { work: work.clone(), parts: rows.div_ceil(RECORDS_PER_MESSAGE_MAX as u64).max(1), rows };
    let mut sender = Sender { task, share, part: 0, records: Vec::new(), messages: Vec::new() };
    let mut failed = None;
    let each = |_, row: rows::good::Row<'_>| {
        let pushed = Point::of(&row).map_or(Ok(()), |point| sender.push(&point));
        match pushed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    reader.rows_between(None, None, each).map_err(told)?;
    failed.map_or(Ok(()), Err)?;
    sender.end()
}

struct Sender<'a> {
    task: &'a Task<'a>,
    share: Share,
    part: u64,
    records: Vec<String>,
    messages: Vec<Message>,
}

impl Sender<'_> {
    fn push(&mut self, point: &Point) -> Result<(), Error> {
        let json = serde_json::to_string(point).expect("a point is text");
        debug_assert!(json.len() * RECORDS_PER_MESSAGE_MAX < MESSAGE_BYTES_MAX || json.len() > 400);
        self.records.push(json);
        if self.records.len() < RECORDS_PER_MESSAGE_MAX { Ok(()) } else { self.cut() }
    }

    /// Makes a message of what is there.
    fn cut(&mut self) -> Result<(), Error> {
        let records = Records {
            feed: self.task.feed.name.clone(),
            origin: self.share.work.receipt().as_str().to_owned(),
            of: Some(self.share.clone()),
            part: self.part,
            records: std::mem::take(&mut self.records),
        };
        self.part += 1;
        self.messages.push(Message::MarketProcess(records));
        if self.messages.len() < MESSAGES_PER_COMMIT { Ok(()) } else { self.commit() }
    }

    fn commit(&mut self) -> Result<(), Error> {
        let source = MessageId::of_part(&self.task.message.id(), "rows", &self.part.to_string());
        let mut draft = self.task.draft();
        self.messages.drain(..).for_each(|message| draft.send(message));
        draft.commit(source).map(drop)
    }

    fn end(mut self) -> Result<(), Error> {
        // a file without good rows sends one message too: what comes last finds that all parts are done
        if !self.records.is_empty() || self.part == 0 {
            self.cut()?;
        }
        if self.messages.is_empty() { Ok(()) } else { self.commit() }
    }
}
