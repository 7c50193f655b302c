//! Receipts: any order of events gives the same, nothing moves back, and what is completed adds up.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn object(version: &str) -> ObjectVersion {
    ObjectVersion { bucket: "b".into(), key: "in/day.csv".into(), version: version.into() }
}

fn other(version: &str) -> Other {
    Other { order: Order::of(&object(version), 5), receipt: ReceiptId::of(&object(version)) }
}

fn receipt(preset: Preset) -> Receipt {
    let feed = Feed::try_from("acme".to_owned()).unwrap();
    Receipt::new(Arrival {
        object: object("1"),
        preset,
        feed,
        aliases: BTreeSet::from(["upload-1".into()]),
        trace: "t".into(),
        at: 1_700_000_000_000,
    })
}

fn account(rows: u64, good: u64, rejected: u64) -> Account {
    let counts =
        Counts { rows, good, rejected, lines: rows + 1, row_lines: Some(rows), other_lines: 1, ..Counts::default() };
    Account { counts, ..Account::default() }
}

/// Everything that happens to a good file, in order.
fn story(preset: Preset, account: Account) -> Vec<What> {
    let [first, second, third] = preset.stages();
    let good = account.counts.good;
    vec![
        What::Began { stage: first, attempt: 1 },
        What::Checked(Box::new(account)),
        What::Ended(first),
        What::Began { stage: second, attempt: 1 },
        What::RowsCommitted(good),
        What::Ended(second),
        What::Began { stage: third, attempt: 1 },
        What::AggregatesCommitted,
        What::Ended(third),
    ]
}

fn told(preset: Preset, story: impl IntoIterator<Item = What>) -> Receipt {
    let mut receipt = receipt(preset);
    for (second, what) in story.into_iter().enumerate() {
        receipt.apply(Event { at: receipt.arrival.at + 1000 * (second as u64 + 1), what });
    }
    receipt
}

#[test]
fn a_good_file_goes_through_the_words() {
    for preset in Preset::ALL {
        let mut receipt = receipt(preset);
        let mut words = vec![receipt.status()];
        for what in story(preset, account(3, 2, 1)) {
            assert_eq!(receipt.outcome(), Outcome::InProgress);
            receipt.apply(Event { at: 1_700_000_000_000, what });
            words.push(receipt.status());
        }
        words.dedup();
        assert_eq!(words.len(), 7, "{words:?}");
        assert_eq!(receipt.outcome(), Outcome::CompletedWithRejects);
    }
    assert_eq!(told(Preset::Files, story(Preset::Files, account(3, 3, 0))).outcome(), Outcome::Completed);
}

#[test]
fn invariant_1_what_does_not_add_up_is_never_completed() {
    let mut lines = account(3, 3, 0);
    lines.counts.lines = 9;
    let mut huge = account(3, 3, 0);
    (huge.counts.good, huge.counts.rejected) = (u64::MAX, 4);
    for bad in [account(3, 2, 0), lines, huge] {
        let receipt = told(Preset::Files, story(Preset::Files, bad));
        assert!(receipt.adds_up().is_err());
        assert_eq!((receipt.status(), receipt.outcome()), (Status::Validating, Outcome::InProgress));
    }
}

#[test]
fn invariant_1_two_accounts_of_one_file_are_never_completed() {
    let mut receipt = told(Preset::Files, story(Preset::Files, account(3, 3, 0)));
    receipt.apply(Event { at: 0, what: What::Checked(Box::new(account(4, 3, 1))) });
    assert_eq!(receipt.adds_up(), Err(Unaccounted::Contradiction("what validation told")));
    assert_ne!(receipt.outcome(), Outcome::Completed);
}

#[test]
fn invariant_5_completed_needs_every_part_of_the_story() {
    for preset in Preset::ALL {
        let whole = story(preset, account(3, 3, 0));
        for left_out in 0..whole.len() {
            let began = matches!(whole[left_out], What::Began { .. });
            let rest = whole.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, what)| what.clone());
            let receipt = told(preset, rest);
            // an event that says "begun" may be lost: the end says it too
            assert_eq!(receipt.outcome() == Outcome::Completed, began, "{preset:?} without {:?}", whole[left_out]);
        }
    }
}

#[test]
fn invariant_5_the_rows_that_can_be_queried_are_the_good_ones() {
    let mut story = story(Preset::Files, account(3, 3, 0));
    story[4] = What::RowsCommitted(2);
    let receipt = told(Preset::Files, story);
    assert_eq!(receipt.adds_up(), Err(Unaccounted::Committed { good: 3, committed: 2 }));
    assert_eq!((receipt.status(), receipt.outcome()), (Status::Aggregating, Outcome::InProgress));
}

#[test]
fn failed_refused_duplicate_superseded() {
    let failed = What::Failed { stage: Stage::Process, attempt: 3, error: "e".into() };
    let mut receipt = told(Preset::Files, [failed.clone()]);
    assert_eq!(receipt.outcome(), Outcome::Failed);
    for what in story(Preset::Files, account(1, 1, 0)) {
        receipt.apply(Event { at: 1, what });
    }
    receipt.apply(Event { at: u64::MAX, what: failed });
    assert_eq!(receipt.outcome(), Outcome::Completed, "redriven, it completes, and a late failure changes nothing");
    assert_eq!(receipt.view().attempts, 5);

    let refused = RefusedFile { code: "c".into(), message: "m".into(), hint: "h".into() };
    let refused = Account { refused: Some(refused), ..Account::default() };
    let receipt = told(Preset::Files, story(Preset::Files, refused));
    assert_eq!((receipt.status(), receipt.outcome()), (Status::Validating, Outcome::Rejected));

    let other = other("0");
    let mut receipt = told(Preset::Files, story(Preset::Files, account(1, 1, 0)));
    let mut relations = Relations { duplicate_of: Some(other.clone()), ..Relations::default() };
    receipt.relate(relations.clone(), 1);
    assert_eq!((receipt.outcome(), receipt.duplicate_of()), (Outcome::Duplicate, Some(&other)));
    relations.superseded_by = Some(other);
    receipt.relate(relations, 2);
    assert_eq!(receipt.outcome(), Outcome::Superseded, "of a copy that was overwritten, that says more");
    receipt.relate(Relations::default(), 3);
    assert_eq!(receipt.outcome(), Outcome::Completed, "what it is to others may change");
}

#[test]
fn blocked_until_its_turn_comes() {
    let by = ReceiptId::of(&object("0"));
    let blocked = What::Blocked { stage: Stage::Validate, by: by.clone() };
    let mut receipt = told(Preset::Files, [blocked.clone()]);
    assert_eq!(receipt.blocked_by(), Some(&by));
    receipt.apply(Event { at: 5, what: What::Began { stage: Stage::Validate, attempt: 1 } });
    receipt.apply(Event { at: 6, what: blocked });
    assert_eq!(receipt.blocked_by(), None);
}

#[test]
fn json_has_the_fields_of_both_older_systems() {
    let receipt = told(Preset::Files, story(Preset::Files, account(3, 3, 0)));
    let json = serde_json::to_value(receipt.view()).unwrap();
    for (field, value) in [
        ("fileId", "in/day.csv".into()),
        ("status", "aggregated".into()),
        ("stage", "aggregator".into()),
        ("timestamp", "1700000009000".into()),
        ("lastUpdated", 1_700_000_009.into()),
        ("expirationTime", 1_702_592_009.into()),
        ("bucketName", "b".into()),
        ("objectKey", "in/day.csv".into()),
        ("outcome", "completed".into()),
    ] {
        assert_eq!(json[field], serde_json::Value::clone(&value), "{field}");
    }
    let updated_at = json["updatedAt"].as_str().unwrap();
    assert!(updated_at.starts_with("2023-11-14T22:13:29") && updated_at.ends_with('Z'), "{updated_at}");
}

fn anything(preset: Preset) -> impl Strategy<Value = What> {
    let stage = || select(preset.stages().to_vec());
    let one = || select(vec!["0", "2", "3"]).prop_map(other);
    prop_oneof![
        12 => select(story(preset, account(3, 2, 1))),
        1 => Just(What::Checked(Box::new(account(2, 2, 0)))),
        1 => (0..4u64).prop_map(What::RowsCommitted),
        2 => (stage(), 1..4u32).prop_map(|(stage, attempt)| What::Began { stage, attempt }),
        2 => (stage(), 1..4u32, "[ab]").prop_map(|(stage, attempt, error)| What::Failed { stage, attempt, error }),
        2 => (stage(), one()).prop_map(|(stage, by)| What::Blocked { stage, by: by.receipt }),
        1 => (stage(), 0..3u64).prop_map(|(stage, part)| What::PartDone { stage, part }),
        1 => ("[ab]", "[12]").prop_map(|(name, version)| What::Linked { name, to: object(&version) }),
    ]
}

proptest! {
    #[test]
    fn invariant_3_any_order_and_any_repetition_gives_the_same_receipt(
        (preset, events, again) in select(Preset::ALL.to_vec())
            .prop_flat_map(|preset| (Just(preset), prop::collection::vec((0..50u64, anything(preset)), 0..24)))
            .prop_flat_map(|(preset, events)| {
                let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
                (Just(preset), Just(events), Just(twice).prop_shuffle())
            }),
    ) {
        let (mut once, mut shuffled) = (receipt(preset), receipt(preset));
        for (at, what) in events {
            once.apply(Event { at, what });
        }
        for (at, what) in again {
            shuffled.apply(Event { at, what });
        }
        prop_assert_eq!(&once, &shuffled);
        let json = serde_json::to_string(&once).unwrap();
        prop_assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), once);
    }

    #[test]
    fn nothing_moves_back(events in prop::collection::vec(
        prop_oneof![
            9 => select(story(Preset::Files, account(3, 2, 1))),
            1 => select(Preset::Files.stages().to_vec())
                .prop_map(|stage| What::Failed { stage, attempt: 3, error: "e".into() }),
        ],
        0..40,
    )) {
        let mut receipt = receipt(Preset::Files);
        for what in events {
            let (status, ended) = (receipt.status(), receipt.outcome() >= Outcome::Completed);
            let before = receipt.outcome();
            receipt.apply(Event { at: 1, what });
            prop_assert!(receipt.status() >= status);
            prop_assert!(!ended || receipt.outcome() >= before);
        }
    }
}
