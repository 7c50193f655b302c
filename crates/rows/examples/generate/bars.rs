//! Bars: every symbol, minute by minute.

use std::io::Result;

use crate::arguments::{Request, Size};
use crate::exact::decimal;
use crate::faults::Plan;
use crate::manifest::Manifest;
use crate::output::Output;
use crate::random::Random;
use crate::schedule::Schedule;
use crate::spoil::{Values, push_bad};
use crate::symbols::symbols;
use crate::text::{Clock, MINUTE, SCALE, Stamp, push_scaled};

const NAMES: &[&str] = &["symbol", "timestamp", "open", "high", "low", "close", "volume"];
/// Shorter than any row, to know before writing how many minutes the file may need.
const ROW_BYTES_MIN: u64 = 45;
const STAMP: Stamp = Stamp { fraction: 0, offset: None };

#[derive(Debug)]
struct Symbol {
    name: String,
    close: i64,
    count: u64,
    volume: i128,
    notional: i128,
}

/// Open, high, low, close and volume in units of 10^-SCALE.
#[derive(Debug, Clone, Copy)]
struct Bar {
    prices: [i64; 4],
    volume: i64,
}

/// Writes the bars of `request`; answers what they are. The notional weighs closes by volume.
pub(crate) fn write(request: &Request, output: &mut Output) -> Result<Manifest> {
    let mut random = Random::new(request.seed);
    let mut market: Vec<Symbol> = symbols(request.symbols, request.seed)
        .into_iter()
        .map(|name| {
            let close = random.magnitude(20_000, 8_000_000) as i64 / 100 * 100;
            Symbol { name, close, count: 0, volume: 0, notional: 0 }
        })
        .collect();
    let rows_max = match request.size {
        Size::Rows(rows) => rows,
        Size::Bytes(bytes) => bytes / ROW_BYTES_MIN,
    };
    let schedule = Schedule::new(rows_max / market.len() as u64 + 1);
    let plan = Plan::new(request.schema, request);
    let mut manifest = Manifest::new(request.ndjson);
    let mut clock = Clock::new();
    if !request.ndjson {
        output.buffer.extend_from_slice(NAMES.join(",").as_bytes());
        output.buffer.push(b'\n');
    }
    while request.size.progress(manifest.rows, output.bytes()).is_some() {
        let row = manifest.rows;
        let moment = schedule.moment((row / market.len() as u64) as i64 * MINUTE);
        let symbol = (row % market.len() as u64) as usize;
        let symbol = &mut market[symbol];
        let bar = symbol.bar(&mut random);
        let start = output.buffer.len();
        if let Some(chosen) = plan.of(row) {
            let values = Values { names: NAMES, fields: symbol.fields(moment, bar) };
            let reasons = push_bad(&mut output.buffer, values, chosen, request.ndjson, None);
            manifest.bad(&reasons, &output.buffer[start..]);
        } else {
            symbol.push(&mut output.buffer, &mut clock, moment, bar, request.ndjson);
            symbol.count += 1;
            symbol.volume += i128::from(bar.volume);
            symbol.notional += i128::from(bar.prices[3]) * i128::from(bar.volume);
            manifest.good(1);
        }
        output.row_done()?;
    }
    // A symbol has one bar a minute.
    manifest.groups = manifest.good;
    market.sort_by(|one, other| one.name.cmp(&other.name));
    manifest.totals = market.iter().filter(|symbol| symbol.count > 0).map(Symbol::total).collect();
    Ok(manifest)
}

impl Symbol {
    fn bar(&mut self, random: &mut Random) -> Bar {
        let draw = random.next();
        let open = self.close;
        let close = (open + (draw % 41) as i64 * 100 - 2000).max(10_000);
        let high = open.max(close) + (draw >> 8) as i64 % 10 * 100;
        let low = (open.min(close) - (draw >> 16) as i64 % 10 * 100).max(100);
        self.close = close;
        let volume = if (draw >> 24).is_multiple_of(500) { 0 } else { random.magnitude(1, 100_000) as i64 * 10_000 };
        Bar { prices: [open, high, low, close], volume }
    }

    fn push(&self, out: &mut Vec<u8>, clock: &mut Clock, moment: i64, bar: Bar, ndjson: bool) {
        let opening: [&[u8]; 2] = if ndjson { [b"{\"symbol\":\"", b"\",\"timestamp\":\""] } else { [b"", b","] };
        out.extend_from_slice(opening[0]);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(opening[1]);
        clock.push(out, moment, STAMP);
        if ndjson {
            out.push(b'"');
        }
        for (name, price) in NAMES[2..].iter().zip(bar.prices) {
            push_name(out, name, ndjson);
            push_scaled(out, price, 2);
        }
        push_name(out, NAMES[6], ndjson);
        push_scaled(out, bar.volume, 0);
        out.extend_from_slice(if ndjson { b"}\n" } else { b"\n" });
    }

    fn fields(&self, moment: i64, bar: Bar) -> Vec<String> {
        let mut row = Vec::new();
        self.push(&mut row, &mut Clock::new(), moment, bar, false);
        String::from_utf8_lossy(&row).trim_end().split(',').map(str::to_owned).collect()
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

fn push_name(out: &mut Vec<u8>, name: &str, ndjson: bool) {
    out.push(b',');
    if ndjson {
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    }
}
