//! The second stage of `market`: rows are kept one by one, and the windows they fall into are to be aggregated. Each batch
//! of rows is told of, once, by the commit that keeps it, if somebody wants to hear of it.

use std::collections::BTreeSet;

use rows::time::{Buckets, Zone};

use super::Task;
use super::tick::WINDOW;
use crate::Millis;
use crate::draft::Draft;
use crate::handle::{Error, decide};
use crate::message::{Records, Share};
use crate::point::{Kept, Point};
use crate::ports::Committed;
use crate::receipt::{Event, What};
use crate::records::{self, Notice};

pub(crate) fn run(task: &Task<'_>, sent: &Records) -> Result<Committed, Error> {
    let began_at = task.now();
    let points: Vec<Point> = sent.records.iter().filter_map(|json| serde_json::from_str(json).ok()).collect();
    decide(|| {
        let mut draft = task.draft();
        keep(task, sent, &points, &mut draft);
        if let Some(share) = &sent.of {
            tell(task, share, sent.part, began_at, &mut draft)?;
        }
        draft.commit(task.message.id())
    })
}

fn keep(task: &Task<'_>, sent: &Records, points: &[Point], draft: &mut Draft<'_>) {
    let feed = &task.feed.name;
    let mut buckets = Buckets::new(WINDOW, Zone::utc());
    let (mut due, mut kept) = (BTreeSet::new(), 0);
    for (index, point) in points.iter().enumerate() {
        // whoever sent it has checked it: a point without numbers is none
        let Some(numbers) = point.numbers() else { continue };
        let key = records::row(feed, &point.symbol, numbers.time, &sent.origin, sent.part, index);
        draft.put(key, &Kept { point: point.clone(), origin: sent.origin.clone() });
        due.insert((point.symbol.as_str(), buckets.start_of(numbers.time)));
        kept += 1;
    }
    // what made it due is written down, so that a tick which is at it just then sees that something came
    let source = task.message.id();
    due.iter().for_each(|(symbol, start)| draft.put(records::due(feed, symbol, *start), &source));
    let starts = due.iter().map(|(_, start)| *start);
    if let Some((first, last)) = starts.clone().min().zip(starts.max()).filter(|_| task.call.announces) {
        let window = [first, buckets.end_of(last)].map(rows::time::rfc3339);
        let counts = [sent.records.len() as u64, kept, 0, 0];
        let receipt_id = sent.of.as_ref().map(|share| share.work.receipt());
        let notice = Notice::rows_kept(task.now(), feed, &sent.origin, counts, window);
        draft.put(records::notice_about("rows", source.as_str()), &Notice { receipt_id, ..notice });
    }
}

/// Tells the receipt that this part of its file is done; the last one tells that all are.
fn tell(task: &Task<'_>, share: &Share, part: u64, began_at: Millis, draft: &mut Draft<'_>) -> Result<(), Error> {
    let mut receipt = draft.receipt(&share.work.receipt())?;
    if receipt.generation() != share.work.generation {
        return Ok(());
    }
    let (stage, now) = (task.stage(), task.now());
    receipt.apply(Event { at: now, what: What::PartDone { stage, part } });
    let [began, ended] = task.begun_and_ended(began_at, now);
    receipt.apply(began);
    if receipt.progress(stage).is_some_and(|progress| progress.parts.len() as u64 >= share.parts) {
        receipt.apply(Event { at: now, what: What::RowsCommitted(share.rows) });
        receipt.apply(ended);
    }
    draft.put_receipt(&receipt)
}
