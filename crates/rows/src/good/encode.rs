//! How the values of a column are written: in encodings that every reader of Parquet has, chosen to be quick.
//!
//! Times and whole numbers are differences. Labels, currencies and states are a dictionary and places in it; so are
//! numbers, as long as few of them are distinct, else they are differences if those are shorter, and as they are if
//! not. Texts are all lengths, then all bytes; where they begin alike, what a text shares with the one before is a
//! length only: zstd would find it again in every text, and takes three times as long for it.

use super::group::{Group, Texts, currency_of, status_of};
use super::thrift::{varint, zigzag};
use crate::currency::Currency;

/// The pages of one column of one row group, before they are packed.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// Distinct values, and how many; none without a dictionary.
    pub dictionary: Vec<u8>,
    pub distinct: usize,
    pub data: Vec<u8>,
    pub encoding: i32,
    /// How many bytes each text shares with the one before.
    shared: Vec<u32>,
}

pub(super) const PLAIN: i32 = 0;
pub(super) const RLE: i32 = 3;
pub(super) const DELTA_BINARY_PACKED: i32 = 5;
pub(super) const DELTA_LENGTH_BYTE_ARRAY: i32 = 6;
pub(super) const DELTA_BYTE_ARRAY: i32 = 7;
pub(super) const RLE_DICTIONARY: i32 = 8;

/// Values in a block of differences and in a part of it that has a width of its own. Some readers know no others.
pub(super) const BLOCK: usize = 128;
pub(super) const PART: usize = 32;

impl Pages {
    pub fn clear(&mut self) {
        self.dictionary.clear();
        self.distinct = 0;
        self.data.clear();
        self.encoding = PLAIN;
    }

    /// Whole numbers or times.
    pub fn differences(&mut self, values: impl ExactSizeIterator<Item = i64>) {
        self.encoding = DELTA_BINARY_PACKED;
        differences(values, &mut self.data);
    }

    pub fn texts(&mut self, texts: &Texts) {
        self.share(texts);
        if self.shared.iter().any(|shared| *shared > 0) {
            self.encoding = DELTA_BYTE_ARRAY;
            differences(self.shared.iter().map(|shared| i64::from(*shared)), &mut self.data);
        } else {
            self.encoding = DELTA_LENGTH_BYTE_ARRAY;
        }
        let mut before = 0;
        let lengths = texts.ends.iter().zip(&self.shared);
        let lengths = lengths.map(|(end, shared)| i64::from(*end - std::mem::replace(&mut before, *end) - shared));
        differences(lengths, &mut self.data);
        for (row, shared) in self.shared.iter().enumerate() {
            self.data.extend_from_slice(&texts.get(row)[*shared as usize..]);
        }
    }

    /// Finds what each text shares with the one before: as much as all of them share, or more if that pays.
    fn share(&mut self, texts: &Texts) {
        self.shared.clear();
        let rows = texts.ends.len();
        let mut before = if rows > 0 { texts.get(0) } else { return };
        let (mut least, mut sum) = (usize::MAX, 0);
        self.shared.push(0);
        for row in 1..rows {
            let text = texts.get(row);
            let shared = begin_alike(before, text);
            before = text;
            self.shared.push(shared as u32);
            least = least.min(shared);
            sum += shared;
        }
        // Lengths that differ take some bits themselves.
        if sum < (least.saturating_add(1)).saturating_mul(rows) {
            self.shared[1..].fill(least as u32);
        }
    }

    pub fn labels(&mut self, group: &Group) {
        for label in 0..group.dictionary.ends.len() {
            self.add_text(group.dictionary.get(label));
        }
        self.places(&group.labels);
    }

    /// Currencies or states.
    pub fn codes(&mut self, codes: &[u16], currencies: bool, places: &mut Vec<u32>) {
        let mut numbers = [u32::MAX; 1 << 8];
        places.clear();
        for code in codes {
            let key = usize::from(if currencies { code >> 2 & 0xff } else { code & 3 });
            if numbers[key] == u32::MAX {
                numbers[key] = self.distinct as u32;
                let name = match currencies {
                    true => currency_of(*code).map_or("", Currency::code),
                    false => status_of(*code).name(),
                };
                self.add_text(name.as_bytes());
            }
            places.push(numbers[key]);
        }
        self.places(places);
    }

    /// Numbers as a dictionary, if few of them are distinct; otherwise false, and nothing is written.
    pub fn few<T: Value>(&mut self, values: &[T], distinct: &mut Distinct<T>) -> bool {
        if !distinct.find(values) {
            return false;
        }
        distinct.values.iter().for_each(|value| value.put(&mut self.dictionary));
        self.distinct = distinct.values.len();
        self.places(&distinct.places);
        true
    }

    /// Numbers as differences, if that is shorter by an eighth at least; otherwise false, and nothing is written.
    pub fn near(&mut self, values: &[i64]) -> bool {
        self.differences(values.iter().copied());
        let pays = self.data.len() <= size_of_val(values) / 8 * 7;
        if !pays {
            self.data.clear();
        }
        pays
    }

    /// Numbers as they are.
    pub fn plain<T: Value>(&mut self, values: &[T]) {
        self.encoding = PLAIN;
        values.iter().for_each(|value| value.put(&mut self.data));
    }

    fn add_text(&mut self, text: &[u8]) {
        self.dictionary.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.dictionary.extend_from_slice(text);
        self.distinct += 1;
    }

    /// Places in the dictionary: one run of packed numbers, or one of equal ones when there is only one value.
    fn places(&mut self, places: &[u32]) {
        self.encoding = RLE_DICTIONARY;
        let width = (usize::BITS - self.distinct.saturating_sub(1).leading_zeros()).max(1);
        self.data.push(width as u8);
        if self.distinct == 1 {
            varint((places.len() as u64) << 1, &mut self.data);
            self.data.push(0);
            return;
        }
        let eights = places.len().div_ceil(8);
        varint((eights as u64) << 1 | 1, &mut self.data);
        let end = self.data.len() + eights * width as usize;
        pack(places.iter().map(|place| u64::from(*place)), width, &mut self.data);
        self.data.resize(end, 0);
    }
}

/// How many bytes two texts have in common at the front.
#[inline]
fn begin_alike(one: &[u8], other: &[u8]) -> usize {
    let (ones, others) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    for (place, (one, other)) in ones.iter().zip(others).enumerate() {
        let differ = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if differ != 0 {
            return place * 8 + differ.trailing_zeros() as usize / 8;
        }
    }
    let equal = ones.len().min(others.len()) * 8;
    equal + one[equal..].iter().zip(&other[equal..]).take_while(|(one, other)| one == other).count()
}

/// A number of fixed width.
pub(super) trait Value: Copy + Eq + Default {
    fn hash(self) -> u64;
    fn put(self, into: &mut Vec<u8>);
}

/// Makes a hash of the high bits of a product.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

impl Value for i64 {
    #[inline(always)]
    fn hash(self) -> u64 {
        (self as u64).wrapping_mul(MIX)
    }

    #[inline(always)]
    fn put(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.to_le_bytes());
    }
}

impl Value for i128 {
    fn hash(self) -> u64 {
        (self as u64 ^ ((self >> 64) as u64).rotate_left(32)).wrapping_mul(MIX)
    }

    fn put(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.to_be_bytes());
    }
}

/// Distinct values of a column, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Distinct<T> {
    /// Number of a value and 1, by its hash; 0 is an empty slot.
    table: Vec<u16>,
    values: Vec<T>,
    places: Vec<u32>,
}

/// Most distinct values: what is looked at for every row must stay in the cache of a core.
const DISTINCT_MAX: usize = 1 << 15;
const SLOT_BITS: u32 = 16;
/// After so many rows it is clear whether values come again.
const TRIED_ROWS: usize = 1 << 14;

impl<T: Value> Distinct<T> {
    /// Numbers `values`; false as soon as it is seen that too many are distinct for a dictionary to pay.
    fn find(&mut self, values: &[T]) -> bool {
        self.table.clear();
        self.table.resize(1 << SLOT_BITS, 0);
        self.values.clear();
        self.places.clear();
        self.places.reserve(values.len());
        let (tried, rest) = values.split_at(values.len().min(TRIED_ROWS));
        let pays = self.number(tried) && self.values.len() * 4 <= TRIED_ROWS * 3 && self.number(rest);
        pays && self.values.len() * 2 <= values.len()
    }

    fn number(&mut self, values: &[T]) -> bool {
        let mask = self.table.len() - 1;
        for value in values {
            let mut slot = (value.hash() >> (u64::BITS - SLOT_BITS)) as usize;
            let place = loop {
                match self.table[slot] {
                    0 if self.values.len() == DISTINCT_MAX => return false,
                    0 => {
                        self.values.push(*value);
                        self.table[slot] = self.values.len() as u16;
                        break self.values.len() - 1;
                    }
                    number if self.values[usize::from(number) - 1] == *value => break usize::from(number) - 1,
                    _ => slot = (slot + 1) & mask,
                }
            };
            self.places.push(place as u32);
        }
        true
    }
}

/// Appends `values` as differences, in blocks of `BLOCK`.
fn differences(mut values: impl ExactSizeIterator<Item = i64>, into: &mut Vec<u8>) {
    varint(BLOCK as u64, into);
    varint((BLOCK / PART) as u64, into);
    varint(values.len() as u64, into);
    let mut last = values.next().unwrap_or(0);
    varint(zigzag(last), into);
    let mut steps = [0i64; BLOCK];
    loop {
        let mut count = 0;
        for (step, value) in steps.iter_mut().zip(values.by_ref()) {
            *step = value.wrapping_sub(last);
            last = value;
            count += 1;
        }
        if count == 0 {
            return;
        }
        block(&steps[..count], into);
        if count < BLOCK {
            return;
        }
    }
}

/// One block: its smallest difference, the width of each part, and what the differences are more than the smallest.
fn block(steps: &[i64], into: &mut Vec<u8>) {
    let smallest = steps.iter().copied().min().unwrap_or(0);
    varint(zigzag(smallest), into);
    let widths_at = into.len();
    into.extend_from_slice(&[0; BLOCK / PART]);
    for (part, steps) in steps.chunks(PART).enumerate() {
        let mut more = [0u64; PART];
        let mut all = 0;
        for (more, step) in more.iter_mut().zip(steps) {
            *more = step.wrapping_sub(smallest) as u64;
            all |= *more;
        }
        let width = u64::BITS - all.leading_zeros();
        into[widths_at + part] = width as u8;
        pack(more.iter().copied(), width, into);
    }
}

/// Appends the lowest `width` bits of each value, of which no others may be set; the last byte is filled up with zeros.
#[inline(always)]
fn pack(values: impl Iterator<Item = u64>, width: u32, into: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let (mut bits, mut used) = (0u64, 0);
    for value in values {
        bits |= value << used;
        used += width;
        if used >= u64::BITS {
            into.extend_from_slice(&bits.to_le_bytes());
            used -= u64::BITS;
            bits = if used == 0 { 0 } else { value >> (width - used) };
        }
    }
    into.extend_from_slice(&bits.to_le_bytes()[..used.div_ceil(8) as usize]);
}
