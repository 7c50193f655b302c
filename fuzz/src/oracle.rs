//! Numbers the slow way: a second opinion on what `rows::decimal` reads, in digits and nothing else.

/// What a text is worth: units of 1e-18, or the name of what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    Units(i128),
    Missing,
    Invalid,
    OutOfRange,
    TooManyDecimals,
}

/// Reads `-?digits[.digits][(e|E)[+-]digits{1,6}]`, the exponent only where `exponent` says so, and multiplies it by
/// the whole number `factor` times ten to `power`.
pub(crate) fn worth(text: &str, exponent: bool, factor: u32, power: i64) -> Worth {
    if text.is_empty() {
        return Worth::Missing;
    }
    let (negative, size) = match text.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, text),
    };
    let (mantissa, written) = match size.find(['e', 'E']) {
        Some(at) if exponent => (&size[..at], Some(&size[at + 1..])),
        _ => (size, None),
    };
    let Some(power_of_text) = written.map_or(Some(0), read_exponent) else { return Worth::Invalid };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return Worth::Invalid,
        Some((whole, fraction)) => (whole, fraction),
        None => (mantissa, ""),
    };
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits {
        return Worth::Invalid;
    }
    if power_of_text.abs() > 60 {
        return Worth::OutOfRange;
    }
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
    multiply(&mut digits, factor);
    settle(negative, digits, power_of_text + power - fraction.len() as i64)
}

fn read_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.strip_prefix('+').unwrap_or(text).parse().ok() } else { None }
}

/// Schoolbook, from the last digit on.
fn multiply(digits: &mut Vec<u8>, factor: u32) {
    let mut carry = 0;
    for digit in digits.iter_mut().rev() {
        carry += u64::from(*digit) * u64::from(factor);
        *digit = (carry % 10) as u8;
        carry /= 10;
    }
    while carry > 0 {
        digits.insert(0, (carry % 10) as u8);
        carry /= 10;
    }
}

/// The number `digits` times ten to `power`.
fn settle(negative: bool, mut digits: Vec<u8>, mut power: i64) -> Worth {
    while digits.first() == Some(&0) {
        digits.remove(0);
    }
    while digits.last() == Some(&0) {
        digits.pop();
        power += 1;
    }
    if digits.is_empty() {
        return Worth::Units(0);
    }
    if digits.len() as i64 + power > 20 {
        return Worth::OutOfRange;
    }
    if power < -18 {
        return Worth::TooManyDecimals;
    }
    let zeros = std::iter::repeat_n(&0, (power + 18) as usize);
    let units = digits.iter().chain(zeros).fold(0i128, |units, &digit| units * 10 + i128::from(digit));
    Worth::Units(if negative { -units } else { units })
}
