//! What the store keeps of an object version besides its bytes.

use super::digest::is_sha256;
use crate::queues::Millis;

/// The form of the record that is written.
const FORM: u8 = 1;
const IS_FILE: u8 = 1;
const IS_ARCHIVED: u8 = 2;

/// What is known of an object version without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its length.
    pub bytes: u64,
    /// What its bytes are known by, in hexadecimal: see [`Head::sha256`].
    pub digest: String,
    /// When it was written. Of two uploads the later has the later version, and never an earlier time.
    pub at: Millis,
    /// Bytes that it takes, with checksums: fewer than `bytes` once it was archived.
    pub stored_bytes: u64,
    /// Whether it was archived: it is read as before, only slower.
    pub is_archived: bool,
}

impl Head {
    /// The sha256 of an upload. A derived object is known by a shorter hash: nobody looks for its content elsewhere.
    pub fn sha256(&self) -> Option<&str> {
        Some(self.digest.as_str()).filter(|digest| is_sha256(digest))
    }
}

/// The record of an object version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) head: Head,
    pub(super) place: Place,
    /// The checksum of the checksums of its blocks.
    pub(super) check: u64,
}

/// Where the bytes are: in the store or in a file, under a number that no others have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Store(u64),
    File(u64),
}

impl Place {
    pub(super) fn number(self) -> u64 {
        match self {
            Place::Store(number) | Place::File(number) => number,
        }
    }
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let Head { bytes, digest, at, stored_bytes, is_archived } = &self.head;
        let (flag, number) = match self.place {
            Place::Store(number) => (0, number),
            Place::File(number) => (IS_FILE, number),
        };
        let mut encoded = vec![FORM, flag | if *is_archived { IS_ARCHIVED } else { 0 }];
        for number in [number, *bytes, *stored_bytes, *at, self.check] {
            encoded.extend(number.to_be_bytes());
        }
        encoded.extend(digest.as_bytes());
        encoded
    }

    pub(super) fn decode(encoded: &[u8]) -> Option<Self> {
        let ([FORM, flags], mut rest) = encoded.split_first_chunk()? else { return None };
        let mut numbers = [0; 5];
        for number in &mut numbers {
            let (first, behind) = rest.split_first_chunk()?;
            *number = u64::from_be_bytes(*first);
            rest = behind;
        }
        let [number, bytes, stored_bytes, at, check] = numbers;
        let place = if flags & IS_FILE == 0 { Place::Store(number) } else { Place::File(number) };
        let digest = String::from_utf8(rest.to_vec()).ok()?;
        let head = Head { bytes, digest, at, stored_bytes, is_archived: flags & IS_ARCHIVED != 0 };
        Some(Self { head, place, check })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back() {
        for (place, is_archived) in [(Place::Store(7), false), (Place::File(u64::MAX), true)] {
            let head = Head { bytes: 1, digest: "ab".repeat(32), at: 2, stored_bytes: 3, is_archived };
            let record = Record { head, place, check: 4 };
            let encoded = record.encode();
            assert_eq!(Record::decode(&encoded), Some(record));
            assert_eq!(Record::decode(&encoded[..30]), None);
            assert_eq!(Record::decode(&[&[2], &encoded[1..]].concat()), None, "a form that is not known");
        }
    }
}
