//! The totals that transactions go to.

use crate::Result;
use crate::batch::{TransactionRow, Transactions, WIDE};
use crate::groups::{Groups, Key, TotalGroup, sum_out_of_range};

/// Rows whose totals are fetched at once: more than a core can wait for at a time, few enough to stay in its cache.
const TOUCHED_ROWS: usize = 512;

/// Adds the rows of a batch, whose merchants have these numbers, but for `left_out`: indices in order.
pub(crate) fn add_transactions(
    table: &mut Groups<TotalGroup>,
    transactions: &Transactions,
    merchants: &[u32],
    left_out: &[u32],
) -> Result<()> {
    let key_of = |row: &TransactionRow| Key {
        bucket: i64::from(row.day),
        name: merchants[row.merchant as usize],
        prefix: row.group,
    };
    let mut left_out = left_out.iter().copied().peekable();
    let mut wide = transactions.wide.iter();
    let mut keys = [(Key::default(), 0); TOUCHED_ROWS];
    let mut fits = true;
    let mut numbers = 0..;
    for rows in transactions.rows.chunks(TOUCHED_ROWS) {
        let keys = &mut keys[..rows.len()];
        for (row, sought) in rows.iter().zip(&mut *keys) {
            let key = key_of(row);
            *sought = (key, key.hash());
        }
        table.touch(keys.iter().map(|(_, hash)| *hash));
        for ((row, (key, hash)), number) in rows.iter().zip(keys).zip(numbers.by_ref()) {
            let full = if row.amount == WIDE { wide.next().map(|(_, amount)| *amount) } else { None };
            if left_out.next_if_eq(&number).is_some() {
                continue;
            }
            let position = table.position(*key, *hash);
            let total = table.at(position);
            fits &= match full {
                None => total.add(row.amount),
                Some(amount) => total.add_wide(amount),
            };
        }
    }
    if fits { Ok(()) } else { Err(sum_out_of_range()) }
}
