//! Pages of records.

use pipeline::step::Kind;

use super::script::{page, pages};
use super::{Make, Script};

/// Writes a record for each id, each in a commit of its own and not in order.
fn fill(home: &dyn super::LedgerHome, kind: Kind, ids: &[&str]) {
    for (index, id) in ids.iter().enumerate().rev() {
        let value = format!("{kind:?} {index}");
        Script::of(&format!("fill {kind:?} {id}")).writes(kind, id, value.as_bytes()).happens(home.ledger());
    }
}

pub(super) fn a_page_is_in_the_order_of_ids(make: Make<'_>) {
    let home = make();
    // the order of bytes, which is that of characters, and not one of words
    let mut ids =
        ["0", "00", "1", "10", "2", "A", "B", "a", "a ", "a!", "a-b", "a/", "a/b", "a0", "aa", "z", "é", "日", "🦀"];
    fill(&*home, Kind::Row, &ids);
    ids.sort_unstable();
    assert_eq!(pages(home.ledger(), Kind::Row, "", 100), ids, "the order is that of the bytes of the ids");
}

pub(super) fn a_page_is_within_a_prefix(make: Make<'_>) {
    let home = make();
    let ids = ["a", "a-b/1", "a/", "a/1", "a/2", "a/2/3", "a0", "a0/1", "aa/1", "b/1", "é/1", "é/2", "ê/1", "\u{7f}/1"];
    fill(&*home, Kind::Open, &ids);
    for within in ["", "a", "a/", "a/2", "a-", "a0", "b", "é", "é/", "c", "a/1/", "\u{7f}", "a/2/3"] {
        let mut expected: Vec<&str> = ids.iter().copied().filter(|id| id.starts_with(within)).collect();
        expected.sort_unstable();
        for max in [1, 2, 100] {
            let found = pages(home.ledger(), Kind::Open, within, max);
            assert_eq!(found, expected, "within {within:?} are the ids that begin with it, pages of {max}");
        }
    }
}

pub(super) fn a_page_has_one_kind(make: Make<'_>) {
    let home = make();
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(page(home.ledger(), kind, "", None, 10), Vec::<String>::new(), "there is nothing yet");
        let own = format!("a/{index}");
        fill(&*home, kind, &["a/all", &own]);
    }
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        for within in ["", "a/"] {
            assert_eq!(pages(home.ledger(), kind, within, 10), [format!("a/{index}"), "a/all".into()], "{kind:?}");
        }
    }
}

pub(super) fn pages_give_every_record_once(make: Make<'_>) {
    let home = make();
    let ids: Vec<String> = (0..1100).map(|index| format!("feed/{index:04}")).collect();
    let script = ids.iter().fold(Script::of("all"), |script, id| script.writes(Kind::Contribution, id, id.as_bytes()));
    // neighbours on both sides, which belong to no page
    let script = script.writes(Kind::Contribution, "feed", b"x").writes(Kind::Contribution, "feed0", b"x");
    script.happens(home.ledger());
    for max in [7, 100, 1_000, 1_001, 1_100, 1_101, 5_000] {
        assert_eq!(pages(home.ledger(), Kind::Contribution, "feed/", max), ids, "in pages of {max}");
    }
    let next = |after: &str| page(home.ledger(), Kind::Contribution, "feed/", Some(after), 1);
    assert_eq!(next("feed/0007"), ["feed/0008"], "a page is behind the id that is told");
    assert_eq!(next("feed/1099"), Vec::<String>::new(), "nothing is behind the last");
    assert_eq!(next("feed"), ["feed/0000"], "an id before all of them");
    assert_eq!(next("a"), ["feed/0000"], "an id before the prefix");
    assert_eq!(next("z"), Vec::<String>::new(), "an id behind the prefix");
}

pub(super) fn a_page_goes_on_behind_an_id_that_is_gone(make: Make<'_>) {
    let home = make();
    fill(&*home, Kind::Id, &["f/1", "f/2", "f/3"]);
    Script::of("remove").removes(Kind::Id, "f/2").happens(home.ledger());
    assert_eq!(page(home.ledger(), Kind::Id, "f/", Some("f/2"), 10), ["f/3"]);
    assert_eq!(page(home.ledger(), Kind::Id, "f/", Some("f/2\0"), 10), ["f/3"]);
    assert_eq!(pages(home.ledger(), Kind::Id, "f/", 10), ["f/1", "f/3"]);
}

pub(super) fn a_page_sees_what_load_sees(make: Make<'_>) {
    let mut home = make();
    fill(&*home, Kind::Window, &["f/1", "f/2", "f/3"]);
    let script = Script::of("change").writes(Kind::Window, "f/1", b"").removes(Kind::Window, "f/2");
    script.writes(Kind::Window, "f/4", b"new").happens(home.ledger());
    for _ in 0..2 {
        // `page` compares every record with what is loaded
        assert_eq!(pages(home.ledger(), Kind::Window, "f/", 10), ["f/1", "f/3", "f/4"]);
        home.restart();
    }
}
