//! Reads the Thrift compact protocol, which Parquet's footer and page headers are written in.
//!
//! Nothing is built: a caller walks the fields it wants and skips the others. Every length is checked against the
//! bytes that are there, so nothing can be made to allocate or to loop longer than the input is long.

/// Why a structure could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes end first; there may be more of them.
    Short,
    /// No further bytes would help.
    Malformed,
}

pub(crate) type Read<T> = Result<T, Fault>;

/// The type of a field or element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(u8);

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Structures inside structures. Parquet's own need 8.
const DEPTH_MAX: usize = 32;

/// A place in the bytes.
#[derive(Debug, Clone)]
pub(crate) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// All the bytes.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes read so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next field of a structure, by its id; `None` at the structure's end. `last` begins as 0.
    pub(crate) fn field(&mut self, last: &mut i16) -> Read<Option<(i16, Kind)>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let step = i16::from(head >> 4);
        let id = match step {
            0 => i16::try_from(self.zigzag()?).map_err(|_| Fault::Malformed)?,
            _ => last.checked_add(step).ok_or(Fault::Malformed)?,
        };
        *last = id;
        Ok(Some((id, Kind(head & 15))))
    }

    /// An integer of any width.
    pub(crate) fn integer(&mut self, kind: Kind) -> Read<i64> {
        match kind.0 {
            BYTE => Ok(i64::from(self.byte()? as i8)),
            4..=6 => self.zigzag(),
            _ => Err(Fault::Malformed),
        }
    }

    /// An integer that counts something.
    pub(crate) fn count(&mut self, kind: Kind) -> Read<u64> {
        u64::try_from(self.integer(kind)?).map_err(|_| Fault::Malformed)
    }

    /// A boolean field; its value is in its type.
    pub(crate) fn boolean(&self, kind: Kind) -> Read<bool> {
        match kind.0 {
            TRUE => Ok(true),
            FALSE => Ok(false),
            _ => Err(Fault::Malformed),
        }
    }

    pub(crate) fn binary(&mut self, kind: Kind) -> Read<&'a [u8]> {
        if kind.0 != BINARY {
            return Err(Fault::Malformed);
        }
        let length = self.varint()?;
        self.take(length)
    }

    /// Begins a structure; read its fields next.
    pub(crate) fn structure(&self, kind: Kind) -> Read<()> {
        if kind.0 == STRUCT { Ok(()) } else { Err(Fault::Malformed) }
    }

    /// Begins a list of structures; answers how many follow. Each takes a byte at least, so the number is no lie.
    pub(crate) fn structures(&mut self, kind: Kind) -> Read<usize> {
        match self.elements(kind)? {
            (_, 0) => Ok(0),
            (Kind(STRUCT), count) => Ok(count),
            _ => Err(Fault::Malformed),
        }
    }

    /// Passes over a value of any type.
    pub(crate) fn skip(&mut self, kind: Kind) -> Read<()> {
        self.skip_within(kind, DEPTH_MAX)
    }

    fn skip_within(&mut self, kind: Kind, depth: usize) -> Read<()> {
        let depth = depth.checked_sub(1).ok_or(Fault::Malformed)?;
        match kind.0 {
            TRUE | FALSE => Ok(()),
            BYTE => self.take(1).map(drop),
            4..=6 => self.varint().map(drop),
            DOUBLE => self.take(8).map(drop),
            UUID => self.take(16).map(drop),
            BINARY => self.binary(kind).map(drop),
            LIST | SET => {
                let (element, count) = self.elements(kind)?;
                (0..count).try_for_each(|_| self.skip_element(element, depth))
            }
            MAP => self.skip_map(depth),
            STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip_within(kind, depth)?;
                }
                Ok(())
            }
            _ => Err(Fault::Malformed),
        }
    }

    fn skip_map(&mut self, depth: usize) -> Read<()> {
        let count = self.varint()?;
        if count == 0 {
            return Ok(());
        }
        let kinds = self.byte()?;
        // Keys and values of no type at all would take no bytes, however many there are: skipping refuses that type.
        for _ in 0..count {
            self.skip_element(Kind(kinds >> 4), depth)?;
            self.skip_element(Kind(kinds & 15), depth)?;
        }
        Ok(())
    }

    /// In a list a boolean is a byte of its own.
    fn skip_element(&mut self, kind: Kind, depth: usize) -> Read<()> {
        match kind.0 {
            TRUE | FALSE => self.take(1).map(drop),
            _ => self.skip_within(kind, depth),
        }
    }

    fn elements(&mut self, kind: Kind) -> Read<(Kind, usize)> {
        if kind.0 != LIST && kind.0 != SET {
            return Err(Fault::Malformed);
        }
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(Fault::Short);
        }
        Ok((Kind(head & 15), count as usize))
    }

    fn byte(&mut self) -> Read<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, length: u64) -> Read<&'a [u8]> {
        let rest = self.bytes.get(self.at..).ok_or(Fault::Short)?;
        let length = usize::try_from(length).map_err(|_| Fault::Short)?;
        let taken = rest.get(..length).ok_or(Fault::Short)?;
        self.at += length;
        Ok(taken)
    }

    fn zigzag(&mut self) -> Read<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn varint(&mut self) -> Read<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_and_others_skipped() {
        // 1: i32 -3; 3: binary "hi"; 20: true; 21: list of two structures {1: i8 7}; end
        let bytes = [0x15, 5, 0x28, 2, b'h', b'i', 0x01, 40, 0x19, 0x2c, 0x13, 7, 0, 0x13, 7, 0, 0];
        let mut thrift = Thrift::new(&bytes, 0);
        let mut last = 0;
        let (id, kind) = thrift.field(&mut last).expect("readable").expect("a field");
        assert_eq!((id, thrift.integer(kind)), (1, Ok(-3)));
        let (id, kind) = thrift.field(&mut last).expect("readable").expect("a field");
        assert_eq!((id, thrift.binary(kind)), (3, Ok(&b"hi"[..])));
        let (id, kind) = thrift.field(&mut last).expect("readable").expect("a field");
        assert_eq!((id, thrift.boolean(kind)), (20, Ok(true)));
        let (id, kind) = thrift.field(&mut last).expect("readable").expect("a field");
        assert_eq!(id, 21);
        thrift.skip(kind).expect("skipped");
        assert_eq!(thrift.field(&mut last), Ok(None));
        assert_eq!(thrift.at(), bytes.len());
        for length in 0..bytes.len() {
            assert_eq!(Thrift::new(&bytes[..length], 0).skip(Kind(STRUCT)), Err(Fault::Short));
        }
    }

    #[test]
    fn lies_are_refused() {
        assert_eq!(Thrift::new(&[0xff; 20], 0).varint(), Err(Fault::Malformed));
        assert_eq!(Thrift::new(&[0x1c; 100], 0).skip(Kind(STRUCT)), Err(Fault::Malformed));
        assert_eq!(Thrift::new(&[0xfc, 0xff, 0xff, 0xff, 0x7f, 0], 0).structures(Kind(LIST)), Err(Fault::Short));
        assert_eq!(Thrift::new(&[0xff, 0xff, 0xff, 0x7f, 0x00], 0).skip(Kind(MAP)), Err(Fault::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u8..16) {
            let mut thrift = Thrift::new(&bytes, 0);
            let skipped = thrift.skip(Kind(kind));
            prop_assert!(thrift.at() <= bytes.len());
            prop_assert!(skipped.is_ok() || skipped.is_err());
        }
    }
}
