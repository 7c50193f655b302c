//! Rows out of messages, with the four exchanges whose captures must be readable.

use std::convert::Infallible;

use super::*;

fn extractor(paths: &[&str], extract: Extract) -> Extractor {
    Extractor::new(&paths.iter().map(|path| Path::parse(path)).collect::<Vec<_>>(), extract)
}

fn equals(path: &str, texts: &[&str]) -> Condition {
    let texts = texts.iter().map(|&text| text.to_owned()).collect();
    Condition { path: Path::parse(path), test: Test::Equals(texts) }
}

fn starts_with(path: &str, text: &str) -> Condition {
    Condition { path: Path::parse(path), test: Test::StartsWith(text.to_owned()) }
}

/// The rows of a record, with the values joined by `|`, or the code of the fault.
fn rows(extractor: &mut Extractor, record: &str) -> (Outcome, Vec<String>) {
    let mut rows = Vec::new();
    let mut cells = Cells::default();
    let outcome = extractor.read_items(record.as_bytes(), &mut cells, |row| {
        rows.push(match row {
            Ok(cells) => {
                let values = (0..cells.len()).map(|slot| cells.get(slot, record.as_bytes()));
                values.map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>().join("|")
            }
            Err(fault) => fault.code().to_owned(),
        });
        Ok::<(), Infallible>(())
    });
    let Ok(outcome) = outcome;
    (outcome, rows)
}

fn check(extractor: &mut Extractor, record: &str, expected: &[&str]) {
    let (outcome, rows) = rows(extractor, record);
    assert_eq!(outcome, Outcome::Rows(rows.len()), "{record}");
    assert_eq!(rows, expected, "{record}");
}

fn check_none(extractor: &mut Extractor, record: &str, expected: Outcome) {
    assert_eq!(rows(extractor, record), (expected, vec![]), "{record}");
}

fn bitmex() -> Extractor {
    extractor(
        &["symbol", "price", "size", "timestamp", "trdMatchID"],
        Extract {
            prefix: Some(LinePrefix::Epoch),
            conditions: vec![equals("table", &["trade"])],
            each: Some(Path::parse("data")),
        },
    )
}

fn bitstamp() -> Extractor {
    extractor(
        &["channel", "data.price_str", "data.amount_str", "data.microtimestamp", "data.id"],
        Extract { prefix: Some(LinePrefix::Epoch), conditions: vec![equals("event", &["trade"])], each: None },
    )
}

#[test]
fn every_record_is_a_row_by_default() {
    let mut plain = extractor(&["a", "$.b"], Extract::default());
    check(&mut plain, r#"{"a":1,"b":"\""}"#, &["1|\""]);
    check(&mut plain, "[1]", &["|"]);
    check(&mut plain, "5", &["not_a_record"]);
    check(&mut plain, "{", &["invalid_json"]);
}

#[test]
fn lines_without_the_prefix_are_no_rows() {
    let mut prefixed = extractor(&["a"], Extract { prefix: Some(LinePrefix::Epoch), ..Extract::default() });
    check(&mut prefixed, r#"1626993000.123: {"a":1}"#, &["1"]);
    check(&mut prefixed, r#"1: {"a":2}"#, &["2"]);
    check(&mut prefixed, r#"1626993000.123: {"a":1"#, &["invalid_json"]);
    for line in ["{\"a\":1}", "wss://x <- 1.5: {}", "1.: {}", ".5: {}", "1:{}", "1 : {}", "1.5", "", " 1: {}", "-1: {}"]
    {
        check_none(&mut prefixed, line, Outcome::OtherLine);
    }
    for line in ["1: [1]", "1: null", "1: \"x\""] {
        check_none(&mut prefixed, line, Outcome::Ignored);
    }
}

#[test]
fn bitmex_has_many_trades_in_a_message() {
    let mut bitmex = bitmex();
    let message = concat!(
        r#"1.5: {"table":"trade","action":"insert","data":["#,
        r#"{"symbol":"XBTUSD","price":32000.5,"size":1,"timestamp":"t1","trdMatchID":"x"},"#,
        r#"{"symbol":"XBT\u0041","price":1,"size":2,"timestamp":"t2","trdMatchID":null} , {}]}"#
    );
    check(&mut bitmex, message, &["XBTUSD|32000.5|1|t1|x", "XBTA|1|2|t2|", "||||"]);
    check_none(&mut bitmex, r#"1.5: {"table":"quote","data":[{"symbol":"XBTUSD"}]}"#, Outcome::Ignored);
    check_none(&mut bitmex, r#"1.5: {"info":"welcome"}"#, Outcome::Ignored);
    check_none(&mut bitmex, r#"1.5: {"table":"trade"}"#, Outcome::Ignored);
    check_none(&mut bitmex, r#"1.5: {"table":"trade","data":null}"#, Outcome::Ignored);
    check(&mut bitmex, r#"1.5: {"table":"trade","data":[]}"#, &[]);
    check(&mut bitmex, r#"1.5: {"table":"trade","data":{}}"#, &["not_a_record"]);
    check(
        &mut bitmex,
        r#"1.5: {"table":"trade","data":[{"price":1},2,"x",[3]]}"#,
        &["|1|||", "not_a_record", "not_a_record", "||||"],
    );
    check(&mut bitmex, r#"1.5: {"table":"trade","data":[{"price":1},{"price":1,"price":2}]}"#, &["duplicate_key"]);
}

#[test]
fn bitstamp_has_its_trade_in_an_object() {
    let mut bitstamp = bitstamp();
    let message = concat!(
        r#"1: {"data":{"id":21,"amount_str":"0.5","price_str":"46000.1","microtimestamp":"16413"},"#,
        r#""channel":"live_trades_btcusd","event":"trade"}"#
    );
    check(&mut bitstamp, message, &["live_trades_btcusd|46000.1|0.5|16413|21"]);
    check(&mut bitstamp, message, &["live_trades_btcusd|46000.1|0.5|16413|21"]);
    check_none(&mut bitstamp, &message.replace("trade\"}", "data\"}"), Outcome::Ignored);
}

#[test]
fn coinbase_has_two_types_of_trades() {
    let mut coinbase = extractor(
        &["product_id", "price"],
        Extract { conditions: vec![equals("type", &["match", "last_match"])], ..Extract::default() },
    );
    check(&mut coinbase, r#"{"type":"last_match","price":"1","product_id":"BTC-USD"}"#, &["BTC-USD|1"]);
    check(&mut coinbase, r#"{"type":"m\u0061tch","price":"1","product_id":"BTC-USD"}"#, &["BTC-USD|1"]);
    for other in [r#"{"type":"done"}"#, r#"{"price":"1"}"#, "[1]", "1"] {
        check_none(&mut coinbase, other, Outcome::Ignored);
    }
}

#[test]
fn bitflyer_has_the_symbol_outside_of_the_items() {
    let mut bitflyer = extractor(
        &["$.params.channel", "price", "size", "exec_date", "id"],
        Extract {
            conditions: vec![starts_with("params.channel", "lightning_executions_")],
            each: Some(Path::parse("params.message")),
            ..Extract::default()
        },
    );
    let message = concat!(
        r#"{"jsonrpc":"2.0","params":{"channel":"lightning_executions_BTC\u005fJPY","message":["#,
        r#"{"id":1,"price":5.0,"size":0.1,"exec_date":"d"},{"id":2,"price":6.0,"size":0.2,"exec_date":"e"}]}}"#
    );
    let symbol = "lightning_executions_BTC_JPY";
    check(&mut bitflyer, message, &[&format!("{symbol}|5.0|0.1|d|1"), &format!("{symbol}|6.0|0.2|e|2")]);
    for other in [r#"{"params":5}"#, r#"{"params":{"channel":"lightning_board_X","message":[{}]}}"#, "{}"] {
        check_none(&mut bitflyer, other, Outcome::Ignored);
    }
}

#[test]
fn messages_may_be_arrays() {
    let mut kraken = extractor(
        &["$.3", "0", "1"],
        Extract { conditions: vec![equals("2", &["trade"])], each: Some(Path::parse("1")), ..Extract::default() },
    );
    check(
        &mut kraken,
        r#"[337,[["5541.2","0.1"],["5542.0","0.2"]],"trade","XBT/USD"]"#,
        &["XBT/USD|5541.2|0.1", "XBT/USD|5542.0|0.2"],
    );
    check_none(&mut kraken, r#"{"event":"heartbeat"}"#, Outcome::Ignored);
}

#[test]
fn a_row_that_cannot_be_taken_ends_the_record() {
    let mut bitmex = bitmex();
    let mut taken = 0;
    let result = bitmex.read_items(br#"1: {"table":"trade","data":[{},{},{}]}"#, &mut Cells::default(), |_| {
        taken += 1;
        if taken == 2 { Err("full") } else { Ok(()) }
    });
    assert_eq!((result, taken), (Err("full"), 2));
}

/// The captures of two exchanges, against rows computed outside. Nothing is checked where they are not at hand.
#[test]
fn captures_give_the_expected_rows() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let corpus = std::env::var("MILLRACE_CORPUS").unwrap_or(beside.to_owned());
    let upper = |symbol: &str| symbol.trim_start_matches("live_trades_").to_uppercase();
    for (name, mut extractor, other_lines) in [("bitmex", bitmex(), 4), ("bitstamp", bitstamp(), 21)] {
        let Ok(capture) = std::fs::read(format!("{corpus}/market/cryptofeed_{name}.ws")) else { return };
        let expected = std::fs::read_to_string(format!("{corpus}/expected/{name}_ws.json")).unwrap();
        let canonical = std::fs::read_to_string(format!("{corpus}/canonical/{name}_ws.csv")).unwrap();
        let mut cutter = crate::json::Cutter::new(crate::json::detect(&capture));
        let mut records = Vec::new();
        assert_eq!(cutter.cut(&capture, true, &mut records).unwrap(), capture.len());
        let (mut found, mut others) = (Vec::new(), 0);
        for record in records {
            let line = std::str::from_utf8(&capture[record.start as usize..record.end as usize]).unwrap();
            let (outcome, rows) = rows(&mut extractor, line);
            others += usize::from(outcome == Outcome::OtherLine);
            found.extend(rows.into_iter().map(|row| {
                let values: Vec<&str> = row.split('|').collect();
                (upper(values[0]), values[1].to_owned(), values[2].to_owned())
            }));
        }
        let rows = canonical.lines().skip(1).map(|line| {
            let values: Vec<&str> = line.split(',').collect();
            (values[0].to_owned(), values[1].to_owned(), values[2].to_owned())
        });
        assert_eq!(found, rows.collect::<Vec<_>>());
        assert_eq!(others, other_lines);
        assert!(expected.contains(&format!("\"non_message_lines\": {other_lines}")));
    }
}
