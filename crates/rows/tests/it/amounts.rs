//! Amounts that are a product: exact as far as they go, and a reason with its limits past that.

use crate::support::{Told, Way, contract, told};

fn check(rows: &[(&str, &str)]) -> Told {
    let contract = contract(
        "name = \"x\"\nextends = \"transactions\"\n[columns]\namount = { multiply = [\"quantity\", \"price\"] }\n",
    );
    let mut csv = String::from("transaction_id,quantity,price,currency,timestamp,merchant,status\n");
    for (row, (quantity, price)) in rows.iter().enumerate() {
        csv.push_str(&format!("T{row},{quantity},{price},EUR,2026-01-31T14:30:00Z,Shop,completed\n"));
    }
    told(csv.as_bytes(), Way { contract: Some(&contract), ..Way::default() })
}

#[test]
fn products_are_limited_by_what_holds_them() {
    let told = check(&[
        ("3", "-2.5"),
        ("99999999999999999999", "1.5"),
        ("-10000000000", "10000000000"),
        ("99999999999999999999", "1.8"),
        ("0.0000000001", "0.0000000001"),
        ("100000000000000000000", "1"),
    ]);
    assert_eq!(told.report.good, 3, "{:?}", told.report.rejects);
    let total = &told.totals[0];
    assert_eq!(total.sum.to_string(), "49999999999999999991");
    assert_eq!((total.min.as_str(), total.max.as_str()), ("-100000000000000000000", "149999999999999999998.5"));
    let rejects: Vec<(&str, &str, &str)> = told
        .report
        .rejects
        .iter()
        .map(|reject| (reject.reasons[0].as_str(), reject.value.as_str(), reject.hint.as_str()))
        .collect();
    let range = "the two values must be below 1e20, their product below 1.7e20";
    let decimals = "18 decimals at most, in the two values and in their product";
    assert_eq!(
        rejects,
        [
            ("out_of_range_amount", "99999999999999999999 * 1.8", range),
            ("too_many_decimals_amount", "0.0000000001 * 0.0000000001", decimals),
            ("out_of_range_amount", "100000000000000000000 * 1", range),
        ]
    );
}
