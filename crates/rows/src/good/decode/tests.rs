//! What `encode` makes of texts and numbers is the shorter way, and comes back; what it never makes is an error.

use proptest::prelude::*;

use super::*;
use crate::good::encode;

fn texts_of<T: AsRef<[u8]>>(rows: &[T]) -> Texts {
    let mut texts = Texts::default();
    rows.iter().for_each(|text| texts.push(text.as_ref()));
    texts
}

fn encoded(texts: &Texts) -> Pages {
    let mut pages = encode::Pages::default();
    pages.texts(texts);
    Pages { data: pages.data, encoding: pages.encoding.into(), ..Pages::default() }
}

fn decoded(pages: &Pages, rows: usize) -> Read<Texts> {
    let mut texts = Texts::default();
    pages.texts(rows, &mut Lengths::default(), &mut texts)?;
    Ok(texts)
}

proptest! {
    #[test]
    fn texts_come_back(
        front in "[a-z]{0,20}",
        rows in prop::collection::vec(prop_oneof!["", "[0-9]{1,3}", "[0-9]{16}", "[ab]{7,9}", "é{0,9}"], 0..300),
        number in 0u32..3,
    ) {
        let rows: Vec<String> = match number {
            0 => rows,
            1 => rows.iter().map(|text| format!("{front}{text}")).collect(),
            _ => (0..rows.len()).map(|row| format!("{front}{row:09}")).collect(),
        };
        let texts = texts_of(&rows);
        let again = decoded(&encoded(&texts), rows.len()).map_err(|fault| TestCaseError::fail(fault.0))?;
        prop_assert_eq!(&again.ends, &texts.ends);
        prop_assert_eq!(&again.bytes, &texts.bytes);
    }

    #[test]
    fn numbers_come_back(values in prop::collection::vec(-999_999_999_999_999_999i64..=999_999_999_999_999_999, 0..300)) {
        let mut pages = encode::Pages::default();
        pages.differences(values.iter().copied());
        let pages = Pages { data: pages.data, encoding: pages.encoding.into(), ..Pages::default() };
        let mut again = Vec::new();
        pages.narrow(values.len(), &mut again).map_err(|fault| TestCaseError::fail(fault.0))?;
        prop_assert_eq!(again, values);
    }
}

/// A number that looks made up, another one for each row.
fn scattered(row: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&row.to_le_bytes())
}

#[test]
fn what_texts_share_is_written_once() {
    let made_up: Vec<String> = (0..1000).map(|row| format!("txn_{:016x}", scattered(row))).collect();
    let counted: Vec<String> = (0..1000).map(|row| format!("{}/{row:06}", "orders/2026-01-31")).collect();
    let apart: Vec<String> = (0..1000).map(|row| format!("{:016x}", scattered(row))).collect();
    for (rows, encoding, bytes) in [(made_up, SHARED, 16_000), (counted, SHARED, 2_000), (apart, LENGTHS, 16_000)] {
        let pages = encoded(&texts_of(&rows));
        assert_eq!(pages.encoding, encoding, "{}", rows[0]);
        // Lengths that are all alike take next to nothing.
        assert!(pages.data.len() < bytes + 200, "{} bytes for {}", pages.data.len(), rows[0]);
    }
}

#[test]
fn numbers_are_differences_when_that_is_shorter() {
    let mut pages = encode::Pages::default();
    let near: Vec<i64> = (0..1000).map(|row| 100_000_000_000 + (scattered(row) % 1000) as i64 * 10_000_000).collect();
    assert!(pages.near(&near));
    assert!(pages.data.len() < 1000 * 5, "{} bytes", pages.data.len());
    let far: Vec<i64> = (0..1000).map(|row| (scattered(row) >> 5) as i64).collect();
    pages.clear();
    assert!(!pages.near(&far));
    assert!(pages.data.is_empty());
}

/// Texts that say how much they share, however much that is.
fn claimed(shared: &[i64], own: &[i64], text: &[u8]) -> Pages {
    let mut pages = encode::Pages::default();
    pages.differences(shared.iter().copied());
    pages.differences(own.iter().copied());
    pages.data.extend_from_slice(text);
    Pages { data: pages.data, encoding: SHARED, ..Pages::default() }
}

#[test]
fn lengths_that_cannot_be_are_errors() {
    let fault =
        |shared: &[i64], own: &[i64]| decoded(&claimed(shared, own, b"abcdef"), own.len()).map_err(|fault| fault.0);
    assert_eq!(fault(&[0, 2, 1], &[3, 1, 2]).unwrap().bytes, b"abcabdaef");
    for (shared, own, said) in [
        (&[1, 0][..], &[3, 3][..], "shares more"),
        (&[0, 4], &[3, 3], "shares more"),
        (&[0, i64::MAX], &[3, 3], "shares more"),
        // no more than the text before, whatever stands before that
        (&[0, 0, 3], &[3, 2, 1], "shares more"),
        (&[0, -1], &[3, 3], "negative"),
        (&[0, 1], &[3, -1], "negative"),
        (&[0, 1], &[3, 4], "ends before"),
    ] {
        let told = fault(shared, own).err().unwrap_or_default();
        assert!(told.contains(said), "{shared:?} {own:?}: {told}");
    }
}

#[test]
fn texts_do_not_grow_without_end() {
    let most = GOOD_PAGE_BYTES_MAX as i64;
    for (more, fits) in [(0, true), (1, false)] {
        // a text, once more, and the rest
        let (own, shared) = ([most / 2, 0, more], [0, most / 2, 0]);
        let read = decoded(&claimed(&shared, &own, &vec![b'a'; (most / 2 + more) as usize]), own.len());
        assert_eq!(read.is_ok(), fits, "{more} bytes more");
    }
    // A page of a megabyte, packed a few hundred bytes, that would be half a terabyte of texts.
    let rows = 1 << 20;
    let shared: Vec<i64> = (0..rows).collect();
    let own = vec![1; rows as usize];
    let pages = claimed(&shared, &own, &vec![b'a'; rows as usize]);
    let told = decoded(&pages, rows as usize).map(|texts| texts.bytes.len()).map_err(|fault| fault.0);
    assert_eq!(told, Err("the texts of a row group are longer than Millrace writes"));
}
