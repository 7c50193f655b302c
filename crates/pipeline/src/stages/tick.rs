//! The last stage of `market`, by the clock: windows whose rows changed are aggregated anew from their rows, and files all
//! of whose rows are kept are done.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use rows::good::Reader;
use rows::groups::BarGroup;
use rows::time::{Buckets, Interval, Zone};

use super::{Task, standing, unreadable, validate};
use crate::draft::{Draft, each_record, parsed};
use crate::handle::{Error, decide};
use crate::limits::WINDOW_SOURCES_MAX;
use crate::message::{MessageId, Tick};
use crate::object::{ReceiptId, digest};
use crate::point::{Kept, Point, Window};
use crate::ports::{self, Committed};
use crate::preset::Stage;
use crate::receipt::{Event, Receipt, What};
use crate::records::{self, Notice};
use crate::step::{Kind, RecordKey};

/// The length of the windows of `market`.
pub(crate) const WINDOW: Interval = Interval::M5;

/// Windows that are committed at once.
const WINDOWS_PER_COMMIT: usize = 200;

pub(crate) fn run(task: &Task<'_>, _: &Tick) -> Result<Committed, Error> {
    // Files first: what they wait for is due by now, and what comes due after this look is theirs no more.
    let ready = ready(task)?;
    for id in &ready {
        take_place(task, id)?;
    }
    let mut after: Option<String> = None;
    loop {
        let due = task.call.ledger.page(Kind::Due, &within(task), after.as_deref(), WINDOWS_PER_COMMIT)?;
        let Some((last, _)) = due.last() else { break };
        after = Some(last.clone());
        aggregate(task, &due)?;
    }
    for id in &ready {
        finish(task, id)?;
    }
    task.nothing_to_do()
}

fn within(task: &Task<'_>) -> String {
    records::within(&[task.feed.name.as_str()])
}

/// Files of the feed all of whose rows are kept.
fn ready(task: &Task<'_>) -> Result<Vec<ReceiptId>, Error> {
    let mut open: Vec<ReceiptId> = Vec::new();
    each_record(task.call.ledger, Kind::Open, &within(task), |id, value| {
        let text = serde_json::to_vec(&String::from_utf8_lossy(value)).unwrap_or_default();
        open.push(parsed(Kind::Open, id, &text)?);
        Ok(ControlFlow::Continue(()))
    })?;
    let mut ready = Vec::new();
    for id in open {
        let receipt = task.draft().receipt(&id)?;
        if is_ready(&receipt) {
            ready.push(id);
        }
    }
    Ok(ready)
}

/// Whether all that can be done about a file before the clock has been done.
fn is_ready(receipt: &Receipt) -> bool {
    let is_kept = receipt.is_done(Stage::Ingest) && receipt.is_done(Stage::Process);
    is_kept || receipt.duplicate_of().is_some()
}

/// A file takes the place of an older version of its key, or leaves it to a newer one; it turns out to be a copy, or others
/// do. Then the windows of those whose rows do not count any more are made due. That comes second: it is done again by
/// every tick until the file is done, so no other tick can have aggregated them before they changed.
fn take_place(task: &Task<'_>, id: &ReceiptId) -> Result<(), Error> {
    let replaced = decide(|| {
        let mut draft = task.draft();
        let mut receipt = draft.receipt(id)?;
        if !is_ready(&receipt) {
            return Ok(Vec::new());
        }
        receipt.set_placed(true);
        let standing::Settled { receipt, others: mut replaced } = standing::settle(task, &mut draft, receipt)?;
        draft.commit(part(task, "place", &receipt))?;
        let counts = receipt.superseded_by().is_none() && receipt.duplicate_of().is_none();
        replaced.extend(Some(receipt).filter(|_| !counts));
        Ok(replaced)
    })?;
    replaced.iter().try_for_each(|replaced| mark_due(task, replaced))
}

/// What a part of the work of a tick on a file is committed under. A tick may come again when the file was begun anew.
fn part(task: &Task<'_>, what: &str, receipt: &Receipt) -> MessageId {
    MessageId::of_part(&task.message.id(), what, &format!("{}.{}", receipt.id(), receipt.generation()))
}

/// Makes all windows due that a file has rows in.
fn mark_due(task: &Task<'_>, receipt: &Receipt) -> Result<(), Error> {
    // a copy that was known for one before it was parsed has no rows
    let Some(object) = receipt.link("rows").cloned() else { return Ok(()) };
    let told = |cause| unreadable(&object, cause);
    let opened = match task.call.objects.open(&object) {
        // the files of `market` expire, and windows that old are let be
        Err(ports::Error::NotFound(_)) => return Ok(()),
        opened => opened?,
    };
    let mut reader = Reader::open(opened.input).map_err(told)?;
    let mut buckets = Buckets::new(WINDOW, Zone::utc());
    let mut windows: BTreeSet<(String, i64)> = BTreeSet::new();
    let each = |_, row: rows::good::Row<'_>| {
        if let Some((point, numbers)) =
            Point::of(&row).and_then(|point| Some((point.numbers()?, point))).map(|(n, p)| (p, n))
        {
            windows.insert((point.symbol, buckets.start_of(numbers.time)));
        }
        ControlFlow::Continue(())
    };
    reader.rows_between(None, None, each).map_err(told)?;
    let windows: Vec<_> = windows.into_iter().collect();
    for (number, chunk) in windows.chunks(WINDOWS_PER_COMMIT).enumerate() {
        let mut draft = task.draft();
        // says of which file, so that what two files make due in one tick is not taken for the same
        let source = part(task, &format!("due-{number}"), receipt);
        chunk.iter().for_each(|(symbol, start)| draft.put(records::due(&task.feed.name, symbol, *start), &source));
        draft.commit(source)?;
    }
    Ok(())
}

/// A window that is to be aggregated, and what made it so.
struct Due {
    key: RecordKey,
    by: MessageId,
    symbol: String,
    start: i64,
}

/// Aggregates windows from their rows. What is committed is known by what was due: the same windows that come due again
/// later are another commit.
///
/// Rows may come all the time, and nobody waits for them to pause: a window says what its rows were when they were read, and
/// stays due if more came since.
fn aggregate(task: &Task<'_>, due: &[(String, Vec<u8>)]) -> Result<(), Error> {
    let mut counting = BTreeMap::new();
    let mut windows = Vec::new();
    for (id, value) in due {
        let mut parts = id.rsplit('/');
        let start = parts.next().and_then(records::instant);
        let symbol = parts.next().map(records::unescaped);
        if let Some((start, symbol)) = start.zip(symbol) {
            let by = parsed(Kind::Due, id, value)?;
            windows.push(Due { key: RecordKey { kind: Kind::Due, id: id.clone() }, by, symbol, start });
        }
    }
    let texts: Vec<String> = due.iter().map(|(id, value)| format!("{id} {}", String::from_utf8_lossy(value))).collect();
    let what = digest(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    decide(|| {
        let mut draft = task.draft();
        for window in &windows {
            write_window(task, &mut draft, window, &mut counting)?;
        }
        draft.commit(MessageId::of_part(&task.message.id(), "windows", &what))
    })?;
    let done = decide(|| {
        let mut draft = task.draft();
        for Due { key, by, .. } in &windows {
            if draft.peek::<MessageId>(key)?.as_ref() == Some(by) {
                draft.hold(key);
                draft.remove(key.clone());
            }
        }
        draft.commit(MessageId::of_part(&task.message.id(), "due", &what))
    });
    match done {
        // rows come so often that all of them stay due
        Err(Error::Port(ports::Error::Changed(_))) => Ok(()),
        done => done.map(drop),
    }
}

fn write_window(
    task: &Task<'_>,
    draft: &mut Draft<'_>,
    Due { symbol, start, .. }: &Due,
    counting: &mut BTreeMap<String, bool>,
) -> Result<(), Error> {
    let (feed, start) = (&task.feed.name, *start);
    // before its rows are read: if another tick writes it meanwhile, they may have been more then
    let key = records::window(feed, symbol, start);
    let before: Option<Window> = draft.load(&key)?;
    let end = Buckets::new(WINDOW, Zone::utc()).end_of(start);
    let within = records::within(&[feed.as_str(), symbol]);
    let (from, to) = (format!("{within}{}", records::sortable(start)), format!("{within}{}", records::sortable(end)));
    let (mut group, mut sources, mut traded) = (BarGroup::default(), BTreeSet::new(), true);
    each_between(task, &within, &from, &to, |kept| {
        let Some(numbers) = kept.point.numbers() else { return Ok(()) };
        if !counts(task, &kept.origin, counting)? {
            return Ok(());
        }
        traded &= kept.point.bar.is_none();
        if !group.add_wide((numbers.time, numbers.sequence), numbers.prices, numbers.volume) {
            let what = format!("a sum of {symbol} in the window of {}", rows::time::rfc3339(start));
            return Err(Error::Bytes { what, cause: std::io::Error::other("it is beyond 1e40") });
        }
        sources.insert(kept.origin);
        if sources.len() > WINDOW_SOURCES_MAX {
            // those that are last by name, so that the same are told whatever came when
            sources.pop_last();
        }
        Ok(())
    })?;
    if sources.is_empty() {
        draft.remove(key);
        return Ok(());
    }
    let mut line = Vec::new();
    group.write_csv(traded, &mut line);
    let line = String::from_utf8_lossy(&line).into_owned();
    let aggregated_at = i64::try_from(task.now()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let revision = match &before {
        Some(before) if before.line != line && before.aggregated_at >= end => before.revision.saturating_add(1),
        Some(before) => before.revision,
        None => 1,
    };
    if before.is_some_and(|before| before.revision < revision) {
        let detail = format!("{symbol} from {} on has revision {revision}", rows::time::rfc3339(start));
        let window = Some([start, end].map(rows::time::rfc3339));
        let feed = Some(feed.clone());
        let notice = Notice { feed, window, ..Notice::about("window.restated", task.now(), detail) };
        draft.put(records::window_restated(&task.feed.name, symbol, start), &notice);
    }
    draft.put(key, &Window { line, revision, aggregated_at, sources: sources.into_iter().collect() });
    Ok(())
}

/// Rows are looked at page by page: a window has any number of them.
fn each_between(
    task: &Task<'_>,
    within: &str,
    from: &str,
    to: &str,
    mut each: impl FnMut(Kept) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut after = from.to_owned();
    loop {
        let page = task.call.ledger.page(Kind::Row, within, Some(&after), 500)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.clone();
        for (id, value) in &page {
            if id.as_str() >= to {
                return Ok(());
            }
            each(parsed(Kind::Row, id, value)?)?;
        }
    }
}

/// Whether rows of this origin count: those of a request do, not those of a file that was replaced or begun anew, or of the
/// same bytes.
fn counts(task: &Task<'_>, origin: &str, known: &mut BTreeMap<String, bool>) -> Result<bool, Error> {
    if !ReceiptId::is_one(origin) {
        return Ok(true);
    }
    if let Some(counts) = known.get(origin) {
        return Ok(*counts);
    }
    let key = RecordKey { kind: Kind::Receipt, id: origin.to_owned() };
    let receipt: Option<Receipt> = task.draft().load(&key)?;
    let counts = receipt.is_none_or(|receipt| receipt.superseded_by().is_none() && receipt.duplicate_of().is_none());
    known.insert(origin.to_owned(), counts);
    Ok(counts)
}

/// A file whose windows are aggregated is done.
fn finish(task: &Task<'_>, id: &ReceiptId) -> Result<(), Error> {
    decide(|| {
        let mut draft = task.draft();
        let mut receipt = draft.receipt(id)?;
        if !is_ready(&receipt) {
            // it was a copy and comes to count
            return Ok(Committed::Before);
        }
        let now = task.now();
        if receipt.duplicate_of().is_none() {
            receipt.apply(Event { at: now, what: What::AggregatesCommitted });
            task.begun_and_ended(now, now).into_iter().for_each(|event| receipt.apply(event));
        }
        validate::end(&mut draft, &receipt)?;
        draft.commit(part(task, "done", &receipt))
    })
    .map(drop)
}
