//! Which contract a file is under when none is named: the built-in one whose required columns its header has.

use std::borrow::Cow;

use crate::contract::{At, Contract, From, builtin, builtin_names, is_core};
use crate::{Error, Refusal, Result};

/// The built-in contract of that name.
pub(crate) fn by_name(name: &str) -> Result<Cow<'static, Contract>> {
    builtin(name).map(Cow::Borrowed).ok_or_else(|| unknown_contract(name).into())
}

/// The refusal of a name that no contract has.
pub fn unknown_contract(name: &str) -> Refusal {
    let names: Vec<&str> = builtin_names().collect();
    Refusal::new(
        "unknown_contract",
        format!("there is no contract `{name}`"),
        format!("name a TOML file, or one of: {}", names.join(", ")),
    )
}

/// The one of Millrace's own contracts that fits `columns`; of several the one that asks for most.
pub(crate) fn by_columns(columns: &[String]) -> Result<Cow<'static, Contract>> {
    let core = || builtin_names().filter(|name| is_core(name)).filter_map(builtin);
    let fits = core().filter(|contract| missing(contract, columns).is_empty());
    match fits.max_by_key(|contract| contract.kind.required().len()) {
        Some(contract) => Ok(Cow::Borrowed(contract)),
        None => {
            let told: Vec<String> = core()
                .map(|contract| format!("`{}` lacks {}", contract.name, list(&missing(contract, columns))))
                .collect();
            Err(Error::Refused(Refusal::new("no_contract_fits", told.join("; "), preset_hint(columns))))
        }
    }
}

/// Whether the columns are those of bars: trades have no such prices.
pub(crate) fn is_of_bars(columns: &[String]) -> bool {
    ["open", "high", "low", "close"].iter().any(|price| columns.iter().any(|column| column == price))
}

fn missing(contract: &Contract, columns: &[String]) -> Vec<String> {
    let has = |at: &At| matches!(at, At::Name(name) if columns.contains(name));
    let required = contract.kind.required().iter().filter_map(|name| contract.columns.get(*name));
    let places = required.filter_map(|column| match &column.from {
        Some(From::One(at)) => Some(at),
        _ => None,
    });
    places.filter(|at| !has(at)).map(place_text).collect()
}

/// How a contract is named: for one file, and for all files of a feed that somebody runs.
fn name_it(contract: &str) -> String {
    format!("`millrace check --contract {contract}`, or `contract = \"{contract}\"` for a feed of millrace.toml")
}

/// A preset whose header this is, if there is one; otherwise how to write a contract.
fn preset_hint(columns: &[String]) -> String {
    let fitting = builtin_names().filter(|name| !is_core(name)).find(|name| {
        builtin(name).is_some_and(|contract| {
            let known = contract.format.columns.as_deref();
            known.is_some_and(|known| known.iter().all(|column| columns.contains(column)))
        })
    });
    match fitting {
        Some(preset) => format!("the header is that of the preset `{preset}`: {}", name_it(preset)),
        None => format!("{}; `millrace feed infer FILE` proposes one", name_it("NAME")),
    }
}

/// The refusal of a file without columns its contract needs: one for the file, not one for every row.
pub(crate) fn missing_columns(contract: &str, missing: &[&At], columns: &[String], fields: usize) -> Refusal {
    let names: Vec<String> = missing.iter().map(|at| place_text(at)).collect();
    let near = missing.iter().find_map(|at| match at {
        At::Name(name) => columns.iter().find(|column| looks_like(column, name)).map(|column| (name, column)),
        At::Position(_) => None,
    });
    let hint = match near {
        Some((name, column)) => format!(
            "the file has `{column}`: names must match exactly; a contract can say from = \"{column}\" for {name}"
        ),
        None if columns.is_empty() => format!("the first record has {fields} fields"),
        None => {
            let shown: Vec<String> = columns.iter().take(20).cloned().collect();
            let more = if columns.len() > 20 { " …" } else { "" };
            format!("the file has {}{more}", list(&shown))
        }
    };
    let plural = if names.len() == 1 { "column" } else { "columns" };
    Refusal::new("missing_columns", format!("contract `{contract}` needs {plural} {}", list(&names)), hint)
}

fn looks_like(column: &str, name: &str) -> bool {
    let plain =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    plain(column) == plain(name)
}

fn place_text(at: &At) -> String {
    match at {
        At::Name(name) => name.clone(),
        At::Position(position) => format!("number {position} (counted from 0)"),
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{}`", crate::batch::shown(name.as_bytes()))).collect::<Vec<_>>().join(", ")
}
