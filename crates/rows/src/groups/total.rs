//! One total in the making: transactions of one currency, status, merchant and day.

mod packed;

use super::{Partial, digits};
use crate::decimal::{Decimal, Sum18};

/// Count, sum, least and greatest amount.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TotalGroup {
    count: u64,
    /// Units of 1e-9; unused once `wide` is there.
    sum: i128,
    min: i64,
    max: i64,
    wide: Option<Box<Wide>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Wide {
    sum: Sum18,
    min: Decimal,
    max: Decimal,
}

/// A finished total.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// Transactions in it.
    pub count: u64,
    /// Sum of their amounts.
    pub sum: Sum18,
    /// Least amount.
    pub min: Decimal,
    /// Greatest amount.
    pub max: Decimal,
}

impl TotalGroup {
    /// Adds an amount in units of 1e-9. False when the sum leaves its range.
    #[inline]
    pub(crate) fn add(&mut self, amount: i64) -> bool {
        if self.wide.is_some() {
            return self.add_wide(Decimal::from_nano(amount));
        }
        self.sum += i128::from(amount);
        if self.count == 0 || amount < self.min {
            self.min = amount;
        }
        if self.count == 0 || amount > self.max {
            self.max = amount;
        }
        self.count += 1;
        true
    }

    /// Adds any amount.
    pub(crate) fn add_wide(&mut self, amount: Decimal) -> bool {
        let first = self.count == 0;
        self.count += 1;
        let wide = self.widen();
        if first || amount < wide.min {
            wide.min = amount;
        }
        if first || amount > wide.max {
            wide.max = amount;
        }
        wide.sum.add(amount)
    }

    fn widen(&mut self) -> &mut Wide {
        let (sum, min, max) = (self.sum, self.min, self.max);
        self.wide.get_or_insert_with(|| Box::new(widened(sum, min, max)))
    }

    fn widened(&self) -> Wide {
        match &self.wide {
            Some(wide) => (**wide).clone(),
            None => widened(self.sum, self.min, self.max),
        }
    }

    /// Appends `count,sum,min,max`.
    pub fn write_csv(&self, into: &mut Vec<u8>) {
        if self.wide.is_some() {
            let Total { count, sum, min, max } = self.total();
            into.extend_from_slice(format!("{count},{sum},{min},{max}").as_bytes());
            return;
        }
        digits::write_scaled(self.count.into(), 0, into);
        for nano in [self.sum, self.min.into(), self.max.into()] {
            into.extend_from_slice(if nano < 0 { b",-" } else { b"," });
            digits::write_scaled(nano.unsigned_abs(), 9, into);
        }
    }

    /// The total as it stands.
    pub fn total(&self) -> Total {
        let wide = self.widened();
        Total { count: self.count, sum: wide.sum, min: wide.min, max: wide.max }
    }
}

fn widened(sum: i128, min: i64, max: i64) -> Wide {
    let sum = Sum18::from_units(ethnum::I256::from(sum) * ethnum::I256::from(1_000_000_000u64));
    Wide { sum, min: Decimal::from_nano(min), max: Decimal::from_nano(max) }
}

impl Partial for TotalGroup {
    fn touch(&self) -> u64 {
        self.count ^ self.sum as u64
    }

    fn encode(&self, into: &mut Vec<u8>) {
        packed::encode(self, into);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        packed::decode(bytes)
    }

    fn merge(&mut self, later: &Self) -> bool {
        let Some(count) = self.count.checked_add(later.count) else { return false };
        let narrow = match (&self.wide, &later.wide) {
            (None, None) => self.sum.checked_add(later.sum),
            _ => None,
        };
        self.count = count;
        if let Some(sum) = narrow {
            self.sum = sum;
            self.min = self.min.min(later.min);
            self.max = self.max.max(later.max);
            return true;
        }
        let theirs = later.widened();
        let wide = self.widen();
        wide.min = wide.min.min(theirs.min);
        wide.max = wide.max.max(theirs.max);
        wide.sum.merge(&theirs.sum)
    }
}
