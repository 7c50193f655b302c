//! The values of one Parquet page, one after another, whatever their encoding.

use super::delta::Delta;
use super::hybrid::{Hybrid, bits};
use super::schema::Physical;
use crate::table::file::Fault;

/// A place among the values of a page. The page is given anew with every call.
#[derive(Debug)]
pub(super) enum Values {
    /// The page has none: all its rows are null.
    Absent,
    Plain {
        at: usize,
    },
    /// Plain booleans.
    Bits {
        bit_at: u64,
    },
    /// Booleans in runs.
    Booleans(Hybrid),
    /// Places in the dictionary.
    Indices(Hybrid),
    Differences(Delta),
    /// Strings: all lengths, then all bytes.
    Lengths {
        lengths: Delta,
        at: usize,
    },
    /// Strings that begin as the one before: all shared lengths, all other lengths, all other bytes.
    Shared {
        shared: Delta,
        lengths: Delta,
        at: usize,
        value: Vec<u8>,
    },
    /// The first bytes of all values, then the second bytes of all, and so on.
    Split {
        start: usize,
        count: usize,
        index: usize,
    },
}

const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE: i64 = 3;
const DELTA_BINARY_PACKED: i64 = 5;
const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
/// The encoding that needs the previous value kept.
pub(super) const DELTA_BYTE_ARRAY: i64 = 7;
const RLE_DICTIONARY: i64 = 8;
const BYTE_STREAM_SPLIT: i64 = 9;

const FEWER: Fault = Fault("there are fewer values than rows");

impl Values {
    /// Values that begin at `at` of `page`.
    pub(super) fn new(encoding: i64, physical: Physical, page: &[u8], at: usize) -> Result<Self, Fault> {
        if at >= page.len() {
            return Ok(Values::Absent);
        }
        Ok(match (encoding, physical) {
            (PLAIN, Physical::Boolean) => Values::Bits { bit_at: at as u64 * 8 },
            (PLAIN, _) => Values::Plain { at },
            (PLAIN_DICTIONARY | RLE_DICTIONARY, Physical::Fixed(_) | Physical::Bytes) => {
                Values::Indices(Hybrid::new(at + 1, u32::from(page[at]))?)
            }
            (RLE, Physical::Boolean) => Values::Booleans(Hybrid::new(at + 4, 1)?),
            (DELTA_BINARY_PACKED, Physical::Fixed(4 | 8)) => Values::Differences(Delta::new(page, at)?),
            (DELTA_LENGTH_BYTE_ARRAY, Physical::Bytes) => {
                let lengths = Delta::new(page, at)?;
                let at = lengths.clone().end(page)?;
                Values::Lengths { lengths, at }
            }
            (DELTA_BYTE_ARRAY, Physical::Bytes | Physical::Fixed(_)) => {
                let shared = Delta::new(page, at)?;
                let lengths = Delta::new(page, shared.clone().end(page)?)?;
                let at = lengths.clone().end(page)?;
                Values::Shared { shared, lengths, at, value: Vec::new() }
            }
            (BYTE_STREAM_SPLIT, Physical::Fixed(width)) => {
                Values::Split { start: at, count: (page.len() - at) / width.max(1), index: 0 }
            }
            _ => return Err(Fault("its encoding is unknown, or not for values of its type")),
        })
    }

    /// The bytes of the next value, in the page, the dictionary or `scratch`.
    #[inline]
    pub(super) fn next<'a>(
        &'a mut self,
        physical: Physical,
        page: &'a [u8],
        dictionary: Option<&'a Dictionary>,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Fault> {
        match self {
            Values::Absent => Err(FEWER),
            Values::Plain { at } => plain(physical, page, at),
            Values::Indices(indices) => {
                let dictionary = dictionary.ok_or(Fault("it refers to a dictionary that is not there"))?;
                dictionary.get(indices.next(page)?)
            }
            Values::Bits { bit_at } => {
                let bit = bits(page, *bit_at, 1).ok_or(FEWER)?;
                *bit_at += 1;
                Ok(boolean(bit == 1))
            }
            Values::Booleans(runs) => Ok(boolean(runs.next(page)? == 1)),
            Values::Differences(differences) => {
                let value = differences.next(page)?;
                scratch.clear();
                scratch.extend_from_slice(&value.to_le_bytes()[..if physical == Physical::Fixed(4) { 4 } else { 8 }]);
                Ok(scratch)
            }
            Values::Lengths { lengths, at } => take(page, at, lengths.next(page)?),
            Values::Shared { shared, lengths, at, value } => {
                let kept = usize::try_from(shared.next(page)?).ok().filter(|&kept| kept <= value.len());
                value.truncate(kept.ok_or(Fault("a value shares more with the one before than that has"))?);
                value.extend_from_slice(take(page, at, lengths.next(page)?)?);
                Ok(value)
            }
            Values::Split { start, count, index } => {
                let width = match physical {
                    Physical::Fixed(width) if *index < *count => width,
                    _ => return Err(FEWER),
                };
                scratch.clear();
                scratch.extend((0..width).map(|byte| page[*start + byte * *count + *index]));
                *index += 1;
                Ok(scratch)
            }
        }
    }
}

fn boolean(value: bool) -> &'static [u8] {
    if value { &[1] } else { &[0] }
}

#[inline]
fn plain<'a>(physical: Physical, page: &'a [u8], at: &mut usize) -> Result<&'a [u8], Fault> {
    match physical {
        Physical::Fixed(width) => take(page, at, width as i64),
        Physical::Bytes => {
            let length = page.get(*at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(FEWER)?;
            *at += 4;
            take(page, at, i64::from(u32::from_le_bytes(*length)))
        }
        Physical::Boolean => Err(FEWER),
    }
}

#[inline]
fn take<'a>(page: &'a [u8], at: &mut usize, length: i64) -> Result<&'a [u8], Fault> {
    let length = usize::try_from(length).map_err(|_| Fault("a value has a negative length"))?;
    let taken = page.get(*at..).and_then(|rest| rest.get(..length)).ok_or(Fault("a value reaches past its page"))?;
    *at += length;
    Ok(taken)
}

/// The values that indices refer to, as they are in the dictionary's page.
#[derive(Debug)]
pub(super) struct Dictionary {
    page: Vec<u8>,
    count: usize,
    /// Bytes of a value; 0 if each begins with its length, and then `starts` says where.
    width: usize,
    starts: Vec<u32>,
}

impl Dictionary {
    /// A dictionary of `count` plain values in `page`.
    pub(super) fn new(page: Vec<u8>, count: u64, physical: Physical) -> Result<Self, Fault> {
        let lacks = Fault("the dictionary has fewer values than it says");
        let smallest = match physical {
            Physical::Boolean => return Err(Fault("a dictionary of booleans")),
            Physical::Fixed(width) => width.max(1),
            Physical::Bytes => 4,
        };
        let count = usize::try_from(count).ok().filter(|&count| count <= page.len() / smallest).ok_or(lacks)?;
        if let Physical::Fixed(width) = physical {
            return Ok(Self { page, count, width, starts: Vec::new() });
        }
        let mut starts = Vec::with_capacity(count);
        let mut at = 0;
        for _ in 0..count {
            starts.push(at as u32);
            plain(physical, &page, &mut at)?;
        }
        Ok(Self { page, count, width: 0, starts })
    }

    /// Memory that `new` takes besides the page.
    pub(super) fn extra(page_bytes: u64, count: u64, physical: Physical) -> u64 {
        if physical == Physical::Bytes { (page_bytes / 4).min(count) * 4 } else { 0 }
    }

    #[inline]
    fn get(&self, index: u32) -> Result<&[u8], Fault> {
        let index = index as usize;
        let outside = Fault("it refers to a value past the end of its dictionary");
        if index >= self.count {
            return Err(outside);
        }
        let (mut at, physical) = match self.starts.get(index) {
            Some(&start) => (start as usize, Physical::Bytes),
            None => (index * self.width, Physical::Fixed(self.width)),
        };
        plain(physical, &self.page, &mut at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_end_with_their_page() {
        let mut scratch = Vec::new();
        let page = [2, 0, 0, 0, b'h', b'i', 9, 0, 0, 0, b'x'];
        let mut values = Values::new(PLAIN, Physical::Bytes, &page, 0).expect("values");
        assert_eq!(values.next(Physical::Bytes, &page, None, &mut scratch), Ok(&b"hi"[..]));
        assert!(values.next(Physical::Bytes, &page, None, &mut scratch).is_err());
        let mut split = Values::new(BYTE_STREAM_SPLIT, Physical::Fixed(2), &[1, 2, 3, 4], 0).expect("values");
        assert_eq!(split.next(Physical::Fixed(2), &[1, 2, 3, 4], None, &mut scratch), Ok(&[1, 3][..]));
        assert!(Values::new(PLAIN_DICTIONARY, Physical::Boolean, &page, 0).is_err());
    }

    #[test]
    fn a_dictionary_cannot_promise_more_than_its_page_holds() {
        assert!(Dictionary::new(vec![0; 8], 3, Physical::Bytes).is_err());
        assert!(Dictionary::new(vec![0; 8], u64::MAX, Physical::Fixed(1)).is_err());
        assert!(Dictionary::new(vec![0, 0, 0, 0, 9, 0, 0, 0], 2, Physical::Bytes).is_err());
        let dictionary = Dictionary::new(vec![0, 0, 0, 0, 1, 0, 0, 0, b'x'], 2, Physical::Bytes).expect("a dictionary");
        assert_eq!((dictionary.get(0), dictionary.get(1)), (Ok(&b""[..]), Ok(&b"x"[..])));
        assert!(dictionary.get(2).is_err());
    }

    proptest! {
        #[test]
        fn any_page_is_values_or_a_fault(
            page in proptest::collection::vec(any::<u8>(), 0..80),
            encoding in 0i64..11,
            physical in prop_oneof![
                Just(Physical::Boolean), Just(Physical::Bytes), (0usize..20).prop_map(Physical::Fixed)
            ],
        ) {
            let dictionary = Dictionary::new(b"abcdefghijklmnop".to_vec(), 2, Physical::Fixed(8)).expect("a dictionary");
            let mut scratch = Vec::new();
            if let Ok(mut values) = Values::new(encoding, physical, &page, 0) {
                for _ in 0..500 {
                    match values.next(physical, &page, Some(&dictionary), &mut scratch) {
                        Ok(value) => prop_assert!(value.len() <= 80),
                        Err(_) => break,
                    }
                }
            }
        }
    }
}
