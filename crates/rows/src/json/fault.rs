//! What can be wrong with one JSON record. It costs that row only; the rest of the file goes on.

use std::fmt;

use super::text;
use crate::limits::{JSON_DEPTH_MAX, VALUE_SHOWN_CHARS_MAX};

/// Why a record gives no values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonFault {
    /// Not one JSON value as RFC 8259 has it.
    Invalid {
        /// First byte of the record that does not fit; its length when something is missing at the end.
        offset: usize,
    },
    /// An object has the same key twice, so what it says depends on who reads it.
    DuplicateKey {
        /// The key, cut to what a report shows.
        key: String,
        /// Where in the record the second one begins.
        offset: usize,
    },
    /// More than `JSON_DEPTH_MAX` objects and arrays inside each other.
    TooDeep,
    /// A number, a string, a boolean or null where an object or an array was expected.
    NotARecord,
}

impl JsonFault {
    /// Stable name of the reason, for reports.
    pub fn code(&self) -> &'static str {
        match self {
            JsonFault::Invalid { .. } => "invalid_json",
            JsonFault::DuplicateKey { .. } => "duplicate_key",
            JsonFault::TooDeep => "json_too_deep",
            JsonFault::NotARecord => "not_a_record",
        }
    }

    /// What the sender can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            JsonFault::Invalid { .. } => "write the record with a JSON library; no NaN, no comments, no trailing comma",
            JsonFault::DuplicateKey { .. } => "send every key of an object once",
            JsonFault::TooDeep => "send the values less deeply nested",
            JsonFault::NotARecord => "send an object or an array for every row",
        }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonFault::Invalid { offset } => write!(f, "not valid JSON at byte {offset} of the record"),
            JsonFault::DuplicateKey { key, offset } => write!(f, "key {key:?} again at byte {offset} of the record"),
            JsonFault::TooDeep => write!(f, "nested deeper than {JSON_DEPTH_MAX} levels"),
            JsonFault::NotARecord => write!(f, "neither an object nor an array"),
        }
    }
}

/// A fault on its way up: small, so that the good path does not pay for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Invalid(usize),
    /// Offset of the opening quote of the second key.
    DuplicateKey(usize),
    TooDeep,
    NotARecord,
}

impl Stop {
    pub(super) fn explain(self, input: &[u8]) -> JsonFault {
        match self {
            Stop::Invalid(offset) => JsonFault::Invalid { offset },
            Stop::DuplicateKey(offset) => JsonFault::DuplicateKey { key: key_shown(input, offset), offset },
            Stop::TooDeep => JsonFault::TooDeep,
            Stop::NotARecord => JsonFault::NotARecord,
        }
    }
}

fn key_shown(input: &[u8], offset: usize) -> String {
    let mut key = Vec::new();
    if let Ok((end, _)) = text::string(input, offset + 1) {
        text::unescape(&input[offset + 1..end], &mut key);
    }
    String::from_utf8_lossy(&key).chars().take(VALUE_SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_key_is_shown_as_it_reads() {
        let input = br#"{"a":1,"\u0061":2}"#;
        let fault = Stop::DuplicateKey(7).explain(input);
        assert_eq!(fault, JsonFault::DuplicateKey { key: "a".into(), offset: 7 });
        assert_eq!(fault.to_string(), r#"key "a" again at byte 7 of the record"#);
        let long = format!("{{\"{}\":1}}", "é".repeat(500));
        let JsonFault::DuplicateKey { key, .. } = Stop::DuplicateKey(1).explain(long.as_bytes()) else { panic!() };
        assert_eq!(key.chars().count(), VALUE_SHOWN_CHARS_MAX);
    }
}
