//! Records, one at a time.

use pipeline::ports::Revision;
use pipeline::step::Kind;

use super::script::{expect, load, revision};
use super::{Make, Script};

/// Ids with what is in keys of objects and in names of feeds and symbols.
const IDS: [&str; 20] = [
    "a",
    "A",
    "a/b",
    "a//b",
    "a/b/",
    "/a",
    "a/./b",
    "../x",
    "x",
    "a b",
    " a",
    "a%2Fb",
    "a\\b",
    "a:b",
    "é",
    "e\u{301}",
    "日本🦀",
    "a\tb",
    "\u{1}",
    "a\u{7f}",
];

pub(super) fn nothing_is_loaded_before_it_is_written(make: Make<'_>) {
    let home = make();
    for kind in Kind::ALL {
        let loaded = load(home.ledger(), kind, "a/b");
        assert_eq!(loaded.value, None, "{kind:?} was never written");
        assert_eq!(loaded.revision, Revision(0), "the revision is 0 while there is no content");
    }
}

pub(super) fn what_is_written_is_loaded(make: Make<'_>) {
    let home = make();
    let all_bytes: Vec<u8> = (0..=255).collect();
    let large = all_bytes.repeat(400);
    for (index, value) in [b"".as_slice(), b"\0", b"{}", &all_bytes, &large].into_iter().enumerate() {
        let id = format!("value/{index}");
        Script::of(&id).writes(Kind::Receipt, &id, value).happens(home.ledger());
        expect(home.ledger(), Kind::Receipt, &id, Some(value));
        Script::of(&format!("{id} over")).writes(Kind::Receipt, "one", value).happens(home.ledger());
        expect(home.ledger(), Kind::Receipt, "one", Some(value));
    }
}

pub(super) fn every_kind_and_id_is_its_own_record(make: Make<'_>) {
    let home = make();
    let long = format!("{}/x", "k".repeat(998));
    let ids = || IDS.iter().copied().chain([long.as_str()]);
    for kind in Kind::ALL {
        let script = ids().fold(Script::of(&format!("{kind:?}")), |script, id| {
            script.writes(kind, id, format!("{kind:?} {id}").as_bytes())
        });
        script.happens(home.ledger());
    }
    for kind in Kind::ALL {
        for id in ids() {
            expect(home.ledger(), kind, id, Some(format!("{kind:?} {id}").as_bytes()));
        }
    }
}

pub(super) fn a_revision_follows_from_the_content(make: Make<'_>) {
    let mut home = make();
    let mut seen = Vec::new();
    for (index, value) in [b"".as_slice(), b"a", b"b", b"aa"].into_iter().enumerate() {
        Script::of(&format!("{index}")).writes(Kind::Row, "a", value).happens(home.ledger());
        Script::of(&format!("{index} b")).writes(Kind::Window, "b", value).happens(home.ledger());
        let now = revision(home.ledger(), Kind::Row, "a");
        assert_eq!(now, Revision::of(Some(value)), "it is computed from nothing but the content");
        assert_eq!(now, revision(home.ledger(), Kind::Window, "b"), "which record it is does not matter");
        assert!(!seen.contains(&now), "other content has another revision");
        seen.push(now);
    }
    home.restart();
    assert_eq!(revision(home.ledger(), Kind::Row, "a"), Revision::of(Some(b"aa")), "a restart does not matter");
}

pub(super) fn what_is_removed_is_gone(make: Make<'_>) {
    let mut home = make();
    let script = Script::of("write").writes(Kind::Due, "a", b"1").writes(Kind::Due, "b", b"2");
    script.writes(Kind::Open, "a", b"3").happens(home.ledger());
    let script = Script::of("remove").removes(Kind::Due, "a");
    script.removes(Kind::Due, "never").writes(Kind::Due, "c", b"4").happens(home.ledger());
    for _ in 0..2 {
        expect(home.ledger(), Kind::Due, "a", None);
        expect(home.ledger(), Kind::Due, "never", None);
        expect(home.ledger(), Kind::Due, "b", Some(b"2"));
        expect(home.ledger(), Kind::Due, "c", Some(b"4"));
        expect(home.ledger(), Kind::Open, "a", Some(b"3"));
        home.restart();
    }
    Script::of("again").writes(Kind::Due, "a", b"").happens(home.ledger());
    expect(home.ledger(), Kind::Due, "a", Some(b""));
}

pub(super) fn records_survive_a_restart(make: Make<'_>) {
    let mut home = make();
    for round in 0..3 {
        let value = format!("round {round}");
        let script = Script::of(&value).writes(Kind::Receipt, "each", value.as_bytes());
        script.writes(Kind::Receipt, &value, b"once").happens(home.ledger());
        home.restart();
        expect(home.ledger(), Kind::Receipt, "each", Some(value.as_bytes()));
        for earlier in 0..=round {
            expect(home.ledger(), Kind::Receipt, &format!("round {earlier}"), Some(b"once"));
        }
    }
}
