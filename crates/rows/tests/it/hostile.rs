//! Files made to hurt end in a named reason or refusal with a hint, soon and in little memory.

use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;

use crate::support::{Told, Way, contract, told, told_of, zip};

const HEADER: &str = "symbol,price,volume,timestamp\n";
const GOOD: &str = "A,1,2,2026-01-31T14:30:00Z\n";

/// A debug build on a machine with other things to do is given so long.
const SECONDS_MAX: u64 = 10;

/// Checks that the file is refused as a whole, that the hint says what to do, and that it did not take long.
#[track_caller]
fn refused(bytes: &[u8], code: &str, hint: &str) -> Told {
    let start = Instant::now();
    let told = told(bytes, Way { threads: 2, ..Way::default() });
    assert!(start.elapsed() < Duration::from_secs(SECONDS_MAX), "{:?}", start.elapsed());
    let (found, message, found_hint) = told.refusal();
    assert_eq!(found, code, "{message}");
    assert!(found_hint.contains(hint), "{found_hint:?} does not say {hint:?}");
    assert!(told.bars.is_empty(), "nothing of a refused file counts");
    told
}

/// Checks that one row of the file is bad for `reason` and the others are good.
#[track_caller]
fn one_bad_row(bytes: &[u8], reason: &str) -> Told {
    let start = Instant::now();
    let told = told(bytes, Way { threads: 2, ..Way::default() });
    assert!(start.elapsed() < Duration::from_secs(SECONDS_MAX), "{:?}", start.elapsed());
    assert_eq!(told.refusal().0, "none", "{:?}", told.report.error);
    assert_eq!((told.report.rejected, told.report.good), (1, told.report.rows - 1));
    assert_eq!(told.report.rejects[0].reasons, [reason]);
    assert!(!told.report.rejects[0].hint.is_empty());
    assert!(told.report.rejects[0].value.chars().count() <= 81, "values are cut");
    told
}

#[test]
fn a_field_of_a_megabyte_is_one_bad_row() {
    let long = "x".repeat(1_000_000);
    one_bad_row(format!("{HEADER}{GOOD}{long},1,2,2026-01-31T14:30:00Z\n{GOOD}").as_bytes(), "field_too_long");
    one_bad_row(format!("{HEADER}{GOOD}\"{long}\",1,2,2026-01-31T14:30:00Z\n{GOOD}").as_bytes(), "field_too_long");
    let json = |symbol: &str| {
        format!("{{\"symbol\":\"{symbol}\",\"price\":1,\"volume\":2,\"timestamp\":\"2026-01-31T14:30:00Z\"}}\n")
    };
    one_bad_row(format!("{}{}{}", json("A"), json(&long), json("A")).as_bytes(), "field_too_long");
}

#[test]
fn a_hundred_thousand_columns_are_refused() {
    let wide = format!("{}\n", vec!["x"; 100_000].join(","));
    let told = refused(wide.as_bytes(), "too_many_columns", "delimiter");
    assert_eq!(told.refusal().1, "the first record has 100000 fields; 4096 are the most");
    one_bad_row(format!("{HEADER}{GOOD}{wide}{GOOD}").as_bytes(), "wrong_field_count");
}

/// A file that says how far it was read.
struct Watched<'a> {
    bytes: Cursor<Vec<u8>>,
    furthest: &'a std::sync::atomic::AtomicU64,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.bytes.read(into)?;
        self.furthest.fetch_max(self.bytes.position(), std::sync::atomic::Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[test]
fn a_line_of_64_megabytes_is_refused_before_it_is_read() {
    static FURTHEST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let mut bytes = format!("{HEADER}{GOOD}").into_bytes();
    bytes.resize(64 << 20, b'x');
    let input = Watched { bytes: Cursor::new(bytes.clone()), furthest: &FURTHEST };
    let told = told_of(Box::new(input), Way::default());
    let expected = "the record that starts on line 3 is longer than 1048576 bytes";
    assert_eq!((told.refusal().0, told.refusal().1), ("record_too_long", expected));
    assert_eq!((told.report.rows, told.report.good), (1, 1), "what came before is told");
    let furthest = FURTHEST.load(std::sync::atomic::Ordering::Relaxed);
    assert!(furthest < 8 << 20, "{furthest} bytes were read");

    refused(&bytes[HEADER.len() + GOOD.len()..], "record_too_long", "quote");
    let json = format!("{{\"symbol\":\"{}", "x".repeat(64 << 20));
    refused(json.as_bytes(), "record_too_long", "one record per line");
    refused(format!("[{json}").as_bytes(), "record_too_long", "array of smaller records");
}

#[test]
fn a_quote_left_open_at_the_start_of_a_large_file_is_refused() {
    let rows = GOOD.repeat(400_000);
    refused(format!("\"{HEADER}{rows}").as_bytes(), "record_too_long", "a quote that is never closed");
    refused(format!("{HEADER}\"{rows}").as_bytes(), "record_too_long", "a quote that is never closed");
    // In a small file there is no telling, and the rest of it is one row.
    let told = told(format!("{HEADER}{GOOD}{GOOD}\"{GOOD}A").as_bytes(), Way::default());
    assert_eq!((told.report.good, told.report.rejected), (2, 1));
    assert_eq!(told.report.rejects[0].reasons, ["unterminated_quote", "wrong_field_count"]);
}

#[test]
fn json_that_is_deep_is_a_bad_row() {
    let good = "{\"symbol\":\"A\",\"price\":1,\"volume\":2,\"timestamp\":\"2026-01-31T14:30:00Z\"}\n";
    for depth in [65, 1000, 500_000] {
        let deep = format!("{{\"symbol\":{}{}}}\n", "[".repeat(depth), "]".repeat(depth));
        one_bad_row(format!("{good}{deep}{good}").as_bytes(), "json_too_deep");
        let open = format!("{{\"symbol\":{}\n", "{\"a\":".repeat(depth / 5));
        one_bad_row(
            format!("{good}{open}{good}").as_bytes(),
            if depth / 5 > 64 { "json_too_deep" } else { "invalid_json" },
        );
    }
    refused("[".repeat(900_000).as_bytes(), "truncated_json", "send the whole file again");
}

/// Rows that shrink to nothing: long, so that they are quick to read.
fn inflated(megabytes: usize) -> Vec<u8> {
    let line = format!("{}\n", "x".repeat(999_999));
    format!("{HEADER}{}", line.repeat(megabytes)).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bombs_are_refused() {
    let content = inflated(100);
    let hint = "pack";
    refused(&gzip(&content), "decompression_bomb", hint);
    refused(&zip(&[("rows.csv", &content)]), "decompression_bomb", hint);
    refused(&zstd::encode_all(content.as_slice(), 3).unwrap(), "decompression_bomb", hint);
    let half = inflated(50);
    refused(&zip(&[("one.csv", &half), ("two.csv", &half)]), "decompression_bomb", hint);
    // As large, but not grown from nothing: every row is different.
    let honest = (0..20_000).fold(HEADER.to_owned(), |rows, n| rows + &format!("A,{n}.5,1,2026-01-31T14:30:00Z\n"));
    assert_eq!(told(&gzip(honest.as_bytes()), Way::default()).report.good, 20_000);
}

#[test]
fn too_many_members_are_refused() {
    let names: Vec<String> = (0..2000).map(|number| format!("{number}.csv")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    refused(&zip(&members), "too_many_members", "several smaller zip files");
}

#[test]
fn the_name_of_a_zip_member_is_only_a_name() {
    let bad = format!("{HEADER}{GOOD}A,x,2,2026-01-31T14:30:00Z\n");
    for name in ["../../../etc/passwd", "/etc/cron.d/x", "C:\\windows\\x.csv", "..\\..\\x"] {
        let told = one_bad_row(&zip(&[(name, bad.as_bytes())]), "invalid_price");
        assert_eq!(told.report.rejects[0].member.as_deref(), Some(name));
    }
    assert!(!std::path::Path::new("../../../etc/passwd").exists());
}

#[test]
fn a_parquet_footer_that_lies_is_refused() {
    let hint = "send";
    let with_length = |length: u32, body: &[u8]| {
        let mut file = b"PAR1".to_vec();
        file.extend_from_slice(body);
        file.extend_from_slice(&length.to_le_bytes());
        file.extend_from_slice(b"PAR1");
        file
    };
    for length in [0, 1, 100, 0x7fff_ffff, u32::MAX] {
        refused(&with_length(length, &[0; 40]), "corrupt_parquet", hint);
        refused(&with_length(length, &[[0xff; 20], [0; 20]].concat()), "corrupt_parquet", hint);
    }
    // A list of four thousand million row groups in a handful of bytes.
    let many = [0x15, 2, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x16, 2];
    refused(&with_length(many.len() as u32, &many), "corrupt_parquet", hint);
    refused(b"PAR1", "truncated_parquet", hint);
}

#[test]
fn a_contract_cannot_be_hostile_either() {
    let contract = contract("name = \"wide\"\nextends = \"trades\"\n[format]\nskip_records = 18446744073\n");
    let rows = format!("{HEADER}{}", GOOD.repeat(100_000));
    let told = told(rows.as_bytes(), Way { contract: Some(&contract), ..Way::default() });
    assert_eq!(told.refusal().0, "header_too_long");
    assert!(told.refusal().2.contains("skip_records"));
}

#[test]
fn a_message_of_nothing_but_bad_rows_is_told_soon() {
    let feed = rows::contract::builtin("bitmex-websocket");
    let message = format!("1626993000.5: {{\"table\":\"trade\",\"data\":[{}1]}}\n", "1,".repeat(500_000));
    let start = Instant::now();
    let told = told(message.as_bytes(), Way { contract: feed, ..Way::default() });
    assert!(start.elapsed() < Duration::from_secs(SECONDS_MAX), "{:?}", start.elapsed());
    assert_eq!((told.report.good, told.report.rejected), (0, 500_001));
    assert!(told.rejects.len() < message.len() + 1000);
}
