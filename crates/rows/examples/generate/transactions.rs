//! Card transactions: thirty days, eight currencies, tens of thousands of merchants.

use std::io::Result;

use crate::arguments::Request;
use crate::exact::{Seen, decimal};
use crate::faults::{Fault, Plan};
use crate::manifest::Manifest;
use crate::merchants::{Merchant, merchant};
use crate::output::Output;
use crate::random::{Mix, Random, mix};
use crate::schedule::FIRST_DAY;
use crate::spoil::{Values, push_bad};
use crate::text::{Clock, DAY, SCALE, SECOND, Stamp, push_scaled};

const NAMES: &[&str] = &["transaction_id", "amount", "currency", "timestamp", "merchant", "status"];
const CURRENCIES: [&str; 8] = ["USD", "EUR", "GBP", "JPY", "CAD", "CHF", "AUD", "SEK"];
const SHARES: [f64; 8] = [40.0, 25.0, 12.0, 6.0, 6.0, 4.0, 4.0, 3.0];
const STATUSES: [&str; 3] = ["completed", "pending", "failed"];
const DAYS: i64 = 30;
const MERCHANTS: usize = 30_000;

/// One transaction before it is text.
#[derive(Debug, Clone, Copy)]
struct Transaction {
    row: u64,
    /// In units of 10^-SCALE.
    amount: i64,
    currency: usize,
    merchant: usize,
    status: usize,
    moment: i64,
    stamp: Stamp,
}

/// Count, sum, least and greatest amount of a currency and status.
#[derive(Debug, Clone, Copy)]
struct Total {
    count: u64,
    sum: i128,
    min: i64,
    max: i64,
}

struct Maker<'a> {
    request: &'a Request,
    random: Random,
    merchants: Vec<Merchant>,
    busy: Mix,
    currencies: Mix,
    /// The currency that a merchant takes.
    home: Vec<usize>,
    /// Scrambles row numbers into ids.
    id_seed: u64,
    time: i64,
}

/// Writes the transactions of `request`; answers what they are.
pub(crate) fn write(request: &Request, output: &mut Output) -> Result<Manifest> {
    let mut maker = Maker::new(request);
    let plan = Plan::new(request.schema, request);
    let mut manifest = Manifest::new(request.ndjson);
    let mut clock = Clock::new();
    let mut seen = Seen::new(CURRENCIES.len() * STATUSES.len() * maker.merchants.len() * DAYS as usize);
    let mut totals = [[Total { count: 0, sum: 0, min: i64::MAX, max: i64::MIN }; STATUSES.len()]; CURRENCIES.len()];
    if !request.ndjson {
        output.buffer.extend_from_slice(NAMES.join(",").as_bytes());
        output.buffer.push(b'\n');
    }
    while let Some(progress) = request.size.progress(manifest.rows, output.bytes()) {
        let transaction = maker.next(manifest.rows, progress);
        let start = output.buffer.len();
        if let Some(chosen) = plan.of(transaction.row) {
            let repeats = chosen.first == Fault::Duplicate || chosen.second == Some(Fault::Duplicate);
            let earlier = if repeats { plan.earlier(transaction.row, chosen.draw) } else { None };
            let earlier = earlier.map(|row| maker.id(row));
            let values = Values { names: NAMES, fields: maker.fields(transaction) };
            let reasons = push_bad(&mut output.buffer, values, chosen, request.ndjson, earlier);
            if !reasons.is_empty() {
                manifest.bad(&reasons, &output.buffer[start..]);
                output.row_done()?;
                continue;
            }
            // There was no earlier id to repeat: the row is good after all.
            output.buffer.truncate(start);
        }
        maker.push(&mut output.buffer, &mut clock, transaction);
        let Transaction { amount, currency, merchant, status, moment, .. } = transaction;
        let total = &mut totals[currency][status];
        total.count += 1;
        total.sum += i128::from(amount);
        total.min = total.min.min(amount);
        total.max = total.max.max(amount);
        let day = (moment / DAY - FIRST_DAY) as usize;
        seen.add(((currency * STATUSES.len() + status) * maker.merchants.len() + merchant) * DAYS as usize + day);
        manifest.good(if request.ndjson { 1 } else { 1 + maker.merchants[merchant].breaks });
        output.row_done()?;
    }
    manifest.groups = seen.count;
    manifest.totals = listed(&totals);
    Ok(manifest)
}

fn listed(totals: &[[Total; STATUSES.len()]; CURRENCIES.len()]) -> Vec<String> {
    let mut lines = Vec::new();
    for (currency, by_status) in CURRENCIES.iter().zip(totals) {
        for (status, total) in STATUSES.iter().zip(by_status).filter(|(_, total)| total.count > 0) {
            lines.push(format!(
                "{{\"currency\": \"{currency}\", \"status\": \"{status}\", \"count\": {}, \"sum\": \"{}\", \
                 \"min\": \"{}\", \"max\": \"{}\"}}",
                total.count,
                decimal(total.sum, SCALE),
                decimal(i128::from(total.min), SCALE),
                decimal(i128::from(total.max), SCALE)
            ));
        }
    }
    lines.sort_unstable();
    lines
}

impl<'a> Maker<'a> {
    fn new(request: &'a Request) -> Self {
        // With `--groups`, as many merchants as fill them with one status and one currency each day.
        let count = match request.groups {
            0 => MERCHANTS,
            groups => (groups / DAYS as u64).max(1) as usize,
        };
        // Steeper than Zipf: a few chains, and a long tail that does not trade every day.
        let weights: Vec<f64> = (0..count)
            .map(|rank| {
                let place = rank as f64 + 20.0;
                1.0 / (place * place.sqrt())
            })
            .collect();
        let currencies = Mix::new(&SHARES);
        let mut random = Random::new(request.seed);
        Maker {
            request,
            merchants: (0..count).map(merchant).collect(),
            busy: if request.groups == 0 { Mix::new(&weights) } else { Mix::even(count) },
            home: (0..count).map(|_| currencies.choose(&mut random)).collect(),
            currencies,
            id_seed: mix(request.seed ^ 0x4944),
            random,
            time: 0,
        }
    }

    /// The id of a row: a bijection of its number, so that ids differ without being remembered.
    fn id(&self, row: u64) -> String {
        format!("txn_{:016x}", mix(self.id_seed ^ row))
    }

    #[inline]
    fn next(&mut self, row: u64, progress: f64) -> Transaction {
        let random = &mut self.random;
        let draw = random.next();
        let merchant = self.busy.choose(random);
        // Every fiftieth customer pays in another currency.
        let currency = if draw.is_multiple_of(50) { self.currencies.choose(random) } else { self.home[merchant] };
        let status = match (draw >> 8) % 100 {
            0..=2 => 2,
            3..=7 => 1,
            _ => 0,
        };
        let cents = random.magnitude(100, 500_000) as i64;
        let amount = match (draw >> 16) % 1000 {
            0 => 0,
            1..=80 => -cents,
            _ => cents,
        };
        let length = DAYS * DAY;
        self.time = if self.request.shuffle {
            random.below(length as u64) as i64
        } else {
            let time = (length as f64 * progress) as i64;
            // One in sixteen is up to an hour late.
            if (draw >> 28).is_multiple_of(16) { (time - random.between(0, 3600 * SECOND)).max(0) } else { time }
        };
        let (fraction, step) = if (draw >> 32).is_multiple_of(20) { (3, 1000) } else { (0, SECOND) };
        let offset = match (draw >> 40) % 64 {
            0 => Some(60),
            1 => Some(-8 * 60),
            _ => None,
        };
        let moment = FIRST_DAY * DAY + self.time / step * step;
        Transaction { row, amount: amount * 100, currency, merchant, status, moment, stamp: Stamp { fraction, offset } }
    }

    #[inline]
    fn push(&self, out: &mut Vec<u8>, clock: &mut Clock, transaction: Transaction) {
        let merchant = &self.merchants[transaction.merchant];
        if self.request.ndjson {
            out.extend_from_slice(b"{\"transaction_id\":\"");
            self.push_id(out, transaction.row);
            out.extend_from_slice(b"\",\"amount\":\"");
            push_scaled(out, transaction.amount, 2);
            out.extend_from_slice(b"\",\"currency\":\"");
            out.extend_from_slice(CURRENCIES[transaction.currency].as_bytes());
            out.extend_from_slice(b"\",\"timestamp\":\"");
            clock.push(out, transaction.moment, transaction.stamp);
            out.extend_from_slice(b"\",\"merchant\":");
            out.extend_from_slice(&merchant.json);
            out.extend_from_slice(b",\"status\":\"");
            out.extend_from_slice(STATUSES[transaction.status].as_bytes());
            out.extend_from_slice(b"\"}\n");
            return;
        }
        self.push_id(out, transaction.row);
        out.push(b',');
        push_scaled(out, transaction.amount, 2);
        out.push(b',');
        out.extend_from_slice(CURRENCIES[transaction.currency].as_bytes());
        out.push(b',');
        clock.push(out, transaction.moment, transaction.stamp);
        out.push(b',');
        out.extend_from_slice(&merchant.csv);
        out.push(b',');
        out.extend_from_slice(STATUSES[transaction.status].as_bytes());
        out.push(b'\n');
    }

    #[inline]
    fn push_id(&self, out: &mut Vec<u8>, row: u64) {
        let id = mix(self.id_seed ^ row);
        let mut text = *b"txn_0000000000000000";
        for (place, letter) in text[4..].iter_mut().enumerate() {
            *letter = b"0123456789abcdef"[(id >> (60 - 4 * place)) as usize & 15];
        }
        out.extend_from_slice(&text);
    }

    /// The values of a row that is about to be spoiled, unquoted.
    fn fields(&self, transaction: Transaction) -> Vec<String> {
        let mut amount = Vec::new();
        push_scaled(&mut amount, transaction.amount, 2);
        let mut timestamp = Vec::new();
        Clock::new().push(&mut timestamp, transaction.moment, transaction.stamp);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        vec![
            self.id(transaction.row),
            text(amount),
            CURRENCIES[transaction.currency].to_owned(),
            text(timestamp),
            self.merchants[transaction.merchant].name.clone(),
            STATUSES[transaction.status].to_owned(),
        ]
    }
}
