//! Reads FlatBuffers, which Arrow's footer and messages are written in. Every offset is checked when it is followed.

use crate::table::file::Fault;

/// A table: numbered fields, any of which may be absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    bytes: &'a [u8],
    at: usize,
    vtable: usize,
    vtable_length: usize,
}

/// A vector: where its first item is, and how many there are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Vector {
    start: usize,
    pub(super) count: usize,
    item: usize,
}

type Read<T> = Result<T, Fault>;

const OUTSIDE: Fault = Fault("an offset leads outside the metadata");

impl<'a> Node<'a> {
    pub(super) fn root(bytes: &'a [u8]) -> Read<Self> {
        let at = u32::from_le_bytes(array(bytes, 0)?) as usize;
        Self::at(bytes, at)
    }

    fn at(bytes: &'a [u8], at: usize) -> Read<Self> {
        let back = i64::from(i32::from_le_bytes(array(bytes, at)?));
        let vtable = usize::try_from(at as i64 - back).map_err(|_| OUTSIDE)?;
        let vtable_length = usize::from(u16::from_le_bytes(array(bytes, vtable)?));
        Ok(Self { bytes, at, vtable, vtable_length })
    }

    /// Where field `index` is, if it is there.
    fn field(&self, index: usize) -> Read<Option<usize>> {
        let entry = 4 + 2 * index;
        if entry + 2 > self.vtable_length {
            return Ok(None);
        }
        let offset = usize::from(u16::from_le_bytes(array(self.bytes, self.vtable + entry)?));
        Ok((offset != 0).then_some(self.at + offset))
    }

    pub(super) fn byte(&self, index: usize, default: u8) -> Read<u8> {
        Ok(match self.field(index)? {
            Some(at) => u8::from_le_bytes(array(self.bytes, at)?),
            None => default,
        })
    }

    pub(super) fn short(&self, index: usize, default: i16) -> Read<i16> {
        Ok(match self.field(index)? {
            Some(at) => i16::from_le_bytes(array(self.bytes, at)?),
            None => default,
        })
    }

    pub(super) fn int(&self, index: usize, default: i32) -> Read<i32> {
        Ok(match self.field(index)? {
            Some(at) => i32::from_le_bytes(array(self.bytes, at)?),
            None => default,
        })
    }

    pub(super) fn long(&self, index: usize, default: i64) -> Read<i64> {
        Ok(match self.field(index)? {
            Some(at) => i64::from_le_bytes(array(self.bytes, at)?),
            None => default,
        })
    }

    pub(super) fn table(&self, index: usize) -> Read<Option<Node<'a>>> {
        match self.field(index)? {
            Some(at) => Self::at(self.bytes, self.follow(at)?).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn string(&self, index: usize) -> Read<&'a [u8]> {
        let vector = self.vector(index, 1)?;
        self.bytes.get(vector.start..vector.start + vector.count).ok_or(OUTSIDE)
    }

    /// A vector of items of `item` bytes; all of them are there. Empty if the field is absent.
    pub(super) fn vector(&self, index: usize, item: usize) -> Read<Vector> {
        let Some(at) = self.field(index)? else { return Ok(Vector::default()) };
        let at = self.follow(at)?;
        let count = u32::from_le_bytes(array(self.bytes, at)?) as usize;
        let length = count.checked_mul(item).ok_or(OUTSIDE)?;
        self.bytes.get(at + 4..).and_then(|rest| rest.get(..length)).ok_or(OUTSIDE)?;
        Ok(Vector { start: at + 4, count, item })
    }

    /// A number inside item `index` of a vector.
    pub(super) fn item_long(&self, vector: Vector, index: usize, offset: usize) -> Read<i64> {
        Ok(i64::from_le_bytes(array(self.bytes, vector.place(index, offset)?)?))
    }

    /// A smaller number inside item `index` of a vector.
    pub(super) fn item_int(&self, vector: Vector, index: usize, offset: usize) -> Read<i32> {
        Ok(i32::from_le_bytes(array(self.bytes, vector.place(index, offset)?)?))
    }

    /// Item `index` of a vector of tables.
    pub(super) fn item_table(&self, vector: Vector, index: usize) -> Read<Node<'a>> {
        Self::at(self.bytes, self.follow(vector.place(index, 0)?)?)
    }

    /// The place that the offset at `at` leads to.
    fn follow(&self, at: usize) -> Read<usize> {
        let offset = u32::from_le_bytes(array(self.bytes, at)?) as usize;
        at.checked_add(offset).filter(|&place| place < self.bytes.len()).ok_or(OUTSIDE)
    }
}

impl Vector {
    fn place(self, index: usize, offset: usize) -> Read<usize> {
        if index < self.count { Ok(self.start + index * self.item + offset) } else { Err(Fault("a list is too short")) }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Read<[u8; N]> {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(OUTSIDE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_with_a_number_and_a_string() {
        // root offset; vtable {length 8, table 12, fields at 4 and 8}; table; string.
        let mut bytes = vec![12, 0, 0, 0, 8, 0, 12, 0, 4, 0, 8, 0];
        bytes.extend([8, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, b'h', b'i']);
        let node = Node::root(&bytes).expect("a table");
        assert_eq!(node.int(0, 1), Ok(7));
        assert_eq!(node.string(1), Ok(&b"hi"[..]));
        assert_eq!(node.int(2, 42), Ok(42));
        assert!(Node::root(&bytes[..27]).and_then(|node| node.string(1)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0u8..40, 0..100)) {
            if let Ok(node) = Node::root(&bytes) {
                for index in 0..8 {
                    if let Ok(string) = node.string(index) {
                        prop_assert!(string.len() < bytes.len());
                    }
                    if let Ok(Some(inner)) = node.table(index) {
                        prop_assert!(inner.at < bytes.len());
                    }
                    if let Ok(vector) = node.vector(index, 4) {
                        prop_assert!(vector.count <= 25);
                        prop_assert!(node.item_table(vector, vector.count).is_err());
                    }
                }
            }
        }
    }
}
