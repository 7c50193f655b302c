//! Files of good rows and bad ones, in every form, with the line ends, quotes and oddities that senders write.

use proptest::prelude::*;

use crate::support::contract;
use rows::contract::Contract;

/// A file and the kind of its rows.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    is_trades: bool,
    has_sequence: bool,
}

impl File {
    pub(super) fn contract(&self) -> Contract {
        contract(&self.contract_text())
    }

    /// The contract as TOML that ends in the table of the columns.
    pub(super) fn contract_text(&self) -> String {
        let (kind, columns): (&str, &[&str]) =
            if self.is_trades { ("trades", &TRADE) } else { ("transactions", &TRANSACTION) };
        let read = columns.iter().filter(|column| self.has_sequence || **column != "sequence");
        let columns: String = read.map(|column| format!("{column} = {{ from = \"{column}\" }}\n")).collect();
        format!("name = \"probe\"\nkind = \"{kind}\"\n[columns]\n{columns}")
    }
}

const TRADE: [&str; 5] = ["symbol", "price", "volume", "timestamp", "sequence"];
const TRANSACTION: [&str; 6] = ["transaction_id", "amount", "currency", "timestamp", "merchant", "status"];

fn one_of(values: &[&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(values.to_vec()).prop_map(str::to_owned).boxed()
}

fn number() -> BoxedStrategy<String> {
    let odd = [
        "0",
        "-1",
        "",
        "x",
        "1e3",
        "1e-19",
        "100000000000000000000",
        "00.50",
        "9223372036.854775807",
        "1,5",
        " 1",
        "0.1234567890123",
    ];
    prop_oneof![4 => "[1-9][0-9]{0,3}(\\.[0-9]{1,3})?", 1 => one_of(&odd)].boxed()
}

fn time() -> BoxedStrategy<String> {
    let odd = [
        "",
        "x",
        "2026-01-31",
        "2026-01-31T14:30:00",
        "1899-01-01T00:00:00Z",
        "2026-01-31T14:30:00.5+01:00",
        "2026-02-30T00:00:00Z",
    ];
    prop_oneof![4 => "2026-01-31T14:3[0-9]:[0-5][0-9]Z", 1 => one_of(&odd)].boxed()
}

fn text() -> BoxedStrategy<String> {
    let odd = ["", " ", "a,b", "say \"hi\"", "two\nlines", "two\r\nlines", "Zürich", "nul\0", "日本", "\"", "x\ry"];
    prop_oneof![4 => "[A-D]", 1 => one_of(&odd)].boxed()
}

/// The values of a row, in the order of the columns.
fn values(is_trades: bool) -> BoxedStrategy<Vec<String>> {
    if is_trades {
        let sequence = prop_oneof![6 => "[0-9]{1,3}", 1 => one_of(&["", "-1", "x", "99999999999999999999"])];
        return (text(), number(), number(), time(), sequence).prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e]).boxed();
    }
    let id = prop_oneof!["[a-z]", "[a-z]{3}", Just(String::new())];
    let currency = prop_oneof![4 => one_of(&["EUR", "USD"]), 1 => one_of(&["eur", "XXX", "", "ZZZ", "EURO"])];
    let status = prop_oneof![4 => one_of(&["completed", "failed", "pending"]), 1 => one_of(&["", "done"])];
    (id, number(), currency, time(), text(), status).prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]).boxed()
}

fn kinds() -> impl Strategy<Value = (bool, bool)> {
    (any::<bool>(), any::<bool>())
}

fn columns(is_trades: bool) -> &'static [&'static str] {
    if is_trades { &TRADE } else { &TRANSACTION }
}

/// Something that is no row, or not a sound one, in a line of its own.
fn oddity(of_csv: bool) -> BoxedStrategy<Vec<u8>> {
    let csv: [&[u8]; 9] = [
        b"",
        b" ",
        b"A",
        b"\"a\"b,1,2,3,4",
        b"a\"b,1,1,2026-01-31T14:30:00Z,5",
        b"A,1,2,3,4,5,6,7",
        b"\xff\xfe,1",
        b"\"\"",
        b",,,,",
    ];
    let json: [&[u8]; 12] = [
        b"",
        b"  ",
        b"{\"symbol\":",
        b"42",
        b"[]",
        b"{}",
        b"{\"a\":1,\"a\":2}",
        b"{\"symbol\":\"\xff\"}",
        b"hello",
        b"{\"symbol\":\"\\u0000\",\"price\":1}",
        b"[1,2,3]",
        b"{\"symbol\":{\"deep\":[1,{\"er\":null}]}}",
    ];
    prop::sample::select(if of_csv { csv.map(<[u8]>::to_vec).to_vec() } else { json.map(<[u8]>::to_vec).to_vec() })
        .boxed()
}

fn line_end() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![6 => Just(&b"\n"[..]), 2 => Just(&b"\r\n"[..]), 1 => Just(&b"\r"[..])]
}

fn csv_field(value: &str, quoted: bool) -> String {
    if quoted || value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// The end of a file: as it should be, without its line end, or torn.
fn ending() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![6 => Just(&b""[..]), 1 => Just(&b"A,1"[..]), 1 => Just(&b"A,1,\"never closed\n1,2\n"[..]), 1 => Just(&b"\n\n"[..])]
}

pub(super) fn csv_file() -> BoxedStrategy<File> {
    let file = |(is_trades, has_sequence)| {
        let sound = (values(is_trades), any::<bool>()).prop_map(|(values, quoted)| {
            let fields: Vec<String> = values.iter().map(|value| csv_field(value, quoted)).collect();
            fields.join(",").into_bytes()
        });
        let row = prop_oneof![8 => sound, 1 => oddity(true)];
        let rows = prop::collection::vec((row, line_end()), 0..40);
        (prop::collection::vec(line_end(), 0..4), rows, ending()).prop_map(move |(blanks, rows, ending)| {
            let mut bytes = blanks.concat();
            bytes.extend_from_slice(columns(is_trades).join(",").as_bytes());
            bytes.push(b'\n');
            rows.iter().for_each(|(row, end)| bytes.extend_from_slice(&[row.as_slice(), end].concat()));
            bytes.extend_from_slice(ending);
            File { bytes, is_trades, has_sequence }
        })
    };
    kinds().prop_flat_map(file).boxed()
}

/// A record: values as text or, where they can be, as numbers.
fn json_record(is_trades: bool) -> BoxedStrategy<Vec<u8>> {
    let sound = (values(is_trades), any::<bool>(), any::<bool>()).prop_map(move |(values, as_numbers, spaced)| {
        let pair = |(name, value): (&&str, &String)| {
            let is_number = as_numbers && serde_json::from_str::<f64>(value).is_ok();
            let value = if is_number { value.clone() } else { serde_json::to_string(value).unwrap() };
            format!("\"{name}\":{value}")
        };
        let pairs: Vec<String> = columns(is_trades).iter().zip(&values).map(pair).collect();
        format!("{{{}}}", pairs.join(if spaced { " , " } else { "," })).into_bytes()
    });
    prop_oneof![8 => sound, 1 => oddity(false)].boxed()
}

pub(super) fn ndjson_file() -> BoxedStrategy<File> {
    let file = |(is_trades, has_sequence)| {
        let records = prop::collection::vec((json_record(is_trades), line_end()), 1..40);
        records.prop_map(move |records| {
            let first: &[u8] = if is_trades { b"{\"symbol\":\"A\"}\n" } else { b"{\"transaction_id\":\"A\"}\n" };
            let mut bytes = first.to_vec();
            records.iter().for_each(|(record, end)| bytes.extend_from_slice(&[record.as_slice(), end].concat()));
            File { bytes, is_trades, has_sequence }
        })
    };
    kinds().prop_flat_map(file).boxed()
}

pub(super) fn json_array_file() -> BoxedStrategy<File> {
    let file = |(is_trades, has_sequence)| {
        let between = prop::sample::select(vec![&b","[..], b",\n", b"\r\n,\r\n", b" , "]);
        let records = prop::collection::vec((json_record(is_trades), between), 0..40);
        let end =
            prop_oneof![6 => Just(&b"]"[..]), 1 => Just(&b"]\n"[..]), 1 => Just(&b""[..]), 1 => Just(&b"] x"[..])];
        (records, end).prop_map(move |(records, end)| {
            let mut bytes = b"[{}".to_vec();
            records
                .iter()
                .for_each(|(record, between)| bytes.extend_from_slice(&[between, record.as_slice()].concat()));
            bytes.extend_from_slice(end);
            File { bytes, is_trades, has_sequence }
        })
    };
    kinds().prop_flat_map(file).boxed()
}
