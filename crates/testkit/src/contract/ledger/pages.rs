//! Pages of records.

use pipeline::message::Feed;
use pipeline::object::digest;
use pipeline::point::{Kept, Point};
use pipeline::preset::Preset;
use pipeline::records;
use pipeline::rows::time::rfc3339;
use pipeline::step::Kind;

use super::script::{expect, page, pages};
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

/// Rows of `market` as they are kept, which a ledger may keep apart: of two feeds and of instruments whose names begin
/// alike, many of one time, told apart by where they came from.
pub(super) fn rows_of_an_instrument_are_paged_by_time(make: Make<'_>) {
    let mut home = make();
    let feeds = [Feed::of_preset(Preset::Market), Feed::try_from("another/one".to_owned()).expect("a good name")];
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for (feed, symbol) in feeds.iter().flat_map(|feed| ["A", "A/B", "AB"].map(|symbol| (feed, symbol))) {
        for time in [-1, 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_790] {
            for (from, number) in [("r-", 0), ("r-", 1), ("q-", 2), ("i-", 3)] {
                for (part, index) in [(0, 0), (0, 7), (1, 0)] {
                    let origin = format!("{from}{}", digest(&[&number.to_string()]));
                    let bar = (number == 1).then(|| ["1", "20.50", "0.000000001"].map(str::to_owned));
                    let sequence = (index > 0).then_some(u64::MAX);
                    let (price, volume) = ("190123456789.012345678".to_owned(), index.to_string());
                    let point = Point { symbol: symbol.into(), timestamp: rfc3339(time), price, volume, bar, sequence };
                    let key = records::row(feed, symbol, time, &origin, part, index);
                    let value = serde_json::to_vec(&Kept { point, origin }).expect("text");
                    all.push((key.id, value));
                }
            }
        }
    }
    // more than there is room for in a transaction, and the others in small commits
    let (many, few) = all.split_at(all.len() - 20);
    let script = many.iter().fold(Script::of("many"), |script, (id, value)| script.writes(Kind::Row, id, value));
    script.happens(home.ledger());
    for (index, pair) in few.chunks(2).enumerate() {
        let script = Script::of(&format!("few {index}"));
        let script = pair.iter().fold(script, |script, (id, value)| script.writes(Kind::Row, id, value));
        script.happens(home.ledger());
    }
    home.restart();
    all.sort_unstable();
    for (id, value) in &all {
        expect(home.ledger(), Kind::Row, id, Some(value));
    }
    let within = |parts: &[&str]| records::within(parts);
    let [market, another] = feeds.each_ref().map(Feed::as_str);
    for within in [within(&[market, "A"]), within(&[market, "A/B"]), within(&[another, "A"]), within(&[another])] {
        let ids: Vec<&String> = all.iter().map(|(id, _)| id).filter(|id| id.starts_with(&within)).collect();
        assert!(ids.len() >= 48, "{within}");
        for max in [5, 1000] {
            let found = pages(home.ledger(), Kind::Row, &within, max);
            assert!(found.iter().eq(ids.iter().copied()), "{within} in pages of {max}: {found:#?}");
        }
        for time in [i64::MIN, -1, 0, 1, 1_700_000_000_123_456_790, i64::MAX] {
            let from = format!("{within}{}", records::sortable(time));
            let behind = ids.iter().copied().filter(|id| **id > from);
            let found = page(home.ledger(), Kind::Row, &within, Some(&from), 1000);
            assert!(found.iter().eq(behind), "{within} from {time}: {found:#?}");
        }
    }
    let one = &all[30].0;
    Script::of("gone").removes(Kind::Row, one).happens(home.ledger());
    expect(home.ledger(), Kind::Row, one, None);
    let left = pages(home.ledger(), Kind::Row, "", 1000);
    assert!(left.iter().eq(all.iter().map(|(id, _)| id).filter(|id| *id != one)), "one row is gone, and no other");
}
