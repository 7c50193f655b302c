//! Settling: what is prepared becomes what is there, or is taken back, before somebody else writes.

use std::sync::PoisonError;

use pipeline::step::RecordKey;

use super::place::{self, NEXT_TOKEN, Next};
use super::{Failed, Ledger};
use crate::table::{Action, Error, Field, Item, Test};

impl Ledger {
    /// The record as it is now, settled: its content. What the attempt `own` has prepared stays prepared.
    pub(super) fn settled(&self, key: &RecordKey, own: Option<&str>) -> Result<Option<Vec<u8>>, Failed> {
        let Some(item) = self.item(key)? else { return Ok(None) };
        let value = self.decided(&item, own)?;
        if let Some(next) = Next::of(&item).filter(|next| Some(next.token.as_str()) != own) {
            self.settle(key, &next, value.as_deref())?;
        }
        Ok(value)
    }

    /// What a record is, now that whatever else is prepared on it is decided.
    pub(super) fn decided(&self, item: &Item, own: Option<&str>) -> Result<Option<Vec<u8>>, Failed> {
        let next = Next::of(item).filter(|next| Some(next.token.as_str()) != own);
        match next {
            Some(next) if self.is_decided(&next)? => Ok(next.value),
            _ => Ok(place::value(item)),
        }
    }

    /// Whether the attempt happened; one that has not will not any more.
    fn is_decided(&self, next: &Next) -> Result<bool, Failed> {
        let known = self.fates.lock().unwrap_or_else(PoisonError::into_inner).get(&next.token).copied();
        if let Some(happened) = known {
            return Ok(happened);
        }
        if self.has_happened(&next.source, &next.token)? {
            return Ok(true);
        }
        // an attempt needs its intent in its last transaction: without it, it fails
        let intent = Action::Delete(place::intent(&next.token), vec![Test::Is(NEXT_TOKEN, text(&next.token))]);
        match self.table.transact(vec![intent]) {
            Ok(()) => {}
            // it has happened just now, or somebody else has taken the intent away
            Err(Error::Refused(refused)) if !refused.is_empty() => {
                if self.has_happened(&next.source, &next.token)? {
                    return Ok(true);
                }
            }
            // somebody is at the intent just now, perhaps the attempt itself: it is open how that ends
            Err(Error::Refused(_)) => return Err(Failed::Contended),
            Err(Error::Unavailable(cause)) => return Err(Failed::Unavailable(cause)),
        }
        self.remember(&next.token, false);
        Ok(false)
    }

    fn settle(&self, key: &RecordKey, next: &Next, value: Option<&[u8]>) -> Result<(), Failed> {
        let action = self.spot(key).write(value, vec![Test::Is(NEXT_TOKEN, text(&next.token))]);
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
