//! Trades: one trading day (or more, with `--groups`), some symbols busy and most quiet.

use std::io::Result;

use crate::arguments::Request;
use crate::exact::{Seen, decimal};
use crate::faults::Plan;
use crate::manifest::Manifest;
use crate::output::Output;
use crate::random::{Mix, Random};
use crate::schedule::Schedule;
use crate::spoil::{Values, push_bad};
use crate::symbols::symbols;
use crate::text::{Clock, MINUTE, SCALE, Stamp, push_number, push_scaled};

const DAY_MINUTES: u64 = 390;
const NAMES: &[&str] = &["symbol", "price", "volume", "timestamp"];
const NAMES_SEQUENCE: &[&str] = &["symbol", "price", "volume", "timestamp", "sequence"];

/// One symbol: how its price is written and moves, and what was traded.
#[derive(Debug)]
struct Symbol {
    name: String,
    /// In units of 10^-SCALE.
    price: i64,
    floor: i64,
    tick: i64,
    decimals: u32,
    count: u64,
    volume: i128,
    notional: i128,
}

/// One trade before it is text.
#[derive(Debug, Clone, Copy)]
struct Trade {
    price: i64,
    volume: i64,
    volume_decimals: u32,
    moment: i64,
    stamp: Stamp,
    sequence: u64,
}

/// Writes the trades of `request`; answers what they are.
pub(crate) fn write(request: &Request, output: &mut Output) -> Result<Manifest> {
    let mut random = Random::new(request.seed);
    let mut market: Vec<Symbol> =
        symbols(request.symbols, request.seed).into_iter().map(|name| listed(name, &mut random)).collect();
    let minutes = match request.groups {
        0 => DAY_MINUTES,
        // A little more than needed, because some minutes stay empty.
        groups => (groups + groups / 50).div_ceil(request.symbols as u64),
    };
    let schedule = Schedule::new(minutes);
    let mix = if request.groups == 0 { Mix::zipf(market.len(), 50.0) } else { Mix::even(market.len()) };
    let plan = Plan::new(request.schema, request);
    let names = if request.sequence { NAMES_SEQUENCE } else { NAMES };
    let mut manifest = Manifest::new(request.ndjson);
    let mut seen = Seen::new(market.len() * minutes as usize);
    let mut clock = Clock::new();
    let mut time = 0;

    if !request.ndjson {
        output.buffer.extend_from_slice(names.join(",").as_bytes());
        output.buffer.push(b'\n');
    }
    while let Some(progress) = request.size.progress(manifest.rows, output.bytes()) {
        let row = manifest.rows;
        let draw = random.next();
        time = if request.shuffle {
            random.below(schedule.length() as u64) as i64
        } else {
            schedule.forward(progress, time, draw)
        };
        let symbol = mix.choose(&mut random);
        let mut trade = market[symbol].trade(&mut random);
        trade.moment = schedule.moment(time);
        // Numbers that disagree with the order of the file, so that reading them matters.
        trade.sequence = row ^ 3;
        let start = output.buffer.len();
        if let Some(chosen) = plan.of(row) {
            let values = Values { names, fields: market[symbol].fields(trade, request.sequence) };
            let reasons = push_bad(&mut output.buffer, values, chosen, request.ndjson, None);
            manifest.bad(&reasons, &output.buffer[start..]);
        } else {
            let listed = &mut market[symbol];
            if request.ndjson {
                listed.push_json(&mut output.buffer, &mut clock, trade, request.sequence);
            } else {
                listed.push_csv(&mut output.buffer, &mut clock, trade, request.sequence);
            }
            listed.count += 1;
            listed.volume += i128::from(trade.volume);
            listed.notional += i128::from(trade.price) * i128::from(trade.volume);
            seen.add(symbol * minutes as usize + (time / MINUTE) as usize);
            manifest.good(1);
        }
        output.row_done()?;
    }
    manifest.groups = seen.count;
    market.sort_by(|one, other| one.name.cmp(&other.name));
    manifest.totals = market.iter().filter(|symbol| symbol.count > 0).map(Symbol::total).collect();
    Ok(manifest)
}

/// A symbol with a starting price; most prices have cents, some three or four decimals.
fn listed(name: String, random: &mut Random) -> Symbol {
    let (decimals, tick) = match random.below(20) {
        0..=15 => (2, 100),
        16 => (3, 10),
        _ => (4, 1),
    };
    let price = random.magnitude(20_000, 8_000_000) as i64 / tick * tick;
    Symbol { name, price, floor: price / 2 / tick * tick, tick, decimals, count: 0, volume: 0, notional: 0 }
}

impl Symbol {
    /// The next trade, all but its time.
    #[inline]
    fn trade(&mut self, random: &mut Random) -> Trade {
        let draw = random.next();
        self.price = (self.price + (draw % 7) as i64 * self.tick - 3 * self.tick).max(self.floor + self.tick);
        let (volume, volume_decimals) = match (draw >> 8) % 2048 {
            0 => (0, 0),
            1..=60 => (random.between(1, 100_000), 4),
            61..=80 => (random.between(1, 1000) * 1000, 1),
            81..=300 => (random.between(1, 20) * 1_000_000, 0),
            _ => (random.magnitude(1, 500) as i64 * 10_000, 0),
        };
        let offset = match (draw >> 20) % 1024 {
            0..=7 => Some(-5 * 60),
            8..=12 => Some(0),
            13..=16 => Some(5 * 60 + 30),
            17 => Some(10 * 60),
            _ => None,
        };
        let stamp = Stamp { fraction: 6, offset };
        Trade { price: self.price, volume, volume_decimals, moment: 0, stamp, sequence: 0 }
    }

    #[inline]
    fn push_csv(&self, out: &mut Vec<u8>, clock: &mut Clock, trade: Trade, sequence: bool) {
        out.extend_from_slice(self.name.as_bytes());
        out.push(b',');
        push_scaled(out, trade.price, self.decimals);
        out.push(b',');
        push_scaled(out, trade.volume, trade.volume_decimals);
        out.push(b',');
        clock.push(out, trade.moment, trade.stamp);
        if sequence {
            out.push(b',');
            push_number(out, trade.sequence);
        }
        out.push(b'\n');
    }

    /// Numbers are bare, or strings in every eighth row: both are seen in the wild.
    #[inline]
    fn push_json(&self, out: &mut Vec<u8>, clock: &mut Clock, trade: Trade, sequence: bool) {
        let quote: &[u8] = if trade.moment % 8 == 0 { b"\"" } else { b"" };
        out.extend_from_slice(b"{\"symbol\":\"");
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(b"\",\"price\":");
        out.extend_from_slice(quote);
        push_scaled(out, trade.price, self.decimals);
        out.extend_from_slice(quote);
        out.extend_from_slice(b",\"volume\":");
        out.extend_from_slice(quote);
        push_scaled(out, trade.volume, trade.volume_decimals);
        out.extend_from_slice(quote);
        out.extend_from_slice(b",\"timestamp\":\"");
        clock.push(out, trade.moment, trade.stamp);
        out.push(b'"');
        if sequence {
            out.extend_from_slice(b",\"sequence\":");
            push_number(out, trade.sequence);
        }
        out.extend_from_slice(b"}\n");
    }

    /// The values of a row that is about to be spoiled.
    fn fields(&self, trade: Trade, sequence: bool) -> Vec<String> {
        let mut row = Vec::new();
        self.push_csv(&mut row, &mut Clock::new(), trade, sequence);
        let row = String::from_utf8_lossy(&row);
        row.trim_end().split(',').map(str::to_owned).collect()
    }

    fn total(&self) -> String {
        format!(
            "{{\"symbol\": \"{}\", \"count\": {}, \"volume\": \"{}\", \"notional\": \"{}\"}}",
            self.name,
            self.count,
            decimal(self.volume, SCALE),
            decimal(self.notional, 2 * SCALE)
        )
    }
}
