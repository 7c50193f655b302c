//! What time does to objects, and what a check of them finds.

use std::fs;

use engine::objects::{Expired, Versions};
use engine::store::Table;

use super::{Home, LARGE, noise};
use crate::{MINUTE, T};

/// Bytes that can be packed well.
fn text(bytes: usize) -> Vec<u8> {
    (0..bytes / 10 + 1).flat_map(|row| format!("row {row:05}\n").into_bytes()).take(bytes).collect()
}

#[test]
fn what_is_older_expires_and_the_rest_stays() {
    let mut home = Home::new();
    for (key, at) in [("old", T), ("old", T + 1), ("new", T + MINUTE)] {
        for bytes in [10, LARGE] {
            home.put(key, &noise(1, bytes), at);
        }
    }
    home.put_in("other", "old", b"x", T).unwrap();
    assert_eq!(home.objects().expire("b", T, T).unwrap(), Expired::default());
    let expired = home.objects().expire("b", T + MINUTE, T + MINUTE).unwrap();
    assert_eq!(expired.objects, 4);
    assert!(expired.stored_bytes > 2 * LARGE as u64 && expired.stored_bytes < 2 * LARGE as u64 + 200);
    assert_eq!((home.keys(""), home.files().len()), (vec!["new".to_owned()], 1));
    assert!(home.objects().newest("other", "old").unwrap().is_some());
    home.reopen();
    home.assert_sound();
    // more than a page, and none of them left in the store
    for number in 0..2500 {
        home.put(&format!("{number}"), b"x", T);
    }
    assert_eq!(home.objects().expire("b", T + 1, T).unwrap().objects, 0, "the clock of the objects does not go back");
    assert_eq!(home.objects().expire("b", T + MINUTE + 1, T).unwrap().objects, 2502);
    let store = home.objects().queues().store();
    assert_eq!(store.page(Table::Contents, b"", None, 10).unwrap().len(), 1);
}

#[test]
fn what_is_archived_is_the_same_in_less_space() {
    let mut home = Home::new();
    let contents = [text(0), text(1), text(5000), text(64 * 1024), text(LARGE), text(3_000_000), noise(5, 2_000_000)];
    let put: Vec<_> =
        contents.iter().enumerate().map(|(key, content)| home.put(&key.to_string(), content, T)).collect();
    let derived = home.derive("derived", &text(200_000), T).unwrap();
    let later = home.put("later", &text(100_000), T + MINUTE);
    let heads: Vec<_> = put.iter().map(|object| home.objects().head(object).unwrap().unwrap()).collect();

    let archived = home.objects().archive("b", T + MINUTE, T + MINUTE).unwrap();
    assert_eq!((archived.objects, archived.damaged.len()), (8, 0));
    assert!(archived.bytes_after < archived.bytes_before - 3_000_000, "{archived:?}");
    for _ in 0..2 {
        for ((object, content), before) in put.iter().zip(&contents).zip(&heads) {
            let head = home.objects().head(object).unwrap().unwrap();
            assert_eq!((head.bytes, &head.digest, head.at), (before.bytes, &before.digest, before.at));
            assert!(head.is_archived && head.stored_bytes <= before.stored_bytes, "{head:?}");
            assert!(home.get(object).unwrap() == *content, "{object:?}");
        }
        assert_eq!(home.get(&derived).unwrap(), text(200_000));
        assert!(!home.objects().head(&later).unwrap().unwrap().is_archived);
        home.assert_sound();
        assert_eq!(home.reopen().unnamed, 0);
    }
    let bytes: u64 = home.files().iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes < 2_700_000, "{bytes} bytes are left on disk");
    let contents = home.objects().queues().store().page(Table::Contents, b"", None, 100).unwrap();
    assert_eq!(contents.len(), 4, "what small ones were before is gone");
    assert_eq!(home.objects().archive("b", T + MINUTE, T).unwrap().objects, 0, "once is enough");
    assert_eq!(home.derive("derived", &text(200_000), T).unwrap(), derived, "and it is still the same");
    assert!(home.objects().head(&derived).unwrap().unwrap().is_archived);
}

#[test]
fn a_check_reads_every_byte_and_says_what_to_do() {
    let mut home = Home::new();
    home.put("small", &noise(1, 100), T);
    let large = home.put("large", &noise(2, 2_000_000), T);
    let gone = home.put("gone", &noise(3, LARGE), T);
    let listed: usize = home.objects().list("b", "", Versions::All(None), 10).unwrap().len();
    let mut read = Vec::new();
    let checked = home.objects().check(|object| read.push(object.clone())).unwrap();
    assert_eq!((checked.objects, checked.bytes, checked.problems.len()), (3, 2_000_100 + LARGE as u64, 0));
    assert_eq!(read.len(), listed);

    let files = home.files();
    assert_eq!(files.len(), 2);
    let size = |path: &std::path::Path| fs::metadata(path).unwrap().len();
    let [flipped, removed] =
        [0, 1].map(|place: usize| if size(&files[0]) > 1_000_000 { &files[place] } else { &files[1 - place] });
    let mut bytes = fs::read(flipped).unwrap();
    bytes[1_500_000] ^= 1;
    fs::write(flipped, bytes).unwrap();
    fs::remove_file(removed).unwrap();
    let stranger = flipped.with_file_name("notes.txt");
    fs::write(&stranger, "x").unwrap();
    let unnamed = home.folder().join("objects/00/0000000000000001");
    fs::create_dir_all(unnamed.parent().unwrap()).unwrap();
    fs::write(&unnamed, "x").unwrap();

    let problems = home.objects().check(|_| {}).unwrap().problems;
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    for (path, object, what) in [
        (removed, Some(&gone), "is gone; restore the file"),
        (flipped, Some(&large), "has damaged bytes among the 951424 from 1048576 on; restore the file"),
        (&unnamed, None, "belongs to no object; start again"),
        (&stranger, None, "is none of ours; move it"),
    ] {
        let of_path = told.iter().find(|told| told.contains(&path.display().to_string())).unwrap();
        assert!(of_path.contains(what), "{of_path}");
        assert!(object.is_none_or(|object| of_path.contains(&object.version)), "{of_path}");
    }
    let found = home.reopen();
    assert_eq!((found.unnamed, found.unfinished), (1, 0));
    assert!(!unnamed.exists() && stranger.exists());
}
