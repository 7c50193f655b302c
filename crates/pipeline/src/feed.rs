//! Feeds as they are declared: which keys belong to one, what a row must be, and what to do when a file cannot be
//! worked on. Each preset has a default feed for all keys that no other takes.

mod duration;
mod pattern;
#[cfg(test)]
mod tests;

use std::fmt;

use rows::contract::Contract;
use rows::time::{Interval, Zone};
use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::limits::{FEED_BYTES_MAX, FEEDS_MAX};
use crate::message::Feed;
use crate::preset::Preset;
use crate::topology::Topology;

pub use pattern::Pattern;

/// Under these the stages write; what arrives there is theirs and no file of a partner.
pub const OUTPUTS: [&str; 4] = ["validated/", "rejects/", "contributions/", "reports/"];

/// What becomes of the files behind one that cannot be worked on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnPoison {
    /// They go on; the file is marked as failed.
    #[default]
    SkipAndMark,
    /// They wait until its dead letter is redriven or purged.
    Park,
}

/// A feed as it is written in `millrace.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Its name: 1 to 128 visible characters.
    pub name: String,
    /// Which system its files go through.
    pub preset: Preset,
    /// Keys of its objects; `*` stands for any text. The first feed that fits takes a file.
    #[serde(default = "any")]
    pub keys: String,
    /// What a row must be: the name of a built-in contract or a TOML file. Without it the header decides.
    pub contract: Option<String>,
    /// The shortest bars that can be asked for.
    #[serde(default = "minute")]
    pub interval: String,
    /// In which zone hours and days begin; UTC when nothing is said.
    pub zone: Option<String>,
    /// For how long after its end, or after its first file, a window is open: what comes later restates it.
    #[serde(default = "settle")]
    pub settle: String,
    /// What becomes of the files behind one that cannot be worked on.
    #[serde(default)]
    pub on_poison: OnPoison,
}

fn any() -> String {
    "*".to_owned()
}

fn minute() -> String {
    Interval::M1.name().to_owned()
}

fn settle() -> String {
    "1m".to_owned()
}

/// A feed that can be worked with.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Its name.
    pub name: Feed,
    /// Its preset.
    pub preset: Preset,
    /// Keys of its objects.
    pub keys: Pattern,
    /// What a row must be; without it the header decides.
    pub contract: Option<Contract>,
    /// The shortest bars.
    pub interval: Interval,
    /// In which zone hours and days begin.
    pub zone: Zone,
    /// For how long a window is open.
    pub settle_ms: Millis,
    /// What becomes of the files behind one that cannot be worked on.
    pub on_poison: OnPoison,
}

/// All feeds, in the order in which they are asked.
#[derive(Debug, Clone)]
pub struct Feeds(Vec<Declared>);

/// Why a declaration is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The feed it is about.
    pub feed: String,
    /// How many are declared before it.
    pub place: usize,
    /// What is wrong, with its value.
    pub what: String,
    /// What to write instead.
    pub hint: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "feed `{}`: {}", self.feed.escape_debug(), self.what)
    }
}

impl std::error::Error for Fault {}

impl Default for Feeds {
    /// The default feeds alone: `files`, `market`, `transactions`.
    fn default() -> Self {
        Self(Preset::ALL.map(default_of).into())
    }
}

/// The feed of a preset for keys that no other takes; it is called as the preset is.
fn default_of(preset: Preset) -> Declared {
    Declared {
        name: Feed::of_preset(preset),
        preset,
        keys: Pattern::new("*"),
        contract: (preset == Preset::Transactions).then(|| rows::contract::builtin("transactions").cloned()).flatten(),
        interval: Interval::M1,
        zone: Zone::utc(),
        settle_ms: 60_000,
        on_poison: OnPoison::SkipAndMark,
    }
}

impl Feeds {
    /// These feeds and then the default ones, unless they are declared under their names. `contract` finds a contract
    /// by what is written.
    pub fn new<E: From<Fault>>(
        written: Vec<Written>,
        mut contract: impl FnMut(&str) -> Result<Contract, E>,
    ) -> Result<Self, E> {
        let mut feeds: Vec<Declared> = Vec::new();
        for (place, feed) in written.into_iter().enumerate() {
            let name = feed.name.clone();
            let fault = |what: String, hint| Fault { feed: name.clone(), place, what, hint };
            if feeds.iter().any(|known| known.name.as_str() == name) {
                return Err(fault("it is declared twice".into(), "give one of the two another name").into());
            }
            if feeds.len() >= FEEDS_MAX {
                return Err(fault(format!("there are more than {FEEDS_MAX} feeds"), "use wider patterns").into());
            }
            let wanted = feed.contract.as_deref().map(&mut contract).transpose()?;
            feeds.push(declared(feed, wanted).map_err(|(what, hint)| fault(what, hint))?);
        }
        let missing = Preset::ALL
            .map(default_of)
            .into_iter()
            .filter(|default| feeds.iter().all(|feed| feed.name != default.name));
        let missing: Vec<Declared> = missing.collect();
        feeds.extend(missing);
        Ok(Self(feeds))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Declared> {
        self.0.iter()
    }

    /// The feed of a name.
    pub fn named(&self, name: &str) -> Option<&Declared> {
        self.0.iter().find(|feed| feed.name.as_str() == name)
    }

    /// The feed that takes an object with this key in the bucket of this preset; none takes what a stage wrote.
    pub fn taking(&self, preset: Preset, key: &str) -> Option<&Declared> {
        if OUTPUTS.iter().any(|output| key.starts_with(output)) {
            return None;
        }
        self.0.iter().find(|feed| feed.preset == preset && feed.keys.matches(key))
    }
}

/// The preset whose bucket this is, whatever the suffix of the environment.
pub fn preset_of(bucket: &str) -> Option<Preset> {
    let is_of = |name: &str| bucket.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    Preset::ALL.into_iter().find(|preset| is_of(Topology::of(*preset).bucket.name))
}

fn declared(feed: Written, contract: Option<Contract>) -> Result<Declared, (String, &'static str)> {
    let no_name = || format!("its name has something else than 1 to {FEED_BYTES_MAX} visible ASCII characters");
    let name = Feed::try_from(feed.name.clone()).map_err(|_| (no_name(), "choose another name"))?;
    let interval: Interval =
        feed.interval.parse().map_err(|error| (error, "write interval = \"1m\", or one of the others"))?;
    let zone = match feed.zone.as_deref() {
        None => contract_zone(contract.as_ref()).unwrap_or_else(Zone::utc),
        Some(zone) => Zone::named(zone)
            .ok_or_else(|| (format!("zone `{zone}` is not known"), "write one such as Europe/Berlin or UTC"))?,
    };
    let settle_ms = duration::parse(&feed.settle)
        .ok_or_else(|| (format!("settle `{}` is no time", feed.settle), "write one such as 90s, 15m, 1h or 2d"))?;
    let keys = Pattern::new(&feed.keys);
    Ok(Declared { name, preset: feed.preset, keys, contract, interval, zone, settle_ms, on_poison: feed.on_poison })
}

fn contract_zone(contract: Option<&Contract>) -> Option<Zone> {
    Zone::named(contract?.bars.zone.as_deref()?)
}
