//! What S3 clients say of an object and want to hear again, kept beside it.

use std::collections::{BTreeMap, HashMap};

use engine::objects::Head;
use s3s::dto::{self, Checksum, ETag};
use serde::{Deserialize, Serialize};

/// What is kept of an object besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub e_tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Sums::is_empty")]
    pub sums: Sums,
    /// Parts that it was uploaded in; 0 for one that came whole.
    #[serde(skip_serializing_if = "is_zero")]
    pub parts: usize,
}

fn is_zero(parts: &usize) -> bool {
    *parts == 0
}

/// Checksums, in base64, by algorithm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sums {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc32: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether they are of the checksums of the parts.
    #[serde(skip_serializing_if = "is_false")]
    pub of_parts: bool,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Sums {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn of(sum: Checksum) -> Self {
        Self {
            crc32: sum.checksum_crc32,
            crc32c: sum.checksum_crc32c,
            crc64nvme: sum.checksum_crc64nvme,
            sha1: sum.checksum_sha1,
            sha256: sum.checksum_sha256,
            of_parts: false,
        }
    }

    /// Whether they are of the whole or of its parts, for clients.
    pub fn kind(&self) -> Option<dto::ChecksumType> {
        let kind = if self.of_parts { dto::ChecksumType::COMPOSITE } else { dto::ChecksumType::FULL_OBJECT };
        (!self.is_empty()).then(|| dto::ChecksumType::from_static(kind))
    }

    /// The names of those that are there.
    pub fn algorithms(&self) -> Option<dto::ChecksumAlgorithmList> {
        let named = [
            (&self.crc32, dto::ChecksumAlgorithm::CRC32),
            (&self.crc32c, dto::ChecksumAlgorithm::CRC32C),
            (&self.crc64nvme, dto::ChecksumAlgorithm::CRC64NVME),
            (&self.sha1, dto::ChecksumAlgorithm::SHA1),
            (&self.sha256, dto::ChecksumAlgorithm::SHA256),
        ];
        let there: Vec<_> = named
            .into_iter()
            .filter(|(sum, _)| sum.is_some())
            .map(|(_, name)| dto::ChecksumAlgorithm::from_static(name))
            .collect();
        (!there.is_empty()).then_some(there)
    }
}

impl Attributes {
    /// What is kept with an object; of one that came by another way, what can be told.
    pub fn of(head: &Head) -> Self {
        let attributes: Self = serde_json::from_slice(&head.attributes).unwrap_or_default();
        attributes.tagged(&head.digest)
    }

    /// The same with an ETag that follows from the digest of the bytes, if it has none. It is no MD5, and a dash keeps
    /// clients from taking it for one.
    pub fn tagged(mut self, digest: &str) -> Self {
        if self.e_tag.is_empty() {
            self.e_tag = format!("{}-1", digest.get(..32).unwrap_or(digest));
        }
        self
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub fn e_tag(&self) -> ETag {
        ETag::Strong(self.e_tag.clone())
    }

    pub fn metadata(&self) -> Option<HashMap<String, String>> {
        (!self.metadata.is_empty()).then(|| self.metadata.clone().into_iter().collect())
    }

    /// Takes what a client says of an object, the encoding of its transfer left out.
    pub fn say(
        &mut self,
        [kind, encoding, language, disposition, cache]: [Option<String>; 5],
        metadata: Option<HashMap<String, String>>,
    ) {
        self.content_type = kind;
        self.content_encoding = encoding.and_then(|encoding| {
            let kept: Vec<&str> =
                encoding.split(',').map(str::trim).filter(|one| !one.is_empty() && *one != "aws-chunked").collect();
            (!kept.is_empty()).then(|| kept.join(", "))
        });
        self.content_language = language;
        self.content_disposition = disposition;
        self.cache_control = cache;
        self.metadata = metadata.unwrap_or_default().into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_of_the_transfer_is_not_the_encoding_of_the_object() {
        let said = |encoding: &str| {
            let mut attributes = Attributes::default();
            attributes.say([None, Some(encoding.to_owned()), None, None, None], None);
            attributes.content_encoding
        };
        assert_eq!(said("aws-chunked"), None);
        assert_eq!(said("gzip,aws-chunked").as_deref(), Some("gzip"));
        assert_eq!(said("gzip").as_deref(), Some("gzip"));
    }

    #[test]
    fn attributes_come_back_and_are_short() {
        assert_eq!(Attributes::default().to_bytes(), b"{}");
        let attributes = Attributes {
            e_tag: "ab".into(),
            content_type: Some("text/csv".into()),
            sums: Sums { crc32: Some("AAAA".into()), of_parts: true, ..Sums::default() },
            parts: 3,
            ..Attributes::default()
        };
        assert_eq!(serde_json::from_slice::<Attributes>(&attributes.to_bytes()).unwrap(), attributes);
    }
}
