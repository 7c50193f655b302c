//! One bar in the making. Numbers are units of 1e-9 in 64 bits as long as they fit; the first that does not turns the
//! group to full width.

mod packed;

use super::{Partial, digits};
use crate::decimal::{Decimal, Sum18, Sum36, ratio10};

/// A bar of one instrument and one bucket of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BarGroup {
    open_at: (i64, u64),
    close_at: (i64, u64),
    /// Open, high, low, close in units of 1e-9; unused once `wide` is there.
    prices: [i64; 4],
    volume: i128,
    notional: i128,
    count: u64,
    wide: Option<Box<Wide>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Wide {
    prices: [Decimal; 4],
    volume: Sum18,
    notional: Sum36,
}

/// A finished bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// First price.
    pub open: Decimal,
    /// Greatest price.
    pub high: Decimal,
    /// Least price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Sum of volumes.
    pub volume: Sum18,
    /// Sum of price times volume; of close times volume when made from bars.
    pub notional: Sum36,
    /// Rows in it.
    pub count: u64,
}

impl Bar {
    /// Notional by volume to ten significant digits; None when the volume is 0.
    pub fn vwap(&self) -> Option<String> {
        ratio10(self.notional.units(), self.volume.units())
    }
}

impl BarGroup {
    /// Adds a trade whose numbers are units of 1e-9. False when a sum leaves its range.
    #[inline(always)]
    pub(crate) fn add_trade(&mut self, at: (i64, u64), price: i64, volume: i64) -> bool {
        if self.wide.is_none() {
            let notional = i128::from(price) * i128::from(volume);
            if let Some(sum) = self.notional.checked_add(notional) {
                self.notional = sum;
                self.volume += i128::from(volume);
                self.place(at, [price; 4], |group| &mut group.prices);
                return true;
            }
        }
        self.add_wide(at, [Decimal::from_nano(price); 4], Decimal::from_nano(volume))
    }

    /// Adds a row of any numbers. False when a sum leaves its range.
    #[inline(never)]
    pub fn add_wide(&mut self, at: (i64, u64), prices: [Decimal; 4], volume: Decimal) -> bool {
        let wide = self.widen();
        let fits = wide.volume.add(volume) && wide.notional.add_product(prices[3], volume);
        self.place(at, prices, |group| &mut group.widen().prices);
        fits
    }

    /// Rows come in file order: of equal ones the first opens and the last closes.
    #[inline(always)]
    fn place<N: Copy + Ord>(&mut self, at: (i64, u64), prices: [N; 4], kept: impl Fn(&mut Self) -> &mut [N; 4]) {
        let first = self.count == 0;
        let (opens, closes) = (first || at < self.open_at, first || at >= self.close_at);
        self.count += 1;
        if opens {
            self.open_at = at;
        }
        if closes {
            self.close_at = at;
        }
        // Chosen without branches: whether a price is the greatest yet cannot be predicted.
        let [open, high, low, close] = *kept(self);
        *kept(self) = [
            if opens { prices[0] } else { open },
            if first { prices[1] } else { high.max(prices[1]) },
            if first { prices[2] } else { low.min(prices[2]) },
            if closes { prices[3] } else { close },
        ];
    }

    fn widen(&mut self) -> &mut Wide {
        let (prices, volume, notional) = (self.prices, self.volume, self.notional);
        self.wide.get_or_insert_with(|| Box::new(widened(prices, volume, notional)))
    }

    fn widened(&self) -> Wide {
        match &self.wide {
            Some(wide) => (**wide).clone(),
            None => widened(self.prices, self.volume, self.notional),
        }
    }

    /// The times of the rows that open and close it: all others lie between them.
    pub(crate) fn span(&self) -> (i64, i64) {
        (self.open_at.0, self.close_at.0)
    }

    /// Appends `open,high,low,close,volume` and, with `traded`, `,trades,notional,vwap`; otherwise these are empty.
    pub fn write_csv(&self, traded: bool, into: &mut Vec<u8>) {
        if self.wide.is_none() && self.write_narrow(traded, into) {
            return;
        }
        let bar = self.bar();
        let Bar { open, high, low, close, volume, notional, count } = &bar;
        let text = match traded {
            false => format!("{open},{high},{low},{close},{volume},,,"),
            true => {
                let vwap = bar.vwap().unwrap_or_default();
                format!("{open},{high},{low},{close},{volume},{count},{notional},{vwap}")
            }
        };
        into.extend_from_slice(text.as_bytes());
    }

    /// The same by 64- and 128-bit arithmetic; false, and nothing written, when that is too narrow.
    fn write_narrow(&self, traded: bool, into: &mut Vec<u8>) -> bool {
        let (Ok(volume), Ok(notional)) = (u128::try_from(self.volume), u128::try_from(self.notional)) else {
            return false;
        };
        if self.prices.iter().any(|price| *price < 0) {
            return false;
        }
        let Some(vwap) = digits::quick_ratio10(notional, volume) else { return false };
        for price in self.prices {
            digits::write_scaled(price.unsigned_abs().into(), 9, into);
            into.push(b',');
        }
        digits::write_scaled(volume, 9, into);
        if !traded {
            into.extend_from_slice(b",,,");
            return true;
        }
        into.push(b',');
        digits::write_scaled(self.count.into(), 0, into);
        into.push(b',');
        digits::write_scaled(notional, 18, into);
        into.push(b',');
        if let Some((digits, scale)) = vwap {
            digits::write_scaled(digits.into(), scale, into);
        }
        true
    }

    /// The bar as it stands.
    pub fn bar(&self) -> Bar {
        let wide = self.widened();
        let [open, high, low, close] = wide.prices;
        Bar { open, high, low, close, volume: wide.volume, notional: wide.notional, count: self.count }
    }
}

/// 64-bit prices, volume in 1e-9 and notional in 1e-18, at full width.
fn widened(prices: [i64; 4], volume: i128, notional: i128) -> Wide {
    let scale = |units: i128, factor: u64| ethnum::I256::from(units) * ethnum::I256::from(factor);
    Wide {
        prices: prices.map(Decimal::from_nano),
        volume: Sum18::from_units(scale(volume, 1_000_000_000)),
        notional: Sum36::from_units(scale(notional, 1_000_000_000_000_000_000)),
    }
}

impl Partial for BarGroup {
    fn touch(&self) -> u64 {
        self.count ^ self.open_at.1 ^ self.prices[0] as u64 ^ self.notional as u64
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
            (None, None) => self.volume.checked_add(later.volume).zip(self.notional.checked_add(later.notional)),
            _ => None,
        };
        let (opens, closes) = (later.open_at < self.open_at, later.close_at >= self.close_at);
        if let Some((volume, notional)) = narrow {
            self.prices = joined(self.prices, later.prices, opens, closes);
            (self.volume, self.notional) = (volume, notional);
        } else {
            let theirs = later.widened();
            let wide = self.widen();
            wide.prices = joined(wide.prices, theirs.prices, opens, closes);
            if !(wide.volume.merge(&theirs.volume) && wide.notional.merge(&theirs.notional)) {
                return false;
            }
        }
        self.count = count;
        if opens {
            self.open_at = later.open_at;
        }
        if closes {
            self.close_at = later.close_at;
        }
        true
    }
}

/// Open, high, low, close of two bars together.
fn joined<N: Ord>(earlier: [N; 4], later: [N; 4], opens: bool, closes: bool) -> [N; 4] {
    let ([open, high, low, close], [later_open, later_high, later_low, later_close]) = (earlier, later);
    [
        if opens { later_open } else { open },
        high.max(later_high),
        low.min(later_low),
        if closes { later_close } else { close },
    ]
}
