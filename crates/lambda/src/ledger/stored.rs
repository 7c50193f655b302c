//! Rows of `transactions`, which are no records: they are written before the commit that makes them count, and what counts
//! is said by one item for each set of rows, beside them, in the transaction of the commit that changes it.
//!
//! A set of rows is what one file was validated to, and is named by that. A copy of the file that comes to count later
//! counts by the same set.

use std::collections::BTreeMap;

use pipeline::ports::{Cause, Commit};
use pipeline::records::Contribution;
use pipeline::step::{Kind, Write};

use super::{Ledger, place};
use crate::table::{EXPIRES, Field, Item, Key, Name, fill::fill, number};

/// The name of the field with the id of a transaction, or of a set of rows.
pub const TRANSACTION: &str = "transaction_id";
/// The name of the field with the set of rows.
pub const FILE: &str = "file";
/// What stands in it in the item of the set itself.
pub const STANDING: &str = "standing";
/// The name of the field that says whether the rows count.
pub const COUNTS: &str = "counts";
const STORED: &str = "rowsStored";

/// The set of rows that this object has; objects of rows are called `validated/SET/…`.
pub fn set_of(key: &str) -> &str {
    key.split('/').nth(1).unwrap_or(key)
}

impl Ledger {
    /// What a commit says of sets of rows whose standing it changes.
    pub(super) fn standings(&self, commit: &Commit) -> Result<Vec<Item>, Cause> {
        if !self.keeps_standings {
            return Ok(Vec::new());
        }
        let mut changed: BTreeMap<String, (Contribution, bool)> = BTreeMap::new();
        for Write { key, value } in commit.step.writes.iter().filter(|write| write.key.kind == Kind::Contribution) {
            let before = self.item(key)?.map_or(Ok(None), |item| self.value(&item))?;
            let read = |value: &[u8]| serde_json::from_slice::<Contribution>(value);
            let (before, after) = (before.as_deref().map(read).transpose()?, value.as_deref().map(read).transpose()?);
            let set = |of: &Contribution| set_of(&of.rows.key).to_owned();
            let counts = |of: &&Contribution| of.superseded_by.is_none();
            let (had, has) = (before.as_ref().filter(counts).map(&set), after.as_ref().filter(counts).map(&set));
            if had == has {
                continue;
            }
            // who counts by a set from now on is told, whoever did before
            if let (Some(set), Some(before)) = (had, before) {
                changed.entry(set).or_insert((after.clone().unwrap_or(before), false));
            }
            if let (Some(set), Some(after)) = (has, after) {
                changed.insert(set, (after, true));
            }
        }
        Ok(changed.into_iter().map(|(set, (of, counts))| standing(&set, &of, counts)).collect())
    }

    /// How many of a set's rows are known to be in the table, from the first on.
    pub(crate) fn stored(&self, set: &str) -> Result<u64, Cause> {
        let item = self.table.get(&checkpoint(set).into())?;
        Ok(item.and_then(|item| crate::table::number(&item, STORED)).unwrap_or(0))
    }

    /// Writes rows, and then down that so many of the set are there.
    pub(crate) fn store(&self, set: &str, items: Vec<Item>, stored: u64) -> Result<(), Cause> {
        fill(self.table.as_ref(), Name::Rows, items, self.process, self.until())?;
        let fields = [(STORED, Field::Number(stored)), (EXPIRES, Field::Number(self.expires()))];
        fill(self.table.as_ref(), Name::Ledger, vec![checkpoint(set).item(fields)], self.process, self.until())
    }
}

fn checkpoint(set: &str) -> Key {
    place::stored(set)
}

/// Whether a set of rows counts, and for which file.
fn standing(set: &str, of: &Contribution, counts: bool) -> Item {
    let text = |text: &str| Field::Text(text.to_owned());
    let mut item = Item::from([
        (TRANSACTION.to_owned(), text(set)),
        (FILE.to_owned(), text(STANDING)),
        (COUNTS.to_owned(), text(if counts { "yes" } else { "no" })),
        ("receipt_id".to_owned(), text(of.receipt.as_str())),
        ("rows".to_owned(), number::field(&of.summary.rows.to_string())),
    ]);
    item.extend(of.superseded_by.as_ref().map(|by| ("superseded_by".to_owned(), text(by.receipt.as_str()))));
    item
}
