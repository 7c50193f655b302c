//! Messages: ids, groups, and what is read back.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn feed(name: &str) -> Feed {
    Feed::try_from(name.to_owned()).unwrap()
}

fn all(key: &str, feed_name: &str) -> Vec<Message> {
    let object = ObjectVersion { bucket: "b".into(), key: key.into(), version: "1".into() };
    let work = Work { object, feed: feed(feed_name), generation: 0 };
    let records = vec!["{\"price\":0.1}".to_owned()];
    vec![
        Message::FilesValidate(work.clone()),
        Message::FilesProcess(work.clone()),
        Message::FilesAggregate(work.clone()),
        Message::MarketIngest(work.clone()),
        Message::MarketProcess(Records { feed: feed(feed_name), origin: key.into(), of: None, part: 0, records }),
        Message::MarketAggregate(Tick { feed: feed(feed_name), due_seconds: 300 }),
        Message::TransactionsValidate(work.clone()),
        Message::TransactionsTransform(work.clone()),
        Message::TransactionsNotify(work),
    ]
}

#[test]
fn every_stage_of_every_preset_has_its_message() {
    let stages: BTreeSet<_> = all("k", "f").iter().map(Message::stage).collect();
    let wanted: BTreeSet<_> =
        Preset::ALL.iter().flat_map(|preset| preset.stages().map(|stage| (*preset, stage))).collect();
    assert_eq!(stages, wanted);
}

#[test]
fn ids_tell_messages_apart_and_fit_a_queue() {
    let ids: BTreeSet<_> = all("k", "f").iter().chain(&all("l", "g")).map(Message::id).collect();
    assert_eq!(ids.len(), 18);
    assert!(ids.iter().all(|id| id.as_str().len() <= 128), "{ids:?}");
}

#[test]
fn records_are_known_by_where_they_came_from() {
    let make = |part, text: &str| {
        Message::MarketProcess(Records {
            feed: feed("f"),
            origin: "o".into(),
            of: None,
            part,
            records: vec![text.into()],
        })
        .id()
    };
    assert_eq!(make(0, "{}"), make(0, "{ }"));
    assert_ne!(make(0, "{}"), make(1, "{}"));
}

#[test]
fn a_file_that_is_begun_anew_is_another_message() {
    let Message::FilesValidate(mut work) = all("k", "f").remove(0) else { panic!("not the first") };
    let first = Message::FilesValidate(work.clone());
    work.generation = 1;
    let second = Message::FilesValidate(work);
    assert_ne!(first.id(), second.id());
    assert_eq!(Message::from_json(&second.to_json().unwrap()).unwrap(), second);
}

#[test]
fn what_cannot_be_read_is_named() {
    let newer = Message::from_json("{\"version\":7,\"anything\":[]}").unwrap_err();
    assert!(newer.to_string().contains("version 7"), "{newer}");
    let Err(Error::Json(cause)) =
        Message::from_json("{\"version\":1,\"message\":{\"kind\":\"files-melt\",\"about\":{}}}")
    else {
        panic!("an unknown kind was read");
    };
    assert!(cause.to_string().contains("files-melt"), "{cause}");
}

#[test]
fn a_message_past_the_limit_is_refused() {
    let make = |bytes| {
        let records = vec!["x".repeat(bytes)];
        Message::MarketProcess(Records { feed: feed("f"), origin: "o".into(), of: None, part: 0, records })
    };
    let around = make(0).to_json().unwrap().len();
    assert!(make(MESSAGE_BYTES_MAX - around).to_json().is_ok());
    assert!(matches!(make(MESSAGE_BYTES_MAX - around + 1).to_json(), Err(Error::Large { .. })));
}

#[test]
fn bad_names_of_feeds_are_refused_also_when_read() {
    for bad in ["", "two words", "tab\t", "ü", &"x".repeat(129)] {
        assert!(Feed::try_from(bad.to_owned()).is_err(), "{bad:?}");
    }
    let json = all("k", "feed-name")[0].to_json().unwrap().replace("feed-name", "feed name");
    assert!(Message::from_json(&json).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read(key in ".{0,40}", name in "[!-~]{1,128}") {
        for message in all(&key, &name) {
            prop_assert_eq!(Message::from_json(&message.to_json().unwrap()).unwrap(), message);
        }
    }
}
