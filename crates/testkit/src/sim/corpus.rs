//! The corpus as a world: each file in a feed of its own contract, overwritten or copied.

use pipeline::feed::{Fault, Feeds, OnPoison, Written};
use pipeline::preset::Preset;
use pipeline::rows::contract::Contract;

use super::world::{START, Upload, World};
use crate::corpus;

impl World {
    /// The corpus; none if it is not there. Every second file is cut in half first and then overwritten by the whole,
    /// the others come again under another name. Prices come to `files` and to `market`.
    pub fn of_corpus() -> Option<Self> {
        let cases = corpus::cases();
        let (mut written, mut uploads) = (Vec::new(), Vec::new());
        for (number, case) in cases.iter().enumerate() {
            let presets: &[Preset] = match case.schema.as_str() {
                "transactions" => &[Preset::Transactions],
                _ => &[Preset::Files, Preset::Market],
            };
            for &preset in presets {
                written.push(Written {
                    name: format!("{preset:?}/{}", case.id).to_ascii_lowercase(),
                    preset,
                    keys: format!("{}/*", case.id),
                    contract: Some(case.id.clone()),
                    interval: "1m".to_owned(),
                    zone: None,
                    settle: "1m".to_owned(),
                    on_poison: OnPoison::SkipAndMark,
                });
                let key = format!("{}/{}", case.id, case.file);
                let (before, after) = if number % 2 == 0 {
                    (case.bytes[..case.bytes.len() / 2].to_vec(), key.clone())
                } else {
                    (case.bytes.clone(), format!("{key} (copy)"))
                };
                for (key, bytes) in [(key, before), (after, case.bytes.clone())] {
                    let at = START + 1000 * uploads.len() as u64;
                    uploads.push(Upload { preset, key, bytes, at, is_gone: false });
                }
            }
        }
        let find = |name: &str| {
            let case = cases.iter().find(|case| case.id == name).unwrap();
            Ok::<_, Fault>(Contract::parse(&case.contract).unwrap())
        };
        let feeds = Feeds::new(written, find).unwrap();
        let (requests, replays) = Default::default();
        (!cases.is_empty()).then_some(Self { feeds, uploads, requests, replays, is_over: true })
    }
}
