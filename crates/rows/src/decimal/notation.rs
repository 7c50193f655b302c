//! How a partner writes numbers, and the rule that decides what a text is worth.

use super::{Decimal, NumberFault};
use crate::limits::{DECIMAL_DIGITS_MAX, DECIMAL_EXPONENT_MAX, DECIMAL_SCALE_MAX};

/// Significant digits that are looked at. A legal result never needs more, even before a scale is applied;
/// past them it only matters whether anything but zeros follows.
const DIGITS_KEPT: usize = 66;
/// Most significant digits of a scale factor.
const SCALE_DIGITS_MAX: usize = 9;
/// Legal numbers are below ten to this power.
const PLACES_MAX: i64 = (DECIMAL_DIGITS_MAX - DECIMAL_SCALE_MAX) as i64;

/// How numbers are written. The default is plain: `-?digits[.digits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notation {
    /// Whether `e-7` may follow.
    pub exponent: bool,
    /// Whether a leading `+` is dropped.
    pub plus: bool,
    /// The decimal mark. A point keeps its meaning beside it, unless it is the thousands mark.
    pub decimal: char,
    /// Dropped wherever it stands.
    pub thousands: Option<char>,
    /// Characters dropped wherever they stand.
    pub strip: String,
    /// What every number is multiplied by.
    pub scale: Option<Scale>,
}

impl Default for Notation {
    fn default() -> Self {
        Self { exponent: false, plus: false, decimal: '.', thousands: None, strip: String::new(), scale: None }
    }
}

impl Notation {
    /// Whether nothing is dropped, replaced or scaled: `quick` may be asked before `parse`.
    pub fn is_plain(&self) -> bool {
        !self.plus && self.decimal == '.' && self.thousands.is_none() && self.strip.is_empty() && self.scale.is_none()
    }

    /// The number that `text` stands for. Allocates nothing, however long the text.
    pub fn parse(&self, text: &[u8]) -> Result<Decimal, NumberFault> {
        let mut scan = Scan::new(self.exponent);
        if self.is_plain() {
            for &byte in text {
                scan.push(byte)?;
            }
            return scan.finish(None);
        }
        // A byte that is not text cannot be dropped, so it stays and is no number.
        let text = std::str::from_utf8(text).map_err(|_| NumberFault::Invalid)?;
        let mut plus = self.plus;
        for mark in text.chars() {
            let Some(byte) = self.plain_byte(mark) else { continue };
            if byte == b'+' && plus {
                plus = false;
                continue;
            }
            plus = false;
            scan.push(byte)?;
        }
        scan.finish(self.scale)
    }

    /// The mark in plain notation; `None` when it is dropped.
    fn plain_byte(&self, mark: char) -> Option<u8> {
        if Some(mark) == self.thousands || (!self.strip.is_empty() && self.strip.contains(mark)) {
            return None;
        }
        if mark == self.decimal {
            return Some(b'.');
        }
        // Whatever is not ASCII is no part of a number; neither is this letter.
        Some(u8::try_from(mark).ok().filter(u8::is_ascii).unwrap_or(b'x'))
    }
}

/// A factor kept exactly: at most nine significant digits and a power of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    negative: bool,
    digits: u32,
    power: i64,
}

impl Scale {
    /// Reads `0.00001`, `100` or `1e-5`. The error says what is wrong with it and what to write instead.
    pub fn parse(text: &str) -> Result<Scale, String> {
        let mut scan = Scan::new(true);
        let read = text.bytes().try_for_each(|byte| scan.push(byte)).and_then(|()| scan.close());
        let (mantissa, power) =
            read.map_err(|_| format!("scale {text:?} is not a number: write it as 0.00001, 100 or 1e-5"))?;
        let size = &mantissa.digits[..mantissa.length];
        if size.is_empty() {
            return Err(format!("scale {text:?} is zero: leave it out, or write the factor to multiply by"));
        }
        if mantissa.cut || size.len() > SCALE_DIGITS_MAX {
            return Err(format!("scale {text:?} has more than {SCALE_DIGITS_MAX} significant digits: round it"));
        }
        let digits = size.iter().fold(0, |number, &digit| number * 10 + u32::from(digit));
        Ok(Scale { negative: scan.negative, digits, power })
    }
}

/// Significant digits, the first not zero, as far as they are kept.
#[derive(Clone, Copy)]
struct Mantissa {
    digits: [u8; DIGITS_KEPT + SCALE_DIGITS_MAX],
    length: usize,
    /// Something other than zeros was not kept.
    cut: bool,
}

impl Mantissa {
    /// Drops trailing zeros; answers how many.
    fn trim(&mut self) -> i64 {
        let kept = self.digits[..self.length].iter().rposition(|&digit| digit != 0).map_or(0, |last| last + 1);
        let dropped = self.length - kept;
        self.length = kept;
        dropped as i64
    }

    /// Multiplies by a factor of at most nine digits.
    fn multiply(&self, factor: u32) -> Mantissa {
        let mut product = Mantissa { digits: [0; DIGITS_KEPT + SCALE_DIGITS_MAX], length: 0, cut: self.cut };
        let mut carry: u64 = 0;
        let mut at = self.length + SCALE_DIGITS_MAX;
        for &digit in self.digits[..self.length].iter().rev() {
            carry += u64::from(digit) * u64::from(factor);
            at -= 1;
            product.digits[at] = (carry % 10) as u8;
            carry /= 10;
        }
        while carry > 0 {
            at -= 1;
            product.digits[at] = (carry % 10) as u8;
            carry /= 10;
        }
        product.digits.copy_within(at.., 0);
        product.length = self.length + SCALE_DIGITS_MAX - at;
        product
    }

    /// The digits as one number; at most 38 of them.
    fn number(&self) -> u128 {
        let (high, low) = self.digits[..self.length].split_at(self.length.min(19));
        let high = high.iter().fold(0u64, |number, &digit| number * 10 + u64::from(digit));
        low.iter().fold(u128::from(high), |number, &digit| number * 10 + u128::from(digit))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Sign,
    Whole,
    Point,
    Fraction,
    ExponentMark,
    ExponentSign,
    Exponent,
}

/// A number on its way through the grammar, one byte at a time.
struct Scan {
    exponent_taken: bool,
    state: State,
    negative: bool,
    mantissa: Mantissa,
    /// Digits after the decimal point.
    decimals: i64,
    /// Digits left out at the end of the mantissa.
    omitted: i64,
    exponent: i64,
    exponent_negative: bool,
    exponent_digits: u8,
}

impl Scan {
    fn new(exponent_taken: bool) -> Self {
        Self {
            exponent_taken,
            state: State::Start,
            negative: false,
            mantissa: Mantissa { digits: [0; DIGITS_KEPT + SCALE_DIGITS_MAX], length: 0, cut: false },
            decimals: 0,
            omitted: 0,
            exponent: 0,
            exponent_negative: false,
            exponent_digits: 0,
        }
    }

    #[inline]
    fn push(&mut self, byte: u8) -> Result<(), NumberFault> {
        use State::{Exponent, ExponentMark, ExponentSign, Fraction, Point, Sign, Start, Whole};
        self.state = match (self.state, byte) {
            (Start | Sign | Whole, b'0'..=b'9') => {
                self.digit(byte - b'0');
                Whole
            }
            (Point | Fraction, b'0'..=b'9') => {
                self.decimals += 1;
                self.digit(byte - b'0');
                Fraction
            }
            (Start, b'-') => {
                self.negative = true;
                Sign
            }
            (Whole, b'.') => Point,
            (Whole | Fraction, b'e' | b'E') if self.exponent_taken => ExponentMark,
            (ExponentMark, b'+') => ExponentSign,
            (ExponentMark, b'-') => {
                self.exponent_negative = true;
                ExponentSign
            }
            (ExponentMark | ExponentSign | Exponent, b'0'..=b'9') if self.exponent_digits < 6 => {
                self.exponent_digits += 1;
                self.exponent = self.exponent * 10 + i64::from(byte - b'0');
                Exponent
            }
            _ => return Err(NumberFault::Invalid),
        };
        Ok(())
    }

    #[inline]
    fn digit(&mut self, digit: u8) {
        let mantissa = &mut self.mantissa;
        if mantissa.length == 0 && digit == 0 {
            return;
        }
        if mantissa.length < DIGITS_KEPT {
            mantissa.digits[mantissa.length] = digit;
            mantissa.length += 1;
        } else {
            self.omitted += 1;
            mantissa.cut |= digit != 0;
        }
    }

    /// The mantissa without trailing zeros and the power of ten of its last digit.
    fn close(&self) -> Result<(Mantissa, i64), NumberFault> {
        match self.state {
            State::Start => return Err(NumberFault::Missing),
            State::Whole | State::Fraction | State::Exponent => {}
            _ => return Err(NumberFault::Invalid),
        }
        if self.exponent > DECIMAL_EXPONENT_MAX {
            return Err(NumberFault::OutOfRange);
        }
        let exponent = if self.exponent_negative { -self.exponent } else { self.exponent };
        let mut mantissa = self.mantissa;
        let power = self.omitted - self.decimals + exponent + mantissa.trim();
        Ok((mantissa, power))
    }

    fn finish(&self, scale: Option<Scale>) -> Result<Decimal, NumberFault> {
        let (mut mantissa, mut power) = self.close()?;
        let mut negative = self.negative;
        if mantissa.length == 0 {
            return Ok(Decimal::ZERO);
        }
        if let Some(scale) = scale {
            mantissa = mantissa.multiply(scale.digits);
            power += scale.power + mantissa.trim();
            negative ^= scale.negative;
        }
        if mantissa.length as i64 + power > PLACES_MAX {
            return Err(NumberFault::OutOfRange);
        }
        let shift = power + i64::from(DECIMAL_SCALE_MAX);
        if mantissa.cut || shift < 0 {
            return Err(NumberFault::TooManyDecimals);
        }
        // Below 1e20 and with no more than 18 decimals, the units are below 1e38: neither step can overflow.
        let units = (mantissa.number() * 10u128.pow(shift as u32)) as i128;
        Ok(Decimal::from_units(if negative { -units } else { units }))
    }
}
