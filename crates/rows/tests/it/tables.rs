//! Tables through a whole check: what is told of rows that cannot be read, with a rejects file and without.

use std::io::Cursor;

use rows::check::{Options, check};
use rows::fold::ListedReject;
use rows::source::MemoryScratch;

use crate::support::contract;

/// The rows that are listed when `bytes` are checked with a rejects file, or without one.
fn listed(bytes: &[u8], name: &str, with_file: bool) -> Vec<ListedReject> {
    let contract = contract(&format!(
        "name = \"x\"\nkind = \"trades\"\n[columns]\nsymbol = {{ from = \"{name}\" }}\nprice = {{ const = \"1\" }}\n\
         volume = {{ const = \"1\" }}\ntimestamp = {{ const = \"2026-01-31T14:30:00Z\" }}\n"
    ));
    let rejects = with_file.then(|| Box::new(std::io::sink()) as Box<dyn std::io::Write + Send>);
    let options = Options { contract: Some(&contract), rejects, ..Options::default() };
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let checked = check(input, options, &mut || Ok(Box::new(MemoryScratch::default()))).unwrap();
    assert_eq!(checked.report.error, None);
    checked.report.rejects
}

#[test]
fn a_value_that_cannot_be_read_is_shown() {
    let mut bytes = include_bytes!("../../src/table/tests/fixtures/coloured-plain.arrow").to_vec();
    for (text, bad) in [(b"name-1", b"na\0e-1"), (b"name-2", b"name\xff2")] {
        let place = bytes.windows(text.len()).position(|window| window == text).unwrap();
        bytes[place..place + bad.len()].copy_from_slice(bad);
    }
    let without = listed(&bytes, "name", false);
    let told = |reason: &str| {
        let reject = without.iter().find(|reject| reject.reasons == [reason]);
        reject.map(|reject| reject.value.as_str())
    };
    assert_eq!((told("nul_byte"), told("invalid_utf8")), (Some("na\\u{0}e-1"), Some("name\u{fffd}2")), "{without:?}");
    assert_eq!(listed(&bytes, "name", true), without);
}
