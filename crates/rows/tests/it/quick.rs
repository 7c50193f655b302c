//! The quick path against the way every row can take: values that are the same for all rows, and more names than stay
//! close to a core.

use rows::contract::Contract;

use crate::support::{Told, Way, contract, told};

/// What a contract gives, which must be what it gives with a column of nobody's interest, for which no row is quick.
fn both_ways(text: &str, csv: &str) -> Told {
    let slow = format!("{text}note = {{ const = \"x\", type = \"text\" }}\n");
    let check = |contract: &Contract| {
        told(csv.as_bytes(), Way { contract: Some(contract), piece_bytes: 16 * 1024, ..Way::default() })
    };
    let (quick, slow) = (check(&contract(text)), check(&contract(&slow)));
    assert_eq!(quick.everything(), slow.everything());
    quick
}

#[test]
fn a_value_may_be_the_same_for_every_row() {
    let csv = "transaction_id,amount,timestamp\nA,1.5,2026-01-31T14:30:00Z\nB,x,2026-01-31T14:30:00Z\n\
        C,-2,2026-01-31T14:30:00.25Z\n";
    let columns = |currency: &str, merchant: &str, status: &str| {
        format!(
            "name = \"x\"\nextends = \"transactions\"\n[columns]\ncurrency = {{ const = \"{currency}\" }}\n\
             merchant = {{ const = \"{merchant}\" }}\nstatus = {{ const = \"{status}\" }}\n"
        )
    };
    let told = both_ways(&columns("CHF", "Corner Shop", "pending"), csv);
    assert_eq!((told.report.good, told.report.rejected), (2, 1));
    let total = &told.totals[0];
    assert_eq!((total.currency, total.merchant.as_str(), total.status), ("CHF", "Corner Shop", "pending"));
    assert_eq!((total.count, total.sum.to_string()), (2, "-0.5".to_owned()));
    for (currency, merchant, status) in
        [("XAU", "Corner Shop", "pending"), ("CHF", " ", "pending"), ("CHF", "Corner Shop", "done")]
    {
        let told = both_ways(&columns(currency, merchant, status), csv);
        assert_eq!((told.report.good, told.report.rejected), (0, 3), "{currency} {merchant} {status}");
    }
    let trades =
        "name = \"x\"\nextends = \"trades\"\n[columns]\nsymbol = { const = \"ACME\" }\ntrade_id = { from = \"id\" }\n";
    let csv = "price,volume,timestamp,id\n5,0,2026-01-31T14:30:00Z,7\n6,1,2026-01-31T14:30:00+01:00,7\n7,1,,8\n\
        8,1,2026-01-31T14:30:00Z,9\n";
    let told = both_ways(trades, csv);
    assert_eq!((told.report.good, told.report.rejected), (3, 1));
    assert_eq!(told.bars.iter().map(|bar| bar.symbol.as_str()).collect::<Vec<_>>(), ["ACME", "ACME"]);
}

#[test]
fn as_many_names_as_there_are_are_told_apart() {
    let contract = "name = \"x\"\nextends = \"trades\"\n[columns]\n";
    let mut csv = String::from("symbol,price,volume,timestamp\n");
    // Names of up to 8, 16, 24, 32 bytes and more, one of them quoted; each twice, far from each other. In pieces that
    // are small to them, so that new ones come when there are many.
    for round in 1..3 {
        for number in 0..12_000 {
            let name = match number % 6 {
                0 => format!("N{number}"),
                1 => format!("NAME_{number}"),
                2 => format!("NAME_OF_A_TRADER_{number}"),
                3 => format!("NAME_OF_A_TRADER_{number}_OF_MANY"),
                4 => format!("A_NAME_THAT_IS_LONGER_THAN_MOST_{number}_NAMES_THAT_THERE_ARE"),
                _ => format!("\"N\"\"{number}\""),
            };
            csv.push_str(&format!("{name},{number}.5,{round},2026-01-31T14:30:00Z\n"));
        }
    }
    csv.push_str("\"\",1,1,2026-01-31T14:30:00Z\n,1,1,2026-01-31T14:30:00Z\n");
    let told = both_ways(contract, &csv);
    assert_eq!((told.report.good, told.report.rejected, told.bars.len()), (24_000, 2, 12_000));
    assert!(told.bars.iter().all(|bar| bar.count == 2 && bar.volume.to_string() == "3"));
    assert!(told.bars.iter().all(|bar| bar.open == bar.close && bar.symbol.contains(bar.open.trim_end_matches(".5"))));
}
