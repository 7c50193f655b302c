//! Commits: whole, once, on conditions, with messages.

use pipeline::message::Message;
use pipeline::ports::Revision;
use pipeline::step::Kind;

use super::script::{expect, name, revision};
use super::{LedgerHome, Make, Script};

/// Receives until nothing comes any more. Each message once, where it came first: it may come again.
fn receive(home: &mut dyn LedgerHome) -> Vec<Message> {
    let mut received: Vec<Message> = Vec::new();
    loop {
        let more = home.receive();
        if more.is_empty() {
            return received;
        }
        for message in more {
            if !received.contains(&message) {
                received.push(message);
            }
        }
    }
}

/// The names of those of a group, in order.
fn group<'a>(messages: &'a [Message], feed: &str) -> Vec<&'a str> {
    messages.iter().filter(|message| message.group().as_str() == feed).map(name).collect()
}

pub(super) fn a_commit_is_whole(make: Make<'_>) {
    let mut home = make();
    let value = vec![7; 1000];
    let id = |index: usize| format!("f/{index:04}");
    let script = (0..900).fold(Script::of("many"), |script, index| script.writes(Kind::Id, &id(index), &value));
    let script = (0..50).fold(script, |script, index| script.sends("f", &format!("{index:02}")));
    let last = id(899);
    script.clone().expects(Kind::Id, &last, Revision(1)).fails_for(home.ledger(), Kind::Id, &last);
    for index in [0, 1, 450, 899] {
        expect(home.ledger(), Kind::Id, &id(index), None);
    }
    assert_eq!(receive(&mut *home).len(), 0, "nothing of a commit that was refused is sent");
    script.happens(home.ledger());
    for index in [0, 1, 450, 899] {
        expect(home.ledger(), Kind::Id, &id(index), Some(&value));
    }
    let expected: Vec<String> = (0..50).map(|index| format!("{index:02}")).collect();
    assert_eq!(group(&receive(&mut *home), "f"), expected);
}

pub(super) fn a_commit_that_does_nothing_counts(make: Make<'_>) {
    let home = make();
    Script::of("nothing").happens(home.ledger());
    Script::of("nothing").happened(home.ledger());
    Script::of("nothing").writes(Kind::Row, "a", b"1").happened(home.ledger());
    expect(home.ledger(), Kind::Row, "a", None);
}

pub(super) fn a_source_commits_once(make: Make<'_>) {
    let mut home = make();
    let first = || Script::of("s").writes(Kind::Row, "a", b"1").sends("f", "first");
    first().happens(home.ledger());
    Script::of("other").writes(Kind::Row, "a", b"2").happens(home.ledger());
    first().happened(home.ledger());
    expect(home.ledger(), Kind::Row, "a", Some(b"2"));
    let second = Script::of("s").writes(Kind::Row, "a", b"3").writes(Kind::Row, "b", b"3").removes(Kind::Row, "a0");
    second.sends("f", "second").happened(home.ledger());
    expect(home.ledger(), Kind::Row, "a", Some(b"2"));
    expect(home.ledger(), Kind::Row, "b", None);
    assert_eq!(group(&receive(&mut *home), "f"), ["first"], "what a second commit says is not looked at");
    first().happened(home.ledger());
    // what was received may come again, and nothing else may
    let again = receive(&mut *home);
    assert!(group(&again, "f").iter().all(|name| *name == "first"), "nothing new is sent: {again:?}");
}

pub(super) fn a_source_is_looked_at_before_conditions(make: Make<'_>) {
    let home = make();
    let create = || Script::of("s").expects(Kind::Row, "a", Revision(0)).writes(Kind::Row, "a", b"1");
    create().happens(home.ledger());
    // a delivery that comes again finds what it wrote itself
    create().happened(home.ledger());
    Script::of("s").expects(Kind::Row, "never", Revision(7)).happened(home.ledger());
    expect(home.ledger(), Kind::Row, "a", Some(b"1"));
}

pub(super) fn a_source_is_remembered_after_a_restart(make: Make<'_>) {
    let mut home = make();
    let commit = |name: &str| Script::of(name).writes(Kind::Row, "a", name.as_bytes());
    commit("1").happens(home.ledger());
    home.restart();
    commit("1").happened(home.ledger());
    commit("2").happens(home.ledger());
    home.restart();
    home.restart();
    commit("1").happened(home.ledger());
    commit("2").happened(home.ledger());
    expect(home.ledger(), Kind::Row, "a", Some(b"2"));
}

pub(super) fn a_condition_holds_or_nothing_happens(make: Make<'_>) {
    let mut home = make();
    Script::of("start").writes(Kind::Row, "a", b"1").writes(Kind::Due, "a", b"2").happens(home.ledger());
    let old = revision(home.ledger(), Kind::Row, "a");
    Script::of("next").expects(Kind::Row, "a", old).writes(Kind::Row, "a", b"3").happens(home.ledger());
    // it decided upon what is gone, and it does not even write it
    let late = || Script::of("late").writes(Kind::Due, "a", b"9").writes(Kind::Row, "b", b"9").sends("f", "late");
    late().expects(Kind::Row, "a", old).fails_for(home.ledger(), Kind::Row, "a");
    late().expects(Kind::Row, "a", old).fails_for(home.ledger(), Kind::Row, "a");
    expect(home.ledger(), Kind::Due, "a", Some(b"2"));
    expect(home.ledger(), Kind::Row, "b", None);
    home.restart();
    expect(home.ledger(), Kind::Row, "b", None);
    // the source is still free
    let new = revision(home.ledger(), Kind::Row, "a");
    late().expects(Kind::Row, "a", new).happens(home.ledger());
    expect(home.ledger(), Kind::Due, "a", Some(b"9"));
    expect(home.ledger(), Kind::Row, "a", Some(b"3"));
    late().expects(Kind::Row, "a", old).happened(home.ledger());
}

pub(super) fn the_first_condition_that_does_not_hold_is_named(make: Make<'_>) {
    let home = make();
    Script::of("start").writes(Kind::Row, "a", b"1").writes(Kind::Window, "a", b"2").happens(home.ledger());
    let (row, window) = (Revision::of(Some(b"1")), Revision::of(Some(b"2")));
    let wrong = Revision(1);
    for (revisions, first) in [
        ([row, wrong, wrong, wrong], (Kind::Window, "a")),
        ([row, window, wrong, wrong], (Kind::Row, "z")),
        ([row, window, Revision(0), wrong], (Kind::Due, "a")),
        ([wrong, window, Revision(0), Revision(0)], (Kind::Row, "a")),
        ([wrong; 4], (Kind::Row, "a")),
    ] {
        let keys = [(Kind::Row, "a"), (Kind::Window, "a"), (Kind::Row, "z"), (Kind::Due, "a")];
        let script = keys.into_iter().zip(revisions);
        let script = script.fold(Script::of("s"), |script, ((kind, id), revision)| script.expects(kind, id, revision));
        script.fails_for(home.ledger(), first.0, first.1);
    }
    let script = Script::of("s").expects(Kind::Due, "a", Revision(0)).expects(Kind::Window, "a", window);
    script.expects(Kind::Row, "a", row).happens(home.ledger());
}

pub(super) fn a_condition_can_be_that_there_is_nothing(make: Make<'_>) {
    let home = make();
    let create =
        |name: &str| Script::of(name).expects(Kind::Id, "f/1", Revision(0)).writes(Kind::Id, "f/1", name.as_bytes());
    create("1").happens(home.ledger());
    create("2").fails_for(home.ledger(), Kind::Id, "f/1");
    Script::of("remove").removes(Kind::Id, "f/1").happens(home.ledger());
    create("2").happens(home.ledger());
    expect(home.ledger(), Kind::Id, "f/1", Some(b"2"));
    // an empty content is a content
    Script::of("empty").writes(Kind::Id, "f/1", b"").happens(home.ledger());
    create("3").fails_for(home.ledger(), Kind::Id, "f/1");
    let gone = Script::of("gone").expects(Kind::Id, "f/2", Revision::of(Some(b"1")));
    gone.fails_for(home.ledger(), Kind::Id, "f/2");
}

pub(super) fn a_record_that_changed_back_is_the_same(make: Make<'_>) {
    let home = make();
    Script::of("1").writes(Kind::Row, "a", b"one").happens(home.ledger());
    let seen = revision(home.ledger(), Kind::Row, "a");
    Script::of("2").writes(Kind::Row, "a", b"two").happens(home.ledger());
    Script::of("3").writes(Kind::Row, "a", b"one").happens(home.ledger());
    Script::of("4").expects(Kind::Row, "a", seen).writes(Kind::Row, "a", b"three").happens(home.ledger());
    expect(home.ledger(), Kind::Row, "a", Some(b"three"));
}

pub(super) fn messages_are_in_order_within_their_group(make: Make<'_>) {
    let mut home = make();
    let mut expected: [Vec<String>; 2] = Default::default();
    for commit in 0..8 {
        let mut script = Script::of(&format!("{commit}"));
        for message in 0..4 {
            // names in no order of their own
            let (feed, name) = (message % 2, format!("{}-{commit}-{message}", (commit * 5 + message * 3) % 7));
            script = script.sends(["one", "two"][feed], &name);
            expected[feed].push(name);
        }
        script.happens(home.ledger());
    }
    let received = receive(&mut *home);
    assert_eq!(group(&received, "one"), expected[0], "in the order of the commits and within each");
    assert_eq!(group(&received, "two"), expected[1], "in the order of the commits and within each");
    assert_eq!(received.len(), 32, "nothing else is sent");
}

pub(super) fn messages_of_a_commit_that_did_not_happen_are_not_sent(make: Make<'_>) {
    let mut home = make();
    let script = Script::of("s").sends("f", "refused");
    script.expects(Kind::Row, "a", Revision(1)).fails_for(home.ledger(), Kind::Row, "a");
    Script::of("s").sends("f", "sent").happens(home.ledger());
    Script::of("s").sends("f", "late").happened(home.ledger());
    assert_eq!(group(&receive(&mut *home), "f"), ["sent"]);
    home.restart();
    let again = receive(&mut *home);
    assert!(group(&again, "f").iter().all(|name| *name == "sent"), "nothing new after a restart: {again:?}");
}

pub(super) fn messages_survive_a_restart(make: Make<'_>) {
    let mut home = make();
    for round in 0..3 {
        let name = |index: i32| format!("{round}-{index}");
        Script::of(&name(1)).sends("f", &name(1)).sends("f", &name(2)).happens(home.ledger());
        home.restart();
        Script::of(&name(1)).sends("f", &name(9)).happened(home.ledger());
        Script::of(&name(3)).sends("f", &name(3)).happens(home.ledger());
        let received = receive(&mut *home);
        // earlier rounds may come again, before these
        let received = group(&received, "f");
        let new: Vec<&&str> = received.iter().filter(|name| name.starts_with(&format!("{round}-"))).collect();
        assert_eq!(new, [&name(1), &name(2), &name(3)], "what was taken over is sent, in order");
    }
}
