//! A mapping of the manifest as a contract in TOML: every field of `data/README.md` and `expected.py`.

use serde_json::Value as Json;
use toml::{Table, Value};

/// What each extractor of websocket captures takes from a message.
struct Capture {
    conditions: &'static str,
    each: Option<&'static str>,
    /// Source of symbol, price, volume, timestamp and trade id.
    sources: [(&'static str, &'static str); 5],
    symbol: &'static str,
}

fn capture(name: &str) -> Capture {
    let (conditions, each, sources, symbol) = match name {
        "bitmex" => (
            r#"[{ path = "table", equals = ["trade"] }]"#,
            Some("data"),
            ["symbol", "price", "size", "timestamp", "trdMatchID"],
            "",
        ),
        "bitstamp" => (
            r#"[{ path = "event", equals = ["trade"] }]"#,
            None,
            ["channel", "data.price_str", "data.amount_str", "data.microtimestamp", "data.id"],
            "strip_prefix = \"live_trades_\", upper = true",
        ),
        "coinbase" => (
            r#"[{ path = "type", equals = ["match", "last_match"] }]"#,
            None,
            ["product_id", "price", "size", "time", "trade_id"],
            "",
        ),
        "bitflyer" => (
            r#"[{ path = "params.channel", starts_with = "lightning_executions_" }]"#,
            Some("params.message"),
            ["$.params.channel", "price", "size", "exec_date", "id"],
            "strip_prefix = \"lightning_executions_\"",
        ),
        other => panic!("there is no extractor {other:?}"),
    };
    let names = ["symbol", "price", "volume", "timestamp", "trade_id"];
    Capture { conditions, each, sources: std::array::from_fn(|index| (names[index], sources[index])), symbol }
}

/// The contract of `mapping`, which is called `id` and reads `file`.
pub(super) fn contract_text(id: &str, mapping: &Json, file: &[u8]) -> String {
    let schema = mapping["schema"].as_str().unwrap();
    let mut contract = Table::new();
    contract.insert("name".into(), id.into());
    contract.insert("kind".into(), schema.into());
    contract.insert("format".into(), format(mapping, file).into());
    contract.insert("number".into(), number(&mapping["number"]).into());
    contract.insert("columns".into(), columns(schema, mapping).into());
    let mut bars = Table::new();
    // The reference breaks ties by position.
    bars.insert("order".into(), "position".into());
    put(&mut bars, "zone", &mapping["bar_tz"]);
    contract.insert("bars".into(), bars.into());
    toml::to_string(&contract).unwrap()
}

/// Sets `key` unless the mapping does not speak of it.
fn put(table: &mut Table, key: &str, value: &Json) {
    let value = match value {
        Json::String(text) => text.as_str().into(),
        Json::Bool(flag) => (*flag).into(),
        Json::Number(number) => number.as_i64().unwrap().into(),
        Json::Array(items) => Value::Array(items.iter().map(place).collect()),
        Json::Null | Json::Object(_) => return,
    };
    table.insert(key.into(), value);
}

/// A column of the source, by name or position.
fn place(reference: &Json) -> Value {
    match reference {
        Json::Number(position) => position.as_i64().unwrap().into(),
        name => name.as_str().unwrap().into(),
    }
}

fn format(mapping: &Json, file: &[u8]) -> Table {
    let mut format = Table::new();
    let kind = match mapping["format"].as_str().unwrap() {
        "csv" => "csv",
        "json_rows" | "json_objects" | "ndjson" | "prefixed_ndjson" => "json",
        "parquet" | "feather" => "table",
        other => panic!("format {other:?}"),
    };
    format.insert("type".into(), kind.into());
    put(&mut format, "encoding", &mapping["encoding"]);
    let container = mapping["container"].as_str().unwrap_or_default();
    if container.starts_with("zip") {
        let named = container.strip_prefix("zip:").map(str::to_owned);
        format.insert("member".into(), named.unwrap_or_else(|| first_member(file)).into());
    }
    if kind == "csv" {
        format.insert("delimiter".into(), mapping["delimiter"].as_str().unwrap_or(",").into());
        format.insert("header".into(), mapping["header"].as_bool().unwrap_or(false).into());
        for key in ["quote", "comment", "fields", "skip_records", "trim"] {
            put(&mut format, key, &mapping[key]);
        }
    }
    if let Some(extract) = mapping["extract"].as_str() {
        let capture = capture(extract);
        let conditions: Table = format!("where = {}", capture.conditions).parse().unwrap();
        format.extend(conditions);
        format.insert("line_prefix".into(), "epoch".into());
        if let Some(each) = capture.each {
            format.insert("each".into(), each.into());
        }
    }
    format
}

/// The name of the first member in the directory of a zip.
fn first_member(zip: &[u8]) -> String {
    let end = zip.windows(4).rposition(|bytes| bytes == b"PK\x05\x06").expect("a zip has a directory");
    let number =
        |at: usize, count: usize| zip[at..at + count].iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    let entry = number(end + 16, 4);
    let length = number(entry + 28, 2);
    String::from_utf8(zip[entry + 46..entry + 46 + length].to_vec()).unwrap()
}

fn number(mapped: &Json) -> Table {
    let mut number = Table::new();
    for key in ["decimal", "thousands", "strip"] {
        put(&mut number, key, &mapped[key]);
    }
    put(&mut number, "plus", &mapped["plus_ok"]);
    number
}

fn columns(schema: &str, mapping: &Json) -> Table {
    let names: &[&str] = match schema {
        "trades" => &["symbol", "price", "volume", "timestamp"],
        "bars" => &["symbol", "open", "high", "low", "close", "volume", "timestamp"],
        _ => &["transaction_id", "amount", "currency", "timestamp", "merchant", "status"],
    };
    let mut columns = Table::new();
    for name in names {
        let mut column = source(name, mapping);
        describe(name, mapping, &mut column);
        columns.insert((*name).into(), column.into());
    }
    if schema == "trades" && !mapping["columns"]["trade_id"].is_null() {
        columns.insert("trade_id".into(), source("trade_id", mapping).into());
    }
    columns
}

/// Where the value comes from.
fn source(name: &str, mapping: &Json) -> Table {
    let mut column = Table::new();
    if let Some(extract) = mapping["extract"].as_str() {
        let capture = capture(extract);
        let key = mapping["columns"][name].as_str().unwrap();
        let (_, path) = capture.sources.iter().find(|(known, _)| *known == key).expect("an extractor has this field");
        column.insert("from".into(), (*path).into());
        if key == "symbol" {
            column.extend(
                format!("x = {{ {} }}", capture.symbol).parse::<Table>().unwrap()["x"].as_table().unwrap().clone(),
            );
        }
        return column;
    }
    match &mapping["columns"][name] {
        Json::Null => {
            column.insert("const".into(), mapping["const"][name].as_str().unwrap_or_default().into());
        }
        Json::String(text) if text == "#line" => {
            column.insert("line".into(), true.into());
        }
        Json::Object(amount) if amount.contains_key("mul") => put(&mut column, "multiply", &amount["mul"]),
        Json::Object(amount) => {
            column.insert("credit".into(), place(&amount["credit"]));
            column.insert("debit".into(), place(&amount["debit"]));
        }
        reference => put(&mut column, "from", reference),
    }
    column
}

/// How the value is read.
fn describe(name: &str, mapping: &Json, column: &mut Table) {
    let number = &mapping["number"];
    match name {
        "price" | "open" | "high" | "low" | "close" => put(column, "scale", &number["scale"]),
        "volume" => put(column, "scale", &number["volume_scale"]),
        "amount" => {
            put(column, "scale", &number["scale"]);
            if let Some(word) = mapping["negate_when"].as_str() {
                let mut when = Table::new();
                when.insert("column".into(), place(&mapping["columns"]["_sign"]));
                when.insert("equals".into(), word.into());
                column.insert("negative_when".into(), when.into());
            }
        }
        "currency" => put(column, "upper", &mapping["currency_upper"]),
        "status" => {
            let words = mapping["status_map"].as_object().into_iter().flatten();
            let map: Table = words.map(|(theirs, ours)| (theirs.clone(), ours.as_str().unwrap().into())).collect();
            column.insert("map".into(), map.into());
        }
        "timestamp" => timestamp(&mapping["timestamp"], column),
        _ => {}
    }
}

fn timestamp(mapped: &Json, column: &mut Table) {
    let mut format = |name: &str| column.insert("format".into(), name.into());
    match mapped["kind"].as_str().unwrap() {
        "epoch" => {
            format("epoch");
            put(column, "unit", &mapped["unit"]);
        }
        "iso8601" => {
            put(column, "space", &mapped["space"]);
            put(column, "date_only", &mapped["date_only"]);
            put(column, "zone", &mapped["naive_tz"]);
        }
        "strptime" => {
            put(column, "format", &mapped["format"]);
            column.insert("zone".into(), mapped["tz"].as_str().unwrap_or("UTC").into());
        }
        "hours_since" => {
            format("hours_since");
            put(column, "origin", &mapped["origin"]);
        }
        "ms_since_midnight" => {
            format("since_midnight");
            column.insert("unit".into(), "ms".into());
            put(column, "date", &mapped["date"]);
            put(column, "zone", &mapped["tz"]);
        }
        other => panic!("timestamp kind {other:?}"),
    }
}
