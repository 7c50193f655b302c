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
}

const HEADER: &[u8] = b"transaction_id,timestamp,amount,currency,merchant,status\n";

/// So much text goes to the sink at once, more or less.
const WRITTEN_BYTES: usize = 256 * 1024;

impl Csv {
    pub fn new(sink: Box<dyn Write + Send>) -> Self {
        Self { sink, text: HEADER.to_vec() }
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
            write_rfc3339(*time, text);
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

#[inline]
fn write_number(negative: bool, units: u128, scale: u32, into: &mut Vec<u8>) {
    if negative {
        into.push(b'-');
    }
    write_scaled(units, scale, into);
}
