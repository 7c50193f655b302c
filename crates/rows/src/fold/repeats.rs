//! How many of the first rows of a file came before, told by their hashes.

use crate::limits::REPEATS_ROWS_MAX;

/// Hashes that are sorted once, when there are enough of them: to look each of a million up in a table costs many times
/// as much, because a core finds none of it in its cache.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    hashes: Vec<u64>,
    looked_at: usize,
    found: u64,
}

impl Repeats {
    /// Whether more rows are looked at.
    #[inline]
    pub fn wants_more(&self) -> bool {
        self.looked_at < REPEATS_ROWS_MAX
    }

    /// Takes a row, unless there were enough.
    #[inline]
    pub fn look(&mut self, hash: u64) {
        if self.wants_more() {
            self.looked_at += 1;
            self.hashes.push(hash);
            if !self.wants_more() {
                self.count();
            }
        }
    }

    /// How many of the rows came before. No more are taken after it.
    pub fn count(&mut self) -> u64 {
        self.looked_at = REPEATS_ROWS_MAX;
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.sort_unstable();
        self.found += hashes.array_windows().filter(|[one, next]| one == next).count() as u64;
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_that_came_before_counts_once() {
        let mut repeats = Repeats::default();
        [7, 3, 7, 7, 9, 3].into_iter().for_each(|hash| repeats.look(hash));
        assert_eq!(repeats.count(), 3);
        repeats.look(9);
        assert_eq!(repeats.count(), 3, "what comes after it is not looked at");
        assert!(!repeats.wants_more());
    }

    #[test]
    fn rows_beyond_the_limit_are_not_looked_at() {
        let mut repeats = Repeats::default();
        (1..REPEATS_ROWS_MAX as u64).for_each(|hash| repeats.look(hash));
        assert!(repeats.wants_more());
        repeats.look(5);
        assert!(!repeats.wants_more());
        assert_eq!(repeats.hashes.capacity(), 0, "what was counted is forgotten");
        repeats.look(6);
        assert_eq!(repeats.count(), 1);
    }
}
