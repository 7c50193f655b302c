//! Exact totals: 256-bit accumulators that say so when they are full, and the one division there is.

use std::fmt;

use ethnum::{I256, U256};

use super::{Decimal, ONE};

/// Significant digits of a ratio.
const RATIO_DIGITS: usize = 10;
/// The longest decimal number that fits 256 bits has 78 digits.
const DIGITS_MAX: usize = 78;

/// An exact total in units of 10^-`SCALE`. Adding answers whether it fitted; if not, the total is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sum<const SCALE: usize>(I256);

/// A total of numbers.
pub type Sum18 = Sum<18>;
/// A total of products of two numbers.
pub type Sum36 = Sum<36>;

impl<const SCALE: usize> Default for Sum<SCALE> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const SCALE: usize> Sum<SCALE> {
    /// The empty total.
    pub const ZERO: Self = Sum(I256::ZERO);

    /// The total in units of 10^-`SCALE`.
    #[inline]
    pub const fn units(&self) -> I256 {
        self.0
    }

    /// The total of `units`.
    #[inline]
    pub const fn from_units(units: I256) -> Self {
        Sum(units)
    }

    /// Adds another total.
    #[inline]
    #[must_use = "a total that is full must be told"]
    pub fn merge(&mut self, other: &Self) -> bool {
        self.grow(other.0)
    }

    #[inline]
    fn grow(&mut self, units: I256) -> bool {
        match self.0.checked_add(units) {
            Some(total) => {
                self.0 = total;
                true
            }
            None => false,
        }
    }
}

impl Sum<18> {
    /// The total in units of 1e-9, if it is a whole number of them and fits.
    pub(crate) fn nano(&self) -> Option<i128> {
        shorter(self.0, super::NANO)
    }

    /// Adds a number.
    #[inline]
    #[must_use = "a total that is full must be told"]
    pub fn add(&mut self, number: Decimal) -> bool {
        self.add_units(number.units())
    }

    /// Adds units of 1e-18, as a caller may have gathered them in an `i128` of its own.
    #[inline]
    #[must_use = "a total that is full must be told"]
    pub fn add_units(&mut self, units: i128) -> bool {
        self.grow(I256::from(units))
    }
}

impl Sum<36> {
    /// The total in units of 1e-18, if it is a whole number of them and fits.
    pub(crate) fn in_units18(&self) -> Option<i128> {
        shorter(self.0, ONE)
    }

    /// Adds the product of two numbers.
    #[inline]
    #[must_use = "a total that is full must be told"]
    pub fn add_product(&mut self, left: Decimal, right: Decimal) -> bool {
        self.grow(I256::from(left.units()) * I256::from(right.units()))
    }

    /// Adds units of 1e-18, such as the product of two numbers in units of 1e-9.
    #[inline]
    #[must_use = "a total that is full must be told"]
    pub fn add_units18(&mut self, units: i128) -> bool {
        self.grow(I256::from(units) * I256::from(ONE))
    }
}

/// `units` by `unit`, if that leaves nothing and fits.
fn shorter(units: I256, unit: i128) -> Option<i128> {
    let unit = I256::from(unit);
    if units % unit != I256::ZERO {
        return None;
    }
    i128::try_from(units / unit).ok()
}

/// Plain notation: no exponent, no trailing zeros, never `-0`.
impl<const SCALE: usize> fmt::Display for Sum<SCALE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; DIGITS_MAX];
        let digits = decimal_digits(self.0.unsigned_abs(), &mut buffer);
        f.write_str(&plain(self.0.is_negative(), digits, digits.len() as i64 - SCALE as i64))
    }
}

/// `numerator` (units of 1e-36) over `denominator` (units of 1e-18), rounded half to even to ten significant digits.
/// `None` when the denominator is zero.
pub fn ratio10(numerator: I256, denominator: I256) -> Option<String> {
    if denominator == I256::ZERO {
        return None;
    }
    let negative = numerator.is_negative() != denominator.is_negative();
    let divisor = denominator.unsigned_abs();
    let (whole, mut rest) = divide(numerator.unsigned_abs(), divisor);
    let mut buffer = [0; DIGITS_MAX];
    let whole = decimal_digits(whole, &mut buffer);
    // The quotient is in units of 1e-18: its point stands 18 digits before the end of the whole part.
    let mut point = whole.len() as i64 - 18;
    let mut taken = [0; RATIO_DIGITS + 1];
    let mut length = whole.len().min(taken.len());
    taken[..length].copy_from_slice(&whole[..length]);
    let mut more = whole[length..].iter().any(|&digit| digit != 0);
    while length < taken.len() && rest != U256::ZERO {
        let (digit, left) = next_digit(rest, divisor);
        rest = left;
        if length == 0 && digit == 0 {
            point -= 1;
        } else {
            taken[length] = digit;
            length += 1;
        }
    }
    more |= rest != U256::ZERO;
    if length == 0 {
        return Some("0".to_owned());
    }
    if round(&mut taken, more) {
        point += 1;
    }
    Some(plain(negative, &taken[..RATIO_DIGITS], point))
}

/// Rounds the last of `digits` away, half to even; `more` says that something follows them. Answers whether the
/// number grew by a digit, the rest of which are then zeros.
fn round(digits: &mut [u8; RATIO_DIGITS + 1], more: bool) -> bool {
    let last = digits[RATIO_DIGITS];
    let up = last > 5 || (last == 5 && (more || digits[RATIO_DIGITS - 1] % 2 == 1));
    if !up {
        return false;
    }
    for digit in digits[..RATIO_DIGITS].iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return false;
        }
        *digit = 0;
    }
    digits[0] = 1;
    true
}

fn divide(number: U256, by: U256) -> (U256, U256) {
    (number / by, number % by)
}

/// Ten times `rest` over `divisor`, given `rest < divisor <= 2^255`. Ten times `rest` may not fit, so it is reached by
/// doubling (1, 2, 4, 5, 10), taking the divisor away whenever it can be.
fn next_digit(rest: U256, divisor: U256) -> (u8, U256) {
    let add = |(digit, sum): (u8, U256), (other_digit, other): (u8, U256)| {
        let (digit, sum) = (digit + other_digit, sum + other);
        if sum >= divisor { (digit + 1, sum - divisor) } else { (digit, sum) }
    };
    let once = (0, rest);
    let twice = add(once, once);
    let five = add(add(twice, twice), once);
    add(five, five)
}

/// The digits of `number`, the first not zero; none for zero.
fn decimal_digits(number: U256, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
    const CHUNK: u64 = 10_000_000_000_000_000_000;
    let mut number = number;
    let mut at = buffer.len();
    while number != U256::ZERO {
        let (next, chunk) = divide(number, U256::from(CHUNK));
        let mut chunk = chunk.as_u64();
        number = next;
        for _ in 0..19 {
            if at == 0 || (number == U256::ZERO && chunk == 0) {
                break;
            }
            at -= 1;
            buffer[at] = (chunk % 10) as u8;
            chunk /= 10;
        }
    }
    &buffer[at..]
}

/// Writes `0.digits` times ten to the power of `point`, the first digit not zero.
fn plain(negative: bool, digits: &[u8], point: i64) -> String {
    let length = digits.iter().rposition(|&digit| digit != 0).map_or(0, |last| last + 1);
    let digits = &digits[..length];
    if digits.is_empty() {
        return "0".to_owned();
    }
    let places = length as i64;
    let mut text = String::with_capacity(length + point.unsigned_abs() as usize + 3);
    if negative {
        text.push('-');
    }
    if point <= 0 {
        text.push_str("0.");
    }
    for position in point.min(0)..places.max(point) {
        if position == point && position > 0 {
            text.push('.');
        }
        let digit = usize::try_from(position).ok().and_then(|position| digits.get(position));
        text.push(char::from(b'0' + digit.copied().unwrap_or(0)));
    }
    text
}
