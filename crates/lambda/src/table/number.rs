//! Numbers as DynamoDB keeps them: exact decimals of at most 38 digits, which come back without what does not count
//! (`10.50` as `10.5`). So there is one text for each number here, and what would come back as another text is no number.

use super::Field;

/// Digits of a number, as DynamoDB limits them.
const DIGITS_MAX: usize = 38;

/// The number that a text is, as its one text: without exponent, leading zeros, or zeros at the end of a fraction. None if
/// it is none, or has more digits than the table keeps.
pub fn normal(text: &str) -> Option<String> {
    let (unsigned, sign) = text.strip_prefix('-').map_or((text, ""), |rest| (rest, "-"));
    let unsigned = unsigned.strip_prefix('+').filter(|_| sign.is_empty()).unwrap_or(unsigned);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let counting = digits.trim_matches('0');
    if counting.is_empty() {
        return Some("0".to_owned());
    }
    // where the point is among the digits that count
    let point = point - i64::try_from(leading).ok()?;
    if counting.len() > DIGITS_MAX || point.abs() > 100 {
        return None;
    }
    let length = i64::try_from(counting.len()).ok()?;
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    Some(match point {
        point if point <= 0 => format!("{sign}0.{}{counting}", zeros(-point)),
        point if point >= length => format!("{sign}{counting}{}", zeros(point - length)),
        point => {
            let (whole, fraction) = counting.split_at(usize::try_from(point).unwrap_or(0));
            format!("{sign}{whole}.{fraction}")
        }
    })
}

/// A number as it comes from the table.
pub fn read(text: &str) -> Option<Field> {
    let text = normal(text)?;
    Some(text.parse().map_or(Field::Decimal(text), Field::Number))
}

/// What becomes of a text that is to come back as it is: a number if the table gives it back so, else text.
pub fn field(text: &str) -> Field {
    let is_normal = normal(text).is_some_and(|normal| normal == text);
    read(text).filter(|_| is_normal).unwrap_or_else(|| Field::Text(text.to_owned()))
}

/// The text of a field that [`field`] made.
pub fn text(field: &Field) -> Option<String> {
    match field {
        Field::Number(number) => Some(number.to_string()),
        Field::Decimal(text) | Field::Text(text) => Some(text.clone()),
        Field::Bytes(_) | Field::Texts(_) => None,
    }
}

/// A number of so many units of 10 to the minus `places`, as its one text.
pub fn of_units(units: i128, places: usize) -> String {
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = fraction.trim_end_matches('0');
    let (sign, point) = (if units < 0 { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
    format!("{sign}{whole}{point}{fraction}")
}

/// The units of a number's one text; none if there is more behind the point.
pub fn units(text: &str, places: usize) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let zeros = "0".repeat(places.checked_sub(fraction.len())?);
    format!("{whole}{fraction}{zeros}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_text() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("10", "10"),
            ("10.50", "10.5"),
            ("+007", "7"),
            (".5", "0.5"),
            ("-1.5E+3", "-1500"),
            ("15e-4", "0.0015"),
            ("1.20E1", "12"),
            ("0.000000001", "0.000000001"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
            ("123456789012345678901234567890123456780", "123456789012345678901234567890123456780"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(expected), "{text}");
        }
        for text in
            ["", "-", ".", "1e", "x", "1.2.3", "--1", "+-1", "0x1", "123456789012345678901234567890123456789", "1E101"]
        {
            assert_eq!(normal(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_table_would_change_is_text_there() {
        for kept in ["10.5", "7", "18446744073709551615", "18446744073709551616", "-3", "0.1", "0"] {
            assert!(!matches!(field(kept), Field::Text(_)), "{kept}");
            assert_eq!(text(&field(kept)).as_deref(), Some(kept));
        }
        for changed in ["10.50", "+1", "1e3", "", "-0", "123456789012345678901234567890123456789", "a"] {
            assert_eq!(field(changed), Field::Text(changed.to_owned()));
        }
    }

    #[test]
    fn units_come_back() {
        for (units_of, text) in
            [(0, "0"), (1, "0.001"), (-1, "-0.001"), (1_000, "1"), (-12_340, "-12.34"), (999, "0.999")]
        {
            assert_eq!(of_units(units_of, 3), text);
            assert_eq!(units(text, 3), Some(units_of));
        }
        assert_eq!(units("0.0001", 3), None);
    }
}
