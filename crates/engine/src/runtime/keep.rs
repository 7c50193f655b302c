//! What is kept for a time: objects of `market` go after 30 days, those of `files` go into the archive after 90, where they
//! still read. The figures are those of the topology.

use pipeline::preset::Preset;
use pipeline::topology::{Lifecycle, Topology};
use serde::Serialize;

use super::{Engine, Result, Shared, now, once};
use crate::objects::PARTS_BUCKET;
use crate::queues::Millis;

/// Days after which the parts of an upload that was not ended go.
const PARTS_DAYS: Millis = 7;

const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// What was done about what is kept for a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Objects that went.
    pub expired: usize,
    /// Objects that are in the archive now.
    pub archived: usize,
    /// Bytes on disk that were given back.
    pub bytes_freed: u64,
    /// Receipts whose details have expired.
    pub details_forgotten: usize,
    /// Requests that were sent under a key so long ago that they are not known any more.
    pub requests_forgotten: usize,
}

/// Does what is due.
pub(super) fn run(shared: &Shared, at: Millis) -> Result<Kept> {
    let mut kept = Kept::default();
    for preset in Preset::ALL {
        let bucket = &Topology::of(preset).bucket;
        let name = format!("{}-{}", bucket.name, shared.environment);
        match bucket.lifecycle {
            None => {}
            Some(Lifecycle::Expire(days)) => {
                let before = at.saturating_sub(Millis::from(days) * DAY_MS);
                let expired = shared.objects.expire(&name, before, at)?;
                kept.expired += expired.objects;
                kept.bytes_freed += expired.stored_bytes;
            }
            Some(Lifecycle::Archive(days)) => {
                let before = at.saturating_sub(Millis::from(days) * DAY_MS);
                let archived = shared.objects.archive(&name, before, at)?;
                kept.archived += archived.objects;
                kept.bytes_freed += archived.bytes_before.saturating_sub(archived.bytes_after);
            }
        }
    }
    // who began an upload and did not end it has forgotten it
    let expired = shared.objects.expire(PARTS_BUCKET, at.saturating_sub(PARTS_DAYS * DAY_MS), at)?;
    kept.expired += expired.objects;
    kept.bytes_freed += expired.stored_bytes;
    kept.details_forgotten = pipeline::tell::forget_details(&shared.ports(), at)?;
    kept.requests_forgotten = once::forget(shared, at)?;
    Ok(kept)
}

impl Engine {
    /// Does what is due for what is kept for a time, as of a moment.
    pub fn keep(&self, at: Option<Millis>) -> Result<Kept> {
        run(&self.shared, at.unwrap_or_else(now))
    }
}
