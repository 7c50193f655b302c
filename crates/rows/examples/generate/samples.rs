//! Three small files for the README and the demo: believable at first sight, each with a few faults of the kind that
//! partners really send.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::random::{Mix, Random};
use crate::schedule::Schedule;
use crate::text::{Clock, DAY, MINUTE, SECOND, Stamp, csv_field, push_scaled};

/// Symbol, opening price in cents, and how far it drifts over the hour, in cents.
const MARKET: [(&str, i64, i64); 6] = [
    ("AAPL", 24_130, 210),
    ("AMZN", 22_675, -140),
    ("MSFT", 48_620, 95),
    ("NVDA", 18_842, 460),
    ("SPY", 68_318, 60),
    ("TSLA", 43_790, -820),
];
const SHARES: [f64; 6] = [22.0, 12.0, 11.0, 27.0, 16.0, 12.0];
const TRADES: usize = 3600;
const TRANSACTIONS: usize = 360;

/// Rows of `trades.csv` that are replaced: where, and by what.
const BAD_TRADES: [(usize, &[u8]); 12] = [
    (211, b"AAPL,N/A,100,2026-01-02T14:31:02.114902Z"),
    (498, b",188.97,40,2026-01-02T14:33:10.550121Z"),
    (733, b"TSLA,-437.12,25,2026-01-02T14:36:44.002318Z"),
    (1004, b"MSFT,486.31,-100,2026-01-02T14:41:09.771020Z"),
    (1287, b"NVDA,189.44,60,2026-01-02T14:46:31.406777"),
    (1460, b"SPY,683.40,10,2026-02-30T14:49:58.120004Z"),
    (1699, b"AMZN,226.41"),
    (1933, b"AAPL,242.08,1,250,2026-01-02T14:58:03.900451Z"),
    (2260, b"NVDA,190.1200000000000000001,15,2026-01-02T15:03:27.318840Z"),
    (2518, b"MSFT,99999999999999999999999,5,2026-01-02T15:08:40.006128Z"),
    (2790, b"TS\xffLA,432.66,30,2026-01-02T15:14:12.483390Z"),
    (3302, b"AMZN,22O.50,18,"),
];

const MERCHANTS: [&str; 12] = [
    "Blue Harbor Coffee",
    "Northgate Books",
    "Caf\u{e9} Lumi\u{e8}re",
    "Olive & Fern",
    "Smith, Jones and Daughters",
    "The \"Corner\" Bakery",
    "Ridge Outdoor",
    "Quay Fuel",
    "Maple Pharmacy",
    "Hotel Stonebridge",
    "Harbor Grill\nTerminal 2",
    "Swift Travel",
];

/// Faults of `transactions.csv`: row, column, what stands there instead.
const BAD_TRANSACTIONS: [(usize, usize, &str); 9] = [
    (41, 1, "12,50"),
    (77, 2, "usd"),
    (118, 4, ""),
    (150, 5, "COMPLETED"),
    (203, 3, "2026-01-14 09:12:00"),
    (229, 2, "XXX"),
    (263, 1, ""),
    (263, 5, "unknown"),
    (301, 3, "2026-01-15T18:45:10"),
];
/// This row brings the id of an earlier one.
const REPEATED: (usize, usize) = (287, 35);

/// Writes `trades.csv`, `transactions.csv` and `bars.ndjson.gz` into `directory`.
pub(crate) fn write(directory: &Path) -> Result<String, String> {
    let problem = |error: std::io::Error| format!("{} could not be written: {error}", directory.display());
    std::fs::create_dir_all(directory).map_err(problem)?;
    std::fs::write(directory.join("trades.csv"), trades()).map_err(problem)?;
    std::fs::write(directory.join("transactions.csv"), transactions()).map_err(problem)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bars()).map_err(problem)?;
    std::fs::write(directory.join("bars.ndjson.gz"), encoder.finish().map_err(problem)?).map_err(problem)?;
    Ok(format!("{}: trades.csv, transactions.csv, bars.ndjson.gz", directory.display()))
}

/// Where a price is at `time` of `whole`: a straight drift and a wave of its own for each symbol.
fn level(symbol: usize, time: i64, whole: i64) -> i64 {
    let (_, open, drift) = MARKET[symbol];
    let period = 7 * MINUTE + symbol as i64 * 110 * SECOND;
    let phase = time % period;
    let wave = if phase < period / 2 { phase } else { period - phase };
    open + drift * time / whole + wave * (open / 500) / period
}

fn trades() -> Vec<u8> {
    let mut random = Random::new(2026);
    let mix = Mix::new(&SHARES);
    let schedule = Schedule::new(60);
    let whole = schedule.length();
    // The open is busy: the square pulls the times to the front, the plain part keeps the rest alive.
    let mut times: Vec<i64> = (0..TRADES)
        .map(|_| {
            let part = random.below(1_000_000) as i64;
            let early = part * part / 1_000_000;
            let part = if random.once_in(3) { early } else { part };
            whole / 1_000_000 * part + random.below(3600) as i64
        })
        .collect();
    times.sort_unstable();
    let mut clock = Clock::new();
    let mut out = b"symbol,price,volume,timestamp\n".to_vec();
    for (row, time) in times.into_iter().enumerate() {
        if let Some((_, bad)) = BAD_TRADES.iter().find(|(place, _)| *place == row) {
            out.extend_from_slice(bad);
            out.push(b'\n');
            continue;
        }
        let symbol = mix.choose(&mut random);
        let price = level(symbol, time, whole) + random.between(-4, 5);
        let volume = if random.once_in(5) { random.between(1, 10) * 100 } else { random.magnitude(1, 200) as i64 };
        out.extend_from_slice(MARKET[symbol].0.as_bytes());
        out.push(b',');
        push_scaled(&mut out, price * 100, 2);
        out.push(b',');
        push_scaled(&mut out, volume * 10_000, 0);
        out.push(b',');
        clock.push(&mut out, schedule.moment(time), Stamp { fraction: 6, offset: None });
        out.push(b'\n');
    }
    out
}

fn transactions() -> Vec<u8> {
    let mut random = Random::new(77);
    let currencies = Mix::new(&[50.0, 30.0, 20.0]);
    let mut clock = Clock::new();
    let mut out = b"transaction_id,amount,currency,timestamp,merchant,status\n".to_vec();
    let first = (crate::schedule::FIRST_DAY + 11) * DAY + 7 * 60 * MINUTE;
    for row in 0..TRANSACTIONS {
        let moment = first + (row as i64 * 670 + random.below(600) as i64) * SECOND;
        let cents = random.magnitude(200, 40_000) as i64;
        let amount = if random.once_in(14) { -cents } else { cents };
        let mut text = [Vec::new(), Vec::new()];
        push_scaled(&mut text[0], amount * 100, 2);
        clock.push(&mut text[1], moment, Stamp { fraction: 0, offset: None });
        let [amount, timestamp] = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let number = if row == REPEATED.0 { REPEATED.1 } else { row };
        let status = match random.below(20) {
            0 => "failed",
            1 | 2 => "pending",
            _ => "completed",
        };
        let mut fields = [
            format!("txn_{:06}", 480_117 + number * 3),
            amount,
            ["USD", "EUR", "GBP"][currencies.choose(&mut random)].to_owned(),
            timestamp,
            MERCHANTS[random.below(MERCHANTS.len() as u64) as usize].to_owned(),
            status.to_owned(),
        ];
        for (_, column, value) in BAD_TRANSACTIONS.iter().filter(|(place, ..)| *place == row) {
            (*value).clone_into(&mut fields[*column]);
        }
        let fields = fields.map(|field| csv_field(field.as_bytes()));
        out.extend_from_slice(&fields.join(&b','));
        out.push(b'\n');
    }
    out
}

fn bars() -> Vec<u8> {
    let mut random = Random::new(11);
    let schedule = Schedule::new(60);
    let whole = schedule.length();
    let mut clock = Clock::new();
    let mut out = Vec::new();
    for minute in 0..60 {
        for (symbol, (name, ..)) in MARKET.iter().enumerate() {
            let open = level(symbol, minute * MINUTE, whole) + random.between(-3, 4);
            let close = level(symbol, (minute + 1) * MINUTE - 1, whole) + random.between(-3, 4);
            let mut high = open.max(close) + random.between(0, 12);
            let low = open.min(close) - random.between(0, 12);
            // Two bars that cannot be: the high under the low, and a close that was not sent.
            if (minute, *name) == (17, "TSLA") {
                high = low - 25;
            }
            let volume = random.magnitude(400, 9000) as i64;
            out.extend_from_slice(format!("{{\"symbol\":\"{name}\",\"timestamp\":\"").as_bytes());
            clock.push(&mut out, schedule.moment(minute * MINUTE), Stamp { fraction: 0, offset: None });
            for (key, price) in [("\",\"open\":", open), (",\"high\":", high), (",\"low\":", low)] {
                out.extend_from_slice(key.as_bytes());
                push_scaled(&mut out, price * 100, 2);
            }
            if (minute, *name) == (42, "AMZN") {
                out.extend_from_slice(b",\"close\":null");
            } else {
                out.extend_from_slice(b",\"close\":");
                push_scaled(&mut out, close * 100, 2);
            }
            out.extend_from_slice(format!(",\"volume\":{volume}}}\n").as_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_their_rows() {
        assert_eq!(trades().iter().filter(|&&byte| byte == b'\n').count(), 1 + TRADES);
        let text = String::from_utf8(transactions()).unwrap();
        assert_eq!(text.matches("\ntxn_").count(), TRANSACTIONS);
        let repeated = format!("txn_{:06}", 480_117 + REPEATED.1 * 3);
        assert_eq!(text.matches(&repeated).count(), 2);
        assert_eq!(bars().iter().filter(|&&byte| byte == b'\n').count(), 360);
    }
}
