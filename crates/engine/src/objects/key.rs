//! Where the record of an object version lies in the store, so that the order of the keys is the order of listings.
//!
//! Bucket, key and version lie behind each other. Each is any text, so what parts them must not come up in one: a zero
//! byte is followed by 255 inside a part, and by 1 at its end.

use pipeline::object::ObjectVersion;

use super::error::{Error, Result};
use crate::limits::{BUCKET_BYTES_MAX, OBJECT_KEY_BYTES_MAX};

const ZERO: u8 = 0;
const INSIDE: u8 = 0xff;
const END: u8 = 1;
/// Behind everything that begins with a part and its end.
const BEHIND: u8 = 2;

/// The key of one version.
pub(super) fn of_version(bucket: &str, key: &str, version: &str) -> Vec<u8> {
    let mut bytes = of_key(bucket, key);
    push(&mut bytes, version);
    bytes
}

/// What the keys of all versions of an object begin with.
pub(super) fn of_key(bucket: &str, key: &str) -> Vec<u8> {
    let mut bytes = of_prefix(bucket, key);
    bytes.extend([ZERO, END]);
    bytes
}

/// What the keys of all objects begin with whose keys begin with `prefix`.
pub(super) fn of_prefix(bucket: &str, prefix: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bucket.len() + prefix.len() + 24);
    push(&mut bytes, bucket);
    bytes.extend([ZERO, END]);
    push(&mut bytes, prefix);
    bytes
}

/// Behind all versions of an object, and before the next object.
pub(super) fn behind_key(bucket: &str, key: &str) -> Vec<u8> {
    let mut bytes = of_prefix(bucket, key);
    bytes.extend([ZERO, BEHIND]);
    bytes
}

/// Behind all objects of a bucket, and before the next bucket.
pub(super) fn behind_bucket(bucket: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bucket.len() + 8);
    push(&mut bytes, bucket);
    bytes.extend([ZERO, BEHIND]);
    bytes
}

/// The version that a key is for.
pub(super) fn decode(bytes: &[u8]) -> Option<ObjectVersion> {
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    let mut part = 0;
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match (*byte, if *byte == ZERO { rest.next() } else { None }) {
            (ZERO, Some(&INSIDE)) => parts[part].push(ZERO),
            (ZERO, Some(&END)) if part < 2 => part += 1,
            (ZERO, _) => return None,
            (byte, _) => parts[part].push(byte),
        }
    }
    let [bucket, key, version] = parts.map(|part| String::from_utf8(part).ok());
    Some(ObjectVersion { bucket: bucket?, key: key?, version: version? }).filter(|_| part == 2)
}

fn push(bytes: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        bytes.push(byte);
        if byte == ZERO {
            bytes.push(INSIDE);
        }
    }
}

/// Whether an object may be called so.
pub(super) fn check(bucket: &str, key: &str) -> Result<()> {
    if bucket.is_empty() || bucket.len() > BUCKET_BYTES_MAX {
        let message = format!("the name of a bucket has {} bytes", bucket.len());
        return Err(Error::invalid(message, "use a name of 1 to 255 bytes"));
    }
    if key.is_empty() || key.len() > OBJECT_KEY_BYTES_MAX {
        let message = format!("the key of an object in {} has {} bytes", bucket.escape_debug(), key.len());
        return Err(Error::invalid(message, "use a key of 1 to 1024 bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('/'), any::<char>()], 0..5)
            .prop_map(|letters| letters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn keys_come_back_and_are_in_the_order_of_their_parts(a in (text(), text(), text()), b in (text(), text(), text())) {
            let key = |(bucket, key, version): &(String, String, String)| of_version(bucket, key, version);
            let (first, second) = (key(&a), key(&b));
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
            prop_assert_eq!(decode(&first), Some(ObjectVersion { bucket: a.0, key: a.1, version: a.2 }));
        }

        #[test]
        fn a_prefix_holds_what_begins_with_it_and_nothing_else(bucket in text(), key in text(), prefix in text()) {
            let begins = of_version(&bucket, &key, "1").starts_with(&of_prefix(&bucket, &prefix));
            prop_assert_eq!(begins, key.starts_with(&prefix));
            let behind = behind_key(&bucket, &key);
            let (last, next) = (of_version(&bucket, &key, "\u{10ffff}"), of_key(&bucket, &format!("{key}\0")));
            prop_assert!(last < behind && behind < next && next < behind_bucket(&bucket));
        }
    }
}
