//! Settling: what is prepared becomes what is there, or is taken back, before somebody else writes.

use pipeline::step::RecordKey;

use super::place::{self, NEXT_TOKEN, Next};
use super::{Failed, Ledger};
use crate::table::{Action, Error, Field, Item, Name, Test, bytes};

impl Ledger {
    /// The record as it is now, settled: its content.
    pub(super) fn settled(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Failed> {
        let Some(item) = self.table.get(&place::of(key))? else { return Ok(None) };
        let Some(next) = Next::of(&item) else {
            return Ok(bytes(&item, place::VALUE).map(<[u8]>::to_vec));
        };
        let value = if self.is_decided(&next)? { next.value } else { bytes(&item, place::VALUE) };
        self.settle(key, &item, &next, value)?;
        Ok(value.map(<[u8]>::to_vec))
    }

    /// Whether the attempt happened; one that has not will not any more.
    fn is_decided(&self, next: &Next<'_>) -> Result<bool, Failed> {
        if self.has_happened(next.source, next.token)? {
            return Ok(true);
        }
        // an attempt needs its intent in its last transaction: without it, it fails
        let intent = Action::Delete(place::intent(next.token), vec![Test::Is(NEXT_TOKEN, text(next.token))]);
        match self.table.transact(vec![intent]) {
            Ok(()) => Ok(false),
            // somebody is at the intent just now, perhaps the attempt itself: it is open how that ends
            Err(Error::Refused(failed)) if failed.is_empty() => Err(Failed::Contended),
            // it has happened just now, or somebody else has taken the intent away
            Err(Error::Refused(_)) => Ok(self.has_happened(next.source, next.token)?),
            Err(Error::Unavailable(cause)) => Err(Failed::Unavailable(cause)),
        }
    }

    fn settle(&self, key: &RecordKey, item: &Item, next: &Next<'_>, value: Option<&[u8]>) -> Result<(), Failed> {
        let place = place::of(key);
        let tests = vec![Test::Is(NEXT_TOKEN, text(next.token))];
        let action = match value {
            Some(value) => Action::Put(Name::Ledger, place::settled(&place, &place::id(item), value), tests),
            None => Action::Delete(place, tests),
        };
        match self.table.transact(vec![action]) {
            Ok(()) => Ok(()),
            // somebody else has settled it
            Err(Error::Refused(_)) => Err(Failed::Contended),
            Err(Error::Unavailable(cause)) => Err(Failed::Unavailable(cause)),
        }
    }
}

fn text(token: &str) -> Field {
    Field::Text(token.to_owned())
}
