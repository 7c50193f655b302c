//! Files that make a difference to each other, whoever of them comes first: ids that several have, versions that give ids
//! back, copies that come to count.

use std::fmt::Write;

use pipeline::feed::Feeds;
use pipeline::preset::Preset;

use super::world::{START, Upload, World};

/// Files of `transactions`, in order: a key, and ids. Written again, a key has a newer version.
const SHARING: [(&str, &[&str]); 9] = [
    ("a.csv", &["t1", "t2", "t3"]),
    ("b.csv", &["t1", "t4"]),
    // t1 and t3 are nobody's then
    ("a.csv", &["t2", "t5"]),
    ("c.csv", &["t1", "t3", "t4"]),
    // as a.csv was at first, and all of it is taken
    ("d.csv", &["t1", "t2", "t3"]),
    ("c.csv", &["t9"]),
    ("e.csv", &["t1", "t3", "t4", "t5"]),
    ("b.csv", &["t4"]),
    ("f.csv", &["t1", "m7", "m2999"]),
];

/// Ids of one file that are too many to be records.
const MANY: usize = 3000;

impl World {
    /// Such files. In order each is looked at once; a file that comes late begins those behind it anew.
    pub fn of_late_files() -> Self {
        let sharing = SHARING.map(|(key, ids)| (key, transactions(ids.iter().map(|id| (*id).to_owned()))));
        let many = ("many.csv", transactions((0..MANY).map(|number| format!("m{number}"))));
        let mut files: Vec<_> = sharing.into_iter().map(|(key, text)| (Preset::Transactions, key, text)).collect();
        let before_last = files.len() - 1;
        files.insert(before_last, (Preset::Transactions, many.0, many.1));
        // the copy comes to count when what it is a copy of is replaced
        for preset in [Preset::Market, Preset::Files] {
            let [one, two] = ["10.5", "11.5"].map(trades);
            files.extend(
                [("x.csv", one.clone()), ("copy.csv", one), ("x.csv", two)].map(|(key, text)| (preset, key, text)),
            );
        }
        let upload = |(number, (preset, key, text)): (u64, (Preset, &str, String))| {
            let (key, bytes) = (key.to_owned(), text.into_bytes());
            Upload { preset, key, bytes, at: START + 1000 * number, is_gone: false }
        };
        let uploads = (0..).zip(files).map(upload).collect();
        let (feeds, requests, replays) = (Feeds::default(), Vec::new(), Vec::new());
        Self { feeds, uploads, requests, replays, is_over: true }
    }
}

fn transactions(ids: impl Iterator<Item = String>) -> String {
    let mut text = String::from("transaction_id,amount,currency,timestamp,merchant,status\n");
    for (number, id) in ids.enumerate() {
        writeln!(text, "{id},{}.25,EUR,2026-01-05T10:00:00Z,shop,completed", number % 50 + 1).unwrap();
    }
    text
}

fn trades(price: &str) -> String {
    format!("symbol,price,volume,timestamp\nAAA,{price},3,2026-01-05T10:00:00Z\nAAA,{price},4,2026-01-05T10:07:00Z\n")
}
