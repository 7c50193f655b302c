//! What is said of a window beside its numbers: whether it is still open, and how often it changed since.
//!
//! All of it follows from the files that add to it, or did, and from when those were written. So it is the same whoever
//! asks, and for any order in which the files were worked on.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::object::Order;
use crate::receipt::Other;

/// How sure a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is not over, or a file that came in its time is not done.
    Provisional,
    /// Everything that came in its time is in it.
    Final,
    /// It was final, and then something came that changed it.
    Restated,
}

/// A file that adds to a window, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<'a> {
    /// Its place in the feed, with the time at which it was written.
    pub order: &'a Order,
    /// The file that took its place.
    pub superseded_by: Option<&'a Other>,
    /// When it was begun anew.
    pub replayed_at: &'a [Millis],
}

/// What is known of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How sure it is.
    pub state: State,
    /// 1, and one more for each file that came after it was closed, a late one or a correction, and for each replay.
    pub revision: u32,
    /// When it closes, or did: so long after its end, or after its first file if that came later.
    pub closes_at: Millis,
}

/// The standing of a window that ends at `end`; `waits_since` is when the first file of the feed that is not done was
/// written.
pub fn standing<'a>(
    sources: impl Iterator<Item = Source<'a>> + Clone,
    end: Millis,
    settle: Millis,
    now: Millis,
    waits_since: Option<Millis>,
) -> Standing {
    let first = sources.clone().map(|source| source.order.at()).min().unwrap_or(0);
    let closes_at = end.max(first).saturating_add(settle);
    let mut late: BTreeSet<(Millis, Option<&Order>)> = BTreeSet::new();
    for Source { order, superseded_by, replayed_at } in sources {
        let files = [Some(order), superseded_by.map(|other| &other.order)];
        late.extend(files.into_iter().flatten().map(|order| (order.at(), Some(order))));
        late.extend(replayed_at.iter().map(|at| (*at, None)));
    }
    late.retain(|(at, _)| *at > closes_at);
    let is_open = now <= closes_at || waits_since.is_some_and(|since| since <= closes_at);
    let state = match (late.is_empty(), is_open) {
        (false, _) => State::Restated,
        (true, true) => State::Provisional,
        (true, false) => State::Final,
    };
    Standing { state, revision: 1 + u32::try_from(late.len()).unwrap_or(u32::MAX - 1), closes_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{ObjectVersion, ReceiptId};

    fn file(key: &str, at: Millis) -> Other {
        let object = ObjectVersion { bucket: "b".into(), key: key.into(), version: at.to_string() };
        Other { order: Order::of(&object, at), receipt: ReceiptId::of(&object) }
    }

    fn at(sources: &[(Other, Option<Other>)], now: Millis, waits_since: Option<Millis>) -> (State, u32) {
        let sources = sources.iter().map(|(file, by)| Source {
            order: &file.order,
            superseded_by: by.as_ref(),
            replayed_at: &[],
        });
        let Standing { state, revision, .. } = standing(sources, 1000, 100, now, waits_since);
        (state, revision)
    }

    #[test]
    fn a_window_is_open_until_its_time_is_over_and_nothing_is_outstanding() {
        let one = [(file("a", 900), None)];
        assert_eq!(at(&one, 1100, None), (State::Provisional, 1));
        assert_eq!(at(&one, 1101, None), (State::Final, 1));
        assert_eq!(at(&one, 5000, Some(1100)), (State::Provisional, 1), "a file that came in time is not done");
        assert_eq!(at(&one, 5000, Some(1101)), (State::Final, 1), "what came later can only restate it");
        let old = [(file("a", 7000), None), (file("b", 7100), None)];
        assert_eq!(at(&old, 7101, None), (State::Final, 1), "of old windows, the time begins with the first file");
    }

    #[test]
    fn a_replay_restates_it() {
        let file = file("a", 900);
        let source = Source { order: &file.order, superseded_by: None, replayed_at: &[1000, 4000] };
        let told = standing([source].into_iter(), 1000, 100, 5000, None);
        assert_eq!((told.state, told.revision), (State::Restated, 2), "one of the two came after it was closed");
    }

    #[test]
    fn what_comes_later_restates_it_once_each() {
        let late = [(file("a", 900), None), (file("b", 2000), None)];
        assert_eq!(at(&late, 5000, None), (State::Restated, 2));
        let corrected = [(file("a", 900), Some(file("a", 3000))), (file("a", 3000), None)];
        assert_eq!(at(&corrected, 5000, None), (State::Restated, 2), "a correction is one change");
        let in_time = [(file("a", 900), Some(file("a", 1050))), (file("a", 1050), None)];
        assert_eq!(at(&in_time, 5000, None), (State::Final, 1), "corrected before it was closed");
        let taken_out = [(file("a", 900), None), (file("b", 950), Some(file("b", 4000)))];
        assert_eq!(at(&taken_out, 5000, None), (State::Restated, 2), "the correction has no row in this window");
    }
}
