//! Where records are, and what stands in those that are no receipts. Ids are parts with `/` between them; a `/` within a
//! part is written `%2F`, so a part is never taken for two.

use serde::{Deserialize, Serialize};
use serde_json::{Number, json};

use crate::Millis;
use crate::message::Feed;
use crate::object::{ObjectVersion, Order, ReceiptId, digest};
use crate::point::RowId;
use crate::receipt::{Other, Outcome, Receipt};
use crate::step::{Kind, RecordKey};
use rows::contribution::Summary;
use rows::time::rfc3339;

/// As an alias: all files, the newest first.
const EVERYTHING: &str = "*";

/// The event of rows that are kept.
pub const ROWS_KEPT: &str = "rows.kept";

/// What one file adds to the aggregates of its feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Contribution {
    /// The file.
    pub receipt: ReceiptId,
    /// Its partial aggregates.
    pub object: ObjectVersion,
    /// Its good rows.
    pub rows: ObjectVersion,
    /// What is in the partial aggregates.
    pub summary: Summary,
    /// Since when it counts.
    pub counted_at: Millis,
    /// The file that took its place: it does not count any more.
    pub superseded_by: Option<Other>,
    /// When the file was begun anew: what it adds may have changed then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replayed_at: Vec<Millis>,
}

/// What is to be told to those who wait for a file, or watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// What happened: `file.completed` and the like.
    pub event: String,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_id: Option<ReceiptId>,
    /// Its key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file_id: String,
    /// Its bucket.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bucket_name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version_id: String,
    /// Its trace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_id: String,
    /// The feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<Feed>,
    /// What rows came with, of those that are kept one by one, each batch once: the receipt, or what was answered to the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// When.
    pub at: Millis,
    /// Rows read, good, rejected and duplicate.
    #[serde(default)]
    pub rows: [u64; 4],
    /// From when to when, of windows that are told anew, or that rows fall into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<[String; 2]>,
    /// More, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Of an alarm, what it is and what was measured.
    #[serde(flatten)]
    pub measured: Option<Measured>,
}

/// What an alarm has measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The alarm.
    pub alarm: String,
    /// What was measured when it went on or off.
    pub value: Number,
    /// Above what it is on.
    pub threshold: Number,
    /// Of what.
    pub unit: String,
}

impl Notice {
    /// What is to be told of a file; nothing while it is under way.
    pub fn of(receipt: &Receipt) -> Option<Self> {
        let event = match receipt.outcome() {
            Outcome::InProgress => return None,
            Outcome::Completed => "file.completed",
            Outcome::CompletedWithRejects => "file.completed_with_rejects",
            Outcome::Rejected => "file.rejected",
            Outcome::Failed => "file.failed",
            Outcome::Duplicate => "file.duplicate",
            Outcome::Superseded => "file.superseded",
        };
        let counts = receipt.account().map(|account| account.counts.clone()).unwrap_or_default();
        let arrival = receipt.arrival();
        Some(Self {
            event: event.to_owned(),
            receipt_id: Some(receipt.id()),
            file_id: arrival.object.key.clone(),
            bucket_name: arrival.object.bucket.clone(),
            version_id: arrival.object.version.clone(),
            trace_id: arrival.trace.clone(),
            feed: Some(arrival.feed.clone()),
            origins: Vec::new(),
            at: receipt.updated_at(),
            rows: [counts.rows, counts.good, counts.rejected, counts.duplicate],
            window: None,
            detail: String::new(),
            measured: None,
        })
    }

    /// What is to be told of a batch of rows that is kept; `window` is from when to when their windows are.
    pub fn rows_kept(at: Millis, feed: &Feed, origin: &str, rows: [u64; 4], window: [String; 2]) -> Self {
        let (feed, origins, window) = (Some(feed.clone()), vec![origin.to_owned()], Some(window));
        Self { feed, origins, rows, window, ..Self::about(ROWS_KEPT, at, "1 batch of rows is kept") }
    }

    /// Tells another batch of rows of the same feed with this one; false when they are not of a kind.
    pub fn takes_in(&mut self, other: &Self) -> bool {
        let (Some([from, to]), Some([others_from, others_to])) = (&mut self.window, &other.window) else {
            return false;
        };
        if self.event != ROWS_KEPT || other.event != ROWS_KEPT || self.feed != other.feed {
            return false;
        }
        // windows begin on the second, so their texts compare as the times do
        *from = std::mem::take(from).min(others_from.clone());
        *to = std::mem::take(to).max(others_to.clone());
        self.origins.extend_from_slice(&other.origins);
        self.rows.iter_mut().zip(other.rows).for_each(|(rows, more)| *rows = rows.saturating_add(more));
        self.at = self.at.max(other.at);
        self.detail = format!("{} batches of rows are kept", self.origins.len());
        self.receipt_id = self.receipt_id.take().filter(|receipt| other.receipt_id.as_ref() == Some(receipt));
        true
    }

    /// By what receivers know an event that they have seen: the same however often it is told. `record` is the id of the
    /// record that says what is to be told.
    pub fn event_id(&self, record: &str) -> String {
        format!("evt_{}", digest(&[record, &self.event, &self.at.to_string()]))
    }

    /// The body of an event: the same for every way by which it is told.
    pub fn payload(&self, event_id: &str) -> String {
        let at = i64::try_from(self.at).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let mut data = json!(self);
        // only files and batches have rows
        if self.receipt_id.is_none()
            && self.rows == [0; 4]
            && let Some(fields) = data.as_object_mut()
        {
            fields.remove("rows");
        }
        json!({ "id": event_id, "type": self.event, "timestamp": rfc3339(at), "data": data }).to_string()
    }

    /// What is to be told of something else than a file.
    pub fn about(event: impl Into<String>, at: Millis, detail: impl Into<String>) -> Self {
        let (event, detail) = (event.into(), detail.into());
        let [file_id, bucket_name, version_id, trace_id] = Default::default();
        let (receipt_id, feed, origins, rows, window) = (None, None, Vec::new(), [0; 4], None);
        Self {
            event,
            receipt_id,
            file_id,
            bucket_name,
            version_id,
            trace_id,
            feed,
            origins,
            at,
            rows,
            window,
            detail,
            measured: None,
        }
    }
}

fn key(kind: Kind, parts: &[&str]) -> RecordKey {
    RecordKey { kind, id: parts.iter().map(|part| escaped(part)).collect::<Vec<_>>().join("/") }
}

/// A part of an id.
pub fn escaped(part: &str) -> String {
    if part.contains(['/', '%']) { part.replace('%', "%25").replace('/', "%2F") } else { part.to_owned() }
}

/// The part as it was.
pub fn unescaped(part: &str) -> String {
    part.replace("%2F", "/").replace("%25", "%")
}

/// What all ids under these parts begin with.
pub fn within(parts: &[&str]) -> String {
    parts.iter().map(|part| escaped(part) + "/").collect()
}

/// The last part of an id.
pub fn last_part(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A receipt.
pub fn receipt(id: &ReceiptId) -> RecordKey {
    key(Kind::Receipt, &[id.as_str()])
}

/// A name of a receipt; says which.
pub fn alias(name: &str, order: &Order) -> RecordKey {
    key(Kind::Alias, &[name, order.as_str()])
}

/// The place of a file in the list of all, the newest first.
pub fn listed(at: Millis, id: &ReceiptId) -> RecordKey {
    key(Kind::Alias, &[EVERYTHING, &format!("{:020}", u64::MAX - at), id.as_str()])
}

/// What the places in the list of all files begin with.
pub fn all_listed() -> String {
    within(&[EVERYTHING])
}

/// A file that is not at its end.
pub fn open(feed: &Feed, order: &Order) -> RecordKey {
    key(Kind::Open, &[feed.as_str(), order.as_str()])
}

/// Bytes that came; says in which file.
pub fn content(feed: &Feed, sha256: &str, order: &Order) -> RecordKey {
    key(Kind::Content, &[feed.as_str(), sha256, order.as_str()])
}

/// A [`Contribution`].
pub fn contribution(feed: &Feed, order: &Order) -> RecordKey {
    key(Kind::Contribution, &[feed.as_str(), order.as_str()])
}

/// A transaction id that is taken by this file; says so too.
pub fn id(feed: &Feed, hash: u128, by: &ReceiptId) -> RecordKey {
    key(Kind::Id, &[feed.as_str(), &format!("{hash:032x}"), by.as_str()])
}

/// What the records of one transaction id begin with.
pub fn ids_within(feed: &Feed, hash: u128) -> String {
    within(&[feed.as_str(), &format!("{hash:032x}")])
}

/// A file of ids; says whose and where.
pub fn ids(feed: &Feed, order: &Order) -> RecordKey {
    key(Kind::Ids, &[feed.as_str(), order.as_str()])
}

/// Which ids a file has as records.
pub fn taken(feed: &Feed, by: &ReceiptId) -> RecordKey {
    key(Kind::Taken, &[feed.as_str(), by.as_str()])
}

/// Who took ids of a feed last.
pub fn turn(feed: &Feed) -> RecordKey {
    key(Kind::Turn, &[feed.as_str()])
}

/// A row of `market`. Rows of one time are told apart by where they came from.
pub fn row(feed: &Feed, symbol: &str, nanoseconds: i64, origin: &str, part: u64, index: usize) -> RecordKey {
    let (feed, symbol, origin) = (feed.as_str().to_owned(), symbol.to_owned(), origin.to_owned());
    RecordKey { kind: Kind::Row, id: RowId { feed, symbol, time: nanoseconds, origin, part, index }.id() }
}

/// A window of `market` that is to be aggregated; says what made it so.
pub fn due(feed: &Feed, symbol: &str, start: i64) -> RecordKey {
    key(Kind::Due, &[feed.as_str(), symbol, &sortable(start)])
}

/// A window of `market`.
pub fn window(feed: &Feed, symbol: &str, start: i64) -> RecordKey {
    key(Kind::Window, &[feed.as_str(), symbol, &sortable(start)])
}

/// A [`Notice`].
pub fn notice(id: &ReceiptId, generation: u32) -> RecordKey {
    key(Kind::Notice, &[id.as_str(), &generation.to_string()])
}

/// A [`Notice`] that windows are told anew because a file was replaced.
pub fn restated(id: &ReceiptId, generation: u32) -> RecordKey {
    key(Kind::Notice, &[id.as_str(), &generation.to_string(), "restated"])
}

/// A [`Notice`] that a window of `market` was told anew.
pub fn window_restated(feed: &Feed, symbol: &str, start: i64) -> RecordKey {
    key(Kind::Notice, &["window", feed.as_str(), symbol, &sortable(start)])
}

/// A [`Notice`] about something else, by a name that is its own.
pub fn notice_about(what: &str, which: &str) -> RecordKey {
    key(Kind::Notice, &["about", what, which])
}

/// An instant as text that compares as it does.
pub fn sortable(nanoseconds: i64) -> String {
    format!("{:020}", (nanoseconds as u64) ^ (1 << 63))
}

/// The instant of such a text.
pub fn instant(text: &str) -> Option<i64> {
    text.parse::<u64>().ok().map(|sorted| (sorted ^ (1 << 63)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_apart() {
        let feed = |name: &str| Feed::try_from(name.to_owned()).expect("a name");
        assert_ne!(due(&feed("a"), "b/c", 1), due(&feed("a/b"), "c", 1));
        assert!(due(&feed("a/b"), "c", 1).id.starts_with(&within(&["a/b"])));
        assert!(!due(&feed("a"), "c", 1).id.starts_with(&within(&["a/b"])));
        for part in ["a/b", "%2F", "%", "a%2Fb/", "plain"] {
            assert_eq!(unescaped(&escaped(part)), part);
        }
    }

    #[test]
    fn batches_of_a_feed_are_told_together() {
        let feed = |name: &str| Feed::try_from(name.to_owned()).expect("a name");
        let window = |from: &str, to: &str| [from, to].map(|at| format!("2026-01-01T09:{at}:00Z"));
        let one = Notice::rows_kept(5, &feed("a"), "q-1", [2, 2, 0, 0], window("05", "10"));
        let mut both = one.clone();
        assert!(both.takes_in(&Notice::rows_kept(3, &feed("a"), "q-2", [3, 1, 0, 0], window("00", "10"))));
        assert_eq!((both.at, both.rows, both.window.clone()), (5, [5, 3, 0, 0], Some(window("00", "10"))));
        assert_eq!(
            (both.origins.as_slice(), both.detail.as_str()),
            (&["q-1".to_owned(), "q-2".to_owned()][..], "2 batches of rows are kept")
        );
        let told = both.clone();
        assert!(!both.takes_in(&Notice::rows_kept(3, &feed("b"), "q-3", [1; 4], window("00", "10"))));
        assert!(!both.takes_in(&Notice::about("alarm.raised", 1, "")));
        assert_eq!(both, told, "what is of another kind changes nothing");
    }

    #[test]
    fn an_event_is_known_by_its_record_its_name_and_its_time() {
        let measured = Measured { alarm: "disk".into(), value: 3.into(), threshold: 2.into(), unit: "files".into() };
        let notice = Notice::about("alarm.raised", 1_704_200_000_000, "disk: full");
        let notice = Notice { measured: Some(measured), ..notice };
        let id = notice.event_id("about/alarm/1");
        assert_eq!(notice.clone().event_id("about/alarm/1"), id);
        let others = [Notice { at: 1, ..notice.clone() }, Notice { event: "alarm.cleared".into(), ..notice.clone() }];
        assert!(others.iter().all(|other| other.event_id("about/alarm/1") != id));
        assert_ne!(notice.event_id("about/alarm/2"), id);
        let body: serde_json::Value = serde_json::from_str(&notice.payload(&id)).expect("it is JSON");
        assert_eq!(
            body,
            json!({ "id": id, "type": "alarm.raised", "timestamp": "2024-01-02T12:53:20Z", "data": {
                "event": "alarm.raised", "at": 1_704_200_000_000_u64, "detail": "disk: full",
                "alarm": "disk", "value": 3, "threshold": 2, "unit": "files" } })
        );
        let kept = serde_json::to_vec(&notice).expect("it is JSON");
        assert_eq!(serde_json::from_slice::<Notice>(&kept).expect("it is read again"), notice);
    }

    #[test]
    fn instants_sort_as_they_are() {
        let instants = [i64::MIN, -5, 0, 7, i64::MAX];
        assert!(instants.map(sortable).is_sorted());
        assert_eq!(instants.map(|at| instant(&sortable(at))), instants.map(Some));
    }
}
