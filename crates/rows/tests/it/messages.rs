//! What a person reads when a file is refused: most see one of these, so they are kept word for word.

use crate::support::{Way, told};
use rows::contract::{Contract, builtin};
use rows::unknown_contract;

/// Code, message and hint, as a terminal shows them.
#[track_caller]
fn check(bytes: &[u8], contract: Option<&Contract>, expected: &str) {
    let told = told(bytes, Way { contract, ..Way::default() });
    let (code, message, hint) = told.refusal();
    assert_eq!(format!("{code}: {message}\n{hint}"), expected);
}

fn under(name: &str) -> Option<&'static Contract> {
    Some(builtin(name).unwrap())
}

#[track_caller]
fn check_contract(text: &str, expected: &str) {
    let refusal = match Contract::parse(text) {
        Err(refusal) => refusal,
        Ok(contract) => {
            let told = told(b"symbol,price,volume,timestamp\n", Way { contract: Some(&contract), ..Way::default() });
            let (code, message, hint) = told.refusal();
            assert_eq!(format!("{code}: {message}\n{hint}"), expected);
            return;
        }
    };
    assert_eq!(format!("{}: {}\n{}", refusal.code, refusal.message, refusal.hint), expected);
}

#[test]
fn missing_columns() {
    check(
        b"symbol,Price,timestamp\nA,1,2026-01-31T14:30:00Z\n",
        under("trades"),
        "missing_columns: contract `trades` needs columns `price`, `volume`\n\
         the file has `Price`: names must match exactly; a contract can say from = \"Price\" for price",
    );
    check(
        b"a,b,c\n1,2,3\n",
        under("bars"),
        "missing_columns: contract `bars` needs columns \
         `symbol`, `open`, `high`, `low`, `close`, `volume`, `timestamp`\n\
         the file has `a`, `b`, `c`",
    );
    let text = include_str!("../../contracts/gct-binance-trades.toml");
    let text = text.replace("gct-binance-trades\"\nkind", "positions\"\nkind").replace("fields = 4\n", "");
    let positions = Contract::parse(&text).unwrap();
    check(
        b"1605484800,16000\n",
        Some(&positions),
        "missing_columns: contract `positions` needs column `number 2 (counted from 0)`\n\
         the first record has 2 fields",
    );
}

#[test]
fn no_contract_fits() {
    check(
        b"id,cost\n1,2\n",
        None,
        "no_contract_fits: `trades` lacks `symbol`, `price`, `volume`, `timestamp`; \
         `bars` lacks `symbol`, `open`, `high`, `low`, `close`, `volume`, `timestamp`; \
         `transactions` lacks `transaction_id`, `amount`, `currency`, `timestamp`, `merchant`, `status`\n\
         `millrace check --contract NAME`, or `contract = \"NAME\"` for a feed of millrace.toml; `millrace feed infer FILE` proposes one",
    );
    check(
        b"Date,open,high,low,close,tick_volume\n2026-01-31,1,2,1,2,10\n",
        None,
        "no_contract_fits: `trades` lacks `symbol`, `price`, `volume`, `timestamp`; \
         `bars` lacks `symbol`, `volume`, `timestamp`; \
         `transactions` lacks `transaction_id`, `amount`, `currency`, `timestamp`, `merchant`, `status`\n\
         the header is that of the preset `mt5-daily`: `millrace check --contract mt5-daily`, or \
         `contract = \"mt5-daily\"` for a feed of millrace.toml",
    );
}

#[test]
fn nothing_in_it() {
    check(b"", None, "empty_file: the file is empty\nsend it again once it has rows");
    check(b" \n\n", under("trades"), "empty_file: the file is empty\nsend it again once it has rows");
}

#[test]
fn the_wrong_format() {
    let table = Contract::parse("name = \"t\"\nextends = \"trades\"\n[format]\ntype = \"table\"\n").unwrap();
    check(
        b"symbol,price,volume,timestamp\n",
        Some(&table),
        "wrong_format: the contract wants a Parquet or Arrow file, and this is text\n\
         send the file the contract names, or change its format.type",
    );
    check(
        b"%PDF-1.7\n1 0 obj\n",
        None,
        "unsupported_file: the file is a PDF document\nsend the rows as CSV, JSON or Parquet",
    );
    check(
        b"BZh91AY&SY\x00\x00",
        None,
        "unsupported_compression: the file is packed with bzip2\nsend it plain, or packed with gzip, zstd or zip",
    );
    check(
        b"s\0y\0m\0b\0o\0l\0,\0p\0r\0i\0c\0e\0\n\0",
        None,
        "unsupported_encoding: the text looks like utf-16le, and neither a byte order mark nor the contract says so\n\
         save it as UTF-8, or set the encoding to \"utf-16le\"",
    );
    check(
        b"[{\"symbol\":\"A\"},",
        under("trades"),
        "truncated_json: the file ends on line 1, byte offset 16: the array is not closed\n\
         the 1 records before it were taken; send the whole file again",
    );
}

#[test]
fn a_bad_contract() {
    check_contract(
        "name = \"x\"\nkind = \"trades\"\n[format]\ndelimeter = \";\"\n",
        "invalid_contract: line 4: unknown field `delimeter`, expected one of `type`, `delimiter`, `quote`, `comment`, \
         `encoding`, `header`, `fields`, `skip_records`, `trim`, `member`, `columns`, `line_prefix`, `each`, `where`\n\
         see docs/contracts.md for the form of a contract",
    );
    check_contract(
        "name = \"x\"\nkind = \"trades\"\n",
        "invalid_contract: contract `x`: column `symbol` is missing; every trades contract needs it (and 3 more)\n\
         see docs/contracts.md; `millrace feed lint` lists every fault of a contract",
    );
    check_contract(
        "name = \"x\"\nextends = \"trades\"\n[columns]\ntimestamp = { from = \"t\", format = \"epoch\" }\n",
        "invalid_contract: contract `x`: columns.timestamp: `unit` is not there; it must be s, ms, us or ns\n\
         see docs/contracts.md; `millrace feed lint` lists every fault of a contract",
    );
    check_contract(
        "name = \"x\"\nextends = \"trades\"\n[format]\nencoding = \"utf-9\"\n",
        "invalid_contract: format.encoding `utf-9` is not an encoding\n\
         name one such as utf-8, latin-1, windows-1252, utf-16 or shift_jis",
    );
    let refusal = unknown_contract("tradez");
    assert_eq!(refusal.message, "there is no contract `tradez`");
    assert!(refusal.hint.starts_with("name a TOML file, or one of: trades, bars, transactions, "), "{}", refusal.hint);
}

/// A refused row: what the report lists and what the rejects file says.
#[test]
fn a_refused_row() {
    let told = told(b"symbol,price,volume,timestamp\nA,-1,x,2026-01-31\n", Way::default());
    let reject = &told.report.rejects[0];
    assert_eq!(reject.reasons, ["non_positive_price", "invalid_volume", "invalid_timestamp"]);
    assert_eq!((reject.line, reject.column.as_deref(), reject.value.as_str()), (2, Some("price"), "-1"));
    assert_eq!(reject.hint, "a price must be greater than 0");
    assert_eq!(
        String::from_utf8(told.rejects).unwrap(),
        "symbol,price,volume,timestamp,line,reasons,hint\n\
         A,-1,x,2026-01-31,2,non_positive_price invalid_volume invalid_timestamp,\"a price must be greater than 0; \
         a number such as 1234.5: digits, a point, no spaces or marks; a contract can name other marks; \
         a time such as 2026-01-31T14:30:00Z; a contract can name other forms\"\n"
    );
}
