//! What one commit puts and deletes, in order, and the tables there are.

/// The tables of the store. A new table is a variant here and a line in [`Table::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What the engine knows about itself: format version, number of the last commit, queues, ids given out.
    Meta,
    /// One short entry per message: all that the scheduler must know of it. Read as a whole at every start.
    Index,
    /// What was sent, written once per message and never changed.
    Bodies,
    /// What receivers said when they gave a message back.
    Notes,
    /// Which sends a FIFO queue has seen in the last minutes.
    Deduplication,
    /// The caller's own records; the engine does not look into them.
    Records,
    /// What is known of each object version.
    Objects,
    /// The bytes of small objects.
    Contents,
}

impl Table {
    /// All tables, each at the place of its number.
    pub const ALL: [Table; 8] = [
        Table::Meta,
        Table::Index,
        Table::Bodies,
        Table::Notes,
        Table::Deduplication,
        Table::Records,
        Table::Objects,
        Table::Contents,
    ];

    /// The format of the folder that had it first; older ones are opened without it.
    pub(super) fn since(self) -> u32 {
        match self {
            Table::Objects | Table::Contents => 2,
            _ => 1,
        }
    }

    /// The name of the table on disk.
    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Index => "index",
            Table::Bodies => "bodies",
            Table::Notes => "notes",
            Table::Deduplication => "deduplication",
            Table::Records => "records",
            Table::Objects => "objects",
            Table::Contents => "contents",
        }
    }
}

/// A key and its new value; no value deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// Where.
    pub table: Table,
    /// Which.
    pub key: &'a [u8],
    /// The new value, or `None` to delete.
    pub value: Option<&'a [u8]>,
}

/// An ordered list of puts and deletes that become durable together or not at all. A later change of a key wins.
///
/// All keys and values lie behind each other in one piece of memory: a commit has thousands of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    list: Vec<Place>,
    bytes: Vec<u8>,
}

/// Where a change ends in the bytes; it begins where the one before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    table: Table,
    is_put: bool,
    key_end: usize,
    end: usize,
}

impl Changes {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, table: Table, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.put_with(table, key, |bytes| bytes.extend_from_slice(value.as_ref()));
    }

    /// Sets `key` to the value that `write` appends.
    pub fn put_with(&mut self, table: Table, key: impl AsRef<[u8]>, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(key.as_ref());
        let key_end = self.bytes.len();
        write(&mut self.bytes);
        self.list.push(Place { table, is_put: true, key_end, end: self.bytes.len() });
    }

    /// Takes `key` out; nothing happens if it is not there.
    pub fn delete(&mut self, table: Table, key: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(key.as_ref());
        let end = self.bytes.len();
        self.list.push(Place { table, is_put: false, key_end: end, end });
    }

    /// The change at a place in the order.
    pub fn get(&self, index: usize) -> Option<Change<'_>> {
        let Place { table, is_put, key_end, end } = *self.list.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.list.get(before)).map_or(0, |before| before.end);
        let value = self.bytes.get(key_end..end).filter(|_| is_put);
        Some(Change { table, key: self.bytes.get(start..key_end)?, value })
    }

    /// The changes, in order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        (0..self.list.len()).filter_map(|index| self.get(index))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_stand_at_the_place_of_their_number() {
        for (place, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, place);
        }
    }

    #[test]
    fn changes_come_out_as_they_went_in() {
        let mut changes = Changes::new();
        changes.put(Table::Meta, b"a", b"1");
        changes.delete(Table::Index, b"bc");
        changes.put(Table::Records, b"d", b"");
        let listed: Vec<Change<'_>> = changes.iter().collect();
        let change = |table, key, value| Change { table, key, value };
        assert_eq!(
            listed,
            [
                change(Table::Meta, b"a".as_slice(), Some(b"1".as_slice())),
                change(Table::Index, b"bc", None),
                change(Table::Records, b"d", Some(b"")),
            ]
        );
        assert_eq!((changes.len(), changes.bytes()), (3, 5));
        assert!(!changes.is_empty() && changes.get(3).is_none());
    }
}
