//! The members of a zip are one file: written alike they are read as one, else they are refused.

use rows::text::Encoding;

use crate::support::{Told, Way, contract, told, zip};

const FIRST: &str = "symbol,price,volume,timestamp\nA,1,2,2026-01-31T14:30:00Z\nB,x,2,2026-01-31T14:30:00Z\n";

fn check(first: &[u8], second: &[u8]) -> Told {
    told(&zip(&[("a.csv", first), ("b.csv", second)]), Way::default())
}

#[track_caller]
fn refused(first: &[u8], second: &[u8], differ: &str) {
    let told = check(first, second);
    let (code, message, hint) = told.refusal();
    assert_eq!(
        (code, message),
        ("members_differ", &*format!("the members of the zip are not written alike: {differ}"))
    );
    assert!(hint.starts_with("send them as separate files"), "{hint}");
}

#[test]
fn members_written_alike_are_one_file() {
    // Another way to quote the same names, other line ends, a member without a row, one that is blank.
    let second = "\"symbol\",price,volume,\"timestamp\"\r\nC,3,y,2026-01-31T14:30:00Z\r\n";
    let third = "symbol,price,volume,timestamp\n";
    let members =
        [("a.csv", FIRST.as_bytes()), ("b.csv", second.as_bytes()), ("c.csv", third.as_bytes()), ("d", b"\n")];
    let first = told(&zip(&members), Way::default());
    assert_eq!(first.refusal(), ("none", "", ""));
    assert_eq!((first.report.good, first.report.rejected), (1, 2));
    let back = told(&first.rejects, Way::default());
    assert_eq!((back.report.good, back.report.rejected), (0, 2));
    assert_eq!(back.report.reasons, first.report.reasons);
    // A rejects file in it has the same columns, and three more.
    assert_eq!(check(FIRST.as_bytes(), &first.rejects).report.rejected, 3);
}

#[test]
fn members_written_differently_are_refused() {
    let moved = FIRST.replace("symbol,price", "price,symbol");
    refused(FIRST.as_bytes(), moved.as_bytes(), "`a.csv` has `symbol` as column 1, `b.csv` has `price` as column 1");
    let more = FIRST.replace("timestamp\n", "timestamp,note\n");
    refused(FIRST.as_bytes(), more.as_bytes(), "`a.csv` has 4 columns, `b.csv` has 5 columns");
    let semicolons = FIRST.replace(',', ";");
    let differ = "`a.csv` has the delimiter ',', `b.csv` has the delimiter ';'";
    refused(FIRST.as_bytes(), semicolons.as_bytes(), differ);
    let mut utf16 = Encoding::Utf16Le.mark().to_vec();
    Encoding::Utf16Le.encode(FIRST.as_bytes(), &mut utf16);
    refused(FIRST.as_bytes(), &utf16, "`a.csv` is utf-8, `b.csv` is utf-16le");
    let record = r#"{"symbol":"A","price":1,"volume":2,"timestamp":"2026-01-31T14:30:00Z"}"#;
    refused(FIRST.as_bytes(), record.as_bytes(), "`a.csv` is CSV, `b.csv` holds JSON records");
    let array = format!("[{record}]");
    refused(record.as_bytes(), array.as_bytes(), "`a.csv` holds JSON records, `b.csv` is a JSON array");
}

#[test]
fn a_refusal_names_the_member() {
    let told = check(b"hello\n", FIRST.as_bytes());
    let (code, message, _) = told.refusal();
    assert_eq!((code, message.starts_with("member `a.csv`: `trades` lacks ")), ("no_contract_fits", true), "{message}");
}

#[test]
fn members_without_a_header_have_as_many_fields() {
    let contract = contract(
        "name = \"x\"\nkind = \"trades\"\n[format]\nheader = false\n[columns]\nsymbol = { from = 0 }\nprice = { from = 1 }\n\
         volume = { from = 2 }\ntimestamp = { from = 3 }\n",
    );
    let row = "A,1,2,2026-01-31T14:30:00Z";
    let check = |second: &str| {
        let archive = zip(&[("a.csv", row.as_bytes()), ("b.csv", second.as_bytes())]);
        told(&archive, Way { contract: Some(&contract), ..Way::default() })
    };
    assert_eq!(check(row).report.good, 2);
    assert_eq!(check(&format!("{row},5")).refusal().0, "members_differ");
}
