//! Pages: one query where the first part of the ids is known, else one for each group.

use pipeline::ports::Cause;
use pipeline::step::Kind;

use super::rows::Page;
use super::{Ledger, place};

impl Ledger {
    pub(super) fn page_of(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Page, Cause> {
        if records_max == 0 || after.is_some_and(|after| after > within && !after.starts_with(within)) {
            return Ok(Vec::new());
        }
        let found = self.page_of_records(kind, within, after, records_max)?;
        if kind != Kind::Row || !self.keeps_rows {
            return Ok(found);
        }
        Ok(merged(found, self.page_of_rows(within, after, records_max)?, records_max))
    }

    fn page_of_records(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Page, Cause> {
        let one = within.split_once('/').and_then(|(first, _)| place::group(kind, first));
        if let Some(group) = one {
            return self.page_in(kind, &group, within, after, records_max);
        }
        let mut found = Vec::new();
        for group in place::groups(kind) {
            found.extend(self.page_in(kind, &group, within, after, records_max)?);
        }
        found.sort_unstable();
        found.truncate(records_max);
        Ok(found)
    }

    fn page_in(
        &self,
        kind: Kind,
        group: &str,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Page, Cause> {
        let within = place::sorted(within);
        let mut after = after.map(place::sorted);
        let mut found = Vec::new();
        loop {
            let (items, next) = self.table.query(group, &within, after.as_deref(), records_max - found.len())?;
            for item in items {
                let id = place::id(&item);
                // what is only prepared, and what will be removed, is no record
                let Some(value) = self.value(&item)? else { continue };
                debug_assert!(place::group_of(kind, &id) == group);
                found.push((id, value));
            }
            match next {
                Some(next) if found.len() < records_max => after = Some(next),
                _ => return Ok(found),
            }
        }
    }
}

/// Two pages as one, each in its order.
fn merged(mut records: Page, mut rows: Page, records_max: usize) -> Page {
    if records.is_empty() {
        return rows;
    }
    let mut found = Page::new();
    records.reverse();
    rows.reverse();
    while found.len() < records_max {
        let first = match (records.last(), rows.last()) {
            (Some((record, _)), Some((row, _))) if row < record => rows.pop(),
            (Some(_), _) => records.pop(),
            (None, _) => rows.pop(),
        };
        let Some(first) = first else { break };
        found.push(first);
    }
    found
}
