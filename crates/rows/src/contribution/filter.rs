//! Which keys are wanted, and how far a reader may jump from one that is not.

use crate::currency::Currency;
use crate::groups::{GroupOf, encode_key};
use crate::row::Status;

/// Restricts what a merge gives; the default wants everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Exactly this symbol or merchant.
    pub name: Option<Vec<u8>>,
    /// Starts from this on, in nanoseconds; of totals days since 1970.
    pub from: Option<i64>,
    /// Starts before this.
    pub to: Option<i64>,
    /// Totals of this currency.
    pub currency: Option<String>,
    /// Totals of this status: completed, failed or pending.
    pub status: Option<String>,
}

/// A filter as keys are held against it.
pub(super) struct Wanted {
    name: Option<Vec<u8>>,
    from: i64,
    /// The last start.
    last: i64,
    /// For each prefix whether it is wanted.
    prefixes: Vec<bool>,
}

/// What a reader does about a key.
pub(super) enum Verdict {
    /// It is wanted.
    Take,
    /// It is not; the next one may be.
    Step,
    /// Nothing before this key is wanted.
    Seek(Vec<u8>),
    /// Nothing that follows is wanted.
    End,
}

impl Filter {
    pub(super) fn wanted(&self, totals: bool) -> Wanted {
        let mut prefixes = match totals {
            false => vec![true; 2],
            true => self.total_prefixes(),
        };
        let last = self.to.map_or(Some(i64::MAX), |to| to.checked_sub(1));
        // No name holds a NUL.
        if last.is_none() || self.name.as_ref().is_some_and(|name| name.contains(&0)) {
            prefixes.clear();
        }
        Wanted {
            name: self.name.clone(),
            from: self.from.unwrap_or(i64::MIN),
            last: last.unwrap_or(i64::MIN),
            prefixes,
        }
    }

    fn total_prefixes(&self) -> Vec<bool> {
        let wants = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let prefix = |prefix: usize| {
            let currency = Currency::by_index(prefix >> 2).is_some_and(|is| wants(&self.currency, is.code()));
            currency && Status::ALL.get(prefix & 3).is_some_and(|is| wants(&self.status, is.name()))
        };
        (0..Currency::COUNT << 2).map(prefix).collect()
    }
}

impl Wanted {
    /// Where reading begins; None when nothing is wanted.
    pub fn first(&self) -> Option<Vec<u8>> {
        self.since_prefix(0)
    }

    /// Judges the entry of a key whose bar, when it is rolled up, starts at `start`, which is not after its own start.
    pub fn judge(&self, of: GroupOf<'_>, start: i64) -> Verdict {
        let prefix = usize::from(of.prefix);
        let seek = |to: Option<Vec<u8>>| to.map_or(Verdict::End, Verdict::Seek);
        if !self.prefixes.get(prefix).is_some_and(|wanted| *wanted) {
            return seek(self.since_prefix(prefix + 1));
        }
        if let Some(name) = &self.name {
            match of.name.cmp(name) {
                std::cmp::Ordering::Less => return seek(Some(self.at(of.prefix, name))),
                std::cmp::Ordering::Greater => return seek(self.since_prefix(prefix + 1)),
                std::cmp::Ordering::Equal => {}
            }
        }
        if of.bucket < self.from {
            return seek(Some(self.at(of.prefix, of.name)));
        }
        if start < self.from {
            // The rest of a longer bar that starts too early.
            return Verdict::Step;
        }
        if start <= self.last {
            return Verdict::Take;
        }
        match self.name {
            Some(_) => seek(self.since_prefix(prefix + 1)),
            None => seek(Some(behind(of))),
        }
    }

    /// The least key that may be wanted from this prefix on.
    fn since_prefix(&self, prefix: usize) -> Option<Vec<u8>> {
        let next = (prefix..self.prefixes.len()).find(|prefix| self.prefixes[*prefix])? as u16;
        Some(match &self.name {
            Some(name) => self.at(next, name),
            None => next.to_be_bytes().to_vec(),
        })
    }

    /// The least key of a name that may be wanted.
    fn at(&self, prefix: u16, name: &[u8]) -> Vec<u8> {
        let mut key = Vec::new();
        encode_key(GroupOf { prefix, name, bucket: self.from }, &mut key);
        key
    }
}

/// A key behind all of this name and before all others that follow: those go on with more than a NUL.
fn behind(of: GroupOf<'_>) -> Vec<u8> {
    let mut key = of.prefix.to_be_bytes().to_vec();
    key.extend_from_slice(of.name);
    key.push(1);
    key
}
