//! Sources of commits that were long ago are forgotten: their messages cannot come again.

use super::key::sources;
use crate::limits::{PAGE_ENTRIES_MAX, SOURCE_KEPT_MS};
use crate::queues::{Millis, Queues, Result, Transaction};

/// Forgets the sources that were committed more than 18 days ago; says how many. Blocks, and works in steps.
pub fn forget_sources(queues: &Queues, now: Millis) -> Result<usize> {
    let before = now.saturating_sub(SOURCE_KEPT_MS);
    let (mut forgotten, mut after) = (0, None);
    loop {
        let page = queues.records(&sources(), after.as_deref(), PAGE_ENTRIES_MAX)?;
        let is_old = |value: &[u8]| value.try_into().is_ok_and(|at| u64::from_be_bytes(at) < before);
        let records: Vec<_> =
            page.iter().filter(|(_, value)| is_old(value)).map(|(key, _)| (key.clone(), None)).collect();
        if !records.is_empty() {
            forgotten += records.len();
            queues.transact(Transaction { records, ..Transaction::default() }, now).wait()?;
        }
        let Some((last, _)) = page.into_iter().next_back() else { return Ok(forgotten) };
        after = Some(last);
    }
}
