//! Writes the Thrift compact protocol, which Parquet's footer and page headers are written in.

/// Structures being written; fields must come in the order of their ids.
#[derive(Debug)]
pub(super) struct Compact {
    pub bytes: Vec<u8>,
    /// The last id of each structure that is open.
    last: Vec<i16>,
}

/// The types of fields and elements that Parquet needs.
pub(super) const INT: u8 = 5;
pub(super) const BINARY: u8 = 8;
pub(super) const STRUCT: u8 = 12;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const LONG: u8 = 6;
const LIST: u8 = 9;

impl Compact {
    /// Structures that follow `bytes`.
    pub fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes, last: Vec::new() }
    }

    /// Begins a structure that is no field: the whole, or an element of a list.
    pub fn open(&mut self) {
        self.last.push(0);
    }

    /// Ends the structure that was begun last.
    pub fn end(&mut self) {
        self.bytes.push(0);
        self.last.pop();
    }

    /// Begins a structure that is a field.
    pub fn begin(&mut self, id: i16) {
        self.field(id, STRUCT);
        self.open();
    }

    /// A structure without fields.
    pub fn empty(&mut self, id: i16) {
        self.begin(id);
        self.end();
    }

    pub fn int(&mut self, id: i16, value: i32) {
        self.field(id, INT);
        self.zigzag(value.into());
    }

    pub fn long(&mut self, id: i16, value: i64) {
        self.field(id, LONG);
        self.zigzag(value);
    }

    pub fn byte(&mut self, id: i16, value: u8) {
        self.field(id, BYTE);
        self.bytes.push(value);
    }

    pub fn boolean(&mut self, id: i16, value: bool) {
        self.field(id, if value { TRUE } else { FALSE });
    }

    pub fn binary(&mut self, id: i16, value: &[u8]) {
        self.field(id, BINARY);
        self.element_binary(value);
    }

    /// Begins a list; its elements follow.
    pub fn list(&mut self, id: i16, element: u8, count: usize) {
        self.field(id, LIST);
        match u8::try_from(count) {
            Ok(count @ 0..15) => self.bytes.push(count << 4 | element),
            _ => {
                self.bytes.push(0xf0 | element);
                varint(count as u64, &mut self.bytes);
            }
        }
    }

    pub fn element_int(&mut self, value: i32) {
        self.zigzag(value.into());
    }

    pub fn element_binary(&mut self, value: &[u8]) {
        varint(value.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(value);
    }

    fn field(&mut self, id: i16, kind: u8) {
        let last = self.last.last_mut().map_or(0, |last| std::mem::replace(last, id));
        match u8::try_from(id - last) {
            Ok(step @ 1..16) => self.bytes.push(step << 4 | kind),
            _ => {
                self.bytes.push(kind);
                self.zigzag(id.into());
            }
        }
    }

    fn zigzag(&mut self, value: i64) {
        varint(zigzag(value), &mut self.bytes);
    }
}

/// Small numbers of either sign as small numbers without one.
pub(super) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// Appends a number of 7 bits a byte, lowest first.
pub(super) fn varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}
