//! The oracle of sums: decimals as digits, added and multiplied as at school. Slow, and too simple to be wrong.

use std::cmp::Ordering;

/// A decimal number: its sign, and its digits as `digits * 10^-36`, least first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exact {
    is_negative: bool,
    digits: Vec<u8>,
}

const SCALE: usize = 36;

impl Exact {
    pub(crate) fn zero() -> Self {
        Self { is_negative: false, digits: Vec::new() }
    }

    /// `-12.5`; at most 36 decimals.
    pub(crate) fn parse(text: &str) -> Self {
        let (is_negative, size) = match text.strip_prefix('-') {
            Some(size) => (true, size),
            None => (false, text),
        };
        let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
        let mut digits = vec![0; SCALE - fraction.len()];
        digits.extend(fraction.bytes().rev().chain(whole.bytes().rev()).map(|digit| digit - b'0'));
        Self { is_negative, digits }.trimmed()
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        if self.is_negative == other.is_negative {
            let digits = added(&self.digits, &other.digits);
            return Self { is_negative: self.is_negative, digits }.trimmed();
        }
        let (large, small) =
            if compared(&self.digits, &other.digits) == Ordering::Less { (other, self) } else { (self, other) };
        Self { is_negative: large.is_negative, digits: subtracted(&large.digits, &small.digits) }.trimmed()
    }

    /// The product, which must not have more than 36 decimals.
    pub(crate) fn times(&self, other: &Self) -> Self {
        let mut sums = vec![0u32; self.digits.len() + other.digits.len() + 1];
        for (place, digit) in self.digits.iter().enumerate() {
            for (other_place, other_digit) in other.digits.iter().enumerate() {
                sums[place + other_place] += u32::from(*digit) * u32::from(*other_digit);
            }
        }
        let mut carry = 0;
        let mut digits: Vec<u8> = Vec::new();
        for sum in sums {
            carry += sum;
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
        assert!(carry == 0 && digits.iter().take(SCALE).all(|digit| *digit == 0));
        digits.drain(..SCALE.min(digits.len()));
        Self { is_negative: self.is_negative != other.is_negative, digits }.trimmed()
    }

    /// Neither is negative.
    pub(crate) fn is_greater_than(&self, other: &Self) -> bool {
        compared(&self.digits, &other.digits) == Ordering::Greater
    }

    fn trimmed(mut self) -> Self {
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        self.is_negative &= !self.digits.is_empty();
        self
    }
}

/// Plain notation without trailing zeros.
impl std::fmt::Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text: Vec<char> = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        text.resize(text.len().max(SCALE + 1), '0');
        text.insert(SCALE, '.');
        let text: String = text.into_iter().rev().collect();
        write!(f, "{}{}", if self.is_negative { "-" } else { "" }, text.trim_end_matches('0').trim_end_matches('.'))
    }
}

fn added(left: &[u8], right: &[u8]) -> Vec<u8> {
    let (mut digits, mut carry) = (Vec::new(), 0);
    for place in 0..left.len().max(right.len()) + 1 {
        carry += left.get(place).unwrap_or(&0) + right.get(place).unwrap_or(&0);
        digits.push(carry % 10);
        carry /= 10;
    }
    digits
}

/// `left` is at least as large.
fn subtracted(left: &[u8], right: &[u8]) -> Vec<u8> {
    let (mut digits, mut borrowed) = (Vec::new(), 0);
    for (place, digit) in left.iter().enumerate() {
        let take = right.get(place).unwrap_or(&0) + borrowed;
        borrowed = u8::from(*digit < take);
        digits.push(digit + 10 * borrowed - take);
    }
    digits
}

/// Neither has zeros in front.
fn compared(left: &[u8], right: &[u8]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.iter().rev().cmp(right.iter().rev()))
}

#[test]
fn the_oracle_adds_and_multiplies() {
    let sum = |left: &str, right: &str| Exact::parse(left).plus(&Exact::parse(right)).to_string();
    assert_eq!(sum("0.1", "0.2"), "0.3");
    assert_eq!(sum("-1.5", "1"), "-0.5");
    assert_eq!(sum("1", "-1.0"), "0");
    assert_eq!(sum("99.99", "0.01"), "100");
    let product = |left: &str, right: &str| Exact::parse(left).times(&Exact::parse(right)).to_string();
    assert_eq!(product("-1.5", "2.25"), "-3.375");
    assert_eq!(product("0.000000000000000001", "0.000000000000000001"), "0.000000000000000000000000000000000001");
    assert_eq!(product("0", "5"), "0");
    assert_eq!(Exact::zero().to_string(), "0");
}
