//! The rule of docs/decisions/0009-standing-of-files.md, said a second time as simply as can be: it is given all files
//! and tells what each is to the others. What stages made of it, one file after another, is held against it.

use pipeline::receipt::{Other, Receipt, Relations};

/// What each of these files is to the others.
pub(super) fn relations(receipts: &[&Receipt]) -> Vec<(Other, Relations)> {
    let mut files: Vec<&Receipt> = receipts.iter().copied().filter(|receipt| !receipt.is_refused()).collect();
    files.sort_by_key(|receipt| receipt.arrival().order());
    let of_feed = |one: &Receipt, two: &Receipt| one.arrival().feed == two.arrival().feed;
    let of_key = |one: &Receipt, two: &Receipt| {
        let key = |receipt: &Receipt| (receipt.arrival().object.bucket.clone(), receipt.arrival().object.key.clone());
        of_feed(one, two) && key(one) == key(two)
    };
    let same_bytes = |one: &Receipt, two: &Receipt| of_feed(one, two) && one.sha256() == two.sha256();
    let until = |at: usize| {
        let newer = &files[at + 1..];
        newer
            .iter()
            .find(|newer| of_key(newer, files[at]) && !same_bytes(newer, files[at]))
            .map(|newer| newer.as_other())
    };
    let stands_as_long = |one: usize, two: usize| match (until(one), until(two)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(two)) => one >= two,
    };
    let told = |at: usize| {
        let (file, older) = (files[at], &files[..at]);
        let original = (0..at).find(|earlier| same_bytes(files[*earlier], file) && stands_as_long(*earlier, at));
        let before = older.iter().rev().find(|older| of_key(older, file));
        let relations = Relations {
            duplicate_of: original.map(|earlier| files[earlier].as_other()),
            supersedes: before.filter(|older| !same_bytes(older, file)).map(|older| older.as_other()),
            superseded_by: until(at),
        };
        (file.as_other(), relations)
    };
    (0..files.len()).map(told).collect()
}
