//! Good transactions as CSV that the contract `transactions` takes again, with the same result.

use std::io::{Result, Write};

use super::group::{Group, currency_of, status_of};
use crate::batch::WIDE;
use crate::csv::write_field;
use crate::currency::Currency;
use crate::groups::write_scaled;
use crate::time::write_rfc3339;

/// The CSV file being written.
pub(super) struct Csv {
    sink: Box<dyn Write + Send>,
    text: Vec<u8>,
    /// The last day that was written, and from which instant on: most rows are of the day of the row before.
    day: Vec<u8>,
    day_start: i64,
}

const DAY_NS: i64 = 24 * 60 * 60 * 1_000_000_000;

const HEADER: &[u8] = b"transaction_id,timestamp,amount,currency,merchant,status\n";

/// So much text goes to the sink at once, more or less.
const WRITTEN_BYTES: usize = 256 * 1024;

impl Csv {
    pub fn new(sink: Box<dyn Write + Send>) -> Self {
        Self { sink, text: HEADER.to_vec(), day: Vec::new(), day_start: i64::MIN }
    }

    pub fn add(&mut self, group: &Group) -> Result<()> {
        let mut merchants = Vec::new();
        let mut ends = Vec::with_capacity(group.dictionary.ends.len());
        for label in 0..group.dictionary.ends.len() {
            write_field(group.dictionary.get(label), b',', &mut merchants);
            ends.push(merchants.len());
        }
        let Some(amounts) = group.numbers.first() else { return Ok(()) };
        let mut wide = amounts.wide.iter();
        for (row, (time, nano)) in group.times.iter().zip(&amounts.nano).enumerate() {
            let text = &mut self.text;
            write_field(group.texts.get(row), b',', text);
            text.push(b',');
            write_time(*time, &mut self.day, &mut self.day_start, text);
            text.push(b',');
            match *nano {
                WIDE => {
                    let amount = wide.next().map_or(0, |(_, amount)| amount.units());
                    write_number(amount < 0, amount.unsigned_abs(), 18, text);
                }
                nano => write_number(nano < 0, nano.unsigned_abs().into(), 9, text),
            }
            text.push(b',');
            text.extend_from_slice(currency_of(group.codes[row]).map_or("", Currency::code).as_bytes());
            text.push(b',');
            let label = group.labels[row] as usize;
            let start = label.checked_sub(1).map_or(0, |before| ends[before]);
            text.extend_from_slice(&merchants[start..ends[label]]);
            text.push(b',');
            text.extend_from_slice(status_of(group.codes[row]).name().as_bytes());
            text.push(b'\n');
            if text.len() >= WRITTEN_BYTES {
                self.sink.write_all(text)?;
                text.clear();
            }
        }
        Ok(())
    }

    pub fn finish(&mut self) -> Result<()> {
        self.sink.write_all(&self.text)?;
        self.text.clear();
        self.sink.flush()
    }
}

/// As `write_rfc3339`, which is asked for each new day and whatever has a fraction.
#[inline]
fn write_time(time: i64, day: &mut Vec<u8>, day_start: &mut i64, into: &mut Vec<u8>) {
    let since = time.wrapping_sub(*day_start);
    if !(0..DAY_NS).contains(&since) {
        day.clear();
        write_rfc3339(time.div_euclid(DAY_NS) * DAY_NS, day);
        *day_start = time.div_euclid(DAY_NS) * DAY_NS;
    }
    let since = time - *day_start;
    if since % 1_000_000_000 != 0 {
        return write_rfc3339(time, into);
    }
    let second = (since / 1_000_000_000) as u32;
    let from = into.len();
    into.extend_from_slice(day);
    let clock = &mut into[from..];
    for (at, number) in [(11, second / 3600), (14, second / 60 % 60), (17, second % 60)] {
        clock[at] = b'0' + (number / 10) as u8;
        clock[at + 1] = b'0' + (number % 10) as u8;
    }
}

#[inline]
fn write_number(negative: bool, units: u128, scale: u32, into: &mut Vec<u8>) {
    if negative {
        into.push(b'-');
    }
    write_scaled(units, scale, into);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_everywhere() {
        let (mut day, mut start) = (Vec::new(), i64::MIN);
        let second = 1_000_000_000;
        for time in
            [0, 1, second, DAY_NS - 1, DAY_NS - second, DAY_NS, -1, -second, -DAY_NS, 20_458 * DAY_NS + 36_000 * second]
        {
            let mut text = Vec::new();
            write_time(time, &mut day, &mut start, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), crate::time::rfc3339(time));
        }
    }
}
