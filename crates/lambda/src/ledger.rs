//! The port `Ledger` on one table of DynamoDB ([0013](../../../docs/decisions/0013-ports-on-aws.md)).
//!
//! A commit is one transaction: the mark of its source, the tests of what it was decided by, and its writes. What does
//! not fit is prepared before it, beside what is there now, and counts from the moment at which the mark says so;
//! whoever comes upon something prepared looks at the mark, and a writer settles it first. Messages stand in the mark
//! until they were sent.

mod anew;
mod attempt;
mod commit;
mod mark;
mod page;
mod place;
mod plan;
mod prepare;
mod rows;
mod send;
mod settle;
pub mod stored;
mod untold;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pipeline::Millis;
use pipeline::message::{Message, MessageId};
use pipeline::ports::{self, Cause, Commit, Committed, Loaded, Revision};
use pipeline::preset::Stage;
use pipeline::step::{Kind, RecordKey};

use crate::announce::Announcer;
use crate::limits::MARKS_REMEMBERED_MAX;
use crate::queue::Queue;
use crate::table::{Item, Table};
use attempt::Attempt;
use mark::Mark;
use place::Spot;
use rows::Row;
pub use untold::Untold;

/// The ledger of one function.
pub struct Ledger {
    table: Box<dyn Table>,
    queue: Option<Arc<dyn Queue>>,
    sends: Vec<Stage>,
    /// Where files go that are begun anew.
    anew: Option<Arc<dyn Announcer>>,
    /// The field that is the key of the table of states, if there is one.
    status: Option<&'static str>,
    /// Whether rows of `market` have a table of their own.
    keeps_rows: bool,
    /// Whether it is said beside rows of `transactions` which of them count.
    keeps_standings: bool,
    now: fn() -> Millis,
    /// Rows whose place in that table another has: they are records.
    moved: Mutex<BTreeSet<RecordKey>>,
    /// Instruments that are known to be listed, as what the ids of their rows begin with.
    listed: Mutex<BTreeSet<String>>,
    /// Whether attempts happened, by token, of those of which it is settled.
    fates: Mutex<BTreeMap<String, bool>>,
    /// The last attempt of several transactions that has not happened yet.
    attempt: Mutex<Option<Attempt>>,
    /// The source that this process has committed last, with the messages it took over for whoever called.
    last: Mutex<Option<(String, Vec<String>)>>,
    process: u64,
    attempts: AtomicU64,
    /// After this nothing is committed any more, if there is such a time.
    until: Mutex<Option<Instant>>,
    /// Whether what is to be told is kept until somebody has told it.
    tells: bool,
    untold: Mutex<untold::Known>,
}

/// What a ledger is made of.
pub struct Parts {
    /// Where records are.
    pub table: Box<dyn Table>,
    /// Where messages go that go to a queue.
    pub queue: Option<Arc<dyn Queue>>,
    /// Which do: those for these stages. The others are kept with the commit for whoever called.
    pub sends: Vec<Stage>,
    /// Where files go that are begun anew, if this function may begin some.
    pub anew: Option<Arc<dyn Announcer>>,
    /// The field that is the key of the table of states, if there is one.
    pub status: Option<&'static str>,
    /// Whether rows of `market` have a table of their own.
    pub keeps_rows: bool,
    /// Whether it is said beside rows of `transactions` which of them count.
    pub keeps_standings: bool,
    /// Tells the time, by which marks expire.
    pub now: fn() -> Millis,
    /// A number that no other process has.
    pub process: u64,
    /// Whether records that say what is to be told are kept, for who has it told and takes them away. Otherwise they are
    /// not written: nobody would take them.
    pub tells: bool,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("table", &self.table).field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// Why something is not done.
enum Failed {
    /// Others are at it: look again.
    Contended,
    /// This condition does not hold.
    Changed(RecordKey),
    /// There is no answer.
    Unavailable(Cause),
}

impl From<Cause> for Failed {
    fn from(cause: Cause) -> Self {
        Self::Unavailable(cause)
    }
}

impl Ledger {
    /// A ledger of these.
    pub fn new(parts: Parts) -> Self {
        let Parts { table, queue, sends, anew, status, keeps_rows, keeps_standings, now, process, tells } = parts;
        let (moved, listed, fates, attempt, last, attempts) = Default::default();
        Self {
            table,
            queue,
            sends,
            anew,
            status,
            keeps_rows,
            keeps_standings,
            now,
            moved,
            listed,
            fates,
            attempt,
            last,
            process,
            attempts,
            until: Mutex::default(),
            tells,
            untold: Mutex::new(untold::Known::of_new_process()),
        }
    }

    /// From now on, commits are refused that are begun after this: whoever waits for them has given them up by then, and has
    /// said so.
    pub(crate) fn commit_until(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages that a commit from this source took over for whoever called; none if it did not happen.
    pub fn kept(&self, source: &MessageId) -> Result<Vec<Message>, ports::Error> {
        let unavailable = |cause| unavailable("load", source.as_str(), cause);
        // a mark never says anything else of what it keeps
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = match last.filter(|(last, _)| last == source.as_str()) {
            Some((_, kept)) => kept,
            None => self.mark(source.as_str()).map_err(unavailable)?.unwrap_or_default().kept,
        };
        kept.iter().map(|json| mark::message(json)).collect::<Result<_, _>>().map_err(unavailable)
    }

    fn remember_kept(&self, source: &str, kept: &[String]) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((source.to_owned(), kept.to_vec()));
    }

    fn mark(&self, source: &str) -> Result<Option<Mark>, Cause> {
        Ok(self.table.get(&place::mark(source).into())?.map(|item| Mark::of(&item)))
    }

    /// The second in which what is written now may be forgotten.
    fn expires(&self) -> u64 {
        (self.now)() / 1000 + crate::limits::SOURCE_SECONDS
    }

    fn token(&self, source: &str) -> String {
        place::token(source, self.process, self.attempts.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether an attempt at a large commit has happened.
    fn has_happened(&self, source: &str, token: &str) -> Result<bool, Cause> {
        let known = self.fates.lock().unwrap_or_else(PoisonError::into_inner).get(token).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let has = self.mark(source)?.is_some_and(|mark| mark.token.as_deref() == Some(token));
        if has {
            self.remember(token, true);
        }
        Ok(has)
    }

    /// Whether an attempt happened does not change once it is settled.
    fn remember(&self, token: &str, happened: bool) {
        let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        if fates.len() >= MARKS_REMEMBERED_MAX {
            fates.clear();
        }
        fates.insert(token.to_owned(), happened);
    }

    /// The content of a record, with what is prepared looked at.
    fn value(&self, item: &Item) -> Result<Option<Vec<u8>>, Cause> {
        match place::Next::of(item) {
            Some(next) if self.has_happened(&next.source, &next.token)? => Ok(next.value),
            _ => Ok(place::value(item)),
        }
    }

    /// Where a record is, as far as is known: a row may turn out to be elsewhere when its place is looked at.
    fn spot<'a>(&self, key: &'a RecordKey) -> Spot<'a> {
        let is_row = self.keeps_rows && key.kind == Kind::Row;
        let row = if is_row { Row::of(&key.id) } else { None };
        match row {
            Some(row) if !self.moved.lock().unwrap_or_else(PoisonError::into_inner).contains(key) => Spot::Row(row),
            _ => Spot::Record(place::of(key), &key.id),
        }
    }

    /// Another row has the place of this one.
    fn move_out(&self, key: &RecordKey) {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
    }

    /// The item of a record.
    fn item(&self, key: &RecordKey) -> Result<Option<Item>, Cause> {
        let spot = self.spot(key);
        let item = self.table.get(&spot.place())?;
        match (&spot, &item) {
            (Spot::Row(row), Some(there)) if !row.is(there) => {
                self.move_out(key);
                self.table.get(&place::of(key).into())
            }
            _ => Ok(item),
        }
    }
}

fn unavailable(verb: &str, what: &str, cause: Cause) -> ports::Error {
    ports::Error::Unavailable { what: format!("{verb} {what} in the ledger"), cause }
}

impl ports::Ledger for Ledger {
    fn load(&self, key: &RecordKey) -> Result<Loaded, ports::Error> {
        let item = self.item(key);
        let value = item.and_then(|item| item.map_or(Ok(None), |item| self.value(&item)));
        let value = value.map_err(|cause| unavailable("load", &key.id, cause))?;
        Ok(Loaded { revision: Revision::of(value.as_deref()), value })
    }

    fn page(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, ports::Error> {
        self.page_of(kind, within, after, records_max).map_err(|cause| unavailable("list", within, cause))
    }

    fn commit(&self, mut commit: Commit) -> Result<Committed, ports::Error> {
        if self.until().is_some_and(|until| Instant::now() > until) {
            return Err(unavailable("commit", commit.source.as_str(), "nobody waits for it any more".into()));
        }
        let untold = self.to_tell(&mut commit);
        let committed = self.try_commit(&commit);
        self.remember_untold(untold, &committed);
        match committed {
            Ok(committed) => Ok(committed),
            Err(Failed::Changed(key)) => Err(ports::Error::Changed(key)),
            Err(Failed::Unavailable(cause)) => Err(unavailable("commit", commit.source.as_str(), cause)),
            Err(Failed::Contended) => {
                Err(unavailable("commit", commit.source.as_str(), "others are at its records all the time".into()))
            }
        }
    }
}
