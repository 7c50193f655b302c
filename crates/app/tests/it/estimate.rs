//! `millrace estimate`, as it is typed.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use super::{stderr, stdout};

fn estimate(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_millrace")).arg("estimate").args(words).output().unwrap()
}

#[test]
fn a_bill_adds_up_and_says_what_it_is_made_from() {
    let output = estimate(&["--preset", "all", "--rows", "100", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let bill: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sum: f64 = bill["lines"].as_array().unwrap().iter().map(|line| line["cost"].as_f64().unwrap()).sum();
    assert!((sum - bill["total"].as_f64().unwrap()).abs() < 1e-6, "{sum}");
    let text = stdout(&estimate(&["--files", "1000000", "--file-bytes", "10MB"]));
    for said in ["prices of us-east-1, 2026-", "typed by hand", "not counted: free tier", "GB of files"] {
        assert!(text.contains(said), "no `{said}` in {text}");
    }
    let line = text.lines().find(|line| line.contains("GB of files")).unwrap();
    assert!(line.ends_with("10,000       230.00"), "{line}");
}

#[test]
fn own_prices_are_taken_and_wrong_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.json");
    let shipped = stdout(&estimate(&["--print-prices"]));
    let mut list: Value = serde_json::from_str(&shipped).unwrap();
    let words = ["--json", "--prices", path.to_str().unwrap()];
    list["prices"]["s3_gb_month"] = 1.into();
    list["region"] = "moon-1".into();
    fs::write(&path, list.to_string()).unwrap();
    let bill: Value = serde_json::from_slice(&estimate(&words).stdout).unwrap();
    let line = bill["lines"].as_array().unwrap().iter().find(|line| line["what"] == "GB of files").unwrap().clone();
    assert_eq!((&line["cost"], &bill["region"]), (&10.0.into(), &"moon-1".into()));
    list["prices"]["s3_gb_month"] = (-1).into();
    for (text, said) in [
        (list.to_string(), "s3_gb_month is -1"),
        ("{}".to_owned(), "missing field `region`"),
        (shipped.replace("s3_put", "s3_post"), "the list has no price s3_put"),
    ] {
        fs::write(&path, text).unwrap();
        let output = estimate(&words);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}
