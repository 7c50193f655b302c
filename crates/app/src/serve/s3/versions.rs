//! Listing versions: every version of every key, the newest first, delete markers among them.

use engine::objects::{Listed, Objects, Versions};
use s3s::dto::{
    DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput, ObjectVersion, ObjectVersionStorageClass,
};
use s3s::{S3Request, S3Result};

use super::attributes::Attributes;
use super::list::{Asked, Encoding, behind, entries_max, owner};
use super::read::modified;
use super::{Storage, of_objects};
use crate::limits::LISTED_KEYS_MAX;
use crate::serve::state::blocking;

/// A page of versions.
#[derive(Default)]
struct Page {
    /// Each with whether it is the newest of its key.
    versions: Vec<(Listed, bool)>,
    prefixes: Vec<String>,
    /// The last key and version of the page, if there are more.
    next: Option<(String, Option<String>)>,
}

/// Takes entries until the page is full.
struct Filling<'a> {
    asked: &'a Asked,
    page: Page,
    last: Option<(String, Option<String>)>,
}

impl Filling<'_> {
    /// Whether there was room.
    fn has_room(&mut self) -> bool {
        let is_full = self.page.versions.len() + self.page.prefixes.len() == self.asked.entries_max;
        if is_full {
            self.page.next = self.last.take();
        }
        !is_full
    }

    /// Takes the versions of a key, oldest first, those up to `behind` left out; false when the page is full.
    fn key(&mut self, versions: Vec<Listed>, behind: Option<&str>) -> bool {
        let newest = versions.iter().rev().max_by_key(|listed| listed.head.at).map(|of| of.object.version.clone());
        let mut ordered: Vec<Listed> = versions.into_iter().rev().collect();
        // versions of outputs are not in the order of time
        ordered.sort_by_key(|listed| std::cmp::Reverse(listed.head.at));
        let from = behind.and_then(|behind| ordered.iter().position(|listed| listed.object.version == behind));
        for listed in ordered.into_iter().skip(from.map_or(0, |place| place + 1)) {
            if !self.has_room() {
                return false;
            }
            self.last = Some((listed.object.key.clone(), Some(listed.object.version.clone())));
            let is_newest = newest.as_ref() == Some(&listed.object.version);
            self.page.versions.push((listed, is_newest));
        }
        true
    }

    fn prefix(&mut self, rolled: &str) -> bool {
        let has_room = self.has_room();
        if has_room {
            self.last = Some((rolled.to_owned(), None));
            self.page.prefixes.push(rolled.to_owned());
        }
        has_room
    }
}

/// Where the scan is.
enum At {
    /// Behind all versions of this key.
    Key(String),
    /// At the first version of this key.
    In(String),
    Start,
}

fn page(objects: &Objects, asked: &Asked, marker: Option<(String, Option<String>)>) -> engine::objects::Result<Page> {
    let mut filling = Filling { asked, page: Page::default(), last: None };
    let (mut at, mut skip) = match marker {
        None => (At::Start, None),
        Some((key, version)) => match asked.rolled(&key) {
            Some(rolled) => (At::Key(behind(rolled)), None),
            None if version.is_some() => (At::In(key.clone()), version.map(|version| (key, version))),
            None => (At::Key(key), None),
        },
    };
    loop {
        let Some(key) = next_key(objects, asked, &at)? else { return Ok(filling.page) };
        if let Some(output) = asked.hidden(&key) {
            at = At::Key(behind(output));
            continue;
        }
        if let Some(rolled) = asked.rolled(&key).map(str::to_owned) {
            if !filling.prefix(&rolled) {
                return Ok(filling.page);
            }
            at = At::Key(behind(&rolled));
            continue;
        }
        let of = skip.take().filter(|(skipped, _)| *skipped == key).map(|(_, version)| version);
        if !filling.key(versions_of(objects, &asked.bucket, &key)?, of.as_deref()) {
            return Ok(filling.page);
        }
        at = At::Key(key);
    }
}

/// The next key that has versions, markers too.
fn next_key(objects: &Objects, asked: &Asked, at: &At) -> engine::objects::Result<Option<String>> {
    // no version sorts behind this one
    let last = char::MAX.to_string();
    let after = match at {
        At::Start => None,
        At::Key(key) => Some((key.as_str(), last.as_str())),
        At::In(key) => Some((key.as_str(), "")),
    };
    let listed = objects.list(&asked.bucket, &asked.prefix, Versions::All(after), 1)?;
    Ok(listed.into_iter().next().map(|listed| listed.object.key))
}

/// All versions of one key, oldest first.
fn versions_of(objects: &Objects, bucket: &str, key: &str) -> engine::objects::Result<Vec<Listed>> {
    let mut versions: Vec<Listed> = Vec::new();
    loop {
        let after = versions.last().map_or("", |last| last.object.version.as_str());
        let listed = objects.list(bucket, key, Versions::All(Some((key, after))), LISTED_KEYS_MAX)?;
        let count = listed.len();
        let of_key: Vec<Listed> = listed.into_iter().take_while(|listed| listed.object.key == key).collect();
        let is_end = of_key.len() < count || count < LISTED_KEYS_MAX;
        versions.extend(of_key);
        if is_end {
            return Ok(versions);
        }
    }
}

impl Storage {
    pub(super) async fn list_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<ListObjectVersionsOutput> {
        let input = request.input;
        self.bucket(&input.bucket).await?;
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let asked = Asked {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: None,
            entries_max: entries_max(input.max_keys)?,
        };
        let entries_max = asked.entries_max;
        let version = input.version_id_marker.clone().filter(|version| !version.is_empty());
        let marker = input.key_marker.clone().filter(|key| !key.is_empty()).map(|key| (key, version));
        let objects = self.engine().objects().clone();
        let page = match entries_max {
            0 => Page::default(),
            _ => blocking(move || page(&objects, &asked, marker)).await.map_err(of_objects)?,
        };
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        for (listed, is_latest) in &page.versions {
            if listed.head.is_marker {
                markers.push(marker_entry(listed, *is_latest, &encoding));
            } else {
                versions.push(version_entry(listed, *is_latest, &encoding));
            }
        }
        let (next_key, next_version) = page.next.clone().unzip();
        Ok(ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: input.prefix.map(|prefix| encoding.text(&prefix)),
            delimiter: input.delimiter.map(|delimiter| encoding.text(&delimiter)),
            key_marker: Some(encoding.text(&input.key_marker.unwrap_or_default())),
            version_id_marker: input.version_id_marker,
            max_keys: i32::try_from(entries_max).ok(),
            is_truncated: Some(page.next.is_some()),
            next_key_marker: next_key.map(|key| encoding.text(&key)),
            next_version_id_marker: next_version.flatten(),
            versions: (!versions.is_empty()).then_some(versions),
            delete_markers: (!markers.is_empty()).then_some(markers),
            common_prefixes: encoding.prefixes(&page.prefixes),
            encoding_type: encoding.kind(),
            ..ListObjectVersionsOutput::default()
        })
    }
}

fn version_entry(Listed { object, head }: &Listed, is_latest: bool, encoding: &Encoding) -> ObjectVersion {
    let attributes = Attributes::of(head);
    ObjectVersion {
        key: Some(encoding.text(&object.key)),
        version_id: Some(object.version.clone()),
        is_latest: Some(is_latest),
        size: i64::try_from(head.bytes).ok(),
        last_modified: Some(modified(head.at)),
        e_tag: Some(attributes.e_tag()),
        checksum_algorithm: attributes.sums.algorithms(),
        checksum_type: attributes.sums.kind(),
        owner: Some(owner()),
        storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
        ..ObjectVersion::default()
    }
}

fn marker_entry(Listed { object, head }: &Listed, is_latest: bool, encoding: &Encoding) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        key: Some(encoding.text(&object.key)),
        version_id: Some(object.version.clone()),
        is_latest: Some(is_latest),
        last_modified: Some(modified(head.at)),
        owner: Some(owner()),
    }
}
