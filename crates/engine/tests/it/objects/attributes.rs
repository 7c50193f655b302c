//! What is said of objects beside their bytes: attributes, and markers that say an object is gone.

use engine::limits::ATTRIBUTES_BYTES_MAX;
use engine::objects::{Error, Versions};

use super::{Home, noise};
use crate::{MINUTE, T};

#[test]
fn attributes_stay_with_the_object_whatever_becomes_of_its_bytes() {
    let mut home = Home::new();
    let said = noise(1, ATTRIBUTES_BYTES_MAX);
    let mut upload = home.objects().upload("b", "k").unwrap();
    std::io::Write::write_all(&mut upload, &noise(2, 200_000)).unwrap();
    upload.attributes(said.clone()).unwrap();
    let object = home.objects().put_alone(upload, T).unwrap();
    let plain = home.put("plain", b"x", T);
    home.objects().archive("b", T + MINUTE, T + MINUTE).unwrap();
    home.reopen();
    let head = home.objects().head(&object).unwrap().unwrap();
    assert!(head.is_archived && !head.is_marker && head.attributes == said);
    assert_eq!(home.get(&object).unwrap(), noise(2, 200_000));
    assert_eq!(home.objects().head(&plain).unwrap().unwrap().attributes, b"");
    let mut upload = home.objects().upload("b", "k").unwrap();
    let refused = upload.attributes(vec![0; ATTRIBUTES_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(&refused, Error::Invalid { message, .. } if message.contains("16385 bytes")), "{refused}");
    home.assert_sound();
}

#[test]
fn what_is_hidden_is_listed_among_versions_alone_and_comes_back_without_its_marker() {
    let mut home = Home::new();
    for number in 0..40 {
        home.put(&format!("{number:02}"), b"x", T);
    }
    // every fourth stays, so that pages of all sizes begin and end among those that are hidden
    let hidden: Vec<_> = (0..40).filter(|number| number % 4 > 0).map(|number| format!("{number:02}")).collect();
    let markers: Vec<_> = hidden.iter().map(|key| home.objects().hide("b", key, T + 1).unwrap()).collect();
    home.reopen();
    let left: Vec<_> = (0..10).map(|number| format!("{:02}", 4 * number)).collect();
    for page in [1, 2, 3, 5, 9, 10, 11, 1000] {
        let mut listed: Vec<String> = Vec::new();
        loop {
            let after = listed.last().cloned();
            let more = home.objects().list("b", "", Versions::Newest(after.as_deref()), page).unwrap();
            assert!(more.len() == page || listed.len() + more.len() == left.len(), "a page that is short is the last");
            listed.extend(more.iter().map(|listed| listed.object.key.clone()));
            if more.len() < page {
                break;
            }
        }
        assert_eq!(listed, left, "pages of {page}");
    }
    assert_eq!(home.objects().list("b", "", Versions::All(None), 1000).unwrap().len(), 40 + hidden.len());
    assert!(home.objects().newest("b", "01").unwrap().unwrap().head.is_marker);
    assert_eq!(home.objects().archive("b", T + MINUTE, T + MINUTE).unwrap().objects, 40, "markers have no bytes");
    for marker in &markers {
        assert!(home.objects().delete(marker, T + 2).unwrap());
    }
    assert_eq!(home.keys("").len(), 40);
    home.assert_sound();
}

#[test]
fn what_goes_with_another_goes_once() {
    let home = Home::new();
    let begun = home.put("begun", b"x", T);
    let ended = || home.objects().removal(&begun).unwrap().unwrap();
    let (first, second) = (ended(), ended());
    let place = |key: &str, beside| {
        let mut upload = home.objects().upload("b", key).unwrap();
        std::io::Write::write_all(&mut upload, b"whole").unwrap();
        let stored = upload.finish(T).unwrap();
        let objects = vec![beside, stored.change];
        let transaction = engine::queues::Transaction { objects, ..Default::default() };
        home.objects().queues().transact(transaction, T).wait()
    };
    place("one", first).unwrap();
    assert!(matches!(place("two", second), Err(engine::queues::Error::Changed { .. })));
    assert_eq!(home.keys(""), ["one"], "who comes second leaves nothing");
    assert!(home.objects().removal(&begun).unwrap().is_none());
    home.assert_sound();
}
