//! Where the records of the domain lie among the records of the store: a mark, a letter for each kind, then the id, so
//! that a page is a range.

use pipeline::message::MessageId;
use pipeline::step::{Kind, RecordKey};

/// What all keys of sessions begin with. The engine's own records are called by words, so none is taken for one of these.
const MARK: u8 = 1;

/// The letter of the sources that were committed.
const SOURCE: u8 = b's';

/// All kinds with their letters. A letter is on disk: it never changes, and none is used again.
const LETTERS: [(Kind, u8); 13] = [
    (Kind::Receipt, b'r'),
    (Kind::Alias, b'a'),
    (Kind::Open, b'o'),
    (Kind::Content, b'c'),
    (Kind::Contribution, b'b'),
    (Kind::Id, b'i'),
    (Kind::Ids, b'j'),
    (Kind::Taken, b'k'),
    (Kind::Turn, b't'),
    (Kind::Row, b'm'),
    (Kind::Due, b'd'),
    (Kind::Window, b'w'),
    (Kind::Notice, b'n'),
];

/// The letter of a kind.
pub(super) fn letter(kind: Kind) -> u8 {
    match kind {
        Kind::Receipt => b'r',
        Kind::Alias => b'a',
        Kind::Open => b'o',
        Kind::Content => b'c',
        Kind::Contribution => b'b',
        Kind::Id => b'i',
        Kind::Ids => b'j',
        Kind::Taken => b'k',
        Kind::Turn => b't',
        Kind::Row => b'm',
        Kind::Due => b'd',
        Kind::Window => b'w',
        Kind::Notice => b'n',
    }
}

/// The key of a record of the domain in the store, for those who read records without a session.
pub fn record_key(key: &RecordKey) -> Vec<u8> {
    with(letter(key.kind), &key.id)
}

/// What the keys of all sources begin with.
pub(super) fn sources() -> Vec<u8> {
    with(SOURCE, "")
}

/// The key under which a source is remembered.
pub(super) fn source_key(source: &MessageId) -> Vec<u8> {
    with(SOURCE, source.as_str())
}

/// The key of an id under a letter.
pub(super) fn with(letter: u8, id: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 + id.len());
    bytes.extend([MARK, letter]);
    bytes.extend_from_slice(id.as_bytes());
    bytes
}

/// The id in the key of a source, as people read it.
pub(super) fn source_of(bytes: &[u8]) -> String {
    bytes.get(2..).unwrap_or_default().escape_ascii().to_string()
}

/// The record that a key is for, unless it is for a source or something else.
pub(super) fn decode(bytes: &[u8]) -> Option<RecordKey> {
    let ([MARK, letter], id) = bytes.split_first_chunk()? else { return None };
    let (kind, _) = LETTERS.into_iter().find(|(_, known)| known == letter)?;
    Some(RecordKey { kind, id: String::from_utf8(id.to_vec()).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_letter_of_its_own_and_comes_back() {
        let mut letters: Vec<u8> = LETTERS.iter().map(|(_, letter)| *letter).chain([SOURCE]).collect();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), LETTERS.len() + 1);
        for (kind, letter) in LETTERS {
            assert_eq!(super::letter(kind), letter, "{kind:?}");
            let key = RecordKey { kind, id: "feed/1".to_owned() };
            assert_eq!(decode(&record_key(&key)), Some(key));
        }
        for other in [sources(), b"receipt/1".to_vec(), Vec::new()] {
            assert_eq!(decode(&other), None);
        }
    }
}
