//! The reader: what it reads and refuses, and that it agrees with serde_json.

use proptest::prelude::*;

use super::*;
use crate::json::Path;
use crate::limits::JSON_DEPTH_MAX;

#[path = "oracle.rs"]
mod oracle;

fn reader(paths: &[&str]) -> Reader {
    Reader::new(Paths::new(&paths.iter().map(|path| Path::parse(path)).collect::<Vec<_>>()))
}

fn values(reader: &mut Reader, record: &[u8]) -> Result<Vec<Vec<u8>>, JsonFault> {
    let mut cells = Cells::default();
    reader.read(record, &mut cells)?;
    assert_eq!(cells.len(), reader.slots);
    Ok((0..cells.len()).map(|slot| cells.get(slot, record).to_vec()).collect())
}

/// Reads `record` as the first one and as one like the one before.
fn check(paths: &[&str], record: &str, expected: &[&str]) {
    let mut reader = reader(paths);
    for _ in 0..2 {
        let found = values(&mut reader, record.as_bytes()).unwrap();
        let found: Vec<_> = found.iter().map(|value| std::str::from_utf8(value).unwrap()).collect();
        assert_eq!(found, expected, "{record}");
    }
}

fn check_fault(record: &str, fault: JsonFault) {
    assert_eq!(values(&mut reader(&["a"]), record.as_bytes()), Err(fault), "{record}");
}

#[test]
fn values_keep_their_text() {
    let record = concat!(
        r#" {"a":-1.50e+05, "b":"x\ty\u00e9\ud83d\ude00","c":true,"#,
        r#""d":null,"e":{ "f" : [1, {}] },"g":"","h":"\u0000"} "#
    );
    check(
        &["a", "b", "c", "d", "e", "g", "h", "missing", "a"],
        record,
        &["-1.50e+05", "x\tyé😀", "true", "", "{ \"f\" : [1, {}] }", "", "\0", "", "-1.50e+05"],
    );
    check(&["b"], r#"{"\u0062":"\"","c":"\\"}"#, &["\""]);
    check(&["a"], "{}", &[""]);
    check(&["é"], "{\"é\":false}", &["false"]);
}

#[test]
fn paths_go_into_objects_and_arrays() {
    let record = r#"{"data":{"price_str":"1.5","id":7},"message":[{"price":1},{"price":2}],"m":{"0":"zero"}}"#;
    let paths = ["data.price_str", "$.data.id", "message.1.price", "message.0", "m.0", "message.01", "data", "id.data"];
    check(&paths, record, &["1.5", "7", "2", "{\"price\":1}", "zero", "", "{\"price_str\":\"1.5\",\"id\":7}", ""]);
    check(
        &["0", "4", "1.0", "$.2", "9"],
        "[1609459200, [\"1.0\"], null, 3, \"\\n\"]",
        &["1609459200", "\n", "1.0", "", ""],
    );
}

#[test]
fn a_key_with_dots_wins_over_the_path() {
    check(&["a.b"], r#"{"a":{"b":1},"a.b":2}"#, &["2"]);
    check(&["a.b"], r#"{"a.b":"\u0032","a":{"b":1}}"#, &["2"]);
    check(&["a.b"], r#"{"a.b":null,"a":{"b":1}}"#, &[""]);
    check(&["a.b"], r#"{"a":{"b":1}}"#, &["1"]);
    check(&["x.a.b"], r#"{"x":{"a.b":1}}"#, &[""]);
}

#[test]
fn faults_are_told_apart() {
    let invalid = |offset| JsonFault::Invalid { offset };
    for (record, offset) in [
        ("", 0),
        ("{", 1),
        ("{\"a\"", 4),
        ("{\"a\":", 5),
        ("{\"a\":1", 6),
        ("{\"a\":1,}", 7),
        ("{\"a\":1}}", 7),
        ("{\"a\":1} x", 8),
        ("{a:1}", 1),
        ("{\"a\":01}", 6),
        ("{\"a\":1.}", 7),
        ("{\"a\":NaN}", 5),
        ("{\"a\":-Infinity}", 6),
        ("{\"a\":'1'}", 5),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("[1}", 2),
        ("{\"a\":\"\t\"}", 6),
        ("{\"a\":\"\\x\"}", 6),
        ("{\"a\":\"\\ud800\"}", 6),
        ("{\"b\":\"\\udc00\"}", 6),
        ("// x", 0),
        ("5 5", 2),
        ("{\"a\":\u{a0}1}", 5),
    ] {
        check_fault(record, invalid(offset));
    }
    for record in ["5", " \"x\" ", "null", "true"] {
        check_fault(record, JsonFault::NotARecord);
    }
    let duplicate = |key: &str, offset| JsonFault::DuplicateKey { key: key.into(), offset };
    check_fault(r#"{"a":1,"b":2,"a":3}"#, duplicate("a", 13));
    check_fault(r#"{"x":1,"\u0078":3}"#, duplicate("x", 7));
    check_fault(r#"{"z":[{"x":{},"y":1,"x":{}}]}"#, duplicate("x", 20));
    check(&["a"], r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#, &["{\"a\":{\"a\":1}}"]);
}

#[test]
fn many_keys_are_compared_in_little_time() {
    let object = |count: usize, more: &str| {
        let fields: Vec<String> = (0..count).map(|number| format!("\"{number:x}\":1")).collect();
        format!("{{{}{more}}}", fields.join(","))
    };
    for count in [15, 16, 17, 18, 100_000] {
        check(&["7"], &object(count, ""), &["1"]);
        let found = values(&mut reader(&[]), object(count, ",\"\\u0037\":2").as_bytes());
        assert!(matches!(found, Err(JsonFault::DuplicateKey { key, .. }) if key == "7"), "{count}");
        let found = values(&mut reader(&["z"]), object(count, ",\"z\":{\"k\":0,\"k\":0}").as_bytes());
        assert!(matches!(found, Err(JsonFault::DuplicateKey { key, .. }) if key == "k"), "{count}");
    }
}

#[test]
fn nesting_has_a_limit_and_does_not_overflow_the_stack() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    check(&["0.0"], &nested(JSON_DEPTH_MAX), &[&nested(JSON_DEPTH_MAX - 2)]);
    check_fault(&nested(JSON_DEPTH_MAX + 1), JsonFault::TooDeep);
    check(&["a"], &format!("{{\"b\":{}}}", nested(JSON_DEPTH_MAX - 1)), &[""]);
    check_fault(&format!("{{\"b\":{}}}", nested(JSON_DEPTH_MAX)), JsonFault::TooDeep);
    check_fault(&"[".repeat(RECORD_BYTES_MAX), JsonFault::TooDeep);
    check_fault(&"{\"a\":".repeat(RECORD_BYTES_MAX / 5), JsonFault::TooDeep);
    check_fault(&"[".repeat(RECORD_BYTES_MAX + 1), JsonFault::Invalid { offset: RECORD_BYTES_MAX });
}

#[test]
fn a_record_is_read_the_same_whatever_came_before() {
    let records = [
        r#"{"a":1,"b":"x"}"#,
        r#"{"a":2,"b":"y"}"#,
        r#"{"a":"q","b":null}"#,
        r#"{"a":[1],"b":"\n"}"#,
        r#"{"a":1,"b":"x"} "#,
        r#"{"a":1,"b":"x"}}"#,
        r#"{"a":1,"b":"x""#,
        r#"{"a":1}"#,
        r#"{"a":01,"b":"x"}"#,
        r#"{"b":1,"a":2}"#,
        r#"{"a" : 1,"b":2}"#,
        "{}",
        "{ }",
        "[1,2]",
        r#"{"a":1,"a":2}"#,
        r#"{"a":{"c":1,"c":2},"b":3}"#,
        r#"{"a.c":5,"a":{"c":1}}"#,
        "7",
        "",
        r#"{"a.c":null,"a":{"c":1}}"#,
    ];
    let paths = ["a", "b", "a.c", "0", "b"];
    for first in records {
        for second in records {
            let mut used = reader(&paths);
            let _ = values(&mut used, first.as_bytes());
            let fresh = values(&mut reader(&paths), second.as_bytes());
            assert_eq!(values(&mut used, second.as_bytes()), fresh, "{first} then {second}");
        }
    }
}

#[test]
fn keys_are_listed_in_order() {
    assert_eq!(Reader::keys(br#" {"b":{"x":[1,2]},"a\n":"}" , "c":null} "#).unwrap(), ["b", "a\n", "c"]);
    assert_eq!(Reader::keys(b"[1, [2], {\"a\":3}]").unwrap(), ["0", "1", "2"]);
    assert!(Reader::keys(b"{}").unwrap().is_empty() && Reader::keys(b"[ ]").unwrap().is_empty());
    assert_eq!(Reader::keys(b"{\"a\":}"), Err(JsonFault::Invalid { offset: 5 }));
    assert_eq!(Reader::keys(b"1"), Err(JsonFault::NotARecord));
}

/// JSON values as text, white space and escapes included; now and then a key comes twice.
fn json_text() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,6})?([eE][+-]?[0-9]{1,3})?";
    let string = prop::collection::vec(
        prop_oneof![
            4 => "[a-c .é😀/]{1,4}",
            1 => prop::sample::select(vec!["\\n", "\\\"", "\\\\", "\\/", "\\u0061", "\\ud83d\\ude00", "\\u0000"])
                .prop_map(str::to_owned),
        ],
        0..6,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()));
    let key = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c", "d", "a.b", "0", "1", ""]).prop_map(|key| format!("\"{key}\"")),
        1 => Just("\"\\u0061\"".to_owned()),
        1 => "\"[a-z]{1,3}\"",
    ];
    let leaf = prop_oneof![
        2 => prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned),
        4 => number,
        4 => string,
    ];
    let space = || prop::sample::select(vec!["", "", "", " ", "\n", "\t\r "]);
    leaf.prop_recursive(5, 40, 8, move |inner| {
        prop_oneof![
            2 => (prop::collection::vec(inner.clone(), 0..5), space()).prop_map(|(items, space)| {
                format!("[{space}{}]", items.join(&format!("{space},{space}")))
            }),
            5 => (prop::collection::vec((key.clone(), inner), 0..6), space()).prop_map(|(fields, space)| {
                let fields = fields.iter().map(|(key, value)| format!("{key}{space}:{space}{value}{space}"));
                let fields: Vec<String> = fields.collect();
                format!("{{{space}{}}}", fields.join(","))
            }),
        ]
    })
}

const PATHS: [&str; 9] = ["a", "b", "a.b", "c.a.b", "0", "1", "1.a", "b.0", ""];

fn agree(record: &[u8]) -> Result<(), TestCaseError> {
    let expected = oracle::read(record, &PATHS);
    let mut reader = reader(&PATHS);
    let found = values(&mut reader, record);
    match (&found, &expected) {
        // Of several faults the reader tells the first, and it need not read on to a broken end.
        (Err(_), Err("invalid_json")) => {}
        (Err(fault), Err(code)) => prop_assert_eq!(&fault.code(), code),
        (Ok(found), Ok(expected)) => prop_assert_eq!(found, expected),
        _ => prop_assert!(false, "found {found:?}, expected {expected:?}"),
    }
    // Once more, along the plan that was just learned.
    prop_assert_eq!(values(&mut reader, record), found);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn agrees_with_serde_json(record in json_text()) {
        agree(record.as_bytes())?;
    }

    #[test]
    fn agrees_with_serde_json_on_what_is_broken(
        record in json_text(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3u8, prop_oneof![
            3 => prop::sample::select(b"{}[],:\"\\0-.eE+tfnu \n\x00\x1f\x7f".to_vec()), 1 => 0..0x80u8]), 1..4),
    ) {
        let mut record = record.into_bytes();
        for (index, change, byte) in changes {
            let at = index.index(record.len() + 1);
            match change {
                0 if at < record.len() => record[at] = byte,
                1 if at < record.len() => { record.remove(at); }
                _ => record.insert(at, byte),
            }
        }
        // What is no UTF-8 is found before: serde_json refuses it, the reader lets it through.
        if std::str::from_utf8(&record).is_ok() {
            agree(&record)?;
        } else {
            let _ = values(&mut reader(&PATHS), &record);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        first in json_text(),
        record in prop::collection::vec(any::<u8>(), 0..60),
        at in 0..60usize,
    ) {
        let mut reader = reader(&PATHS);
        let _ = values(&mut reader, first.as_bytes());
        let _ = values(&mut reader, &record);
        let mut first = first.into_bytes();
        let at = at.min(first.len());
        first.splice(at..at, record);
        let _ = values(&mut reader, &first);
        let _ = Reader::keys(&first);
    }
}
