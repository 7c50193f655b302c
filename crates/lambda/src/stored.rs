//! The good rows of a file of `transactions` into their table, before the commit that makes them count. Every few thousand
//! rows it is written down how many are there: a call that comes to its time goes on where the one before left off.

use std::ops::ControlFlow;
use std::time::Instant;

use pipeline::message::{Message, Work};
use pipeline::object::{ObjectVersion, digest};
use pipeline::ports::{Ledger as _, Objects as _};
use pipeline::preset::Stage;
use pipeline::receipt::Receipt;
use pipeline::records;
use pipeline::rows::good::{Reader, Row};
use pipeline::rows::time::rfc3339;
use pipeline::topology::{Holds, Use};

use crate::doors::Call;
use crate::function::{Error, Function, chain};
use crate::ledger::stored::{FILE, TRANSACTION, set_of};
use crate::limits::{STORED_ROWS_PER_CHECKPOINT, TRANSACTION_ID_BYTES_MAX};
use crate::table::{Field, Item, number};

/// How far the rows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// All are there, or none are wanted.
    All,
    /// The time is over, and more have come to be there.
    InPart,
}

impl Function {
    /// Stores the rows of the file that a message is about, if this function does that. With `Stored::InPart` the same
    /// message is to come again.
    pub(crate) fn store_rows(&self, message: &Message, call: &Call) -> Result<Stored, Error> {
        let Message::TransactionsTransform(work) = message else { return Ok(Stored::All) };
        if !self.function.uses.contains(&Use::Fill(Holds::Rows)) {
            return Ok(Stored::All);
        }
        let Some(receipt) = self.open_receipt(work)? else { return Ok(Stored::All) };
        // without rows, the stage says so
        let Some(object) = receipt.link("rows") else { return Ok(Stored::All) };
        self.tracer.rows(message, || self.store_rows_of(object, call))
    }

    fn store_rows_of(&self, object: &ObjectVersion, call: &Call) -> Result<Stored, Error> {
        let (set, began) = (set_of(&object.key), Instant::now());
        let ledger = self.ledger()?;
        let unavailable = |cause: pipeline::ports::Cause| Error::new("unavailable", chain(cause.as_ref()));
        let from = ledger.stored(set).map_err(unavailable)?;
        let unreadable = |cause: std::io::Error| Error::new("bytes_unreadable", chain(&cause));
        let mut reader = Reader::open(self.objects()?.open(object)?.input).map_err(unreadable)?;
        let rows = reader.rows();
        if from >= rows {
            return Ok(Stored::All);
        }
        let (mut items, mut failed, mut stored) = (Vec::new(), None, from);
        let read = reader.rows_behind(from, |place, row| {
            items.extend(item(set, &row));
            let is_last = place + 1 == rows;
            if items.len() < STORED_ROWS_PER_CHECKPOINT && !is_last {
                return ControlFlow::Continue(());
            }
            stored = place + 1;
            failed = ledger.store(set, std::mem::take(&mut items), stored).err();
            if failed.is_some() || !call.has_time_for_rows() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        failed.map_or(Ok(()), |cause| Err(unavailable(cause)))?;
        read.map_err(unreadable)?;
        // what follows reads the rows again: it gets a call that has most of its time
        let is_late = began.elapsed() > call.left();
        Ok(if stored < rows || is_late { Stored::InPart } else { Stored::All })
    }

    /// The receipt of a file whose rows are still to be made count.
    fn open_receipt(&self, work: &Work) -> Result<Option<Receipt>, Error> {
        let key = records::receipt(&work.receipt());
        let loaded = self.ledger()?.load(&key)?;
        let receipt: Option<Receipt> = loaded.value.and_then(|value| serde_json::from_slice(&value).ok());
        Ok(receipt.filter(|receipt| {
            let is_over = receipt.is_refused() || receipt.duplicate_of().is_some() || receipt.is_done(Stage::Transform);
            receipt.generation() == work.generation && !is_over
        }))
    }
}

/// A transaction as people read it. An id that is too long for a key is there by its hash, and whole beside it.
fn item(set: &str, row: &Row<'_>) -> Option<Item> {
    let Row::Transaction { id, time, amount, currency, merchant, status, line } = row else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (id, merchant) = (text(id), text(merchant));
    // a range of times is one of texts, so all have nine digits of a fraction
    let second = rfc3339(time.div_euclid(SECOND_NS) * SECOND_NS);
    let timestamp = format!("{}.{:09}Z", second.trim_end_matches('Z'), time.rem_euclid(SECOND_NS));
    let is_long = id.len() > TRANSACTION_ID_BYTES_MAX;
    let key = if is_long { format!("~{}", digest(&[&id])) } else { id.clone() };
    let mut item = Item::from(
        [
            (TRANSACTION, Field::Text(key)),
            (FILE, Field::Text(set.to_owned())),
            ("day", Field::Text(timestamp.chars().take_while(|letter| *letter != 'T').collect())),
            ("timestamp", Field::Text(timestamp)),
            ("amount", number::field(&amount.to_string())),
            ("currency", Field::Text((*currency).to_owned())),
            ("merchant", Field::Text(merchant)),
            ("status", Field::Text((*status).to_owned())),
            ("line", Field::Number(*line)),
        ]
        .map(|(name, field)| (name.to_owned(), field)),
    );
    item.extend(is_long.then(|| ("whole_id".to_owned(), Field::Text(id))));
    Some(item)
}

const SECOND_NS: i64 = 1_000_000_000;
