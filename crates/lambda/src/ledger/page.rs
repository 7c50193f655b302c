//! Pages: one query where the first part of the ids is known, else one for each group.

use pipeline::ports::Cause;
use pipeline::step::Kind;

use super::{Ledger, place};

impl Ledger {
    pub(super) fn page_of(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Cause> {
        if records_max == 0 || after.is_some_and(|after| after > within && !after.starts_with(within)) {
            return Ok(Vec::new());
        }
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
    ) -> Result<Vec<(String, Vec<u8>)>, Cause> {
        let within = place::sorted(within);
        let mut after = after.map(place::sorted);
        let mut found = Vec::new();
        loop {
            let (items, next) = self.table.query(group, &within, after.as_deref(), records_max - found.len())?;
            for item in items {
                let id = place::id(&item);
                // what is only prepared, and what will be removed, is no record
                let Some(value) = self.value(item)? else { continue };
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
