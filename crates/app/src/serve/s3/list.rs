//! Listings: keys by their beginning, rolled up at a delimiter, page by page.

use engine::objects::{Listed, Objects, Versions};
use engine::pipeline::feed::{OUTPUTS, preset_of};
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    ObjectStorageClass, Owner,
};
use s3s::{S3Request, S3Result, s3_error};

use super::attributes::Attributes;
use super::read::modified;
use super::{Storage, of_objects};
use crate::limits::LISTED_KEYS_MAX;
use crate::serve::state::blocking;
use engine::pipeline::encoding::{from_hex, hex};

/// What is asked of a listing.
pub(super) struct Asked {
    pub bucket: String,
    pub prefix: String,
    pub delimiter: Option<String>,
    /// Behind what it goes on.
    pub after: Option<String>,
    pub entries_max: usize,
}

/// A page of a listing.
#[derive(Default)]
pub(super) struct Page {
    pub objects: Vec<Listed>,
    pub prefixes: Vec<String>,
    /// The last entry of the page, if there are more.
    pub next: Option<String>,
}

impl Asked {
    /// Where a key is rolled up, if it is.
    pub fn rolled<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let found = key.get(self.prefix.len()..)?.find(delimiter)?;
        key.get(..self.prefix.len() + found + delimiter.len())
    }

    /// The prefix of outputs that hides a key: they are listed when the prefix that is asked for names them.
    pub fn hidden(&self, key: &str) -> Option<&'static str> {
        preset_of(&self.bucket)?;
        OUTPUTS.into_iter().find(|output| key.starts_with(output) && !self.prefix.starts_with(output))
    }

    fn page(&self, objects: &Objects) -> engine::objects::Result<Page> {
        let mut page = Page::default();
        let mut after = self.after.clone();
        // a page that was cut at a prefix goes on behind everything in it
        if let Some(rolled) = self.after.as_deref().and_then(|after| self.rolled(after)) {
            after = Some(behind(rolled));
        }
        let mut last = None;
        loop {
            let listed =
                objects.list(&self.bucket, &self.prefix, Versions::Newest(after.as_deref()), LISTED_KEYS_MAX)?;
            let is_end = listed.len() < LISTED_KEYS_MAX;
            let mut skipped = false;
            for entry in listed {
                let key = entry.object.key.clone();
                if let Some(output) = self.hidden(&key) {
                    (after, skipped) = (Some(behind(output)), true);
                    break;
                }
                if page.objects.len() + page.prefixes.len() == self.entries_max {
                    page.next = last;
                    return Ok(page);
                }
                if let Some(rolled) = self.rolled(&key) {
                    page.prefixes.push(rolled.to_owned());
                    last = Some(rolled.to_owned());
                    (after, skipped) = (Some(behind(rolled)), true);
                    break;
                }
                page.objects.push(entry);
                last = Some(key.clone());
                after = Some(key);
            }
            if is_end && !skipped {
                return Ok(page);
            }
        }
    }
}

/// Behind every key that begins so.
pub(super) fn behind(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// How many entries are wanted; S3 gives 1000 when more are asked for.
pub(super) fn entries_max(wanted: Option<i32>) -> S3Result<usize> {
    match wanted.map(usize::try_from) {
        None => Ok(LISTED_KEYS_MAX),
        Some(Ok(wanted)) => Ok(wanted.min(LISTED_KEYS_MAX)),
        Some(Err(_)) => Err(s3_error!(InvalidArgument, "fewer than no entries are asked for")),
    }
}

/// Text as the caller wants it: keys may hold what XML cannot.
pub(super) struct Encoding(bool);

impl Encoding {
    pub fn of(wanted: Option<&EncodingType>) -> S3Result<Self> {
        match wanted.map(EncodingType::as_str) {
            None => Ok(Self(false)),
            Some(EncodingType::URL) => Ok(Self(true)),
            Some(other) => Err(s3_error!(InvalidArgument, "there is no encoding-type {other}; take url")),
        }
    }

    pub fn text(&self, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let mut encoded = String::new();
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b'*' => {
                    encoded.push(char::from(byte));
                }
                _ => encoded.push_str(&format!("%{byte:02X}")),
            }
        }
        encoded
    }

    pub fn kind(&self) -> Option<EncodingType> {
        self.0.then(|| EncodingType::from_static(EncodingType::URL))
    }

    pub fn prefixes(&self, prefixes: &[String]) -> Option<Vec<CommonPrefix>> {
        let rolled = |prefix: &String| CommonPrefix { prefix: Some(self.text(prefix)) };
        (!prefixes.is_empty()).then(|| prefixes.iter().map(rolled).collect())
    }
}

fn entry(Listed { object, head }: &Listed, encoding: &Encoding, owner: Option<Owner>) -> Object {
    let attributes = Attributes::of(head);
    Object {
        key: Some(encoding.text(&object.key)),
        size: i64::try_from(head.bytes).ok(),
        last_modified: Some(modified(head.at)),
        e_tag: Some(attributes.e_tag()),
        checksum_algorithm: attributes.sums.algorithms(),
        checksum_type: attributes.sums.kind(),
        storage_class: Some(ObjectStorageClass::from_static(if head.is_archived {
            ObjectStorageClass::GLACIER
        } else {
            ObjectStorageClass::STANDARD
        })),
        owner,
        ..Object::default()
    }
}

/// Whose the objects are: there is one owner.
pub(super) fn owner() -> Owner {
    Owner { display_name: Some("millrace".to_owned()), id: Some("millrace".to_owned()) }
}

impl Storage {
    async fn page(&self, asked: Asked) -> S3Result<Page> {
        self.bucket(&asked.bucket).await?;
        if asked.entries_max == 0 {
            return Ok(Page::default());
        }
        let objects = self.engine().objects().clone();
        blocking(move || asked.page(&objects)).await.map_err(of_objects)
    }

    pub(super) async fn list_v2(&self, request: S3Request<ListObjectsV2Input>) -> S3Result<ListObjectsV2Output> {
        let input = request.input;
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let entries_max = entries_max(input.max_keys)?;
        let from = input.continuation_token.as_deref().map(from_token).transpose()?;
        let asked = Asked {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: from.or_else(|| input.start_after.clone()),
            entries_max,
        };
        let page = self.page(asked).await?;
        let by = input.fetch_owner.unwrap_or(false).then(owner);
        let contents: Vec<Object> = page.objects.iter().map(|listed| entry(listed, &encoding, by.clone())).collect();
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix.map(|prefix| encoding.text(&prefix)),
            delimiter: input.delimiter.map(|delimiter| encoding.text(&delimiter)),
            start_after: input.start_after.map(|after| encoding.text(&after)),
            max_keys: i32::try_from(entries_max).ok(),
            key_count: i32::try_from(contents.len() + page.prefixes.len()).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_deref().map(token),
            contents: (!contents.is_empty()).then_some(contents),
            common_prefixes: encoding.prefixes(&page.prefixes),
            encoding_type: encoding.kind(),
            ..ListObjectsV2Output::default()
        })
    }

    pub(super) async fn list_v1(&self, request: S3Request<ListObjectsInput>) -> S3Result<ListObjectsOutput> {
        let input = request.input;
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let entries_max = entries_max(input.max_keys)?;
        let asked = Asked {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: input.marker.clone().filter(|marker| !marker.is_empty()),
            entries_max,
        };
        let page = self.page(asked).await?;
        let contents: Vec<Object> = page.objects.iter().map(|listed| entry(listed, &encoding, Some(owner()))).collect();
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: input.prefix.map(|prefix| encoding.text(&prefix)),
            marker: Some(encoding.text(&input.marker.unwrap_or_default())),
            delimiter: input.delimiter.map(|delimiter| encoding.text(&delimiter)),
            max_keys: i32::try_from(entries_max).ok(),
            is_truncated: Some(page.next.is_some()),
            next_marker: page.next.map(|next| encoding.text(&next)),
            contents: (!contents.is_empty()).then_some(contents),
            common_prefixes: encoding.prefixes(&page.prefixes),
            encoding_type: encoding.kind(),
            ..ListObjectsOutput::default()
        })
    }
}

/// A place in a listing, in letters that travel well.
fn token(after: &str) -> String {
    hex(after.as_bytes())
}

fn from_token(token: &str) -> S3Result<String> {
    from_hex(token)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "the continuation token {token} is none that was given here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_tokens_and_are_encoded_for_xml() {
        let key = "a+b c(1)é/2024:01\u{1}.csv";
        assert_eq!(from_token(&token(key)).unwrap(), key);
        assert!(from_token("zz").is_err());
        assert_eq!(Encoding(true).text(key), "a%2Bb%20c%281%29%C3%A9/2024%3A01%01.csv");
        assert_eq!(Encoding(false).text(key), key);
    }

    #[test]
    fn outputs_are_listed_when_they_are_asked_for() {
        let within = |bucket: &str, prefix: &str| Asked {
            bucket: bucket.into(),
            prefix: prefix.into(),
            delimiter: Some("/".into()),
            after: None,
            entries_max: 10,
        };
        let asked = |prefix: &str| within("file-processing-bucket-dev", prefix);
        assert_eq!(asked("").hidden("rejects/1/a.csv"), Some("rejects/"));
        assert_eq!(within("one-of-my-own", "").hidden("rejects/1/a.csv"), None);
        assert_eq!(asked("rejects/").hidden("rejects/1/a.csv"), None);
        assert_eq!(asked("").hidden("rejected/a.csv"), None);
        assert_eq!(asked("a/").rolled("a/b/c"), Some("a/b/"));
        assert_eq!(asked("a/").rolled("a/b"), None);
    }
}
