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
}

impl Table {
    /// All tables, each at the place of its number.
    pub const ALL: [Table; 6] =
        [Table::Meta, Table::Index, Table::Bodies, Table::Notes, Table::Deduplication, Table::Records];

    /// The name of the table on disk.
    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Index => "index",
            Table::Bodies => "bodies",
            Table::Notes => "notes",
            Table::Deduplication => "deduplication",
            Table::Records => "records",
        }
    }
}

/// A key and its new value; no value deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub table: Table,
    /// Which.
    pub key: Vec<u8>,
    /// The new value, or `None` to delete.
    pub value: Option<Vec<u8>>,
}

/// An ordered list of puts and deletes that become durable together or not at all. A later change of a key wins.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    list: Vec<Change>,
    bytes: usize,
}

impl Changes {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.push(Change { table, key: key.into(), value: Some(value.into()) });
    }

    /// Takes `key` out; nothing happens if it is not there.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.push(Change { table, key: key.into(), value: None });
    }

    fn push(&mut self, change: Change) {
        self.bytes = self.bytes.saturating_add(change.key.len() + change.value.as_ref().map_or(0, Vec::len));
        self.list.push(change);
    }

    /// The changes, in order.
    pub fn list(&self) -> &[Change] {
        &self.list
    }

    /// The changes, in order, to keep.
    pub fn into_list(self) -> Vec<Change> {
        self.list
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
        self.bytes
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
}
