//! A rejects file is the sender's own form again: sent as it is, the same rows are refused for the same reasons; put
//! right, they are good.

use rows::contract::Contract;
use rows::report::Report;
use rows::text::Encoding;

use crate::support::{Told, Way, contract, told};

fn check(bytes: &[u8], contract: Option<&Contract>) -> Told {
    let told = told(bytes, Way { contract, ..Way::default() });
    assert_eq!(told.report.error, None, "{}", String::from_utf8_lossy(bytes));
    told
}

fn reasons(report: &Report) -> Vec<Vec<String>> {
    report.rejects.iter().map(|reject| reject.reasons.clone()).collect()
}

/// The rejects file with every line number replaced, which is what may differ.
fn without_lines(told: &Told, encoding: Encoding) -> String {
    let mut text = decoded(&told.rejects, encoding);
    let mut cut = text.len();
    for reject in told.report.rejects.iter().rev() {
        let marks = [
            format!(",{},{}", reject.line, reject.reasons[0]),
            format!(";{};{}", reject.line, reject.reasons[0]),
            format!("\"line\":{},", reject.line),
            format!(",{},[\"{}", reject.line, reject.reasons[0]),
        ];
        let found = marks.iter().filter_map(|mark| Some((text[..cut].rfind(mark.as_str())?, mark.as_str()))).max();
        // A record that is torn at the end has no report on it.
        let Some((start, mark)) = found else { continue };
        text.replace_range(start..start + mark.len(), &mark.replace(|digit: char| digit.is_ascii_digit(), ""));
        cut = start;
    }
    text
}

fn decoded(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Utf16Le => {
            let (units, _) = bytes.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            String::from_utf16(&units).unwrap()
        }
        Encoding::Latin1 => bytes.iter().copied().map(char::from).collect(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn encoded(text: &str, encoding: Encoding) -> Vec<u8> {
    let mut bytes = encoding.mark().to_vec();
    encoding.encode(text.as_bytes(), &mut bytes);
    bytes
}

/// Sends the rejects of `bytes` twice as they are, then with `fixes` made to their text.
#[track_caller]
fn round_trip(bytes: &[u8], contract: Option<&Contract>, encoding: Encoding, fixes: &[(&str, &str)]) {
    let first = check(bytes, contract);
    let refused = first.report.rejected;
    assert!(refused > 1 && first.report.good > 0, "{:?}", first.report);
    let second = check(&first.rejects, contract);
    assert_eq!(reasons(&second.report), reasons(&first.report), "{}", decoded(&first.rejects, encoding));
    assert_eq!((second.report.good, second.report.rejected), (0, refused));
    assert_eq!(without_lines(&second, encoding), without_lines(&first, encoding));
    let third = check(&second.rejects, contract);
    assert_eq!(third.rejects, second.rejects, "from now on the lines are the same, too");

    let mut text = decoded(&second.rejects, encoding).trim_start_matches('\u{feff}').to_owned();
    for (wrong, right) in fixes {
        assert!(text.contains(wrong), "{wrong:?} is not in {text}");
        text = text.replace(wrong, right);
    }
    let fixed = check(&encoded(&text, encoding), contract);
    assert_eq!((fixed.report.good, fixed.report.rejected), (refused, 0), "{text}\n{:?}", fixed.report.rejects);
}

const GOOD: &str = "A,1,2,2026-01-31T14:30:00Z\n";

/// Rows wrong in every way that leaves a line a line.
const BAD: &str = "B,one,2,2026-01-31T14:30:00Z\n\
    C,1,2\n\
    D,1,2,2026-01-31T14:30:00Z,more\n\
    E,1,2,2026-01-31T14:30:00Z,much,much,more\n\
    \"F, \"\"quoted\"\"\",-1,-2,yesterday\n\
    \"G\"g,1,2,2026-01-31T14:30:00Z\n\
    H\n\
    \"two\nlines\",1,,2026-01-31T14:30:00Z\n";

const FIXES: [(&str, &str); 8] = [
    ("one", "1"),
    ("C,1,2,", "C,1,2,2026-01-31T14:30:00Z,"),
    (",more", ""),
    (",much,much", ""),
    ("-1,-2,yesterday", "1,2,2026-01-31T14:30:00Z"),
    ("\"G\"g", "Gg"),
    ("\nH,", "\nH,1,2,2026-01-31T14:30:00Z,"),
    ("lines\",1,,", "lines\",1,2,"),
];

#[test]
fn csv_with_a_header() {
    let csv = format!("symbol,price,volume,timestamp\n{GOOD}{BAD}{GOOD}");
    round_trip(csv.as_bytes(), None, Encoding::Utf8, &FIXES);
    round_trip(
        csv.replace('\n', "\r\n").as_bytes(),
        None,
        Encoding::Utf8,
        &[
            ("one", "1"),
            ("C,1,2,", "C,1,2,2026-01-31T14:30:00Z,"),
            (",more", ""),
            (",much,much", ""),
            ("-1,-2,yesterday", "1,2,2026-01-31T14:30:00Z"),
            ("\"G\"g", "Gg"),
            ("\nH,", "\nH,1,2,2026-01-31T14:30:00Z,"),
            ("lines\",1,,", "lines\",1,2,"),
        ],
    );
}

const HEADERLESS: &str = "name = \"x\"\nextends = \"trades\"\n[format]\nheader = false\nfields = 4\n[columns]\n\
    symbol = { from = 0 }\nprice = { from = 1 }\nvolume = { from = 2 }\ntimestamp = { from = 3 }\n\
    sequence = { const = \"1\" }\ntrade_id = { const = \"1\" }\n";

#[test]
fn csv_without_a_header() {
    let text = format!("{GOOD}{BAD}{GOOD}");
    round_trip(text.as_bytes(), Some(&contract(HEADERLESS)), Encoding::Utf8, &FIXES);
    // Whichever row comes first: by it the file is known.
    let rows = ["C,1,2\n", "D,1,2,2026-01-31T14:30:00Z,more\n", "H\n", "\"G\"g,1,2,2026-01-31T14:30:00Z\n"];
    for first in rows {
        let bytes = format!("{GOOD}{first}B,one,2,2026-01-31T14:30:00Z\n");
        let first = check(bytes.as_bytes(), Some(&contract(HEADERLESS)));
        let second = check(&first.rejects, Some(&contract(HEADERLESS)));
        assert_eq!(reasons(&second.report), reasons(&first.report), "{}", String::from_utf8_lossy(&first.rejects));
    }
}

#[test]
fn what_stands_before_the_rows_comes_back_too() {
    let skipping = contract("name = \"x\"\nextends = \"trades\"\n[format]\nskip_records = 2\n");
    let csv = format!("\"made\nby\",hand\n\nyesterday\nsymbol,price,volume,timestamp\n{GOOD}{BAD}");
    round_trip(csv.as_bytes(), Some(&skipping), Encoding::Utf8, &FIXES);
    let both = contract(&HEADERLESS.replace("header = false", "header = false\nskip_records = 1"));
    round_trip(format!("preamble\n{GOOD}{BAD}").as_bytes(), Some(&both), Encoding::Utf8, &FIXES);
}

#[test]
fn other_delimiters_quotes_and_encodings() {
    let semicolons = |text: &str| text.replace(',', ";");
    let csv = format!("symbol,price,volume,timestamp\n{GOOD}{BAD}");
    let fixes: Vec<(String, String)> =
        FIXES.iter().map(|(wrong, right)| (semicolons(wrong), semicolons(right))).collect();
    let fixes: Vec<(&str, &str)> = fixes.iter().map(|(wrong, right)| (wrong.as_str(), right.as_str())).collect();
    round_trip(semicolons(&csv).as_bytes(), None, Encoding::Utf8, &fixes);

    let unquoted = contract("name = \"x\"\nextends = \"trades\"\n[format]\ndelimiter = \";\"\nquote = \"\"\n");
    let bad = "B;one;2;2026-01-31T14:30:00Z\nC\n\"D;1;2;2026-01-31T14:30:00Z;more\n";
    let csv = format!("symbol;price;volume;timestamp\n{}{bad}", semicolons(GOOD));
    let fixes = [("one", "1"), ("\nC;", "\nC;1;2;2026-01-31T14:30:00Z;"), (";more", "")];
    round_trip(csv.as_bytes(), Some(&unquoted), Encoding::Utf8, &fixes);

    let latin = contract("name = \"x\"\nextends = \"trades\"\n[format]\nencoding = \"latin-1\"\n");
    let csv = format!("symbol,price,volume,timestamp\n{GOOD}{BAD}Zürich,x,1,2026-01-31T14:30:00Z\n");
    let fixes: Vec<(&str, &str)> = FIXES.into_iter().chain([("Zürich,x", "Zürich,1")]).collect();
    round_trip(&encoded(&csv, Encoding::Latin1), Some(&latin), Encoding::Latin1, &fixes);
    round_trip(&encoded(&csv, Encoding::Utf16Le), None, Encoding::Utf16Le, &fixes);
    let text = format!("{GOOD}{BAD}");
    round_trip(&encoded(&text, Encoding::Utf16Le), Some(&contract(HEADERLESS)), Encoding::Utf16Le, &FIXES);
}

/// What could not be read, or cannot be written, is not taken for something else when it comes back.
#[test]
fn what_is_malformed_is_refused_again() {
    let with = |encoding: &str, row: &[u8]| {
        let contract = contract(&format!("name = \"x\"\nextends = \"trades\"\n[format]\nencoding = \"{encoding}\"\n"));
        let encoding = Encoding::named(encoding).unwrap();
        let file = [&encoded(&format!("symbol,price,volume,timestamp\n{GOOD}"), encoding), row].concat();
        let first = check(&file, Some(&contract));
        let second = check(&first.rejects, Some(&contract));
        assert_eq!((second.report.good, second.report.rejected), (0, 1), "{:?}", first.report);
        assert_eq!(check(&second.rejects, Some(&contract)).rejects, second.rejects);
        [reasons(&first.report), reasons(&second.report)].concat().concat()
    };
    let utf16 = |before: &str, unit: u16, after: &str| {
        let units: Vec<u16> = before.encode_utf16().chain([unit]).chain(after.encode_utf16()).collect();
        units.into_iter().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let refused = ["invalid_utf8", "invalid_utf8"];
    assert_eq!(with("shift_jis", b"\x93\xfa\x81,1,2,2026-01-31T14:30:00Z\n"), refused);
    assert_eq!(with("shift_jis", b"A,1,2,2026-01-31T14:30:00Z\x81\n"), refused);
    assert_eq!(with("euc-kr", b"A\xff\xff,1,2,2026-01-31T14:30:00Z\n"), refused);
    assert_eq!(with("utf-16", &utf16("A", 0xd800, ",1,2,2026-01-31T14:30:00Z\n")), refused);
    // The last half of a character is missing.
    let cut = utf16("A,1,2,2026-01-31T14:30:00Z", 0, "");
    assert_eq!(with("utf-16", &cut[..cut.len() - 1]), refused);
    // A character of Hong Kong, which is read as Big5 and never written.
    let again = with("big5", b"A\x87\x40,one,2,2026-01-31T14:30:00Z\n");
    assert_eq!(again, ["invalid_price", "invalid_utf8"]);
    let json = b"{\"symbol\":\"\x93\xfa\x81\",\"price\":1,\"volume\":2,\"timestamp\":\"2026-01-31T14:30:00Z\"}\n";
    let contract = contract("name = \"x\"\nextends = \"trades\"\n[format]\nencoding = \"shift_jis\"\n");
    let first = check(json, Some(&contract));
    assert_eq!(reasons(&check(&first.rejects, Some(&contract)).report), [["invalid_utf8"]]);
}

#[test]
fn a_quote_that_is_never_closed_comes_last_and_swallows_nothing() {
    let csv = format!(
        "symbol,price,volume,timestamp\n{GOOD}B,one,2,2026-01-31T14:30:00Z\nC,1,2,\"2026-01-31T14:30:00Z\n{GOOD}"
    );
    let fixes = [("one", "1"), ("\"2026-01-31T14:30:00Z\n", "2026-01-31T14:30:00Z\n")];
    let first = check(csv.as_bytes(), None);
    let second = check(&first.rejects, None);
    assert_eq!(reasons(&second.report), reasons(&first.report));
    assert_eq!(reasons(&first.report), [["invalid_price"], ["unterminated_quote"]]);
    let third = check(&second.rejects, None);
    assert_eq!(third.rejects, second.rejects);
    let mut text = String::from_utf8(second.rejects).unwrap();
    for (wrong, right) in fixes {
        text = text.replace(wrong, right);
    }
    let fixed = check(text.as_bytes(), None);
    assert_eq!((fixed.report.good, fixed.report.rejected), (3, 0), "{text}");
}

const RECORDS: [&str; 9] = [
    r#"{"symbol":"A","price":1,"volume":2,"timestamp":"2026-01-31T14:30:00Z"}"#,
    r#"{"symbol":"B","price":"one","volume":2,"timestamp":"2026-01-31T14:30:00Z"}"#,
    r#"{"symbol":"C","price":1,"volume":2,"timestamp":"2026-01-31T14:30:00Z","price":1}"#,
    r#"{"symbol":"D","price":tru,"volume":2,"timestamp":"2026-01-31T14:30:00Z"}"#,
    r#"{ "symbol" : "E\u0000" , "price" : 1 , "volume" : 2 , "timestamp" : "2026-01-31T14:30:00Z" }"#,
    r#"42"#,
    r#"{}"#,
    r#"["A"]"#,
    r#"{"symbol":"F","price":1,"volume":-2,"timestamp":"2026-01-31"}"#,
];

const RECORD: &str = r#"{"symbol":"Z","price":1,"volume":2,"timestamp":"2026-01-31T14:30:00Z""#;

#[test]
fn ndjson() {
    let fixes = [
        ("\"one\"", "1"),
        (",\"price\":1,\"line\"", ",\"line\""),
        ("tru,", "1,"),
        ("\\u0000\"", "\""),
        ("{\"record\":\"42\"", RECORD),
        ("\n{\"line\"", &format!("\n{RECORD},\"line\"")),
        ("[\"A\",", "[\"A\",1,2,"),
        ("-2,\"timestamp\":\"2026-01-31\"", "2,\"timestamp\":\"2026-01-31T14:30:00Z\""),
    ];
    // Arrays are told by position, objects by name: one contract reads only one of them.
    let fixes: Vec<(&str, &str)> = fixes.into_iter().filter(|(wrong, _)| *wrong != "[\"A\",").collect();
    let records: Vec<&str> = RECORDS.into_iter().filter(|record| !record.starts_with('[')).collect();
    let more = "hello\n{\"symbol\":\"G\"\n";
    let lines = format!("{}\n{more}", records.join("\n"));
    let fixes_of_more = [("{\"record\":\"hello\"", RECORD), ("{\"record\":\"{\\\"symbol\\\":\\\"G\\\"\"", RECORD)];
    let all: Vec<(&str, &str)> = fixes.iter().copied().chain(fixes_of_more).collect();
    round_trip(lines.as_bytes(), None, Encoding::Utf8, &all);

    let array = format!("[\n{}\n]\n", records.join(",\n"));
    round_trip(array.as_bytes(), None, Encoding::Utf8, &fixes);

    // In whatever it was written.
    let other = r#"{"symbol":"Zürich","price":"two","volume":2,"timestamp":"2026-01-31T14:30:00Z"}"#;
    let lines = format!("{lines}{other}\n");
    let all: Vec<(&str, &str)> =
        all.into_iter().chain([("\"Zürich\",\"price\":\"two\"", "\"Zürich\",\"price\":2")]).collect();
    round_trip(&encoded(&lines, Encoding::Utf16Le), None, Encoding::Utf16Le, &all);
    round_trip(&encoded(&array, Encoding::Utf16Le), None, Encoding::Utf16Le, &fixes);
    let latin = contract("name = \"x\"\nextends = \"trades\"\n[format]\nencoding = \"latin-1\"\n");
    round_trip(&encoded(&lines, Encoding::Latin1), Some(&latin), Encoding::Latin1, &all);
}

/// Such a record is not read far enough to be found to be no JSON.
#[test]
fn bytes_before_the_bracket_do_not_begin_the_rejects_file() {
    let trades = rows::contract::builtin("trades");
    let text = [RECORDS[0].as_bytes(), b"\n\xff\0 ", RECORDS[1].as_bytes(), b"\n\xff", RECORDS[8].as_bytes()].concat();
    let first = check(&text, trades);
    assert_eq!(reasons(&first.report), [vec!["invalid_utf8", "nul_byte"], vec!["invalid_utf8"]]);
    let second = check(&first.rejects, trades);
    assert_eq!((second.report.format, reasons(&second.report)), ("ndjson", reasons(&first.report)));
    assert_eq!(check(&second.rejects, trades).rejects, second.rejects);
}

/// Brackets that do not belong together close a record as well as others, for who does not read it.
#[test]
fn a_record_that_was_not_read_does_not_mislead_who_reads_the_rejects_file() {
    let trades = rows::contract::builtin("trades");
    for bad in [&b"[\"\xff\" e-2}"[..], b"{\"a\":\"\xff\"]", b"[[\"\xff\"],2]", b"[[1],2]", b"[\"\xff\"]"] {
        let text = [RECORDS[0].as_bytes(), b"\n", bad, b"\n", RECORDS[1].as_bytes()].concat();
        let first = check(&text, trades);
        let second = check(&first.rejects, trades);
        assert_eq!(reasons(&second.report), reasons(&first.report), "{}", String::from_utf8_lossy(&first.rejects));
        assert_eq!(check(&second.rejects, trades).rejects, second.rejects);
    }
}

#[test]
fn json_rows_that_are_arrays() {
    let positions = contract(&HEADERLESS.replace("header = false\nfields = 4\n", "type = \"json\"\n"));
    let rows =
        ["[\"A\",1,2,\"2026-01-31T14:30:00Z\"]", "[\"B\",\"one\",2,\"2026-01-31T14:30:00Z\"]", "[]", "[\"C\",1,2]"];
    let fixes = [
        ("\"one\"", "1"),
        ("\n[3,", "\n[\"Z\",1,2,\"2026-01-31T14:30:00Z\",3,"),
        ("\"C\",1,2,", "\"C\",1,2,\"2026-01-31T14:30:00Z\","),
    ];
    let lines = format!("{}\n", rows.join("\n"));
    let first = check(lines.as_bytes(), Some(&positions));
    assert_eq!(first.report.rejected, 3, "{:?}", first.report);
    let second = check(&first.rejects, Some(&positions));
    assert_eq!(second.report.rejected, 3);
    let third = check(&second.rejects, Some(&positions));
    assert_eq!(third.rejects, second.rejects);
    let mut text = String::from_utf8(third.rejects).unwrap();
    text.insert(0, '\n');
    for (wrong, right) in [fixes[0], ("\n[2,", "\n[\"Z\",1,2,\"2026-01-31T14:30:00Z\",2,"), fixes[2]] {
        text = text.replace(wrong, right);
    }
    let fixed = check(text.as_bytes(), Some(&positions));
    assert_eq!((fixed.report.good, fixed.report.rejected), (3, 0), "{text}");
}

#[test]
fn values_over_many_lines_come_back_on_one() {
    let value = |symbol: &str, price: &str| {
        let rest = "\"volume\": 2,\n  \"timestamp\": \"2026-01-31T14:30:00Z\"";
        format!("{{\n  \"symbol\": \"{symbol}\",\n  \"price\": {price},\n  {rest}\n}}\n")
    };
    let text = [value("A", "1"), value("B", "-1"), value("C", "\"x\""), value("D", "nul")].concat();
    round_trip(text.as_bytes(), None, Encoding::Utf8, &[("-1", "1"), ("\"x\"", "1"), ("nul", "null"), ("null", "1")]);
}

#[test]
fn of_a_message_only_the_refused_rows_come_back() {
    let feed = rows::contract::builtin("bitmex-websocket");
    let row = |id: u32, price: &str| {
        let rest = "\"symbol\":\"A\",\"size\":2,\"timestamp\":\"2026-01-31T14:30:00Z\"";
        format!("{{\"trdMatchID\":\"{id}\",\"price\":{price},{rest}}}")
    };
    let message = |rows: &[String]| format!("1626993000.5: {{\"table\":\"trade\",\"data\":[{}]}}\n", rows.join(" , "));
    let mixed = message(&[row(1, "1"), row(2, "-1"), row(3, "7"), "5".into(), row(4, "\"x\"")]);
    let text = [mixed, message(&[row(5, "1")]), message(&[row(6, "0")]), message(&[row(7, "0"), row(8, "0")])].concat();
    let first = check(text.as_bytes(), feed);
    assert_eq!((first.report.good, first.report.rejected), (3, 6));
    assert_eq!(first.rejects.iter().filter(|byte| **byte == b'\n').count(), 3, "one line for each message");
    let second = check(&first.rejects, feed);
    assert_eq!((second.report.good, second.report.rejected), (0, 6));
    assert_eq!(reasons(&second.report), reasons(&first.report));
    assert_eq!(check(&second.rejects, feed).rejects, second.rejects);
    let mut fixed = String::from_utf8(second.rejects).unwrap();
    for (wrong, right) in
        [("\"price\":-1", "\"price\":1"), ("\"price\":0", "\"price\":1"), ("\"x\"", "1"), (",5,", ",")]
    {
        fixed = fixed.replace(wrong, right);
    }
    let fixed = check(fixed.as_bytes(), feed);
    assert_eq!((fixed.report.good, fixed.report.rejected), (5, 0), "{:?}", fixed.report.rejects);
}
