//! One version of one object, and the receipt id that follows from it.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::Millis;

/// Bytes at rest: an object that was overwritten is another version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version as the store that holds it names it.
    pub version: String,
}

/// The id of a receipt: a function of the object version, so that an event that comes again finds the same receipt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiptId(String);

impl ReceiptId {
    /// The receipt of this object version.
    pub fn of(object: &ObjectVersion) -> Self {
        Self(format!("r-{}", digest(&[&object.bucket, &object.key, &object.version])))
    }

    /// Whether a name has the form of such an id; those of requests do not.
    pub(crate) fn is_one(name: &str) -> bool {
        name.strip_prefix("r-")
            .is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// The id that somebody names, which need not exist.
    pub fn named(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of a file among those of its feed, as text that compares so: by the time at which it was written, then by
/// version. It follows from the object version alone, so whoever asks gets the same order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Order(String);

impl Order {
    /// The place of an object version that was written at this time.
    pub fn of(object: &ObjectVersion, at: Millis) -> Self {
        let version: String =
            object.version.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        Self(format!("{at:014}.{version}.{}", ReceiptId::of(object)))
    }

    /// As text, without a `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The time in it.
    pub fn at(&self) -> Millis {
        self.0.get(..14).and_then(|at| at.parse().ok()).unwrap_or_default()
    }
}

/// 128 bits in hexadecimal over parts. Each goes in with its length, so `a`, `bc` is not `ab`, `c`. The hash is not
/// made against attackers, but nobody outside chooses the version of an object, so nobody can aim at another's id.
pub fn digest(parts: &[&str]) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    format!("{:032x}", xxh3_128(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(bucket: &str, key: &str, version: &str) -> ObjectVersion {
        ObjectVersion { bucket: bucket.into(), key: key.into(), version: version.into() }
    }

    #[test]
    fn an_id_follows_from_the_version_and_nothing_else() {
        let id = ReceiptId::of(&object("b", "k", "1"));
        assert_eq!(id, ReceiptId::of(&object("b", "k", "1")));
        for other in [object("b", "k", "2"), object("bk", "", "1"), object("", "bk", "1"), object("b", "k1", "")] {
            assert_ne!(id, ReceiptId::of(&other), "{other:?}");
        }
    }

    #[test]
    fn files_are_in_the_order_in_which_they_were_written() {
        let orders = [("9", 5), ("1", 1000), ("1a", 1000), ("10", 10_000)]
            .map(|(version, at)| Order::of(&object("b", "k/l", version), at));
        assert!(orders.is_sorted(), "{orders:?}");
        assert!(orders.iter().all(|order| !order.as_str().contains('/')));
        assert_eq!(orders[3].at(), 10_000);
    }

    #[test]
    fn an_id_never_changes() {
        // ids are on disk: another way to compute them would part receipts from their objects
        assert_eq!(ReceiptId::of(&object("b", "k", "1")).as_str(), "r-330062dbaf5e139c3e8f33b7e7bb1a75");
    }
}
