//! What one file adds to the aggregates of its feed: its good rows as sorted partial aggregates, one for each bar or
//! total, and the merge that reads many of them as if their rows had come in one file.
//!
//! ```text
//! magic                8 bytes, the last two of them the version
//! blocks               entries in the order of their keys, about 64 KiB; behind each its checksum
//! footer               kind, counts, interval, zone, then of each block its bytes and the front of its first key
//! trailer              bytes and checksum of the footer, magic
//! ```
//!
//! A key is currency and status (or whether a bar was traded), name and bucket, in bytes that compare in this order; an
//! entry leaves out what its key has in common with the one before. Partials are what `groups` puts aside, and the same
//! bytes whatever memory and threads there were. Everything that is read may have been damaged: it is an error then,
//! which says what.

mod filter;
mod fold;
mod merge;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::io::Write;
use std::sync::mpsc::{channel, sync_channel};

use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Copied, NewNames, WorkerNames};
use crate::contract::Kind;
use crate::fold::MakeScratch;
use crate::groups::{BarGroup, TotalGroup};
use crate::limits::GOOD_GROUP_ROWS_MAX;
use crate::time::{Interval, Zone};
use crate::{Error, Refusal, Result, good};

pub use filter::Filter;
pub use merge::{Part, merge};
pub use read::Reader;

use fold::Fold;
use write::Writer;

/// How rows are folded.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Length of the bars; nothing else can be told apart later.
    pub interval: Interval,
    /// Where hours, days and months begin; without it in UTC.
    pub zone: Option<String>,
    /// Bytes that partials may take before they go to scratch space. With less than 16 MiB, names alone may fill it, and
    /// partials go there with every batch.
    pub memory: usize,
    /// Threads that encode; the result is the same for any number.
    pub threads: usize,
}

/// What is in a contribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// What the rows were.
    pub kind: Kind,
    /// Rows that were folded.
    pub rows: u64,
    /// Partials they became.
    pub entries: u64,
    /// Start of the first bar in nanoseconds, or the first day since 1970; 0 when there are no entries.
    pub from: i64,
    /// The same of the last one.
    pub to: i64,
}

/// What a partial is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    /// One bar.
    Bar {
        /// Whether it was made of trades; bars that came as bars are another matter.
        traded: bool,
        /// As the sender writes it.
        symbol: &'a [u8],
        /// In nanoseconds since 1970.
        start: i64,
    },
    /// One total.
    Total {
        /// ISO 4217 code.
        currency: &'static str,
        /// completed, failed or pending.
        status: &'static str,
        /// As the sender writes it.
        merchant: &'a [u8],
        /// Days since 1970-01-01.
        day: i32,
    },
}

/// What came together under a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Of a bar.
    Bar(&'a BarGroup),
    /// Of a total.
    Total(&'a TotalGroup),
}

/// Folds good rows into partials and writes them: a contribution is complete when this answers. What takes more than
/// the memory of `settings` goes to scratch space as long as this runs.
pub fn contribute(
    rows: &mut good::Reader,
    settings: &Settings,
    scratch: &mut MakeScratch<'_>,
    out: &mut (dyn Write + Send),
) -> Result<Summary> {
    fold_batches(rows.kind(), &mut |each| rows.batches(each), settings, scratch, out)
}

/// Batches that are read before they are folded: those of a row group, which is read at once. With fewer, one thread
/// waits while a group is unpacked, and the other while it is folded.
const BATCHES_AHEAD: usize = GOOD_GROUP_ROWS_MAX / good::BATCH_ROWS;

/// Hands a file's batches on, in order, all with the names of one worker.
type Batches<'a> = dyn FnMut(&mut dyn FnMut(&mut Batch) -> Result<()>) -> Result<()> + Send + 'a;

/// Folds the good rows that `batches` gives into partials and writes them.
fn fold_batches(
    kind: Kind,
    batches: &mut Batches<'_>,
    settings: &Settings,
    scratch: &mut MakeScratch<'_>,
    out: &mut (dyn Write + Send),
) -> Result<Summary> {
    let zone = match &settings.zone {
        None => Zone::utc(),
        Some(name) => Zone::named(name).ok_or_else(|| unknown_zone(name))?,
    };
    let mut fold = Fold::new(kind, settings, &zone, scratch)?;
    match settings.threads {
        0 | 1 => batches(&mut |batch| fold.add(batch))?,
        _ => read_ahead(batches, &mut |batch| fold.add(batch))?,
    }
    let mut writer = Writer::new(out)?;
    let rows = fold.write(settings.threads, &mut writer)?;
    writer.finish(kind, rows, settings.interval, &zone)
}

/// Gives the batches on this thread while another reads the next ones. Names stay with the reader, which may go on
/// with them from batch to batch; here there is a copy.
fn read_ahead(batches: &mut Batches<'_>, each: &mut dyn FnMut(&mut Batch) -> Result<()>) -> Result<()> {
    std::thread::scope(|scope| {
        let (full, filled) = sync_channel::<(Batch, NewNames)>(BATCHES_AHEAD);
        let (empty, emptied) = channel::<Batch>();
        let reading = scope.spawn(move || {
            let mut copied = Copied::default();
            batches(&mut |batch| {
                let new = batch.names.since(&mut copied);
                let mut given = emptied.try_recv().unwrap_or_default();
                std::mem::swap(batch, &mut given);
                std::mem::swap(&mut batch.names, &mut given.names);
                // Nobody takes it once a batch was refused; that is then the answer.
                full.send((given, new)).map_err(|_| Error::Io(std::io::ErrorKind::BrokenPipe.into()))
            })
        });
        let mut names = WorkerNames::default();
        for (mut batch, new) in filled {
            names.follow(&new);
            std::mem::swap(&mut batch.names, &mut names);
            each(&mut batch)?;
            std::mem::swap(&mut batch.names, &mut names);
            // The reader may be done.
            let _ = empty.send(batch);
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn unknown_zone(name: &str) -> Refusal {
    Refusal::new("unknown_zone", format!("there is no zone `{name}`"), "name one such as UTC or Europe/Berlin")
}

/// Appends a value as `check` prints it: `open,high,low,close,volume,trades,notional,vwap` (the last three empty unless
/// `traded`), or `count,sum,min,max`.
pub fn write_value(traded: bool, value: Value<'_>, into: &mut Vec<u8>) {
    match value {
        Value::Bar(bar) => bar.write_csv(traded, into),
        Value::Total(total) => total.write_csv(into),
    }
}
