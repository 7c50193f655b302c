//! Ids and places of rows: what is put into the table comes back, to the byte, and in order.

use proptest::prelude::*;

use super::*;

fn row(feed: &str, symbol: &str, time: i64, origin: &str, part: u64, index: usize) -> RowId {
    RowId { feed: feed.into(), symbol: symbol.into(), time, origin: origin.into(), part, index }
}

/// Names with what has a meaning in ids and in partitions.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Z]{1,4}", "[A/%.2F-]{1,6}", Just("market".to_owned()), Just("//".to_owned()), "\\PC{1,6}"]
}

fn origin() -> impl Strategy<Value = String> {
    // as the doors name them, and otherwise
    prop_oneof!["[ir]-[0-9a-f]{32}", "q-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", "\\PC{1,9}", "q-[0-9a-f]{32}"]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
        -5_i64..5,
        1_700_000_000_000_000_000_i64..1_700_000_000_000_000_009
    ]
}

fn any_row() -> impl Strategy<Value = RowId> {
    (name(), name(), time(), origin(), 0..2000_u64, 0..500_usize)
        .prop_map(|(feed, symbol, time, origin, part, index)| row(&feed, &symbol, time, &origin, part, index))
}

/// An item as the table gives it back.
fn through_the_table(item: &Item) -> Item {
    let normal = |field: &Field| match field {
        Field::Number(_) | Field::Decimal(_) => {
            number::read(&number::text(field).expect("a number")).expect("a number")
        }
        other => other.clone(),
    };
    item.iter().map(|(name, field)| (name.clone(), normal(field))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_id_comes_back_from_its_place(row in any_row()) {
        let found = Row::of(&row.id()).expect("it has a place");
        let text = number::of_units(found.key.timestamp, crate::table::TIMESTAMP_PLACES);
        prop_assert_eq!(number::normal(&text), Some(text), "a number that the table keeps as it is");
        let item = through_the_table(&found.settled(b"anything"));
        prop_assert_eq!(RowKey::of(&item), Some(found.key.clone()));
        prop_assert_eq!(id(&item), Some(row.id()));
        prop_assert!(found.is(&item));
    }

    #[test]
    fn two_rows_of_one_place_are_known_apart(one in any_row(), other in any_row()) {
        let [a, b] = [&one, &other].map(|row| Row::of(&row.id()).expect("it has a place"));
        if one != other && a.key == b.key {
            prop_assert!(!a.is(&b.settled(b"x")) && !b.is(&a.removed()));
        }
        let [own, others] = [&one, &other].map(|row| partition(&row.feed, &row.symbol));
        prop_assert_eq!((&one.feed, &one.symbol) == (&other.feed, &other.symbol), own == others);
    }

    #[test]
    fn places_are_in_the_order_of_ids(
        times in [time(), time()],
        hashes in ["[iqr]-[0-9a-f]{32}", "[iqr]-[0-9a-f]{32}"],
        parts in [0..2000_u64, 0..2000_u64],
        indexes in [0..500_usize, 0..500_usize],
        alike in 0..4_usize,
    ) {
        // the first parts of both are alike
        let [mut a, mut b] = [0, 1].map(|n| row("market", "A", times[n], &hashes[n], parts[n], indexes[n]));
        if alike > 0 { b.time = a.time; }
        if alike > 1 { b.origin.clone_from(&a.origin); }
        if alike > 2 { b.part = a.part; }
        if a.id() > b.id() { std::mem::swap(&mut a, &mut b); }
        let [first, second] = [&a, &b].map(|row| Row::of(&row.id()).expect("it has a place").key.timestamp);
        prop_assert!(first <= second, "{} {}", a.id(), b.id());
        prop_assert_eq!(first == second, a == b);
    }

    #[test]
    fn a_value_comes_back(
        row in any_row(),
        numbers in prop::array::uniform5(prop_oneof!["-?[0-9]{1,20}(\\.[0-9]{1,12})?", "[0-9]{38,41}", "\\PC{0,4}"]),
        is_bar in any::<bool>(),
        sequence in any::<Option<u64>>(),
        is_json in any::<bool>(),
    ) {
        let [price, volume, open, high, low] = numbers;
        let bar = is_bar.then_some([open, high, low]);
        let timestamp = rows_time(row.time);
        let point = Point { symbol: row.symbol.clone(), timestamp, price, volume, bar, sequence };
        let mut value = serde_json::to_vec(&Kept { point, origin: row.origin.clone() }).expect("text");
        if !is_json {
            value.push(b' ');
        }
        let place = Row::of(&row.id()).expect("it has a place");
        let item = through_the_table(&place.settled(&value));
        prop_assert_eq!(item.contains_key(VALUE), !is_json, "what people read is in fields");
        prop_assert_eq!(super::super::place::value(&item), Some(value.clone()));
        prop_assert!(Next::of(&item).is_none());
        // prepared: on nothing, on another content, and as a removal
        let (source, token) = ("s".to_owned(), "t".to_owned());
        let next = Next { source, token, value: Some(value.clone()) };
        for now in [None, Some(b"before".as_slice())] {
            let item = through_the_table(&place.beside(&next, now));
            prop_assert_eq!(super::super::place::value(&item), now.map(<[u8]>::to_vec));
            prop_assert_eq!(Next::of(&item).and_then(|next| next.value), Some(value.clone()));
        }
        let gone = Next { value: None, ..next };
        for now in [None, Some(value.as_slice())] {
            let item = through_the_table(&place.beside(&gone, now));
            prop_assert_eq!(super::super::place::value(&item), now.map(<[u8]>::to_vec));
            prop_assert_eq!(Next::of(&item).map(|next| next.value), Some(None));
        }
        prop_assert_eq!(super::super::place::value(&place.removed()), None);
    }
}

fn rows_time(time: i64) -> String {
    pipeline::rows::time::rfc3339(time)
}

#[test]
fn what_has_no_place_is_a_record() {
    let good = row("market", "A", 7, "o", 0, 0);
    assert!(Row::of(&good.id()).is_some());
    for other in [
        row("market", "", 7, "o", 0, 0),
        row("market", "A", 7, "", 0, 0),
        row("market", "A", 7, "o", 2000, 0),
        row("market", "A", 7, "o", 0, 500),
        row("market", &"A".repeat(900), 7, "o", 0, 0),
    ] {
        assert_eq!(Row::of(&other.id()), None, "{other:?}");
    }
    assert_eq!(Row::of("f/0007"), None);
}

#[test]
fn people_find_an_instrument_by_its_name() {
    for (feed, symbol, expected) in [
        ("market", "ACME", "ACME"),
        ("market", "BTC/USD", "BTC/USD"),
        ("market", "A//B", "A%2F%2FB"),
        ("market", "5%", "5%25"),
        ("other", "BTC/USD", "other//BTC%2FUSD"),
    ] {
        assert_eq!(partition(feed, symbol), expected);
    }
}
