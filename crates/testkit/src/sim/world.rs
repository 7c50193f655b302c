//! What comes in: a few small files of all presets, good and bad, repeated, overwritten and removed.

use std::fmt::Write;

use pipeline::Millis;
use pipeline::feed::{Feeds, Written};
use pipeline::message::{Feed, Records};
use pipeline::object::digest;
use pipeline::point::Point;
use pipeline::preset::Preset;
use pipeline::rows::time::rfc3339;
use pipeline::topology::Topology;

use super::random::Random;

/// When the first file is written.
pub const START: Millis = 1_790_000_000_000;

/// Instants in the rows of `files` and `transactions`: before the files are written, so that windows close and are said
/// anew.
const PAST: i64 = 1_789_999_000;

/// Instants in the rows of `market`: after all of it. A window of market that is over is counted anew each time a tick
/// changes it, and how often that is, is no matter of the files alone.
const FUTURE: i64 = 1_890_000_000;

/// The feed whose files share transaction ids.
const SHARING: &str = "cards";

/// One file as its sender writes it.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Of which preset its bucket is.
    pub preset: Preset,
    /// Its key; who writes under the same key again overwrites it.
    pub key: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// When it is written.
    pub at: Millis,
    /// It is removed before anybody reads it.
    pub is_gone: bool,
}

/// Everything that comes in, in order.
#[derive(Debug, Clone)]
pub struct World {
    /// The feeds that are declared, and those of the presets.
    pub feeds: Feeds,
    /// Files, in the order in which they are written.
    pub uploads: Vec<Upload>,
    /// What is sent to `market` one by one.
    pub requests: Vec<Records>,
    /// Which files are begun anew when all is done, counted among those that can be.
    pub replays: Vec<usize>,
    /// Windows of market are over before their rows come: how often one is said anew then follows from when it is
    /// looked at, so that is only done at the end.
    pub is_over: bool,
}

impl World {
    /// The world of a seed.
    pub fn of(random: &mut Random) -> Self {
        let feed = |name: &str, preset, keys: &str| Written {
            name: name.to_owned(),
            preset,
            keys: keys.to_owned(),
            contract: None,
            interval: "1m".to_owned(),
            zone: None,
            settle: "1m".to_owned(),
            on_poison: pipeline::feed::OnPoison::SkipAndMark,
        };
        let written = vec![
            feed("desk/one", Preset::Files, "desk 1/*"),
            Written { contract: Some("transactions".to_owned()), ..feed(SHARING, Preset::Transactions, "cards/*") },
        ];
        let find = |name: &str| Ok(pipeline::rows::contract::builtin(name).cloned().unwrap());
        let feeds = Feeds::new::<pipeline::feed::Fault>(written, find).unwrap();
        let mut uploads = Vec::new();
        let mut at = START;
        for number in 0..8 + random.below(6) {
            // some are written at the same time
            at += random.of(&[0, 1, 15_000, 90_000]);
            let upload = upload(random, &uploads, number, at);
            uploads.push(upload);
        }
        let requests = (0..random.below(3)).map(|number| request(random, number)).collect();
        let replays = (0..random.below(4)).map(|_| random.below(100)).collect();
        Self { feeds, uploads, requests, replays, is_over: false }
    }
}

/// The bucket of a preset.
pub fn bucket(preset: Preset) -> &'static str {
    Topology::of(preset).bucket.name
}

fn upload(random: &mut Random, earlier: &[Upload], number: usize, at: Millis) -> Upload {
    let is_gone = random.once_in(20);
    if !earlier.is_empty() && random.once_in(2) {
        // the last ones more often, so that copies and versions of the same file come
        let among = if random.once_in(2) { earlier.len() } else { earlier.len().min(2) };
        let old = earlier.len() - 1 - random.below(among);
        let old = &earlier[old];
        let new = Upload { at, is_gone, ..old.clone() };
        let of_preset: Vec<&Upload> = earlier.iter().filter(|other| other.preset == old.preset).collect();
        let other = of_preset[random.below(of_preset.len())];
        match random.below(5) {
            // a copy under a new name, a new version, the same once more
            0 => return Upload { key: format!("{} (copy {number}).csv", old.key), ..new },
            1 => return Upload { bytes: content(random, old.preset, &old.key), ..new },
            2 => return new,
            // what another file of the preset holds, or an older version of this one
            _ => return Upload { bytes: other.bytes.clone(), ..new },
        }
    }
    let (preset, folder) = random.of(&[
        (Preset::Files, ""),
        (Preset::Files, "desk 1/"),
        (Preset::Market, ""),
        (Preset::Transactions, ""),
        (Preset::Transactions, "cards/"),
        (Preset::Transactions, "cards/"),
    ]);
    let key = format!("{folder}{}{number}.csv", random.of(&["day ", "a/b/", "é+%2F-", "x"]));
    let bytes = content(random, preset, &key);
    Upload { preset, key, bytes, at, is_gone }
}

fn content(random: &mut Random, preset: Preset, key: &str) -> Vec<u8> {
    if random.once_in(12) {
        return random.of(&["", "name,age\nx,1\n", "\u{0}\u{1}\u{2}", "symbol,price\n"]).as_bytes().to_vec();
    }
    let preset = if random.once_in(20) { random.of(&Preset::ALL) } else { preset };
    let rows = 1 + random.below(12);
    match preset {
        Preset::Files if random.once_in(3) => bars(random, rows, PAST),
        Preset::Files => trades(random, rows, PAST),
        Preset::Market => trades(random, rows, FUTURE),
        Preset::Transactions => transactions(random, rows, key),
    }
}

fn number(random: &mut Random) -> String {
    if random.once_in(15) {
        return random.of(&["", "abc", "-1", "1.2.3", "1e99"]).to_owned();
    }
    format!("{}.{}", 1 + random.below(500), random.below(1000))
}

fn symbol(random: &mut Random) -> &'static str {
    if random.once_in(20) { "" } else { random.of(&["AAA", "B/C", "\"D, E\""]) }
}

fn instant(random: &mut Random, from: i64) -> String {
    if random.once_in(20) {
        return random.of(&["yesterday", "2024-13-01T00:00:00Z", ""]).to_owned();
    }
    rfc3339((from + random.below(1200) as i64) * 1_000_000_000)
}

fn trades(random: &mut Random, rows: usize, from: i64) -> Vec<u8> {
    let mut text = String::from("symbol,price,volume,timestamp\n");
    for _ in 0..rows {
        let (symbol, at) = (symbol(random), instant(random, from));
        writeln!(text, "{symbol},{},{},{at}", number(random), number(random)).unwrap();
    }
    text.into_bytes()
}

fn bars(random: &mut Random, rows: usize, from: i64) -> Vec<u8> {
    let mut text = String::from("symbol,timestamp,open,high,low,close,volume\n");
    for _ in 0..rows {
        let (symbol, at) = (symbol(random), instant(random, from));
        writeln!(text, "{symbol},{at},10.5,{},9.25,10,{}", 11 + random.below(90), number(random)).unwrap();
    }
    text.into_bytes()
}

fn transactions(random: &mut Random, rows: usize, key: &str) -> Vec<u8> {
    let mut text = String::from("transaction_id,amount,currency,timestamp,merchant,status\n");
    for _ in 0..rows {
        let merchant = random.of(&["shop", "Café 1", "\"x, y\""]);
        let (id, rest) = if key.starts_with(SHARING) { shared(random) } else { own(random, key) };
        let [amount, currency, at, status] = rest;
        writeln!(text, "{id},{amount},{currency},{at},{merchant},{status}").unwrap();
    }
    text.into_bytes()
}

/// A row with an id that no other file has; any of it may be bad.
fn own(random: &mut Random, key: &str) -> (String, [String; 4]) {
    let id = format!("t{}{}-{}", key.replace(['/', ' ', '+'], "_"), random.next(), random.below(40));
    let amount = number(random);
    let currency = random.of(&["EUR", "USD", "EUR", "eur", "XXX"]).to_owned();
    (id, [amount, currency, instant(random, PAST), random.of(&["completed", "pending", "failed", "gone"]).to_owned()])
}

/// A row with an id that other files have, too. A row that is bad has its own: that its id is taken besides is told only
/// if it was taken when the row was read.
fn shared(random: &mut Random) -> (String, [String; 4]) {
    let amount = format!("{}.{}", 1 + random.below(500), random.below(1000));
    let at = rfc3339((PAST + random.below(1200) as i64) * 1_000_000_000);
    let (id, status) = match random.once_in(6) {
        true => (format!("t{}", random.next()), "gone"),
        false => (format!("t{}", random.below(40)), random.of(&["completed", "pending", "failed"])),
    };
    (id, [amount, random.of(&["EUR", "USD"]).to_owned(), at, status.to_owned()])
}

fn request(random: &mut Random, number: usize) -> Records {
    let records = (0..1 + random.below(4)).map(|_| {
        let point = Point {
            symbol: random.of(&["AAA", "B/C"]).to_owned(),
            timestamp: rfc3339((FUTURE + random.below(1200) as i64) * 1_000_000_000),
            price: format!("{}.5", 1 + random.below(100)),
            volume: format!("{}", random.below(10)),
            bar: None,
            sequence: random.once_in(2).then_some(number as u64),
        };
        serde_json::to_string(&point).unwrap()
    });
    let records = records.collect();
    // as the doors name requests
    let origin = format!("q-{}", digest(&["request", &number.to_string()]));
    Records { feed: Feed::of_preset(Preset::Market), origin, of: None, part: 0, records }
}
