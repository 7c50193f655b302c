//! Items that are written without conditions, many at a time: several calls under way, and what the table did not take is
//! tried again after a while. Written twice they are the same items.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use pipeline::ports::Cause;

use super::{Item, Name, Table};
use crate::limits::{BATCH_ITEMS_MAX, BATCH_TRIES_MAX, BATCHES_AT_ONCE_MAX};

/// Milliseconds before the second try, on average; doubled with each that brought nothing.
const PAUSE_MS: u64 = 20;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 5_000;

/// Writes all of them; after an error it is open which. What is not taken is not waited for after `until`, if there is such a
/// time.
pub fn fill(
    table: &dyn Table,
    name: Name,
    items: Vec<Item>,
    process: u64,
    until: Option<Instant>,
) -> Result<(), Cause> {
    let mut batches: Vec<Vec<Item>> = Vec::with_capacity(items.len().div_ceil(BATCH_ITEMS_MAX));
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        batches.push(items.by_ref().take(BATCH_ITEMS_MAX).collect());
    }
    let at_once = batches.len().min(BATCHES_AT_ONCE_MAX);
    let (left, failed) = (Mutex::new(batches), Mutex::new(None));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = |number: u64| {
        while let Some(batch) = next() {
            if let Err(cause) = write(table, name, batch, process ^ number, until) {
                left.lock().unwrap_or_else(PoisonError::into_inner).clear();
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
            }
        }
    };
    std::thread::scope(|scope| {
        // this thread works too, so a single batch starts none
        for number in 1..at_once {
            scope.spawn(move || work(number as u64));
        }
        work(0);
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Writes one batch; a try that brought something does not count.
fn write(
    table: &dyn Table,
    name: Name,
    mut batch: Vec<Item>,
    process: u64,
    until: Option<Instant>,
) -> Result<(), Cause> {
    let mut number = 0;
    loop {
        let count = batch.len();
        batch = table.batch(name, batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        number = if batch.len() < count { 0 } else { number + 1 };
        if number >= BATCH_TRIES_MAX {
            return Err(format!("the table takes none of {count} items, after {number} tries").into());
        }
        let longest = (PAUSE_MS << number.min(8)).min(PAUSE_MS_MAX);
        // anything between nothing and all of it, and not what others wait
        let share = (process ^ u64::from(number) ^ count as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        let pause = Duration::from_millis(share % (2 * longest));
        if until.is_some_and(|until| Instant::now() + pause > until) {
            return Err(format!("the table did not take {} items before the time was over", batch.len()).into());
        }
        std::thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::table::{Action, Error, Key, Place};

    /// A table that takes nothing, as one that is asked for too much.
    #[derive(Debug, Default)]
    struct Full(AtomicU32);

    impl Table for Full {
        fn get(&self, _: &Place) -> Result<Option<Item>, Cause> {
            Err("it only takes batches".into())
        }

        fn query(&self, _: &str, _: &str, _: Option<&str>, _: usize) -> Result<(Vec<Item>, Option<String>), Cause> {
            Err("it only takes batches".into())
        }

        fn query_rows(&self, _: &str, _: i128, _: i128, _: usize) -> Result<(Vec<Item>, Option<i128>), Cause> {
            Err("it only takes batches".into())
        }

        fn transact(&self, _: Vec<Action>) -> Result<(), Error> {
            Err(Error::Refused(Vec::new()))
        }

        fn batch(&self, _: Name, items: Vec<Item>) -> Result<Vec<Item>, Cause> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(items)
        }
    }

    #[test]
    fn a_table_that_takes_nothing_is_asked_until_the_time_is_over() {
        let item = || Key::new("g", "1").item([]);
        let within = |time: Duration| {
            let (table, began) = (Full::default(), Instant::now());
            let filled = fill(&table, Name::Rows, vec![item()], 7, Some(began + time));
            let why = filled.expect_err("it takes nothing").to_string();
            assert!(why.contains("1 items before the time was over"), "{why}");
            assert!(began.elapsed() < time + Duration::from_millis(100), "{:?}", began.elapsed());
            table.0.into_inner()
        };
        assert_eq!(within(Duration::ZERO), 1, "it is asked once");
        let asked = within(Duration::from_millis(400));
        assert!((2..BATCH_TRIES_MAX).contains(&asked), "{asked}");
    }
}
