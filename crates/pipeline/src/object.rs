//! One version of one object, and the receipt id that follows from it.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

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

/// 128 bits in hexadecimal over parts. Each goes in with its length, so `a`, `bc` is not `ab`, `c`. The hash is not
/// made against attackers, but nobody outside chooses the version of an object, so nobody can aim at another's id.
pub(crate) fn digest(parts: &[&str]) -> String {
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
    fn an_id_never_changes() {
        // ids are on disk: another way to compute them would part receipts from their objects
        assert_eq!(ReceiptId::of(&object("b", "k", "1")).as_str(), "r-330062dbaf5e139c3e8f33b7e7bb1a75");
    }
}
