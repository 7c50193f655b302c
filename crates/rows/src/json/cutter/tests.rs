//! The cutter: what it finds, what it refuses, and that the size of the buffers does not matter.

use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::json::Layout::{Array, Lines, Value};

#[derive(Debug, PartialEq, Eq)]
struct Whole {
    /// Text of the record, in the stream, and its number.
    records: Vec<(u64, Vec<u8>, u64)>,
    refusal: Option<Refusal>,
    lines: u64,
    blank_lines: u64,
}

/// Cuts `bytes`, handed over in pieces that end at `ends`.
fn cut_in_pieces(layout: Layout, bytes: &[u8], ends: &[usize]) -> Whole {
    let mut cutter = Cutter::new(layout);
    let mut whole = Whole { records: Vec::new(), refusal: None, lines: 0, blank_lines: 0 };
    let mut done = 0;
    for (index, &end) in ends.iter().enumerate() {
        let buffer = &bytes[done..end];
        let mut records = Vec::new();
        let result = cutter.cut(buffer, index + 1 == ends.len(), &mut records);
        for record in records {
            let text = buffer[record.start as usize..record.end as usize].to_vec();
            whole.records.push((done as u64 + u64::from(record.start), text, record.line));
        }
        match result {
            Ok(consumed) => done += consumed,
            Err(Error::Refused(refusal)) => {
                whole.refusal = Some(refusal);
                return whole;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(done, bytes.len());
    (whole.lines, whole.blank_lines) = (cutter.lines(), cutter.blank_lines());
    whole
}

fn check(layout: Layout, text: &str, records: &[(&str, u64)], refusal: Option<(&str, &str)>) -> Whole {
    let whole = cut_in_pieces(layout, text.as_bytes(), &[text.len()]);
    let found: Vec<_> =
        whole.records.iter().map(|(_, text, line)| (std::str::from_utf8(text).unwrap(), *line)).collect();
    assert_eq!(found, records, "{text}");
    let found = whole.refusal.as_ref().map(|refusal| (refusal.code, refusal.message.as_str()));
    assert_eq!(found, refusal, "{text}");
    whole
}

#[test]
fn lines_end_in_three_ways_and_blank_ones_are_counted() {
    let whole = check(Lines, "{}\n\n{1}\r\n \t\r\n[\r\r2", &[("{}", 1), ("{1}", 3), ("[", 5), ("2", 7)], None);
    assert_eq!((whole.lines, whole.blank_lines), (7, 3));
    let whole = check(Lines, "{}\n", &[("{}", 1)], None);
    assert_eq!((whole.lines, whole.blank_lines), (1, 0));
    assert_eq!(check(Lines, "", &[], None).lines, 0);
}

#[test]
fn a_broken_line_is_only_its_own_fault() {
    check(Lines, "{\"a\n{\"b\":1}\n", &[("{\"a", 1), ("{\"b\":1}", 2)], None);
}

#[test]
fn the_items_of_an_array_are_records() {
    check(Array, " [ ] ", &[], None);
    check(
        Array,
        "[{\"a\":\"]\\\"\"},\n[1,[2]] , 3,\"x\",nul]\n",
        &[("{\"a\":\"]\\\"\"}", 0), ("[1,[2]]", 1), ("3", 2), ("\"x\"", 3), ("nul", 4)],
        None,
    );
    assert_eq!(check(Array, "[\r\n{\n},\r{}]", &[("{\n}", 0), ("{}", 1)], None).lines, 4);
}

#[test]
fn a_broken_array_keeps_the_records_before() {
    let one: &[_] = &[("{}", 0)];
    let check = |text, records, code, message| check(Array, text, records, Some((code, message)));
    check("[{}\r\n {}]", one, "invalid_json", r#"expected "," or "]" but found "{" on line 2, byte offset 6"#);
    check("[{},]", one, "invalid_json", r#"expected a value but found "]" on line 1, byte offset 4"#);
    check("[,]", &[], "invalid_json", r#"expected a value or "]" but found "," on line 1, byte offset 1"#);
    check("[{}]\n{}", one, "invalid_json", r#"expected nothing more but found "{" on line 2, byte offset 5"#);
    check("{}", &[], "invalid_json", r#"expected "[" but found "{" on line 1, byte offset 0"#);
    check("[{},\u{7}", one, "invalid_json", r#"expected a value but found "\\x07" on line 1, byte offset 4"#);
    check("[{},", one, "truncated_json", "the file ends on line 1, byte offset 4: the array is not closed");
    check("[{}\n", one, "truncated_json", "the file ends on line 2, byte offset 4: the array is not closed");
    check("[{},{\n\"a", one, "truncated_json", "the file ends on line 2, byte offset 8: array item 1 is not complete");
    check(" ", &[], "truncated_json", "the file ends on line 1, byte offset 1: there is no array in it");
}

#[test]
fn values_may_lie_over_many_lines() {
    check(Value, "", &[], None);
    check(Value, "\n{\n \"a\": 1\n}\r\n\r[1] 17", &[("{\n \"a\": 1\n}", 2), ("[1]", 6), ("17", 6)], None);
    check(
        Value,
        "{},{}",
        &[("{}", 1)],
        Some(("invalid_json", r#"expected a value but found "," on line 1, byte offset 2"#)),
    );
    check(
        Value,
        "{}\n{\n",
        &[("{}", 1)],
        Some((
            "truncated_json",
            "the file ends on line 3, byte offset 5: the value that begins on line 2 is not complete",
        )),
    );
}

#[test]
fn a_record_has_a_longest_length() {
    let value = |length: usize| format!("[{}]", "1".repeat(length - 2));
    let (longest, longer) = (value(RECORD_BYTES_MAX), value(RECORD_BYTES_MAX + 1));
    for (layout, front, back, number, named) in [
        (Lines, "{}\n", "\n", 2, "the record on line 2"),
        (Lines, "{}\r\n", "", 2, "the record on line 2"),
        (Array, "[{},", "]", 1, "array item 1"),
        (Value, "{}\n", "", 2, "the record on line 2"),
    ] {
        for pieces in [1, 5] {
            let cut = |value: &str| {
                let text = format!("{front}{value}{back}");
                let ends: Vec<usize> = (1..=pieces).map(|piece| text.len() * piece / pieces).collect();
                cut_in_pieces(layout, text.as_bytes(), &ends)
            };
            let whole = cut(&longest);
            assert_eq!((whole.records.len(), &whole.refusal), (2, &None), "{layout:?}");
            assert_eq!(whole.records[1].2, number);
            let whole = cut(&longer);
            assert_eq!(whole.records.len(), 1);
            let refusal = whole.refusal.unwrap();
            assert_eq!(refusal.code, "record_too_long");
            assert_eq!(refusal.message, format!("{named} is longer than 1048576 bytes"));
        }
    }
    let endless = " ".repeat(3 * RECORD_BYTES_MAX);
    assert_eq!(cut_in_pieces(Value, endless.as_bytes(), &[endless.len()]).refusal, None);
    let refusal = cut_in_pieces(Lines, endless.as_bytes(), &[endless.len()]).refusal;
    assert_eq!(refusal.unwrap().code, "record_too_long");
}

#[test]
fn small_buffers_do_not_cost_the_square() {
    let text = format!("[{{\"a\":\"{}\"}}]", "\\\"x".repeat(RECORD_BYTES_MAX / 3 - 10));
    for layout in [Lines, Array, Value] {
        let ends: Vec<usize> = (1..=text.len()).step_by(7).chain([text.len()]).collect();
        let started = std::time::Instant::now();
        assert_eq!(cut_in_pieces(layout, text.as_bytes(), &ends).records.len(), 1);
        // Quadratic, this is 150,000 scans of up to a megabyte: minutes.
        assert!(started.elapsed().as_secs() < 20, "{layout:?}");
    }
}

/// Texts made of what matters to a cutter.
fn pieces_of_json() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"", "\\", "\n", "\r", "\r\n", " ", "a", "é"]),
        3 => prop::sample::select(vec!["{\"a\":1}", "[1,2]", "\"x\\\"\"", "{\"a\":\"}\"},", "{},", "\"\\\\\","]),
        1 => Just("\"a string that is longer than sixteen bytes \\\\ [\""),
    ];
    let opening = prop::sample::select(vec!["[", "", "[{}", " \n["]);
    (opening, prop::collection::vec(piece, 0..40))
        .prop_map(|(opening, pieces)| (opening.to_owned() + &pieces.concat()).into_bytes())
}

proptest! {
    #[test]
    fn where_buffers_end_does_not_matter(
        bytes in pieces_of_json(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        layout in prop::sample::select(vec![Lines, Array, Value]),
    ) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let whole = cut_in_pieces(layout, &bytes, &[bytes.len()]);
        prop_assert_eq!(&cut_in_pieces(layout, &bytes, &ends), &whole);
        let every: Vec<usize> = (0..=bytes.len()).collect();
        prop_assert_eq!(&cut_in_pieces(layout, &bytes, &every), &whole);
    }

    #[test]
    fn lines_are_what_a_plain_split_gives(text in "[a{ \r\n]{0,40}") {
        let unified = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<&str> = unified.split_terminator('\n').collect();
        let expected: Vec<_> = lines.iter().zip(1u64..).filter(|(line, _)| !line.trim().is_empty())
            .map(|(line, number)| (line.as_bytes().to_vec(), number)).collect();
        let whole = cut_in_pieces(Lines, text.as_bytes(), &[text.len()]);
        let found: Vec<_> = whole.records.into_iter().map(|(_, text, line)| (text, line)).collect();
        prop_assert_eq!(whole.blank_lines as usize, lines.len() - expected.len());
        prop_assert_eq!(found, expected);
        prop_assert_eq!(whole.lines as usize, lines.len());
    }
}
