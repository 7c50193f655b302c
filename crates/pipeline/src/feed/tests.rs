//! Feeds: which takes what, and declarations that are of no use.

use super::*;

fn written(text: &str) -> Result<Feeds, Fault> {
    #[derive(Deserialize)]
    struct File {
        feed: Vec<Written>,
    }
    let file: File = rows::settings::read(text).unwrap();
    Feeds::new(file.feed, |name| {
        rows::contract::builtin(name).cloned().ok_or_else(|| Fault {
            feed: name.into(),
            place: 0,
            what: "no contract".into(),
            hint: "",
        })
    })
}

#[test]
fn the_first_feed_that_fits_takes_a_file_and_the_default_one_the_rest() {
    let feeds = written(
        "[[feed]]\nname = \"acme\"\npreset = \"files\"\nkeys = \"acme/*\"\ncontract = \"trades\"\nsettle = \"1h\"\n\
         [[feed]]\nname = \"all-acme\"\npreset = \"files\"\nkeys = \"acme*\"\non_poison = \"park\"\n",
    )
    .unwrap();
    let taking = |preset, key| feeds.taking(preset, key).map(|feed| feed.name.as_str().to_owned());
    assert_eq!(taking(Preset::Files, "acme/day.csv").as_deref(), Some("acme"));
    assert_eq!(taking(Preset::Files, "acme2.csv").as_deref(), Some("all-acme"));
    assert_eq!(taking(Preset::Files, "other.csv").as_deref(), Some("files"));
    assert_eq!(taking(Preset::Market, "acme/day.csv").as_deref(), Some("market"));
    assert_eq!(taking(Preset::Files, "rejects/r-1/day.csv"), None, "what a stage wrote starts nothing");
    assert_eq!(feeds.named("acme").map(|feed| feed.settle_ms), Some(3_600_000));
    assert_eq!(feeds.named("all-acme").map(|feed| feed.on_poison), Some(OnPoison::Park));
}

#[test]
fn a_declaration_of_no_use_is_named_with_its_value() {
    let told =
        |line: &str| written(&format!("[[feed]]\nname = \"f\"\npreset = \"files\"\n{line}\n")).unwrap_err().to_string();
    assert_eq!(told("zone = \"Mars/Base\""), "feed `f`: zone `Mars/Base` is not known");
    assert_eq!(told("settle = \"soon\""), "feed `f`: settle `soon` is no time");
    assert!(told("interval = \"7m\"").contains("\"7m\" is not known"), "{}", told("interval = \"7m\""));
    assert_eq!(told("[[feed]]\nname = \"f\"\npreset = \"market\""), "feed `f`: it is declared twice");
}

#[test]
fn buckets_tell_the_preset_whatever_the_environment() {
    for (bucket, preset) in [
        ("file-processing-bucket-dev", Some(Preset::Files)),
        ("market-data", Some(Preset::Market)),
        ("transactions-prod-2", Some(Preset::Transactions)),
        ("transactionsx", None),
        ("other", None),
    ] {
        assert_eq!(preset_of(bucket), preset, "{bucket}");
    }
}
