//! Pages of rows: those of an instrument are one query of the table; which instruments there are stands in the ledger.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use pipeline::ports::Cause;
use pipeline::records::{instant, unescaped};

use super::{PLACES, Row, id, partition};
use crate::ledger::plan::Entry;
use crate::ledger::{Ledger, place};
use crate::limits::SYMBOLS_REMEMBERED_MAX;
use crate::table::{Key, Name, Place, fill::fill};

/// Instruments that are asked for at once.
const PAGE_SYMBOLS: usize = 500;

/// A page, with the ids of its records in order.
pub(in crate::ledger) type Page = Vec<(String, Vec<u8>)>;

impl Ledger {
    /// Rows of the table whose ids begin with `within`, behind `after`.
    pub(in crate::ledger) fn page_of_rows(
        &self,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Page, Cause> {
        let mut found = Page::new();
        let mut parts = within.split('/');
        let (feed, symbol) = (parts.next().unwrap_or_default(), parts.next().filter(|_| parts.next().is_some()));
        let instruments = match symbol {
            Some(symbol) => BTreeSet::from([format!("{feed}/{symbol}/")]),
            None => self.instruments(within)?,
        };
        for instrument in instruments {
            // all of its ids are behind `after`, or some, or none
            let is_behind = after.is_some_and(|after| !after.starts_with(&instrument) && *instrument < *after);
            if found.len() >= records_max || is_behind {
                continue;
            }
            self.page_of_instrument(&instrument, within, after, records_max, &mut found)?;
        }
        Ok(found)
    }

    fn page_of_instrument(
        &self,
        instrument: &str,
        within: &str,
        after: Option<&str>,
        records_max: usize,
        found: &mut Page,
    ) -> Result<(), Cause> {
        let mut parts = instrument.split('/').map(unescaped);
        let symbol = partition(&parts.next().unwrap_or_default(), &parts.next().unwrap_or_default());
        let (mut from, to) = places(within.strip_prefix(instrument).unwrap_or_default());
        let row = after.and_then(Row::of);
        if let Some(after) = after.and_then(|after| after.strip_prefix(instrument)) {
            from = from.max(row.as_ref().map_or_else(|| places(after).0, |row| row.key.timestamp + 1));
        }
        // an id that is no row's says only from where on those behind it are
        let before = after.filter(|_| row.is_none());
        while from <= to && found.len() < records_max {
            let (items, next) = self.table.query_rows(&symbol, from, to, records_max - found.len())?;
            for item in items {
                let id = id(&item).ok_or_else(|| format!("a row of {symbol} has no id"))?;
                if !id.starts_with(within) || before.is_some_and(|before| id.as_str() <= before) {
                    continue;
                }
                let Some(value) = self.value(&item)? else { continue };
                found.push((id, value));
            }
            let Some(next) = next else { break };
            from = next;
        }
        Ok(())
    }

    /// The instruments of which rows were ever written, as what their ids begin with.
    fn instruments(&self, within: &str) -> Result<BTreeSet<String>, Cause> {
        let mut found = BTreeSet::new();
        let groups: Vec<String> = match within.split_once('/') {
            Some((feed, _)) => vec![place::instruments(feed)],
            None => place::all_instruments().collect(),
        };
        for group in groups {
            let mut after: Option<String> = None;
            loop {
                let (items, next) = self.table.query(&group, within, after.as_deref(), PAGE_SYMBOLS)?;
                found.extend(items.iter().map(|item| Key::of(item).id));
                let Some(next) = next else { break };
                after = Some(next);
            }
        }
        Ok(found)
    }

    /// Writes down which instruments rows are of, before the first of them count.
    pub(in crate::ledger) fn list_instruments(&self, entries: &[Entry<'_>]) -> Result<(), Cause> {
        let rows = entries.iter().filter(|entry| entry.change.is_some_and(Option::is_some));
        let rows = rows.filter(|entry| matches!(self.spot(entry.key).place(), Place::Row(_)));
        let instrument =
            |entry: &Entry<'_>| entry.key.id.rsplit_once('/').map(|(instrument, _)| format!("{instrument}/"));
        let mut new: BTreeSet<String> = rows.filter_map(instrument).collect();
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        new.retain(|instrument| !listed.contains(instrument));
        if new.is_empty() {
            return Ok(());
        }
        let item = |instrument: &String| place::instrument(instrument).item([]);
        fill(self.table.as_ref(), Name::Ledger, new.iter().map(item).collect(), self.process, self.until())?;
        if listed.len() >= SYMBOLS_REMEMBERED_MAX {
            listed.clear();
        }
        listed.extend(new);
        Ok(())
    }
}

/// The first and the last place that an id can have that goes on like this behind its instrument.
fn places(tail: &str) -> (i128, i128) {
    let digits: String = tail.chars().take(20).take_while(char::is_ascii_digit).collect();
    let time = |fill: &str| {
        // there are texts of more than there is time
        let filled = format!("{digits}{}", fill.repeat(20 - digits.len()));
        i128::from(instant(&filled).unwrap_or(i64::MAX))
    };
    let (first, last) = (time("0") * PLACES, (time("9") + 1) * PLACES - 1);
    match tail[digits.len()..].chars().next() {
        // no row goes on like this: it is behind all that go on with a digit
        Some(letter) if digits.len() < 20 && letter > '9' => (last + 1, last),
        _ => (first, last),
    }
}
