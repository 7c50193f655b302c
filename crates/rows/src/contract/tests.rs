//! What contract text is taken and what is refused, and how it is told.

use super::*;

#[test]
fn every_built_in_contract_parses_under_its_own_name() {
    for name in builtin_names() {
        let contract = builtin(name).unwrap();
        assert_eq!(contract.name, name);
        let missing: Vec<_> =
            contract.kind.required().iter().filter(|column| !contract.columns.contains_key(**column)).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
    }
}

#[test]
fn a_contract_survives_being_written_and_read() {
    for name in builtin_names() {
        let contract = builtin(name).unwrap();
        assert_eq!(&Contract::parse(&contract.to_toml()).unwrap(), contract, "{name}");
    }
}

#[test]
fn what_a_contract_says_wins_over_what_it_extends() {
    let text = "name = \"eth\"\nextends = \"gct-binance-trades\"\n[columns]\nsymbol = { const = \"ETHUSDT\" }\n";
    let contract = Contract::parse(text).unwrap();
    assert_eq!(contract.name, "eth");
    assert_eq!(contract.columns["symbol"].constant.as_deref(), Some("ETHUSDT"));
    assert_eq!(contract.columns["price"].from, Some(From::One(At::Position(1))));
    assert_eq!(contract.format.header, Some(false));
}

#[test]
fn a_misspelt_key_is_told_with_its_line() {
    let refusal = Contract::parse("name = \"x\"\nkind = \"trades\"\n[format]\ndelimeter = \";\"\n").unwrap_err();
    assert_eq!(refusal.code, "invalid_contract");
    assert!(refusal.message.contains("line 4") && refusal.message.contains("delimeter"), "{refusal}");
}

#[test]
fn lines_are_those_of_the_text_whatever_it_extends() {
    let check = |lines: &str, expected: &str| {
        let text = format!("name = \"x\"\nextends = \"trades\"\n# a comment\n{lines}\n");
        let refusal = Contract::parse(&text).unwrap_err();
        assert!(refusal.message.starts_with(expected), "{refusal}");
    };
    check("[format]\ndelimeter = \";\"", "line 5: unknown field `delimeter`");
    check("[columns]\nprice = { form = \"Px\" }", "line 5: unknown field `form`");
    check("[columns]\nprice = { from = \"Px\", decimal = \",,\" }", "line 5: invalid value");
    check("[colums]", "line 4: unknown field `colums`");
}

#[test]
fn an_unknown_base_is_told_with_the_known_ones() {
    let refusal = Contract::parse("name = \"x\"\nextends = \"tradez\"\n").unwrap_err();
    assert!(refusal.message.contains("tradez"), "{refusal}");
    assert!(refusal.hint.contains("trades, bars, transactions"), "{}", refusal.hint);
}
