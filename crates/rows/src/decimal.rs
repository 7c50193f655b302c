//! Exact decimal numbers: what a price, a volume or an amount is from the text of a file to its totals.
//!
//! A legal number has an absolute value under 1e20 and at most 18 decimals, so it fits an `i128` counting units
//! of 1e-18; so does a product of two of them up to some 1.7e20. `quick` reads the common short notation in a few instructions; `Notation::parse` is the rule itself.

mod notation;
pub(crate) mod print;
pub(crate) mod quick;
mod sum;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Neg;

use ethnum::I256;

use crate::limits::DECIMAL_SCALE_MAX;

pub use notation::{Notation, Scale};
pub(crate) use quick::quick_short;
pub use quick::{quick, quick_at};
pub use sum::{Sum, Sum18, Sum36, ratio10};

/// Units of 1e-18 in one.
const ONE: i128 = 10i128.pow(DECIMAL_SCALE_MAX);
/// Units of 1e-18 in 1e-9.
const NANO: i128 = 1_000_000_000;

/// What 5^9 times gives 1, modulo 2^64.
const INVERSE_OF_5_TO_9: u64 = {
    const FIVE_TO_9: u64 = 1_953_125;
    // Each step doubles the bits that are right, of which an odd number itself has three.
    let mut inverse = FIVE_TO_9;
    let mut bits = 3;
    while bits < 64 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(FIVE_TO_9.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
};

/// An exact decimal number in units of 1e-18.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

/// Why a text is not a number that can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberFault {
    /// Nothing is left of the text.
    Missing,
    /// It is not written as a number.
    Invalid,
    /// Its absolute value is 1e20 or more (of a product: more than units of 1e-18 hold), or its exponent is beyond 60.
    OutOfRange,
    /// It has more than 18 decimals after trailing zeros are dropped.
    TooManyDecimals,
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Decimal = Decimal(0);

    /// The number of `nano` units of 1e-9, as `quick` answers it.
    #[inline]
    pub const fn from_nano(nano: i64) -> Self {
        Decimal(nano as i128 * NANO)
    }

    /// The same with the other sign; the ranges are symmetrical.
    pub const fn negated(self) -> Self {
        Decimal(-self.0)
    }

    /// Whether nothing stands behind the point.
    pub const fn is_whole(self) -> bool {
        self.0 % (NANO * NANO) == 0
    }

    /// The number in units of 1e-9, if it is a whole number of them and fits.
    #[inline]
    pub fn nano(self) -> Option<i64> {
        // 1e-9 is 2^9 times 5^9 units, and to divide by an odd number without a rest is to multiply by its inverse; if
        // there was a rest, the number that comes out is another.
        let nano = ((self.0 >> 9) as u64).wrapping_mul(INVERSE_OF_5_TO_9) as i64;
        (i128::from(nano) * NANO == self.0).then_some(nano)
    }

    /// The number of `units` of 1e-18. That it is under 1e20 is the caller's promise; nothing here breaks without it.
    #[inline]
    pub const fn from_units(units: i128) -> Self {
        Decimal(units)
    }

    /// The number in units of 1e-18.
    #[inline]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The exact product, if units of 1e-18 hold it; it may be larger than a number in a file.
    pub fn checked_mul(self, other: Decimal) -> Result<Decimal, NumberFault> {
        if let (Some(left), Some(right)) = (self.nano(), other.nano()) {
            return Ok(Decimal(i128::from(left) * i128::from(right)));
        }
        let product = I256::from(self.0) * I256::from(other.0);
        let one = I256::from(ONE);
        if (product / one).unsigned_abs() > I256::from(i128::MAX).as_u256() {
            return Err(NumberFault::OutOfRange);
        }
        if product % one != I256::ZERO {
            return Err(NumberFault::TooManyDecimals);
        }
        Ok(Decimal((product / one).as_i128()))
    }
}

impl Neg for Decimal {
    type Output = Decimal;

    #[inline]
    fn neg(self) -> Decimal {
        Decimal(self.0.saturating_neg())
    }
}

/// Plain notation: no exponent, no trailing zeros, never `-0`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let (whole, mut fraction) = (size / ONE as u128, (size % ONE as u128) as u64);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if fraction == 0 {
            return Ok(());
        }
        let mut places = DECIMAL_SCALE_MAX as usize;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            places -= 1;
        }
        write!(f, ".{fraction:0places$}")
    }
}
