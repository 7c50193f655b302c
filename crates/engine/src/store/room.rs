//! Room in memory for a commit. The library would see to that itself, but orders it of its threads by every commit to a
//! table that is full, and a thread that is at another work falls behind without end (docs/decisions/0004-store.md). So
//! memtables are sealed here, before they are full, and the library finds nothing to order.

use std::time::Duration;

use fjall::{AbstractTree, Keyspace, PersistMode};

use super::{Change, Changes, Disk, Table};
use crate::limits::TABLE_MEMORY_BYTES_MAX;

/// So many memtables of a table may wait to be written, and so many files lie unsorted, before commits wait. Below the
/// numbers at which the library itself blocks, because it does that without ever looking whether its threads live.
const SEALED_MAX: usize = 3;
const UNSORTED_MAX: usize = 18;

/// What a change takes in memory beside its key and value; at least what the library counts for it.
const CHANGE_BYTES: u64 = 128;

impl Disk {
    /// Seals the memtables that these changes would fill, and waits while too much is to be written.
    pub(super) fn make_room(&self, changes: &Changes) -> fjall::Result<()> {
        let mut bytes = [0; Table::ALL.len()];
        for Change { table, key, value } in changes.iter() {
            bytes[table as usize] += (key.len() + value.map_or(0, <[u8]>::len)) as u64 + CHANGE_BYTES;
        }
        // the number of the commit
        bytes[Table::Meta as usize] += CHANGE_BYTES;
        for (table, more) in self.tables.iter().zip(bytes) {
            let held = table.tree.active_memtable().size();
            if more > 0 && held > 0 && held + more > TABLE_MEMORY_BYTES_MAX {
                table.rotate_memtable()?;
            }
        }
        self.wait_for(|table| table.sealed_memtable_count() < SEALED_MAX && table.l0_table_count() < UNSORTED_MAX)
    }

    /// Waits until all tables are as they should be, or a thread of the library has failed.
    pub(super) fn wait_for(&self, ready: impl Fn(&Keyspace) -> bool) -> fjall::Result<()> {
        while !self.tables.iter().all(&ready) {
            // Writes nothing, but tells when the library has given up.
            self.database.persist(PersistMode::Buffer)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commits of all sizes, to two tables in turn: none fills a memtable, so the library is never asked for one.
    #[test]
    fn no_memtable_is_filled_and_all_of_it_is_written_out() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let (mut most, mut total) = (0, 0);
        let sizes = [100, 1_000_000, 5_000, 3_000_000, 8_000_000];
        for (number, size) in sizes.iter().cycle().take(100).enumerate() {
            let table = [Table::Bodies, Table::Records][number % 2];
            let mut changes = Changes::new();
            changes.put(table, (number as u64).to_be_bytes(), vec![number as u8; *size]);
            disk.commit(&changes, Some(number as u64)).unwrap();
            total += *size as u64;
            let held = disk.tables.iter().map(|table| table.tree.active_memtable().size());
            most = held.max().unwrap().max(most);
        }
        assert!(most <= TABLE_MEMORY_BYTES_MAX, "{most} bytes in memory");
        assert!(most > TABLE_MEMORY_BYTES_MAX / 2, "{most} bytes in memory: sealed too early");
        disk.wait_for(|table| table.sealed_memtable_count() == 0).unwrap();
        let written: u64 = [Table::Bodies, Table::Records].iter().map(|table| disk.table(*table).disk_space()).sum();
        assert!(written + 2 * TABLE_MEMORY_BYTES_MAX >= total, "of {total} bytes only {written} were written out");
    }

    /// There is never room for a commit that is larger than a memtable: it does not wait for that.
    #[test]
    fn a_commit_that_is_larger_than_a_memtable_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let bytes = vec![7; TABLE_MEMORY_BYTES_MAX as usize + 1];
        for number in 0..4_u64 {
            let mut changes = Changes::new();
            changes.put(Table::Bodies, number.to_be_bytes(), &bytes);
            disk.commit(&changes, Some(number)).unwrap();
        }
        let bodies = disk.table(Table::Bodies);
        assert!((0..4_u64).all(|number| bodies.get(number.to_be_bytes()).unwrap().unwrap() == bytes));
    }
}
