//! Reading contract text: `extends` first, then what the contract itself says, table by table.

use indexmap::IndexMap;
use serde::Deserialize;
use toml::{Table, Value};

use super::{Bars, Column, Contract, Format, Kind, Number, builtin_names, builtin_text};
use crate::Refusal;

const EXTENDS_DEPTH_MAX: usize = 4;

/// A contract that leaves something to the one it extends. What is wrong with it is told with the lines of its own
/// text, which those of the merged one are not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read for its form; what it says is taken from the table")]
struct Extending {
    name: Option<String>,
    version: Option<u32>,
    kind: Option<Kind>,
    title: Option<String>,
    extends: Option<Value>,
    format: Option<Format>,
    number: Option<Number>,
    columns: Option<IndexMap<String, Column>>,
    bars: Option<Bars>,
}

/// Parses `text` and everything it extends.
pub(super) fn resolve(text: &str, depth: usize) -> Result<Contract, Refusal> {
    let own: Table = text.parse().map_err(|error| malformed(text, &error))?;
    if !own.contains_key("extends") {
        return toml::from_str(text).map_err(|error| malformed(text, &error));
    }
    toml::from_str::<Extending>(text).map_err(|error| malformed(text, &error))?;
    let merged = with_base(own, depth)?;
    let merged_text = toml::to_string(&merged).expect("a table that was parsed can be written");
    toml::from_str(&merged_text).map_err(|error| malformed(&merged_text, &error))
}

fn with_base(mut own: Table, depth: usize) -> Result<Table, Refusal> {
    let Some(base) = own.remove("extends") else { return Ok(own) };
    let Some(base_name) = base.as_str() else {
        return Err(bad(format!("`extends` is {base}, not the name of a contract"), "write extends = \"trades\""));
    };
    if depth >= EXTENDS_DEPTH_MAX {
        return Err(bad(format!("`extends` goes deeper than {EXTENDS_DEPTH_MAX} contracts"), "extend a base directly"));
    }
    let Some(base_text) = builtin_text(base_name) else {
        return Err(bad(
            format!("`extends` names `{base_name}`, which is not a built-in contract"),
            format!("built in are: {}", builtin_names().collect::<Vec<_>>().join(", ")),
        ));
    };
    let base: Table = base_text.parse().map_err(|error| malformed(base_text, &error))?;
    let mut merged = with_base(base, depth + 1)?;
    overlay(&mut merged, own);
    Ok(merged)
}

/// A column is replaced as a whole: half of one source and half of another would mean nothing.
fn overlay(base: &mut Table, own: Table) {
    for (key, value) in own {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => {
                for (inner_key, inner) in from {
                    into.insert(inner_key, inner);
                }
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn malformed(text: &str, error: &toml::de::Error) -> Refusal {
    let place = error.span().map(|span| {
        let before = &text[..span.start.min(text.len())];
        format!("line {}: ", before.matches('\n').count() + 1)
    });
    bad(
        format!("{}{}", place.unwrap_or_default(), error.message().replace('\n', " ")),
        "see docs/contracts.md for the form of a contract",
    )
}

fn bad(message: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new("invalid_contract", message, hint)
}
