//! Files of many shapes, made by hand, and what is proposed for them; then the files of the corpus by name.

use std::io::Cursor;
use std::path::PathBuf;

use super::*;
use crate::contract::Contract;
use crate::plan::Plan;

fn proposed(file: impl Into<Vec<u8>>) -> Proposal {
    let proposal = propose(Box::new(Cursor::new(file.into())), "sample").unwrap();
    let contract = Contract::parse(&proposal.toml).unwrap_or_else(|error| panic!("{error}\n{}", proposal.toml));
    let faults = Plan::faults(&contract);
    assert!(faults.is_empty(), "{faults:?}\n{}", proposal.toml);
    for doubt in &proposal.doubts {
        let words: Vec<&str> = doubt.split(": ").last().unwrap().split(' ').take(4).collect();
        let one_line = proposal.toml.replace("\n# ", " ");
        assert!(one_line.contains(&words.join(" ")), "{doubt} is not told in\n{}", proposal.toml);
    }
    proposal
}

/// The lines of the proposal that are no comments.
fn lines(file: &str) -> Vec<String> {
    let toml = proposed(file).toml;
    toml.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

/// Everything is good under the proposal, which has these lines.
fn check(file: &str, expected: &[&str]) {
    let proposal = proposed(file);
    assert!(proposal.rows > 0 && proposal.rows == proposal.good, "{}", proposal.toml);
    for line in expected {
        assert!(proposal.toml.lines().any(|known| known == *line), "{line}\nis not in\n{}", proposal.toml);
    }
}

fn doubts(file: &str, about: &str) -> bool {
    proposed(file).doubts.iter().any(|doubt| doubt.contains(about))
}

mod corpus;

#[test]
fn the_names_of_a_built_in_contract_are_enough() {
    let header = "symbol,price,volume,timestamp\n";
    for rows in ["", "A,x,2,2026-01-31T14:30:00Z\n", "?,?,?,?\n?,?,?,?\n"] {
        let proposal = proposed(format!("{header}{rows}"));
        assert!(proposal.toml.ends_with("\nextends = \"trades\"\n"), "{}", proposal.toml);
        assert_eq!((proposal.kind, proposal.doubts.len()), (Kind::Trades, 1));
    }
}

#[test]
fn the_columns_of_a_rejects_file_are_not_the_senders() {
    let file =
        "Symbol;Px;Qty;TradeTime;line;reasons;hint\nAAPL;190.5;10;2026-01-05T14:30:00Z;7;invalid_price;mend it\n";
    check(file, &["kind = \"trades\"", "price = { from = \"Px\" }"]);
    assert!(!proposed(file).toml.contains("not read"), "{}", proposed(file).toml);
}

#[test]
fn trades_are_known_by_names() {
    let file = "Symbol,Px,Qty,TradeTime,Side,TradeID\nAAPL,190.5,10,2026-01-05T14:30:00Z,B,1\n\
                AAPL,190.6,5,2026-01-05T14:30:01Z,S,2\nMSFT,410,7,2026-01-05T14:30:02Z,B,3\n";
    check(
        file,
        &[
            "kind = \"trades\"",
            "symbol = { from = \"Symbol\" }",
            "price = { from = \"Px\" }",
            "volume = { from = \"Qty\" }",
            "timestamp = { from = \"TradeTime\" }",
            "trade_id = { from = \"TradeID\" }",
            "# not read: Side",
        ],
    );
    assert!(proposed(file).doubts.is_empty());
}

#[test]
fn trades_without_names_are_known_by_numbers() {
    let file = "1767600000,64100.5,0.5,ANY\n1767600000,64100.7,0.01,ANY\n1767600001,64100.2,2,ANY\n";
    check(
        file,
        &["kind = \"trades\"", "header = false", "fields = 4", "price = { from = 1 }", "volume = { from = 2 }"],
    );
    check(file, &["timestamp = { from = 0, format = \"epoch\", unit = \"s\" }", "symbol = { const = \"SYMBOL\" }"]);
    assert!(doubts(file, "placeholder: the file does not name what is traded"));
}

#[test]
fn bars_are_known_by_names_in_any_order_and_padding() {
    check(
        "Date      , Open, Close, High,  Low, Vol\n2026-01-05, 10.0,  11.0, 12.0, 9.5,  100\n",
        &["kind = \"bars\"", "trim = true", "high = { from = \"High\" }", "volume = { from = \"Vol\" }"],
    );
    check(
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\n2026.01.05\t10:00:00\t10\t12\t9\t11\t5\n",
        &[
            "delimiter = \"\\t\"",
            "timestamp = { from = [\"<DATE>\", \"<TIME>\"], format = \"%Y.%m.%d %H:%M:%S\", zone = \"UTC\" }",
            "volume = { from = \"<TICKVOL>\" }",
        ],
    );
}

#[test]
fn bars_without_names_are_known_by_what_holds_them_together() {
    let file = "1767600000,900,10,12,9,11\n1767686400,50,11,13,10.5,12.5\n1767772800,7000,12.5,12.6,11,11.5\n";
    check(file, &["kind = \"bars\"", "volume = { from = 1 }", "open = { from = 2 }", "close = { from = 5 }"]);
    assert!(doubts(file, "check one bar"));
}

#[test]
fn a_german_bank_has_commas_points_and_its_own_words() {
    let file = "Kontonummer;Buchungstag;Auftraggeber/Empfänger;Betrag;Saldo;Währung\n\
                123;31.01.2026;Bäckerei Blau;-3,50;1.234,56;EUR\n123;28.01.2026;Kino;-12,00;1.238,06;EUR\n";
    let expected = [
        "kind = \"transactions\"",
        "decimal = \",\"",
        "thousands = \".\"",
        "amount = { from = \"Betrag\" }",
        "currency = { from = \"Währung\" }",
        "timestamp = { from = \"Buchungstag\", format = \"%d.%m.%Y\", zone = \"UTC\" }",
        "merchant = { from = \"Auftraggeber/Empfänger\" }",
        "transaction_id = { line = true }",
        "status = { const = \"completed\" }",
    ];
    check(file, &expected);
    let latin: Vec<u8> = file.chars().map(|character| character as u8).collect();
    let proposal = proposed(latin);
    assert_eq!((proposal.rows, proposal.good), (2, 2), "{}", proposal.toml);
    assert!(proposal.toml.contains("\nencoding = \"latin-1\"\n"), "{}", proposal.toml);
    assert!(proposal.doubts.iter().any(|doubt| doubt.starts_with("encoding: ")));
}

#[test]
fn money_in_and_out_has_columns_or_a_word() {
    check(
        "Réf. opération;Date de valeur;Libellé;Débit;Crédit;Monn.\nA1;31.03.2026;Café;4.50;;CHF\nA2;30.03.2026;Salaire;;5'000.00;CHF\n",
        &["amount = { credit = \"Crédit\", debit = \"Débit\" }", "thousands = \"'\""],
    );
    check(
        "Date,Payee,Withdrawals,Deposits\n2026-01-01,Shop,-5.00,\n2026-01-02,Job,,100.00\n",
        &["amount = { credit = \"Deposits\", debit = \"Withdrawals\", strip = \"-\" }"],
    );
    check(
        "Date,Description,Amount,Transaction Type\n1/31/26,Shop,\"1,000.00\",debit\n1/30/26,Job,5.00,credit\n",
        &["amount = { from = \"Amount\", negative_when = { column = \"Transaction Type\", equals = \"debit\" } }"],
    );
}

#[test]
fn status_words_are_mapped_and_strange_ones_told() {
    let file = "id,created,amount,currency,description,status\na1,2026-01-01 10:00,5,eur,Shop,Paid\n\
                a2,2026-01-01 11:00,5,eur,Shop,Declined\na3,2026-01-01 12:00,5,eur,Shop,Frobnicated\n";
    let proposal = proposed(file);
    assert_eq!((proposal.rows, proposal.good), (3, 2), "{}", proposal.toml);
    let status = "status = { from = \"status\", map = { \"Declined\" = \"failed\", \"Paid\" = \"completed\" } }";
    assert!(lines(file).contains(&status.to_owned()), "{}", proposal.toml);
    assert!(lines(file).contains(&"currency = { from = \"currency\", upper = true }".to_owned()));
    assert!(doubts(file, "status: Frobnicated"));
}

#[test]
fn an_id_that_repeats_is_no_id() {
    let file = "InvoiceNo,Quantity,UnitPrice,InvoiceDate,Country\n1,2,3.5,2026-01-01 10:00:00,France\n1,1,2,2026-01-01 10:00:00,France\n";
    check(file, &["transaction_id = { line = true }", "amount = { multiply = [\"Quantity\", \"UnitPrice\"] }"]);
    assert!(doubts(file, "`InvoiceNo` is no id"));
}

#[test]
fn dates_that_fit_both_ways_are_in_doubt() {
    let file = "Transaction ID,Date,Amount,Currency,Description\n1,03/04/2026,5,USD,a\n2,05/04/2026,6,USD,b\n";
    assert!(doubts(file, "dates such as 03/04/2026 fit"));
    assert!(!doubts(&file.replace("05/04", "05/24"), "dates such as"));
}

#[test]
fn what_stands_before_the_header_is_skipped() {
    let file = "Account export\nFrom,2026-01-01\n\nid,date,amount,currency,merchant\n1,2026-01-01,5,EUR,a\n2,2026-01-02,5,EUR,b\n3,2026-01-02,5,EUR,b\n";
    check(file, &["skip_records = 2", "transaction_id = { from = \"id\" }"]);
}

#[test]
fn json_is_read_wherever_its_rows_are() {
    check(
        "{\"s\":\"BTC\",\"p\":\"64000.5\",\"q\":\"0.1\",\"T\":1767600000123}\n{\"s\":\"BTC\",\"p\":\"64000.7\",\"q\":\"1\",\"T\":1767600000456}\n",
        &[
            "type = \"json\"",
            "symbol = { from = \"s\" }",
            "timestamp = { from = \"T\", format = \"epoch\", unit = \"ms\" }",
        ],
    );
    check(
        "{\"market\":\"ETH\",\"trades\":[{\"id\":1,\"price\":2,\"size\":3,\"time\":\"2026-01-01T00:00:00Z\"}]}\n",
        &["each = \"trades\"", "symbol = { from = \"$.market\" }", "price = { from = \"price\" }"],
    );
    let capture = "wss://x <- 1\n1767600000.1: {\"event\":\"subscribed\",\"channel\":\"live_trades_ethusd\"}\n\
                   1767600000.2: {\"event\":\"trade\",\"channel\":\"live_trades_ethusd\",\"data\":{\"price\":5,\"price_str\":\"5.00\",\"amount\":1,\"microtimestamp\":\"1767600000200000\"}}\n\
                   1767600000.3: {\"event\":\"beat\"}\n";
    check(
        capture,
        &[
            "line_prefix = \"epoch\"",
            "where = [{ path = \"event\", equals = [\"trade\"] }]",
            "symbol = { from = \"channel\", strip_prefix = \"live_trades_\", upper = true }",
            "price = { from = \"data.price_str\" }",
            "timestamp = { from = \"data.microtimestamp\", format = \"epoch\", unit = \"us\" }",
        ],
    );
    check(
        "[[1767600000000,\"10\",\"12\",\"9\",\"11\",\"100\"],[1767600060000,\"11\",\"13\",\"10\",\"12\",\"9\"],[1767600120000,\"12\",\"12.5\",\"11\",\"11.5\",\"70\"]]",
        &["kind = \"bars\"", "open = { from = 1 }", "volume = { from = 5 }"],
    );
}

#[test]
fn what_cannot_be_found_is_a_placeholder_that_refuses_rows() {
    let file = "alpha,beta\nsome,words\nmore,text\n";
    let proposal = proposed(file);
    assert_eq!((proposal.rows, proposal.good), (2, 0), "{}", proposal.toml);
    assert!(doubts(file, "placeholder: no column looks like a time"));
}

#[test]
fn names_of_any_kind_are_quoted() {
    let file = "\"a\"\"b\\\",date,amount,currency,\"mer\nchant\"\n1,2026-01-01,5,EUR,x\n2,2026-01-02,6,EUR,y\n";
    assert_eq!(proposed(file).rows, 2);
}

#[test]
fn nothing_to_look_at_is_refused() {
    for file in ["", " \n\n", "\u{feff}"] {
        assert!(
            matches!(propose(Box::new(Cursor::new(file.as_bytes().to_vec())), "x"), Err(crate::Error::Refused(_))),
            "{file:?}"
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_end_in_a_contract_or_a_refusal(file in "([a-zA-Z0-9 ,;:\\n\\r\"'{}\\[\\].\\-é€\\t#|/]|price|date|amount|,){0,120}") {
        if let Ok(proposal) = propose(Box::new(Cursor::new(file.into_bytes())), "any") {
            let contract = Contract::parse(&proposal.toml).unwrap();
            assert!(Plan::faults(&contract).is_empty(), "{}", proposal.toml);
        }
    }
}
