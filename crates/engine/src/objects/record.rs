//! What the store keeps of an object version besides its bytes.

use super::digest::is_sha256;
use crate::queues::Millis;

/// The form of a record that ends with its digest.
const FORM: u8 = 1;
/// The form of a record with attributes behind the digest.
const FORM_ATTRIBUTED: u8 = 2;
const IS_FILE: u8 = 1;
const IS_ARCHIVED: u8 = 2;
const IS_MARKER: u8 = 4;

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
    /// Whether it only says that the object is gone: older versions are there, and a listing leaves the key out.
    pub is_marker: bool,
    /// What its sender said of it, in a form that is the caller's; never looked into here.
    pub attributes: Vec<u8>,
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
        let Head { bytes, digest, at, stored_bytes, is_archived, is_marker, attributes } = &self.head;
        let (mut flags, number) = match self.place {
            Place::Store(number) => (0, number),
            Place::File(number) => (IS_FILE, number),
        };
        flags |= if *is_archived { IS_ARCHIVED } else { 0 };
        flags |= if *is_marker { IS_MARKER } else { 0 };
        let mut encoded = vec![if attributes.is_empty() { FORM } else { FORM_ATTRIBUTED }, flags];
        for number in [number, *bytes, *stored_bytes, *at, self.check] {
            encoded.extend(number.to_be_bytes());
        }
        if !attributes.is_empty() {
            encoded.push(u8::try_from(digest.len()).expect("a digest is 32 or 64 letters"));
        }
        encoded.extend(digest.as_bytes());
        encoded.extend(attributes);
        encoded
    }

    pub(super) fn decode(encoded: &[u8]) -> Option<Self> {
        let ([form, flags], mut rest) = encoded.split_first_chunk()?;
        let mut numbers = [0; 5];
        for number in &mut numbers {
            let (first, behind) = rest.split_first_chunk()?;
            *number = u64::from_be_bytes(*first);
            rest = behind;
        }
        let [number, bytes, stored_bytes, at, check] = numbers;
        let place = if flags & IS_FILE == 0 { Place::Store(number) } else { Place::File(number) };
        let (digest, attributes) = match *form {
            FORM => (rest, &[][..]),
            FORM_ATTRIBUTED => {
                let (length, rest) = rest.split_first()?;
                rest.split_at_checked(usize::from(*length))?
            }
            _ => return None,
        };
        let digest = String::from_utf8(digest.to_vec()).ok()?;
        let (is_archived, is_marker) = (flags & IS_ARCHIVED != 0, flags & IS_MARKER != 0);
        let head = Head { bytes, digest, at, stored_bytes, is_archived, is_marker, attributes: attributes.to_vec() };
        Some(Self { head, place, check })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back() {
        for (place, flag, attributes) in [
            (Place::Store(7), false, b"".as_slice()),
            (Place::File(u64::MAX), true, b"{}"),
            (Place::Store(1), true, b""),
        ] {
            let (is_archived, is_marker, attributes) = (flag, !flag, attributes.to_vec());
            let digest = "ab".repeat(32);
            let head = Head { bytes: 1, digest, at: 2, stored_bytes: 3, is_archived, is_marker, attributes };
            let record = Record { head, place, check: 4 };
            let encoded = record.encode();
            assert_eq!(Record::decode(&encoded), Some(record));
            assert_eq!(Record::decode(&encoded[..30]), None);
            assert_eq!(Record::decode(&[&[3], &encoded[1..]].concat()), None, "a form that is not known");
        }
    }
}
